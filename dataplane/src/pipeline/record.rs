//! The record of one request: filled in as the request goes on, written when it is dropped.
//!
//! Invariant: every [`Record`] becomes exactly one usage event, whichever way the request ends: answered, refused,
//! panicked, or abandoned by its client in the middle of anything. Until something better is known, the client is
//! taken to have left.

mod words;

use super::admit::Allowance;
use super::again::Again;
use super::arrival::Arrival;
use super::authenticate::Caller;
use super::departure::Departure;
use super::lease::Lease;
use super::{Gateway, plan::Plan};
use crate::admission::Pass;
use crate::error::GatewayError;
use crate::measure::Callee;
use crate::metrics::Inflight;
use crate::routing::Route;
use crate::trace::{Trace, TraceHeaders};
use crate::usage::Capture;
use chrono::Utc;
use http::StatusCode;
use llm::usage::TokenClasses;
use llm::{Ask, Grounds, Kind, Notes, Progress, ReplySeed, Units, UpstreamError, Work};
use proto::v1::{Attempt, Decision, UsageEvent, usage_event::Evidence, usage_event::Phase};
use state::{Admission, Rate, Verdict};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use words::{in_log, kind_name, outcome};

/// What the log shows for a client that did not wait, as nginx writes it.
const CLIENT_GONE: u32 = 499;

/// Bytes of text per token, where nobody counted.
const BYTES_PER_TOKEN: u64 = 4;

pub struct Record {
    gateway: Arc<Gateway>,
    event: Box<UsageEvent>,
    started: Instant,
    trace: Option<Trace>,
    /// Kept apart until the end: what a lost request would have cost does not depend on it.
    decision: Option<Decision>,
    endpoint: &'static str,
    kind: Kind,
    /// Of each attempt, as the metrics name it.
    providers: Vec<&'static str>,
    /// The same, as collectors know it; empty where there is none.
    callees: Vec<Callee>,
    /// The attempt that the reply comes from, or the last one.
    current: usize,
    request_bytes: u64,
    /// Whose answer it is, or would be: what the model costs there.
    route: Option<Route>,
    /// What is asked for, and later what was done, that is not counted in tokens.
    work: Work,
    /// Settled when the record is dropped.
    pass: Option<Pass>,
    allowance: Option<Allowance>,
    /// Absent for most requests, and always while operators do not ask for bodies.
    capture: Option<Box<Capture>>,
    /// Absent where nothing is read on for a client that leaves.
    departure: Option<Arc<Departure>>,
    _inflight: Inflight,
}

// === impl Record ===

impl Record {
    pub fn open(gateway: &Arc<Gateway>, arrival: &Arrival, departure: Option<Arc<Departure>>) -> Self {
        let now = Instant::now();
        let event = UsageEvent {
            request_id: arrival.id.to_string(),
            client_request_id: arrival.request_id().to_owned(),
            phase: Phase::Final.into(),
            started_at_ms: Utc::now().timestamp_millis(),
            endpoint: arrival.endpoint.route.to_owned(),
            client_dialect: arrival.endpoint.dialect.name().to_owned(),
            http_status: CLIENT_GONE,
            outcome: "client_gone".to_owned(),
            evidence: Evidence::None.into(),
            ..UsageEvent::default()
        };
        Self {
            gateway: gateway.clone(),
            event: Box::new(event),
            started: now,
            trace: gateway.tracing.begin(&arrival.endpoint, &arrival.parts),
            decision: None,
            endpoint: arrival.endpoint.route,
            kind: arrival.endpoint.kind,
            providers: Vec::new(),
            callees: Vec::new(),
            current: 0,
            request_bytes: 0,
            route: None,
            work: Work::default(),
            pass: None,
            allowance: None,
            capture: None,
            departure,
            _inflight: gateway.metrics.begin(),
        }
    }

    /// What encoders may not make up themselves.
    pub fn seed(&self, model: &str) -> ReplySeed {
        ReplySeed {
            id: self.event.request_id.replace('-', ""),
            created: u64::try_from(self.event.started_at_ms / 1000).unwrap_or(0),
            model: model.to_owned(),
            include_usage: false,
            injected_usage: false,
            framing: llm::Framing::default(),
            request: None,
        }
    }

    pub fn revision(&mut self, revision: u64) {
        self.event.config_revision = revision;
    }

    pub fn caller(&mut self, caller: &Caller) {
        let Some(key) = &caller.key else { return };
        self.event.key_id = key.id.to_string();
        self.event.key_name = key.name.to_string();
    }

    /// What the client sends and gets is kept as well.
    pub fn keeps(&mut self, capture: Option<Box<Capture>>) {
        self.capture = capture;
    }

    /// What the client sent, as far as it may be kept.
    pub fn received(&mut self, body: &[u8]) {
        if let Some(capture) = &mut self.capture {
            capture.received(body);
        }
    }

    /// The client has left, and the answer is read on without it.
    pub fn is_abandoned(&self) -> bool {
        self.left_at().is_some()
    }

    fn left_at(&self) -> Option<Instant> {
        self.departure.as_ref()?.at()
    }

    pub fn departure(&self) -> Option<&Arc<Departure>> {
        self.departure.as_ref()
    }

    /// The next of what the client gets.
    pub fn sent(&mut self, chunk: &[u8]) {
        if self.is_abandoned() {
            return;
        }
        if let Some(capture) = &mut self.capture {
            capture.sent(chunk);
        }
    }

    /// Why it goes where it goes.
    pub fn decided(&mut self, decision: Decision) {
        self.decision = Some(decision);
    }

    pub fn request_id(&self) -> &str {
        &self.event.request_id
    }

    pub fn started_at_ms(&self) -> i64 {
        self.event.started_at_ms
    }

    /// The request is about to reserve what it may cost. That is written down before it happens: should this process
    /// die, its next life gives it back. Should there be none, it counts as spent.
    pub fn reserves(&mut self, asked: &Admission, counts_tokens: impl Fn(&Rate) -> bool) {
        self.pass = Some(Pass::new(&self.gateway.admissions, asked, counts_tokens));
        if asked.budgets.is_empty() {
            return;
        }
        self.event.cost_nano = i64::try_from(asked.cost_nano).ok();
        self.gateway.spool.begin(&self.event);
    }

    pub fn admitted(&mut self, verdict: Verdict, allowance: Allowance) {
        if let Some(pass) = &mut self.pass {
            pass.decided(verdict);
        }
        self.allowance = Some(allowance);
    }

    /// What the answer says about the limits of its key.
    pub fn take_allowance(&mut self) -> Option<Allowance> {
        self.allowance.take()
    }

    /// Empty without a key.
    pub fn key_id(&self) -> &str {
        &self.event.key_id
    }

    pub fn asked(&mut self, ask: &Ask) {
        self.event.model_requested = ask.model().to_owned();
        self.event.stream = ask.stream();
        self.request_bytes = ask.body_len() as u64;
        self.work = ask.work().clone();
    }

    /// An attempt is about to leave. The first one is written down before it does: should this process die, the
    /// request is known to have cost something.
    ///
    /// Returns the attempt's number.
    pub fn dispatch(&mut self, plan: &Plan, lease: &Lease, hedge: bool) -> usize {
        let (route, connection) = (&lease.route, &lease.connection);
        if let Some(departure) = &self.departure {
            departure.waits_for(connection);
        }
        let event = &mut *self.event;
        let number = event.attempts.len();
        event.attempts.push(Attempt {
            connection_id: connection.id.to_string(),
            provider: route.provider.id.to_string(),
            model: route.model.to_string(),
            outcome: "cancelled".to_owned(),
            hedge,
            started_after_ms: millis(self.started.elapsed()),
            proxy: lease
                .outlet()
                .map(|outlet| outlet.hop(connection.endpoint.base())),
            ..Attempt::default()
        });
        self.providers.push(if route.provider.is_node {
            "node"
        } else {
            route.provider.spec.id
        });
        let callee = self.gateway.measuring.callee(route, connection.dialect);
        // most have no collector, and a list of its own costs each request an allocation
        if self.gateway.measuring.is_on() {
            self.callees.push(callee);
        }
        if let Some(trace) = &mut self.trace {
            trace.attempt(
                callee.known_as,
                &event.attempts[number],
                connection.endpoint.base(),
            );
        }
        // of two at a time the first counts, until one answers
        if !hedge {
            self.current = number;
            event.upstream_dialect = connection.dialect.name().to_owned();
            name_served(event, number);
            self.route = Some(route.clone());
        }
        if event.reached_provider {
            return number;
        }
        event.reached_provider = true;
        // as long as nothing better is known: providers bill what they were sent
        event.evidence = Evidence::Estimated.into();
        event.input_uncached = self.request_bytes / BYTES_PER_TOKEN;
        note_units(event, &self.work.units);
        if let Some(combo) = plan.resolution.combo() {
            event.combo = combo.name.to_string();
        }
        let cost = self.cost_nano();
        // more may be reserved
        self.event.cost_nano = self.event.cost_nano.max(cost);
        self.gateway.spool.begin(&self.event);
        number
    }

    /// What the provider of an attempt is told of the trace it is part of.
    pub fn trace_headers(&self, number: usize) -> TraceHeaders {
        let trace = self.trace.as_ref();
        trace.map_or_else(TraceHeaders::new, |trace| trace.headers(number))
    }

    pub fn attempt_failed(&mut self, number: usize, error: &UpstreamError) {
        let (status, outcome) = (error.status.unwrap_or(0), outcome(error));
        if let Some(departure) = &self.departure {
            departure.waits_for_nothing();
        }
        self.close_attempt(number, status, outcome);
        if let Some(trace) = &mut self.trace {
            trace.attempt_failed(number, status, outcome);
        }
    }

    /// Another attempt was faster.
    pub fn attempt_cancelled(&mut self, number: usize) {
        self.close_attempt(number, 0, "cancelled");
        if let Some(trace) = &mut self.trace {
            trace.attempt_failed(number, 0, "cancelled");
        }
    }

    /// The provider answered; what follows is for the client.
    pub fn attempt_answered(&mut self, number: usize, lease: &Lease, notes: &Notes) {
        self.close_attempt(number, 200, "ok");
        if let Some(departure) = &self.departure {
            departure.waits_for(&lease.connection);
        }
        self.current = number;
        "provider".clone_into(&mut self.event.served_from);
        self.event.upstream_dialect = lease.connection.dialect.name().to_owned();
        name_served(&mut self.event, number);
        self.route = Some(lease.route.clone());
        self.event.translation_notes = notes.iter().map(in_log).collect();
    }

    /// The answer is one that was given before: nothing is consumed.
    pub fn again(&mut self, again: &Again) {
        let event = &mut *self.event;
        again.source.name().clone_into(&mut event.served_from);
        event.provider.clone_from(&again.answer.provider);
        event.model_served.clone_from(&again.answer.model);
        event.finish_reason.clone_from(&again.answer.finish_reason);
        if again.framing.is_some() {
            self.first_event();
        }
    }

    pub fn attempts(&self) -> usize {
        self.event.attempts.len()
    }

    /// The first output of a stream is there.
    pub fn first_event(&mut self) {
        let after = self.started.elapsed();
        self.event.ttft_ms = millis(after).max(1);
        self.gateway.metrics.first_event(self.endpoint, after);
    }

    /// The request was answered with an error.
    pub fn refused(&mut self, error: &GatewayError, status: StatusCode) {
        let outcome = if error.is_upstream() {
            "upstream_error"
        } else {
            "rejected"
        };
        self.event.evidence = Evidence::None.into();
        self.event.input_uncached = 0;
        note_units(&mut self.event, &Units::default());
        self.close(outcome, status, kind_name(error.kind()));
    }

    /// The answer is complete.
    pub fn answered(&mut self) {
        self.close("ok", StatusCode::OK, "");
    }

    /// The stream ended with an error inside it.
    pub fn broke_off(&mut self, error: &UpstreamError) {
        if let Some(attempt) = self.event.attempts.get_mut(self.current) {
            attempt.outcome = "stream_error".to_owned();
        }
        self.close("stream_error", StatusCode::OK, kind_name(error.kind));
    }

    /// What the reply has consumed so far; the last call counts.
    pub fn observe(&mut self, progress: &Progress) {
        let classes = progress.usage.classes();
        let seen = progress.output_bytes.div_ceil(BYTES_PER_TOKEN);
        let event = &mut *self.event;
        event.input_uncached = classes.input_uncached;
        event.input_cache_read = classes.input_cache_read;
        event.input_cache_write = classes.input_cache_write;
        event.input_cache_write_1h = classes.input_cache_write_1h;
        event.output_visible = classes.output_visible;
        event.output_reasoning = classes.output_reasoning;
        if let Some(work) = &progress.work {
            self.work.clone_from(work);
            note_units(event, &work.units);
        }
        if let Some(finish) = &progress.finish {
            event.finish_reason = finish.reason.name().to_owned();
        }
        let reported = progress.usage.output_total.is_some() && progress.ended;
        if reported {
            event.evidence = Evidence::ProviderReported.into();
            return;
        }
        if !self.work.units.is_none() {
            // its tokens are not those of the request's text, and nobody told them
            event.evidence = evidence(self.work.grounds).into();
            return;
        }
        // cut off, or never told: at least what was seen
        event.evidence = Evidence::Estimated.into();
        event.output_visible = event
            .output_visible
            .max(seen.saturating_sub(event.output_reasoning));
        if progress.usage.input_total.is_none() {
            event.input_uncached = self.request_bytes / BYTES_PER_TOKEN;
        }
    }

    /// Of what is known to be used. `None` where nobody knows the price.
    fn cost_nano(&self) -> Option<i64> {
        if !self.event.reached_provider {
            return Some(0);
        }
        let tariff = self
            .route
            .as_ref()
            .map(|route| route.tariff_of(&self.work.picture, self.event.started_at_ms));
        let cost = tariff
            .unwrap_or_default()
            .cost_nano(&self.tokens(), &self.units())?;
        i64::try_from(cost).ok()
    }

    fn units(&self) -> Units {
        Units {
            images: self.event.images,
            audio_ms: self.event.audio_ms,
            characters: self.event.characters,
            searches: self.event.searches,
        }
    }

    fn tokens(&self) -> TokenClasses {
        TokenClasses {
            input_uncached: self.event.input_uncached,
            input_cache_read: self.event.input_cache_read,
            input_cache_write: self.event.input_cache_write,
            input_cache_write_1h: self.event.input_cache_write_1h,
            output_visible: self.event.output_visible,
            output_reasoning: self.event.output_reasoning,
        }
    }

    fn close_attempt(&mut self, number: usize, status: u16, outcome: &'static str) {
        let after = millis(self.started.elapsed());
        let Some(attempt) = self.event.attempts.get_mut(number) else {
            return;
        };
        attempt.http_status = status.into();
        attempt.outcome = outcome.to_owned();
        attempt.duration_ms = after.saturating_sub(attempt.started_after_ms);
        let provider = self.providers.get(number).copied().unwrap_or_default();
        self.gateway.metrics.attempt(provider, outcome);
    }

    /// What a client got that did not stay to the end is that it left; what became of its call, the attempt says.
    fn close(&mut self, outcome: &str, status: StatusCode, code: &str) {
        if self.is_abandoned() {
            return;
        }
        self.event.outcome = outcome.to_owned();
        self.event.http_status = status.as_u16().into();
        self.event.error_code = code.to_owned();
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let ended = self.left_at().unwrap_or_else(Instant::now);
        let took = ended.saturating_duration_since(self.started);
        self.event.cost_nano = self.cost_nano();
        if let Some(pass) = &mut self.pass {
            let cost = self.event.cost_nano.and_then(|cost| u64::try_from(cost).ok());
            let event = &self.event;
            let input = event.input_uncached + event.input_cache_read + event.input_cache_write;
            let output = event.output_visible + event.output_reasoning;
            pass.used(input + output, cost.unwrap_or(0));
        }
        let mut event = std::mem::take(&mut *self.event);
        event.duration_ms = millis(took);
        event.decision = self.decision.take();
        let metrics = &self.gateway.metrics;
        metrics.request(self.endpoint, &event, took);
        let (callees, ended_after) = (&self.callees, self.started.elapsed());
        self.gateway
            .measuring
            .ended(self.kind, &event, callees, self.current, ended_after);
        if let Some(trace) = self.trace.take() {
            trace.end(&event, self.current);
        }
        if let Some(capture) = self.capture.take() {
            self.gateway
                .captures
                .end(&capture, &event.request_id, &event.key_id);
        }
        self.gateway.spool.end(event);
    }
}

fn note_units(event: &mut UsageEvent, units: &Units) {
    event.images = units.images;
    event.audio_ms = units.audio_ms;
    event.characters = units.characters;
    event.searches = units.searches;
}

fn evidence(grounds: Grounds) -> Evidence {
    match grounds {
        Grounds::Guessed => Evidence::Estimated,
        Grounds::Counted => Evidence::Counted,
        Grounds::Told => Evidence::ProviderReported,
    }
}

fn name_served(event: &mut UsageEvent, number: usize) {
    let Some(attempt) = event.attempts.get(number) else {
        return;
    };
    event.model_served.clone_from(&attempt.model);
    event.provider.clone_from(&attempt.provider);
    event.connection_id.clone_from(&attempt.connection_id);
}

fn millis(duration: Duration) -> u32 {
    duration.as_millis().try_into().unwrap_or(u32::MAX)
}

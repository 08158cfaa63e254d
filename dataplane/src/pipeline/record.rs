//! The record of one request: filled in as the request goes on, written when it is dropped.
//!
//! Invariant: every [`Record`] becomes exactly one usage event, whichever way the request ends: answered, refused,
//! panicked, or abandoned by its client in the middle of anything. Until something better is known, the client is
//! taken to have left.

use super::arrival::Arrival;
use super::authenticate::Caller;
use super::{Gateway, plan::Plan};
use crate::error::GatewayError;
use crate::metrics::Inflight;
use crate::routing::{Connection, Route};
use chrono::Utc;
use http::StatusCode;
use llm::{Ask, ErrorKind, Notes, Progress, ReplySeed, Severity, UpstreamError};
use proto::v1::{Attempt, UsageEvent, usage_event::Evidence, usage_event::Phase};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What the log shows for a client that did not wait, as nginx writes it.
const CLIENT_GONE: u32 = 499;

/// Bytes of text per token, where nobody counted.
const BYTES_PER_TOKEN: u64 = 4;

pub struct Record {
    gateway: Arc<Gateway>,
    event: Box<UsageEvent>,
    started: Instant,
    attempt_started: Instant,
    endpoint: &'static str,
    /// Of the last attempt, as the metrics name it.
    provider: &'static str,
    request_bytes: u64,
    _inflight: Inflight,
}

// === impl Record ===

impl Record {
    pub fn open(gateway: &Arc<Gateway>, arrival: &Arrival) -> Self {
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
            attempt_started: now,
            endpoint: arrival.endpoint.route,
            provider: "",
            request_bytes: 0,
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

    pub fn asked(&mut self, ask: &Ask) {
        self.event.model_requested = ask.model().to_owned();
        self.event.stream = ask.stream();
        self.request_bytes = ask.body_len() as u64;
    }

    /// An attempt is about to leave. The first one is written down before it does: should this process die, the
    /// request is known to have cost something.
    pub fn dispatch(&mut self, plan: &Plan, route: &Route, connection: &Connection) {
        let event = &mut *self.event;
        event.model_served = route.model.to_string();
        event.provider = route.provider.id.to_string();
        event.connection_id = connection.id.to_string();
        event.upstream_dialect = connection.dialect.name().to_owned();
        event.attempts.push(Attempt {
            connection_id: event.connection_id.clone(),
            provider: event.provider.clone(),
            model: event.model_served.clone(),
            outcome: "cancelled".to_owned(),
            ..Attempt::default()
        });
        self.provider = if route.provider.is_node {
            "node"
        } else {
            route.provider.spec.id
        };
        self.attempt_started = Instant::now();
        if event.reached_provider {
            return;
        }
        event.reached_provider = true;
        // as long as nothing better is known: providers bill what they were sent
        event.evidence = Evidence::Estimated.into();
        event.input_uncached = self.request_bytes / BYTES_PER_TOKEN;
        if let Some(combo) = &plan.combo {
            event.combo = combo.name.to_string();
        }
        self.gateway.spool.begin(&self.event);
    }

    pub fn attempt_failed(&mut self, error: &UpstreamError) {
        self.close_attempt(error.status.unwrap_or(0), outcome(error));
    }

    /// The provider answered; what follows is for the client.
    pub fn attempt_answered(&mut self, notes: &Notes) {
        self.close_attempt(200, "ok");
        self.event.translation_losses = notes.count(Severity::Loss).try_into().unwrap_or(u32::MAX);
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
        self.close(outcome, status, kind_name(error.kind()));
    }

    /// The answer is complete.
    pub fn answered(&mut self) {
        self.close("ok", StatusCode::OK, "");
    }

    /// The stream ended with an error inside it.
    pub fn broke_off(&mut self, error: &UpstreamError) {
        if let Some(attempt) = self.event.attempts.last_mut() {
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
        event.output_visible = classes.output_visible;
        event.output_reasoning = classes.output_reasoning;
        if let Some(finish) = &progress.finish {
            event.finish_reason = finish.reason.name().to_owned();
        }
        let reported = progress.usage.output_total.is_some() && progress.ended;
        if reported {
            event.evidence = Evidence::ProviderReported.into();
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

    fn close_attempt(&mut self, status: u16, outcome: &'static str) {
        let took = millis(self.attempt_started.elapsed());
        let Some(attempt) = self.event.attempts.last_mut() else {
            return;
        };
        attempt.http_status = status.into();
        attempt.outcome = outcome.to_owned();
        attempt.duration_ms = took;
        self.gateway.metrics.attempt(self.provider, outcome);
    }

    fn close(&mut self, outcome: &str, status: StatusCode, code: &str) {
        self.event.outcome = outcome.to_owned();
        self.event.http_status = status.as_u16().into();
        self.event.error_code = code.to_owned();
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        let mut event = std::mem::take(&mut *self.event);
        event.duration_ms = millis(took);
        let metrics = &self.gateway.metrics;
        metrics.request(self.endpoint, &event, took);
        self.gateway.spool.end(event);
    }
}

fn outcome(error: &UpstreamError) -> &'static str {
    match error.kind {
        ErrorKind::RateLimit | ErrorKind::Quota => "rate_limited",
        ErrorKind::UpstreamAuth | ErrorKind::ClientAuth | ErrorKind::Permission => "auth",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Upstream5xx | ErrorKind::Unavailable if error.status.is_none() => "connect",
        ErrorKind::Cancelled => "cancelled",
        ErrorKind::StreamIncomplete => "stream_error",
        ErrorKind::InvalidRequest
        | ErrorKind::ContextLength
        | ErrorKind::ModelNotFound
        | ErrorKind::NotFound
        | ErrorKind::MethodNotAllowed
        | ErrorKind::TooLarge
        | ErrorKind::ContentBlocked
        | ErrorKind::Unsupported => "client_error",
        ErrorKind::Overloaded
        | ErrorKind::Upstream5xx
        | ErrorKind::MalformedUpstream
        | ErrorKind::Unavailable
        | ErrorKind::Internal => "server_error",
    }
}

fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest => "invalid_request",
        ErrorKind::ContextLength => "context_length",
        ErrorKind::ClientAuth => "client_auth",
        ErrorKind::UpstreamAuth => "upstream_auth",
        ErrorKind::Permission => "permission",
        ErrorKind::ModelNotFound => "model_not_found",
        ErrorKind::NotFound => "not_found",
        ErrorKind::MethodNotAllowed => "method_not_allowed",
        ErrorKind::TooLarge => "too_large",
        ErrorKind::RateLimit => "rate_limit",
        ErrorKind::Quota => "quota",
        ErrorKind::Overloaded => "overloaded",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Upstream5xx => "upstream_5xx",
        ErrorKind::ContentBlocked => "content_blocked",
        ErrorKind::Cancelled => "cancelled",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::MalformedUpstream => "malformed_upstream",
        ErrorKind::StreamIncomplete => "stream_incomplete",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Internal => "internal",
    }
}

fn millis(duration: Duration) -> u32 {
    duration.as_millis().try_into().unwrap_or(u32::MAX)
}

//! From a decision to an answer: one account after the other, in the order that was decided, until one answers.
//!
//! Nothing has been sent to the client yet, so any failure that is not the request's own may be made good by the
//! next account. A stream counts as an answer only once its first event of output is there; from then on the reply
//! belongs to that account, whatever becomes of it.
//!
//! Three bounds end the search: every account is tried once, a request has so many attempts, and it has a deadline.

use super::Gateway;
use super::choose::Step;
use super::exchange::{Exchange, Reply, Sent};
use super::findings::Findings;
use super::lease::{Held, Lease};
use super::media::Media;
use super::plan::Plan;
use super::record::Record;
use crate::error::GatewayError;
use crate::routing::health::{Probe, Standing};
use crate::routing::{Combo, Connection, Cooling, Hedging, Penalty, Route, Table, blames_provider};
use futures::stream::{FuturesUnordered, StreamExt};
use llm::translate::CallError;
use llm::{Call, EncodeError, Framing, Kind, ModelCaps, Target, UpstreamError};
use rand::RngExt;
use std::slice::Iter;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// Calls that are made for one request, those included that repeat or race another.
pub const MAX_ATTEMPTS: usize = 10;

/// Accounts of one provider that are tried for one request.
const MAX_ACCOUNTS: usize = 5;

/// Waits before a repetition are this much shorter or longer, so that not all come back at once.
const JITTER: f64 = 0.1;

/// An answer, and where it comes from.
pub struct Served {
    pub reply: Reply,
    pub lease: Lease,
    /// What translation cost, for a header.
    pub notes: Option<String>,
    pub stream: bool,
    pub framing: Framing,
    /// When the whole request, stream included, has to be over.
    pub deadline: Instant,
}

/// The search for an answer: what is fixed for all attempts, and what was learnt from those that failed.
struct Search<'a> {
    table: &'a Table,
    plan: &'a Plan,
    exchange: &'a Exchange<'a>,
    media: Media,
    findings: Findings,
    /// When the whole request has to be over.
    deadline: Instant,
    attempts: usize,
    tried: Vec<Step>,
    /// Routes whose dialect cannot say it.
    mute: Vec<usize>,
    /// The last account that failed in a way that may pass.
    passing: Option<Step>,
}

/// A call that may be sent now.
struct Ready {
    step: Step,
    call: Call,
    lease: Lease,
    /// Its number in the record.
    number: usize,
}

/// Whether a call may wait for its turn at its account.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    Wait,
    Now,
}

/// Tries the accounts in the order of the decision and returns the first answer.
pub async fn first_success(
    gateway: &Gateway,
    table: &Table,
    plan: &Plan,
    steps: &[Step],
    sent: Sent<'_>,
    record: &mut Record,
) -> Result<Served, GatewayError> {
    let now = Instant::now();
    let deadline = now + gateway.upstream.total();
    let combo = plan.resolution.combo();
    let timeout = combo.and_then(|combo| combo.timeout);
    let exchange = Exchange {
        gateway,
        sent,
        seed: record.seed(sent.ask.model()),
        until: timeout.map_or(deadline, |timeout| deadline.min(now + timeout)),
    };
    let mut search = Search {
        table,
        plan,
        exchange: &exchange,
        media: Media::default(),
        findings: Findings::default(),
        deadline,
        attempts: 0,
        tried: Vec::new(),
        mute: Vec::new(),
        passing: None,
    };
    let outcome = search.run(steps, record).await;
    if let Some(combo) = combo {
        let failed = u64::try_from(search.attempts)
            .unwrap_or(0)
            .saturating_sub(u64::from(outcome.is_ok()));
        gateway
            .tally
            .answered(combo, outcome.is_ok(), failed, now.elapsed());
    }
    outcome
}

// === impl Search ===

impl Search<'_> {
    async fn run(&mut self, steps: &[Step], record: &mut Record) -> Result<Served, GatewayError> {
        let mut steps = steps.iter();
        while let Some(ready) = self.next(&mut steps, Patience::Wait).await? {
            let served = match self.patience(&ready) {
                Some(patience) => Box::pin(self.race(ready, patience, &mut steps, record)).await?,
                None => self.call(ready, record).await?,
            };
            if let Some(served) = served {
                return Ok(served);
            }
        }
        if let Some(served) = Box::pin(self.last_resort(record)).await? {
            return Ok(served);
        }
        // an account that rests could say it no better
        let mute = &self.mute;
        if self.plan.routes().all(|(position, _)| mute.contains(&position))
            && let Some(error) = self.findings.take_unsupported()
        {
            return Err(error.into());
        }
        self.findings.ruled_out(self.plan, &self.tried);
        Err(std::mem::take(&mut self.findings).conclude(self.plan))
    }

    /// The next account that may be called, with what it is to be called with. Whatever is in the way of an account
    /// is no failure: another one may be free.
    async fn next(
        &mut self,
        steps: &mut Iter<'_, Step>,
        patience: Patience,
    ) -> Result<Option<Box<Ready>>, GatewayError> {
        for step in steps {
            let out_of_time = self.findings.has_failure() && Instant::now() >= self.exchange.until;
            if self.attempts >= MAX_ATTEMPTS || out_of_time {
                return Ok(None);
            }
            let plan = self.plan;
            let (route, connection) = place(plan, *step);
            if let Some(cooling) = plan.cooling(connection, route) {
                self.findings.passes_over(route, cooling);
                continue;
            }
            let asked = |tried: &&Step| place(plan, **tried).0.provider.id == route.provider.id;
            if self.mute.contains(&step.route) || self.tried.iter().filter(asked).count() >= MAX_ACCOUNTS {
                continue;
            }
            if let Some(ready) = self.prepare(*step, patience).await? {
                self.tried.push(*step);
                return Ok(Some(ready));
            }
        }
        Ok(None)
    }

    async fn prepare(&mut self, step: Step, patience: Patience) -> Result<Option<Box<Ready>>, GatewayError> {
        let plan = self.plan;
        let (route, connection) = place(plan, step);
        let until = self.exchange.until;
        // two accounts may be two servers, and need not take or answer the same
        let target = target(route, connection);
        let call = match self.written(route, &target).await {
            Ok(call) => call,
            Err(CallError::Decode(error)) => return Err(error.into()),
            // another model of the combo may be able to say it
            Err(CallError::Encode(error)) => {
                self.mute.push(step.route);
                self.findings.cannot_say(route, error);
                return Ok(None);
            }
        };
        let Ok(probe) = self.admit(route).await else {
            return Ok(None);
        };
        let seats = plan.resolution.seats(step.route);
        let mut held = Held::default();
        for gate in seats.iter().filter_map(|seat| seat.gate.as_ref()) {
            let slot = match patience {
                Patience::Wait => Box::pin(gate.enter(until)).await,
                Patience::Now => gate.try_enter(),
            };
            match slot {
                Some(slot) => held.slots.push(slot),
                None => return Ok(None),
            }
        }
        if connection.rate_limit_protection {
            if patience == Patience::Now {
                return Ok(None);
            }
            let limiter = connection.account.limiter();
            let limits = self.table.resilience().limits();
            match Box::pin(limiter.acquire(limits, until)).await {
                Ok(permit) => held.permit = Some(permit),
                Err(full) => {
                    self.findings.passes_over(
                        route,
                        Cooling {
                            until: Instant::now() + full.retry_after,
                            limited: true,
                            reason: "rate_limit_exceeded",
                        },
                    );
                    return Ok(None);
                }
            }
        }
        Ok(Some(Box::new(Ready {
            step,
            call,
            lease: Lease::new(connection, route, seats, probe, held),
            number: 0,
        })))
    }

    /// What is to be sent there: in the dialect of the target, or in the words that a service of it is asked for in.
    async fn written(&mut self, route: &Route, target: &Target) -> Result<Call, CallError> {
        let Exchange {
            gateway, sent, until, ..
        } = self.exchange;
        let (kind, spec) = (sent.ask.kind(), route.provider.spec);
        let service = spec.service(kind).filter(|_| !kind.converses());
        if service.is_none() && !(kind.converses() && spec.converses()) {
            return Err(not_offered(route, kind).into());
        }
        let call = self.media.call(gateway, sent.ask, target, *until).await?;
        match service {
            Some(service) => {
                call.at_service(service, &spec.service_path(service, &route.model), &route.model)
            }
            None => Ok(call),
        }
    }

    /// Whether the provider may be asked at all; the one who finds out whether it is back gets a probe.
    async fn admit(&mut self, route: &Route) -> Result<Option<Probe>, ()> {
        let breaker = &route.provider.breaker;
        match breaker.standing() {
            Standing::Closed => Ok(None),
            Standing::Open { .. } if self.plan.asks_the_failing() => Ok(None),
            Standing::Open { .. } => Err(()),
            Standing::HalfOpen => {
                let probe = breaker.claim_probe(&*self.exchange.gateway.store).await;
                match probe {
                    None if !self.plan.asks_the_failing() => Err(()),
                    probe => Ok(probe),
                }
            }
        }
    }

    /// Sends one call, again if the combo says so, and takes in what comes of it.
    async fn call(
        &mut self,
        mut ready: Box<Ready>,
        record: &mut Record,
    ) -> Result<Option<Served>, GatewayError> {
        let combo = self.plan.resolution.combo();
        let mut repetitions = combo.and_then(|combo| combo.max_retries).unwrap_or(0);
        loop {
            self.dispatch(&mut ready, record, false).await;
            let error = match self.exchange.attempt(&ready.call, &ready.lease).await {
                Ok(reply) => return Ok(Some(self.answered(*ready, reply, record))),
                Err(error) => error,
            };
            let again = repetitions > 0 && !record.is_abandoned() && self.may_repeat(&error);
            if !again {
                self.failed(&ready, error, record)?;
                return Ok(None);
            }
            repetitions -= 1;
            // before the account rests: it is to be asked again
            record.attempt_failed(ready.number, &error);
            wait(
                combo.map_or(Duration::ZERO, |combo| combo.retry_delay),
                self.exchange.until,
            )
            .await;
        }
    }

    /// Sends a call and, if it takes unusually long, another one beside it. The first answer counts.
    async fn race(
        &mut self,
        mut first: Box<Ready>,
        patience: Duration,
        steps: &mut Iter<'_, Step>,
        record: &mut Record,
    ) -> Result<Option<Served>, GatewayError> {
        let exchange = self.exchange;
        let send = |ready: Box<Ready>| async move {
            let outcome = exchange.attempt(&ready.call, &ready.lease).await;
            (ready, outcome)
        };
        self.dispatch(&mut first, record, false).await;
        let (route, began) = (first.lease.route.clone(), first.lease.started);
        let mut numbers = vec![first.number];
        let mut running = FuturesUnordered::new();
        running.push(send(first));
        // one that is not hedged waits for ever
        let mut hedge_at = Instant::now().checked_add(patience);
        loop {
            let (ready, outcome) = tokio::select! {
                Some(ended) = running.next() => ended,
                () = sleep_until(hedge_at.unwrap_or(exchange.until)), if hedge_at.is_some() => {
                    hedge_at = None;
                    if !record.is_abandoned()
                        && exchange.gateway.hedges.spend(&route)
                        && let Some(mut second) = self.next(steps, Patience::Now).await?
                    {
                        self.dispatch(&mut second, record, true).await;
                        numbers.push(second.number);
                        running.push(send(second));
                    }
                    continue;
                }
            };
            match outcome {
                Ok(reply) => {
                    exchange.gateway.hedges.answered(&route, began.elapsed());
                    let losers = numbers.iter().filter(|number| **number != ready.number);
                    losers.for_each(|number| record.attempt_cancelled(*number));
                    return Ok(Some(self.answered(*ready, reply, record)));
                }
                Err(error) => {
                    numbers.retain(|number| *number != ready.number);
                    let failed = self.failed(&ready, error, record);
                    if failed.is_err() {
                        numbers
                            .iter()
                            .for_each(|number| record.attempt_cancelled(*number));
                    }
                    failed?;
                    if running.is_empty() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Of a combo that says nothing about repetition: once more, when nothing else is left and the failure may have
    /// passed.
    async fn last_resort(&mut self, record: &mut Record) -> Result<Option<Served>, GatewayError> {
        let Some(combo) = self
            .plan
            .resolution
            .combo()
            .filter(|combo| combo.max_retries.is_none())
        else {
            return Ok(None);
        };
        let Some(step) = self.passing else { return Ok(None) };
        if !self.has_room(combo) || !self.exchange.gateway.repetitions.spend() {
            return Ok(None);
        }
        wait(combo.retry_delay, self.exchange.until).await;
        match self.prepare(step, Patience::Wait).await? {
            Some(ready) => self.call(ready, record).await,
            None => Ok(None),
        }
    }

    /// How long to wait before a second call, if this one may be hedged.
    fn patience(&self, ready: &Ready) -> Option<Duration> {
        let hedging: &Hedging = self.table.choice().hedging.as_ref()?;
        let ask = self.exchange.sent.ask;
        if !ask.is_chat() || ask.stream() || ask.uses_tools() {
            return None;
        }
        // a combo that asks the same account again does not ask another one meanwhile
        let combo = self.plan.resolution.combo();
        if combo
            .and_then(|combo| combo.max_retries)
            .is_some_and(|retries| retries > 0)
        {
            return None;
        }
        let patience = self.exchange.gateway.hedges.patience(hedging, &ready.lease.route);
        // one that is not waited for still teaches how long answers take
        Some(patience.unwrap_or(Duration::MAX))
    }

    /// Returns when the call may leave: it is written down.
    async fn dispatch(&mut self, ready: &mut Ready, record: &mut Record, hedge: bool) {
        let gateway = self.exchange.gateway;
        self.attempts += 1;
        gateway.repetitions.earn();
        ready.number = record.dispatch(self.plan, &ready.lease, hedge);
        ready.lease.trace = record.trace_headers(ready.number);
        gateway.spool.written().await;
        ready.lease.started = Instant::now();
    }

    fn answered(&self, ready: Ready, reply: Reply, record: &mut Record) -> Served {
        record.attempt_answered(ready.number, &ready.lease, ready.call.notes());
        let ask = self.exchange.sent.ask;
        Served {
            reply,
            notes: ready.call.notes().summary(),
            lease: ready.lease,
            stream: ask.stream(),
            framing: ask.framing(),
            deadline: self.deadline,
        }
    }

    /// An error means that no other account would do better.
    fn failed(
        &mut self,
        ready: &Ready,
        error: UpstreamError,
        record: &mut Record,
    ) -> Result<(), GatewayError> {
        record.attempt_failed(ready.number, &error);
        let lease = &ready.lease;
        let penalty = lease.fail(self.exchange.gateway, &error);
        // nobody waits for the answer of another one
        if penalty == Penalty::Final || record.is_abandoned() {
            return Err(error.into());
        }
        if blames_provider(&error) {
            self.passing = Some(ready.step);
        }
        let rest = lease.connection.account.cooling(&lease.route.model);
        self.findings.failed(&lease.route, error, rest);
        Ok(())
    }

    /// The same account, before it rests.
    fn may_repeat(&self, error: &UpstreamError) -> bool {
        let combo = self.plan.resolution.combo();
        blames_provider(error)
            && combo.is_some_and(|combo| self.has_room(combo))
            && self.exchange.gateway.repetitions.spend()
    }

    /// Attempts and time are left for a repetition.
    fn has_room(&self, combo: &Combo) -> bool {
        self.attempts < MAX_ATTEMPTS && Instant::now() + combo.retry_delay < self.exchange.until
    }
}

fn not_offered(route: &Route, kind: Kind) -> EncodeError {
    EncodeError {
        message: format!("{} offers no {}", route.provider.id, kind.plural()),
        param: Some("model".to_owned()),
    }
}

/// Where a step leads to.
fn place(plan: &Plan, step: Step) -> (&Route, &Arc<Connection>) {
    let route = &plan.resolution.routes()[step.route];
    (route, &route.provider.connections[step.connection])
}

pub(super) fn target(route: &Route, connection: &Connection) -> Target {
    let dialect = route.provider.spec.dialect;
    Target {
        dialect,
        model: route.model.to_string(),
        caps: ModelCaps::of(dialect, &route.model)
            .with_think_tags(connection.think_tags(&route.model))
            .with_completions(route.provider.spec.serves(Kind::Completion, &route.model))
            .with_stream_usage(connection.spec.stream_usage),
    }
}

/// With jitter, and not beyond the deadline.
async fn wait(delay: Duration, until: Instant) {
    let jitter = rand::rng().random_range(1.0 - JITTER..=1.0 + JITTER);
    let left = until.saturating_duration_since(Instant::now());
    sleep(delay.mul_f64(jitter).min(left)).await;
}

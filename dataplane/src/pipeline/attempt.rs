//! From a plan to an answer: one account after the other, until one answers.
//!
//! Nothing has been sent to the client yet, so any failure that is not the request's own may be made good by the
//! next account. A stream counts as an answer only once its first event of output is there; from then on the reply
//! belongs to that account, whatever becomes of it.

use super::media::Media;
use super::{Gateway, plan::Plan, record::Record};
use crate::error::GatewayError;
use crate::routing::{Connection, Cooling, Penalty, Route};
use crate::upstream::{self, Incoming, Outgoing};
use bytes::Bytes;
use chrono::Utc;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::response;
use http_body_util::BodyExt;
use llm::translate::CallError;
use llm::{
    Ask, Call, EncodeError, ErrorKind, Framing, ModelCaps, Progress, Pump, ReplySeed, StreamWire, Target,
    UpstreamError,
};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

/// Accounts of one provider that are tried for one request.
const ACCOUNTS: usize = 5;

/// An answer, and where it comes from.
pub struct Served {
    pub reply: Reply,
    pub account: Account,
    /// What translation cost, for a header.
    pub notes: Option<String>,
    pub stream: bool,
    pub framing: Framing,
    /// When the whole request, stream included, has to be over.
    pub deadline: Instant,
}

pub enum Reply {
    /// In the client's dialect and complete: a unary answer, or a stream that was made from one.
    Whole { body: Bytes, progress: Box<Progress> },
    /// Its first event of output is in `ready`; the rest is in `body`.
    Stream {
        body: Incoming,
        pump: Box<Pump>,
        ready: Vec<Bytes>,
    },
}

/// The account that answered, as far as its health is concerned.
pub struct Account {
    pub connection: Arc<Connection>,
    pub model: Arc<str>,
    pub started: Instant,
}

/// No account could be asked: those that are left all rest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Exhausted {
    pub kind: ErrorKind,
    pub message: String,
    pub retry_after: Option<Duration>,
}

/// The search for an answer: what is fixed for all attempts, and what was learnt from those that failed.
struct Search<'a> {
    gateway: &'a Gateway,
    plan: &'a Plan,
    ask: &'a Ask,
    client_headers: &'a HeaderMap,
    seed: ReplySeed,
    /// When the whole request has to be over.
    deadline: Instant,
    /// When looking for an answer has to stop.
    until: Instant,
    media: Media,
    findings: Findings,
}

#[derive(Default)]
struct Findings {
    failure: Option<UpstreamError>,
    unsupported: Option<EncodeError>,
    /// Back first, and limited only if all that rest are.
    resting: Option<Cooling>,
    /// The last provider and model that were considered.
    place: String,
}

/// Tries the accounts of a plan in order and returns the first answer.
pub async fn first_success(
    gateway: &Gateway,
    plan: &Plan,
    ask: &Ask,
    client_headers: &HeaderMap,
    record: &mut Record,
) -> Result<Served, GatewayError> {
    let now = Instant::now();
    let deadline = now + gateway.upstream.total();
    let until = plan
        .combo
        .as_ref()
        .and_then(|combo| combo.timeout)
        .map_or(deadline, |timeout| deadline.min(now + timeout));
    let seed = record.seed(ask.model());
    let findings = Findings::default();
    let mut search = Search {
        gateway,
        plan,
        ask,
        client_headers,
        seed,
        deadline,
        until,
        media: Media::default(),
        findings,
    };
    for route in plan.routes.iter() {
        if let Some(served) = search.route(route, record).await? {
            return Ok(served);
        }
    }
    Err(search.findings.conclude())
}

// === impl Search ===

impl Search<'_> {
    /// Tries the accounts of one route. `None` means that the next route may do better.
    async fn route(&mut self, route: &Route, record: &mut Record) -> Result<Option<Served>, GatewayError> {
        let health = self.gateway.routing.health();
        let mut tried = 0;
        for connection in &route.provider.connections {
            if !self.plan.may_use(connection) {
                continue;
            }
            if let Some(cooling) = health.cooling(&connection.id, &route.model) {
                self.findings.rests(route, cooling);
                continue;
            }
            if tried == ACCOUNTS || self.findings.failure.is_some() && Instant::now() >= self.until {
                break;
            }
            tried += 1;
            // two accounts may be two servers, and need not take or answer the same
            let target = target(route, connection);
            let call = match self.media.call(self.gateway, self.ask, &target, self.until).await {
                Ok(call) => call,
                Err(CallError::Decode(error)) => return Err(error.into()),
                // another model of the combo may speak a dialect that can say it
                Err(CallError::Encode(error)) => {
                    self.findings.unsupported = Some(error);
                    return Ok(None);
                }
            };
            let account = Account {
                connection: connection.clone(),
                model: route.model.clone(),
                started: Instant::now(),
            };
            record.dispatch(self.plan, route, connection);
            match self.attempt(&call, &account).await {
                Ok(reply) => {
                    record.attempt_answered(call.notes());
                    let notes = call.notes().summary();
                    let (stream, deadline) = (self.ask.stream(), self.deadline);
                    return Ok(Some(Served {
                        reply,
                        account,
                        notes,
                        stream,
                        framing: self.ask.framing(),
                        deadline,
                    }));
                }
                Err(error) => {
                    record.attempt_failed(&error);
                    if account.fail(self.gateway, &error) == Penalty::Final {
                        return Err(error.into());
                    }
                    let rest = health.cooling(&connection.id, &route.model);
                    self.findings.failed(route, error, rest);
                }
            }
        }
        Ok(None)
    }

    async fn attempt(&self, call: &Call, account: &Account) -> Result<Reply, UpstreamError> {
        let config = &self.gateway.upstream;
        let patience = if self.ask.stream() {
            config.first_event()
        } else {
            config.unary()
        };
        let deadline = (Instant::now() + patience).min(self.until);
        match timeout_at(deadline, self.converse(call, account)).await {
            Ok(reply) => reply,
            Err(_) => Err(UpstreamError::new(
                ErrorKind::Timeout,
                "the provider did not answer in time",
            )),
        }
    }

    /// Reasoning that another account encrypted, or long ago, is refused; without it the question can be answered.
    async fn converse(&self, call: &Call, account: &Account) -> Result<Reply, UpstreamError> {
        let refusal = match self.exchange(call, account).await {
            Err(refusal) => refusal,
            reply => return reply,
        };
        match call.without_reasoning(&refusal) {
            Some(call) => self.exchange(&call, account).await,
            None => Err(refusal),
        }
    }

    async fn exchange(&self, call: &Call, account: &Account) -> Result<Reply, UpstreamError> {
        let connection = &account.connection;
        let url = connection
            .chat_url(&account.model, self.ask.stream())
            .ok_or_else(nowhere)?;
        let client = |name: &'static str| self.client_headers.get(name)?.to_str().ok().map(str::to_owned);
        let outgoing = Outgoing {
            url: &url,
            headers: &connection.headers,
            dialect_headers: call.headers(&client),
            body: call.body(),
            allow_private: connection.allow_private_address,
        };
        let (head, body) = upstream::send(&self.gateway.egress, outgoing).await?.into_parts();
        if !head.status.is_success() {
            return Err(refusal(connection, &head, body).await);
        }
        if self.ask.stream() {
            self.open_stream(call, account, &head, body).await
        } else {
            self.read_reply(call, account, &head, body).await
        }
    }

    /// Reads on until the first event of output.
    async fn open_stream(
        &self,
        call: &Call,
        account: &Account,
        head: &response::Parts,
        mut body: Incoming,
    ) -> Result<Reply, UpstreamError> {
        let not_a_stream: &[&str] = match wire(account) {
            StreamWire::Events => &["application/json", "text/html"],
            // a stream of JSON may call itself JSON
            StreamWire::Lines => &["text/html"],
        };
        if content_is(head, not_a_stream) {
            let whole = upstream::read_whole(body, self.gateway.upstream.max_reply_bytes).await?;
            let mut progress = measured(account);
            let body = call.replay(whole, &self.seed, &mut progress)?;
            return Ok(Reply::Whole { body, progress });
        }
        let mut pump = call.pump(&self.seed);
        let mut ready = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| broke())?;
            let Ok(data) = frame.into_data() else { continue };
            pump.tick(account.started.elapsed());
            pump.push(data, &mut ready);
            let progress = pump.progress();
            if progress.started {
                return Ok(Reply::Stream {
                    body,
                    pump: Box::new(pump),
                    ready,
                });
            }
            if let Some(error) = &progress.error {
                return Err(error.clone());
            }
        }
        pump.finish(&mut ready);
        let progress = Box::new(pump.progress().clone());
        match progress.error {
            Some(error) => Err(error),
            None => Ok(Reply::Whole {
                body: ready.concat().into(),
                progress,
            }),
        }
    }

    async fn read_reply(
        &self,
        call: &Call,
        account: &Account,
        head: &response::Parts,
        body: Incoming,
    ) -> Result<Reply, UpstreamError> {
        let whole = upstream::read_whole(body, self.gateway.upstream.max_reply_bytes).await?;
        let mut progress = measured(account);
        // some providers only stream, and not all of those say so
        let streamed = content_is(head, &["text/event-stream"]) || wire(account).is_stream(&whole);
        let body = if streamed {
            call.fold(whole, &self.seed, &mut progress)?
        } else {
            call.reply(whole, &self.seed, &mut progress)?
        };
        Ok(Reply::Whole { body, progress })
    }
}

// === impl Account ===

impl Account {
    /// Draws the consequences of a failure for the account's health.
    pub fn fail(&self, gateway: &Gateway, error: &UpstreamError) -> Penalty {
        let penalty = Penalty::of(error, self.connection.oauth);
        let limited = matches!(error.kind, ErrorKind::RateLimit | ErrorKind::Quota);
        gateway.routing.health().punish(
            &self.connection.id,
            &self.model,
            penalty,
            limited,
            error.retry_after,
        );
        penalty
    }

    pub fn succeed(&self, gateway: &Gateway) {
        gateway
            .routing
            .health()
            .forgive(&self.connection.id, &self.model, self.started);
    }
}

// === impl Findings ===

impl Findings {
    fn rests(&mut self, route: &Route, cooling: Cooling) {
        self.place = route.name();
        self.resting = Some(match self.resting {
            None => cooling,
            Some(other) => Cooling {
                until: other.until.min(cooling.until),
                limited: other.limited && cooling.limited,
            },
        });
    }

    /// A provider that asks for patience without saying how long still has its account resting, and the client
    /// may as well come back when that ends.
    fn failed(&mut self, route: &Route, mut error: UpstreamError, rest: Option<Cooling>) {
        self.place = route.name();
        if matches!(
            error.kind,
            ErrorKind::RateLimit | ErrorKind::Quota | ErrorKind::Overloaded
        ) {
            let left = rest.map(|cooling| cooling.until.saturating_duration_since(Instant::now()));
            error.retry_after = error.retry_after.or(left);
        }
        self.failure = Some(error);
    }

    /// The one error that tells the client most.
    fn conclude(self) -> GatewayError {
        match (self.resting, self.failure, self.unsupported) {
            (None, Some(failure), _) => failure.into(),
            (None, None, Some(unsupported)) => unsupported.into(),
            (resting, failure, _) => exhausted(&self.place, resting, failure).into(),
        }
    }
}

fn exhausted(place: &str, resting: Option<Cooling>, failure: Option<UpstreamError>) -> Exhausted {
    let limited = resting.is_none_or(|cooling| cooling.limited)
        && failure
            .as_ref()
            .is_none_or(|failure| failure.kind == ErrorKind::RateLimit);
    let reason = failure.map_or_else(|| "Unavailable".to_owned(), |failure| failure.message);
    let left = resting.map_or(Duration::ZERO, |cooling| {
        cooling.until.saturating_duration_since(Instant::now())
    });
    Exhausted {
        kind: if limited {
            ErrorKind::RateLimit
        } else {
            ErrorKind::Unavailable
        },
        message: format!("[{place}] {reason} (reset after {})", in_words(left)),
        retry_after: Some(left.max(Duration::from_secs(1))),
    }
}

fn target(route: &Route, connection: &Connection) -> Target {
    let dialect = route.provider.spec.dialect;
    Target {
        dialect,
        model: route.model.to_string(),
        caps: ModelCaps::of(dialect, &route.model).with_think_tags(connection.think_tags(&route.model)),
    }
}

/// What a provider said with an error status, with the time it asks for.
async fn refusal(connection: &Connection, head: &response::Parts, body: Incoming) -> UpstreamError {
    let body = upstream::read_refusal(body).await;
    let mut error = llm::formats::of(connection.dialect).decode_error(head.status.as_u16(), &body);
    let hint = upstream::retry_hint(&head.headers, &error.message, Utc::now());
    error.retry_after = error.retry_after.max(hint);
    error
}

fn wire(account: &Account) -> StreamWire {
    llm::formats::of(account.connection.dialect).streams_as()
}

/// Nothing seen yet, except how long it took.
fn measured(account: &Account) -> Box<Progress> {
    Box::new(Progress {
        elapsed: Some(account.started.elapsed()),
        ..Progress::default()
    })
}

fn content_is(head: &response::Parts, kinds: &[&str]) -> bool {
    let kind = head
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    kinds.iter().any(|known| {
        kind.get(..known.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(known))
    })
}

fn nowhere() -> UpstreamError {
    UpstreamError::new(
        ErrorKind::Unavailable,
        "the provider has no address for this model",
    )
}

fn broke() -> UpstreamError {
    UpstreamError::new(
        ErrorKind::StreamIncomplete,
        "the connection to the provider broke before its first output",
    )
}

/// `1h 2m 3s`, without the parts that are zero; rounded up, so that coming back then is not too early.
fn in_words(duration: Duration) -> String {
    let seconds = duration.as_millis().div_ceil(1000);
    let parts = [
        (seconds / 3600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let words: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if words.is_empty() {
        "0s".to_owned()
    } else {
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_words_leaves_out_what_is_zero() {
        let table = [
            (0, "0s"),
            (1, "1s"),
            (999, "1s"),
            (90_000, "1m 30s"),
            (3_600_000, "1h"),
            (3_723_001, "1h 2m 4s"),
        ];
        for (millis, words) in table {
            assert_eq!(in_words(Duration::from_millis(millis)), words);
        }
    }
}

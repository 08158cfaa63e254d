//! What a search for an answer has learnt: which attempts failed, what could not be asked, and, at its end, the one
//! error that tells the client most.

use super::choose::Step;
use super::plan::Plan;
use crate::error::GatewayError;
use crate::routing::health::Standing;
use crate::routing::{Cooling, Route};
use llm::{Detail, Dialect, EncodeError, ErrorKind, UpstreamError};
use std::time::Duration;
use thiserror::Error;
use tokio::time::Instant;

/// No account could be asked, or none of those that were asked answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Exhausted {
    pub kind: ErrorKind,
    pub message: String,
    pub retry_after: Option<Duration>,
    /// Of a combo: what became of each attempt, and of the members that were not asked.
    pub details: Vec<Detail>,
}

#[derive(Default)]
pub struct Findings {
    failure: Option<UpstreamError>,
    /// Every failure so far was a rate limit.
    only_limits: bool,
    unsupported: Option<EncodeError>,
    /// Accounts that could not be asked now: when the first of them can be, and whether all are at a limit.
    passed_over: Option<Cooling>,
    /// The last provider and model that were considered.
    place: String,
    details: Vec<Detail>,
}

// === impl Findings ===

impl Findings {
    pub fn has_failure(&self) -> bool {
        self.failure.is_some()
    }

    /// An account that could have answered cannot be asked before `until`.
    pub fn passes_over(&mut self, route: &Route, cooling: Cooling) {
        self.place = route.name();
        self.passed_over = Some(match self.passed_over {
            None => cooling,
            Some(other) => Cooling {
                until: other.until.min(cooling.until),
                limited: other.limited && cooling.limited,
                reason: other.reason,
            },
        });
    }

    /// What was not tried because of how it is doing.
    pub fn ruled_out(&mut self, plan: &Plan, tried: &[Step]) {
        for (position, route) in plan.routes() {
            let broken = broken(route);
            let mut rest: Option<Cooling> = None;
            for (number, connection) in route.provider.connections.iter().enumerate() {
                let step = Step {
                    route: position,
                    connection: number,
                };
                if tried.contains(&step) || !plan.may_use(connection) {
                    continue;
                }
                if let Some(cooling) = broken.or_else(|| connection.account.cooling(&route.model)) {
                    rest = rest.filter(|rest| rest.until <= cooling.until).or(Some(cooling));
                    self.passes_over(route, cooling);
                }
            }
            self.was_not_asked(route, rest);
        }
    }

    /// The target's dialect cannot say what the client asks for; another may.
    pub fn cannot_say(&mut self, route: &Route, error: EncodeError) {
        self.note(route, ErrorKind::Unsupported, None, error.message.clone());
        self.unsupported = Some(error);
    }

    pub fn take_unsupported(&mut self) -> Option<EncodeError> {
        self.unsupported.take()
    }

    /// A provider that asks for patience without saying how long still has its account resting, and the client
    /// may as well come back when that ends.
    pub fn failed(&mut self, route: &Route, mut error: UpstreamError, rest: Option<Cooling>) {
        self.place = route.name();
        let limited = matches!(error.kind, ErrorKind::RateLimit);
        self.only_limits = limited && (self.only_limits || self.failure.is_none());
        if matches!(
            error.kind,
            ErrorKind::RateLimit | ErrorKind::Quota | ErrorKind::Overloaded
        ) {
            let left = rest.map(|cooling| cooling.until.saturating_duration_since(Instant::now()));
            error.retry_after = error.retry_after.or(left);
        }
        self.note(route, error.kind, error.status, error.message.clone());
        self.failure = Some(error);
    }

    /// The one error that tells the client most. Of a combo whose members all failed it is not the last one's: the
    /// client did not ask for that one.
    pub fn conclude(mut self, plan: &Plan) -> GatewayError {
        if self.failure.is_none() && self.passed_over.is_none() {
            return match self.unsupported {
                Some(unsupported) => unsupported.into(),
                None => Exhausted {
                    kind: ErrorKind::Unavailable,
                    message: format!("[{}] no account can be asked now", self.place),
                    retry_after: None,
                    details: self.told(plan),
                }
                .into(),
            };
        }
        let of_combo = plan.resolution.combo().is_some() && plan.resolution.routes().len() > 1;
        match (self.passed_over, self.failure.take()) {
            (None, Some(failure)) if !of_combo => failure.into(),
            (passed_over, failure) => {
                let limited = passed_over.is_none_or(|cooling| cooling.limited)
                    && (failure.is_none() || self.only_limits);
                let back = passed_over
                    .map(|cooling| cooling.until)
                    .into_iter()
                    .chain(back(plan))
                    .min();
                let details = self.told(plan);
                Exhausted {
                    details,
                    ..exhausted(&self.place, limited, failure, back)
                }
                .into()
            }
        }
    }

    /// Who asked for a model knows which one it was.
    fn told(&mut self, plan: &Plan) -> Vec<Detail> {
        match plan.resolution.combo() {
            Some(_) => std::mem::take(&mut self.details),
            None => Vec::new(),
        }
    }

    /// Nothing is to be told of a member that is known to have failed.
    fn was_not_asked(&mut self, route: &Route, rest: Option<Cooling>) {
        let name = route.name();
        if self.details.iter().any(|detail| detail.model == name) {
            return;
        }
        let (kind, message) = match rest {
            Some(rest) => {
                let left = rest.until.saturating_duration_since(Instant::now());
                let kind = match rest.limited {
                    true => ErrorKind::RateLimit,
                    false => ErrorKind::Unavailable,
                };
                let message = format!("not asked: {} (reset after {})", rest.reason, in_words(left));
                (kind, message)
            }
            None => (
                ErrorKind::Unavailable,
                "not asked: no account was free in time".to_owned(),
            ),
        };
        self.note(route, kind, None, message);
    }

    fn note(&mut self, route: &Route, kind: ErrorKind, status: Option<u16>, message: String) {
        self.details.push(Detail {
            model: route.name(),
            status: status.unwrap_or_else(|| kind.status(Dialect::OpenAiChat)),
            message,
        });
    }
}

fn exhausted(place: &str, limited: bool, failure: Option<UpstreamError>, back: Option<Instant>) -> Exhausted {
    let reason = failure.map_or_else(|| "Unavailable".to_owned(), |failure| failure.message);
    let left = back.map(|back| back.saturating_duration_since(Instant::now()));
    let message = match left {
        Some(left) => format!("[{place}] {reason} (reset after {})", in_words(left)),
        None => format!("[{place}] {reason}"),
    };
    Exhausted {
        kind: if limited {
            ErrorKind::RateLimit
        } else {
            ErrorKind::Unavailable
        },
        message,
        retry_after: left.map(|left| left.max(Duration::from_secs(1))),
        details: Vec::new(),
    }
}

/// When the first account that may be asked can be.
fn back(plan: &Plan) -> Option<Instant> {
    let rests = plan.routes().flat_map(|(_, route)| {
        let usable = route
            .provider
            .connections
            .iter()
            .filter(|connection| plan.may_use(connection));
        let broken = broken(route);
        usable.filter_map(move |connection| {
            let own = connection
                .account
                .cooling(&route.model)
                .map(|cooling| cooling.until);
            own.max(broken.map(|cooling| cooling.until))
        })
    });
    rests.min()
}

fn broken(route: &Route) -> Option<Cooling> {
    match route.provider.breaker.standing() {
        Standing::Open { until } => Some(Cooling {
            until,
            limited: false,
            reason: "the provider's circuit breaker is open",
        }),
        Standing::Closed | Standing::HalfOpen => None,
    }
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

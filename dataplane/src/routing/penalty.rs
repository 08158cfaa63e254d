//! What a failed attempt means for the account it was made with: whether another may be tried, what has to rest,
//! and for how long.
//!
//! The kind decides. The words of the message only refine it, and never for an error of the request itself: a
//! prompt that mentions "capacity" must not lock an account.

use super::resilience::Profile;
use llm::{ErrorKind, UpstreamError};
use std::time::Duration;

const UNKNOWN_REASON: &str = "unknown";

/// The bounds of what a provider may ask for with a retry hint.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

const CREDENTIAL: Rest = Rest::Fixed(Duration::from_secs(120));
const UNKNOWN_MODEL: Rest = Rest::Fixed(Duration::from_secs(600));
const ODD: Rest = Rest::Fixed(Duration::from_secs(5));
/// Of a rate limit, before what the profile and the provider say.
const RATE: Rest = Rest::Doubling {
    base: Duration::from_secs(1),
    shortest: Duration::ZERO,
    longest: Duration::from_secs(120),
    steps: 15,
};
/// Unless the first one is longer already.
const LONGEST_TRANSIENT: Duration = Duration::from_secs(60);

/// The verdict on one failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Penalty {
    /// The request is at fault: every account would say the same.
    Final,
    /// Another account may answer; this one is not to blame.
    Next,
    /// Another account may answer; this one rests.
    Rest { scope: Scope, rest: Rest },
}

/// What rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Account,
    /// Only this model of the account.
    Model,
}

/// For how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    Fixed(Duration),
    /// `base * 2^level`, where every penalty raises the account's level by one, up to `steps`.
    Doubling {
        base: Duration,
        /// Whatever the level says.
        shortest: Duration,
        longest: Duration,
        steps: u32,
    },
}

// === impl Penalty ===

impl Penalty {
    pub fn of(error: &UpstreamError, profile: &Profile) -> Self {
        match error.kind {
            ErrorKind::ContextLength
            | ErrorKind::TooLarge
            | ErrorKind::ContentBlocked
            | ErrorKind::Unsupported => Self::Final,
            ErrorKind::InvalidRequest if blames_request(error.status) => Self::Final,
            ErrorKind::Cancelled => Self::Next,
            ErrorKind::ModelNotFound | ErrorKind::NotFound | ErrorKind::MethodNotAllowed => Self::Rest {
                scope: Scope::Model,
                rest: UNKNOWN_MODEL,
            },
            ErrorKind::RateLimit if says_account(&error.message) => Self::Rest {
                scope: Scope::Account,
                rest: Rest::rate_limit(profile),
            },
            ErrorKind::RateLimit => Self::Rest {
                scope: Scope::Model,
                rest: Rest::rate_limit(profile),
            },
            _ if says(&error.message, &["request not allowed"]) => Self::Rest {
                scope: Scope::Account,
                rest: ODD,
            },
            ErrorKind::UpstreamAuth | ErrorKind::ClientAuth | ErrorKind::Permission | ErrorKind::Quota => {
                Self::Rest {
                    scope: Scope::Account,
                    rest: CREDENTIAL,
                }
            }
            ErrorKind::Overloaded => Self::Rest {
                scope: Scope::Account,
                rest: RATE,
            },
            _ if says(
                &error.message,
                &[
                    "rate limit",
                    "too many requests",
                    "quota exceeded",
                    "capacity",
                    "overloaded",
                ],
            ) =>
            {
                Self::Rest {
                    scope: Scope::Account,
                    rest: RATE,
                }
            }
            ErrorKind::InvalidRequest => Self::Rest {
                scope: Scope::Account,
                rest: ODD,
            },
            ErrorKind::Timeout
            | ErrorKind::Upstream5xx
            | ErrorKind::MalformedUpstream
            | ErrorKind::StreamIncomplete
            | ErrorKind::Unavailable
            | ErrorKind::Internal => Self::Rest {
                scope: Scope::Account,
                rest: Rest::transient(profile),
            },
        }
    }
}

// === impl Rest ===

impl Rest {
    fn rate_limit(profile: &Profile) -> Self {
        match RATE {
            Self::Doubling {
                base, longest, steps, ..
            } => Self::Doubling {
                base,
                shortest: profile.rate_limit,
                longest,
                steps,
            },
            fixed @ Self::Fixed(_) => fixed,
        }
    }

    fn transient(profile: &Profile) -> Self {
        Self::Doubling {
            base: profile.transient,
            shortest: Duration::ZERO,
            longest: profile.transient.max(LONGEST_TRANSIENT),
            steps: profile.max_level,
        }
    }

    /// The time to rest at this level, before jitter. A provider's own hint can only make it longer.
    pub fn duration(self, level: u32, hint: Option<Duration>) -> Duration {
        let own = match self {
            Self::Fixed(duration) => duration,
            Self::Doubling {
                base,
                shortest,
                longest,
                steps,
            } => {
                let factor = 1u32.checked_shl(level.min(steps)).unwrap_or(u32::MAX);
                base.saturating_mul(factor).min(longest).max(shortest)
            }
        };
        hint.map_or(own, |hint| own.max(hint.clamp(SHORTEST, LONGEST)))
    }

    /// The level after this penalty.
    pub fn raise(self, level: u32) -> u32 {
        match self {
            Self::Fixed(_) => level,
            Self::Doubling { steps, .. } => (level + 1).min(steps),
        }
    }
}

/// Whether a provider as a whole may be failing: a network error, a timeout, a 5xx. A 501 is about the request, and
/// what came inside a 2xx reply at least proves that someone answers.
pub fn blames_provider(error: &UpstreamError) -> bool {
    match error.status {
        Some(status) => (500..600).contains(&status) && status != 501,
        None => matches!(
            error.kind,
            ErrorKind::Timeout | ErrorKind::Upstream5xx | ErrorKind::StreamIncomplete
        ),
    }
}

/// Why an account rests, in the operator's view.
pub fn reason(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Quota => "quota_exhausted",
        ErrorKind::RateLimit => "rate_limit_exceeded",
        ErrorKind::Overloaded => "model_capacity",
        ErrorKind::UpstreamAuth | ErrorKind::ClientAuth | ErrorKind::Permission => "auth_error",
        ErrorKind::ModelNotFound | ErrorKind::NotFound | ErrorKind::MethodNotAllowed => "model_not_found",
        ErrorKind::Timeout
        | ErrorKind::Upstream5xx
        | ErrorKind::MalformedUpstream
        | ErrorKind::StreamIncomplete
        | ErrorKind::Unavailable
        | ErrorKind::Internal => "server_error",
        _ => UNKNOWN_REASON,
    }
}

/// The same word, if it is one of ours.
pub fn reason_named(word: &str) -> &'static str {
    let known = [
        "quota_exhausted",
        "rate_limit_exceeded",
        "model_capacity",
        "auth_error",
        "model_not_found",
        "server_error",
    ];
    known
        .into_iter()
        .find(|reason| *reason == word)
        .unwrap_or(UNKNOWN_REASON)
}

/// A failure without a status was found by us in a 2xx reply, or never got that far.
fn blames_request(status: Option<u16>) -> bool {
    matches!(status, None | Some(200..=299 | 400 | 409 | 413 | 422))
}

fn says_account(message: &str) -> bool {
    says(
        message,
        &[
            "your account",
            "your organization",
            "per day",
            "daily limit",
            "monthly limit",
        ],
    )
}

fn says(message: &str, phrases: &[&str]) -> bool {
    let message = message.to_ascii_lowercase();
    phrases.iter().any(|phrase| message.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSIENT_API_KEY: Rest = Rest::Doubling {
        base: Duration::from_secs(3),
        shortest: Duration::ZERO,
        longest: Duration::from_secs(60),
        steps: 5,
    };
    const TRANSIENT_OAUTH: Rest = Rest::Doubling {
        base: Duration::from_secs(5),
        shortest: Duration::ZERO,
        longest: Duration::from_secs(60),
        steps: 8,
    };

    fn error(kind: ErrorKind, status: Option<u16>, message: &str) -> UpstreamError {
        UpstreamError {
            status,
            ..UpstreamError::new(kind, message)
        }
    }

    #[test]
    fn each_failure_has_its_scope_and_its_rest() {
        use ErrorKind as K;
        let account = |rest| Penalty::Rest {
            scope: Scope::Account,
            rest,
        };
        let model = |rest| Penalty::Rest {
            scope: Scope::Model,
            rest,
        };
        let table = [
            (K::InvalidRequest, Some(400), "bad", Penalty::Final),
            (
                K::InvalidRequest,
                Some(400),
                "the word capacity in a prompt",
                Penalty::Final,
            ),
            (K::InvalidRequest, Some(422), "bad", Penalty::Final),
            (K::InvalidRequest, Some(409), "conflict", Penalty::Final),
            (K::TooLarge, Some(413), "large", Penalty::Final),
            (K::ContextLength, Some(400), "prompt is too long", Penalty::Final),
            (K::InvalidRequest, Some(418), "teapot", account(ODD)),
            (K::Cancelled, Some(499), "gone", Penalty::Next),
            (K::UpstreamAuth, Some(401), "bad key", account(CREDENTIAL)),
            (K::UpstreamAuth, Some(403), "request not allowed", account(ODD)),
            (K::Quota, Some(402), "credit balance", account(CREDENTIAL)),
            (K::ModelNotFound, Some(404), "no such model", model(UNKNOWN_MODEL)),
            (K::RateLimit, Some(429), "slow down", model(RATE)),
            (
                K::RateLimit,
                Some(429),
                "Daily limit of your organization",
                account(RATE),
            ),
            (K::Overloaded, Some(529), "Overloaded", account(RATE)),
            (K::Upstream5xx, Some(500), "no capacity left", account(RATE)),
            (K::Upstream5xx, Some(500), "oops", account(TRANSIENT_API_KEY)),
            (
                K::Upstream5xx,
                None,
                "connection refused",
                account(TRANSIENT_API_KEY),
            ),
            (K::Timeout, None, "no answer", account(TRANSIENT_API_KEY)),
            (
                K::MalformedUpstream,
                Some(200),
                "html",
                account(TRANSIENT_API_KEY),
            ),
        ];
        for (kind, status, message, expected) in table {
            assert_eq!(
                Penalty::of(&error(kind, status, message), &Profile::API_KEY),
                expected,
                "{kind:?} {status:?} {message}"
            );
        }
        assert_eq!(
            Penalty::of(&error(K::Timeout, None, ""), &Profile::OAUTH),
            account(TRANSIENT_OAUTH)
        );
    }

    #[test]
    fn rest_doubles_up_to_its_longest() {
        let seconds: Vec<u64> = (0..=20)
            .map(|level| RATE.duration(level, None).as_secs())
            .collect();
        assert_eq!(seconds[..9], [1, 2, 4, 8, 16, 32, 64, 120, 120]);
        assert_eq!(seconds[20], 120);
        assert_eq!(TRANSIENT_API_KEY.duration(5, None).as_secs(), 60);
        assert_eq!(RATE.raise(14), 15);
        assert_eq!(RATE.raise(15), 15);
        assert_eq!(CREDENTIAL.raise(3), 3);
    }

    #[test]
    fn a_hint_lengthens_and_is_clamped() {
        let table = [
            (Some(0), 1),
            (Some(30), 30),
            (Some(10 * 24 * 3600), 24 * 3600),
            (None, 1),
        ];
        for (hint, expected) in table {
            assert_eq!(
                RATE.duration(0, hint.map(Duration::from_secs)).as_secs(),
                expected
            );
        }
        assert_eq!(
            CREDENTIAL.duration(0, Some(Duration::from_secs(3))).as_secs(),
            120
        );
    }
}

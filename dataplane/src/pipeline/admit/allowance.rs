//! What is left to a key, as headers of every answer to it: in OpenAI's words, and for Anthropic's clients in theirs.
//!
//! <https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers>
//! <https://docs.anthropic.com/en/api/rate-limits#response-headers>

use crate::routing::{Counted, Limits};
use chrono::{SecondsFormat, TimeDelta, Utc};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use llm::Dialect;
use llm::pricing::usd;
use state::{RateStanding, Ruling};
use std::time::Duration;

const BUDGET_WARNING: HeaderName = HeaderName::from_static("x-omniroute-budget-warning");

/// Names for limit, remaining and reset.
type Names = [HeaderName; 3];

const OPENAI_REQUESTS: Names = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const OPENAI_TOKENS: Names = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];
const ANTHROPIC_REQUESTS: Names = [
    HeaderName::from_static("anthropic-ratelimit-requests-limit"),
    HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
    HeaderName::from_static("anthropic-ratelimit-requests-reset"),
];
const ANTHROPIC_TOKENS: Names = [
    HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
    HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
    HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
];

/// What was left when the request was let in, or was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    requests: Option<Left>,
    tokens: Option<Left>,
    warning: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    limit: u64,
    remaining: u64,
    reset: Duration,
}

// === impl Allowance ===

impl Allowance {
    pub fn of(limits: &Limits, ruling: &Ruling) -> Self {
        Self {
            requests: tightest(limits, ruling, Counted::Requests),
            tokens: tightest(limits, ruling, Counted::Tokens),
            warning: warning(limits, ruling),
        }
    }

    pub fn note(&self, dialect: Dialect, headers: &mut HeaderMap) {
        let pairs = [
            (self.requests, &OPENAI_REQUESTS, &ANTHROPIC_REQUESTS),
            (self.tokens, &OPENAI_TOKENS, &ANTHROPIC_TOKENS),
        ];
        for (left, openai, anthropic) in pairs {
            let Some(left) = left else { continue };
            left.note(openai, &in_words(left.reset), headers);
            if dialect == Dialect::AnthropicMessages {
                left.note(anthropic, &at(left.reset), headers);
            }
        }
        if let Some(warning) = self
            .warning
            .as_deref()
            .and_then(|text| HeaderValue::from_str(text).ok())
        {
            headers.insert(BUDGET_WARNING, warning);
        }
    }
}

// === impl Left ===

impl Left {
    fn note(&self, [limit, remaining, reset]: &Names, when: &str, headers: &mut HeaderMap) {
        headers.insert(limit, HeaderValue::from(self.limit));
        headers.insert(remaining, HeaderValue::from(self.remaining));
        if let Ok(when) = HeaderValue::from_str(when) {
            headers.insert(reset, when);
        }
    }
}

/// Of several limits on the same thing the one that will be met first.
fn tightest(limits: &Limits, ruling: &Ruling, counted: Counted) -> Option<Left> {
    let rates = limits.rates.iter().zip(&ruling.rates);
    let left =
        rates
            .filter(|(rate, _)| rate.counted == counted)
            .map(|(rate, RateStanding { remaining, reset })| Left {
                limit: rate.limit,
                remaining: *remaining,
                reset: *reset,
            });
    left.min_by_key(|left| left.remaining)
}

/// The budget of which the largest part is spent, once that is as much as its owner wants to know of.
fn warning(limits: &Limits, ruling: &Ruling) -> Option<String> {
    let budgets = limits.budgets.iter().zip(&ruling.budgets);
    let (budget, spent) = budgets
        .map(|(budget, standing)| (budget, standing.spent_nano))
        .max_by(|(a, spent_a), (b, spent_b)| {
            let parts = [(*spent_a, b.limit_nano), (*spent_b, a.limit_nano)];
            let [a, b] = parts.map(|(spent, other)| u128::from(spent) * u128::from(other));
            a.cmp(&b)
        })?;
    let permille = u128::from(spent) * 1000 / u128::from(budget.limit_nano.max(1));
    (permille >= u128::from(limits.warning_permille)).then(|| {
        format!(
            "{} budget at {}%: {} / {}",
            budget.calendar.name(),
            permille / 10,
            usd(spent, 4),
            usd(budget.limit_nano, 2)
        )
    })
}

/// `6m0s`, `1.5s`, `20ms`.
fn in_words(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..60_000 if ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        1_000..60_000 => format!("{}.{:03}s", ms / 1_000, ms % 1_000),
        60_000..3_600_000 => format!("{}m{}s", ms / 60_000, ms / 1_000 % 60),
        _ => format!("{}h{}m{}s", ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60),
    }
}

fn at(after: Duration) -> String {
    let after = TimeDelta::from_std(after).unwrap_or_default();
    Utc::now()
        .checked_add_signed(after)
        .unwrap_or_else(Utc::now)
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_openai_writes_it() {
        let table = [
            (0, "0ms"),
            (20, "20ms"),
            (1_000, "1s"),
            (8_640, "8.640s"),
            (360_000, "6m0s"),
            (3_723_000, "1h2m3s"),
        ];
        for (ms, words) in table {
            assert_eq!(in_words(Duration::from_millis(ms)), words);
        }
    }
}

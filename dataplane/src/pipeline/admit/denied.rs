//! Why a request is not let in, in words that say what to do.

use crate::routing::{Counted, Limits};
use chrono::Utc;
use llm::ErrorKind;
use llm::pricing::usd;
use state::{Admission, Limit, Ruling};
use std::time::Duration;
use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Denied {
    pub kind: ErrorKind,
    pub message: String,
    /// Where the kind's own code says less.
    pub code: Option<&'static str>,
    pub retry_after: Option<Duration>,
}

// === impl Denied ===

impl Denied {
    pub fn of(
        limits: &Limits,
        asked: &Admission,
        ruling: &Ruling,
        by: Limit,
        retry_after: Option<Duration>,
        by_share: bool,
    ) -> Self {
        match by {
            Limit::Concurrency => {
                let most = limits.concurrency.unwrap_or_default();
                Self::limited(
                    format!("Concurrency limit exceeded: {most} requests at a time"),
                    retry_after,
                )
            }
            Limit::Rate(position) => Self::rate(limits, position, retry_after),
            // only so much may be spent without asking, and how much that is says nothing to a client
            Limit::Budget(_) if by_share => Self {
                kind: ErrorKind::Unavailable,
                message: "Budgets cannot be checked at the moment: the gateway's state store does not answer"
                    .to_owned(),
                code: Some("budget_unavailable"),
                retry_after: Some(Duration::from_secs(1)),
            },
            Limit::Budget(position) => Self::budget(limits, asked, ruling, position, retry_after),
        }
    }

    fn rate(limits: &Limits, position: usize, retry_after: Option<Duration>) -> Self {
        let Some(rate) = limits.rates.get(position) else {
            return Self::limited("Rate limit exceeded".to_owned(), retry_after);
        };
        let counted = match rate.counted {
            Counted::Requests => "requests",
            Counted::Tokens => "tokens",
        };
        let window = match rate.window.as_secs() {
            1 => "second".to_owned(),
            60 => "minute".to_owned(),
            3_600 => "hour".to_owned(),
            86_400 => "day".to_owned(),
            seconds => format!("{seconds} seconds"),
        };
        Self::limited(
            format!("Rate limit exceeded: {} {counted} per {window}", rate.limit),
            retry_after,
        )
    }

    fn budget(
        limits: &Limits,
        asked: &Admission,
        ruling: &Ruling,
        position: usize,
        retry_after: Option<Duration>,
    ) -> Self {
        let standing = ruling.budgets.get(position).copied().unwrap_or_default();
        let calendar = limits
            .budgets
            .get(position)
            .map_or("", |budget| budget.calendar.name());
        let (limit, ends_at_ms) = asked
            .budgets
            .get(position)
            .map_or((0, 0), |budget| (budget.limit_nano, budget.ends_at_ms));
        let why = if standing.spent_nano >= limit {
            String::new()
        } else if retry_after.is_some() {
            format!(
                " ({} is reserved by requests that are running, this one may cost {})",
                usd(standing.reserved_nano, 4),
                usd(asked.cost_nano, 4)
            )
        } else {
            format!(
                " (this request may cost {}: ask for a shorter answer)",
                usd(asked.cost_nano, 4)
            )
        };
        let left_ms = ends_at_ms.saturating_sub(Utc::now().timestamp_millis());
        let period_ends = Duration::from_millis(left_ms.max(0).unsigned_abs());
        Self {
            code: Some("budget_exceeded"),
            ..Self::limited(
                format!(
                    "{} budget exceeded: {} / {}{why}",
                    capitalised(calendar),
                    usd(standing.spent_nano, 4),
                    usd(limit, 2)
                ),
                retry_after.or(Some(period_ends)),
            )
        }
    }

    fn limited(message: String, retry_after: Option<Duration>) -> Self {
        Self {
            kind: ErrorKind::RateLimit,
            message,
            code: None,
            retry_after,
        }
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

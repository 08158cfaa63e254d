//! What a provider's replies tell about its limits.
//!
//! OpenAI and those who copy it: `x-ratelimit-limit-requests`, `-remaining-requests`, `-reset-requests`; Anthropic:
//! `anthropic-ratelimit-requests-limit`, `-remaining`, `-reset`.

use super::{Bucket, Limiter, MINUTE, State};
use crate::span;
use chrono::Utc;
use http::{HeaderMap, StatusCode};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// Requests a minute after a 429 from a provider that never told its limit.
const CAUTIOUS: u32 = 60;

/// Between calls to a provider that says one is over its limit.
const OVER_LIMIT_GAP: Duration = Duration::from_millis(200);

/// Taken off the gap that a limit amounts to, so that rounding does not waste it.
const SLACK_MS: u32 = 10;

/// What replaces the configured limits.
#[derive(Debug, Default)]
pub(super) struct Learned {
    pub gap: Option<Duration>,
    pub size: Size,
    pub limit: Option<u32>,
    pub remaining: Option<u32>,
    pub reset_at: Option<Instant>,
}

/// How many starts a bucket holds when it is filled.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    #[default]
    AsConfigured,
    Unlimited,
    Of(u32),
}

/// What one reply says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    limit: Option<u32>,
    remaining: Option<u32>,
    reset: Option<Duration>,
    retry_after: Option<Duration>,
    over_limit: bool,
    refused: bool,
}

// === impl Size ===

impl Size {
    pub fn of(self, configured: Option<u32>) -> Option<u32> {
        match self {
            Self::AsConfigured => configured,
            Self::Unlimited => None,
            Self::Of(size) => Some(size),
        }
    }
}

// === impl Limiter ===

impl Limiter {
    /// Learns from the head of any reply.
    pub fn observe(&self, status: StatusCode, headers: &HeaderMap) {
        let seen = Seen::read(status, headers);
        if seen == Seen::default() {
            return;
        }
        let sharers = self.sharers.load(Ordering::Relaxed).max(1);
        self.state.lock().learn(&seen, sharers, Instant::now());
        self.changed.notify_one();
    }
}

// === impl State ===

impl State {
    fn learn(&mut self, seen: &Seen, sharers: u32, now: Instant) {
        let share = |count: u32| if count == 0 { 0 } else { (count / sharers).max(1) };
        let learned = &mut self.learned;
        learned.limit = seen.limit.or(learned.limit);
        learned.remaining = seen.remaining.or(learned.remaining);
        learned.reset_at = seen.reset.map(|reset| now + reset).or(learned.reset_at);
        if let Some(limit) = seen.limit.filter(|limit| *limit > 0) {
            let gap = (60_000 / limit).saturating_sub(SLACK_MS);
            learned.gap = Some(Duration::from_millis(gap.into()) * sharers);
            match seen
                .remaining
                .map(|left| u64::from(left) * 100 / u64::from(limit))
            {
                Some(0..10) => {
                    learned.size = Size::Of(share(limit));
                    self.bucket = Some(Bucket {
                        left: share(seen.remaining.unwrap_or_default()),
                        refill_at: now + seen.reset.unwrap_or(MINUTE),
                    });
                }
                Some(51..) => {
                    learned.gap = Some(Duration::ZERO);
                    learned.size = Size::Unlimited;
                    self.bucket = None;
                }
                _ => {}
            }
        }
        if seen.over_limit {
            learned.gap = Some(OVER_LIMIT_GAP * sharers);
        }
        if seen.refused {
            learned.size = Size::Of(share(learned.limit.unwrap_or(CAUTIOUS)));
            self.bucket = Some(Bucket {
                left: 0,
                refill_at: now + seen.retry_after.unwrap_or(MINUTE),
            });
        }
    }
}

// === impl Seen ===

impl Seen {
    fn read(status: StatusCode, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let either = |openai: &str, anthropic: &str| text(openai).or_else(|| text(anthropic));
        let count = |text: Option<&str>| text.and_then(|text| text.trim().parse().ok());
        let wait = |text: Option<&str>| text.and_then(|text| span::parse(text, Utc::now()));
        Self {
            limit: count(either(
                "x-ratelimit-limit-requests",
                "anthropic-ratelimit-requests-limit",
            )),
            remaining: count(either(
                "x-ratelimit-remaining-requests",
                "anthropic-ratelimit-requests-remaining",
            )),
            reset: wait(either(
                "x-ratelimit-reset-requests",
                "anthropic-ratelimit-requests-reset",
            )),
            retry_after: wait(text("retry-after")),
            over_limit: text("x-ratelimit-over-limit").is_some_and(|value| value.eq_ignore_ascii_case("yes")),
            refused: status == StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

//! How a request chooses among what could serve it: what an operator may set, compiled.

use proto::v1;
use std::time::Duration;

/// What [`proto::validate::ACCOUNT_STRATEGIES`] begins with.
const FILL_FIRST: &str = "fill-first";
const STICKY_LIMIT: u32 = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// One of [`proto::validate::ACCOUNT_STRATEGIES`].
    pub account_strategy: &'static str,
    /// Round-robin: consecutive requests of one account.
    pub sticky_limit: u32,
    /// Requests of one conversation stay with one account.
    pub session_affinity: bool,
    /// Absent when nothing is hedged.
    pub hedging: Option<Hedging>,
}

/// A second attempt beside one that takes unusually long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hedging {
    /// Of all requests, in thousandths.
    pub max_share_permille: u32,
    pub min_delay: Duration,
}

// === impl Choice ===

impl Default for Choice {
    fn default() -> Self {
        Self {
            account_strategy: FILL_FIRST,
            sticky_limit: STICKY_LIMIT,
            session_affinity: false,
            hedging: None,
        }
    }
}

impl From<&v1::Routing> for Choice {
    fn from(routing: &v1::Routing) -> Self {
        let known = proto::validate::ACCOUNT_STRATEGIES.into_iter();
        let hedging = routing.hedging.filter(|hedging| hedging.enabled);
        Self {
            account_strategy: known
                .into_iter()
                .find(|name| *name == routing.account_strategy)
                .unwrap_or(FILL_FIRST),
            sticky_limit: routing.sticky_limit,
            session_affinity: routing.session_affinity,
            hedging: hedging.map(|hedging| Hedging {
                max_share_permille: hedging.max_share_permille,
                min_delay: Duration::from_millis(hedging.min_delay_ms.into()),
            }),
        }
    }
}

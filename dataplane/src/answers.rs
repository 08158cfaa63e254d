//! Answers that are given again: to a request that is sent twice, and to a question that is asked twice, be it in other
//! words.
//!
//! All are about one tenant at a time: whatever is found belongs to whoever asks, because the tenant is part of every
//! key. Without the state store each data plane goes by what it knows itself, claims nothing that is not so, and
//! compares nothing.

mod cache;
mod flight;
mod idempotency;
mod particulars;
mod report;
mod similar;
mod vault;
mod vector;

pub use cache::{Cache, Kept, Lookup};
pub use flight::{Flights, Lead, Seat};
pub use idempotency::{Begun, Claim, Idempotency, Turn, Wait};
pub use particulars::Particulars;
pub use report::report;
pub use similar::{Alike, Placed, Similar};
pub use vault::Vault;
pub use vector::Vector;

/// Larger ones are not kept for a second request.
pub const MAX_REPLAY_BYTES: usize = 1 << 20;

/// Larger ones are not cached.
pub const MAX_CACHED_BYTES: usize = 256 << 10;

/// Where an answer comes from, as usage records name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Cache,
    Replay,
}

// === impl Source ===

impl Source {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Replay => "replay",
        }
    }
}

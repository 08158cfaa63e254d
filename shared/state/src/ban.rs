//! Addresses that are kept out for a time, so that a ban holds on every plane at once.
//!
//! Nobody asks the store whether an address is banned: each plane follows the list, and looks in its own copy.

mod follow;

pub use follow::Banned;

use std::net::IpAddr;
use std::time::Duration;

/// What a longer ban counts as: any clock can add it.
pub(crate) const LONGEST_BAN: Duration = Duration::from_secs(366 * 24 * 60 * 60);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    pub ip: IpAddr,
    /// A short text, for people.
    pub reason: String,
    /// Unix time by the store's clock.
    pub until_ms: i64,
    pub left: Duration,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BanChanges {
    /// What to ask with next.
    pub version: u64,
    /// Every ban that has not ended, by address; `None` when nothing was changed since the version asked with. A ban
    /// that ends is no change.
    pub bans: Option<Vec<Ban>>,
}

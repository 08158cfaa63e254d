//! Bans of a single process.

use super::clock::Clock;
use crate::ban::{Ban, BanChanges, LONGEST_BAN};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Bans {
    version: u64,
    held: BTreeMap<IpAddr, Held>,
}

#[derive(Debug)]
struct Held {
    until_us: u64,
    reason: String,
}

// === impl Bans ===

impl Bans {
    /// Versions start at the time, so that one from before a restart is none of this life's.
    pub(super) fn new(clock: &Clock) -> Self {
        Self {
            version: clock.now_us(),
            held: BTreeMap::new(),
        }
    }

    pub(super) fn insert(&mut self, ip: IpAddr, reason: &str, ttl: Duration, clock: &Clock) {
        let now = clock.now_us();
        self.held.retain(|_, held| held.until_us > now);
        self.version += 1;
        let ttl = u64::try_from(ttl.min(LONGEST_BAN).as_micros()).unwrap_or(u64::MAX);
        let held = Held {
            until_us: now + ttl,
            reason: reason.to_owned(),
        };
        self.held.insert(ip, held);
    }

    pub(super) fn remove(&mut self, ip: IpAddr, clock: &Clock) -> bool {
        let Some(held) = self.held.remove(&ip) else {
            return false;
        };
        self.version += 1;
        held.until_us > clock.now_us()
    }

    pub(super) fn since(&self, version: u64, clock: &Clock) -> BanChanges {
        let now = clock.now_us();
        let alive = self.held.iter().filter(|(_, held)| held.until_us > now);
        let ban = |(ip, held): (&IpAddr, &Held)| Ban {
            ip: *ip,
            reason: held.reason.clone(),
            until_ms: i64::try_from(held.until_us / 1000).unwrap_or(i64::MAX),
            left: Duration::from_micros(held.until_us - now),
        };
        BanChanges {
            version: self.version,
            bans: (version != self.version).then(|| alive.map(ban).collect()),
        }
    }
}

//! The management rate limit: a token bucket per client address and class of endpoint.
//!
//! It is local to this replica: it protects the process, and needs no round trip to do so. The login guard, which
//! protects the password, is shared (`crate::api::auth`).

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Idle buckets are full again and can be forgotten; this many make it worth looking for them.
const SWEEP_AT: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    Login,
    /// Calls a provider.
    Outbound,
    /// Reads or writes all of the configuration.
    Bundle,
    Other,
}

#[derive(Debug)]
pub struct Limiter {
    per_minute: u32,
    buckets: Mutex<HashMap<(Option<IpAddr>, Class), Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

// === impl Class ===

impl Class {
    pub fn of(path: &str) -> Self {
        match path {
            "/api/auth/login" => Self::Login,
            "/api/db-backups/export" | "/api/db-backups/exportAll" | "/api/db-backups/import" => Self::Bundle,
            "/api/auth/oidc/login" | "/api/auth/oidc/callback" | "/api/sync/cloud" => Self::Outbound,
            _ if path.starts_with("/api/oauth/") => Self::Outbound,
            _ if path.ends_with("/test") || path.ends_with("/validate") || path.ends_with("/test-batch") => {
                Self::Outbound
            }
            _ => Self::Other,
        }
    }
}

// === impl Limiter ===

impl Limiter {
    /// `per_minute` is for ordinary endpoints; 0 switches the limit off.
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            buckets: Mutex::default(),
        }
    }

    /// Takes a token, or says how long until there is one.
    pub fn admit(&self, client: Option<IpAddr>, class: Class) -> Result<(), Duration> {
        self.admit_at(client, class, Instant::now())
    }

    fn admit_at(&self, client: Option<IpAddr>, class: Class, now: Instant) -> Result<(), Duration> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let capacity = f64::from(self.capacity(class));
        let mut buckets = self.buckets.lock();
        if buckets.len() >= SWEEP_AT {
            buckets.retain(|_, bucket| now.duration_since(bucket.at) < Duration::from_secs(60));
        }
        let bucket = buckets.entry((client, class)).or_insert(Bucket {
            tokens: capacity,
            at: now,
        });
        let refill = now.duration_since(bucket.at).as_secs_f64() * capacity / 60.0;
        bucket.tokens = (bucket.tokens + refill).min(capacity);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.tokens) * 60.0 / capacity));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    fn capacity(&self, class: Class) -> u32 {
        match class {
            Class::Login => 10,
            Class::Outbound => 60,
            Class::Bundle => 6,
            Class::Other => self.per_minute,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_refuses_when_empty_and_refills_with_time() {
        let limiter = Limiter::new(300);
        let client = Some(IpAddr::from([203, 0, 113, 9]));
        let start = Instant::now();
        for _ in 0..10 {
            assert_eq!(limiter.admit_at(client, Class::Login, start), Ok(()));
        }
        let wait = limiter.admit_at(client, Class::Login, start).unwrap_err();
        assert!(
            wait <= Duration::from_secs(6) && wait > Duration::from_secs(5),
            "{wait:?}"
        );
        assert_eq!(
            limiter.admit_at(client, Class::Login, start + Duration::from_secs(6)),
            Ok(())
        );
        assert_eq!(
            limiter.admit_at(client, Class::Other, start),
            Ok(()),
            "classes do not share a bucket"
        );
        let other = Some(IpAddr::from([203, 0, 113, 10]));
        assert_eq!(
            limiter.admit_at(other, Class::Login, start),
            Ok(()),
            "addresses do not share a bucket"
        );
    }
}

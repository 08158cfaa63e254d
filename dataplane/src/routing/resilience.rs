//! How long failures count: the numbers that an operator may set, compiled.

use super::health::Limits;
use proto::v1;
use std::time::Duration;

/// The rules for all accounts, by the way they log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resilience {
    oauth: Profile,
    api_key: Profile,
    limits: Limits,
}

/// The rules for one kind of account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// The first rest after a failure that may pass by itself; each further one doubles it.
    pub transient: Duration,
    /// The least rest after a rate limit; zero leaves it to what the provider says.
    pub rate_limit: Duration,
    /// How often a transient rest doubles.
    pub max_level: u32,
    /// Failures in a row that open a provider's breaker.
    pub breaker_threshold: u32,
    /// How long it stays open before one request may try again.
    pub breaker_reset: Duration,
}

// === impl Resilience ===

impl Resilience {
    pub fn profile(&self, oauth: bool) -> &Profile {
        if oauth { &self.oauth } else { &self.api_key }
    }

    /// Of a connection with rate limit protection, before its provider has told its own.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl Default for Resilience {
    fn default() -> Self {
        Self {
            oauth: Profile::OAUTH,
            api_key: Profile::API_KEY,
            limits: Limits::default(),
        }
    }
}

impl From<&v1::Resilience> for Resilience {
    fn from(resilience: &v1::Resilience) -> Self {
        let profile = |given: &Option<v1::resilience::Profile>, otherwise| {
            given.as_ref().map_or(otherwise, Profile::from)
        };
        Self {
            oauth: profile(&resilience.oauth, Profile::OAUTH),
            api_key: profile(&resilience.apikey, Profile::API_KEY),
            limits: resilience.defaults.as_ref().map(Limits::from).unwrap_or_default(),
        }
    }
}

// === impl Profile ===

impl Profile {
    /// Subscriptions: fewer, slower to come back, and limited by time of day rather than by request.
    pub const OAUTH: Self = Self {
        transient: Duration::from_secs(5),
        rate_limit: Duration::from_secs(60),
        max_level: 8,
        breaker_threshold: 3,
        breaker_reset: Duration::from_secs(60),
    };

    pub const API_KEY: Self = Self {
        transient: Duration::from_secs(3),
        rate_limit: Duration::ZERO,
        max_level: 5,
        breaker_threshold: 5,
        breaker_reset: Duration::from_secs(30),
    };
}

impl From<&v1::resilience::Profile> for Profile {
    fn from(profile: &v1::resilience::Profile) -> Self {
        let millis = |ms: u32| Duration::from_millis(ms.into());
        Self {
            transient: millis(profile.transient_cooldown_ms),
            rate_limit: millis(profile.rate_limit_cooldown_ms),
            max_level: profile.max_backoff_level,
            breaker_threshold: profile.breaker_threshold.max(1),
            breaker_reset: millis(profile.breaker_reset_ms),
        }
    }
}

//! How failures are answered, as stored under `resilience` and as the API shows it: one shape for both.
//!
//! What is absent is built in, so a row may hold a part of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Resilience {
    pub profiles: Profiles,
    pub defaults: RateDefaults,
}

/// By how a connection authenticates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Profiles {
    #[serde(deserialize_with = "over_oauth")]
    pub oauth: Profile,
    #[serde(deserialize_with = "over_apikey")]
    pub apikey: Profile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Milliseconds.
    pub transient_cooldown: u32,
    /// Milliseconds; 0 is as the provider says.
    pub rate_limit_cooldown: u32,
    pub max_backoff_level: u32,
    /// Consecutive failures of a provider.
    pub circuit_breaker_threshold: u32,
    /// Milliseconds.
    pub circuit_breaker_reset: u32,
}

/// Of connections with rate limit protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct RateDefaults {
    pub requests_per_minute: u32,
    /// Milliseconds.
    pub min_time_between_requests: u32,
    pub concurrent_requests: u32,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Part {
    transient_cooldown: Option<u32>,
    rate_limit_cooldown: Option<u32>,
    max_backoff_level: Option<u32>,
    circuit_breaker_threshold: Option<u32>,
    circuit_breaker_reset: Option<u32>,
}

// === impl Profiles ===

impl Default for Profiles {
    fn default() -> Self {
        Self {
            oauth: Profile::OAUTH,
            apikey: Profile::APIKEY,
        }
    }
}

// === impl Profile ===

impl Profile {
    pub const OAUTH: Self = Self {
        transient_cooldown: 5_000,
        rate_limit_cooldown: 60_000,
        max_backoff_level: 8,
        circuit_breaker_threshold: 3,
        circuit_breaker_reset: 60_000,
    };
    pub const APIKEY: Self = Self {
        transient_cooldown: 3_000,
        rate_limit_cooldown: 0,
        max_backoff_level: 5,
        circuit_breaker_threshold: 5,
        circuit_breaker_reset: 30_000,
    };
}

// === impl RateDefaults ===

impl Default for RateDefaults {
    fn default() -> Self {
        Self {
            requests_per_minute: 100,
            min_time_between_requests: 200,
            concurrent_requests: 10,
        }
    }
}

// === impl Part ===

impl Part {
    fn over(self, built_in: Profile) -> Profile {
        Profile {
            transient_cooldown: self.transient_cooldown.unwrap_or(built_in.transient_cooldown),
            rate_limit_cooldown: self.rate_limit_cooldown.unwrap_or(built_in.rate_limit_cooldown),
            max_backoff_level: self.max_backoff_level.unwrap_or(built_in.max_backoff_level),
            circuit_breaker_threshold: self
                .circuit_breaker_threshold
                .unwrap_or(built_in.circuit_breaker_threshold),
            circuit_breaker_reset: self
                .circuit_breaker_reset
                .unwrap_or(built_in.circuit_breaker_reset),
        }
    }
}

fn over_oauth<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Profile, D::Error> {
    Ok(Part::deserialize(deserializer)?.over(Profile::OAUTH))
}

fn over_apikey<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Profile, D::Error> {
    Ok(Part::deserialize(deserializer)?.over(Profile::APIKEY))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_part_is_completed_by_what_is_built_in_for_its_profile() {
        let stored = json!({ "profiles": { "oauth": { "maxBackoffLevel": 2 } } });
        let resilience: Resilience = serde_json::from_value(stored).unwrap();
        let expected = Profile {
            max_backoff_level: 2,
            ..Profile::OAUTH
        };
        assert_eq!(resilience.profiles.oauth, expected);
        assert_eq!(resilience.profiles.apikey, Profile::APIKEY);
        assert_eq!(resilience.defaults, RateDefaults::default());
        let again = serde_json::from_value(json!(resilience)).unwrap();
        assert_eq!(resilience, again);
    }
}

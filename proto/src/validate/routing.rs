//! Checks of what decides between several places a request could go.

use super::{MODEL_CHARS, NAME_CHARS, check::Check};
use crate::{
    Issue,
    v1::{
        FallbackChain, Policy, PriceOverride, Resilience, ResourceKind as Kind, Routing, resilience::Profile,
    },
};

pub const ACCOUNT_STRATEGIES: [&str; 6] = [
    "fill-first",
    "round-robin",
    "p2c",
    "random",
    "least-used",
    "cost-optimized",
];
pub const POLICY_TYPES: [&str; 3] = ["routing", "access", "budget"];
pub const MAX_STICKY_LIMIT: u32 = 1_000;
pub const MAX_COOLDOWN_MS: u32 = 3_600_000;
pub const MAX_BACKOFF_LEVEL: u32 = 20;
pub const MAX_POLICY_PRIORITY: u32 = 10_000;
/// Hedging may add at most half of all requests again.
pub const MAX_HEDGE_PERMILLE: u32 = 500;

const WILDCARD_ALIASES: usize = 1_000;
const PATTERNS: usize = 1_000;
const CHAIN_LINKS: usize = 32;
const MINUTES_PER_DAY: u32 = 24 * 60;

pub fn routing(id: &str, body: &Routing) -> Vec<Issue> {
    let mut check = Check::new(Kind::Routing, id);
    if !body.account_strategy.is_empty() {
        check.one_of("account_strategy", &body.account_strategy, &ACCOUNT_STRATEGIES);
    }
    check.that(
        body.sticky_limit <= MAX_STICKY_LIMIT,
        "sticky_limit",
        "must be at most 1000",
    );
    check.count("wildcard_aliases", body.wildcard_aliases.len(), WILDCARD_ALIASES);
    for (position, alias) in body.wildcard_aliases.iter().enumerate() {
        let field = |name: &str| format!("wildcard_aliases.{position}.{name}");
        check.length(&field("pattern"), &alias.pattern, 1..=MODEL_CHARS);
        check.length(&field("target"), &alias.target, 1..=MODEL_CHARS);
    }
    if let Some(hedging) = &body.hedging {
        check.that(
            hedging.max_share_permille <= MAX_HEDGE_PERMILLE,
            "hedging.max_share_permille",
            "must be at most 500",
        );
    }
    check.issues
}

pub fn resilience(id: &str, body: &Resilience) -> Vec<Issue> {
    let mut check = Check::new(Kind::Resilience, id);
    for (name, given) in [("oauth", &body.oauth), ("apikey", &body.apikey)] {
        match given {
            Some(given) => profile(&mut check, name, given),
            None => check.that(false, name, "is missing"),
        }
    }
    match &body.defaults {
        Some(defaults) => {
            let positive = defaults.requests_per_minute >= 1
                && defaults.min_gap_ms >= 1
                && defaults.concurrent_requests >= 1;
            check.that(positive, "defaults", "must be at least 1");
        }
        None => check.that(false, "defaults", "is missing"),
    }
    check.issues
}

fn profile(check: &mut Check, name: &str, profile: &Profile) {
    let mut range = |field: &str, value: u32, allowed: std::ops::RangeInclusive<u32>| {
        let text = format!("must be between {} and {}", allowed.start(), allowed.end());
        check.that(allowed.contains(&value), &format!("{name}.{field}"), &text);
    };
    range(
        "transient_cooldown_ms",
        profile.transient_cooldown_ms,
        0..=MAX_COOLDOWN_MS,
    );
    range(
        "rate_limit_cooldown_ms",
        profile.rate_limit_cooldown_ms,
        0..=MAX_COOLDOWN_MS,
    );
    range(
        "max_backoff_level",
        profile.max_backoff_level,
        0..=MAX_BACKOFF_LEVEL,
    );
    range("breaker_threshold", profile.breaker_threshold, 1..=1_000);
    range(
        "breaker_reset_ms",
        profile.breaker_reset_ms,
        1_000..=MAX_COOLDOWN_MS,
    );
}

pub fn policy(id: &str, body: &Policy) -> Vec<Issue> {
    let mut check = Check::new(Kind::Policy, id);
    check.length("name", &body.name, 1..=100);
    check.one_of("type", &body.r#type, &POLICY_TYPES);
    check.that(
        body.priority <= MAX_POLICY_PRIORITY,
        "priority",
        "must be at most 10000",
    );
    check.length("model_pattern", &body.model_pattern, 0..=MODEL_CHARS);
    for (field, list) in [
        ("api_key_ids", &body.api_key_ids),
        ("providers", &body.providers),
        ("prefer_provider", &body.prefer_provider),
        ("block_model", &body.block_model),
    ] {
        check.count(field, list.len(), PATTERNS);
        for (position, text) in list.iter().enumerate() {
            check.length(&format!("{field}.{position}"), text, 1..=MODEL_CHARS);
        }
    }
    let acts = match body.r#type.as_str() {
        "routing" => !body.prefer_provider.is_empty(),
        "access" => !body.block_model.is_empty(),
        _ => body.max_tokens > 0,
    };
    check.that(
        acts,
        "actions",
        "must be those of the policy's type, and at least one",
    );
    if let Some(hours) = &body.hours {
        let minutes = hours.from_minute < MINUTES_PER_DAY && hours.until_minute <= MINUTES_PER_DAY;
        check.that(minutes, "hours", "must be minutes of a day");
        let days = hours.days.iter().all(|day| (1..=7).contains(day));
        check.that(days, "hours.days", "must be 1 for Monday to 7 for Sunday");
        check.that(
            is_utc(&hours.tz),
            "hours.tz",
            "must be UTC: write the hours in UTC, other time zones are not known here",
        );
    }
    check.issues
}

/// Whether these words for a time zone mean the one that everything here runs in.
pub fn is_utc(tz: &str) -> bool {
    ["", "utc", "etc/utc", "gmt", "z"].contains(&tz.to_ascii_lowercase().as_str())
}

/// The id of a chain is the model.
pub fn fallback_chain(model: &str, body: &FallbackChain) -> Vec<Issue> {
    let mut check = Check::new(Kind::FallbackChain, model);
    check.length("id", model, 1..=MODEL_CHARS);
    check.count("links", body.links.len(), CHAIN_LINKS);
    for (position, link) in body.links.iter().enumerate() {
        check.length(
            &format!("links.{position}.provider"),
            &link.provider,
            1..=NAME_CHARS,
        );
    }
    check.issues
}

/// The id is `provider/model`.
pub fn price_override(id: &str, body: &PriceOverride) -> Vec<Issue> {
    let mut check = Check::new(Kind::PriceOverride, id);
    check.length("provider", &body.provider, 1..=NAME_CHARS);
    check.length("model", &body.model, 1..=MODEL_CHARS);
    let in_order = body.periods.is_sorted_by(|one, next| one.from_ms < next.from_ms);
    check.that(
        in_order,
        "periods",
        "must be in the order of time, one for each moment",
    );
    check.issues
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::{policy::Hours, resilience::RateDefaults};

    fn fields(issues: &[Issue]) -> Vec<&str> {
        issues.iter().map(|issue| issue.field.as_str()).collect()
    }

    fn any_profile() -> Profile {
        Profile {
            transient_cooldown_ms: 3_000,
            rate_limit_cooldown_ms: 0,
            max_backoff_level: 5,
            breaker_threshold: 5,
            breaker_reset_ms: 30_000,
        }
    }

    #[test]
    fn resilience_is_complete_and_within_its_bounds() {
        let good = Resilience {
            oauth: Some(any_profile()),
            apikey: Some(any_profile()),
            defaults: Some(RateDefaults {
                requests_per_minute: 100,
                min_gap_ms: 200,
                concurrent_requests: 10,
            }),
        };
        assert!(resilience("resilience", &good).is_empty());
        let bad = Resilience {
            apikey: Some(Profile {
                breaker_threshold: 0,
                breaker_reset_ms: 10,
                ..any_profile()
            }),
            defaults: None,
            ..good
        };
        let expected = ["apikey.breaker_threshold", "apikey.breaker_reset_ms", "defaults"];
        assert_eq!(fields(&resilience("resilience", &bad)), expected);
    }

    #[test]
    fn a_policy_needs_the_actions_of_its_type() {
        let policy_of = |r#type: &str| Policy {
            name: "p".to_owned(),
            r#type: r#type.to_owned(),
            prefer_provider: vec!["openai".to_owned()],
            ..Policy::default()
        };
        assert!(policy("1", &policy_of("routing")).is_empty());
        assert_eq!(fields(&policy("1", &policy_of("access"))), ["actions"]);
        assert_eq!(fields(&policy("1", &policy_of("other"))), ["type", "actions"]);
        let hours = Hours {
            from_minute: 1440,
            days: vec![0],
            tz: "Europe/Berlin".to_owned(),
            ..Hours::default()
        };
        let never = Policy {
            hours: Some(hours),
            ..policy_of("routing")
        };
        assert_eq!(fields(&policy("1", &never)), ["hours", "hours.days", "hours.tz"]);
    }
}

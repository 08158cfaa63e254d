//! What decides between the places a request could go.

use std::collections::BTreeMap;

use proto::{
    RESILIENCE_ID, ROUTING_ID,
    v1::{
        self, FallbackChain, FallbackLink, Hedging, Policy, PriceOverride, PricePeriod, Resource, Routing,
        WildcardAlias, policy, resilience::RateDefaults, resource::Body,
    },
};
use serde::Deserialize;
use serde_json::Value;

use super::combos::readable;
use crate::{
    policy::{Actions, Conditions, Hours},
    publish::rows::{ChainRow, PeriodRow, PolicyRow, PriceRow, SettingRow},
    resilience::{Profile, Resilience},
};

/// Consecutive requests of one account, when nobody says.
const STICKY_LIMIT: u32 = 3;

#[derive(Deserialize)]
struct Link {
    provider: String,
    enabled: bool,
}

/// Absent while no setting of it was ever made: data planes then route as they do by themselves.
pub(super) fn routing(settings: &[SettingRow]) -> Option<Resource> {
    let mut is_set = false;
    let mut routing = Routing {
        sticky_limit: STICKY_LIMIT,
        ..Routing::default()
    };
    for SettingRow { key, value } in settings {
        match key.as_str() {
            "fallbackStrategy" => value
                .as_str()
                .unwrap_or_default()
                .clone_into(&mut routing.account_strategy),
            "stickyRoundRobinLimit" => routing.sticky_limit = number(value).unwrap_or(STICKY_LIMIT),
            "wildcardAliases" => routing.wildcard_aliases = wildcard_aliases(value),
            "sessionAffinity" => routing.session_affinity = value.as_bool().unwrap_or(false),
            "hedging" => routing.hedging = Some(hedging(value)),
            _ => continue,
        }
        is_set = true;
    }
    is_set.then(|| Resource {
        id: ROUTING_ID.to_owned(),
        body: Some(Body::Routing(routing)),
    })
}

pub(super) fn resilience(settings: &[SettingRow]) -> Option<Resource> {
    let row = settings.iter().find(|row| row.key == "resilience")?;
    let stored: Resilience = readable(&row.key, Resilience::deserialize(&row.value));
    let resilience = v1::Resilience {
        oauth: Some(profile(stored.profiles.oauth)),
        apikey: Some(profile(stored.profiles.apikey)),
        defaults: Some(RateDefaults {
            requests_per_minute: stored.defaults.requests_per_minute,
            min_gap_ms: stored.defaults.min_time_between_requests,
            concurrent_requests: stored.defaults.concurrent_requests,
        }),
    };
    Some(Resource {
        id: RESILIENCE_ID.to_owned(),
        body: Some(Body::Resilience(resilience)),
    })
}

pub(super) fn policy(row: PolicyRow) -> Resource {
    let id = row.id.to_string();
    let conditions: Conditions = readable(&id, serde_json::from_value(row.conditions));
    let actions: Actions = readable(&id, serde_json::from_value(row.actions));
    let policy = Policy {
        name: row.name,
        r#type: row.r#type,
        enabled: row.enabled,
        priority: u32::try_from(row.priority).unwrap_or_default(),
        model_pattern: conditions.model_pattern.unwrap_or_default(),
        api_key_ids: conditions.api_key_ids.iter().map(ToString::to_string).collect(),
        providers: conditions.providers,
        prefer_provider: actions.prefer_provider,
        block_model: actions.block_model,
        max_tokens: actions.max_tokens.unwrap_or_default(),
        hours: conditions.hours.map(hours),
    };
    Resource {
        id,
        body: Some(Body::Policy(policy)),
    }
}

pub(super) fn fallback_chain(row: ChainRow) -> Resource {
    let links: Vec<Link> = readable(&row.model, serde_json::from_value(row.chain));
    let link = |Link { provider, enabled }: Link| FallbackLink { provider, enabled };
    let chain = FallbackChain {
        links: links.into_iter().map(link).collect(),
    };
    Resource {
        id: row.model,
        body: Some(Body::FallbackChain(chain)),
    }
}

/// What is said of a model for all times, and what from some moment on.
pub(super) fn prices(overrides: Vec<PriceRow>, periods: Vec<PeriodRow>) -> impl Iterator<Item = Resource> {
    let mut by_model: BTreeMap<(String, String), (Option<PriceRow>, Vec<PeriodRow>)> = BTreeMap::new();
    for row in overrides {
        let key = (row.provider.clone(), row.model.clone());
        by_model.entry(key).or_default().0 = Some(row);
    }
    for row in periods {
        let key = (row.provider.clone(), row.model.clone());
        by_model.entry(key).or_default().1.push(row);
    }
    by_model.into_iter().map(|((provider, model), (own, periods))| {
        let nothing = || PriceRow {
            provider,
            model,
            ..PriceRow::default()
        };
        price_override(own.unwrap_or_else(nothing), periods)
    })
}

fn price_period(row: PeriodRow) -> PricePeriod {
    let amount = |stored: Option<i64>| stored.and_then(|nano| u64::try_from(nano).ok());
    PricePeriod {
        from_ms: row.effective_from.timestamp_millis(),
        input: amount(row.input),
        output: amount(row.output),
        cached: amount(row.cached),
        reasoning: amount(row.reasoning),
        cache_creation: amount(row.cache_creation),
    }
}

fn price_override(row: PriceRow, periods: Vec<PeriodRow>) -> Resource {
    let amount = |stored: Option<i64>| stored.and_then(|nano| u64::try_from(nano).ok());
    let price = PriceOverride {
        input: amount(row.input),
        output: amount(row.output),
        cached: amount(row.cached),
        reasoning: amount(row.reasoning),
        cache_creation: amount(row.cache_creation),
        periods: periods.into_iter().map(price_period).collect(),
        image: amount(row.image),
        audio_minute: amount(row.audio_minute),
        characters: amount(row.characters),
        search: amount(row.search),
        provider: row.provider,
        model: row.model,
    };
    Resource {
        id: format!("{}/{}", price.provider, price.model),
        body: Some(Body::PriceOverride(price)),
    }
}

fn wildcard_aliases(stored: &Value) -> Vec<WildcardAlias> {
    let text = |alias: &Value, name: &str| alias[name].as_str().unwrap_or_default().to_owned();
    let alias = |alias: &Value| WildcardAlias {
        pattern: text(alias, "pattern"),
        target: text(alias, "target"),
    };
    stored.as_array().into_iter().flatten().map(alias).collect()
}

fn hedging(stored: &Value) -> Hedging {
    let percent = stored["maxSharePercent"].as_f64().unwrap_or_default();
    Hedging {
        enabled: stored["enabled"].as_bool().unwrap_or(false),
        max_share_permille: (percent * 10.0).round() as u32,
        min_delay_ms: number(&stored["minDelayMs"]).unwrap_or_default(),
    }
}

fn profile(stored: Profile) -> v1::resilience::Profile {
    v1::resilience::Profile {
        transient_cooldown_ms: stored.transient_cooldown,
        rate_limit_cooldown_ms: stored.rate_limit_cooldown,
        max_backoff_level: stored.max_backoff_level,
        breaker_threshold: stored.circuit_breaker_threshold,
        breaker_reset_ms: stored.circuit_breaker_reset,
    }
}

fn hours(hours: Hours) -> policy::Hours {
    policy::Hours {
        from_minute: hours.from.get(),
        until_minute: hours.until.get(),
        days: hours.days,
        tz: hours.tz,
    }
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| number.try_into().ok())
}

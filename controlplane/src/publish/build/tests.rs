//! What rows become.

use proto::{
    v1::{Combo, FallbackChain, Policy, Resilience, Routing},
    validate,
};
use runtime::crypto::ClusterKeys;
use serde_json::{Value, json};

use super::{
    super::rows::{ChainRow, ComboRow, Head, IpFilterRow, PolicyRow},
    *,
};

fn rows() -> Rows {
    Rows {
        head: Head {
            epoch: Uuid::nil(),
            revision: 1,
        },
        settings: Vec::new(),
        nodes: Vec::new(),
        connections: Vec::new(),
        aliases: Vec::new(),
        combos: Vec::new(),
        members: Vec::new(),
        keys: Vec::new(),
        policies: Vec::new(),
        chains: Vec::new(),
        custom_models: Vec::new(),
        prices: Vec::new(),
        price_periods: Vec::new(),
        ip_filter: IpFilterRow {
            enabled: false,
            mode: "blacklist".to_owned(),
            blacklist: vec!["203.0.113.9".to_owned()],
            whitelist: Vec::new(),
        },
        proxies: Vec::new(),
    }
}

fn setting(key: &str, value: Value) -> SettingRow {
    let key = key.to_owned();
    SettingRow { key, value }
}

fn built(rows: Rows) -> Vec<Resource> {
    let keys = ClusterKeys::derive("a cluster secret that is long enough");
    let secrets = Secrets {
        vault: Vault::new(&Secret::new(
            "a storage key that is long enough for it".to_owned(),
        )),
        transport: keys.transport,
        pepper: Secret::new("pepper".to_owned()),
    };
    let (resources, errors) = build(rows, &secrets).decode();
    assert!(errors.is_empty(), "{errors:?}");
    resources
}

fn routing_of(settings: Vec<SettingRow>) -> Option<Routing> {
    let found = built(Rows { settings, ..rows() })
        .into_iter()
        .find_map(|one| match one.body {
            Some(Body::Routing(routing)) => Some((one.id, routing)),
            _ => None,
        });
    found.map(|(id, routing)| {
        assert_eq!(validate::routing(&id, &routing), []);
        routing
    })
}

fn combo_of(settings: Vec<SettingRow>, config: Value, models: &[&str]) -> Combo {
    let id = Uuid::now_v7();
    let member = |model: &&str| MemberRow {
        combo_id: id,
        model: (*model).to_owned(),
        weight: 0.0,
    };
    let row = ComboRow {
        id,
        name: "premium".to_owned(),
        strategy: "round-robin".to_owned(),
        is_active: true,
        config,
    };
    let node = NodeRow {
        id: "openai-compatible-1".to_owned(),
        r#type: "openai-compatible".to_owned(),
        name: "vLLM".to_owned(),
        prefix: "vllm".to_owned(),
        api_type: Some("chat".to_owned()),
        base_url: "https://vllm.test/v1".to_owned(),
        api_version: None,
    };
    let rows = Rows {
        settings,
        nodes: vec![node],
        combos: vec![row],
        members: models.iter().map(member).collect(),
        ..rows()
    };
    let combo = built(rows).into_iter().find_map(|one| match one.body {
        Some(Body::Combo(combo)) => Some(combo),
        _ => None,
    });
    let combo = combo.unwrap();
    assert_eq!(validate::combo("id", &combo), []);
    combo
}

#[test]
fn routing_travels_once_one_of_its_settings_was_made() {
    assert_eq!(routing_of(vec![setting("blockedProviders", json!([]))]), None);
    let sticky = routing_of(vec![setting("sessionAffinity", json!(true))]).unwrap();
    assert_eq!((sticky.sticky_limit, sticky.session_affinity), (3, true));

    let all = routing_of(vec![
        setting("fallbackStrategy", json!("p2c")),
        setting(
            "hedging",
            json!({ "enabled": true, "maxSharePercent": 2.5, "minDelayMs": 40 }),
        ),
        setting("stickyRoundRobinLimit", json!(0)),
        setting(
            "wildcardAliases",
            json!([{ "pattern": "gpt-*", "target": "openai/gpt-4o" }]),
        ),
    ])
    .unwrap();
    assert_eq!((all.account_strategy.as_str(), all.sticky_limit), ("p2c", 0));
    let hedging = all.hedging.unwrap();
    assert_eq!(
        (hedging.enabled, hedging.max_share_permille, hedging.min_delay_ms),
        (true, 25, 40)
    );
    assert_eq!(
        (
            all.wildcard_aliases[0].pattern.as_str(),
            all.wildcard_aliases[0].target.as_str()
        ),
        ("gpt-*", "openai/gpt-4o")
    );
}

#[test]
fn a_share_is_published_as_it_was_written() {
    for (percent, permille) in [(0.0, 0), (0.1, 1), (0.3, 3), (5.0, 50), (2.9, 29), (50.0, 500)] {
        let hedging = json!({ "enabled": true, "maxSharePercent": percent, "minDelayMs": 0 });
        let routing = routing_of(vec![setting("hedging", hedging)]).unwrap();
        assert_eq!(routing.hedging.unwrap().max_share_permille, permille, "{percent}");
    }
}

#[test]
fn resilience_is_complete_whatever_part_of_it_was_stored() {
    let stored = json!({ "profiles": { "apikey": { "circuitBreakerThreshold": 9 } } });
    let rows = Rows {
        settings: vec![setting("resilience", stored)],
        ..rows()
    };
    let found: Vec<Resilience> = built(rows)
        .into_iter()
        .filter_map(|one| match one.body {
            Some(Body::Resilience(resilience)) => Some(resilience),
            _ => None,
        })
        .collect();
    assert_eq!(validate::resilience("resilience", &found[0]), []);
    let apikey = found[0].apikey.unwrap();
    assert_eq!(
        (apikey.breaker_threshold, apikey.transient_cooldown_ms),
        (9, 3_000)
    );
    assert_eq!(found[0].oauth.unwrap().breaker_reset_ms, 60_000);
    assert_eq!(found[0].defaults.unwrap().min_gap_ms, 200);
}

#[test]
fn a_combo_takes_what_it_does_not_say_from_the_layers_below() {
    let nothing = combo_of(Vec::new(), json!({}), &["openai/a"]);
    assert_eq!(nothing.max_retries, None, "nobody said how often");
    assert_eq!((nothing.retry_delay_ms, nothing.timeout_ms), (2_000, 120_000));
    assert_eq!(
        (
            nothing.concurrency_per_model,
            nothing.queue_timeout_ms,
            nothing.track_metrics
        ),
        (3, 30_000, true)
    );

    let layers = || {
        vec![
            setting(
                "comboDefaults",
                json!({ "strategy": "random", "maxRetries": 1, "timeoutMs": 2_000, "trackMetrics": false }),
            ),
            setting(
                "providerOverrides",
                json!({ "openai": { "timeoutMs": 3_000, "maxRetries": 2 } }),
            ),
        ]
    };
    let mixed = combo_of(layers(), json!({}), &["openai/a", "groq/b"]);
    assert_eq!((mixed.max_retries, mixed.timeout_ms), (Some(1), 2_000));
    assert_eq!(
        (mixed.strategy.as_str(), mixed.track_metrics),
        ("round-robin", false)
    );
    let pure = combo_of(layers(), json!({}), &["openai/a", "openai/b"]);
    assert_eq!((pure.max_retries, pure.timeout_ms), (Some(2), 3_000));
    let own = combo_of(layers(), json!({ "maxRetries": 0 }), &["openai/a"]);
    assert_eq!((own.max_retries, own.timeout_ms), (Some(0), 3_000));
}

#[test]
fn an_override_knows_a_provider_by_any_of_its_names() {
    let overrides = || {
        let overrides =
            json!({ "deepseek": { "timeoutMs": 5_000 }, "openai-compatible-1": { "timeoutMs": 6_000 } });
        vec![setting("providerOverrides", overrides)]
    };
    let timeout = |models: &[&str]| combo_of(overrides(), json!({}), models).timeout_ms;
    assert_eq!(timeout(&["ds/x", "deepseek/y"]), 5_000);
    assert_eq!(timeout(&["vllm/x"]), 6_000);
    for models in [&["vllm/x", "ds/x"][..], &["x"], &["x", "ds/x"], &[]] {
        assert_eq!(timeout(models), 120_000, "{models:?}");
    }
}

#[test]
fn policies_and_chains_keep_what_they_say() {
    let policy = PolicyRow {
        id: Uuid::nil(),
        name: "nights".to_owned(),
        r#type: "routing".to_owned(),
        enabled: true,
        priority: 7,
        conditions: json!({
            "model_pattern": "gpt-*",
            "api_key_ids": [Uuid::nil()],
            "providers": ["openai"],
            "hours": { "from": "22:00", "until": "06:30", "days": [1, 7], "tz": "UTC" },
        }),
        actions: json!({ "prefer_provider": ["groq"] }),
    };
    let chain = ChainRow {
        model: "gpt-4o".to_owned(),
        chain: json!([{ "provider": "groq", "priority": 1, "enabled": true },
                      { "provider": "openai", "priority": 2, "enabled": false }]),
    };
    let rows = Rows {
        policies: vec![policy],
        chains: vec![chain],
        ..rows()
    };
    let resources = built(rows);
    let policy: &Policy = resources
        .iter()
        .find_map(|one| match &one.body {
            Some(Body::Policy(policy)) => Some(policy),
            _ => None,
        })
        .unwrap();
    assert_eq!(validate::policy("id", policy), []);
    assert_eq!(
        (policy.name.as_str(), policy.priority, policy.enabled),
        ("nights", 7, true)
    );
    assert_eq!(
        (&policy.prefer_provider, &policy.providers),
        (&vec!["groq".to_owned()], &vec!["openai".to_owned()])
    );
    assert_eq!(policy.api_key_ids, [Uuid::nil().to_string()]);
    let hours = policy.hours.as_ref().unwrap();
    assert_eq!((hours.from_minute, hours.until_minute), (1320, 390));
    assert_eq!((hours.days.as_slice(), hours.tz.as_str()), (&[1, 7][..], "UTC"));

    let (model, chain): (&str, &FallbackChain) = resources
        .iter()
        .find_map(|one| match &one.body {
            Some(Body::FallbackChain(chain)) => Some((one.id.as_str(), chain)),
            _ => None,
        })
        .unwrap();
    let links: Vec<_> = chain
        .links
        .iter()
        .map(|link| (link.provider.as_str(), link.enabled))
        .collect();
    assert_eq!(
        (model, links),
        ("gpt-4o", vec![("groq", true), ("openai", false)])
    );
}

#[test]
fn data_planes_cache_as_they_do_by_themselves_until_somebody_says_otherwise() {
    let cache_of = |settings| {
        let found = built(Rows { settings, ..rows() })
            .into_iter()
            .find_map(|one| match one.body {
                Some(Body::Settings(settings)) => Some(settings),
                _ => None,
            });
        found.unwrap().cache
    };
    assert_eq!(cache_of(vec![setting("requireAuthForModels", json!(true))]), None);
    let cleared = cache_of(vec![setting("cacheGeneration", json!(1_800_000_000_000_u64))]).unwrap();
    assert_eq!(
        (cleared.enabled, cleared.ttl_ms, cleared.generation),
        (true, None, 1_800_000_000_000)
    );
    let set = cache_of(vec![
        setting("idempotencyGeneration", json!(3)),
        setting("semanticCacheAbsentTemperatureIsZero", json!(true)),
        setting("semanticCacheEnabled", json!(false)),
        setting(
            "semanticCacheRules",
            json!([{"model": "gpt-*", "embeddingModel": "openai/e", "threshold": 0.97}]),
        ),
        setting("semanticCacheTtlMs", json!(60_000)),
    ])
    .unwrap();
    assert!(!set.enabled && set.absent_temperature_is_zero);
    assert_eq!(
        (set.ttl_ms, set.idempotency_generation, set.generation),
        (Some(60_000), 3, 0)
    );
    let rules: Vec<_> = set
        .similarity
        .iter()
        .map(|rule| (&*rule.model, &*rule.embedding_model, rule.threshold))
        .collect();
    assert_eq!(rules, [("gpt-*", "openai/e", 0.97)]);
}

#[test]
fn who_is_let_in_is_published_while_it_matters() {
    let filter = |enabled| {
        let mut rows = rows();
        rows.ip_filter.enabled = enabled;
        built(rows).into_iter().find_map(|resource| match resource.body {
            Some(Body::IpFilter(filter)) => Some((resource.id, filter)),
            _ => None,
        })
    };
    assert_eq!(filter(false), None);
    let (id, filter) = filter(true).unwrap();
    assert_eq!(id, "ip-filter");
    assert_eq!(
        (filter.enabled, filter.blacklist),
        (true, vec!["203.0.113.9".to_owned()])
    );
}

#[test]
fn who_may_call_travels_as_it_is_said_and_a_key_is_asked_for_in_doubt() {
    let settings_of = |settings: Vec<SettingRow>| {
        let resources = built(Rows { settings, ..rows() });
        let found = resources.into_iter().find_map(|resource| match resource.body {
            Some(Body::Settings(settings)) => Some(settings),
            _ => None,
        });
        found.unwrap()
    };
    let nothing = settings_of(Vec::new());
    assert_eq!((nothing.require_api_key, nothing.cors_origins.len()), (None, 0));
    for (stored, sent) in [
        (json!(true), Some(true)),
        (json!(false), Some(false)),
        (json!(null), None),
        (json!("no"), Some(true)),
    ] {
        let settings = settings_of(vec![setting("requireApiKey", stored.clone())]);
        assert_eq!(settings.require_api_key, sent, "{stored}");
    }
    let listed = settings_of(vec![setting(
        "corsOrigins",
        json!("https://a.example,http://b.example"),
    )]);
    assert_eq!(listed.cors_origins, ["https://a.example", "http://b.example"]);
}

#[test]
fn bodies_are_captured_once_somebody_says_so_and_of_as_many_requests_as_they_say() {
    let percent = |settings| {
        let found = built(Rows { settings, ..rows() })
            .into_iter()
            .find_map(|one| match one.body {
                Some(Body::Settings(settings)) => Some(settings.capture_percent),
                _ => None,
            });
        found.unwrap()
    };
    let on = || setting("captureBodies", json!(true));
    for (settings, expected) in [
        (vec![], 0),
        (vec![setting("captureBodiesPercent", json!(50))], 0),
        (vec![on()], 100),
        (vec![on(), setting("captureBodiesPercent", json!(5))], 5),
        (vec![on(), setting("captureBodiesPercent", json!(0))], 0),
        (vec![on(), setting("captureBodiesPercent", json!("all"))], 0),
        (vec![setting("captureBodies", json!("true"))], 0),
    ] {
        assert_eq!(percent(settings), expected);
    }
}

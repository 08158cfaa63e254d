//! Names that no resource has exactly: patterns, chains, and what was switched off.

use super::*;
use proptest::prelude::*;

fn routing(aliases: &[(&str, &str)]) -> Resource {
    let alias = |(pattern, target): &(&str, &str)| v1::WildcardAlias {
        pattern: (*pattern).to_owned(),
        target: (*target).to_owned(),
    };
    let body = v1::Routing {
        wildcard_aliases: aliases.iter().map(alias).collect(),
        ..v1::Routing::default()
    };
    resource("routing", Body::Routing(body))
}

fn chain(model: &str, links: &[(&str, bool)]) -> Resource {
    let link = |(provider, enabled): &(&str, bool)| v1::FallbackLink {
        provider: (*provider).to_owned(),
        enabled: *enabled,
    };
    let links = links.iter().map(link).collect();
    resource(model, Body::FallbackChain(v1::FallbackChain { links }))
}

fn switched_off(mut combo: Resource) -> Resource {
    if let Some(Body::Combo(combo)) = &mut combo.body {
        combo.enabled = false;
    }
    combo
}

/// Connections to OpenAI, Groq and a node.
fn three() -> [Resource; 4] {
    [
        connection("c1", "openai", 1),
        connection("c2", "groq", 1),
        node("n1", "vllm"),
        connection("c3", "n1", 1),
    ]
}

fn with_three(others: &[Resource]) -> Table {
    table(&[&three()[..], others].concat())
}

#[test]
fn the_most_specific_pattern_says_what_a_name_stands_for() {
    let table = with_three(&[
        alias("exact-one", "openai/exact"),
        combo("smart", "priority", &["groq/smart"]),
        routing(&[
            ("*", "groq/any"),
            ("claude-*", "smart"),
            ("claude-?", "vllm/single"),
            ("CLAUDE-opus-*", "exact-one"),
            ("claude-*-first", "openai/first"),
            ("claude-first-*", "openai/second"),
            ("exact-*", "groq/never"),
            ("chained", "claude-opus-4"),
            ("openai/gpt-4*", "vllm/four"),
        ]),
    ]);
    let cases = [
        ("claude-sonnet", vec!["groq smart"]),
        ("Claude-Sonnet", vec!["groq smart"]),
        ("claude-3", vec!["n1 single"]),
        ("claude-opus-4", vec!["openai exact"]),
        // as specific as each other: the one that was written first
        ("claude-first-first", vec!["openai first"]),
        ("exact-one", vec!["openai exact"]),
        ("smart", vec!["groq smart"]),
        ("whatever", vec!["groq any"]),
        ("nowhere/whatever", vec!["groq any"]),
        // one hop: the target of a pattern is looked for as a name, not among the patterns
        ("chained", vec!["openai claude-opus-4"]),
        // names with a provider in them belong to it, unless a pattern says otherwise about just those
        ("openai/gpt-4o", vec!["n1 four"]),
        ("openai/o3", vec!["openai o3"]),
        ("vllm/x", vec!["n1 x"]),
    ];
    for (model, expected) in cases {
        assert_eq!(routes(&table, model).unwrap(), expected, "{model}");
    }
    assert_eq!(routes(&table, "../x").unwrap_err(), "Invalid model format");
    assert!(!table.resolve("claude-sonnet").unwrap().direct);
    assert!(table.resolve("openai/o3").unwrap().direct);
}

#[test]
fn a_pattern_that_leads_nowhere_says_so_and_does_not_fall_through() {
    let table = with_three(&[routing(&[("claude-*", "anthropic/x"), ("*", "groq/any")])]);
    assert_eq!(
        routes(&table, "claude-3").unwrap_err(),
        "No credentials for provider: anthropic"
    );
}

#[test]
fn providers_of_a_chain_stand_in_for_the_model() {
    let table = with_three(&[
        alias("fast", "openai/gpt-4o"),
        combo("smart", "priority", &["openai/gpt-4o", "openai/o3"]),
        chain(
            "gpt-4o",
            &[
                ("groq", true),
                ("openai", true),
                ("anthropic", true),
                ("vllm", true),
            ],
        ),
        chain("openai/o3", &[("vllm", false), ("n1", false), ("groq", true)]),
        chain("o3", &[("vllm", true)]),
    ]);
    let four = vec!["openai gpt-4o", "groq gpt-4o", "n1 gpt-4o"];
    let cases = [
        ("openai/gpt-4o", four.clone()),
        ("gpt-4o", four.clone()),
        ("fast", four.clone()),
        ("groq/gpt-4o", vec!["groq gpt-4o", "openai gpt-4o", "n1 gpt-4o"]),
        // a chain of the model at its provider goes before that of the model
        ("openai/o3", vec!["openai o3", "groq o3"]),
        ("groq/o3", vec!["groq o3", "n1 o3"]),
        ("smart", [four, vec!["openai o3", "groq o3"]].concat()),
        ("openai/other", vec!["openai other"]),
    ];
    for (model, expected) in cases {
        assert_eq!(routes(&table, model).unwrap(), expected, "{model}");
    }
    let resolution = table.resolve("openai/o3").unwrap();
    assert!(matches!(resolution.root(), Node::Chain(chain) if *chain == [0, 1]));
    assert!(resolution.direct);
    let pinned = table.resolve_at("openai", "o3").unwrap();
    assert_eq!(
        pinned.routes().len(),
        1,
        "one provider and nowhere else was asked for"
    );
}

#[test]
fn a_chain_answers_for_a_provider_without_connections_but_not_for_a_blocked_one() {
    let resources = [
        connection("c1", "groq", 1),
        connection("c2", "cerebras", 1),
        chain("gpt-4o", &[("groq", true)]),
        chain("cerebras/x", &[("groq", true)]),
    ];
    let (table, _) = compile(&[&[settings(&["cerebras"])], &resources[..]].concat());
    for model in ["openai/gpt-4o", "gpt-4o"] {
        assert_eq!(routes(&table, model).unwrap(), ["groq gpt-4o"], "{model}");
    }
    assert!(
        routes(&table, "cerebras/x")
            .unwrap_err()
            .contains("blocked by an administrator")
    );
    assert!(
        routes(&table, "openai/other")
            .unwrap_err()
            .starts_with("No credentials")
    );
}

#[test]
fn a_key_opens_what_it_names_and_nothing_that_stands_behind_the_name() {
    let table = table(&[
        connection("c1", "openai", 1),
        connection("c2", "groq", 1),
        alias("fast", "openai/gpt-4o"),
        combo("smart", "priority", &["openai/gpt-4o", "groq/llama"]),
        routing(&[("claude-*", "smart")]),
        chain("gpt-4o", &[("groq", true)]),
        chain("missing", &[("groq", true)]),
    ]);
    // allowed, written, which of the routes are open
    let cases: [(&[&str], &str, &[bool]); 20] = [
        (&[], "smart", &[true, true, true]),
        (&["smart"], "smart", &[true, true, true]),
        (&["smart*"], "smart", &[false, false, false]),
        (&["smart*", "groq/*"], "smart", &[false, true, true]),
        (&["openai/*", "groq/*"], "smart", &[false, false, false]),
        (&["claude-*"], "claude-3", &[false, false, false]),
        (&["claude-3"], "claude-3", &[true, true, true]),
        (&["fast"], "fast", &[true, true]),
        (&["fast*"], "fast", &[false, false]),
        (&["openai/*"], "fast", &[true, false]),
        (&["openai/gpt-4o"], "openai/gpt-4o", &[true, false]),
        (&["openai/*"], "openai/gpt-4o", &[true, false]),
        (&["openai/*"], "gpt-4o", &[true, false]),
        (&["openaix/*"], "openai/gpt-4o", &[false, false]),
        (&["gpt-4o"], "gpt-4o", &[true, true]),
        (&["gpt-4o"], "openai/gpt-4o", &[false, false]),
        (&["*"], "openai/gpt-4o", &[true, true]),
        (&["anthropic/missing"], "anthropic/missing", &[false]),
        (&["anthropic/*", "groq/*"], "anthropic/missing", &[true]),
        (&["groq/missing"], "anthropic/missing", &[true]),
    ];
    for (allowed, written, expected) in cases {
        let mut key = key("k", "sk");
        if let Some(Body::ApiKey(key)) = &mut key.body {
            key.allowed_models = allowed.iter().map(ToString::to_string).collect();
        }
        let keys = super::table(&[key]);
        let resolution = table.resolve(written).unwrap();
        let open = keys.key("sk").unwrap().covers(&resolution, written);
        assert_eq!(open, expected, "{allowed:?} for {written}");
    }
}

#[test]
fn a_chain_to_a_provider_that_nobody_knows_is_reported_and_the_rest_of_it_applies() {
    let resources = [
        settings(&[]),
        connection("c1", "openai", 1),
        connection("c2", "groq", 1),
        chain("gpt-4o", &[("gone", true), ("groq", true)]),
    ];
    let (table, errors) = compile(&resources);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].code(), Code::DanglingReference);
    assert_eq!(
        routes(&table, "openai/gpt-4o").unwrap(),
        ["openai gpt-4o", "groq gpt-4o"]
    );
}

#[test]
fn a_combo_that_is_switched_off_answers_with_404_and_its_name_means_nothing_else() {
    let table = with_three(&[
        switched_off(combo("smart", "priority", &["openai/a"])),
        alias("quick", "smart"),
        combo("outer", "priority", &["smart", "openai/b"]),
        routing(&[("*", "groq/any")]),
    ]);
    for name in ["smart", "quick"] {
        let error = table.resolve(name).unwrap_err();
        assert!(matches!(error, ResolveError::Unknown { .. }), "{error}");
        assert!(error.to_string().contains("switched off"), "{error}");
    }
    assert_eq!(routes(&table, "outer").unwrap(), ["openai b"]);
    assert!(table.visible(None).all(|row| row.id != "smart"));
}

#[test]
fn a_broken_combo_inside_another_does_not_come_to_mean_a_model() {
    let (table, errors) = compile(&[
        settings(&[]),
        connection("c1", "openai", 1),
        combo("gpt-4o", "best", &["openai/a"]),
        combo("outer", "priority", &["gpt-4o", "openai/b"]),
    ]);
    assert_eq!(routes(&table, "outer").unwrap(), ["openai b"]);
    assert_eq!(errors.len(), 1, "{errors:?}");
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[abc]",
        "[abc]/[abc]",
        Just("openai/a".to_owned()),
        "[ab*?/é\u{1}]{0,4}"
    ]
}

fn any_resource() -> impl Strategy<Value = Resource> {
    let members = proptest::collection::vec((any_name(), -1.0..200.0f64), 0..6);
    let strategy = proptest::sample::select(&[
        "priority",
        "weighted",
        "round-robin",
        "random",
        "least-used",
        "best",
    ]);
    let combos = (any_name(), strategy, members, any::<bool>(), any::<u32>()).prop_map(
        |(name, strategy, members, enabled, width)| {
            let member = |(model, weight)| ComboMember { model, weight };
            let body = v1::Combo {
                name: name.clone(),
                strategy: strategy.to_owned(),
                members: members.into_iter().map(member).collect(),
                enabled,
                concurrency_per_model: width,
                queue_timeout_ms: width,
                ..v1::Combo::default()
            };
            resource(&format!("combo-{name}"), Body::Combo(body))
        },
    );
    let aliases = (any_name(), any_name()).prop_map(|(name, target)| alias(&name, &target));
    let patterns = proptest::collection::vec((any_name(), any_name()), 0..4).prop_map(|aliases| {
        let aliases: Vec<_> = aliases.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        routing(&aliases)
    });
    let chains = (any_name(), any_name()).prop_map(|(model, provider)| {
        chain(
            &model,
            &[(provider.as_str(), true), ("openai", true), ("groq", true)],
        )
    });
    let policies = (
        any_name(),
        any::<u32>(),
        any::<u32>(),
        "(access|budget|routing|x)",
    )
        .prop_map(|(name, from_minute, until_minute, policy_type)| {
            let hours = v1::policy::Hours {
                from_minute,
                until_minute,
                days: vec![until_minute],
                tz: name.clone(),
            };
            let body = v1::Policy {
                name: name.clone(),
                r#type: policy_type,
                enabled: true,
                model_pattern: name.clone(),
                block_model: vec![name.clone()],
                prefer_provider: vec![name.clone()],
                max_tokens: from_minute,
                hours: Some(hours),
                ..v1::Policy::default()
            };
            resource(&name, Body::Policy(body))
        });
    prop_oneof![4 => combos, 2 => aliases, 1 => patterns, 1 => chains, 1 => policies]
}

proptest! {
    #[test]
    fn whatever_is_configured_compiles_and_every_name_gets_an_answer(
        resources in proptest::collection::vec(any_resource(), 0..24),
        asked in proptest::collection::vec(any_name(), 1..8),
    ) {
        let (table, _) = compile(&[&[settings(&[])], &three()[..], &resources[..]].concat());
        let now = chrono::DateTime::UNIX_EPOCH;
        for name in asked.iter().map(String::as_str).chain(["a", "b", "c"]) {
            let Ok(resolution) = table.resolve(name) else { continue };
            prop_assert!(!resolution.routes().is_empty());
            let positions = resolution.root().positions();
            prop_assert!(!positions.is_empty());
            prop_assert!(positions.iter().all(|position| *position < resolution.routes().len()));
            for position in 0..resolution.routes().len() {
                prop_assert!(positions.contains(&position), "an orphan among the routes of {name}");
                resolution.seats(position);
            }
            let judgement = table.policies().judge("k", name, resolution.routes(), now);
            prop_assert!(judgement.refused.is_empty() || judgement.refused.len() == resolution.routes().len());
        }
    }
}

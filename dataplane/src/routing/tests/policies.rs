//! What administrators say, about whom, and when.

use super::*;
use chrono::{DateTime, TimeZone, Utc};

fn policy(name: &str, policy_type: &str, change: impl FnOnce(&mut v1::Policy)) -> Resource {
    let mut body = v1::Policy {
        name: name.to_owned(),
        r#type: policy_type.to_owned(),
        enabled: true,
        priority: 100,
        ..v1::Policy::default()
    };
    change(&mut body);
    resource(name, Body::Policy(body))
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn resources(policies: &[Resource]) -> Vec<Resource> {
    let fixed = [
        connection("c1", "openai", 1),
        connection("c2", "deepseek", 1),
        node("n1", "vllm"),
        connection("c3", "n1", 1),
        combo(
            "smart",
            "priority",
            &["openai/gpt-4o", "deepseek/chat-preview", "vllm/llama"],
        ),
    ];
    [&fixed[..], policies].concat()
}

fn judge_at(policies: &[Resource], key: &str, model: &str, now: DateTime<Utc>) -> Judgement {
    let table = table(&resources(policies));
    let resolution = table.resolve(model).unwrap();
    table.policies().judge(key, model, resolution.routes(), now)
}

fn judge(policies: &[Resource], key: &str, model: &str) -> Judgement {
    judge_at(policies, key, model, DateTime::UNIX_EPOCH)
}

fn refused(judgement: &Judgement) -> Vec<&str> {
    (0..3)
        .map(|position| judgement.refuses(position).map_or("", |name| name))
        .collect()
}

#[test]
fn without_a_policy_that_applies_nothing_is_said() {
    let off = policy("off", "access", |policy| {
        policy.enabled = false;
        policy.block_model = texts(&["*"]);
    });
    let of_another = policy("another", "budget", |policy| {
        policy.max_tokens = 10;
        policy.api_key_ids = texts(&["k2"]);
    });
    for policies in [vec![], vec![off], vec![of_another]] {
        assert_eq!(judge(&policies, "k1", "smart"), Judgement::default());
    }
}

#[test]
fn what_a_policy_blocks_is_refused_under_every_name_it_has() {
    let cases = [
        // pattern, what is refused of gpt-4o, chat-preview and llama
        ("*-preview", ["", "p", ""]),
        ("OPENAI/*", ["p", "", ""]),
        ("ds/*", ["", "p", ""]),
        ("deepseek/*", ["", "p", ""]),
        ("n1/llama", ["", "", "p"]),
        ("vllm/llama", ["", "", "p"]),
        ("smart", ["p", "p", "p"]),
        ("*", ["p", "p", "p"]),
        ("openaix/*", ["", "", ""]),
        ("gpt-4", ["", "", ""]),
    ];
    for (pattern, expected) in cases {
        let blocking = policy("p", "access", |policy| policy.block_model = texts(&[pattern]));
        let judgement = judge(&[blocking], "k1", "smart");
        assert_eq!(refused(&judgement), expected, "{pattern}");
        let denied = expected == ["p", "p", "p"];
        assert_eq!(judgement.deny.as_deref(), denied.then_some("p"), "{pattern}");
    }
}

#[test]
fn the_conditions_of_a_policy_narrow_it() {
    type Narrow = fn(&mut v1::Policy);
    let cases: [(Narrow, [&str; 3]); 6] = [
        (|policy| policy.providers = texts(&["openai"]), ["p", "", ""]),
        (|policy| policy.providers = texts(&["ds", "vllm"]), ["", "p", "p"]),
        (|policy| policy.model_pattern = "gpt-*".to_owned(), ["p", "", ""]),
        (|policy| policy.model_pattern = "sm*t".to_owned(), ["p", "p", "p"]),
        (
            |policy| policy.api_key_ids = texts(&["k0", "k1"]),
            ["p", "p", "p"],
        ),
        (|policy| policy.api_key_ids = texts(&["k2"]), ["", "", ""]),
    ];
    for (narrow, expected) in cases {
        let blocking = policy("p", "access", |policy| {
            policy.block_model = texts(&["*"]);
            narrow(policy);
        });
        assert_eq!(
            refused(&judge(std::slice::from_ref(&blocking), "k1", "smart")),
            expected,
            "{blocking:?}"
        );
    }
}

#[test]
fn several_policies_add_up_in_the_order_of_their_priority() {
    let prefers = |name: &str, priority, providers: &[&str]| {
        policy(name, "routing", |policy| {
            policy.priority = priority;
            policy.prefer_provider = texts(providers);
        })
    };
    let caps = |name: &str, tokens| policy(name, "budget", |policy| policy.max_tokens = tokens);
    let blocks = |name: &str, priority| {
        policy(name, "access", |policy| {
            policy.priority = priority;
            policy.block_model = texts(&["gpt-*"]);
        })
    };
    let judgement = judge(
        &[
            prefers("late", 2, &["openai", "vllm"]),
            prefers("early", 1, &["ds", "unknown"]),
            caps("long", 4_000),
            caps("short", 1_000),
            caps("middle", 2_000),
            blocks("second", 8),
            blocks("first", 7),
        ],
        "",
        "smart",
    );
    let prefer: Vec<&str> = judgement.prefer.iter().map(|id| &**id).collect();
    assert_eq!(prefer, ["deepseek", "unknown", "openai", "n1"]);
    assert_eq!(judgement.max_tokens, Some(1_000), "the smallest");
    assert_eq!(
        refused(&judgement),
        ["first", "", ""],
        "the first that refuses is named"
    );
    assert_eq!(judgement.deny, None);
}

#[test]
fn hours_hold_from_minute_to_minute_on_their_days_and_over_midnight() {
    // 2024-01-01 was a Monday
    let at = |day, hour, minute| Utc.with_ymd_and_hms(2024, 1, day, hour, minute, 30).unwrap();
    let span = |from: u32, until: u32, days: &[u32], tz: &str| v1::policy::Hours {
        from_minute: from,
        until_minute: until,
        days: days.to_vec(),
        tz: tz.to_owned(),
    };
    let cases = [
        (span(540, 1020, &[], ""), at(1, 9, 0), true),
        (span(540, 1020, &[], ""), at(1, 8, 59), false),
        (span(540, 1020, &[], "UTC"), at(1, 16, 59), true),
        (span(540, 1020, &[], ""), at(1, 17, 0), false),
        (span(540, 1020, &[2, 3], ""), at(1, 12, 0), false),
        (span(540, 1020, &[2, 3], ""), at(2, 12, 0), true),
        (span(0, 1440, &[7], ""), at(7, 23, 59), true),
        (span(0, 0, &[], ""), at(1, 12, 0), true),
        // over midnight the small hours belong to the day before
        (span(1320, 360, &[], ""), at(1, 23, 0), true),
        (span(1320, 360, &[], ""), at(1, 5, 59), true),
        (span(1320, 360, &[], ""), at(1, 6, 0), false),
        (span(1320, 360, &[1], ""), at(2, 3, 0), true),
        (span(1320, 360, &[1], ""), at(1, 3, 0), false),
        (span(1320, 360, &[7], ""), at(8, 3, 0), true),
    ];
    for (hours, now, holds) in cases {
        let capping = policy("p", "budget", |policy| {
            policy.max_tokens = 5;
            policy.hours = Some(hours.clone());
        });
        let judgement = judge_at(&[capping], "", "smart", now);
        assert_eq!(judgement.max_tokens.is_some(), holds, "{hours:?} at {now}");
    }
}

#[test]
fn a_policy_that_cannot_be_read_in_full_is_reported_and_applies_always() {
    let blocking = policy("p", "access", |policy| {
        policy.block_model = texts(&["gpt-*"]);
        policy.hours = Some(v1::policy::Hours {
            until_minute: 1,
            tz: "Europe/Berlin".to_owned(),
            ..v1::policy::Hours::default()
        });
    });
    let (table, errors) = compile(&[&[settings(&[])], &resources(&[blocking])[..]].concat());
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].message.contains("UTC"), "{errors:?}");
    let resolution = table.resolve("openai/gpt-4o").unwrap();
    let noon = Utc.with_ymd_and_hms(2024, 1, 1, 12, 0, 0).unwrap();
    let judgement = table
        .policies()
        .judge("", "openai/gpt-4o", resolution.routes(), noon);
    assert_eq!(judgement.deny.as_deref(), Some("p"));
}

#[test]
fn settings_choose_among_accounts_and_without_them_the_first_is_filled() {
    let plain = table(&[]);
    assert_eq!(*plain.choice(), Choice::default());
    assert_eq!(
        (plain.choice().account_strategy, plain.choice().sticky_limit),
        ("fill-first", 3)
    );
    for strategy in proto::validate::ACCOUNT_STRATEGIES {
        let body = v1::Routing {
            account_strategy: strategy.to_owned(),
            sticky_limit: 7,
            session_affinity: true,
            hedging: Some(v1::Hedging {
                enabled: true,
                max_share_permille: 50,
                min_delay_ms: 20,
            }),
            ..v1::Routing::default()
        };
        let table = table(&[resource("routing", Body::Routing(body))]);
        let choice = table.choice();
        assert_eq!((choice.account_strategy, choice.sticky_limit), (strategy, 7));
        assert!(choice.session_affinity);
        assert_eq!(choice.hedging.map(|hedging| hedging.max_share_permille), Some(50));
    }
}

#[test]
fn a_preferred_provider_is_meant_where_several_have_a_model() {
    let (model, [a, b]) = shared_model();
    let accounts = [
        connection("c1", a, 1),
        connection("c2", b, 1),
        alias("short", model),
    ];
    let now = chrono::DateTime::UNIX_EPOCH;
    let resolved = |table: &Table, key: &str, written: &str| {
        let resolution = table
            .resolve_for(key, written, now)
            .map_err(|error| error.to_string())?;
        let routes = resolution.routes().iter().map(Route::name);
        Ok::<_, String>((resolution.direct, routes.collect::<Vec<_>>()))
    };
    let name = |provider: &str| format!("{}/{model}", providers::find(provider).unwrap().alias);

    let without = table(&accounts);
    for written in [model, "short"] {
        assert!(
            resolved(&without, "", written)
                .unwrap_err()
                .starts_with("Ambiguous model")
        );
    }
    let preference = v1::Policy {
        name: "prefer".to_owned(),
        r#type: "routing".to_owned(),
        enabled: true,
        api_key_ids: vec!["k".to_owned()],
        prefer_provider: vec!["nobody".to_owned(), b.to_owned(), a.to_owned()],
        ..v1::Policy::default()
    };
    let preferring = [&accounts[..], &[resource("p", Body::Policy(preference))]].concat();
    let with = table(&preferring);
    assert_eq!(resolved(&with, "k", model), Ok((true, vec![name(b)])));
    assert_eq!(resolved(&with, "k", "short"), Ok((false, vec![name(b)])));
    assert!(
        resolved(&with, "other", model)
            .unwrap_err()
            .starts_with("Ambiguous model")
    );
    let pinned = name(a);
    assert_eq!(resolved(&with, "k", &pinned), Ok((true, vec![pinned.clone()])));
}

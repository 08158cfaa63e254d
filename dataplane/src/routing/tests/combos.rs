//! What a combo becomes, and what it remembers.

use super::*;
use std::time::Duration;
use tokio::time::Instant;

fn members(resolution: &Resolution) -> &[Member] {
    match resolution.root() {
        Node::Combo { members, .. } => members,
        other => panic!("not a combo: {other:?}"),
    }
}

fn changed(mut combo: Resource, change: impl FnOnce(&mut v1::Combo)) -> Resource {
    if let Some(Body::Combo(combo)) = &mut combo.body {
        change(combo);
    }
    combo
}

#[test]
fn every_strategy_is_kept_and_so_is_that_of_the_combo_inside() {
    for strategy in proto::validate::STRATEGIES {
        let table = table(&[
            connection("c1", "openai", 1),
            combo("inner", "random", &["openai/a", "openai/b"]),
            combo("outer", strategy, &["openai/c", "inner", "openai/a"]),
            alias("outside", "outer"),
        ]);
        for name in ["outer", "outside"] {
            let resolution = table.resolve(name).unwrap();
            let root = resolution.combo().unwrap();
            assert_eq!((&*root.name, root.strategy), ("outer", strategy));
            assert!(!resolution.direct);
            let [first, inner, again] = members(&resolution) else {
                panic!("three members: {resolution:?}")
            };
            let Node::Combo { combo, members } = &inner.node else {
                panic!("a combo: {inner:?}")
            };
            assert_eq!((combo.strategy, members.len()), ("random", 2));
            // a model that is reached twice is one candidate
            assert_eq!(resolution.root().positions(), [0, 1, 2, 1]);
            assert_eq!(
                routes(&table, name).unwrap(),
                ["openai c", "openai a", "openai b"]
            );
            assert_eq!((&*first.seat.model, &*again.seat.model), ("openai/c", "openai/a"));
            let above: Vec<_> = resolution.seats(1).iter().map(|seat| &*seat.model).collect();
            assert_eq!(above, ["inner", "openai/a"]);
        }
    }
}

#[test]
fn the_numbers_of_a_combo_are_kept() {
    let combo = changed(combo("smart", "weighted", &["openai/a", "openai/b"]), |combo| {
        combo.members[1].weight = 3.0;
        combo.timeout_ms = 5_000;
        combo.retry_delay_ms = 20;
        combo.max_retries = Some(2);
        combo.track_metrics = true;
    });
    let resolution = table(&[connection("c1", "openai", 1), combo])
        .resolve("smart")
        .unwrap();
    let weights: Vec<f64> = members(&resolution).iter().map(|member| member.weight).collect();
    assert_eq!(weights, [1.0, 3.0]);
    let combo = resolution.combo().unwrap();
    assert_eq!(combo.timeout, Some(Duration::from_secs(5)));
    assert_eq!(combo.retry_delay, Duration::from_millis(20));
    assert_eq!((combo.max_retries, combo.track_metrics), (Some(2), true));
    assert!(
        resolution.seats(0)[0].gate.is_none(),
        "only round-robin has gates"
    );
}

#[test]
fn three_combos_below_a_combo_route_and_a_fourth_does_not() {
    let resources = [
        connection("c1", "openai", 1),
        combo("d", "priority", &["openai/x"]),
        combo("c", "priority", &["d"]),
        combo("b", "priority", &["c"]),
        combo("a", "priority", &["b"]),
        combo("root", "priority", &["a"]),
    ];
    let (table, errors) = compile(&[&[settings(&[])], &resources[..]].concat());
    assert_eq!(routes(&table, "a").unwrap(), ["openai x"]);
    assert_eq!(table.resolve("a").unwrap().seats(0).len(), 4);
    assert!(routes(&table, "root").unwrap_err().contains("levels deep"));
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[test]
fn a_combo_with_too_many_members_below_it_fails_alone() {
    let many: Vec<String> = (0..60).map(|model| format!("openai/m{model}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let (table, errors) = compile(&[
        settings(&[]),
        connection("c1", "openai", 1),
        combo("inner", "priority", &many),
        combo("outer", "priority", &["inner"; 10]),
    ]);
    assert_eq!(routes(&table, "inner").unwrap().len(), 60);
    let error = routes(&table, "outer").unwrap_err();
    assert!(error.contains("more than 256 members"), "{error}");
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[test]
fn what_a_model_costs_is_known_by_its_provider_or_not_at_all() {
    let table = table(&[
        connection("c1", "openai", 1),
        connection("c2", "mistral", 1),
        combo("inner", "priority", &["openai/gpt-4o", "openai/gpt-4o-mini"]),
        combo(
            "cheap",
            "cost-optimized",
            &["mistral/x", "openai/gpt-4o", "inner", "openai/free?"],
        ),
    ]);
    let resolution = table.resolve("cheap").unwrap();
    let prices: Vec<Option<u64>> = members(&resolution)
        .iter()
        .map(|member| member.node.price(resolution.routes()))
        .collect();
    let price = |model| Some(llm::pricing::find("openai", "openai", model)?.tokens?.input);
    assert_eq!(
        prices,
        [None, price("gpt-4o"), price("gpt-4o-mini"), None],
        "a combo costs what its cheapest member does"
    );
    assert!(price("gpt-4o-mini") < price("gpt-4o"));
}

#[test]
fn a_price_is_what_the_operator_says_and_the_rest_is_as_listed() {
    let dear = Body::PriceOverride(v1::PriceOverride {
        provider: "openai".to_owned(),
        model: "gpt-4o-mini".to_owned(),
        input: Some(9_000_000_000),
        ..v1::PriceOverride::default()
    });
    let table = table(&[
        connection("c1", "openai", 1),
        combo(
            "cheap",
            "cost-optimized",
            &["openai/gpt-4o", "openai/gpt-4o-mini"],
        ),
        resource("openai/gpt-4o-mini", dear),
    ]);
    let openai = table.provider("openai").unwrap();
    let listed = llm::pricing::find("openai", "openai", "gpt-4o-mini").unwrap();
    let listed = listed.tokens.unwrap();
    let price = openai.tariff("gpt-4o-mini").tokens.unwrap();
    assert_eq!((price.input, price.output), (9_000_000_000, listed.output));
    let resolution = table.resolve("cheap").unwrap();
    let routes = resolution.routes();
    assert!(members(&resolution)[0].node.price(routes) < members(&resolution)[1].node.price(routes));
}

#[test]
fn turns_and_successes_outlive_the_table_but_not_the_combo() {
    let kept = Routing::default();
    let with = |models: &[&str]| {
        let resources = [
            connection("c1", "openai", 1),
            combo("turns", "round-robin", models),
        ];
        recompiled(&resources, &kept)
    };
    let first = with(&["openai/a", "openai/b"]);
    let resolution = first.resolve("turns").unwrap();
    let turns: Vec<u64> = (0..3).map(|_| resolution.combo().unwrap().take_turn()).collect();
    assert_eq!(turns, [0, 1, 2]);
    resolution.seats(1)[0].succeeded();
    kept.store(first);

    let second = with(&["openai/b", "openai/c"]);
    let resolution = second.resolve("turns").unwrap();
    assert_eq!(resolution.combo().unwrap().next_turn(), 3);
    let uses: Vec<u64> = members(&resolution)
        .iter()
        .map(|member| member.seat.uses())
        .collect();
    assert_eq!(uses, [1, 0]);
    kept.store(second);

    kept.store(recompiled(&[], &kept));
    let again = with(&["openai/b"]);
    let resolution = again.resolve("turns").unwrap();
    assert_eq!(resolution.combo().unwrap().next_turn(), 0);
    assert_eq!(resolution.seats(0)[0].uses(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_gate_admits_so_many_at_a_time_and_the_others_wait_their_turn() {
    let gated = changed(combo("turns", "round-robin", &["openai/a"]), |combo| {
        combo.concurrency_per_model = 2;
        combo.queue_timeout_ms = 1_000;
    });
    let resolution = table(&[connection("c1", "openai", 1), gated])
        .resolve("turns")
        .unwrap();
    let gate = resolution.seats(0)[0].gate.clone().unwrap();
    let far = Instant::now() + Duration::from_secs(60);
    let first = gate.enter(far).await.unwrap();
    let _second = gate.enter(far).await.unwrap();
    assert!(gate.try_enter().is_none());

    let asked = Instant::now();
    assert!(gate.enter(far).await.is_none());
    assert_eq!(asked.elapsed().as_millis(), 1_000, "no longer than its patience");
    let asked = Instant::now();
    assert!(gate.enter(asked + Duration::from_millis(10)).await.is_none());
    assert_eq!(
        asked.elapsed().as_millis(),
        10,
        "no longer than the request has left"
    );

    let waiting = tokio::spawn({
        let gate = gate.clone();
        async move { gate.enter(far).await.is_some() }
    });
    tokio::task::yield_now().await;
    drop(first);
    assert!(gate.try_enter().is_none(), "who waits comes first");
    assert!(waiting.await.unwrap());
}

#[test]
fn a_gate_gets_a_new_width_with_the_configuration() {
    let kept = Routing::default();
    let with = |width: u32| {
        let gated = changed(combo("turns", "round-robin", &["openai/a"]), |combo| {
            combo.concurrency_per_model = width;
        });
        let table = recompiled(&[connection("c1", "openai", 1), gated], &kept);
        table.resolve("turns").unwrap().seats(0)[0].gate.clone()
    };
    let narrow = with(1).unwrap();
    let _inside = narrow.try_enter().unwrap();
    assert!(
        with(1).unwrap().try_enter().is_none(),
        "the same gate, and it is full"
    );
    let wide = with(2).unwrap();
    let both = (wide.try_enter(), wide.try_enter());
    assert!(both.0.is_some() && both.1.is_some() && wide.try_enter().is_none());
    assert!(with(0).is_none(), "zero does not limit");
}

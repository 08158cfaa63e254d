//! What a write at a control plane changes in what a data plane does, and how soon.
//!
//! `?wait=applied` answers within three seconds, whether or not the data plane has followed: what is asserted right
//! after it held by then.

use crate::SECOND;
use crate::client::{Client, Operator};
use crate::harness::Cluster;
use crate::text;
use serde_json::{Value, json};
use testkit::{Simulator, wait_until};

const SETTINGS: &str = "/api/settings?wait=applied";

/// One data plane, and two providers behind it: `first` and `second`.
struct Stage {
    cluster: Cluster,
    operator: Operator,
    client: Client,
    key: String,
    providers: [Simulator; 2],
    /// How many requests each had seen when it was asked last.
    seen: [usize; 2],
}

// === impl Stage ===

impl Stage {
    /// With an endpoint and an account for each of the providers.
    async fn start() -> Self {
        let stage = Self::bare().await;
        for (prefix, provider) in ["first", "second"].iter().zip(&stage.providers) {
            stage.operator.add_provider(prefix, &provider.url()).await;
        }
        stage
    }

    async fn bare() -> Self {
        let mut cluster = Cluster::start(1, 1).await;
        let operator = cluster.operator().await;
        let created = operator
            .post("/api/keys?wait=applied", json!({"name": "client"}))
            .await;
        Self {
            client: cluster.clients(&text(&created["key"])).remove(0),
            key: text(&created["id"]),
            cluster,
            operator,
            providers: [Simulator::openai().await, Simulator::openai().await],
            seen: [0, 0],
        }
    }

    /// Who has been asked since this was called last, and how often.
    fn asked(&mut self) -> [usize; 2] {
        let now = self
            .providers
            .each_ref()
            .map(|provider| provider.requests().len());
        let before = std::mem::replace(&mut self.seen, now);
        [now[0] - before[0], now[1] - before[1]]
    }

    /// Asks once; the status, and who was asked.
    async fn chat(&mut self, model: &str) -> (u16, [usize; 2]) {
        let status = self.client.chat(model).await;
        (status, self.asked())
    }

    /// The last body that a provider received.
    fn received(&self, provider: usize) -> Value {
        self.providers[provider].requests().pop().unwrap().body
    }

    /// The id of the endpoint or connection in a list, by name.
    async fn id(&self, path: &str, list: &str, name: &str) -> String {
        let listed = self.operator.get(path).await;
        let entries = listed[list].as_array().unwrap();
        let found = entries
            .iter()
            .find(|entry| entry["prefix"] == name || entry["provider"] == name);
        text(&found.unwrap_or_else(|| panic!("no {name} in {listed}"))["id"])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_asked_for_or_not_within_a_second_of_the_setting() {
    let stage = Stage::start().await;
    let nobody = stage.cluster.clients("").remove(0);
    assert_eq!(
        nobody.chat("first/sim").await,
        401,
        "as data planes do by themselves"
    );
    for (setting, status) in [
        (json!(false), 200),
        (json!(true), 401),
        (json!(false), 200),
        (json!(null), 401),
    ] {
        stage
            .operator
            .put("/api/settings", json!({"requireApiKey": setting}))
            .await;
        wait_until(&format!("an answer {status}"), SECOND, async || {
            (nobody.chat("first/sim").await == status).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_models_asks_for_a_key_and_a_blocked_provider_is_gone_within_a_second_of_the_setting() {
    let stage = Stage::start().await;
    let nobody = stage.cluster.clients("").remove(0);
    assert!(nobody.models().await["data"].is_array());
    stage
        .operator
        .put(
            "/api/settings",
            json!({"requireAuthForModels": true, "blockedProviders": ["first"]}),
        )
        .await;
    wait_until("the list to be closed", SECOND, async || {
        nobody.models().await["error"].is_object().then_some(())
    })
    .await;
    assert_ne!(stage.client.chat("first/sim").await, 200);
    assert_eq!(stage.client.chat("second/sim").await, 200);
    stage
        .operator
        .put("/api/settings", json!({"blockedProviders": []}))
        .await;
    wait_until("the provider to be back", SECOND, async || {
        (stage.client.chat("first/sim").await == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_listed_origins_may_call_as_soon_as_the_setting_is_written() {
    let stage = Stage::bare().await;
    let allowed = async |origin: &str| {
        let headers = stage.client.preflight(origin).await;
        let allowed = headers.get("access-control-allow-origin").cloned();
        allowed.map(|origin| origin.to_str().unwrap().to_owned())
    };
    let (mine, other) = ("https://app.example", "https://evil.example");
    assert_eq!(allowed(other).await.as_deref(), Some("*"));
    for (setting, for_mine, for_other) in [
        (
            json!("https://App.example/, http://localhost:3000"),
            Some(mine),
            None,
        ),
        (json!("*"), Some("*"), Some("*")),
        (json!("https://evil.example"), None, Some(other)),
        (json!(null), Some("*"), Some("*")),
    ] {
        stage
            .operator
            .put(SETTINGS, json!({"corsOrigins": setting}))
            .await;
        assert_eq!(allowed(mine).await.as_deref(), for_mine, "{setting}");
        assert_eq!(allowed(other).await.as_deref(), for_other, "{setting}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_changes_which_provider_is_cheapest_and_what_a_request_costs() {
    let mut stage = Stage::start().await;
    let combo = json!({"name": "cheap", "strategy": "cost-optimized", "models": ["first/sim", "second/sim"]});
    stage.operator.post("/api/combos?wait=applied", combo).await;
    let price = |first: u32, second: u32| {
        let of = |usd: u32| json!({"sim": {"input": usd, "output": usd}});
        json!({"first": of(first), "second": of(second)})
    };
    for (first, second, asked) in [(10, 20, [1, 0]), (40, 20, [0, 1]), (20, 60, [1, 0])] {
        stage
            .operator
            .put("/api/pricing?wait=applied", price(first, second))
            .await;
        assert_eq!(stage.chat("cheap").await, (200, asked));
    }

    // the same question has the same answer, and so as many tokens; newest first
    let costs = wait_until("the requests to be in the log", SECOND * 20, async || {
        let log = stage.operator.get("/api/usage/call-logs").await;
        let rows = log.as_array().unwrap();
        (rows.len() == 3).then(|| Vec::from_iter(rows.iter().map(|row| row["cost"].as_f64().unwrap())))
    })
    .await;
    assert!(costs[0] > 0.0, "{costs:?}");
    for (cost, times) in costs.iter().zip([2.0, 2.0, 1.0]) {
        assert!((cost / costs[2] - times).abs() < 1e-6, "{costs:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_take_turns_as_the_settings_say() {
    let mut stage = Stage::bare().await;
    for (name, provider) in ["first", "second"].iter().zip(&stage.providers) {
        let account = json!({
            "provider": "openai", "name": name, "apiKey": "sk-upstream",
            "providerSpecificData": {"baseUrl": provider.url()},
        });
        stage.operator.post("/api/providers?wait=applied", account).await;
    }
    for (settings, turns) in [
        (json!({"fallbackStrategy": "fill-first"}), 0..=0),
        (
            json!({"fallbackStrategy": "round-robin", "stickyRoundRobinLimit": 1}),
            7..=7,
        ),
        (json!({"stickyRoundRobinLimit": 4}), 1..=2),
        (json!({"fallbackStrategy": "fill-first"}), 0..=0),
    ] {
        stage.operator.put(SETTINGS, settings.clone()).await;
        let mut asked = Vec::new();
        for _ in 0..8 {
            let (status, who) = stage.chat("openai/gpt-4o").await;
            assert_eq!((status, who[0] + who[1]), (200, 1));
            asked.push(who);
        }
        let changes = asked.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(turns.contains(&changes), "{settings}: {asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_rewritten_as_soon_as_a_prompt_and_a_thinking_budget_are_written() {
    let stage = Stage::start().await;
    let question = json!({
        "model": "first/sim", "reasoning_effort": "high", "messages": [{"role": "user", "content": "hello"}],
    });
    let ask = async || {
        assert_eq!(stage.client.complete(&question).await, 200);
        let body = stage.received(0);
        (
            body["messages"][0]["content"].clone(),
            body["reasoning_effort"].clone(),
        )
    };
    let (prompt, thinking) = (
        "/api/settings/system-prompt?wait=applied",
        "/api/settings/thinking-budget?wait=applied",
    );
    assert_eq!(ask().await, (json!("hello"), json!("high")));

    let brief = json!({"enabled": true, "prompt": "Be brief."});
    stage.operator.put(prompt, brief).await;
    assert_eq!(ask().await, (json!("Be brief."), json!("high")));
    stage.operator.put(thinking, json!({"mode": "auto"})).await;
    assert_eq!(ask().await, (json!("Be brief."), json!(null)));
    stage.operator.put(prompt, json!({"enabled": false})).await;
    assert_eq!(ask().await, (json!("hello"), json!(null)));
    stage.operator.put(thinking, json!({"mode": "passthrough"})).await;
    assert_eq!(ask().await, (json!("hello"), json!("high")));
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_answered_as_the_profile_says_from_then_on() {
    let mut stage = Stage::start().await;
    let patient = json!({"transientCooldown": 0, "maxBackoffLevel": 0, "circuitBreakerThreshold": 1000});
    let resting = json!({"transientCooldown": 60_000});
    let strict = json!({"transientCooldown": 0, "circuitBreakerThreshold": 1, "circuitBreakerReset": 60_000});
    for (profile, is_asked_again) in [
        (&patient, true),
        (&resting, false),
        (&strict, false),
        (&patient, true),
    ] {
        let change = json!({"profiles": {"apikey": profile}});
        stage.operator.put("/api/resilience?wait=applied", change).await;
        stage.operator.post("/api/resilience/reset", json!({})).await;
        // the reset is heard of within a moment
        wait_until("the provider to be asked", SECOND, async || {
            assert!(stage.client.chat("first/sim-fail-500").await >= 500);
            (stage.providers[0].requests().len() > stage.seen[0]).then_some(())
        })
        .await;
        stage.asked();
        let (_, asked) = stage.chat("first/sim-fail-500").await;
        assert_eq!(asked[0] > 0, is_asked_again, "{profile}: {asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_stopped_by_its_budget_within_a_second_and_goes_on_without_it() {
    let stage = Stage::start().await;
    let dear = json!({"first": {"sim": {"input": 10_000, "output": 10_000}}});
    stage.operator.put("/api/pricing?wait=applied", dear).await;
    assert_eq!(stage.client.chat("first/sim").await, 200);
    let path = "/api/usage/budget";
    let budget = json!({"apiKeyId": stage.key, "dailyLimitUsd": 0.000_001});
    stage.operator.post(path, budget).await;
    wait_until("the budget to stop the key", SECOND, async || {
        (stage.client.chat("first/sim").await == 429).then_some(())
    })
    .await;
    stage
        .operator
        .delete(&format!("{path}?apiKeyId={}", stage.key))
        .await;
    wait_until("the key to go on", SECOND, async || {
        (stage.client.chat("first/sim").await == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_called_at_its_new_address() {
    let mut stage = Stage::start().await;
    assert_eq!(stage.chat("first/sim").await, (200, [1, 0]));
    let node = stage.id("/api/provider-nodes", "nodes", "first").await;
    let moved = json!({"name": "first", "prefix": "first", "baseUrl": stage.providers[1].url()});
    stage
        .operator
        .put(&format!("/api/provider-nodes/{node}?wait=applied"), moved)
        .await;
    assert_eq!(stage.chat("first/sim").await, (200, [0, 1]));
    let renamed = json!({"name": "first", "prefix": "elsewhere", "baseUrl": stage.providers[1].url()});
    stage
        .operator
        .put(&format!("/api/provider-nodes/{node}?wait=applied"), renamed)
        .await;
    assert_eq!(stage.chat("elsewhere/sim").await, (200, [0, 1]));
    let (status, asked) = stage.chat("first/sim").await;
    assert!(status >= 400 && asked == [0, 0], "{status} {asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_not_called_once_it_is_switched_off_or_deleted() {
    let mut stage = Stage::start().await;
    let node = stage.id("/api/provider-nodes", "nodes", "first").await;
    let account = stage.id("/api/providers", "connections", &node).await;
    let path = format!("/api/providers/{account}?wait=applied");
    assert_eq!(stage.chat("first/sim").await, (200, [1, 0]));
    for (active, asked) in [(false, 0), (true, 1)] {
        stage.operator.put(&path, json!({"isActive": active})).await;
        let (status, who) = stage.chat("first/sim").await;
        assert_eq!((status == 200, who), (active, [asked, 0]));
    }
    stage.operator.delete(&path).await;
    let (status, asked) = stage.chat("first/sim").await;
    assert!(status >= 400 && asked == [0, 0], "{status} {asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_leads_where_aliases_wildcards_and_combos_say() {
    let mut stage = Stage::start().await;
    let alias = "/api/models/alias";
    for (target, asked) in [("first/sim", [1, 0]), ("second/sim", [0, 1])] {
        let fast = json!({"alias": "fast", "model": target});
        stage.operator.put(&format!("{alias}?wait=applied"), fast).await;
        assert_eq!(stage.chat("fast").await, (200, asked));
    }
    stage
        .operator
        .delete(&format!("{alias}?alias=fast&wait=applied"))
        .await;
    assert_eq!(stage.chat("fast").await, (404, [0, 0]));

    let wildcards = json!({"wildcardAliases": [{"pattern": "f*t", "target": "first/sim"}]});
    stage.operator.put(SETTINGS, wildcards).await;
    assert_eq!(stage.chat("fast").await, (200, [1, 0]));
    stage.operator.put(SETTINGS, json!({"wildcardAliases": []})).await;
    assert_eq!(stage.chat("fast").await, (404, [0, 0]));

    let combo = json!({"name": "fast", "models": ["second/sim", "first/sim"]});
    let made = stage.operator.post("/api/combos?wait=applied", combo).await;
    assert_eq!(stage.chat("fast").await, (200, [0, 1]));
    let path = format!("/api/combos/{}?wait=applied", text(&made["id"]));
    let turned = json!({"models": ["first/sim", "second/sim"]});
    stage.operator.put(&path, turned).await;
    assert_eq!(stage.chat("fast").await, (200, [1, 0]));
    stage.operator.delete(&path).await;
    assert_eq!(stage.chat("fast").await, (404, [0, 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_ask_for_what_its_patterns_say_within_a_second() {
    let stage = Stage::start().await;
    let path = format!("/api/keys/{}", stage.key);
    assert_eq!(stage.client.chat("first/sim").await, 200);
    for (patterns, first, second) in [
        (json!(["second/*"]), 403, 200),
        (json!(["first/s*m", "second/other"]), 200, 403),
        (json!([]), 200, 200),
    ] {
        stage
            .operator
            .put(&path, json!({"allowedModels": patterns}))
            .await;
        wait_until(&format!("the patterns {patterns}"), SECOND, async || {
            let answers = [
                stage.client.chat("first/sim").await,
                stage.client.chat("second/sim").await,
            ];
            (answers == [first, second]).then_some(())
        })
        .await;
    }
}

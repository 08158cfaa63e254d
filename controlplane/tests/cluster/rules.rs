//! What operators say about routes, from the API of a control plane to what a data plane does.

use crate::client::Operator;
use crate::harness::Cluster;
use serde_json::{Value, json};
use testkit::{Behaviour, Simulator};

/// Two endpoints that serve the same model, `first` and `second`.
async fn two_endpoints(operator: &Operator) -> (Simulator, Simulator) {
    let (first, second) = (Simulator::openai().await, Simulator::openai().await);
    for (prefix, provider) in [("first", &first), ("second", &second)] {
        operator.add_provider(prefix, &provider.url()).await;
    }
    (first, second)
}

/// How many requests each has seen since it was asked last.
struct Seen<'a>([(&'a Simulator, usize); 2]);

impl Seen<'_> {
    fn news(&mut self) -> [usize; 2] {
        self.0.each_mut().map(|(simulator, before)| {
            let now = simulator.requests().len();
            now - std::mem::replace(before, now)
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_chain_and_policies_lead_requests_as_soon_as_they_are_written() {
    let mut cluster = Cluster::start(1, 1).await;
    let operator = cluster.operator().await;
    let (first, second) = two_endpoints(&operator).await;
    let key = operator
        .post("/api/keys?wait=applied", json!({"name": "client"}))
        .await;
    let client = cluster.clients(key["key"].as_str().unwrap()).remove(0);
    let mut seen = Seen([(&first, 0), (&second, 0)]);

    assert_eq!(client.chat("first/sim").await, 200);
    assert_eq!(seen.news(), [1, 0]);

    let chain = json!({"model": "sim", "chain": [{"provider": "second"}]});
    operator.post("/api/fallback/chains?wait=applied", chain).await;
    first.script(Behaviour::status(404));
    assert_eq!(client.chat("first/sim").await, 200);
    assert_eq!(
        seen.news(),
        [1, 1],
        "the chain stands in for a model that is not there"
    );

    let prefer =
        json!({"name": "prefer second", "type": "routing", "actions": {"prefer_provider": ["second"]}});
    let prefer = operator.post("/api/policies?wait=applied", prefer).await;
    operator.delete("/api/models/availability?model=sim").await;
    assert_eq!(client.chat("first/sim").await, 200);
    assert_eq!(seen.news(), [0, 1], "what is preferred comes first");

    let block = json!({"name": "no second", "type": "access", "actions": {"block_model": ["second/*"]}});
    let block = operator.post("/api/policies?wait=applied", block).await;
    assert_eq!(client.chat("second/sim").await, 403);
    assert_eq!(seen.news(), [0, 0]);

    for policy in [block, prefer] {
        let id = policy["policy"]["id"].as_str().unwrap();
        operator
            .delete(&format!("/api/policies?id={id}&wait=applied"))
            .await;
    }
    operator
        .delete("/api/fallback/chains?model=sim&wait=applied")
        .await;
    assert_eq!(client.chat("second/sim").await, 200);
    assert_eq!(seen.news(), [0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_model_is_listed_and_answers_to_its_bare_name_as_soon_as_it_is_written() {
    let mut cluster = Cluster::start(1, 1).await;
    let operator = cluster.operator().await;
    let (_first, second) = two_endpoints(&operator).await;
    let key = operator
        .post("/api/keys?wait=applied", json!({"name": "client"}))
        .await;
    let client = cluster.clients(key["key"].as_str().unwrap()).remove(0);
    assert_eq!(client.chat("my-model").await, 404);

    let model = json!({"provider": "second", "modelId": "my-model"});
    operator.post("/api/provider-models?wait=applied", model).await;
    assert_eq!(client.chat("my-model").await, 200);
    assert_eq!(second.requests().pop().unwrap().body["model"], "my-model");
    let listed = client.models().await;
    let row = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["id"] == "second/my-model");
    assert_eq!(row.unwrap()["custom"], true, "{listed}");

    operator
        .delete("/api/provider-models?provider=second&model=my-model&wait=applied")
        .await;
    assert_eq!(client.chat("my-model").await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_control_plane_reaches_the_data_plane_of_another() {
    let mut cluster = Cluster::start(2, 1).await;
    let operators: [Operator; 2] = cluster.operators().await.try_into().ok().unwrap();
    let (first, _second) = two_endpoints(&operators[0]).await;
    let combo = json!({"name": "smart", "models": ["first/sim"]});
    operators[0].post("/api/combos?wait=applied", combo).await;

    for operator in &operators {
        let explained = operator.post("/api/explain", json!({"model": "first/sim"})).await;
        assert_eq!(
            explained["decision"]["candidates"].as_array().unwrap().len(),
            1,
            "{explained}"
        );
        assert_eq!(explained["replay"]["same"], true);
        let tested = operator
            .post("/api/combos/test", json!({"comboName": "smart"}))
            .await;
        assert_eq!(tested["resolvedBy"], "first/sim", "{tested}");
    }
    let asked: Vec<Value> = first.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(asked.len(), 2, "each test asked once: {asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suite_is_run_and_a_request_is_tried_through_a_data_plane_at_no_keys_expense() {
    let mut cluster = Cluster::start(1, 1).await;
    let operator = cluster.operator().await;
    let (first, _second) = two_endpoints(&operator).await;
    let suite = json!({"name": "mine", "cases": [{
        "id": "any", "name": "Any answer", "input": {"messages": [{"role": "user", "content": "hello"}]},
        "expected": {"strategy": "regex", "value": "."},
    }]});
    operator.put("/api/evals/mine", suite).await;
    let target = json!({"type": "model", "id": "first/sim"});
    let run = operator
        .post("/api/evals", json!({"suiteId": "mine", "target": target}))
        .await;
    assert_eq!(run["summary"]["passRate"], 100, "{run}");
    assert_eq!(first.requests().pop().unwrap().body["model"], "sim");

    let body =
        json!({"max_tokens": 50, "messages": [{"role": "user", "content": "hello"}], "system": "be kind"});
    let sent = operator
        .post(
            "/api/translator/send",
            json!({"model": "first/sim", "body": body}),
        )
        .await;
    assert_eq!(
        (&sent["sourceFormat"], &sent["result"]["type"]),
        (&json!("anthropic_messages"), &json!("message"))
    );
    assert_eq!(first.requests().len(), 2);
    let planes = operator.get("/api/dataplanes").await;
    let id = planes["dataPlanes"][0]["id"].as_str().unwrap();
    let lines = operator.get(&format!("/api/logs/console?node={id}")).await;
    let components: Vec<&str> = lines
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|line| line["component"].as_str())
        .collect();
    assert!(
        components.iter().any(|name| name.contains("dataplane")),
        "{lines}"
    );
    let usage = operator.get("/api/usage/request-logs").await;
    assert!(
        !usage.to_string().contains("sim"),
        "nothing is accounted: {usage}"
    );
}

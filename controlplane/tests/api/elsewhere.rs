//! Questions to data planes that are connected to another control plane.

use std::{sync::Arc, time::Duration};

use proto::v1::{Explained, command::Op, command_result::Answer};
use serde_json::json;
use testkit::wait_until;

use crate::{
    data_plane::{DataPlane, Reply},
    support::{Api, Database},
};

const SOON: Duration = Duration::from_secs(10);

/// Two control planes of one installation.
async fn two() -> [Api; 2] {
    two_with(5).await
}

async fn two_with(connections: u32) -> [Api; 2] {
    let database = Arc::new(Database::create().await);
    let one = Api::start_on(Arc::clone(&database), connections, |_| {}).await;
    let other = Api::start_on(database, connections, |_| {}).await;
    other.log_in(one.first_run_password.as_deref().unwrap()).await;
    [one, other]
}

/// Until `api` knows that a data plane is connected to some control plane.
async fn know_of_it(api: &Api) {
    wait_until("the data plane to be known", SOON, async || {
        let listed = api.get("/api/dataplanes").await;
        let planes = listed.body["dataPlanes"].as_array()?.clone();
        planes
            .iter()
            .any(|plane| plane["connected"] == true)
            .then_some(())
    })
    .await;
}

fn explained(op: Op) -> Reply {
    match op {
        Op::Explain(asked) => Reply::done(Answer::Explained(Explained {
            refusal: format!("asked for {}", asked.model),
            data_plane_id: "dp-1".to_owned(),
            ..Explained::default()
        })),
        _ => Reply::Refused("unexpected"),
    }
}

#[tokio::test]
async fn a_data_plane_of_another_control_plane_answers() {
    let [one, other] = two().await;
    let _data_plane = DataPlane::join(&one, explained).await;
    know_of_it(&other).await;
    for api in [&one, &other] {
        let answer = api.post("/api/explain", json!({ "model": "m" })).await;
        assert_eq!(answer.expect(200)["refusal"], "asked for m");
    }
    let left = sqlx::query_scalar::<_, i64>("select count(*) from data_plane_question");
    assert_eq!(
        left.fetch_one(other.db.pool()).await.unwrap(),
        0,
        "an answer is taken along"
    );
}

#[tokio::test]
async fn it_does_so_with_few_connections_of_which_none_can_listen() {
    let [one, other] = two_with(2).await;
    let _data_plane = DataPlane::join(&one, explained).await;
    know_of_it(&other).await;
    let answer = other.post("/api/explain", json!({ "model": "m" })).await;
    assert_eq!(answer.expect(200)["refusal"], "asked for m");
}

#[tokio::test]
async fn what_it_would_not_do_and_that_it_left_are_told_over_there_as_well() {
    let [one, other] = two().await;
    let refusing = DataPlane::join(&one, |_| Reply::Refused("not today")).await;
    know_of_it(&other).await;
    let answer = other.post("/api/explain", json!({ "model": "m" })).await;
    let error = answer.expect_error(503, "SERVER_002");
    assert!(
        error["message"].as_str().unwrap().contains("not today"),
        "{error}"
    );
    drop(refusing);

    let _cut = DataPlane::join(&one, |_| Reply::Cut).await;
    know_of_it(&other).await;
    let answer = other.post("/api/explain", json!({ "model": "m" })).await;
    let error = answer.expect_error(503, "SERVER_002");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("left before it answered"),
        "{error}"
    );
}

#[tokio::test]
async fn one_that_left_and_comes_back_at_once_is_connected_again() {
    let [one, other] = two().await;
    // its row says when it was last heard by a clock that has gone on while the row was written
    sqlx::query(
        "insert into data_plane (id, incarnation, build_version, address, state, last_seen)
         values ('dp-1', gen_random_uuid(), '', '', 'gone', now() + interval '1 hour')",
    )
    .execute(other.db.pool())
    .await
    .unwrap();
    let _back = DataPlane::join(&one, |_| Reply::Silent).await;
    know_of_it(&other).await;
}

#[tokio::test]
async fn a_question_for_a_control_plane_that_is_gone_is_withdrawn_and_another_is_asked() {
    let [one, other] = two().await;
    // a control plane that died a moment ago
    sqlx::query(
        "insert into data_plane (id, incarnation, build_version, address, state, applied_epoch, connected_to)
         values ('dp-0', gen_random_uuid(), '', '', 'ready', gen_random_uuid(), gen_random_uuid())",
    )
    .execute(other.db.pool())
    .await
    .unwrap();
    let question = json!({ "model": "m" });
    let answer = other.post("/api/explain", question.clone()).await;
    let error = answer.expect_error(503, "SERVER_002");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("left before it answered"),
        "{error}"
    );
    let left = sqlx::query_scalar::<_, i64>("select count(*) from data_plane_question");
    assert_eq!(left.fetch_one(other.db.pool()).await.unwrap(), 0);

    let _data_plane = DataPlane::join(&one, explained).await;
    wait_until("the other to be known", SOON, async || {
        let listed = other.get("/api/dataplanes").await;
        (listed.body["dataPlanes"].as_array()?.len() == 2).then_some(())
    })
    .await;
    let answer = other.post("/api/explain", question).await;
    assert_eq!(answer.expect(200)["refusal"], "asked for m");
}

#[tokio::test]
async fn without_any_data_plane_the_answer_says_so() {
    let [_, other] = two().await;
    let answer = other.post("/api/explain", json!({ "model": "m" })).await;
    answer.expect_error(503, "NO_DATAPLANE");
}

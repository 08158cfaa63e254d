//! Configuration: from a committed row to a routing table.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use controlplane::{publish::DataPlane, vault::Cell};
use runtime::crypto::{ClusterKeys, SealKey};
use state::{MemoryStore, RedisStore, StateStore};
use testkit::{FaultProxy, fault::Fault, service, snapshot::CLUSTER_SECRET, wait_until};
use uuid::Uuid;

use crate::harness::{Control, Data, Database, SOON, vault};

/// Data planes say every five seconds how they are.
const COUNTED: Duration = Duration::from_secs(20);

const ALIAS: &str = "insert into model_alias (alias, target) values ('fast', 'openai/gpt-4o')
                     on conflict (alias) do update set target = model_alias.target || 'x'";

async fn list_one(control: &Control) -> DataPlane {
    control.fleet.list().await.unwrap().pop().unwrap()
}

async fn reaches_within_a_second(max_connections: u32) {
    let database = Database::new(max_connections).await;
    let control = Control::start(&database).await;
    let data = Data::start("dp", control.address);
    data.wait_for("the first configuration", |standing| standing.applied.is_some())
        .await;

    for n in 0..3 {
        let text = format!("sk-{n}");
        let revision = database.commit_key(&text).await;
        let committed = Instant::now();
        control.wait_applied(revision).await;
        assert!(
            committed.elapsed() < Duration::from_secs(1),
            "{:?}",
            committed.elapsed()
        );
        assert_eq!(data.revision(), revision);
        assert!(data.knows_key(&text));
    }
    let published = control.newest.borrow().as_ref().unwrap().version.clone();
    assert_eq!(data.standing.borrow().applied.as_ref(), Some(&published));
}

#[tokio::test]
async fn a_committed_row_reaches_a_data_plane_within_a_second() {
    reaches_within_a_second(5).await;
}

#[tokio::test]
async fn it_does_so_on_a_single_connection_where_nobody_can_listen() {
    reaches_within_a_second(1).await;
}

#[tokio::test]
async fn a_burst_of_commits_ends_with_the_newest() {
    let database = Database::new(5).await;
    let control = Control::start(&database).await;
    let data = Data::start("dp", control.address);
    let mut revision = 0;
    for n in 0..40 {
        revision = database.commit_key(&format!("sk-{n}")).await;
    }
    control.wait_applied(revision).await;
    assert_eq!(data.revision(), revision);
    assert!((0..40).all(|n| data.knows_key(&format!("sk-{n}"))));
}

#[tokio::test]
async fn a_credential_at_rest_is_opened_only_on_the_data_plane() {
    let database = Database::new(5).await;
    let id = Uuid::now_v7();
    let sealed = vault().seal(Cell::connection_api_key(&id.to_string()), "sk-live");
    sqlx::query(
        "insert into provider_connection (id, provider, auth_type, name, priority, api_key)
         values ($1, 'openai', 'apikey', 'prod', 1, $2)",
    )
    .bind(id)
    .bind(sealed)
    .execute(database.pool())
    .await
    .unwrap();
    let revision = database.commit(ALIAS).await;
    let control = Control::start(&database).await;
    let data = Data::start("dp", control.address);
    data.wait_for("the configuration", |standing| standing.applied.is_some())
        .await;
    control.wait_applied(revision).await;
    assert_eq!(list_one(&control).await.errors.as_array().unwrap().len(), 0);
    assert!(data.routing.load().unwrap().has_connection(&id.to_string()));
}

#[tokio::test]
async fn what_becomes_of_calls_without_clients_travels_with_their_account() {
    let database = Database::new(5).await;
    let id = Uuid::now_v7();
    let sealed = vault().seal(Cell::connection_api_key(&id.to_string()), "sk-live");
    let insert = "insert into provider_connection (id, provider, auth_type, name, priority, api_key)
                  values ($1, 'openai', 'apikey', 'prod', 1, $2)";
    let insert = sqlx::query(insert).bind(id).bind(sealed);
    insert.execute(database.pool()).await.unwrap();
    let control = Control::start(&database).await;
    let data = Data::start("dp", control.address);
    data.wait_for("the first configuration", |standing| standing.applied.is_some())
        .await;
    assert!(!data.routing.drains());
    let statements = [
        (
            r#"update provider_connection set provider_specific_data = '{"onDisconnect": "drain"}'"#,
            true,
        ),
        (
            r#"update provider_connection set provider_specific_data = '{"onDisconnect": "cancel"}'"#,
            false,
        ),
    ];
    for (statement, expected) in statements {
        let revision = database.commit(statement).await;
        control.wait_applied(revision).await;
        assert_eq!(data.routing.drains(), expected, "{statement}");
    }
    assert_eq!(list_one(&control).await.errors.as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn what_rewrites_requests_travels_only_while_it_does_something() {
    let database = Database::new(5).await;
    let control = Control::start(&database).await;
    let data = Data::start("dp", control.address);
    data.wait_for("the first configuration", |standing| standing.applied.is_some())
        .await;
    let rewrites = || data.routing.load().is_some_and(|table| table.rewrite().is_some());
    let writes = [
        (
            r#"insert into setting (key, value) values ('systemPrompt', '{"enabled": true, "prompt": "Be brief."}')"#,
            true,
        ),
        (
            r#"update setting set value = '{"enabled": false, "prompt": "Be brief."}' where key = 'systemPrompt'"#,
            false,
        ),
        (
            r#"insert into setting (key, value)
               values ('thinkingBudget', '{"mode": "custom", "customBudget": 0, "effortLevel": "low"}')"#,
            true,
        ),
        (
            r#"update setting set value = '{"mode": "passthrough", "customBudget": 0, "effortLevel": "low"}'
               where key = 'thinkingBudget'"#,
            false,
        ),
    ];
    for (statement, expected) in writes {
        let revision = database.commit(statement).await;
        control.wait_applied(revision).await;
        assert_eq!(rewrites(), expected, "{statement}");
    }
}

#[tokio::test]
async fn a_resource_that_cannot_be_used_is_quarantined_and_the_rest_applies() {
    let database = Database::new(5).await;
    let control = Control::start(&database).await;
    let data = Data::start("dp", control.address);
    data.wait_for("the first configuration", |standing| standing.applied.is_some())
        .await;

    database
        .commit(
            "insert into provider_connection (id, provider, auth_type, name, priority, api_key)
             values ('01890000-0000-7000-8000-000000000001', 'openai', 'apikey', 'broken', 1, 'not sealed')",
        )
        .await;
    let revision = database.commit_key("sk-after").await;
    control.wait_applied(revision).await;

    assert!(data.knows_key("sk-after"));
    assert!(
        !data
            .routing
            .load()
            .unwrap()
            .has_connection("01890000-0000-7000-8000-000000000001")
    );
    let listed = list_one(&control).await;
    assert_eq!(
        (listed.applied_revision, listed.rejected_revision),
        (revision, None)
    );
    let errors = listed.errors.as_array().unwrap();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["id"], "01890000-0000-7000-8000-000000000001");
    assert_eq!(
        (&errors[0]["code"], &errors[0]["quarantined"]),
        (&"INVALID".into(), &true.into())
    );
    assert!(
        errors[0]["message"].as_str().unwrap().contains("credential"),
        "{errors:?}"
    );
}

#[tokio::test]
async fn a_configuration_without_usable_settings_is_refused_and_the_running_one_stays() {
    let database = Database::new(5).await;
    let revision = database.commit_key("sk-good").await;
    let control = Control::start(&database).await;
    let proxy = FaultProxy::to(control.address).await;
    let data = Data::start("dp", proxy.address());
    data.wait_for("the first configuration", |standing| standing.applied.is_some())
        .await;

    // a replica that seals under another key publishes settings that nobody can open
    let keys = ClusterKeys::derive(CLUSTER_SECRET);
    let keys = ClusterKeys {
        transport: SealKey::derive("test", "another"),
        ..keys
    };
    let misconfigured = Control::start_with(&database, &keys).await;
    let other = FaultProxy::to(misconfigured.address).await;
    let refused = Data::start("dp-2", other.address());
    wait_until("both data planes to be known", SOON, async || {
        let known = misconfigured.fleet.list().await.unwrap();
        (known.len() == 2).then_some(())
    })
    .await;
    let newer = database.commit(ALIAS).await;
    let applied = misconfigured.fleet.wait_applied(newer, SOON).await;
    assert_eq!(
        (applied.total, applied.acked, applied.refused),
        (2, 1, 1),
        "one follows each replica"
    );
    assert_eq!(refused.revision(), 0);

    // now the good data plane meets the bad replica
    drop(data);
    drop(control);
    let store = Arc::new(MemoryStore::default());
    let control = Control::start(&database).await;
    let data = Data::start_with("dp", control.address, store.clone());
    data.wait_for("the configuration", |standing| standing.applied.is_some())
        .await;
    wait_until("the configuration to be stored", SOON, async || {
        store.load_snapshot().await.unwrap()
    })
    .await;
    drop(data);
    let data = Data::start_with("dp", misconfigured.address, store);
    data.wait_for("the stored configuration", |standing| standing.applied.is_some())
        .await;
    let refusal = async || {
        let planes = misconfigured.fleet.list().await.unwrap();
        planes
            .into_iter()
            .find(|plane| plane.id == "dp" && plane.rejected_revision.is_some())
    };
    let refusal = wait_until("the refusal to be listed", SOON, refusal).await;
    assert_eq!(refusal.rejected_revision, Some(newer));
    assert_eq!(refusal.applied_revision, newer, "what it ran before still runs");
    assert!(data.knows_key("sk-good"));
    assert!(revision < newer);
}

#[tokio::test]
async fn a_data_plane_that_lost_its_stream_catches_up() {
    let database = Database::new(5).await;
    let control = Control::start(&database).await;
    let proxy = FaultProxy::to(control.address).await;
    let data = Data::start("dp", proxy.address());
    data.wait_for("the connection", |standing| {
        standing.connected && standing.applied.is_some()
    })
    .await;

    proxy.set(Fault::Refuse);
    data.wait_for("the loss", |standing| !standing.connected).await;
    let revision = database.commit_key("sk-meanwhile").await;
    proxy.set(Fault::None);
    data.wait_for("the newest revision", |standing| {
        standing
            .applied
            .as_ref()
            .is_some_and(|version| version.revision == revision)
    })
    .await;
    assert!(data.knows_key("sk-meanwhile"));
    control.wait_applied(revision).await;
}

#[tokio::test]
async fn a_data_plane_leaves_the_list_of_connected_ones_when_it_stops() {
    let database = Database::new(5).await;
    let control = Control::start(&database).await;
    let data = Data::start("dp", control.address);
    data.wait_for("the connection", |standing| {
        standing.connected && standing.applied.is_some()
    })
    .await;
    control.wait_applied(0).await;
    assert!(list_one(&control).await.connected);

    data.stop();
    let gone = async || Some(list_one(&control).await).filter(|plane| !plane.connected);
    assert_eq!(
        wait_until("the data plane to leave", SOON, gone).await.state,
        "gone"
    );
    assert_eq!(
        control.fleet.wait_applied(u64::MAX, SOON).await.total,
        0,
        "nobody is left to wait for"
    );
}

#[tokio::test]
async fn data_planes_of_other_replicas_count() {
    let database = Database::new(10).await;
    let (one, two) = (Control::start(&database).await, Control::start(&database).await);
    let (a, b) = (Data::start("dp-a", one.address), Data::start("dp-b", two.address));
    for data in [&a, &b] {
        data.wait_for("the connection", |standing| standing.applied.is_some())
            .await;
    }
    let revision = database.commit_key("sk-everywhere").await;
    let counted =
        async || Some(one.fleet.wait_applied(revision, SOON).await).filter(|applied| applied.total == 2);
    assert_eq!(wait_until("both to be counted", SOON, counted).await.acked, 2);
    assert!(a.knows_key("sk-everywhere") && b.knows_key("sk-everywhere"));

    two.stop().await;
    let left = async || (one.fleet.wait_applied(revision, SOON).await.total == 1).then_some(());
    wait_until("the data plane of the stopped replica not to count", SOON, left).await;
}

async fn boots_from(store: Arc<dyn StateStore>) {
    let database = Database::new(5).await;
    let revision = database.commit_key("sk-kept").await;
    let control = Control::start(&database).await;
    let first = Data::start_with("dp-1", control.address, store.clone());
    first
        .wait_for("the configuration", |standing| standing.applied.is_some())
        .await;
    wait_until("the configuration to be stored", SOON, async || {
        store.load_snapshot().await.unwrap()
    })
    .await;
    let address = control.address;
    control.stop().await;

    let second = Data::start_with("dp-2", address, store.clone());
    let standing = second
        .wait_for("the stored configuration", |standing| standing.applied.is_some())
        .await;
    assert!(standing.from_store && !standing.connected);
    assert_eq!(second.revision(), revision);
    assert!(second.knows_key("sk-kept"));

    let control = Control::start(&database).await;
    let third = Data::start_with("dp-3", control.address, store);
    third
        .wait_for("a control plane to confirm", |standing| {
            standing.connected && standing.applied.is_some() && !standing.from_store
        })
        .await;
    assert_eq!(third.revision(), revision);
}

#[tokio::test]
async fn a_data_plane_serves_from_the_stored_configuration_while_no_control_plane_answers() {
    boots_from(Arc::new(MemoryStore::default())).await;
    let redis = RedisStore::connect(&service::redis_url(), &service::prefix())
        .await
        .unwrap();
    boots_from(Arc::new(redis)).await;
}

#[tokio::test]
async fn every_control_plane_counts_the_data_planes_of_all() {
    let database = Database::new(5).await;
    let (one, other) = (Control::start(&database).await, Control::start(&database).await);
    let mut data = Vec::new();
    for (id, control) in [("dp-1", &one), ("dp-2", &other), ("dp-3", &other)] {
        let plane = Data::start(id, control.address);
        plane
            .wait_for("the first configuration", |standing| standing.applied.is_some())
            .await;
        data.push(plane);
    }
    let count = async |expected: usize| {
        wait_until("both to count all", COUNTED, async || {
            (one.fleet.ready() == expected && other.fleet.ready() == expected).then_some(())
        })
        .await;
    };
    count(3).await;
    data.pop();
    count(2).await;
}

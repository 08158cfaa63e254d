//! What only several stores on one Redis can show, and a Redis that forgets.

use crate::health::{fine, model, open, provider, resting, subjects};
use crate::{WINDOW, bytes, entry_key, new_prefix, redis_store, redis_url};
use futures::future::join_all;
use redis::aio::MultiplexedConnection;
use state::{
    CacheHoldings, CacheReport, CacheStats, Claim, ComboCount, ConnectionLoad, LoginStanding, SessionUse,
    Standing, StateStore,
};

#[tokio::test]
async fn deployments_that_share_a_redis_do_not_see_each_other() {
    let (one, other) = (redis_store(&new_prefix()).await, redis_store(&new_prefix()).await);
    one.store_snapshot("a", 1, bytes("one")).await.unwrap();
    one.revoke_session("s1", WINDOW).await.unwrap();
    one.login_failure("ip", WINDOW, 1).await.unwrap();
    one.note_health(&[open("openai", WINDOW, 5)]).await.unwrap();
    assert!(one.claim_probe("openai", "d1", WINDOW).await.unwrap());
    one.add_combo_counts(&[ComboCount::default()]).await.unwrap();
    one.touch_sessions(&[SessionUse::default()]).await.unwrap();
    one.report_loads("d1", &[ConnectionLoad::default()])
        .await
        .unwrap();

    one.claim_request(&entry_key(), "d1", WINDOW).await.unwrap();
    one.cache_answer(&entry_key(), bytes("answer"), WINDOW)
        .await
        .unwrap();

    assert_eq!(other.load_snapshot().await.unwrap(), None);
    assert!(!other.session_revoked("s1").await.unwrap());
    assert_eq!(
        other.login_standing("ip").await.unwrap(),
        LoginStanding::Open { failures: 0 }
    );
    assert_eq!(other.health_since(0).await.unwrap().transitions, []);
    assert!(other.claim_probe("openai", "d1", WINDOW).await.unwrap());
    assert_eq!(other.combo_counts(None).await.unwrap(), []);
    assert_eq!(other.sessions().await.unwrap(), []);
    assert_eq!(other.loads().await.unwrap(), []);
    let claim = other.claim_request(&entry_key(), "d2", WINDOW).await.unwrap();
    assert_eq!(claim, Claim::Granted);
    assert_eq!(other.cached_answer(&entry_key()).await.unwrap(), None);
    assert_eq!(other.cache_stats(1).await.unwrap(), CacheStats::default());
}

#[tokio::test]
async fn of_stores_of_one_deployment_one_carries_a_request_out_and_all_get_its_answer() {
    let prefix = new_prefix();
    let stores = join_all((0..8).map(|_| redis_store(&prefix))).await;
    let claims = join_all((0..64).map(|n| {
        let store = &stores[n % stores.len()];
        async move { store.claim_request(&entry_key(), &n.to_string(), WINDOW).await }
    }))
    .await;
    let granted: Vec<_> = (0..claims.len())
        .filter(|n| *claims[*n].as_ref().unwrap() == Claim::Granted)
        .collect();
    let [holder] = granted[..] else {
        panic!("{granted:?}");
    };
    let answered = stores[0]
        .answer_claim(&entry_key(), &holder.to_string(), bytes("answer"), WINDOW)
        .await;
    assert!(answered.unwrap());
    for store in &stores {
        let claim = store.claim_request(&entry_key(), "late", WINDOW).await.unwrap();
        assert_eq!(claim, Claim::Answered(bytes("answer")));
    }
}

#[tokio::test]
async fn the_holdings_of_a_data_plane_that_stopped_reporting_are_forgotten_by_redis() {
    let prefix = new_prefix();
    let store = redis_store(&prefix).await;
    let holdings = CacheHoldings {
        entries: 1,
        ..CacheHoldings::default()
    };
    let report = CacheReport {
        generation: 1,
        holdings,
        ..CacheReport::default()
    };
    store.report_cache("d1", &report).await.unwrap();
    age(&format!("{prefix}:{{cache}}:ends")).await;
    assert_eq!(store.cache_stats(1).await.unwrap().holdings.entries, 0);

    store.report_cache("d2", &report).await.unwrap();
    assert_eq!(store.cache_stats(1).await.unwrap().holdings.entries, 1);
    let keys = ["{cache}:reports", "{cache}:ends"];
    assert_expire(&prefix, &keys, state::CACHE_REPORT_TTL).await;
}

#[tokio::test]
async fn nothing_about_answers_stays_in_redis_for_ever_but_their_counts() {
    let prefix = new_prefix();
    let store = redis_store(&prefix).await;
    let key = entry_key();
    store.cache_answer(&key, bytes("answer"), WINDOW).await.unwrap();
    store.claim_request(&key, "d1", WINDOW).await.unwrap();
    let name = format!("1:{}:tenant", "01".repeat(32));
    let keys = [
        format!("answer:{name}"),
        format!("claim:{name}"),
        "{cache}:index".to_owned(),
    ];
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    assert_expire(&prefix, &keys, WINDOW + std::time::Duration::from_secs(1)).await;
}

#[tokio::test]
async fn stores_of_one_deployment_see_each_others_transitions() {
    let prefix = new_prefix();
    let (one, other) = (redis_store(&prefix).await, redis_store(&prefix).await);
    let before = other.health_since(0).await.unwrap().version;
    one.note_health(&[resting(model("c1", "gpt-5"), WINDOW, 2)])
        .await
        .unwrap();

    let seen = other.health_since(before).await.unwrap();
    assert_eq!(seen.version, one.health_since(before).await.unwrap().version);
    assert_eq!(subjects(&seen), [model("c1", "gpt-5")]);
    assert!(!seen.complete);

    other.note_health(&[fine(model("c1", "gpt-5"))]).await.unwrap();
    let seen = one.health_since(seen.version).await.unwrap();
    assert_eq!(subjects(&seen), [model("c1", "gpt-5")]);
    assert_eq!(seen.transitions[0].standing, Standing::Fine);
}

#[tokio::test]
async fn of_stores_of_one_deployment_one_probes() {
    let prefix = new_prefix();
    let stores = join_all((0..8).map(|_| redis_store(&prefix))).await;
    let claims = join_all((0..64).map(|n| {
        let store = &stores[n % stores.len()];
        async move { store.claim_probe("openai", &n.to_string(), WINDOW).await }
    }))
    .await;
    assert_eq!(
        claims
            .into_iter()
            .filter(|claim| *claim.as_ref().unwrap())
            .count(),
        1
    );
}

#[tokio::test]
async fn a_redis_that_lost_its_memory_says_so_however_much_was_noted_since() {
    let prefix = new_prefix();
    let store = redis_store(&prefix).await;
    let mut redis = connection().await;
    for lost in ["{health}", "{health}:order", "{health}:forget"] {
        store
            .note_health(&[resting(provider("before"), WINDOW, 1)])
            .await
            .unwrap();
        let before = store.health_since(0).await.unwrap();
        assert_eq!(subjects(&before), [provider("before")]);

        // any one of the keys may be evicted
        let _: () = redis::cmd("DEL")
            .arg(format!("{prefix}:{lost}"))
            .query_async(&mut redis)
            .await
            .unwrap();
        let after = [
            resting(provider("after"), WINDOW, 1),
            fine(provider("a")),
            fine(provider("b")),
        ];
        store.note_health(&after).await.unwrap();
        let changes = store.health_since(before.version).await.unwrap();
        assert!(changes.complete, "{lost}");
        assert_eq!(subjects(&changes), [provider("after")], "{lost}");
        assert!(
            !store.health_since(changes.version).await.unwrap().complete,
            "{lost}"
        );
        store.note_health(&[fine(provider("after"))]).await.unwrap();
    }
}

#[tokio::test]
async fn what_redis_has_forgotten_in_the_course_of_time_makes_an_old_question_a_new_one() {
    let prefix = new_prefix();
    let store = redis_store(&prefix).await;
    store.note_health(&[fine(provider("a"))]).await.unwrap();
    let before = store.health_since(0).await.unwrap().version;
    store.note_health(&[fine(provider("b"))]).await.unwrap();
    let after = store.health_since(before).await.unwrap();
    assert!(!after.complete);

    age(&format!("{prefix}:{{health}}:forget")).await;
    // and still does when nothing is left to be forgotten
    for _ in 0..2 {
        assert!(store.health_since(before).await.unwrap().complete);
    }
    assert!(!store.health_since(after.version).await.unwrap().complete);
    let left: usize = redis::cmd("HLEN")
        .arg(format!("{prefix}:{{health}}"))
        .query_async(&mut connection().await)
        .await
        .unwrap();
    assert_eq!(left, 2, "its version and what it has forgotten");
}

#[tokio::test]
async fn an_idle_session_is_forgotten_by_redis() {
    let prefix = new_prefix();
    let store = redis_store(&prefix).await;
    let used = |session: &str| SessionUse {
        session: session.to_owned(),
        requests: 1,
        ..SessionUse::default()
    };
    store.touch_sessions(&[used("a"), used("b")]).await.unwrap();
    age(&format!("{prefix}:{{sessions}}:seen")).await;
    assert_eq!(store.sessions().await.unwrap(), []);

    store.touch_sessions(&[used("b")]).await.unwrap();
    let sessions = store.sessions().await.unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].requests, 1);
    assert_expire(&prefix, &["{sessions}", "{sessions}:seen"], state::SESSION_IDLE).await;
}

#[tokio::test]
async fn the_load_of_a_data_plane_that_stopped_reporting_is_forgotten_by_redis() {
    let prefix = new_prefix();
    let store = redis_store(&prefix).await;
    let load = ConnectionLoad {
        running: 1,
        ..ConnectionLoad::default()
    };
    store
        .report_loads("d1", std::slice::from_ref(&load))
        .await
        .unwrap();
    age(&format!("{prefix}:{{loads}}:ends")).await;
    assert_eq!(store.loads().await.unwrap(), []);

    store
        .report_loads("d2", std::slice::from_ref(&load))
        .await
        .unwrap();
    assert_eq!(store.loads().await.unwrap(), [load]);
    assert_expire(&prefix, &["{loads}", "{loads}:ends"], state::LOAD_TTL).await;
}

async fn connection() -> MultiplexedConnection {
    let client = redis::Client::open(redis_url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// Makes every member of an index of times as old as can be.
async fn age(index: &str) {
    let mut redis = connection().await;
    let members: Vec<String> = redis::cmd("ZRANGE")
        .arg(index)
        .arg(0)
        .arg(-1)
        .query_async(&mut redis)
        .await
        .unwrap();
    assert!(!members.is_empty(), "{index}");
    for member in members {
        let _: () = redis::cmd("ZADD")
            .arg(index)
            .arg(1)
            .arg(member)
            .query_async(&mut redis)
            .await
            .unwrap();
    }
}

async fn assert_expire(prefix: &str, keys: &[&str], after: std::time::Duration) {
    let mut redis = connection().await;
    for key in keys {
        let left: i64 = redis::cmd("PTTL")
            .arg(format!("{prefix}:{key}"))
            .query_async(&mut redis)
            .await
            .unwrap();
        assert!(
            left > 0 && u128::try_from(left).unwrap() <= after.as_millis(),
            "{key}: {left}"
        );
    }
}

//! Who is let in by address.

use crate::harness::{DataPlane, KEY, Setup, header, json};
use proto::v1::{IpFilter, resource::Body};
use reqwest::Response;
use serde_json::Value;
use state::{MemoryStore, StateStore};
use std::sync::Arc;
use std::time::Duration;
use testkit::{Simulator, wait_until};

/// What is promised.
const SECOND: Duration = Duration::from_secs(1);

/// The tests' own address is a trusted proxy, so that clients may come from anywhere.
fn filtered(mode: &str, blacklist: &[&str], whitelist: &[&str]) -> Setup {
    let list = |entries: &[&str]| entries.iter().map(|entry| (*entry).to_owned()).collect();
    let filter = IpFilter {
        enabled: true,
        mode: mode.to_owned(),
        blacklist: list(blacklist),
        whitelist: list(whitelist),
    };
    behind_proxy().resource("ip-filter", Body::IpFilter(filter))
}

fn behind_proxy() -> Setup {
    let trusted: Value = "127.0.0.0/8".into();
    Setup::new().config(|config| config.edge.trusted_proxies = serde_json::from_value(trusted).unwrap())
}

async fn from(data_plane: &DataPlane, client: &str, path: &str, key: &str) -> Response {
    let request = data_plane.get(path).bearer_auth(key);
    request.header("x-forwarded-for", client).send().await.unwrap()
}

#[tokio::test]
async fn an_address_that_is_not_let_in_is_told_so_before_its_key_is_looked_at() {
    let upstream = Simulator::openai().await;
    let table = [
        ("blacklist", "203.0.113.9", "IP blacklisted"),
        ("blacklist", "2001:db8::1", "IP blacklisted"),
        ("whitelist", "198.51.100.1", "IP not in whitelist"),
        ("whitelist-priority", "203.0.113.9", "IP blacklisted"),
    ];
    for (mode, client, reason) in table {
        let setup = filtered(mode, &["203.0.113.0/24", "2001:db8::/32"], &["192.0.2.*"]);
        let data_plane = setup.account("a", "openai", &upstream).start().await;
        for key in [KEY, "sk-of-nobody"] {
            let response = from(&data_plane, client, "/v1/models", key).await;
            assert_eq!(response.status(), 403, "{mode} {client}");
            let body = json(response).await;
            assert_eq!(
                (&body["error"]["code"], &body["error"]["message"]),
                (&"IP_001".into(), &reason.into())
            );
        }
        let inside = from(&data_plane, "192.0.2.1", "/v1/models", KEY).await;
        assert_eq!(inside.status(), 200, "{mode}");
    }
}

#[tokio::test]
async fn every_dialect_has_its_own_words_for_it_and_nothing_reaches_a_provider() {
    let upstream = Simulator::openai().await;
    let data_plane = filtered("whitelist", &[], &["192.0.2.1"])
        .account("a", "openai", &upstream)
        .start()
        .await;
    let table = [
        ("/v1/chat/completions", "/error/code", "IP_001"),
        ("/v1/responses", "/error/code", "IP_001"),
        ("/v1/messages", "/error/type", "permission_error"),
        ("/v1/messages/count_tokens", "/error/type", "permission_error"),
        (
            "/v1beta/models/openai/demo:generateContent",
            "/error/status",
            "PERMISSION_DENIED",
        ),
    ];
    for (path, place, word) in table {
        let request = data_plane.post(path).bearer_auth(KEY).body("not even JSON");
        let response = request
            .header("x-forwarded-for", "192.0.2.2")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 403, "{path}");
        let body = json(response).await;
        assert_eq!(body.pointer(place), Some(&word.into()), "{path} {body}");
    }
    let tags = from(&data_plane, "192.0.2.2", "/api/tags", KEY).await;
    assert_eq!(
        (tags.status().as_u16(), json(tags).await["error"].as_str()),
        (403, Some("IP not in whitelist"))
    );
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn what_a_client_says_of_itself_counts_only_from_a_trusted_proxy() {
    let upstream = Simulator::openai().await;
    let filter = || filtered("blacklist", &["203.0.113.9"], &[]).account("a", "openai", &upstream);
    let behind = filter().start().await;
    let direct = filter()
        .config(|config| config.edge.trusted_proxies = Default::default())
        .start()
        .await;
    let table = [
        ("203.0.113.9", 403, 200),
        ("203.0.113.8, 203.0.113.9", 403, 200),
        // the client's own claim
        ("203.0.113.9, 203.0.113.8", 200, 200),
        ("::ffff:203.0.113.9", 403, 200),
    ];
    for (forwarded, trusting, not) in table {
        assert_eq!(
            from(&behind, forwarded, "/v1/models", KEY).await.status(),
            trusting,
            "{forwarded}"
        );
        assert_eq!(
            from(&direct, forwarded, "/v1/models", KEY).await.status(),
            not,
            "{forwarded}"
        );
    }
}

#[tokio::test]
async fn a_ban_holds_on_every_data_plane_within_a_second_and_ends_by_itself() {
    let upstream = Simulator::openai().await;
    let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
    let mut data_planes = Vec::new();
    for id in ["a", "b"] {
        let setup = filtered("blacklist", &[], &[]).store(store.clone());
        let data_plane = setup.account("a", "openai", &upstream).start().await;
        data_plane.share(id);
        data_planes.push(data_plane);
    }
    let ip = "203.0.113.9".parse().unwrap();
    let everywhere = async |status: u16| {
        for data_plane in &data_planes {
            wait_until(&format!("{status}"), SECOND, async || {
                let response = from(data_plane, "203.0.113.9", "/v1/models", KEY).await;
                (response.status() == status).then_some(())
            })
            .await;
            let other = from(data_plane, "203.0.113.8", "/v1/models", KEY).await;
            assert_eq!(other.status(), 200);
        }
    };
    everywhere(200).await;
    store.ban(ip, "scraping", Duration::from_secs(60)).await.unwrap();
    everywhere(403).await;
    let refused = from(&data_planes[0], "203.0.113.9", "/v1/models", KEY).await;
    assert_eq!(header(&refused, "x-omniroute-degraded"), None);
    assert_eq!(
        json(refused).await["error"]["message"],
        "Temporarily banned: scraping"
    );
    store.unban(ip).await.unwrap();
    everywhere(200).await;

    store.ban(ip, "shortly", SECOND).await.unwrap();
    everywhere(403).await;
    wait_until("the ban to end", 2 * SECOND, async || {
        let response = from(&data_planes[1], "203.0.113.9", "/v1/models", KEY).await;
        (response.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nobody_is_kept_out_while_the_filter_is_off() {
    let upstream = Simulator::openai().await;
    let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
    let setup = behind_proxy().store(store.clone());
    let data_plane = setup.account("a", "openai", &upstream).start().await;
    let ip = "203.0.113.9".parse().unwrap();
    store.ban(ip, "", Duration::from_secs(60)).await.unwrap();
    data_plane.gateway.banned.refresh(&*store).await.unwrap();
    assert!(data_plane.gateway.banned.find(ip).is_some());
    assert_eq!(
        from(&data_plane, "203.0.113.9", "/v1/models", KEY).await.status(),
        200
    );
}

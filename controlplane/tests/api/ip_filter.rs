//! Who is let in by address.

use std::time::Duration;

use axum::http::{HeaderValue, Method};
use serde_json::{Value, json};
use testkit::wait_until;

use crate::support::{Answer, Api};

const PATH: &str = "/api/settings/ip-filter";
/// What is promised for bans; lists take no longer.
const SECOND: Duration = Duration::from_secs(1);

/// Until a client at this address gets this status.
async fn gets(api: &Api, peer: &str, status: u16) -> Answer {
    let client = api.for_client_at(peer);
    wait_until(&format!("{peer} to get {status}"), SECOND, async || {
        let answer = client.get("/api/auth/status").await;
        (answer.status == status).then_some(answer)
    })
    .await
}

#[tokio::test]
async fn nobody_is_kept_out_at_first() {
    let api = Api::start().await;
    let nothing = json!({
        "enabled": false, "mode": "blacklist", "blacklist": [], "whitelist": [], "tempBans": [],
    });
    assert_eq!(api.get(PATH).await.expect(200), &nothing);
}

#[tokio::test]
async fn lists_are_replaced_and_changed_entry_by_entry_and_kept_in_one_form() {
    let api = Api::start().await;
    let table = [
        (
            json!({"blacklist": ["203.0.113.9/24", " 10.0.*.* ", "::ffff:192.0.2.1", "192.0.2.1", "2001:DB8::/32"]}),
            json!(["10.0.*.*", "192.0.2.1", "2001:db8::/32", "203.0.113.0/24"]),
            json!([]),
        ),
        (
            json!({"removeBlacklist": "203.0.113.77/24", "addBlacklist": "198.51.100.1", "addWhitelist": "192.0.2.2"}),
            json!(["10.0.*.*", "192.0.2.1", "198.51.100.1", "2001:db8::/32"]),
            json!(["192.0.2.2"]),
        ),
        (
            json!({"blacklist": ["192.0.2.7"], "addBlacklist": "192.0.2.8", "removeWhitelist": "192.0.2.2"}),
            json!(["192.0.2.7", "192.0.2.8"]),
            json!([]),
        ),
    ];
    for (body, blacklist, whitelist) in table {
        let answer = api.put(PATH, body).await;
        let view = answer.expect(200);
        assert_eq!((&view["blacklist"], &view["whitelist"]), (&blacklist, &whitelist));
        assert!(!answer.header("x-config-revision").is_empty());
        assert_eq!(&api.get(PATH).await.body, view);
    }
    let whole = api.get(PATH).await.body;
    api.patch(PATH, whole.clone()).await.expect(200);
    assert_eq!(api.get(PATH).await.body, whole, "what was read can be sent back");
    let audit = api
        .get("/api/compliance/audit-log?action=settings.ipFilter.updated")
        .await;
    let details = &audit.expect(200)[1]["details"];
    assert_eq!(details["added"]["blacklist"], json!(["192.0.2.7", "192.0.2.8"]));
    assert_eq!(details["removed"]["whitelist"], json!(["192.0.2.2"]));
}

#[tokio::test]
async fn what_is_no_entry_is_refused() {
    let api = Api::start().await;
    let long = "x".repeat(201);
    for body in [
        json!({}),
        json!({"force": true}),
        json!({"mode": "greylist"}),
        json!({"enabled": "yes"}),
        json!({"blacklist": ["10.0.0"]}),
        json!({"whitelist": ["10.0.0.0/33"]}),
        json!({"addBlacklist": "example.com"}),
        json!({"addBlacklist": ""}),
        json!({"tempBan": {}}),
        json!({"tempBan": {"ip": "10.0.0.0/8"}}),
        json!({"tempBan": {"ip": "10.0.0.1", "durationMs": 999}}),
        json!({"tempBan": {"ip": "10.0.0.1", "durationMs": 2_592_000_001_u64}}),
        json!({"tempBan": {"ip": "10.0.0.1", "reason": long}}),
        json!({"removeBan": "nobody"}),
        json!({"unknown": 1}),
        json!({"blacklist": vec!["10.0.0.1"; 10_001], "whitelist": (0..10_001).map(|n| format!("10.{}.{}.1", n / 256, n % 256)).collect::<Vec<_>>()}),
    ] {
        let answer = api.put(PATH, body).await;
        assert!(
            ["VALIDATION_001", "VALIDATION_002"].contains(&answer.body["error"]["code"].as_str().unwrap()),
            "{}",
            answer.body
        );
        assert_eq!(answer.status, 400);
    }
}

#[tokio::test]
async fn a_wrong_entry_is_named_by_its_place_in_its_list() {
    let api = Api::start().await;
    for (body, field) in [
        (json!({"blacklist": ["10.0.0"]}), "blacklist.0"),
        (json!({"whitelist": ["10.0.0.1", "10.0.0.0/33"]}), "whitelist.1"),
        (json!({"addBlacklist": "example.com"}), "addBlacklist"),
        (json!({"tempBan": {"ip": "10.0.0.0/8"}}), "tempBan.ip"),
    ] {
        let refused = api.put(PATH, body.clone()).await;
        let error = refused.expect_error(400, "VALIDATION_001");
        assert_eq!(error["details"][0]["field"], field, "{body}: {error}");
    }
}

#[tokio::test]
async fn the_lists_hold_for_the_management_api_and_never_for_the_machine_itself() {
    let api = Api::start().await;
    let table = [
        ("blacklist", "203.0.113.9:1", "198.51.100.1:1", "IP blacklisted"),
        (
            "whitelist",
            "198.51.100.1:1",
            "192.0.2.1:1",
            "IP not in whitelist",
        ),
        (
            "whitelist-priority",
            "203.0.113.9:1",
            "203.0.113.8:1",
            "IP blacklisted",
        ),
    ];
    let lists = json!({
        "enabled": true, "force": true, "blacklist": ["203.0.113.0/24"], "whitelist": ["192.0.2.1", "203.0.113.8"],
    });
    for (mode, out, inside, reason) in table {
        let mut body = lists.clone();
        body["mode"] = json!(mode);
        api.put(PATH, body).await.expect(200);
        // until the lists mean what they mean now
        gets(&api, inside, 200).await;
        wait_until(
            &format!("{out} to be refused by the {mode}"),
            SECOND,
            async || {
                let refused = gets(&api, out, 403).await;
                refused.expect_error(403, "IP_001");
                (refused.body["error"]["message"] == reason).then_some(())
            },
        )
        .await;
        gets(&api, "127.0.0.1:1", 200).await;
        gets(&api, "[::1]:1", 200).await;
    }
    api.put(PATH, json!({"enabled": false})).await.expect(200);
    gets(&api, "203.0.113.9:1", 200).await;
}

#[tokio::test]
async fn a_filter_that_would_refuse_its_author_needs_force() {
    let api = Api::start().await;
    let whitelist = json!({"enabled": true, "mode": "whitelist", "whitelist": ["10.0.0.0/8"]});
    let refused = api.put(PATH, whitelist.clone()).await;
    refused.expect_error(409, "SELF_LOCKOUT");
    assert!(
        refused.body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("127.0.0.1")
    );
    assert_eq!(api.get(PATH).await.body["enabled"], false, "nothing was changed");

    api.put(PATH, json!({"mode": "whitelist"})).await.expect(200);
    api.put(PATH, json!({"enabled": true}))
        .await
        .expect_error(409, "SELF_LOCKOUT");
    api.put(PATH, json!({"enabled": true, "addWhitelist": "127.0.0.0/8"}))
        .await
        .expect(200);
    let ban = json!({"tempBan": {"ip": "::ffff:127.0.0.1"}});
    api.put(PATH, ban).await.expect_error(409, "SELF_LOCKOUT");
    assert_eq!(api.get(PATH).await.body["tempBans"], json!([]));
    let mut forced = whitelist;
    forced["force"] = json!(true);
    api.put(PATH, forced).await.expect(200);
}

#[tokio::test]
async fn a_ban_holds_within_a_second_until_it_ends_or_is_lifted() {
    let api = Api::start().await;
    api.put(PATH, json!({"enabled": true})).await.expect(200);
    let ban = json!({"tempBan": {"ip": "::ffff:203.0.113.9", "durationMs": 60_000, "reason": "scraping"}});
    let banned = api.put(PATH, ban).await;
    let view = &banned.expect(200)["tempBans"];
    assert_eq!(
        (&view[0]["ip"], &view[0]["reason"]),
        (&json!("203.0.113.9"), &json!("scraping"))
    );
    let left = view[0]["remainingMs"].as_u64().unwrap();
    assert!((50_000..=60_000).contains(&left), "{left}");
    assert!(view[0]["until"].as_str().unwrap().ends_with('Z'), "{view}");

    let refused = gets(&api, "203.0.113.9:1", 403).await;
    refused.expect_error(403, "IP_001");
    assert_eq!(refused.body["error"]["message"], "Temporarily banned: scraping");
    gets(&api, "203.0.113.8:1", 200).await;

    let lifted = api.patch(PATH, json!({"removeBan": "203.0.113.9"})).await;
    assert_eq!(lifted.expect(200)["tempBans"], json!([]));
    gets(&api, "203.0.113.9:1", 200).await;
    api.patch(PATH, json!({"removeBan": "203.0.113.9"}))
        .await
        .expect(200);

    let short = json!({"tempBan": {"ip": "203.0.113.9", "durationMs": 1_000}});
    assert_eq!(
        api.put(PATH, short).await.expect(200)["tempBans"][0]["reason"],
        "manual"
    );
    gets(&api, "203.0.113.9:1", 403).await;
    wait_until("the ban to end", 3 * SECOND, async || {
        let client = api.for_client_at("203.0.113.9:1");
        (client.get("/api/auth/status").await.status == 200).then_some(())
    })
    .await;
    let audit = api.get("/api/compliance/audit-log").await;
    let actions: Vec<_> = audit
        .expect(200)
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["action"])
        .collect();
    for action in ["security.ip.banned", "security.ip.unbanned"] {
        assert!(actions.contains(&&Value::from(action)), "{actions:?}");
    }
}

#[tokio::test]
async fn the_filter_is_there_after_a_restart() {
    let api = Api::start().await;
    api.put(PATH, json!({"enabled": true, "addBlacklist": "203.0.113.9"}))
        .await
        .expect(200);
    let again = Api::start_on(api.database.clone(), 1, |_| {}).await;
    gets(&again, "203.0.113.9:1", 403).await;
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_client_counts_and_not_the_proxy() {
    let trusted = |text: &str| serde_json::from_value(text.into()).unwrap();
    let api = Api::start_with(|config| config.trusted_proxies = trusted("10.0.0.0/8")).await;
    api.put(
        PATH,
        json!({"enabled": true, "blacklist": ["203.0.113.9", "10.0.0.2"]}),
    )
    .await
    .expect(200);
    gets(&api, "203.0.113.9:1", 403).await;
    let table = [
        ("10.0.0.2:1", "203.0.113.8", 200),
        ("10.0.0.2:1", "203.0.113.9", 403),
        ("10.0.0.2:1", "203.0.113.8, 203.0.113.9", 403),
        ("198.51.100.1:1", "203.0.113.9", 200),
    ];
    for (peer, forwarded, status) in table {
        let client = api.for_client_at(peer);
        let mut request = client.request(Method::GET, "/api/auth/status", None);
        let forwarded = HeaderValue::from_static(forwarded);
        request.headers_mut().insert("x-forwarded-for", forwarded.clone());
        let answer = client.send(request).await;
        assert_eq!(answer.status, status, "{peer} for {forwarded:?}");
    }
}

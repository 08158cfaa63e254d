use axum::http::Method;
use proto::v1::{TriedProxy, command::Op, command_result::Answer};
use serde_json::{Value, json};
use testkit::ForwardProxy;
use uuid::Uuid;

use crate::{
    data_plane::{DataPlane, Reply},
    support::{Api, provider},
};

const PATH: &str = "/api/settings/proxy";
const SECRET: &str = "the-password-of-the-proxy";
const MASK: &str = "********";

fn proxy(host: &str) -> Value {
    json!({ "host": host, "port": "3128", "username": "me", "password": SECRET })
}

fn shown(host: &str) -> Value {
    json!({ "type": "http", "host": host, "port": 3128, "username": "me", "password": MASK })
}

async fn connection(api: &Api) -> String {
    let body = json!({ "provider": "openai", "apiKey": "sk-upstream-0123456789", "name": "main" });
    let created = api.post("/api/providers", body).await.expect(201).clone();
    created["connection"]["id"].as_str().unwrap().to_owned()
}

async fn combo(api: &Api) -> String {
    let body = json!({ "name": "smart", "models": ["openai/gpt-4o"] });
    let created = api.post("/api/combos", body).await.expect(201).clone();
    created["id"].as_str().unwrap().to_owned()
}

/// What is stored under the mask.
async fn sealed(api: &Api, level: &str) -> Option<Vec<u8>> {
    sqlx::query_scalar("select password from proxy_config where level = $1")
        .bind(level)
        .fetch_one(api.db.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn proxies_are_set_shown_and_removed_on_every_level() {
    let api = Api::start().await;
    let nothing = json!({ "global": null, "providers": {}, "combos": {}, "keys": {} });
    assert_eq!(api.get(PATH).await.expect(200), &nothing);
    let (connection, combo) = (connection(&api).await, combo(&api).await);

    for (level, id, host) in [
        ("global", Value::Null, "global.test"),
        ("provider", json!("ds"), "provider.test"),
        ("combo", json!(combo), "combo.test"),
        ("key", json!(connection), "key.test"),
    ] {
        let body = json!({ "level": level, "id": id, "proxy": proxy(host) });
        let set = api.put(PATH, body).await;
        set.expect(200);
        assert!(set.headers.contains_key("x-config-revision"), "{level}");
    }
    let all = json!({
        "global": shown("global.test"), "providers": { "deepseek": shown("provider.test") },
        "combos": { &combo: shown("combo.test") }, "keys": { &connection: shown("key.test") },
    });
    assert_eq!(api.get(PATH).await.expect(200), &all);
    let one = api.get(&format!("{PATH}?level=connection&id={connection}")).await;
    let expected = json!({ "level": "connection", "id": connection, "proxy": shown("key.test") });
    assert_eq!(one.expect(200), &expected);
    let none = api.get(&format!("{PATH}?level=provider&id=groq")).await;
    assert_eq!(none.expect(200)["proxy"], Value::Null);

    let removed = api.delete(&format!("{PATH}?level=global")).await;
    assert_eq!(removed.expect(200)["global"], Value::Null);
    assert!(removed.headers.contains_key("x-config-revision"));
    let again = api.delete(&format!("{PATH}?level=global")).await;
    again.expect(200);
    assert!(
        !again.headers.contains_key("x-config-revision"),
        "nothing was written"
    );

    let bulk =
        json!({ "providers": { "deepseek": null, "groq": proxy("groq.test") }, "combos": { &combo: false } });
    let after = api.patch(PATH, bulk).await.expect(200).clone();
    assert_eq!(after["providers"], json!({ "groq": shown("groq.test") }));
    assert_eq!(after["combos"], json!({}));
    assert_eq!(after["keys"], all["keys"], "what is not named stays");

    let audit = api
        .get("/api/compliance/audit-log?action=settings.proxy.updated")
        .await;
    let details = audit.expect(200)[0]["details"]["proxies"].clone();
    assert_eq!(
        details[1],
        json!({ "level": "provider", "id": "groq", "host": "groq.test" })
    );
    assert_eq!(api.audited("settings.proxy.updated").await, 5);
    assert_eq!(api.audited("settings.proxy.deleted").await, 1);
    assert!(!api.transcript.lock().contains(SECRET));
}

#[tokio::test]
async fn the_nearest_proxy_is_the_one_and_a_combos_is_not_among_them() {
    let api = Api::start().await;
    let (connection, combo) = (connection(&api).await, combo(&api).await);
    let resolved = async || {
        let found = api
            .get(&format!("{PATH}?resolve={connection}"))
            .await
            .expect(200)
            .clone();
        let host = found["proxy"]["host"].as_str().unwrap_or_default().to_owned();
        (
            found["level"].as_str().unwrap().to_owned(),
            found["levelId"].clone(),
            host,
        )
    };
    let at = |level: &str, id: Value, host: &str| (level.to_owned(), id, host.to_owned());
    assert_eq!(resolved().await, at("direct", Value::Null, ""));
    for (level, id, expected) in [
        ("combo", json!(combo), at("direct", Value::Null, "")),
        ("global", Value::Null, at("global", Value::Null, "global.test")),
        (
            "provider",
            json!("openai"),
            at("provider", json!("openai"), "provider.test"),
        ),
        ("key", json!(connection), at("key", json!(connection), "key.test")),
    ] {
        let body = json!({ "level": level, "id": id, "proxy": proxy(&format!("{level}.test")) });
        api.put(PATH, body).await.expect(200);
        assert_eq!(resolved().await, expected, "{level}");
    }
    let nobody = api.get(&format!("{PATH}?resolve={}", Uuid::now_v7())).await;
    nobody.expect_error(404, "RESOURCE_001");
}

#[tokio::test]
async fn a_mask_that_is_sent_back_keeps_the_password_and_another_word_replaces_it() {
    let api = Api::start().await;
    api.put(PATH, json!({ "global": proxy("one.test") }))
        .await
        .expect(200);
    let stored = sealed(&api, "global").await.unwrap();
    assert!(!String::from_utf8_lossy(&stored).contains(SECRET));

    // as a dashboard does: read, change one thing, write everything
    let mut all = api.get(PATH).await.expect(200).clone();
    all["global"]["port"] = json!(8080);
    let after = api.put(PATH, all).await.expect(200).clone();
    assert_eq!(
        (&after["global"]["port"], &after["global"]["password"]),
        (&json!(8080), &json!(MASK))
    );
    let kept = api
        .post(&format!("{PATH}/test"), json!({ "level": "global" }))
        .await;
    kept.expect(200);

    let bare = json!({ "host": "one.test" });
    let after = api.put(PATH, json!({ "global": bare })).await.expect(200).clone();
    assert_eq!(
        after["global"],
        json!({ "type": "http", "host": "one.test", "port": 8080 })
    );
    assert_eq!(sealed(&api, "global").await, None);
    let masked = json!({ "host": "one.test", "username": "me", "password": MASK });
    let refused = api.put(PATH, json!({ "global": masked })).await;
    let error = refused.expect_error(400, "VALIDATION_001");
    assert_eq!(error["details"][0]["field"], "global.password");
}

#[tokio::test]
async fn what_a_proxy_is_for_takes_it_along() {
    let api = Api::start().await;
    let node = json!({ "name": "mine", "prefix": "mine", "apiType": "chat", "baseUrl": "https://llm.example.com/v1" });
    let node = api.post("/api/provider-nodes", node).await.expect(201)["node"]["id"].clone();
    let node = node.as_str().unwrap();
    let (connection, combo) = (connection(&api).await, combo(&api).await);
    let body = json!({
        "providers": { "mine": proxy("node.test") }, "combos": { &combo: proxy("combo.test") },
        "keys": { &connection: proxy("key.test") },
    });
    let set = api.put(PATH, body).await.expect(200).clone();
    assert_eq!(
        set["providers"],
        json!({ node: shown("node.test") }),
        "a prefix names the node"
    );
    api.delete(&format!("/api/providers/{connection}"))
        .await
        .expect(200);
    api.delete(&format!("/api/combos/{combo}")).await.expect(200);
    api.delete(&format!("/api/provider-nodes/{node}"))
        .await
        .expect(200);
    let nothing = json!({ "global": null, "providers": {}, "combos": {}, "keys": {} });
    assert_eq!(api.get(PATH).await.expect(200), &nothing);
}

#[tokio::test]
async fn socks_is_for_those_who_switch_it_on() {
    let api = Api::start().await;
    let body = json!({ "global": { "type": "SOCKS5", "host": "socks.test" } });
    let refused = api.put(PATH, body.clone()).await;
    let error = refused.expect_error(400, "VALIDATION_001");
    assert!(
        error["message"].as_str().unwrap().contains("enableSocks5Proxy"),
        "{error}"
    );
    let testing = api
        .post(&format!("{PATH}/test"), json!({ "proxy": body["global"] }))
        .await;
    testing.expect_error(400, "VALIDATION_001");

    let on = json!({ "enableSocks5Proxy": true });
    assert_eq!(
        api.patch("/api/settings", on).await.expect(200)["enableSocks5Proxy"],
        true
    );
    let set = api.put(PATH, body).await.expect(200).clone();
    assert_eq!(
        set["global"],
        json!({ "type": "socks5", "host": "socks.test", "port": 1080 })
    );
    let off = json!({ "enableSocks5Proxy": false });
    api.patch("/api/settings", off.clone())
        .await
        .expect_error(409, "RESOURCE_002");
    api.delete(&format!("{PATH}?level=global")).await.expect(200);
    api.patch("/api/settings", off).await.expect(200);
}

#[tokio::test]
async fn what_is_no_proxy_is_refused_by_field() {
    let api = Api::start().await;
    let missing = Uuid::now_v7();
    let global = |proxy: Value| json!({ "global": proxy });
    for (body, status, code, field) in [
        (json!({}), 400, "VALIDATION_001", ""),
        (json!({ "level": "global" }), 400, "VALIDATION_001", "proxy"),
        (
            json!({ "proxy": proxy("a.test") }),
            400,
            "VALIDATION_001",
            "level",
        ),
        (
            json!({ "level": "planet", "proxy": null }),
            400,
            "VALIDATION_001",
            "level",
        ),
        (
            json!({ "level": "provider", "proxy": null }),
            400,
            "VALIDATION_002",
            "id",
        ),
        (
            json!({ "level": "global", "proxy": null, "global": null }),
            400,
            "VALIDATION_001",
            "",
        ),
        (json!({ "globl": null }), 400, "VALIDATION_001", "globl"),
        (
            global(json!({ "host": "a.test", "typ": "http" })),
            400,
            "VALIDATION_001",
            "global.typ",
        ),
        (
            global(json!({ "type": "socks4", "host": "a.test" })),
            400,
            "VALIDATION_001",
            "global.type",
        ),
        (global(json!({ "type": "http" })), 400, "VALIDATION_001", "global"),
        (
            global(json!({ "host": "http://a.test" })),
            400,
            "VALIDATION_001",
            "global.host",
        ),
        (
            global(json!({ "host": "a.test", "port": 0 })),
            400,
            "VALIDATION_001",
            "global.port",
        ),
        (
            global(json!({ "host": "a.test", "port": "65536" })),
            400,
            "VALIDATION_001",
            "global.port",
        ),
        (
            global(json!({ "host": "a.test", "password": "p" })),
            400,
            "VALIDATION_001",
            "global.username",
        ),
        (
            json!({ "level": "global", "proxy": { "host": "a.test", "port": "none" } }),
            400,
            "VALIDATION_001",
            "proxy.port",
        ),
        (
            json!({ "providers": { "openai": { "host": "a.test", "port": -1 } } }),
            400,
            "VALIDATION_001",
            "providers.openai.port",
        ),
        (
            json!({ "level": "global", "proxy": true }),
            400,
            "VALIDATION_001",
            "proxy",
        ),
        (
            json!({ "providers": { "nobody": null } }),
            404,
            "RESOURCE_001",
            "",
        ),
        (
            json!({ "combos": { missing.to_string(): null } }),
            404,
            "RESOURCE_001",
            "",
        ),
        (
            json!({ "keys": { missing.to_string(): null } }),
            404,
            "RESOURCE_001",
            "",
        ),
        (
            global(json!({ "host": "169.254.169.254" })),
            422,
            "URL_GUARD_BLOCKED",
            "",
        ),
    ] {
        let refused = api.put(PATH, body.clone()).await;
        let error = refused.expect_error(status, code);
        if !field.is_empty() {
            assert_eq!(error["details"][0]["field"], field, "{body}: {error}");
        }
    }
    for path in [
        PATH.to_owned(),
        format!("{PATH}?level=provider"),
        format!("{PATH}?level=planet"),
    ] {
        let refused = api.delete(&path).await;
        assert_eq!(refused.status, 400, "{path}: {}", refused.body);
    }
    assert_eq!(api.audited("settings.proxy.updated").await, 0);
    assert_eq!(api.audited("security.ssrf_blocked").await, 1);
    let key = api.key(&["inference"]).await;
    let answer = api.with_key(&key, Method::GET, PATH, None).await;
    answer.expect_error(403, "AUTH_004");
}

/// Says the address that the tests call from.
async fn echo_service() -> String {
    let router = axum::Router::new().route("/", axum::routing::get(|| async { r#"{"ip":"203.0.113.9"}"# }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/")
}

#[tokio::test]
async fn a_proxy_is_tested_by_what_the_world_sees_through_it() {
    let echo = echo_service().await;
    let api = Api::start_with(|config| {
        config.allow_private_provider_urls = true;
        config.proxy_test_echo_url = echo.clone();
    })
    .await;
    let members_only = ForwardProxy::for_members("Basic bWU6dGhlLXBhc3N3b3JkLW9mLXRoZS1wcm94eQ==")
        .await
        .unwrap();
    let port = members_only.address.port();
    let test = format!("{PATH}/test");
    let given = json!({ "host": "127.0.0.1", "port": port, "username": "me", "password": SECRET });

    let tested = api
        .post(&test, json!({ "proxy": given }))
        .await
        .expect(200)
        .clone();
    assert_eq!(
        (&tested["success"], &tested["publicIp"]),
        (&json!(true), &json!("203.0.113.9")),
        "{tested}"
    );
    assert_eq!(tested["proxyUrl"], format!("http://127.0.0.1:{port}"));
    assert_eq!(members_only.seen(), [format!("GET {echo}")]);

    // the stored one, whose password nobody can read any more
    api.put(PATH, json!({ "global": given })).await.expect(200);
    let tested = api
        .post(&test, json!({ "level": "global" }))
        .await
        .expect(200)
        .clone();
    assert_eq!(tested["success"], true, "{tested}");

    let _data_plane = DataPlane::join(&api, |op| {
        let Op::TryProxy(asked) = op else {
            return Reply::Refused("unexpected");
        };
        assert_eq!(asked.id, "global");
        Reply::done(Answer::TriedProxy(TriedProxy {
            public_ip: "203.0.113.7".to_owned(),
            ..TriedProxy::default()
        }))
    })
    .await;
    let elsewhere = json!({ "level": "global", "via": "dp" });
    let tested = api.post(&test, elsewhere).await.expect(200).clone();
    assert_eq!(tested["publicIp"], "203.0.113.7", "{tested}");
    let unknown = json!({ "proxy": given, "via": "dp" });
    api.post(&test, unknown).await.expect_error(400, "VALIDATION_001");

    let stranger = json!({ "proxy": { "host": "127.0.0.1", "port": port } });
    let tested = api.post(&test, stranger).await.expect(200).clone();
    assert_eq!(tested["success"], false);
    assert!(
        tested["error"].as_str().unwrap().contains("credentials"),
        "{tested}"
    );

    let closed = json!({ "proxy": { "host": "127.0.0.1", "port": 1 } });
    let tested = api.post(&test, closed).await.expect(200).clone();
    assert_eq!(
        (&tested["success"], &tested["publicIp"]),
        (&json!(false), &Value::Null),
        "{tested}"
    );

    for (body, status, code) in [
        (json!({}), 400, "VALIDATION_001"),
        (json!({ "proxy": { "port": 1 } }), 400, "VALIDATION_001"),
        (
            json!({ "proxy": { "host": "a.test", "type": "ftp" } }),
            400,
            "VALIDATION_001",
        ),
        (
            json!({ "proxy": { "host": "a.test", "username": "me", "password": MASK } }),
            400,
            "VALIDATION_001",
        ),
        (json!({ "level": "provider", "id": "groq" }), 404, "RESOURCE_001"),
        (
            json!({ "proxy": { "host": "169.254.169.254" } }),
            422,
            "URL_GUARD_BLOCKED",
        ),
    ] {
        api.post(&test, body).await.expect_error(status, code);
    }
    assert_eq!(api.audited("settings.proxy.tested").await, 5);
    assert!(!api.transcript.lock().contains(SECRET));
}

#[tokio::test]
async fn a_stored_credential_is_tried_through_its_proxy_and_never_beside_it() {
    let api = Api::start_with(|config| config.allow_private_provider_urls = true).await;
    let base = format!("http://{}/v1", provider().await);
    let body = json!({ "provider": "openai", "apiKey": "right", "name": "n", "providerSpecificData": { "baseUrl": base } });
    let id = api.post("/api/providers", body).await.expect(201)["connection"]["id"].clone();
    let path = format!("/api/providers/{}", id.as_str().unwrap());
    let proxy = ForwardProxy::start().await.unwrap();
    let through = json!({ "host": "127.0.0.1", "port": proxy.address.port() });
    api.put(PATH, json!({ "providers": { "openai": through } }))
        .await
        .expect(200);

    let tested = api
        .post(&format!("{path}/test"), json!({}))
        .await
        .expect(200)
        .clone();
    assert_eq!(tested["valid"], true, "{tested}");
    api.get(&format!("{path}/models")).await.expect(200);
    let check = json!({ "provider": "openai", "apiKey": "right", "baseUrl": base });
    assert_eq!(
        api.post("/api/providers/validate", check).await.expect(200)["valid"],
        true
    );
    assert_eq!(proxy.seen(), vec![format!("GET {base}/models"); 3]);

    let closed = json!({ "host": "127.0.0.1", "port": 1 });
    api.put(PATH, json!({ "keys": { id.as_str().unwrap(): closed } }))
        .await
        .expect(200);
    let tested = api
        .post(&format!("{path}/test"), json!({}))
        .await
        .expect(200)
        .clone();
    assert_eq!(tested["valid"], false);
    assert!(tested["error"].as_str().unwrap().contains("proxy"), "{tested}");
    assert_eq!(proxy.seen().len(), 3);
}

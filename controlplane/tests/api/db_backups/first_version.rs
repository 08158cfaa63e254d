//! Files of the first version.

use axum::http::Method;
use controlplane::bundle::FieldKey;
use runtime::secret::Secret;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Kept, revision};
use crate::support::Api;

const THEIR_KEY: &str = "the storage key of an installation of the first version";
const GATEWAY_KEY: &str = "sk-a1b2c3d4e5f60718-k3y1d4bc-0123abcd";

/// As the first version lays its tables out; a later release has more columns and tables.
fn written(journal: &str, sql: &str) -> Vec<u8> {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("storage.sqlite");
    let conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "journal_mode", journal).unwrap();
    conn.execute_batch(
        "create table provider_connections (id text primary key, provider text not null, auth_type text, name text,
             email text, priority integer default 0, is_active integer default 1, access_token text,
             refresh_token text, expires_at text, test_status text, api_key text, provider_specific_data text,
             display_name text, global_priority integer, default_model text, health_check_interval integer,
             rate_limit_protection integer default 0, quota_window_thresholds text, created_at text not null,
             updated_at text not null);
         create table provider_nodes (id text primary key, type text not null, name text not null, prefix text,
             api_type text, base_url text, created_at text not null, updated_at text not null);
         create table key_value (namespace text not null, key text not null, value text not null,
             primary key (namespace, key));
         create table combos (id text primary key, name text not null unique, data text not null,
             created_at text not null, updated_at text not null);
         create table api_keys (id text primary key, name text not null, key text not null unique, machine_id text,
             allowed_models text default '[]', no_log integer default 0, is_active integer default 1,
             created_at text not null);
         create table db_meta (key text primary key, value text);
         create table domain_budgets (api_key_id text primary key, daily_limit_usd real not null,
             monthly_limit_usd real default 0, warning_threshold real default 0.8);
         create table domain_fallback_chains (model text primary key, chain text not null);
         create table skills (id text primary key, body blob);
         insert into skills values ('s', x'00ff');",
    )
    .unwrap();
    conn.execute_batch(sql).unwrap();
    conn.close().map_err(|(_, error)| error).unwrap();
    std::fs::read(&path).unwrap()
}

fn typical() -> String {
    let sealed = FieldKey::shared(&Secret::new(THEIR_KEY.to_owned())).seal("sk-sealed-0123456789");
    format!(
        "insert into provider_nodes values
             ('openai-compatible-chat-1', 'openai-compatible', 'Lab', 'Lab', 'chat', 'http://127.0.0.1:8000/v1/',
              '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z');
         insert into provider_connections (id, provider, auth_type, name, priority, is_active, api_key, test_status,
             provider_specific_data, health_check_interval, rate_limit_protection, created_at, updated_at) values
             ('6f1c2d1e-0000-4000-8000-000000000001', 'anthropic', 'apikey', 'main', 1, 1, '{sealed}', 'active',
              '{{\"copilotToken\":\"canary\"}}', 0, 0, '2026-01-02T00:00:00.000Z', '2026-01-02T00:00:00.000Z'),
             ('6f1c2d1e-0000-4000-8000-000000000002', 'openai', 'apikey', 'main', 2, 1, 'sk-clear-0123456789',
              'weird', null, null, 1, '2026-01-02 00:00:00', '2026-01-02 00:00:00'),
             ('not-a-uuid', 'openai-compatible-chat-1', null, null, 1, 1, 'sk-node-0123456789', null, null, null, 0,
              '2026-01-02', '2026-01-02'),
             ('6f1c2d1e-0000-4000-8000-000000000004', 'cursor', 'oauth', null, 1, 1, null, 'active', null, 60, 0,
              '2026-01-02T00:00:00.000Z', '2026-01-02T00:00:00.000Z');
         insert into combos values
             ('6f1c2d1e-0000-4000-8000-00000000000a', 'premium',
              '{{\"name\":\"premium\",\"models\":[\"cc/claude-opus-4-6\",{{\"model\":\"lab/big\",\"weight\":70}}],
                \"strategy\":\"weighted\",\"config\":{{\"maxRetries\":1,\"unknownThing\":true}}}}',
              '2026-01-02T00:00:00.000Z', '2026-01-02T00:00:00.000Z');
         insert into api_keys (id, name, key, machine_id, allowed_models, no_log, is_active, created_at) values
             ('6f1c2d1e-0000-4000-8000-0000000000b1', 'laptop', '{GATEWAY_KEY}', 'a1b2c3d4e5f60718',
              '[\"openai/*\"]', 1, 1, '2026-01-02T00:00:00.000Z'),
             ('6f1c2d1e-0000-4000-8000-0000000000b2', 'old', 'sk-old-0123456789', null, '[]', 0, 0,
              '2026-01-02T00:00:00.000Z');
         insert into domain_budgets values ('6f1c2d1e-0000-4000-8000-0000000000b1', 5, 0, 80);
         insert into domain_fallback_chains values
             ('gpt-4o', '[{{\"provider\":\"openai\",\"priority\":1,\"enabled\":true}}]');
         insert into key_value values
             ('settings', 'password', '\"$2b$10$abcdefghijklmnopqrstuv\"'),
             ('settings', 'requireLogin', 'false'),
             ('settings', 'fallbackStrategy', '\"round-robin\"'),
             ('settings', 'stickyRoundRobinLimit', '\"many\"'),
             ('settings', 'blockedProviders', '[\"ds\"]'),
             ('settings', 'providerProfiles', '{{\"apikey\":{{\"maxBackoffLevel\":2}}}}'),
             ('settings', 'mitmEnabled', 'true'),
             ('modelAliases', 'fast', '\"openai/gpt-4o\"'),
             ('customModels', 'openai', '[{{\"id\":\"ft:mine\",\"name\":\"Mine\",\"source\":\"manual\"}}]'),
             ('pricing', 'openai', '{{\"gpt-4o\":{{\"input\":1.5,\"output\":6}}}}'),
             ('proxyConfig', 'global', '\"proxy.test:3128\"'),
             ('proxyConfig', 'providers', '{{\"openai\":\"socks5://me:secret@10.0.0.1:1080\"}}'),
             ('proxyConfig', 'keys', '{{\"not-a-uuid\":{{\"type\":\"http\",\"host\":\"p.test\",\"port\":\"8080\"}},
                                       \"gone\":{{\"host\":\"q.test\"}}}}'),
             ('mitmAlias', 'x', '{{}}');"
    )
}

fn connection<'a>(list: &'a Value, provider: &str) -> &'a Value {
    let connections = list["connections"].as_array().unwrap();
    connections
        .iter()
        .find(|one| one["provider"] == provider)
        .unwrap_or_else(|| panic!("{provider}: {list}"))
}

#[tokio::test]
async fn a_file_of_the_first_version_is_taken_over() {
    let kept = Kept::start().await;
    let api = &kept.api;
    api.patch("/api/settings", json!({ "hedging": { "enabled": true } }))
        .await
        .expect(200);
    api.put("/api/settings/ip-filter", json!({ "blacklist": ["203.0.113.9"] }))
        .await
        .expect(200);
    let file = written("wal", &typical());
    let imported = kept
        .import(&file, &[("encryptionKey", THEIR_KEY)])
        .await
        .expect(200)
        .clone();
    let counts = ["connectionCount", "nodeCount", "comboCount", "apiKeyCount"].map(|count| &imported[count]);
    assert_eq!(counts, [&json!(4), &json!(1), &json!(1), &json!(2)]);
    assert_eq!(imported["undecryptable"], 0);

    let list = api.get("/api/providers").await.expect(200).clone();
    let sealed = connection(&list, "anthropic");
    assert_eq!(
        (&sealed["maskedApiKey"], &sealed["isActive"]),
        (&json!("sk-s****6789"), &json!(true))
    );
    assert_eq!(
        sealed["providerSpecificData"],
        json!({}),
        "tokens do not lie open"
    );
    assert_eq!(sealed["healthCheckInterval"], 0);
    let clear = connection(&list, "openai");
    assert_eq!(
        (&clear["maskedApiKey"], &clear["testStatus"]),
        (&json!("sk-c****6789"), &json!("unknown"))
    );
    assert_eq!(
        (&clear["priority"], &clear["rateLimitProtection"]),
        (&json!(1), &json!(true))
    );
    let node = connection(&list, "openai-compatible-chat-1");
    assert_eq!(connection(&list, "cursor")["isActive"], false);

    let nodes = api.get("/api/provider-nodes").await.expect(200)["nodes"].clone();
    assert_eq!(
        (&nodes[0]["prefix"], &nodes[0]["baseUrl"]),
        (&json!("lab"), &json!("http://127.0.0.1:8000/v1"))
    );
    let combos = api.get("/api/combos").await.expect(200)["combos"].clone();
    assert_eq!(
        combos[0]["models"],
        json!(["cc/claude-opus-4-6", { "model": "lab/big", "weight": 70.0 }])
    );
    assert_eq!(combos[0]["config"], json!({ "maxRetries": 1 }));

    let keys = api.get("/api/keys").await.expect(200)["keys"].clone();
    let laptop = keys
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["name"] == "laptop")
        .unwrap();
    assert_eq!(
        (&laptop["key"], &laptop["scopes"]),
        (&json!("sk-a1b2c****abcd"), &json!(["inference"]))
    );
    assert_eq!(
        (&laptop["noLog"], &laptop["allowedModels"]),
        (&json!(true), &json!(["openai/*"]))
    );
    let old = keys
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["name"] == "old")
        .unwrap();
    assert_eq!(old["isActive"], false, "a key that was switched off stays off");
    api.with_key(GATEWAY_KEY, Method::GET, "/api/keys", None)
        .await
        .expect_error(403, "AUTH_004");
    api.with_key("sk-old-0123456789", Method::GET, "/api/keys", None)
        .await
        .expect_error(401, "AUTH_001");
    let budget = api.get("/api/usage/budget").await.expect(200)["budgets"][0]["budget"].clone();
    assert_eq!(
        (&budget["dailyLimitUsd"], &budget["warningThreshold"]),
        (&json!(5.0), &json!(0.8))
    );

    let settings = api.get("/api/settings").await.expect(200).clone();
    assert_eq!(
        settings["requireLogin"], true,
        "who must log in is not taken over"
    );
    assert_eq!(settings["fallbackStrategy"], "round-robin");
    assert_eq!(settings["blockedProviders"], json!(["deepseek"]));
    assert_eq!(
        settings["hedging"]["enabled"], true,
        "what it has no word for stays"
    );
    assert_eq!(settings["providerProfiles"]["apikey"]["maxBackoffLevel"], 2);
    let filter = api.get("/api/settings/ip-filter").await.expect(200).clone();
    assert_eq!(filter["blacklist"], json!(["203.0.113.9"]));
    let proxies = api.get("/api/settings/proxy").await.expect(200).clone();
    assert_eq!(
        proxies["global"],
        json!({ "type": "http", "host": "proxy.test", "port": 3128 })
    );
    assert_eq!(proxies["providers"]["openai"]["password"], "********");
    assert_eq!(proxies["keys"][node["id"].as_str().unwrap()]["host"], "p.test");
    let pricing = api.get("/api/pricing").await.expect(200).clone();
    assert_eq!(pricing["openai"]["gpt-4o"]["input"], 1.5);
    let models = api.get("/api/provider-models?provider=openai").await.expect(200)["models"].clone();
    assert_eq!(models[0]["id"], "ft:mine");
    let alias = api.get("/api/models/alias?alias=fast").await.expect(200).clone();
    assert_eq!(alias["target"], "openai/gpt-4o");
    let chains = api.get("/api/fallback/chains").await.expect(200)["chains"].clone();
    assert_eq!(chains["gpt-4o"][0]["provider"], "openai");

    let warnings = imported["warnings"].to_string();
    for told in [
        "cursor",
        "stickyRoundRobinLimit",
        "`Lab`",
        "private address",
        "1 proxies",
    ] {
        assert!(warnings.contains(told), "{told}: {warnings}");
    }
    assert!(!api.transcript.lock().contains("canary"));
}

#[tokio::test]
async fn what_its_key_is_not_known_for_comes_switched_off() {
    let kept = Kept::start().await;
    let imported = kept
        .import(&written("delete", &typical()), &[])
        .await
        .expect(200)
        .clone();
    assert_eq!(imported["undecryptable"], 1);
    let list = kept.api.get("/api/providers").await.expect(200).clone();
    let lost = connection(&list, "anthropic");
    assert_eq!(
        (
            &lost["isActive"],
            &lost["testStatus"],
            &lost["lastErrorType"],
            &lost["hasApiKey"]
        ),
        (
            &json!(false),
            &json!("error"),
            &json!("decrypt_failed"),
            &json!(false)
        )
    );
}

#[tokio::test]
async fn a_password_in_a_file_opens_nothing() {
    let kept = Kept::start().await;
    let before: Option<String> = super::password(&kept.api).await;
    kept.import(&written("delete", &typical()), &[]).await.expect(200);
    assert_eq!(super::password(&kept.api).await, before);
    let stranger: Api = kept.api.for_client_at("198.51.100.7:1000");
    stranger.get("/api/keys").await.expect_error(401, "AUTH_001");
}

#[tokio::test]
async fn an_empty_file_of_the_first_version_empties_and_says_so_first() {
    let kept = Kept::start().await;
    kept.api.key(&["read"]).await;
    let head = revision(&kept.api).await;
    let file = written("delete", "");
    let dry = kept
        .import(&file, &[("dryRun", "true")])
        .await
        .expect(200)
        .clone();
    assert_eq!(
        (&dry["imported"], &dry["apiKeyCount"]),
        (&json!(false), &json!(0))
    );
    assert_eq!(dry["configRevision"], head);
    assert_eq!(kept.api.get("/api/keys").await.expect(200)["total"], 1);
    kept.import(&file, &[]).await.expect(200);
    assert_eq!(kept.api.get("/api/keys").await.expect(200)["total"], 0);
}

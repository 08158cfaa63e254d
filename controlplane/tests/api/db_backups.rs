//! Backups, exports and imports: what survives them, and what they never touch.

mod archive;
mod first_version;
mod refusals;

use std::{path::Path, time::Duration};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use chrono::{TimeDelta, Utc};
use controlplane::{
    backup::{Backups, Reason},
    db::Origin,
    vault::{Cell, Vault},
};
use http_body_util::BodyExt;
use runtime::{crypto::SealKey, secret::Secret};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tower::ServiceExt;
use uuid::Uuid;

use crate::support::{Answer, Api, STORAGE_KEY, config};

const PATH: &str = "/api/db-backups";
const CREDENTIAL: &str = "sk-canary-of-the-connection-0123456789";
const PROXY_PASSWORD: &str = "canary-of-the-proxy";

/// A control plane with a place for backups.
pub struct Kept {
    pub api: Api,
    place: TempDir,
}

/// What a download is.
struct File {
    status: StatusCode,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

// === impl Kept ===

impl Kept {
    pub async fn start() -> Self {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().to_owned();
        let api = Api::start_with(|config| config.backup_dir = Some(path)).await;
        Self { api, place }
    }

    async fn backups(&self) -> Vec<Value> {
        let list = self.api.get(PATH).await.expect(200).clone();
        list["backups"].as_array().unwrap().clone()
    }

    pub async fn export(&self, query: &str) -> Vec<u8> {
        let request = self
            .api
            .request(Method::GET, &format!("{PATH}/export{query}"), None);
        let file = download(&self.api, request).await;
        assert_eq!(file.status, 200);
        file.bytes
    }

    pub async fn import(&self, file: &[u8], fields: &[(&str, &str)]) -> Answer {
        upload(&self.api, "backup.sqlite", file, fields).await
    }
}

async fn download(api: &Api, mut request: Request<Body>) -> File {
    request.extensions_mut().insert(ConnectInfo(api.peer));
    let response = api.router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    File {
        status: parts.status,
        headers: parts.headers,
        bytes: body.collect().await.unwrap().to_bytes().to_vec(),
    }
}

/// As a browser sends a form.
async fn upload(api: &Api, name: &str, file: &[u8], fields: &[(&str, &str)]) -> Answer {
    const BOUNDARY: &str = "----boundary";
    let mut body = Vec::new();
    for (field, value) in fields {
        let part =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let mut request = api.request(Method::POST, &format!("{PATH}/import"), None);
    let media = format!("multipart/form-data; boundary={BOUNDARY}");
    request
        .headers_mut()
        .insert(header::CONTENT_TYPE, media.parse().unwrap());
    *request.body_mut() = Body::from(body);
    api.send(request).await
}

/// Some of everything that can be configured; a key that manages.
async fn configure(api: &Api) -> String {
    let node = json!({ "name": "GPU server", "prefix": "gpu", "apiType": "chat",
        "baseUrl": "http://127.0.0.1:9/v1", "allowPrivateAddress": true });
    let node = api.post("/api/provider-nodes", node).await.expect(201)["node"]["id"].clone();
    let mut connections = Vec::new();
    for (provider, name, specific) in [
        (json!("openai"), "first", json!({ "onDisconnect": "drain" })),
        (json!("bedrock"), "second", json!({ "region": "eu-central-1" })),
        (node, "lab", json!({ "thinkTags": true })),
    ] {
        let body = json!({ "provider": provider, "name": name, "apiKey": CREDENTIAL, "defaultModel": "m",
            "globalPriority": 7, "rateLimitProtection": true, "providerSpecificData": specific });
        let created = api.post("/api/providers", body).await.expect(201).clone();
        connections.push(created["connection"]["id"].clone());
    }
    let model = json!({ "provider": "gpu", "modelId": "org/big", "modelName": "Big", "type": "embedding",
        "contextWindow": 4096 });
    api.post("/api/provider-models", model).await.expect(201);
    let alias = json!({ "alias": "fast", "model": "openai/gpt-4o" });
    api.put("/api/models/alias", alias).await.expect(200);
    let settings = json!({ "wildcardAliases": [{ "pattern": "claude-*", "target": "openai/gpt-4o" }],
        "fallbackStrategy": "round-robin", "enableSocks5Proxy": true, "budgetTimezone": "Europe/Berlin",
        "hedging": { "enabled": true, "maxSharePercent": 2.5 },
        "semanticCacheRules": [{ "model": "gpt-*", "embeddingModel": "openai/text-embedding-3-small" }] });
    api.patch("/api/settings", settings).await.expect(200);
    let prompt = json!({ "prompt": "Be brief.", "enabled": true });
    api.put("/api/settings/system-prompt", prompt).await.expect(200);
    let budget = json!({ "mode": "custom", "customBudget": 2048 });
    api.put("/api/settings/thinking-budget", budget).await.expect(200);
    let profiles = json!({ "profiles": { "apikey": { "maxBackoffLevel": 3 } } });
    api.put("/api/resilience", profiles).await.expect(200);
    let inner = json!({ "name": "inner", "models": ["openai/gpt-4o", { "model": "gpu/org/big", "weight": 2.5 }],
        "strategy": "weighted", "config": { "maxRetries": 0, "timeoutMs": 5000 } });
    let combo = api.post("/api/combos", inner).await.expect(201)["id"].clone();
    api.post("/api/combos", json!({ "name": "outer", "models": ["inner"] }))
        .await
        .expect(201);
    let key = json!({ "name": "ci", "scopes": ["inference", "manage"], "allowedModels": ["openai/*"],
        "allowedConnections": [connections[0]], "rateLimits": [{ "limit": 5, "window": 60 }], "rpm": 10,
        "tpm": 1000, "concurrency": 2, "noLog": true, "expiresAt": "2090-01-01T00:00:00.000Z" });
    let key = api.post("/api/keys", key).await.expect(201).clone();
    let budget = json!({ "apiKeyId": key["id"], "dailyLimitUsd": 5.25, "weeklyLimitUsd": 10,
        "warningThreshold": 0.5 });
    api.post("/api/usage/budget", budget).await.expect(200);
    let price = json!({ "openai": { "gpt-4o": { "input": 1.25, "cached": 0 }, "tts-1": { "characters": 12 },
        "dall-e-3#hd": { "image": 0.07 } } });
    api.patch("/api/pricing", price).await.expect(200);
    let period = json!({ "provider": "openai", "model": "gpt-4o", "effectiveFrom": "2030-01-01T00:00:00.000Z",
        "input": 1.5, "cached": 0 });
    api.put("/api/pricing/periods", period).await.expect(200);
    let proxy = json!({ "type": "socks5", "host": "10.1.2.3", "username": "me", "password": PROXY_PASSWORD });
    let proxies = json!({ "global": { "host": "proxy.test", "port": 3128 }, "providers": { "openai": proxy },
        "combos": { combo.as_str().unwrap(): proxy }, "keys": { connections[1].as_str().unwrap(): proxy } });
    api.put("/api/settings/proxy", proxies).await.expect(200);
    let filter = json!({ "mode": "blacklist", "blacklist": ["203.0.113.0/24"], "whitelist": ["198.51.100.1"],
        "enabled": true });
    api.put("/api/settings/ip-filter", filter).await.expect(200);
    let policy = json!({ "name": "nights", "type": "access", "priority": 3,
        "conditions": { "api_key_ids": [key["id"]] }, "actions": { "block_model": ["*-preview"] } });
    api.post("/api/policies", policy).await.expect(201);
    let chain = json!({ "model": "gpt-4o", "chain": [{ "provider": "openai" }, { "provider": "gpu" }] });
    api.post("/api/fallback/chains", chain).await.expect(200);
    let case = json!({ "id": "c", "name": "C", "tags": ["t"],
        "input": { "messages": [{ "role": "user", "content": "?" }] },
        "expected": { "strategy": "contains", "value": "!" } });
    api.put("/api/evals/mine", json!({ "name": "Mine", "cases": [case] }))
        .await
        .expect(201);
    key["key"].as_str().unwrap().to_owned()
}

/// Everything that was configured, as the API shows it, without when it was written.
async fn shown(api: &Api) -> Value {
    let paths = [
        "/api/providers",
        "/api/provider-nodes",
        "/api/provider-models",
        "/api/models/alias",
        "/api/combos",
        "/api/keys",
        "/api/usage/budget",
        "/api/pricing",
        "/api/pricing/periods",
        "/api/settings",
        "/api/settings/combo-defaults",
        "/api/settings/proxy",
        "/api/settings/ip-filter",
        "/api/policies",
        "/api/fallback/chains",
        "/api/evals",
        "/api/evals/mine",
    ];
    let mut all = serde_json::Map::new();
    for path in paths {
        let mut answer = api.get(path).await.expect(200).clone();
        without_time(&mut answer);
        // of different providers, the one that was changed last comes first
        let connections = answer.get_mut("connections").and_then(Value::as_array_mut);
        if let Some(connections) = connections {
            connections.sort_by_key(|connection| connection["id"].to_string());
        }
        all.insert(path.to_owned(), answer);
    }
    Value::Object(all)
}

fn without_time(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for field in [
                "createdAt",
                "updatedAt",
                "configRevision",
                "clusterId",
                "resetAt",
                "remainingMs",
            ] {
                fields.remove(field);
            }
            fields.values_mut().for_each(without_time);
        }
        Value::Array(items) => items.iter_mut().for_each(without_time),
        _ => {}
    }
}

async fn revision(api: &Api) -> i64 {
    let settings = api.get("/api/settings").await.expect(200).clone();
    settings["configRevision"].as_i64().unwrap()
}

async fn password(api: &Api) -> Option<String> {
    sqlx::query_scalar("select password_hash from account")
        .fetch_one(api.db.pool())
        .await
        .unwrap()
}

fn backups_of(api: &Api, place: &Path) -> Backups {
    let mut config = config();
    config.backup_dir = Some(place.to_owned());
    Backups::new(&api.db, &config, &SealKey::derive("test", "transport"))
}

#[tokio::test]
async fn an_export_makes_an_empty_installation_the_same() {
    let (from, to) = (Kept::start().await, Kept::start().await);
    let key = configure(&from.api).await;
    let file = from.export("").await;
    for secret in [CREDENTIAL, PROXY_PASSWORD, key.as_str()] {
        let is_there = file.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!is_there, "{secret}");
    }
    let hash = password(&to.api).await;

    let answer = to.import(&file, &[]).await;
    let imported = answer.expect(200);
    assert_eq!(
        (&imported["imported"], &imported["filename"]),
        (&json!(true), &json!("backup.sqlite"))
    );
    let counts = ["connectionCount", "nodeCount", "comboCount", "apiKeyCount"].map(|count| &imported[count]);
    assert_eq!(counts, [&json!(3), &json!(1), &json!(2), &json!(1)]);
    assert_eq!(
        (&imported["undecryptable"], &imported["warnings"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(
        answer.header("x-config-revision"),
        imported["configRevision"].to_string()
    );

    assert_eq!(shown(&to.api).await, shown(&from.api).await);
    assert_eq!(password(&to.api).await, hash, "the password is not part of it");
    to.api
        .with_key(&key, Method::GET, "/api/keys", None)
        .await
        .expect(200);
    let sealed: Vec<(Uuid, Vec<u8>)> = sqlx::query_as("select id, api_key from provider_connection")
        .fetch_all(to.api.db.pool())
        .await
        .unwrap();
    let vault = Vault::new(&Secret::new(STORAGE_KEY.to_owned()));
    for (id, sealed) in sealed {
        let opened = vault
            .open(Cell::connection_api_key(&id.to_string()), &sealed)
            .unwrap();
        assert_eq!(opened.expose(), CREDENTIAL);
    }
    let id = "provider/openai";
    let sealed: Vec<u8> = sqlx::query_scalar("select password from proxy_config where level = 'provider'")
        .fetch_one(to.api.db.pool())
        .await
        .unwrap();
    assert_eq!(
        vault.open(Cell::proxy_password(id), &sealed).unwrap().expose(),
        PROXY_PASSWORD
    );
    let backups = to.backups().await;
    assert_eq!(
        backups[0]["reason"], "pre-import",
        "what was there before can be had again"
    );
    assert_eq!(to.api.audited("backup.imported").await, 1);
    assert_eq!(from.api.audited("backup.exported").await, 1);
}

#[tokio::test]
async fn a_restore_brings_back_what_was_and_touches_nothing_else() {
    let kept = Kept::start().await;
    let api = &kept.api;
    let key = configure(api).await;
    let created = api.put(PATH, json!({})).await.expect(200).clone();
    assert_eq!(created["created"], true);
    let unchanged = api.put(PATH, json!({})).await.expect(200).clone();
    assert!(
        unchanged.get("created").is_none() && unchanged["message"].is_string(),
        "{unchanged}"
    );
    let forced = api
        .put(&format!("{PATH}?force=true"), json!({}))
        .await
        .expect(200)
        .clone();
    assert_eq!(forced["created"], true);

    let before = shown(api).await;
    for (path, list, id) in [
        ("/api/combos", "combos", "id"),
        ("/api/keys", "keys", "id"),
        ("/api/provider-nodes", "nodes", "id"),
    ] {
        for thing in api.get(path).await.expect(200)[list].as_array().unwrap().clone() {
            let path = format!("{path}/{}?force=true", thing[id].as_str().unwrap());
            api.delete(&path).await.expect(200);
        }
    }
    api.patch("/api/settings", json!({ "hedging": { "enabled": false } }))
        .await
        .expect(200);
    api.post("/api/combos", json!({ "name": "inner", "models": ["openai/o3"] }))
        .await
        .expect(201);
    let hash = password(api).await;
    let (audited, head) = (api.audited("backup.created").await, revision(api).await);

    let answer = api
        .post(
            &format!("{PATH}?wait=applied&waitMs=100"),
            json!({ "backupId": created["id"] }),
        )
        .await;
    let restored = answer.expect(200);
    assert_eq!(
        (&restored["restored"], &restored["backupId"]),
        (&json!(true), &created["id"])
    );
    assert_eq!(restored["configRevision"], head + 1);
    assert_eq!(answer.header("x-config-applied"), "0/0");
    assert_eq!(shown(api).await, before);
    api.with_key(&key, Method::GET, "/api/keys", None)
        .await
        .expect(200);
    assert_eq!(password(api).await, hash);
    assert_eq!(api.audited("backup.restored").await, 1);
    assert_eq!(api.audited("backup.created").await, audited);
    let reasons: Vec<Value> = kept
        .backups()
        .await
        .iter()
        .map(|one| one["reason"].clone())
        .collect();
    assert_eq!(reasons, ["pre-restore", "manual", "manual"]);
}

#[tokio::test]
async fn every_data_plane_gets_everything_after_a_restore() {
    let kept = Kept::start().await;
    let api = &kept.api;
    let epoch = async || -> Uuid {
        sqlx::query_scalar("select epoch from config_head")
            .fetch_one(api.db.pool())
            .await
            .unwrap()
    };
    let created = api.put(PATH, json!({})).await.expect(200).clone();
    let before = epoch().await;
    api.post(PATH, json!({ "backupId": created["id"] }))
        .await
        .expect(200);
    assert_ne!(epoch().await, before, "a new lineage");
}

#[tokio::test]
async fn secrets_travel_under_another_key_a_passphrase_or_not_at_all() {
    let from = Kept::start().await;
    configure(&from.api).await;
    let place = tempfile::tempdir().unwrap();
    let path = place.path().to_owned();
    let api = Api::start_with(|config| {
        config.backup_dir = Some(path);
        config.storage_encryption_key = Secret::new("another vS3l0Cq9bTn8yHk2wXe7uRz4mPa6fGd1".to_owned());
    })
    .await;
    let to = Kept { api, place };
    let lost = |answer: &Answer| answer.expect(200)["undecryptable"].as_u64().unwrap();

    let file = from.export("").await;
    let answer = to.import(&file, &[]).await;
    assert_eq!(
        lost(&answer),
        6,
        "three connections and three proxies: {}",
        answer.body
    );
    let connections = to.api.get("/api/providers").await.expect(200)["connections"].clone();
    for connection in connections.as_array().unwrap() {
        let seen = (
            &connection["isActive"],
            &connection["testStatus"],
            &connection["lastErrorType"],
        );
        assert_eq!(seen, (&json!(false), &json!("error"), &json!("decrypt_failed")));
    }
    assert_eq!(
        lost(&to.import(&file, &[("encryptionKey", STORAGE_KEY)]).await),
        0
    );
    let connections = to.api.get("/api/providers").await.expect(200)["connections"].clone();
    assert_eq!(connections[0]["maskedApiKey"], "sk-c****6789");

    let mut request = from
        .api
        .request(Method::GET, &format!("{PATH}/export?secrets=passphrase"), None);
    let short = from.api.send(from.api.request(
        Method::GET,
        &format!("{PATH}/export?secrets=passphrase"),
        None,
    ));
    short.await.expect_error(400, "VALIDATION_002");
    request
        .headers_mut()
        .insert("x-export-passphrase", "correct horse battery".parse().unwrap());
    let file = download(&from.api, request).await;
    assert_eq!(file.status, 200);
    let answer = to.import(&file.bytes, &[("encryptionKey", STORAGE_KEY)]).await;
    assert_eq!(lost(&answer), 6, "the key of the installation does not open it");
    assert!(
        answer.body["warnings"][0]
            .as_str()
            .unwrap()
            .contains("passphrase"),
        "{}",
        answer.body
    );
    assert_eq!(
        lost(
            &to.import(&file.bytes, &[("passphrase", "correct horse battery")])
                .await
        ),
        0
    );

    let file = from.export("?secrets=omit").await;
    assert_eq!(
        lost(&to.import(&file, &[]).await),
        6,
        "they have to be given again"
    );
}

#[tokio::test]
async fn a_merge_keeps_what_is_there_and_takes_the_rest_under_the_ids_it_has_here() {
    let (from, to) = (Kept::start().await, Kept::start().await);
    configure(&from.api).await;
    let combo = json!({ "name": "inner", "models": ["openai/o3"] });
    let combo = to.api.post("/api/combos", combo).await.expect(201)["id"].clone();
    to.api
        .post("/api/combos", json!({ "name": "mine", "models": ["inner"] }))
        .await
        .expect(201);
    let own = json!({ "provider": "bedrock", "name": "second", "apiKey": "sk-mine-0123456789" });
    let own = to.api.post("/api/providers", own).await.expect(201)["connection"]["id"].clone();
    let key = to.api.key(&["manage"]).await;

    let file = from.export("").await;
    let dry = to.import(&file, &[("mode", "merge"), ("dryRun", "true")]).await;
    assert_eq!(
        (&dry.expect(200)["imported"], &dry.body["comboCount"]),
        (&json!(false), &json!(3))
    );
    assert!(to.backups().await.is_empty(), "a dry run makes no backup");
    let merged = to.import(&file, &[("mode", "merge")]).await.expect(200).clone();
    let counts = ["connectionCount", "nodeCount", "comboCount", "apiKeyCount"].map(|count| &merged[count]);
    assert_eq!(counts, [&json!(3), &json!(1), &json!(3), &json!(2)]);

    to.api
        .with_key(&key, Method::GET, "/api/keys", None)
        .await
        .expect(200);
    let path = format!("/api/combos/{}", combo.as_str().unwrap());
    let inner = to.api.get(&path).await.expect(200).clone();
    assert_eq!(
        (&inner["name"], &inner["strategy"]),
        (&json!("inner"), &json!("weighted"))
    );
    let path = format!("/api/providers/{}", own.as_str().unwrap());
    let second = to.api.get(&path).await.expect(200)["connection"].clone();
    assert_eq!(second["maskedApiKey"], "sk-c****6789");
    let proxies = to.api.get("/api/settings/proxy").await.expect(200).clone();
    assert_eq!(
        proxies["keys"][own.as_str().unwrap()]["host"],
        "10.1.2.3",
        "{proxies}"
    );
    assert_eq!(
        proxies["combos"][combo.as_str().unwrap()]["host"],
        "10.1.2.3",
        "{proxies}"
    );
    let again = to.import(&file, &[("mode", "merge")]).await.expect(200).clone();
    assert_eq!(again["comboCount"], 3, "twice is once");
}

#[tokio::test]
async fn one_is_made_a_day_and_only_of_what_changed() {
    let kept = Kept::start().await;
    let backups = backups_of(&kept.api, kept.place.path());
    let now = Utc::now();
    let first = backups.create_if_due(now).await.unwrap().unwrap();
    assert_eq!(first.reason, Reason::Auto);
    assert!(
        backups
            .create_if_due(now + TimeDelta::hours(23))
            .await
            .unwrap()
            .is_none()
    );
    let later = now + TimeDelta::hours(25);
    assert!(
        backups.create_if_due(later).await.unwrap().is_none(),
        "nothing changed"
    );
    kept.api.key(&["read"]).await;
    assert!(
        backups
            .create_if_due(now + TimeDelta::hours(23))
            .await
            .unwrap()
            .is_none()
    );
    assert!(backups.create_if_due(later).await.unwrap().is_some());
    assert_eq!(kept.backups().await.len(), 2);
}

#[tokio::test]
async fn one_backup_runs_at_a_time() {
    let kept = Kept::start().await;
    let created = kept.api.put(PATH, json!({})).await.expect(200).clone();
    let file = kept.export("").await;
    let mut other = PgConnection::connect(&kept.api.database.url).await.unwrap();
    sqlx::query("select pg_advisory_lock(hashtext('backup'))")
        .execute(&mut other)
        .await
        .unwrap();
    let before = revision(&kept.api).await;

    kept.api
        .put(&format!("{PATH}?force=true"), json!({}))
        .await
        .expect_error(409, "OPERATION_IN_PROGRESS");
    let restore = kept.api.post(PATH, json!({ "backupId": created["id"] })).await;
    restore.expect_error(409, "OPERATION_IN_PROGRESS");
    kept.import(&file, &[])
        .await
        .expect_error(409, "OPERATION_IN_PROGRESS");
    let auto = backups_of(&kept.api, kept.place.path());
    assert!(
        auto.create_if_due(Utc::now() + TimeDelta::days(2))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(revision(&kept.api).await, before);
    other.close().await.unwrap();
    testkit::wait_until("the end of the other", Duration::from_secs(5), async || {
        let answer = kept.api.put(&format!("{PATH}?force=true"), json!({})).await;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn old_ones_are_removed_and_a_file_that_somebody_put_there_is_listed() {
    let kept = Kept::start().await;
    configure(&kept.api).await;
    let backups = backups_of(&kept.api, kept.place.path());
    for _ in 0..25 {
        backups
            .create(&Origin::system(), Reason::Manual, true)
            .await
            .unwrap();
    }
    assert_eq!(kept.backups().await.len(), 20);
    let answer = kept
        .api
        .send(
            kept.api
                .request(Method::DELETE, PATH, Some(json!({ "keepLatest": 3 }))),
        )
        .await;
    assert_eq!(answer.expect(200), &json!({ "cleaned": true, "deleted": 17 }));
    assert_eq!(kept.backups().await.len(), 3);
    for (body, field) in [
        (json!({ "keepLatest": 0 }), "keepLatest"),
        (json!({ "keep": 1 }), "keep"),
    ] {
        let answer = kept
            .api
            .send(kept.api.request(Method::DELETE, PATH, Some(body)))
            .await;
        let error = answer.expect_error(400, "VALIDATION_001");
        assert_eq!(error["details"][0]["field"], field);
    }

    let name = "db_2020-02-11T14-00-00-000Z_auto.sqlite";
    std::fs::write(kept.place.path().join(name), kept.export("").await).unwrap();
    std::fs::write(
        kept.place.path().join("db_2019-02-11T14-00-00-000Z_auto.sqlite"),
        "no database",
    )
    .unwrap();
    std::fs::write(kept.place.path().join("notes.txt"), "no backup").unwrap();
    let listed = kept.backups().await;
    let last: Vec<Value> = listed[3..].to_vec();
    assert_eq!(last.len(), 2, "{listed:?}");
    assert_eq!(
        (&last[0]["id"], &last[0]["connectionCount"]),
        (&json!(name), &json!(3))
    );
    assert_eq!(last[0]["createdAt"], "2020-02-11T14:00:00.000Z");
    assert_eq!(last[1]["connectionCount"], Value::Null, "it cannot be read");
    kept.api.post(PATH, json!({ "backupId": name })).await.expect(200);
}

#[tokio::test]
async fn keys_are_handed_a_copy_only_when_they_insist_and_restore_nothing() {
    let kept = Kept::start().await;
    let (manage, read) = (kept.api.key(&["manage"]).await, kept.api.key(&["read"]).await);
    let api = &kept.api;
    api.with_key(&manage, Method::PUT, PATH, None).await.expect(200);
    let id = api.with_key(&manage, Method::GET, PATH, None).await.expect(200)["backups"][0]["id"].clone();
    for (method, path, body) in [
        (Method::POST, PATH.to_owned(), Some(json!({ "backupId": id }))),
        (Method::POST, format!("{PATH}/import"), None),
        (Method::GET, format!("{PATH}/exportAll"), None),
        (Method::GET, format!("{PATH}/export"), None),
    ] {
        let answer = api.with_key(&manage, method, &path, body).await;
        answer.expect_error(403, "AUTH_004");
    }
    api.with_key(&read, Method::GET, PATH, None).await.expect(200);
    api.with_key(&read, Method::PUT, PATH, None)
        .await
        .expect_error(403, "AUTH_004");
    let mut request = api.request(Method::GET, &format!("{PATH}/export"), None);
    request.headers_mut().remove(header::COOKIE);
    request
        .headers_mut()
        .insert(header::AUTHORIZATION, format!("Bearer {manage}").parse().unwrap());
    request
        .headers_mut()
        .insert("x-export-confirm", "1".parse().unwrap());
    let file = download(api, request).await;
    assert_eq!(file.status, 200);
    assert_eq!(file.headers["content-type"], "application/octet-stream");
    assert_eq!(
        file.headers["content-length"],
        file.bytes.len().to_string().as_str()
    );
    assert_eq!(file.headers["cache-control"], "no-store");
    let disposition = file.headers["content-disposition"].to_str().unwrap();
    assert!(
        disposition.starts_with("attachment; filename=\"omniroute-backup-20")
            && disposition.ends_with("Z.sqlite\""),
        "{disposition}"
    );
    let denied: i64 = sqlx::query_scalar(
        "select count(*) from audit_log where action = 'backup.exported' and status = 'denied'",
    )
    .fetch_one(api.db.pool())
    .await
    .unwrap();
    assert_eq!(denied, 1);
}

#[tokio::test]
async fn without_a_place_for_backups_there_are_none_and_nothing_is_replaced() {
    let api = Api::start().await;
    let before = revision(&api).await;
    for answer in [
        api.get(PATH).await,
        api.put(PATH, json!({})).await,
        api.post(
            PATH,
            json!({ "backupId": "db_2026-01-01T00-00-00-000Z_auto.sqlite" }),
        )
        .await,
        api.delete(PATH).await,
    ] {
        let error = answer.expect_error(503, "SERVER_002");
        assert!(
            error["message"].as_str().unwrap().contains("BACKUP_DIR"),
            "{error}"
        );
    }
    let file = download(&api, api.request(Method::GET, &format!("{PATH}/export"), None)).await;
    assert_eq!(file.status, 200, "a copy needs no place here");
    let answer = upload(&api, "backup.sqlite", &file.bytes, &[]).await;
    answer.expect_error(503, "SERVER_002");
    assert_eq!(revision(&api).await, before);
}

#[tokio::test]
async fn an_account_that_is_signed_in_to_stays_so_through_a_restore_here_and_is_switched_off_elsewhere() {
    let (kept, other) = (Kept::start().await, Kept::start().await);
    let id = Uuid::now_v7();
    sqlx::query(
        "insert into provider_connection (id, provider, auth_type, name, account, priority, access_token)
         values ($1, 'openai', 'oauth', 'ann', 'ann', 1, 'sealed')",
    )
    .bind(id)
    .execute(kept.api.db.pool())
    .await
    .unwrap();
    let row = async |api: &Api| -> (bool, Option<Vec<u8>>) {
        sqlx::query_as("select is_active, access_token from provider_connection where id = $1")
            .bind(id)
            .fetch_one(api.db.pool())
            .await
            .unwrap()
    };
    let created = kept.api.put(PATH, json!({})).await.expect(200).clone();
    let restore = json!({ "backupId": created["id"] });
    kept.api.post(PATH, restore).await.expect(200);
    assert_eq!(row(&kept.api).await, (true, Some(b"sealed".to_vec())));
    other.import(&kept.export("").await, &[]).await.expect(200);
    assert_eq!(row(&other.api).await, (false, None));
}

use std::sync::Arc;

use controlplane::{rekey::rekey, vault::Vault};
use runtime::secret::Secret;
use serde_json::json;

use crate::{
    support::{Api, Database, STORAGE_KEY, provider},
    sync::account,
};

const ANOTHER: &str = "another key for what is stored, of more than 32 characters";

fn vault(key: &str) -> Vault {
    Vault::new(&Secret::new(key.to_owned()))
}

async fn started_with(database: &Arc<Database>, storage_key: &'static str) -> Api {
    Api::start_on(Arc::clone(database), 1, |config| {
        config.storage_encryption_key = Secret::new(storage_key.to_owned());
        config.allow_private_provider_urls = true;
        config.api_key_reveal = true;
    })
    .await
}

#[tokio::test]
async fn what_is_sealed_opens_under_another_key_and_no_longer_under_the_old_one() {
    let database = Arc::new(Database::create().await);
    let api = started_with(&database, STORAGE_KEY).await;
    let password = api.first_run_password.clone().unwrap();
    let base = format!("http://{}/v1", provider().await);
    let body = json!({ "provider": "openai", "name": "n", "apiKey": "right", "providerSpecificData": { "baseUrl": base } });
    let made = api.post("/api/providers", body).await.expect(201).clone();
    let connection = made["connection"]["id"].as_str().unwrap().to_owned();
    let key = api
        .post("/api/keys", json!({ "name": "k" }))
        .await
        .expect(201)
        .clone();
    let proxy = json!({ "global": { "host": "127.0.0.1", "port": 8080, "username": "u", "password": "p" } });
    api.put("/api/settings/proxy", proxy).await.expect(200);
    api.delete("/api/settings/proxy?level=global").await.expect(200);
    let proxy = json!({ "level": "provider", "id": "groq", "proxy": { "host": "h", "username": "u", "password": "p" } });
    api.put("/api/settings/proxy", proxy).await.expect(200);
    account(&api, "claude").await;

    let wrong = rekey(&api.db, &vault("not the one"), &vault(ANOTHER))
        .await
        .unwrap_err();
    assert!(wrong.to_string().contains("opens under neither key"), "{wrong}");
    assert_eq!(
        rekey(&api.db, &vault(STORAGE_KEY), &vault(ANOTHER))
            .await
            .unwrap(),
        5
    );
    assert_eq!(
        rekey(&api.db, &vault(STORAGE_KEY), &vault(ANOTHER))
            .await
            .unwrap(),
        0,
        "a run that was cut off may be repeated"
    );
    assert_eq!(api.audited("system.storageKey.rotated").await, 2);
    drop(api);

    for (storage_key, works) in [(ANOTHER, true), (STORAGE_KEY, false)] {
        let api = started_with(&database, storage_key).await;
        api.log_in(&password).await;
        let tested = api
            .post(&format!("/api/providers/{connection}/test"), json!({}))
            .await;
        assert_eq!(tested.expect(200)["valid"], works);
        let id = key["id"].as_str().unwrap();
        let revealed = api.get(&format!("/api/keys/{id}/reveal")).await;
        assert_eq!(revealed.body["key"] == key["key"], works);
    }
}

//! Azure, Vertex and Bedrock: what an operator says about them, and how a credential of theirs is tried.

use serde_json::{Value, json};
use testkit::{ACCESS_KEY, Simulator, other_service_account, service_account};

use crate::support::Api;

const NODES: &str = "/api/provider-nodes";
const CONNECTIONS: &str = "/api/providers";

async fn open() -> Api {
    Api::start_with(|config| config.allow_private_provider_urls = true).await
}

async fn node(api: &Api, body: Value) -> Value {
    api.post(NODES, body).await.expect(201)["node"].clone()
}

async fn connection(api: &Api, body: Value) -> Value {
    api.post(CONNECTIONS, body).await.expect(201)["connection"].clone()
}

async fn test(api: &Api, connection: &Value) -> Value {
    let path = format!("{CONNECTIONS}/{}/test", connection["id"].as_str().unwrap());
    api.post(&path, json!({})).await.expect(200).clone()
}

#[tokio::test]
async fn an_endpoint_of_azure_keeps_its_address_and_its_version() {
    let api = Api::start().await;
    let azure = node(
        &api,
        json!({ "name": "Azure", "prefix": "az", "type": "azure-compatible", "apiType": "deployments",
            "apiVersion": "2025-04-01-preview",
            "baseUrl": "https://openai-r.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=x" }),
    )
    .await;
    let id = azure["id"].as_str().unwrap();
    assert!(id.starts_with("azure-compatible-deployments-"), "{id}");
    assert_eq!(azure["baseUrl"], "https://openai-r.openai.azure.com");
    assert_eq!(azure["apiVersion"], "2025-04-01-preview");

    let own = connection(&api, json!({ "provider": id, "name": "n", "apiKey": "key-1" })).await;
    assert_eq!(own["providerSpecificData"]["apiVersion"], "2025-04-01-preview");
    let path = format!("{NODES}/{id}");
    let changed = api.patch(&path, json!({ "apiVersion": "" })).await;
    assert_eq!(changed.expect(200)["node"].get("apiVersion"), None);
    let own = format!("{CONNECTIONS}/{}", own["id"].as_str().unwrap());
    let data = api.get(&own).await.expect(200)["connection"]["providerSpecificData"].clone();
    assert_eq!(data.get("apiVersion"), None, "{data}");

    for (change, field) in [
        (json!({ "apiType": null }), "apiType"),
        (json!({ "apiType": "soap" }), "apiType"),
        (json!({ "apiVersion": "2024&x=1" }), "apiVersion"),
        (json!({ "baseUrl": null }), "baseUrl"),
        (
            json!({ "type": "openai-compatible", "apiType": "deployments" }),
            "apiType",
        ),
        (
            json!({ "type": "openai-compatible", "apiType": "chat", "apiVersion": "v1" }),
            "apiVersion",
        ),
        (json!({ "type": "bedrock-compatible" }), "apiType"),
    ] {
        let mut body = json!({ "name": "n", "prefix": "other", "type": "azure-compatible", "apiType": "chat",
            "baseUrl": "https://r.openai.azure.com" });
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let refused = api.post(NODES, body).await;
        let refused = refused.expect(400).to_string();
        assert!(refused.contains(field), "{change}: {refused}");
    }
}

#[tokio::test]
async fn where_an_account_is_can_be_said_where_that_means_something() {
    let api = Api::start().await;
    let bedrock = json!({ "provider": "bedrock", "name": "n", "apiKey": "AKIA:secret",
        "providerSpecificData": { "region": " eu-central-1 " } });
    let bedrock = connection(&api, bedrock).await;
    assert_eq!(
        bedrock["providerSpecificData"],
        json!({ "region": "eu-central-1" })
    );
    let path = format!("{CONNECTIONS}/{}", bedrock["id"].as_str().unwrap());
    for gone in [json!(null), json!("")] {
        let change = json!({ "providerSpecificData": { "region": "us-west-2" } });
        api.patch(&path, change).await.expect(200);
        let change = json!({ "providerSpecificData": { "region": gone } });
        let changed = api.patch(&path, change).await;
        assert_eq!(
            changed.expect(200)["connection"]["providerSpecificData"],
            json!({})
        );
    }
    let project = json!({ "providerSpecificData": { "project": "p" } });
    api.patch(&path, project)
        .await
        .expect_error(400, "VALIDATION_001");
    for data in [
        json!({ "region": "evil.example/" }),
        json!({ "region": "US" }),
        json!({ "region": 1 }),
        json!({ "project": "../other" }),
    ] {
        let key = service_account("https://oauth2.example/token");
        let body = json!({ "provider": "vertex", "name": "n", "apiKey": key, "providerSpecificData": data });
        api.post(CONNECTIONS, body)
            .await
            .expect_error(400, "VALIDATION_001");
    }
    let body = json!({ "provider": "openai", "name": "n", "apiKey": "k", "providerSpecificData": { "region": "x" } });
    api.post(CONNECTIONS, body)
        .await
        .expect_error(400, "VALIDATION_001");
}

#[tokio::test]
async fn a_service_account_that_cannot_sign_is_refused_where_it_is_typed_in_and_not_repeated() {
    let api = Api::start().await;
    for key in [
        r#"{"type":"authorized_user"}"#.to_owned(),
        service_account("ftp://x"),
        service_account("https://oauth2.example/token").replace("PRIVATE KEY", "PUBLIC KEY"),
    ] {
        for provider in ["vertex", "vertex-anthropic"] {
            let body = json!({ "provider": provider, "name": "n", "apiKey": key });
            let refused = api.post(CONNECTIONS, body).await;
            let text = refused.expect(400).to_string();
            assert!(text.contains("service") && !text.contains("MII"), "{text}");
        }
    }
    let key = service_account("https://oauth2.example/token");
    let vertex = connection(&api, json!({ "provider": "vertex", "name": "n", "apiKey": key })).await;
    let shown = vertex.to_string();
    assert!(
        !shown.contains("PRIVATE") && !shown.contains("iam.gserviceaccount"),
        "{shown}"
    );
    let path = format!("{CONNECTIONS}/{}", vertex["id"].as_str().unwrap());
    let worse = json!({ "apiKey": "{\"type\":\"service_account\"}" });
    api.patch(&path, worse).await.expect_error(400, "VALIDATION_001");
    let mask = json!({ "apiKey": vertex["maskedApiKey"] });
    api.patch(&path, mask).await.expect(200);
}

#[tokio::test]
async fn a_test_tries_the_credential_as_requests_use_it() {
    let api = open().await;
    let vertex = Simulator::vertex().await;
    let token_url = format!("{}/token", vertex.url());
    for provider in ["vertex", "vertex-anthropic"] {
        for (key, valid) in [
            (service_account(&token_url), true),
            (other_service_account(&token_url), false),
            ("ya29.invented".to_owned(), false),
        ] {
            let body = json!({ "provider": provider, "name": format!("{valid} {}", key.len()), "apiKey": key,
                "providerSpecificData": { "baseUrl": vertex.url(), "project": "demo-project", "region": "eu" } });
            let verdict = test(&api, &connection(&api, body).await).await;
            assert_eq!(verdict["valid"], valid, "{provider}: {verdict}");
            let kind = if valid { "ok" } else { "upstream_auth_error" };
            assert_eq!(verdict["diagnosis"]["type"], kind, "{verdict}");
        }
    }

    let azure = Simulator::azure().await;
    for api_type in ["chat", "responses", "deployments"] {
        let prefix = format!("az-{api_type}");
        let body = json!({ "name": prefix, "prefix": prefix, "type": "azure-compatible", "apiType": api_type,
            "baseUrl": azure.url() });
        let id = node(&api, body).await["id"].clone();
        for (key, valid) in [("good", true), ("sk-revoked", false)] {
            let body = json!({ "provider": id, "name": "n", "apiKey": key });
            let saved = api.post(CONNECTIONS, body).await;
            let verdict = test(&api, &saved.body["connection"]).await;
            assert_eq!(verdict["valid"], valid, "{api_type}: {verdict}");
        }
        // what could be deployed is not what can be asked for
        let listed = api.get(CONNECTIONS).await.expect(200)["connections"].clone();
        let of_node = |one: &&Value| one["provider"] == id;
        let own = listed.as_array().unwrap().iter().find(of_node).unwrap().clone();
        let models = format!("{CONNECTIONS}/{}/models", own["id"].as_str().unwrap());
        api.get(&models).await.expect_error(400, "PROVIDER_004");
    }

    let bedrock = Simulator::bedrock().await;
    let own = json!({ "name": "b", "prefix": "b", "type": "bedrock-compatible", "baseUrl": bedrock.url() });
    let own = node(&api, own).await["id"].clone();
    let body = json!({ "provider": own, "name": "n", "apiKey": ACCESS_KEY,
        "providerSpecificData": { "region": "ap-south-2" } });
    let verdict = test(&api, &connection(&api, body).await).await;
    assert_eq!(verdict["valid"], true, "{verdict}");
    let signed = bedrock.requests().pop().unwrap().headers["authorization"].clone();
    assert!(signed.contains("/ap-south-2/bedrock/"), "{signed}");
}

#[tokio::test]
async fn a_credential_is_tried_before_it_is_stored() {
    let api = open().await;
    let vertex = Simulator::vertex().await;
    let key = service_account(&format!("{}/token", vertex.url()));
    let asked = json!({ "provider": "vertex", "apiKey": key, "baseUrl": vertex.url(), "region": "us-east5" });
    let verdict = api.post("/api/providers/validate", asked).await;
    assert_eq!(verdict.expect(200)["valid"], true);
    let called = vertex.requests().pop().unwrap().path;
    assert!(
        called.contains("/projects/demo-project/locations/us-east5/"),
        "{called}"
    );

    let azure = Simulator::azure().await;
    let asked = json!({ "type": "azure-compatible", "apiType": "deployments", "apiVersion": "2024-06-01",
        "baseUrl": azure.url(), "apiKey": "good" });
    let verdict = api.post("/api/provider-nodes/validate", asked).await;
    assert_eq!(verdict.expect(200)["valid"], true);
}

/// The token endpoint comes with the credential, and is no more trusted than any other address.
#[tokio::test]
async fn a_token_endpoint_passes_the_guard_too() {
    let api = Api::start().await;
    let key = service_account("http://169.254.169.254/token");
    let vertex = connection(&api, json!({ "provider": "vertex", "name": "n", "apiKey": key })).await;
    let verdict = test(&api, &vertex).await;
    assert_eq!(verdict["valid"], false, "{verdict}");
    assert_eq!(verdict["diagnosis"]["type"], "network_error", "{verdict}");
    assert_eq!(verdict["diagnosis"]["source"], "validation", "{verdict}");
}

#[tokio::test]
async fn the_catalog_says_what_a_form_has_to_ask_for() {
    let api = Api::start().await;
    let body =
        json!({ "name": "b", "prefix": "own", "type": "bedrock-compatible", "baseUrl": "https://b.test" });
    node(&api, body).await;
    let catalog = api.get("/api/models/catalog").await.expect(200)["catalog"].clone();
    for (prefix, credential, fields) in [
        ("openai", "key", json!([])),
        ("bedrock", "key", json!(["region"])),
        ("own", "key", json!(["region"])),
        ("vertex", "service-account", json!(["region", "project"])),
        (
            "vertex-anthropic",
            "service-account",
            json!(["region", "project"]),
        ),
    ] {
        assert_eq!(catalog[prefix]["credential"], credential, "{prefix}");
        assert_eq!(catalog[prefix]["fields"], fields, "{prefix}");
    }
}

//! What goes out to each provider, held to what its vendor documents.
//!
//! The requests are those of the running gateway. They go through a proxy that remembers them, which is why their
//! addresses begin with `http` here: what is compared is everything else of them.

mod recorder;
mod table;

use self::recorder::{Recorder, Seen};
use self::table::{Ask, NOT_OFFERED, ROWS, Row, SERVICES_ONLY, SPECIFIED};
use crate::harness::{DataPlane, Setup};
use llm::providers;
use proto::v1::{OutboundProxy, ProviderNode, resource::Body};
use reqwest::Response;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::{ACCESS_KEY, service_account};

const NODE: &str = "https://node.example/base";

/// The address of a provider, without its TLS.
fn plain(url: &str) -> String {
    url.replacen("https://", "http://", 1)
}

// === impl Row ===

impl Row {
    /// A gateway whose one account is that of the row, and which reaches the world through the recorder.
    async fn data_plane(&self, recorder: &Recorder) -> DataPlane {
        let proxy = OutboundProxy {
            level: "global".to_owned(),
            r#type: "http".to_owned(),
            host: recorder.address.ip().to_string(),
            port: recorder.address.port().into(),
            ..OutboundProxy::default()
        };
        let setup = Setup::new().resource("global", Body::OutboundProxy(proxy));
        // what a proxy is asked for is looked up first, and here that is the name of a vendor
        let setup = setup.config(|config| {
            config.upstream.connect_ms = 30_000;
            config.upstream.first_event_ms = 60_000;
            config.upstream.unary_ms = 60_000;
        });
        let setup = match self.provider.split_once(' ') {
            Some((node_type, api_type)) => self.node(setup, node_type, api_type),
            None => self.built_in(setup),
        };
        setup.start().await
    }

    fn node(&self, setup: Setup, node_type: &str, api_type: &str) -> Setup {
        let node = ProviderNode {
            name: "n".to_owned(),
            r#type: node_type.to_owned(),
            api_type: api_type.to_owned(),
            prefix: "own".to_owned(),
            base_url: plain(NODE),
            api_version: String::new(),
        };
        let credential = setup.credential("main", self.credential());
        setup
            .resource("node-n", Body::ProviderNode(node))
            .account_with("main", "node-n", "", |connection| {
                connection.credential = Some(credential);
            })
    }

    fn built_in(&self, setup: Setup) -> Setup {
        let spec = providers::find(self.provider).unwrap();
        assert!(spec.base_url.starts_with("https://"), "{}", self.provider);
        let credential = match spec.auth {
            llm::provider::AuthScheme::Google { .. } => service_account("http://oauth2.example/token"),
            _ => self.credential().to_owned(),
        };
        let credential = setup.credential("main", &credential);
        setup.account_with("main", spec.id, &plain(spec.base_url), |connection| {
            connection.credential = Some(credential);
            if spec.auth_type == llm::provider::AuthType::OAuth {
                connection.auth_type = "oauth".to_owned();
                connection.access_token = Some(proto::v1::AccessToken {
                    generation: 1,
                    ..Default::default()
                });
            }
        })
    }

    fn credential(&self) -> &'static str {
        match self.provider.starts_with("bedrock") {
            true => ACCESS_KEY,
            false => "sk-main",
        }
    }

    /// As a client writes the model.
    fn model(&self) -> String {
        match self.provider.contains(' ') {
            true => format!("own/{}", self.model),
            false => format!("{}/{}", self.provider, self.model),
        }
    }

    /// What the gateway says to it, which is never an answer.
    async fn ask(&self, data_plane: &DataPlane) -> Response {
        let model = self.model();
        let messages = json!([{ "role": "user", "content": "hi" }]);
        let (path, body) = match self.ask {
            Ask::Chat => (
                "/v1/chat/completions",
                json!({ "messages": messages, "max_tokens": 9 }),
            ),
            Ask::Stream => (
                "/v1/chat/completions",
                json!({ "messages": messages, "max_tokens": 9, "stream": true }),
            ),
            Ask::Messages => ("/v1/messages", json!({ "messages": messages, "max_tokens": 9 })),
            Ask::Count => ("/v1/messages/count_tokens", json!({ "messages": messages })),
            Ask::Embeddings => ("/v1/embeddings", json!({ "input": "hi" })),
            Ask::Images => ("/v1/images/generations", json!({ "prompt": "hi" })),
            Ask::Moderations => ("/v1/moderations", json!({ "input": "hi" })),
            Ask::Speech => ("/v1/audio/speech", json!({ "input": "hi", "voice": "alloy" })),
            Ask::Rerank => ("/v1/rerank", json!({ "query": "hi", "documents": ["a"] })),
            Ask::Transcriptions => return transcribe(data_plane, &model).await,
        };
        let mut body = body;
        body["model"] = json!(model);
        data_plane.ask(path, &body).await
    }

    /// Where what was sent is something else than what is documented.
    fn differences(&self, seen: &Seen) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, sent: &str, documented: &str| {
            if sent != documented {
                let Self { provider, ask, .. } = self;
                found.push(format!(
                    "{provider} {ask:?}, {what}: `{sent}` and not `{documented}`"
                ));
            }
        };
        let header = |name: &str| seen.headers.get(name).map_or("", String::as_str);
        compare("method", &seen.method, "POST");
        compare("url", &seen.url, &plain(self.url));
        let (name, value) = self.auth.split_once(": ").unwrap();
        let value = value.replace("KEY", self.credential());
        let sent = header(name);
        // a signature is another one each time
        let is_signed = value.starts_with("AWS4");
        let sent = if is_signed {
            sent.get(..value.len()).unwrap_or(sent)
        } else {
            sent
        };
        compare(name, sent, &value);
        let credentials = ["authorization", "x-api-key", "x-goog-api-key", "api-key"];
        for other in credentials.into_iter().filter(|other| *other != name) {
            compare(other, header(other), "");
        }
        for documented in self.headers {
            let (name, value) = documented.split_once(": ").unwrap();
            compare(name, header(name), value);
        }
        let keys: BTreeSet<&str> = seen.keys.iter().map(String::as_str).collect();
        let keys: Vec<&str> = keys.into_iter().collect();
        compare("body", &keys.join(" "), self.body);
        if keys.contains(&"model") {
            compare("model", seen.model.as_deref().unwrap_or_default(), self.model);
        }
        found
    }
}

async fn transcribe(data_plane: &DataPlane, model: &str) -> Response {
    let form = format!(
        "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--b\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\ncontent-type: audio/wav\r\n\r\n\
         RIFF\r\n--b--\r\n"
    );
    let request = data_plane
        .request("POST", "/v1/audio/transcriptions")
        .bearer_auth(crate::harness::KEY)
        .header("content-type", "multipart/form-data; boundary=b")
        .body(form);
    request.send().await.unwrap()
}

#[tokio::test]
async fn every_provider_is_asked_as_its_vendor_documents_it() {
    let recorder = Recorder::start().await;
    let mut found = Vec::new();
    for row in ROWS {
        let data_plane = row.data_plane(&recorder).await;
        let said = row.ask(&data_plane).await.text().await.unwrap();
        let seen = recorder.take();
        let seen = seen
            .iter()
            .find(|seen| !seen.url.starts_with("http://oauth2.example/"))
            .unwrap_or_else(|| panic!("{} {:?} asked nobody: {said}", row.provider, row.ask));
        found.extend(row.differences(seen));
        assert!(row.source.starts_with("https://"), "{}", row.provider);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Without its own word the provider takes no token; without the client's it would not do what the client asks.
#[tokio::test]
async fn what_a_client_adds_to_a_list_leaves_what_the_provider_needs() {
    let recorder = Recorder::start().await;
    let row = ROWS.iter().find(|row| row.provider == "claude").unwrap();
    let data_plane = row.data_plane(&recorder).await;
    let body =
        json!({ "model": row.model(), "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }] });
    let request = data_plane
        .post("/v1/messages")
        .bearer_auth(crate::harness::KEY)
        .header("anthropic-version", "2023-06-01")
        .header("anthropic-beta", "files-api-2025-04-14, oauth-2025-04-20")
        .body(body.to_string());
    request.send().await.unwrap();
    let sent = recorder.take().remove(0).headers["anthropic-beta"].clone();
    assert_eq!(sent, "oauth-2025-04-20,files-api-2025-04-14");
}

#[test]
fn the_table_has_every_provider() {
    let asked: BTreeSet<&str> = ROWS
        .iter()
        .filter(|row| row.ask == Ask::Chat)
        .map(|row| row.provider)
        .collect();
    for spec in providers::ALL {
        let beside = SERVICES_ONLY.contains(&spec.id);
        assert!(asked.contains(spec.id) || beside, "{} has no row", spec.id);
    }
    for id in SPECIFIED {
        let refused = NOT_OFFERED.iter().any(|(other, _)| other == id);
        assert!(
            asked.contains(id) || refused || SERVICES_ONLY.contains(id),
            "{id} is neither offered nor said not to be"
        );
    }
    for (node_type, api_types) in [
        ("openai-compatible", &["chat", "responses"][..]),
        ("anthropic-compatible", &[""]),
        ("gemini-compatible", &[""]),
        ("ollama-compatible", &[""]),
        ("azure-compatible", &["chat", "responses", "deployments"]),
        ("bedrock-compatible", &[""]),
    ] {
        for api_type in api_types {
            let name = format!("{node_type} {api_type}");
            assert!(asked.contains(&*name), "{name} has no row");
        }
    }
}

/// They speak a protocol of their vendor's own clients, which is not to be imitated, or of a kind that this gateway has
/// no clients for.
#[test]
fn what_is_not_offered_is_nowhere() {
    for (id, reason) in NOT_OFFERED {
        assert!(providers::find(id).is_none(), "{id} is offered: {reason}");
    }
    let body: Value = json!(NOT_OFFERED.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    for id in ["kiro", "cursor", "antigravity", "gemini-cli"] {
        assert!(body.as_array().unwrap().contains(&json!(id)));
    }
}

//! A client of one plane, over real HTTP.

use reqwest::header::HeaderMap;
use runtime::egress::{Egress, EgressConfig, ProxyEnvironment};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// Calls `/v1` of one data plane with one key.
#[derive(Clone)]
pub struct Client {
    http: Egress,
    base: String,
    key: String,
}

/// Signed in at one control plane.
pub struct Operator {
    http: Egress,
    base: String,
    cookie: String,
}

pub fn http() -> Egress {
    Egress::new(EgressConfig {
        connect_timeout: Duration::from_secs(2),
        allow_private: true,
        proxies: ProxyEnvironment::default(),
    })
    .unwrap()
}

// === impl Client ===

impl Client {
    pub fn new(address: SocketAddr, key: &str) -> Self {
        Self {
            http: http(),
            base: format!("http://{address}"),
            key: key.to_owned(),
        }
    }

    /// The status of a whole answer; 0 when there was none.
    pub async fn chat(&self, model: &str) -> u16 {
        self.complete(&json!({"model": model, "messages": [{"role": "user", "content": "hello"}]}))
            .await
    }

    /// The status of the whole answer to this body; 0 when there was none.
    pub async fn complete(&self, body: &Value) -> u16 {
        match self.post(body).send().await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                if answer.bytes().await.is_ok() { status } else { 0 }
            }
            Err(_) => 0,
        }
    }

    /// What the key may ask for.
    pub async fn models(&self) -> Value {
        let request = self.http.client(true).get(format!("{}/v1/models", self.base));
        let answer = request.bearer_auth(&self.key).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// What a browser hears that asks whether a page of `origin` may call.
    pub async fn preflight(&self, origin: &str) -> HeaderMap {
        let url = format!("{}/v1/chat/completions", self.base);
        let request = self.http.client(true).request(reqwest::Method::OPTIONS, url);
        let request = request
            .header("origin", origin)
            .header("access-control-request-method", "POST");
        request.send().await.unwrap().headers().clone()
    }

    /// A question at temperature 0; its answer, and whether it is a `HIT` of the cache.
    pub async fn ask(&self, model: &str, prompt: &str) -> (String, bool) {
        let body = json!({
            "model": model, "temperature": 0, "messages": [{"role": "user", "content": prompt}],
        });
        let answer = self.post(&body).send().await.unwrap();
        let is_hit = answer
            .headers()
            .get("x-omniroute-cache")
            .is_some_and(|cache| cache == "HIT");
        assert_eq!(answer.status(), 200);
        (answer.text().await.unwrap(), is_hit)
    }

    /// The status of an answer, whole, and what it says.
    pub async fn post_chat(&self, body: &Value) -> (u16, String) {
        let answer = self.post(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    }

    /// The status that somebody gets who has no key.
    pub async fn get_without_key(&self, path: &str) -> u16 {
        let request = self.http.client(true).get(format!("{}{path}", self.base));
        request.send().await.unwrap().status().as_u16()
    }

    fn post(&self, body: &Value) -> reqwest::RequestBuilder {
        self.http
            .client(true)
            .post(format!("{}/v1/chat/completions", self.base))
            .bearer_auth(&self.key)
            .timeout(Duration::from_secs(30))
            .body(body.to_string())
    }

    pub async fn send(
        &self,
        model: &str,
        stream: bool,
        prompt: &str,
        request_id: Option<&str>,
    ) -> reqwest::Result<reqwest::Response> {
        let body =
            json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": prompt}]});
        let mut request = self.post(&body);
        if let Some(id) = request_id {
            request = request.header("x-request-id", id);
        }
        request.send().await
    }
}

// === impl Operator ===

impl Operator {
    pub async fn sign_in(address: SocketAddr, password: &str) -> Self {
        let (http, base) = (http(), format!("http://{address}"));
        let answer = http
            .client(true)
            .post(format!("{base}/api/auth/login"))
            .header("content-type", "application/json")
            .body(json!({"password": password}).to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "sign-in was refused");
        let cookie = answer.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        Self { http, base, cookie }
    }

    /// A compatible endpoint `prefix/…` with one connection, on every data plane when this returns.
    /// The id of the connection.
    pub async fn add_provider(&self, prefix: &str, url: &str) -> String {
        let node = json!({"name": prefix, "prefix": prefix, "type": "openai-compatible", "apiType": "chat", "baseUrl": url});
        let node = self.post("/api/provider-nodes", node).await;
        let connection = json!({"provider": node["node"]["id"], "name": "main", "apiKey": "sk-upstream"});
        let made = self.post("/api/providers?wait=applied", connection).await;
        made["connection"]["id"].as_str().unwrap().to_owned()
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.call(reqwest::Method::POST, path, Some(body)).await
    }

    pub async fn get(&self, path: &str) -> Value {
        self.call(reqwest::Method::GET, path, None).await
    }

    /// None while the control plane does not answer.
    pub async fn try_get(&self, path: &str) -> Option<Value> {
        let request = self.http.client(true).get(format!("{}{path}", self.base));
        let answer = request.header("cookie", &self.cookie).send().await.ok()?;
        let body = answer.error_for_status().ok()?.bytes().await.ok()?;
        serde_json::from_slice(&body).ok()
    }

    pub async fn put(&self, path: &str, body: Value) -> Value {
        self.call(reqwest::Method::PUT, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Value {
        self.call(reqwest::Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Value {
        self.call(reqwest::Method::DELETE, path, None).await
    }

    async fn call(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self
            .http
            .client(true)
            .request(method.clone(), format!("{}{path}", self.base))
            .header("cookie", &self.cookie)
            .header("sec-fetch-site", "same-origin");
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let body = answer.text().await.unwrap();
        assert!(
            status.is_success(),
            "{method} {path} was answered {status}: {body}"
        );
        serde_json::from_str(&body).unwrap()
    }
}

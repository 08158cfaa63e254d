//! Calls to a provider on behalf of an operator: does a credential work, which models are there.
//!
//! Every call goes through the egress client and its address guard. What a provider says is judged here and never
//! passed on: its 401 is no 401 of ours, and its body is not shown.

mod models;
mod verdict;

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use llm::{
    Dialect,
    provider::{AuthScheme, ProviderSpec},
};
use reqwest::{Method, StatusCode, header};
use runtime::{
    egress::{Egress, EgressError},
    secret::Secret,
};
use serde_json::json;
use thiserror::Error;
use url::Url;

pub use self::{
    models::{Model, list_models},
    verdict::{Check, Diagnosis, Finding},
};

const TIMEOUT: Duration = Duration::from_secs(15);
/// A model list is tens of kilobytes; a body beyond this is not one.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// Where to call and with what.
#[derive(Clone, Debug)]
pub struct Target {
    pub spec: &'static ProviderSpec,
    /// Without a trailing slash; replaces the address of `spec`.
    pub base_url: String,
    pub credential: Secret<String>,
    /// Named in the smallest possible request, where listing models proves nothing.
    pub model: Option<String>,
    pub allow_private: bool,
}

#[derive(Debug, Error)]
pub enum ProbeError {
    #[error("`{0}` is no address")]
    Address(String),
    #[error("{0}")]
    Blocked(String),
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
    #[error("the provider cannot be reached")]
    Network(#[source] reqwest::Error),
    #[error("the answer is larger than {MAX_BODY} bytes")]
    TooLarge,
    #[error("the credential has characters that no header can carry")]
    Credential,
}

struct Answer {
    status: StatusCode,
    body: Bytes,
}

// === impl Target ===

impl Target {
    fn url(&self, path: &str) -> Result<Url, ProbeError> {
        let text = format!("{}{path}", self.base_url.trim_end_matches('/'));
        Url::parse(&text).map_err(|_| ProbeError::Address(text))
    }

    async fn send(
        &self,
        egress: &Egress,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Answer, ProbeError> {
        let url = self.url(path)?;
        egress
            .check(&url, self.allow_private)
            .map_err(|error| ProbeError::Blocked(error.to_string()))?;

        let mut request = egress
            .client(self.allow_private)
            .request(method, url)
            .timeout(TIMEOUT);
        for (name, value) in self.spec.headers {
            request = request.header(*name, *value);
        }
        // a server of the operator's own may ask for no credential at all
        if !self.credential.expose().is_empty() {
            let (name, value) = self.authorization()?;
            request = request.header(name, value);
        }
        if self.spec.dialect == Dialect::AnthropicMessages {
            request = request.header("anthropic-version", "2023-06-01");
        }
        if let Some(body) = body {
            request = request
                .header(header::CONTENT_TYPE, "application/json")
                .body(body);
        }

        let response = request.send().await.map_err(classify)?;
        let status = response.status();
        let mut stream = response.bytes_stream();
        let mut body = BytesMut::new();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(classify)?;
            if body.len() + chunk.len() > MAX_BODY {
                return Err(ProbeError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            body: body.freeze(),
        })
    }

    fn authorization(&self) -> Result<(&'static str, header::HeaderValue), ProbeError> {
        let credential = self.credential.expose();
        let (name, secret) = match self.spec.auth {
            AuthScheme::Bearer => (header::AUTHORIZATION.as_str(), format!("Bearer {credential}")),
            AuthScheme::Header(name) => (name, credential.clone()),
        };
        let mut value = header::HeaderValue::from_str(&secret).map_err(|_| ProbeError::Credential)?;
        value.set_sensitive(true);
        Ok((name, value))
    }

    /// The smallest request that a provider authenticates. Any 4xx but 401 and 403 means it did.
    async fn smallest_chat(&self, egress: &Egress) -> Result<Answer, ProbeError> {
        let model = self
            .model
            .as_deref()
            .or(self.spec.models.first().map(|model| model.id))
            .unwrap_or("probe");
        let messages = json!([{ "role": "user", "content": "hi" }]);
        let body = match self.spec.dialect {
            Dialect::OpenAiChat | Dialect::AnthropicMessages => {
                json!({ "model": model, "max_tokens": 1, "messages": messages })
            }
            // the least that this API takes
            Dialect::OpenAiResponses => json!({ "model": model, "max_output_tokens": 16, "input": "hi" }),
            Dialect::Gemini => json!({
                "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }],
                "generationConfig": { "maxOutputTokens": 1 },
            }),
            Dialect::OllamaChat => {
                json!({ "model": model, "stream": false, "messages": messages, "options": { "num_predict": 1 } })
            }
        };
        let path = self.spec.path_for(model, false);
        self.send(egress, Method::POST, &path, Some(body.to_string()))
            .await
    }
}

/// Whether the provider accepts the credential: lists models, and where that settles nothing, asks for one token.
pub async fn check(egress: &Egress, target: &Target) -> Check {
    let started = Instant::now();
    let (finding, status) = match judge(egress, target).await {
        Ok((finding, status)) => (finding, Some(status.as_u16())),
        Err(error) => (Finding::from(error), None),
    };
    Check {
        finding,
        status,
        latency: started.elapsed(),
    }
}

async fn judge(egress: &Egress, target: &Target) -> Result<(Finding, StatusCode), ProbeError> {
    if let Some(path) = target.spec.models_path {
        let answer = target.send(egress, Method::GET, path, None).await?;
        match answer.status {
            status if status.is_success() => return Ok((Finding::Accepted, status)),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                return Ok((Finding::Refused, status));
            }
            _ => {}
        }
    }
    let status = target.smallest_chat(egress).await?.status;
    Ok((Finding::of_chat(status), status))
}

/// The guard's refusal of a resolved address arrives as a connection error with the refusal among its sources.
fn classify(error: reqwest::Error) -> ProbeError {
    let mut next: Option<&dyn std::error::Error> = Some(&error);
    while let Some(source) = next {
        if let Some(refusal) = source.downcast_ref::<EgressError>() {
            return ProbeError::Blocked(refusal.to_string());
        }
        next = source.source();
    }
    if error.is_timeout() {
        ProbeError::Timeout
    } else {
        ProbeError::Network(error.without_url())
    }
}

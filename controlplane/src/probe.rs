//! Calls to a provider on behalf of an operator: does a credential work, which models are there.
//!
//! Every call goes through the egress client and its address guard. What a provider says is judged here and never
//! passed on: its 401 is no 401 of ours, and its body is not shown.

mod models;
mod verdict;

use std::{
    error::Error,
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrono::Utc;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use llm::{
    Dialect,
    provider::{AuthScheme, AuthType, Endpoint, ProviderSpec},
    sigv4::{Outgoing, Signer},
};
use reqwest::{Method, StatusCode, header};
use runtime::{
    egress::{CallError, ConnectTimeout, Egress, EgressError, Proxy, ProxyFailed},
    secret::Secret,
    service_account::{AccountError, Bearer, Grant, GrantError, ServiceAccount, Way},
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
    pub endpoint: Endpoint,
    pub credential: Secret<String>,
    /// The credential is an access token.
    pub oauth: bool,
    /// Named in the smallest possible request, where listing models proves nothing.
    pub model: Option<String>,
    pub allow_private: bool,
    /// What the call goes through.
    pub proxy: Option<Proxy>,
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
    Network(#[source] Box<dyn Error + Send + Sync>),
    #[error("the provider cannot be reached through its proxy")]
    Proxy(#[source] Box<dyn Error + Send + Sync>),
    #[error("the answer is larger than {MAX_BODY} bytes")]
    TooLarge,
    #[error("the credential has characters that no header can carry")]
    Credential,
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Grant(GrantError),
}

pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

// === impl Target ===

impl Target {
    fn url(&self, path: &str) -> Result<Url, ProbeError> {
        let text = self.endpoint.url(path);
        Url::parse(&text).map_err(|_| ProbeError::Address(text))
    }

    async fn send(
        &self,
        egress: &Egress,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Answer, ProbeError> {
        let url = self.url(path)?;
        let mut request = http::Request::builder().method(&method).uri(url.as_str());
        for (name, value) in self.spec.headers {
            request = request.header(*name, *value);
        }
        // a server of the operator's own may ask for no credential at all
        let body = body.unwrap_or_default();
        let mut dialect_headers = Vec::new();
        if self.spec.dialect == Dialect::AnthropicMessages {
            dialect_headers.push(("anthropic-version", "2023-06-01".to_owned()));
        }
        let body = match self.spec.platform {
            Some(platform) => platform.dress(&body, &mut dialect_headers),
            None => body,
        };
        for (name, value) in dialect_headers {
            request = request.header(name, value);
        }
        if let Some(signer) = Signer::of(self.spec.auth, self.credential.expose(), self.endpoint.region()) {
            let now = u64::try_from(Utc::now().timestamp()).unwrap_or_default();
            let outgoing = Outgoing::to(method.as_str(), url.as_str(), &body);
            for (name, value) in signer.headers(outgoing, now) {
                request = request.header(name, value);
            }
        } else if let Some(bearer) = self.bearer(egress).await? {
            request = request.header(header::AUTHORIZATION, bearer.header());
        } else if !self.credential.expose().is_empty() {
            let (name, value) = self.authorization()?;
            request = request.header(name, value);
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = Full::new(body);
        let request = request
            .body(body)
            .map_err(|_| ProbeError::Address(url.to_string()))?;
        exchange(egress, request, &url, self.allow_private, self.proxy.as_ref()).await
    }

    /// Of a credential that is a key for tokens and no token itself.
    async fn bearer(&self, egress: &Egress) -> Result<Option<Bearer>, ProbeError> {
        let AuthScheme::Google { scope } = self.spec.auth else {
            return Ok(None);
        };
        if !ServiceAccount::is_meant(self.credential.expose()) {
            return Ok(None);
        }
        let account = ServiceAccount::read(self.credential.expose())?;
        let way = Way {
            egress,
            allow_private: self.allow_private,
            proxy: self.proxy.as_ref(),
        };
        let bearer = Grant::new(account, scope).bearer(way).await;
        bearer.map(Some).map_err(|error| match error {
            GrantError::Blocked(why) => ProbeError::Blocked(why.to_string()),
            other => ProbeError::Grant(other),
        })
    }

    fn authorization(&self) -> Result<(&'static str, header::HeaderValue), ProbeError> {
        let credential = self.credential.expose();
        let (name, secret) = match self.spec.auth {
            AuthScheme::Header(name) if !self.oauth || self.spec.auth_type == AuthType::OAuth => {
                (name, credential.clone())
            }
            AuthScheme::Word(word) => (header::AUTHORIZATION.as_str(), format!("{word} {credential}")),
            _ => (header::AUTHORIZATION.as_str(), format!("Bearer {credential}")),
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
            Dialect::BedrockConverse => json!({
                "messages": [{ "role": "user", "content": [{ "text": "hi" }] }],
                "inferenceConfig": { "maxTokens": 1 },
            }),
            Dialect::OllamaChat => {
                json!({ "model": model, "stream": false, "messages": messages, "options": { "num_predict": 1 } })
            }
        };
        let path = self.spec.path_for(model, false);
        self.send(egress, Method::POST, &path, Some(body.to_string().into()))
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
    if let Some(path) = target.spec.check_path.or(target.spec.models_path) {
        let answer = target.send(egress, Method::GET, path, None).await?;
        match answer.status {
            status if status.is_success() => return Ok((Finding::Accepted, status)),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                return Ok((Finding::Refused, status));
            }
            // there is no chat that could settle it
            status if !target.spec.converses() => return Ok((Finding::of_chat(status), status)),
            _ => {}
        }
    }
    let status = target.smallest_chat(egress).await?.status;
    Ok((Finding::of_chat(status), status))
}

/// One call and its whole answer, under the guard, a deadline and a limit.
pub async fn exchange(
    egress: &Egress,
    request: http::Request<Full<Bytes>>,
    url: &Url,
    allow_private: bool,
    proxy: Option<&Proxy>,
) -> Result<Answer, ProbeError> {
    egress
        .check(url, allow_private)
        .map_err(|error| ProbeError::Blocked(error.to_string()))?;
    let exchange = async {
        let sent = egress.call(request, allow_private, proxy).await;
        let (head, body) = sent.map_err(classify)?.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => ProbeError::TooLarge,
            false => ProbeError::Network(error),
        })?;
        Ok(Answer {
            status: head.status,
            body: body.to_bytes(),
        })
    };
    match tokio::time::timeout(TIMEOUT, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(ProbeError::Timeout),
    }
}

/// The guard's refusal of a resolved address arrives as a connection error with the refusal among its sources.
fn classify(error: CallError) -> ProbeError {
    let mut next: Option<&dyn Error> = Some(&error);
    while let Some(source) = next {
        if let Some(refusal) = source.downcast_ref::<EgressError>() {
            return ProbeError::Blocked(refusal.to_string());
        }
        if source.is::<ConnectTimeout>() {
            return ProbeError::Timeout;
        }
        if source.is::<ProxyFailed>() {
            return ProbeError::Proxy(error.into());
        }
        next = source.source();
    }
    ProbeError::Network(error.into())
}

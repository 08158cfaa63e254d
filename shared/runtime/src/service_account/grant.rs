//! Tokens of one service account: asked for once for everybody who waits, kept until shortly before they end.
//!
//! A key is nothing that is used up, unlike a refresh token, so that every process that holds one may ask, and does so
//! whether or not a control plane is there.

use super::ServiceAccount;
use crate::egress::{ConnectTimeout, Egress, EgressError, Proxy, ProxyFailed};
use crate::secret::Secret;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use parking_lot::{Mutex, RwLock};
use serde::Deserialize;
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

const PATIENCE: Duration = Duration::from_secs(10);
/// A token is a kilobyte or two.
const ANSWER_BYTES: usize = 64 * 1024;
/// A token that ends sooner is not begun with, if another can be had.
const EARLY: Duration = Duration::from_secs(60);
/// Of an answer that does not say how long its token is good.
const USUAL_SECONDS: u64 = 3600;
/// An error code longer than this is none.
const CODE_BYTES: usize = 64;
const FORM: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";

/// How the token endpoint is reached: as the provider itself.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    pub egress: &'a Egress,
    pub allow_private: bool,
    pub proxy: Option<&'a Proxy>,
}

/// What a request to the provider brings.
#[derive(Clone)]
pub struct Bearer {
    header: HeaderValue,
    /// Grows with every token of one grant.
    number: u64,
}

/// Why there is no token. The account's key and what the endpoint answered stay unsaid.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GrantError {
    #[error("the token endpoint of the service account may not be called: {0}")]
    Blocked(EgressError),
    #[error("the token endpoint refuses the service account{0}")]
    Refused(String),
    #[error("the token endpoint of the service account did not answer in time")]
    Timeout,
    #[error("the token endpoint of the service account cannot be reached")]
    Unreachable,
    #[error("the token endpoint of the service account cannot be reached through its proxy")]
    Proxy,
    #[error("the token endpoint of the service account answered with status {0}")]
    Status(u16),
    #[error("what the token endpoint of the service account answered is no token")]
    Unreadable,
    #[error("the key of the service account does not sign")]
    Unsigned,
}

/// One account's right to tokens of one scope.
pub struct Grant {
    account: ServiceAccount,
    scope: &'static str,
    current: RwLock<Option<Token>>,
    /// Held by whoever asks: the last failure, for those who waited for it.
    asking: tokio::sync::Mutex<Option<(Instant, GrantError)>>,
}

#[derive(Clone)]
struct Token {
    bearer: Bearer,
    ends: Instant,
    fresh_until: Instant,
}

/// The grants that are in use, by what they belong to, so that a new configuration goes on with their tokens.
#[derive(Debug, Default)]
pub struct Grants {
    known: Mutex<HashMap<String, (blake3::Hash, Weak<Grant>)>>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: Secret<String>,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Refusal {
    error: Option<String>,
}

// === impl Grants ===

impl Grants {
    /// The grant of `owner`; the one it has, as long as the credential is the same.
    pub fn of(
        &self,
        owner: &str,
        credential: &str,
        make: impl FnOnce() -> Result<Grant, super::AccountError>,
    ) -> Result<Arc<Grant>, super::AccountError> {
        let fingerprint = blake3::hash(credential.as_bytes());
        let mut known = self.known.lock();
        if let Some((same, grant)) = known.get(owner)
            && *same == fingerprint
            && let Some(grant) = grant.upgrade()
        {
            return Ok(grant);
        }
        let grant = Arc::new(make()?);
        known.retain(|_, (_, grant)| grant.strong_count() > 0);
        known.insert(owner.to_owned(), (fingerprint, Arc::downgrade(&grant)));
        Ok(grant)
    }
}

// === impl Grant ===

impl Grant {
    pub fn new(account: ServiceAccount, scope: &'static str) -> Self {
        Self {
            account,
            scope,
            current: RwLock::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    pub fn account(&self) -> &ServiceAccount {
        &self.account
    }

    /// A token that is good.
    pub async fn bearer(&self, way: Way<'_>) -> Result<Bearer, GrantError> {
        self.other_than(None, way).await
    }

    /// Another one than that, which the provider refused.
    pub async fn another(&self, refused: &Bearer, way: Way<'_>) -> Result<Bearer, GrantError> {
        self.other_than(Some(refused.number), way).await
    }

    async fn other_than(&self, refused: Option<u64>, way: Way<'_>) -> Result<Bearer, GrantError> {
        if let Some(token) = self.usable(refused, |token| token.fresh_until) {
            return Ok(token);
        }
        let waiting_since = Instant::now();
        let mut last_failure = self.asking.lock().await;
        // somebody else may have asked meanwhile
        if let Some(token) = self.usable(refused, |token| token.fresh_until) {
            return Ok(token);
        }
        let failed = last_failure.as_ref().filter(|(at, _)| *at >= waiting_since);
        let error = match failed {
            Some((_, error)) => error.clone(),
            None => match self.ask(way).await {
                Ok(bearer) => {
                    *last_failure = None;
                    return Ok(bearer);
                }
                Err(error) => {
                    *last_failure = Some((Instant::now(), error.clone()));
                    error
                }
            },
        };
        // the old one is good for a little longer
        self.usable(refused, |token| token.ends).ok_or(error)
    }

    fn usable(&self, refused: Option<u64>, until: fn(&Token) -> Instant) -> Option<Bearer> {
        let current = self.current.read();
        let token = current.as_ref().filter(|token| Instant::now() < until(token))?;
        (refused != Some(token.bearer.number)).then(|| token.bearer.clone())
    }

    async fn ask(&self, way: Way<'_>) -> Result<Bearer, GrantError> {
        let began = Instant::now();
        let answer = timeout(PATIENCE, self.exchange(way));
        let answer = answer.await.map_err(|_| GrantError::Timeout)??;
        let text = Zeroizing::new(format!("Bearer {}", answer.access_token.expose()));
        let mut header = HeaderValue::from_str(&text).map_err(|_| GrantError::Unreadable)?;
        header.set_sensitive(true);
        let lifetime = Duration::from_secs(answer.expires_in.unwrap_or(USUAL_SECONDS));
        let mut current = self.current.write();
        let number = current.as_ref().map_or(0, |token| token.bearer.number) + 1;
        let bearer = Bearer { header, number };
        *current = Some(Token {
            bearer: bearer.clone(),
            ends: began + lifetime,
            fresh_until: began + lifetime.saturating_sub(EARLY.min(lifetime / 2)),
        });
        Ok(bearer)
    }

    async fn exchange(&self, way: Way<'_>) -> Result<Answer, GrantError> {
        let url = self.account.token_url();
        let Way {
            egress,
            allow_private,
            proxy,
        } = way;
        egress.check(url, allow_private).map_err(GrantError::Blocked)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let form = format!("{FORM}{}", self.account.assertion(self.scope, now.as_secs())?);
        let mut request = Request::new(Full::new(Bytes::from(form)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::try_from(url.as_str()).map_err(|_| GrantError::Unreachable)?;
        let headers = request.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = egress.call(request, allow_private, proxy).await;
        let (head, body) = answer.map_err(|error| explain(&error))?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES).collect().await;
        let body = body.map_err(|_| GrantError::Unreadable)?.to_bytes();
        match head.status {
            StatusCode::OK => serde_json::from_slice(&body).map_err(|_| GrantError::Unreadable),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(GrantError::Refused(code(&body)))
            }
            status => Err(GrantError::Status(status.as_u16())),
        }
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

// === impl Bearer ===

impl Bearer {
    /// The value of `Authorization`.
    pub fn header(&self) -> &HeaderValue {
        &self.header
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bearer({})", self.number)
    }
}

// === impl GrantError ===

impl GrantError {
    /// The account's fault rather than that of what is between it and here.
    pub fn blames_account(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Unsigned | Self::Blocked(_))
    }
}

/// The endpoint's word for its refusal, in brackets; nothing where it has none.
fn code(body: &[u8]) -> String {
    let refusal: Option<Refusal> = serde_json::from_slice(body).ok();
    let code = refusal.and_then(|refusal| refusal.error).unwrap_or_default();
    let is_word = !code.is_empty()
        && code.len() <= CODE_BYTES
        && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if is_word {
        format!(" ({code})")
    } else {
        String::new()
    }
}

fn explain(error: &(dyn Error + 'static)) -> GrantError {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(refusal) = error.downcast_ref::<EgressError>() {
            return GrantError::Blocked(refusal.clone());
        }
        if error.is::<ConnectTimeout>() {
            return GrantError::Timeout;
        }
        if error.is::<ProxyFailed>() {
            return GrantError::Proxy;
        }
        next = error.source();
    }
    GrantError::Unreachable
}

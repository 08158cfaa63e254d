//! A request as it came in: where it was sent, what it is called, and its body, which is read only after its
//! sender is known.

use crate::config::EdgeConfig;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT, HeaderMap, HeaderValue};
use http::request::Parts;
use http_body_util::BodyExt;
use llm::{Address, Ask, DecodeError, Dialect, ErrorKind, Kind};
use std::io;
use std::time::Duration;
use thiserror::Error;
use uuid::Uuid;

const REQUEST_ID: &str = "x-request-id";

/// Of a body that is too large, this much is read on and thrown away: a client that is still writing would
/// otherwise see a broken connection instead of the answer.
const DISCARD_BYTES: usize = 64 * 1024 * 1024;

/// One operation of the gateway.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// The route as it is counted, whichever alias of it was called.
    pub route: &'static str,
    pub dialect: Dialect,
    pub kind: Kind,
}

pub struct Arrival {
    pub endpoint: Endpoint,
    pub parts: Parts,
    pub id: Uuid,
    /// What the client calls its request, or ours when it has no name.
    pub request_id: HeaderValue,
    /// What this request's address says and other dialects say in the body.
    pub address: Option<Address>,
    /// The provider that the address names: the model is looked for there and nowhere else.
    pub provider: Option<String>,
    body: Body,
}

#[derive(Debug, Error)]
pub enum ArrivalError {
    #[error("Request body too large. Maximum allowed: {}", megabytes(*.limit))]
    TooLarge { limit: usize },
    #[error("the request body stopped arriving")]
    Stalled,
    #[error("the request body broke off")]
    Broken,
    #[error("send the request as a form with a file: Content-Type multipart/form-data, with its boundary")]
    NotAForm,
    #[error("the form cannot be read: {0}")]
    Form(String),
    #[error("the file cannot be kept while it is passed on")]
    Disk(#[source] io::Error),
}

// === impl Endpoint ===

impl Endpoint {
    /// Where models answer, or say something about answering.
    pub const fn chat(route: &'static str, dialect: Dialect) -> Self {
        Self {
            route,
            dialect,
            kind: Kind::Chat,
        }
    }

    /// Where something else is asked for, in the one dialect there is for it.
    pub const fn of(kind: Kind, route: &'static str) -> Self {
        Self {
            route,
            dialect: Dialect::OpenAiChat,
            kind,
        }
    }
}

// === impl Arrival ===

impl Arrival {
    pub fn new(endpoint: Endpoint, request: axum::extract::Request) -> Self {
        let (parts, body) = request.into_parts();
        let id = Uuid::now_v7();
        let request_id = request_id(&parts.headers, id);
        Self {
            endpoint,
            parts,
            id,
            request_id,
            address: None,
            provider: None,
            body,
        }
    }

    pub fn at(mut self, address: Address) -> Self {
        self.address = Some(address);
        self
    }

    pub fn at_provider(mut self, provider: String) -> Self {
        self.provider = Some(provider);
        self
    }

    /// What is asked, as far as routing needs it.
    pub fn ask(&self, body: Bytes) -> Result<Ask, DecodeError> {
        let Endpoint { dialect, kind, .. } = self.endpoint;
        if kind != Kind::Chat {
            return Ask::read_as(kind, body);
        }
        match self.address.clone() {
            Some(address) => Ask::read_at(dialect, address, body),
            None => Ask::read(dialect, body),
        }
    }

    /// Refuses a body that says it is too large, before it is read; else returns how long it says it is.
    pub(super) async fn refuse_announced(
        &mut self,
        limit: usize,
        idle: Duration,
    ) -> Result<Option<usize>, ArrivalError> {
        let announced = self
            .parts
            .headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_none_or(|length: usize| length <= limit) {
            return Ok(announced);
        }
        if !self.parts.headers.contains_key(EXPECT) {
            discard(self.take_body(), idle).await;
        }
        Err(ArrivalError::TooLarge { limit })
    }

    /// For whoever reads it piece by piece; once.
    pub(super) fn take_body(&mut self) -> Body {
        std::mem::replace(&mut self.body, Body::empty())
    }

    /// Always visible ASCII: it was checked, or it is ours.
    pub fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }

    /// The whole body; once. The limit holds while reading: a chunked body does not say how long it will be.
    pub async fn read_body(&mut self, edge: &EdgeConfig) -> Result<Bytes, ArrivalError> {
        let limit = edge.max_body_bytes;
        let announced = self.refuse_announced(limit, edge.body_idle()).await?;
        let mut body = self.take_body();
        // most bodies arrive in one piece, and that piece is used as it is
        let Some(first) = next(&mut body, edge.body_idle()).await? else {
            return Ok(Bytes::new());
        };
        let Some(second) = next(&mut body, edge.body_idle()).await? else {
            return if first.len() > limit {
                Err(ArrivalError::TooLarge { limit })
            } else {
                Ok(first)
            };
        };
        let mut whole = BytesMut::with_capacity(announced.unwrap_or(first.len() + second.len()).min(limit));
        whole.extend_from_slice(&first);
        let mut piece = Some(second);
        while let Some(data) = piece {
            if whole.len() + data.len() > limit {
                discard(body, edge.body_idle()).await;
                return Err(ArrivalError::TooLarge { limit });
            }
            whole.extend_from_slice(&data);
            piece = next(&mut body, edge.body_idle()).await?;
        }
        Ok(whole.freeze())
    }
}

// === impl ArrivalError ===

impl ArrivalError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::Stalled | Self::Broken => ErrorKind::Cancelled,
            Self::NotAForm | Self::Form(_) => ErrorKind::InvalidRequest,
            Self::Disk(_) => ErrorKind::Unavailable,
        }
    }
}

/// The client's own id when it is 1 to 128 visible ASCII characters: anything else would have to be escaped
/// wherever it is shown.
fn request_id(headers: &HeaderMap, id: Uuid) -> HeaderValue {
    let own = headers.get(REQUEST_ID).filter(|value| {
        (1..=128).contains(&value.len()) && value.as_bytes().iter().all(|byte| byte.is_ascii_graphic())
    });
    own.cloned().unwrap_or_else(|| {
        let mut text = Uuid::encode_buffer();
        HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)).expect("a UUID is visible ASCII")
    })
}

pub(super) async fn next(body: &mut Body, idle: Duration) -> Result<Option<Bytes>, ArrivalError> {
    loop {
        let frame = tokio::time::timeout(idle, body.frame())
            .await
            .map_err(|_| ArrivalError::Stalled)?;
        let Some(frame) = frame else { return Ok(None) };
        match frame.map_err(|_| ArrivalError::Broken)?.into_data() {
            Ok(data) if data.is_empty() => {}
            Ok(data) => return Ok(Some(data)),
            // trailers mean nothing here
            Err(_) => {}
        }
    }
}

async fn discard(mut body: Body, idle: Duration) {
    let mut read = 0;
    while let Ok(Some(data)) = next(&mut body, idle).await {
        read += data.len();
        if read > DISCARD_BYTES {
            return;
        }
    }
}

fn megabytes(bytes: usize) -> String {
    match bytes % (1024 * 1024) {
        0 => format!("{} MB", bytes / (1024 * 1024)),
        _ => format!("{bytes} bytes"),
    }
}

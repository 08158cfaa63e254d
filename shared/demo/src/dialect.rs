//! Whose API is spoken, and what a vendor has to say for itself.

use crate::wire::{Framing, Reply};
use crate::{
    anthropic, assemblyai, azure, bedrock, deepgram, gemini, google, hyperbolic, nanobanana, nvidia, ollama,
    openai, responses,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, header};
use axum::response::Response;
use serde_json::Value;

/// Keys that start so are refused, as revoked ones are; any other key will do.
const REVOKED: &str = "sk-revoked";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    OpenAi,
    OpenAiResponses,
    Anthropic,
    Gemini,
    Ollama,
    Bedrock,
    AssemblyAi,
    Deepgram,
    Hyperbolic,
    NanoBanana,
    Nvidia,
    Azure,
    Vertex,
}

/// What a path stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    Answer(Address),
    CountTokens(Address),
    /// The same for everybody.
    Tell(Method, Value),
}

/// What some vendors put into the path of a question and others into its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    pub model: Option<String>,
    /// A stream is asked for, in this form.
    pub stream: Option<Framing>,
}

/// A question as it came.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    pub path: &'a str,
    pub body: &'a Value,
    pub headers: &'a HeaderMap,
    pub address: &'a Address,
}

/// The key of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Good,
    None,
    Revoked,
}

pub trait Vendor: Sync {
    /// Where the API begins.
    fn base(&self) -> &'static str {
        "/v1"
    }

    /// The answer to what is asked for beside the API itself: a token for it.
    fn beside(&self, _parts: &Parts, _body: &[u8]) -> Option<Response> {
        None
    }

    fn operation(&self, path: &str, query: &str) -> Option<Operation>;

    /// The refusal of a request without a key, or without what else must stand in its head.
    fn turn_away(&self, parts: &Parts) -> Option<Response>;

    /// The same for what only head and body together tell: a signature over both.
    fn turn_away_unsigned(&self, _parts: &Parts, _body: &[u8]) -> Option<Response> {
        None
    }

    fn answer(&self, ask: Ask<'_>, reply: Reply) -> Response;

    fn count_tokens(&self, ask: Ask<'_>) -> Response;

    /// An error in the vendor's envelope.
    fn refuse(&self, status: u16, message: &str) -> Response;

    /// A failure that was asked for, which says how long to wait where the vendor says it in the body.
    fn fail(&self, status: u16, message: &str, _retry_after: Option<u64>) -> Response {
        self.refuse(status, message)
    }

    fn wrong_key(&self) -> &'static str;

    /// Of a body that is not JSON.
    fn unreadable(&self) -> &'static str {
        "The request body is not valid JSON."
    }
}

// === impl Dialect ===

impl Dialect {
    pub(crate) fn vendor(self) -> &'static dyn Vendor {
        match self {
            Self::OpenAi => &openai::OpenAi,
            Self::OpenAiResponses => &responses::Responses,
            Self::Anthropic => &anthropic::Anthropic,
            Self::Gemini => &gemini::Gemini,
            Self::Ollama => &ollama::Ollama,
            Self::Bedrock => &bedrock::Bedrock,
            Self::AssemblyAi => &assemblyai::AssemblyAi,
            Self::Deepgram => &deepgram::Deepgram,
            Self::Hyperbolic => &hyperbolic::Hyperbolic,
            Self::NanoBanana => &nanobanana::NanoBanana,
            Self::Nvidia => &nvidia::Nvidia,
            Self::Azure => &azure::Azure,
            Self::Vertex => &google::Vertex,
        }
    }

    /// The path that a client is given as part of the base address.
    pub fn base(self) -> &'static str {
        self.vendor().base()
    }
}

// === impl Key ===

impl Key {
    /// A key in one of the vendor's own headers, or one that is a bearer.
    pub fn read(headers: &HeaderMap, own: Option<&'static str>) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let own = own.and_then(|name| text(HeaderName::from_static(name)));
        let bearer = || text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        own.or_else(bearer).map_or(Self::None, Self::of)
    }

    pub fn of(key: &str) -> Self {
        match key {
            "" => Self::None,
            key if key.starts_with(REVOKED) => Self::Revoked,
            _ => Self::Good,
        }
    }
}

//! Anthropic Messages.

mod assembly;
mod error;
mod event;
mod foreign;
pub(super) mod json;
pub(super) mod partial;
mod relay;
mod reply;
mod request_decode;
pub(super) mod request_encode;
pub(super) mod schema;
mod stop;
mod stream_decode;
mod stream_encode;
mod tokens;

use crate::dialect::Dialect;
use crate::error::{DecodeError, EncodeError, PublicError, UpstreamError, classify};
use crate::event::Event;
use crate::format::{Format, Framing, Relay, ReplySeed, StreamDecoder, StreamEncoder, Upstream};
use crate::head::Head;
use crate::note::Notes;
use crate::relay::FrameRelay;
use crate::reply::Reply;
use crate::request::Request;
use crate::translate::Target;
use bytes::Bytes;

/// The tool whose input is a structured answer, where the model has no native way to give one. Reserved: a call
/// of it is read as text and never reaches a client.
pub(super) const ANSWER_TOOL: &str = "gateway_structured_output";

/// The version of the API that our own bodies are written for. Newer ones took the sampling parameters away; a
/// client's body goes with the client's version.
const DEFAULT_VERSION: &str = "2023-06-01";

/// `POST /v1/messages`, as the vendor's SDKs speak it.
#[derive(Debug)]
pub struct AnthropicMessages;

// === impl AnthropicMessages ===

impl Upstream for AnthropicMessages {
    fn dialect(&self) -> Dialect {
        Dialect::AnthropicMessages
    }

    fn encode_request(
        &self,
        request: &Request,
        target: &Target,
        notes: &mut Notes,
    ) -> Result<Vec<u8>, EncodeError> {
        request_encode::encode(request, target, notes)
    }

    fn request_headers(
        &self,
        client: &dyn Fn(&'static str) -> Option<String>,
    ) -> Vec<(&'static str, String)> {
        let version = client("anthropic-version").unwrap_or_else(|| DEFAULT_VERSION.to_owned());
        let beta = client("anthropic-beta").map(|beta| ("anthropic-beta", beta));
        [("anthropic-version", version)].into_iter().chain(beta).collect()
    }

    fn decode_reply(&self, body: &[u8]) -> Result<Vec<Event>, UpstreamError> {
        reply::decode(body)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream_decode::Decoder::default())
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> UpstreamError {
        classify(status, body)
    }
}

impl Format for AnthropicMessages {
    fn decode_request(&self, body: &[u8]) -> Result<Request, DecodeError> {
        request_decode::decode(body)
    }

    fn patch_request(&self, body: &Bytes, target: &Target) -> Result<Bytes, DecodeError> {
        let model = serde_json::Value::from(target.model.as_str()).to_string();
        let head = Head::read(body)?;
        let messages = if foreign::suspected(body) {
            head.get("messages").and_then(foreign::without)
        } else {
            None
        };
        Ok(match &messages {
            Some(messages) => head.with(&[("model", &model), ("messages", messages)]),
            None => head.with(&[("model", &model)]),
        })
    }

    fn encode_reply(&self, reply: &Reply, seed: &ReplySeed) -> Vec<u8> {
        reply::encode(reply, seed)
    }

    fn stream_encoder(&self, seed: &ReplySeed) -> Box<dyn StreamEncoder> {
        Box::new(stream_encode::Encoder::new(seed))
    }

    fn relay(&self, _seed: &ReplySeed) -> Box<dyn Relay> {
        Box::new(FrameRelay::new(relay::StreamTap::default()))
    }

    fn encode_error(&self, error: &PublicError) -> (u16, Vec<u8>) {
        error::encode(error)
    }

    fn stream_content_type(&self, _: Framing) -> &'static str {
        "text/event-stream; charset=utf-8"
    }
}

#[cfg(test)]
mod tests;

//! Gemini: `generateContent` and `streamGenerateContent`.
//!
//! The model and the wish for a stream are in the address. A stream is SSE with `alt=sse`, else one JSON array;
//! upstreams are always asked for SSE.

mod address;
mod assembly;
mod chunk;
mod error;
mod finish;
mod foreign;
mod grounding;
mod logprobs;
mod mime;
mod object;
mod relay;
mod reply;
mod request_decode;
mod request_encode;
mod schema;
mod signature;
mod stream_decode;
mod stream_encode;
mod unsigned;
mod usage;
mod wire;

pub(crate) use address::is_own as is_own_address;

use crate::caps::CallSignatures;
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

/// `POST /v1beta/models/{model}:generateContent`, as the vendor's SDKs speak it.
#[derive(Debug)]
pub struct Gemini;

// === impl Gemini ===

impl Upstream for Gemini {
    fn dialect(&self) -> Dialect {
        Dialect::Gemini
    }

    fn encode_request(
        &self,
        request: &Request,
        target: &Target,
        notes: &mut Notes,
    ) -> Result<Vec<u8>, EncodeError> {
        request_encode::encode(request, target, notes)
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

impl Format for Gemini {
    fn decode_request(&self, body: &[u8]) -> Result<Request, DecodeError> {
        request_decode::decode(body)
    }

    /// The model is in the address, so nothing of the body is the gateway's.
    fn patch_request(&self, body: &Bytes, _target: &Target) -> Result<Bytes, DecodeError> {
        if !foreign::suspected(body) {
            return Ok(body.clone());
        }
        let head = Head::read(body)?;
        let contents = head.get("contents").and_then(foreign::without);
        Ok(match &contents {
            Some(contents) => head.with(&[("contents", contents)]),
            None => body.clone(),
        })
    }

    fn mend_request(&self, body: Bytes, target: &Target, notes: &mut Notes) -> Bytes {
        if target.caps.call_signatures != CallSignatures::Required || !unsigned::suspected(&body) {
            return body;
        }
        let Ok(head) = Head::read(&body) else { return body };
        let Some(contents) = head.get("contents").and_then(unsigned::marked) else {
            return body;
        };
        notes.synth(
            "contents",
            "a tool call without signature was marked for the vendor to accept",
        );
        head.with(&[("contents", &contents)])
    }

    fn encode_reply(&self, reply: &Reply, seed: &ReplySeed) -> Vec<u8> {
        reply::encode(reply, seed)
    }

    fn stream_encoder(&self, seed: &ReplySeed) -> Box<dyn StreamEncoder> {
        Box::new(stream_encode::Encoder::new(seed))
    }

    fn relay(&self, seed: &ReplySeed) -> Box<dyn Relay> {
        match seed.framing {
            Framing::Native => Box::new(FrameRelay::new(relay::StreamTap::default())),
            Framing::JsonArray => Box::new(relay::ArrayRelay::default()),
        }
    }

    fn encode_error(&self, error: &PublicError) -> (u16, Vec<u8>) {
        error::encode(error)
    }

    fn stream_content_type(&self, framing: Framing) -> &'static str {
        match framing {
            Framing::Native => "text/event-stream; charset=utf-8",
            Framing::JsonArray => "application/json; charset=UTF-8",
        }
    }
}

#[cfg(test)]
mod tests;

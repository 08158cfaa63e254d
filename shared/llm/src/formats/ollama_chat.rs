//! Ollama's native chat, `POST /api/chat`: a JSON document per line instead of server-sent events.
//!
//! The last line, and only it, says `done`; a whole reply is that line with the whole message. Sources: the API
//! description and the Go types of github.com/ollama/ollama (`docs/api.md`, `api/types.go`), and the Python client.

mod arguments;
mod assembly;
mod error;
mod finish;
mod message;
mod relay;
mod reply;
mod request_decode;
mod request_encode;
mod stream_decode;
mod stream_encode;
#[cfg(test)]
mod tests;
mod wire;

use self::relay::LineTap;
use self::stream_decode::LineDecoder;
use self::stream_encode::LineEncoder;
use crate::dialect::Dialect;
use crate::error::{DecodeError, EncodeError, PublicError, UpstreamError, classify};
use crate::event::Event;
use crate::format::{Format, Framing, Relay, ReplySeed, StreamDecoder, StreamEncoder, StreamWire, Upstream};
use crate::head::Head;
use crate::note::Notes;
use crate::relay::FrameRelay;
use crate::reply::Reply;
use crate::request::Request;
use crate::translate::Target;
use bytes::Bytes;
use serde_json::Value;

#[derive(Debug)]
pub struct OllamaChat;

impl Upstream for OllamaChat {
    fn dialect(&self) -> Dialect {
        Dialect::OllamaChat
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
        Box::new(LineDecoder::default())
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> UpstreamError {
        classify(status, body)
    }

    fn streams_as(&self) -> StreamWire {
        StreamWire::Lines
    }
}

impl Format for OllamaChat {
    fn decode_request(&self, body: &[u8]) -> Result<Request, DecodeError> {
        request_decode::decode(body)
    }

    fn patch_request(&self, body: &Bytes, target: &Target) -> Result<Bytes, DecodeError> {
        let model = Value::from(target.model.as_str()).to_string();
        Ok(Head::read(body)?.with(&[("model", &model)]))
    }

    fn encode_reply(&self, reply: &Reply, seed: &ReplySeed) -> Vec<u8> {
        reply::encode(reply, seed)
    }

    fn stream_encoder(&self, seed: &ReplySeed) -> Box<dyn StreamEncoder> {
        Box::new(LineEncoder::new(seed))
    }

    fn relay(&self, _seed: &ReplySeed) -> Box<dyn Relay> {
        Box::new(FrameRelay::lines(LineTap::default()))
    }

    fn encode_error(&self, error: &PublicError) -> (u16, Vec<u8>) {
        error::encode(error)
    }

    fn stream_content_type(&self, _: Framing) -> &'static str {
        "application/x-ndjson"
    }
}

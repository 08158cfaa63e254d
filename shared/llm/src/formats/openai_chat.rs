//! OpenAI Chat Completions, as the vendor and the many servers compatible with it speak it.
//!
//! Reading is lenient where servers and clients are known to vary, writing keeps to what all of them accept. A
//! whole reply is read by the same state machine as a stream (`assembly`), so that the two cannot disagree.

mod annotation;
mod assembly;
mod call_signature;
pub(super) mod data_url;
pub(crate) mod error;
pub(super) mod finish;
mod glimpse;
mod image;
pub(super) mod object;
mod reasoning;
pub(super) mod relay;
mod reply;
mod request_decode;
pub(super) mod request_encode;
pub(super) mod scalar;
mod stream_decode;
mod stream_encode;
#[cfg(test)]
mod trace;
pub(super) mod usage;
pub(super) mod wire;

use self::relay::ChunkTap;
use self::stream_decode::ChunkDecoder;
use self::stream_encode::ChunkEncoder;
use crate::dialect::Dialect;
use crate::error::{DecodeError, EncodeError, PublicError, UpstreamError, classify};
use crate::event::Event;
use crate::format::{self, Format, Framing, Relay, ReplySeed, StreamDecoder, StreamEncoder, Upstream};
use crate::note::Notes;
use crate::relay::FrameRelay;
use crate::reply::Reply;
use crate::request::Request;
use crate::translate::{Progress, Target};
use bytes::Bytes;

#[derive(Debug)]
pub struct OpenAiChat;

impl Upstream for OpenAiChat {
    fn dialect(&self) -> Dialect {
        Dialect::OpenAiChat
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
        Box::new(ChunkDecoder::default())
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> UpstreamError {
        classify(status, body)
    }
}

impl Format for OpenAiChat {
    fn decode_request(&self, body: &[u8]) -> Result<Request, DecodeError> {
        request_decode::decode(body)
    }

    fn patch_request(&self, body: &Bytes, target: &Target) -> Result<Bytes, DecodeError> {
        relay::patch(body, target)
    }

    fn observe_reply(&self, body: &[u8], progress: &mut Progress) -> Result<(), UpstreamError> {
        if glimpse::observe(body, progress) {
            return Ok(());
        }
        format::observe(reply::decode(body)?, progress)
    }

    fn encode_reply(&self, reply: &Reply, seed: &ReplySeed) -> Vec<u8> {
        reply::encode(reply, seed)
    }

    fn stream_encoder(&self, seed: &ReplySeed) -> Box<dyn StreamEncoder> {
        Box::new(ChunkEncoder::new(seed))
    }

    fn relay(&self, seed: &ReplySeed) -> Box<dyn Relay> {
        Box::new(FrameRelay::new(ChunkTap::new(seed.injected_usage)))
    }

    fn encode_error(&self, error: &PublicError) -> (u16, Vec<u8>) {
        error::encode(error)
    }

    fn stream_content_type(&self, _: Framing) -> &'static str {
        "text/event-stream; charset=utf-8"
    }
}

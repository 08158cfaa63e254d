//! OpenAI Responses: a conversation is a list of items, and so is an answer.
//!
//! A whole reply is read by the same state machine as a stream (`assembly`), and written from the same items
//! (`item`), so that the two cannot disagree.

mod annotation;
mod assembly;
mod error;
mod history;
mod ids;
mod item;
mod reasoning;
mod relay;
mod reply;
mod request_decode;
mod request_encode;
mod response;
mod retry;
mod stream_decode;
mod stream_encode;
mod usage;
mod wire;

use self::relay::EventTap;
use self::stream_decode::EventDecoder;
use self::stream_encode::EventEncoder;
use crate::dialect::Dialect;
use crate::error::{DecodeError, EncodeError, PublicError, UpstreamError, classify};
use crate::event::Event;
use crate::format::{Format, Framing, Relay, ReplySeed, StreamDecoder, StreamEncoder, Upstream};
use crate::note::Notes;
use crate::relay::FrameRelay;
use crate::reply::Reply;
use crate::request::Request;
use crate::translate::Target;
use bytes::Bytes;

/// `POST /v1/responses`.
#[derive(Debug)]
pub struct OpenAiResponses;

impl Upstream for OpenAiResponses {
    fn dialect(&self) -> Dialect {
        Dialect::OpenAiResponses
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
        Box::new(EventDecoder::default())
    }

    fn without_refused_reasoning(&self, body: &Bytes, refusal: &UpstreamError) -> Option<Bytes> {
        retry::without_reasoning(body, refusal)
    }

    fn without_refused_summary(&self, body: &Bytes, refusal: &UpstreamError) -> Option<Bytes> {
        retry::without_summary(body, refusal)
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> UpstreamError {
        classify(status, body)
    }
}

impl Format for OpenAiResponses {
    fn decode_request(&self, body: &[u8]) -> Result<Request, DecodeError> {
        request_decode::decode(body)
    }

    fn patch_request(&self, body: &Bytes, target: &Target) -> Result<Bytes, DecodeError> {
        relay::patch(body, target)
    }

    fn encode_reply(&self, reply: &Reply, seed: &ReplySeed) -> Vec<u8> {
        reply::encode(reply, seed)
    }

    fn stream_encoder(&self, seed: &ReplySeed) -> Box<dyn StreamEncoder> {
        Box::new(EventEncoder::new(seed))
    }

    fn relay(&self, _seed: &ReplySeed) -> Box<dyn Relay> {
        Box::new(FrameRelay::new(EventTap::default()))
    }

    fn encode_error(&self, error: &PublicError) -> (u16, Vec<u8>) {
        error::encode(error)
    }

    fn stream_content_type(&self, _: Framing) -> &'static str {
        "text/event-stream; charset=utf-8"
    }
}

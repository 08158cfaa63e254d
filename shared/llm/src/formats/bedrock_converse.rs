//! Amazon Bedrock: Converse and ConverseStream, one API for the models of many vendors. Upstreams only: no client of
//! the gateway speaks it.
//!
//! The model and the wish for a stream are in the address; a stream is AWS event-stream messages. Whatever only one
//! vendor's models know goes into `additionalModelRequestFields`, in that vendor's words. Sources: the service model
//! `bedrock-runtime/2023-09-30` of the AWS SDKs, and the Bedrock API reference and user guide.

mod assembly;
mod citation;
mod error;
mod event;
mod reply;
mod request_encode;
mod stop;
mod stream_decode;
mod usage;

use crate::dialect::Dialect;
use crate::error::{EncodeError, UpstreamError};
use crate::event::Event;
use crate::format::{StreamDecoder, StreamWire, Upstream};
use crate::note::Notes;
use crate::provider::Regions;
use crate::request::Request;
use crate::translate::Target;

/// The signing name of the service, for AWS Signature Version 4.
pub const SIGNING_NAME: &str = "bedrock";

/// "Amazon Bedrock endpoints and quotas" in the AWS general reference.
pub const REGIONS: Regions = Regions {
    default: "us-east-1",
    address: "https://bedrock-runtime.{region}.amazonaws.com",
    others: &[
        (
            "cn-north-1",
            "https://bedrock-runtime.cn-north-1.amazonaws.com.cn",
        ),
        (
            "cn-northwest-1",
            "https://bedrock-runtime.cn-northwest-1.amazonaws.com.cn",
        ),
    ],
    root: "",
};

/// `POST /model/{modelId}/converse` and `/converse-stream`.
#[derive(Debug)]
pub struct BedrockConverse;

// === impl BedrockConverse ===

impl Upstream for BedrockConverse {
    fn dialect(&self) -> Dialect {
        Dialect::BedrockConverse
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
        error::refusal(status, None, body)
    }

    fn decode_refusal(
        &self,
        status: u16,
        header: &dyn Fn(&'static str) -> Option<String>,
        body: &[u8],
    ) -> UpstreamError {
        error::refusal(status, header(error::NAME_HEADER).as_deref(), body)
    }

    fn streams_as(&self) -> StreamWire {
        StreamWire::Messages
    }
}

#[cfg(test)]
mod tests;

//! What a client reads, event by event.

use super::super::reply::{ClientBlock, ClientMessage};
use super::super::tokens::ClientUsage;
use crate::frame::write_event;
use serde::Serialize;
use std::borrow::Cow;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientEvent<'a> {
    MessageStart {
        message: ClientMessage<'a>,
    },
    ContentBlockStart {
        index: u32,
        content_block: ClientBlock<'a>,
    },
    ContentBlockDelta {
        index: u32,
        delta: BlockDelta<'a>,
    },
    ContentBlockStop {
        index: u32,
    },
    MessageDelta {
        delta: StopDelta<'a>,
        usage: ClientUsage,
    },
    MessageStop,
    Ping,
}

#[derive(Serialize)]
#[serde(tag = "type")]
pub enum BlockDelta<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: Cow<'a, str> },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: Cow<'a, str> },
}

#[derive(Serialize)]
pub struct StopDelta<'a> {
    pub stop_reason: &'a str,
    pub stop_sequence: Option<&'a str>,
}

// === impl ClientEvent ===

impl ClientEvent<'_> {
    pub fn write(&self, out: &mut Vec<u8>) {
        write_event(out, Some(self.name()), self);
    }

    fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
            Self::Ping => "ping",
        }
    }
}

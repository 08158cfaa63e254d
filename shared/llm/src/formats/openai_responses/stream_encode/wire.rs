//! The shapes of events.

use crate::frame;
use serde::Serialize;
use serde_json::Value;

/// Any event, with its number.
#[derive(Serialize)]
pub struct Numbered {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub sequence_number: u64,
    #[serde(flatten)]
    pub body: Value,
}

/// A fragment; nearly all of a stream consists of these.
#[derive(Serialize)]
pub struct DeltaEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_number: u64,
    item_id: &'a str,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<u64>,
    delta: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<[(); 0]>,
}

/// What of an item a fragment goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Text,
    Content,
    Summary,
    Item,
}

// === impl DeltaEvent ===

impl<'a> DeltaEvent<'a> {
    pub fn new(
        kind: &'static str,
        sequence_number: u64,
        item_id: &'a str,
        output_index: usize,
        place: Place,
        delta: &'a str,
    ) -> Self {
        Self {
            kind,
            sequence_number,
            item_id,
            output_index,
            content_index: matches!(place, Place::Text | Place::Content).then_some(0),
            summary_index: (place == Place::Summary).then_some(0),
            delta,
            logprobs: (place == Place::Text).then_some([]),
        }
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        frame::write_event(out, Some(self.kind), self);
    }
}

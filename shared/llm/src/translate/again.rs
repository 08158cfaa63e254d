//! A request as far as its answer depends on it, and an answer in the form another request wants it in: what it takes
//! to give an answer again.

use super::Ask;
use crate::dialect::Dialect;
use crate::error::UpstreamError;
use crate::event::EventKind;
use crate::format::{Format, Framing, ReplySeed};
use crate::formats;
use crate::head::Head;
use crate::reply::Fold;
use crate::request::{Request, ToolKind};
use crate::sequence::Sequencer;
use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::sync::Arc;

/// What changes nothing about what is answered, only how it is delivered and what else is done with it.
const BESIDE_THE_POINT: [&str; 5] = ["stream", "stream_options", "user", "metadata", "store"];

/// With one of these a request does something beside being answered.
const SETS_IN_MOTION: [&str; 2] = ["conversation", "background"];

/// What of a request says how much its answer is left to chance. Read with the model's name, because it decides
/// whether anything else has to be looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Chance {
    pub temperature: Option<f64>,
    /// How many answers are asked for.
    pub choices: Option<f64>,
}

/// How a client wants its answer: enough to turn a whole one into a stream, and back.
#[derive(Debug, Clone)]
pub struct Rendering {
    dialect: Dialect,
    seed: ReplySeed,
}

// === impl Chance ===

impl Chance {
    pub(super) fn read(head: &Head<'_>, dialect: Dialect) -> Self {
        let number = |value: &RawValue| serde_json::from_str::<f64>(value.get()).ok();
        let inside = |names: &[&str], field: &str| {
            let inner = names.iter().find_map(|name| head.get(name))?;
            let inner = Head::read(inner.get().as_bytes()).ok()?;
            inner.get(field).and_then(number)
        };
        let generation = ["generationConfig", "generation_config"];
        match dialect {
            Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::AnthropicMessages => Self {
                temperature: head.get("temperature").and_then(number),
                choices: head.get("n").and_then(number),
            },
            Dialect::Gemini => Self {
                temperature: inside(&generation, "temperature"),
                choices: inside(&generation, "candidateCount")
                    .or_else(|| inside(&generation, "candidate_count")),
            },
            Dialect::OllamaChat => Self {
                temperature: inside(&["options"], "temperature"),
                choices: None,
            },
            Dialect::BedrockConverse => Self::default(),
        }
    }
}

// === impl Ask ===

impl Ask {
    pub fn chance(&self) -> Chance {
        self.chance
    }

    /// Everything in the request that its answer depends on, in one form for all ways to write it: the order of the
    /// members of objects does not matter, everything else does. Absent when an answer is not all there is to it, or
    /// it is nested too deeply to say.
    ///
    /// Numbers count by the value that IEEE 754 double precision gives them, integers up to 64 bits exactly. Of
    /// members with the same name the last counts.
    pub fn canonical(&self) -> Option<Vec<u8>> {
        Some(self.written(&self.members()?))
    }

    /// What the answer depends on, by the names that the body has at its top.
    pub(super) fn members(&self) -> Option<Map<String, Value>> {
        let Ok(Value::Object(mut members)) = serde_json::from_slice(self.body()) else {
            return None;
        };
        let is_set = |value: &Value| !matches!(value, Value::Null | Value::Bool(false));
        if SETS_IN_MOTION
            .iter()
            .any(|name| members.get(*name).is_some_and(is_set))
        {
            return None;
        }
        members.retain(|name, _| !BESIDE_THE_POINT.contains(&name.as_str()));
        Some(members)
    }

    /// Members in their one form, and what the answer depends on beside them.
    pub(super) fn written(&self, members: &Map<String, Value>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body().len() + 64);
        for part in [self.dialect().name(), self.model()] {
            scalar(&Value::from(part), &mut out);
        }
        // what is done about personal data in the answer
        out.extend_from_slice(format!("{:?}", self.mask).as_bytes());
        object(members, &mut out);
        out
    }

    /// The client offers a tool that the provider runs itself: what it did is told in ways that only the bytes of the
    /// answer hold. True, too, when the request cannot be read.
    pub fn hosts_tools(&self) -> bool {
        let hosted = |request: &Request| {
            let mut tools = request.tools.iter();
            tools.any(|tool| matches!(tool.kind, ToolKind::Hosted { .. }))
        };
        self.request().map_or(true, hosted)
    }

    pub fn rendering(&self, seed: &ReplySeed) -> Rendering {
        Rendering {
            dialect: self.dialect,
            seed: ReplySeed {
                include_usage: self.include_usage,
                injected_usage: false,
                framing: self.framing,
                request: self.shared_request().ok().map(Arc::clone),
                ..seed.clone()
            },
        }
    }
}

// === impl Rendering ===

impl Rendering {
    /// The stream that would have brought a whole answer in the client's dialect.
    pub fn stream(&self, whole: &[u8]) -> Result<Bytes, UpstreamError> {
        let (mut sequencer, mut events) = (Sequencer::new(), Vec::new());
        for event in self.format().decode_reply(whole)? {
            sequencer.push(event, &mut events);
        }
        let mut encoder = self.format().stream_encoder(&self.seed);
        let mut out = Vec::with_capacity(2 * whole.len());
        for event in events {
            if let EventKind::Error(error) = event.kind {
                return Err(error);
            }
            encoder.push(&event, &mut out);
        }
        Ok(out.into())
    }

    /// The whole answer that a complete stream in the client's dialect brought.
    pub fn whole(&self, stream: &[u8]) -> Result<Bytes, UpstreamError> {
        let events = match self.seed.framing {
            Framing::Native => {
                let (mut decoder, mut events) = (self.format().stream_decoder(), Vec::new());
                decoder.push(stream, &mut events);
                decoder.finish(&mut events);
                events
            }
            Framing::JsonArray => self.format().decode_reply(stream)?,
        };
        let mut fold = Fold::new();
        events.into_iter().for_each(|event| fold.push(event));
        Ok(self.format().encode_reply(&fold.finish()?, &self.seed).into())
    }

    fn format(&self) -> &'static dyn Format {
        formats::of(self.dialect)
    }
}

// === functions ===

/// As JSON without white space, members sorted. The depth is bounded by what could be read.
fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(members) => object(members, out),
        Value::Array(values) => {
            out.push(b'[');
            for value in values {
                write(value, out);
                out.push(b',');
            }
            out.push(b']');
        }
        value => scalar(value, out),
    }
}

fn object(members: &Map<String, Value>, out: &mut Vec<u8>) {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    out.push(b'{');
    for (name, value) in members {
        scalar(&Value::from(name.as_str()), out);
        out.push(b':');
        write(value, out);
        out.push(b',');
    }
    out.push(b'}');
}

fn scalar(value: &Value, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("a value without maps is written to memory");
}

#[cfg(test)]
mod tests;

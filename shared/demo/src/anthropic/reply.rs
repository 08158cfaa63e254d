//! An answer in the vendor's shapes, whole and streamed.

use super::content::SIGNATURE;
use crate::answer::{Answer, Finish, pieces};
use crate::openai::reply::halves;
use crate::received::Billed;
use crate::wire::Frame;
use serde_json::{Value, json};

/// What was asked for besides words.
pub struct Wanted {
    pub id: String,
    pub model: String,
    /// The answer says what it costs.
    pub usage: bool,
}

// === impl Wanted ===

impl Wanted {
    pub fn message(&self, answer: &Answer) -> Value {
        let mut content = Vec::new();
        if let Some(thinking) = &answer.thinking {
            content.push(json!({"type": "thinking", "thinking": thinking, "signature": self.signature()}));
        }
        if !answer.text.is_empty() {
            content.push(json!({"type": "text", "text": answer.text}));
        }
        for (n, (name, arguments)) in answer.calls.iter().enumerate() {
            let input: Value = serde_json::from_str(arguments).unwrap_or_default();
            content.push(json!({"type": "tool_use", "id": self.call_id(n), "name": name, "input": input}));
        }
        let (reason, sequence) = stop(answer);
        let message = json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": content,
            "stop_reason": reason, "stop_sequence": sequence,
        });
        self.with_usage(message, answer.billed)
    }

    pub fn events(&self, answer: &Answer) -> Vec<Frame> {
        let (reasoning, total) = (answer.billed.reasoning, answer.billed.output);
        let message = json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": [],
            "stop_reason": null, "stop_sequence": null,
        });
        let begun = Billed {
            output: 1,
            reasoning: 0,
            ..answer.billed
        };
        let start = json!({"type": "message_start", "message": self.with_usage(message, begun)});
        let mut frames = vec![
            Frame::event("message_start", &start, 0),
            Frame::event("ping", &json!({"type": "ping"}), 0),
        ];
        let mut index = 0;
        if let Some(thinking) = &answer.thinking {
            let block = json!({"type": "thinking", "thinking": "", "signature": ""});
            let mut deltas = vec![(json!({"type": "thinking_delta", "thinking": thinking}), reasoning)];
            deltas.push((
                json!({"type": "signature_delta", "signature": self.signature()}),
                reasoning,
            ));
            push_block(&mut frames, &mut index, &block, deltas);
        }
        if !answer.text.is_empty() {
            let block = json!({"type": "text", "text": ""});
            let deltas = (1..)
                .zip(pieces(&answer.text))
                .map(|(said, piece)| (json!({"type": "text_delta", "text": piece}), reasoning + said));
            push_block(&mut frames, &mut index, &block, deltas.collect());
        }
        for (n, (name, arguments)) in answer.calls.iter().enumerate() {
            let block = json!({"type": "tool_use", "id": self.call_id(n), "name": name, "input": {}});
            let deltas = [""]
                .into_iter()
                .chain(halves(arguments))
                .map(|piece| (json!({"type": "input_json_delta", "partial_json": piece}), total));
            push_block(&mut frames, &mut index, &block, deltas.collect());
        }
        let (reason, sequence) = stop(answer);
        let delta =
            json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": sequence}});
        let delta = self.with_usage(delta, answer.billed);
        frames.push(Frame::event("message_delta", &delta, total));
        frames.push(Frame::event(
            "message_stop",
            &json!({"type": "message_stop"}),
            total,
        ));
        frames
    }

    fn with_usage(&self, mut value: Value, billed: Billed) -> Value {
        if self.usage {
            value["usage"] = usage(billed);
        }
        value
    }

    fn signature(&self) -> String {
        format!("{SIGNATURE}{}", self.id)
    }

    fn call_id(&self, n: usize) -> String {
        format!("toolu_{}_{n}", self.id)
    }
}

fn push_block(frames: &mut Vec<Frame>, index: &mut u64, block: &Value, deltas: Vec<(Value, u64)>) {
    let before = frames.last().map_or(0, |frame| frame.output);
    let start = json!({"type": "content_block_start", "index": index, "content_block": block});
    frames.push(Frame::event("content_block_start", &start, before));
    for (delta, output) in deltas {
        let delta = json!({"type": "content_block_delta", "index": index, "delta": delta});
        frames.push(Frame::event("content_block_delta", &delta, output));
    }
    let after = frames.last().map_or(before, |frame| frame.output);
    let stop = json!({"type": "content_block_stop", "index": index});
    frames.push(Frame::event("content_block_stop", &stop, after));
    *index += 1;
}

/// `stop_reason` and `stop_sequence`.
fn stop(answer: &Answer) -> (&'static str, Option<&str>) {
    match &answer.finish {
        Finish::Said => ("end_turn", None),
        Finish::Stop(sequence) => ("stop_sequence", Some(sequence)),
        Finish::Length => ("max_tokens", None),
        Finish::Calls => ("tool_use", None),
    }
}

/// The vendor's input count leaves cached tokens out.
fn usage(billed: Billed) -> Value {
    json!({
        "input_tokens": billed.input - billed.cached, "cache_read_input_tokens": billed.cached,
        "cache_creation_input_tokens": 0, "output_tokens": billed.output,
        "output_tokens_details": {"thinking_tokens": billed.reasoning}, "service_tier": "standard",
    })
}

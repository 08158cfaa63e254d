//! An answer in the service's shapes, whole and streamed.

use super::conversation::SIGNATURE;
use crate::answer::{Answer, Finish, pieces};
use crate::openai::reply::halves;
use crate::received::Billed;
use crate::wire::Frame;
use serde_json::{Value, json};

/// What was asked for besides words.
pub struct Wanted {
    pub id: String,
    /// The answer says what it costs.
    pub usage: bool,
    /// The answer says which stop sequence ended it.
    pub stop_sequence: bool,
}

// === impl Wanted ===

impl Wanted {
    pub fn reply(&self, answer: &Answer) -> Value {
        let mut content = Vec::new();
        if let Some(thinking) = &answer.thinking {
            let said = json!({"text": thinking, "signature": self.signature()});
            content.push(json!({"reasoningContent": {"reasoningText": said}}));
        }
        if !answer.text.is_empty() {
            content.push(json!({"text": answer.text}));
        }
        for (n, (name, arguments)) in answer.calls.iter().enumerate() {
            let input: Value = serde_json::from_str(arguments).unwrap_or_default();
            content.push(json!({"toolUse": {"toolUseId": self.call_id(n), "name": name, "input": input}}));
        }
        let mut reply = json!({
            "output": {"message": {"role": "assistant", "content": content}}, "metrics": {"latencyMs": 7},
        });
        self.end(&mut reply, answer);
        if self.usage {
            reply["usage"] = usage(answer.billed);
        }
        reply
    }

    pub fn events(&self, answer: &Answer) -> Vec<Frame> {
        let (reasoning, total) = (answer.billed.reasoning, answer.billed.output);
        let mut frames = vec![Frame::event(
            "messageStart",
            &json!({"role": "assistant", "p": "abc"}),
            0,
        )];
        let mut index = 0;
        if let Some(thinking) = &answer.thinking {
            let deltas = vec![
                (json!({"reasoningContent": {"text": thinking}}), reasoning),
                (
                    json!({"reasoningContent": {"signature": self.signature()}}),
                    reasoning,
                ),
            ];
            push_block(&mut frames, &mut index, None, deltas);
        }
        if !answer.text.is_empty() {
            let deltas = (1..)
                .zip(pieces(&answer.text))
                .map(|(said, piece)| (json!({"text": piece}), reasoning + said));
            push_block(&mut frames, &mut index, None, deltas.collect());
        }
        for (n, (name, arguments)) in answer.calls.iter().enumerate() {
            let start = json!({"toolUse": {"toolUseId": self.call_id(n), "name": name}});
            let deltas = halves(arguments).map(|piece| (json!({"toolUse": {"input": piece}}), total));
            push_block(&mut frames, &mut index, Some(start), deltas.collect());
        }
        let mut stop = json!({"p": "abcde"});
        self.end(&mut stop, answer);
        frames.push(Frame::event("messageStop", &stop, total));
        let mut metadata = json!({"metrics": {"latencyMs": 7}, "p": "ab"});
        if self.usage {
            metadata["usage"] = usage(answer.billed);
        }
        frames.push(Frame::event("metadata", &metadata, total));
        frames
    }

    fn end(&self, value: &mut Value, answer: &Answer) {
        let (reason, sequence) = match &answer.finish {
            Finish::Said => ("end_turn", None),
            Finish::Stop(sequence) => ("stop_sequence", Some(sequence)),
            Finish::Length => ("max_tokens", None),
            Finish::Calls => ("tool_use", None),
        };
        value["stopReason"] = json!(reason);
        if let Some(sequence) = sequence.filter(|_| self.stop_sequence) {
            value["additionalModelResponseFields"] = json!({"stop_sequence": sequence});
        }
    }

    fn signature(&self) -> String {
        format!("{SIGNATURE}{}", self.id)
    }

    fn call_id(&self, n: usize) -> String {
        format!("tooluse_{}_{n}", self.id)
    }
}

/// A text and a thought begin with their first delta; a call is announced.
fn push_block(frames: &mut Vec<Frame>, index: &mut u64, start: Option<Value>, deltas: Vec<(Value, u64)>) {
    let before = frames.last().map_or(0, |frame| frame.output);
    if let Some(start) = start {
        let start = json!({"contentBlockIndex": index, "start": start, "p": "abcdef"});
        frames.push(Frame::event("contentBlockStart", &start, before));
    }
    for (delta, output) in deltas {
        let delta = json!({"contentBlockIndex": index, "delta": delta, "p": "abcd"});
        frames.push(Frame::event("contentBlockDelta", &delta, output));
    }
    let after = frames.last().map_or(before, |frame| frame.output);
    let stop = json!({"contentBlockIndex": index, "p": "a"});
    frames.push(Frame::event("contentBlockStop", &stop, after));
    *index += 1;
}

/// The service's input count leaves cached tokens out, and its total does not.
fn usage(billed: Billed) -> Value {
    json!({
        "inputTokens": billed.input - billed.cached, "outputTokens": billed.output,
        "totalTokens": billed.input + billed.output, "cacheReadInputTokens": billed.cached,
        "cacheWriteInputTokens": 0,
    })
}

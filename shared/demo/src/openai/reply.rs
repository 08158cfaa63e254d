//! An answer in the vendor's shapes, whole and streamed.

use crate::answer::{Answer, Finish, pieces};
use crate::received::Billed;
use crate::wire::Frame;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// What was asked for besides words.
pub struct Wanted {
    pub id: String,
    pub model: String,
    /// How often the answer is given.
    pub choices: u64,
    /// Whole answers say what they cost.
    pub usage: bool,
    /// Streams end with a chunk that says it.
    pub usage_chunk: bool,
}

// === impl Wanted ===

impl Wanted {
    /// Every choice is paid for.
    pub fn price(&self, mut answer: Answer) -> Answer {
        answer.billed.output *= self.choices;
        answer.billed.reasoning *= self.choices;
        answer
    }

    pub fn completion(&self, answer: &Answer) -> Value {
        let choices = (0..self.choices).map(|index| {
            json!({"index": index, "message": self.message(answer, index), "logprobs": null, "finish_reason": finish(answer)})
        });
        let mut completion = json!({
            "id": self.id, "object": "chat.completion", "created": now(), "model": self.model,
            "choices": choices.collect::<Vec<_>>(),
        });
        if self.usage {
            completion["usage"] = usage(answer.billed);
        }
        completion["service_tier"] = json!("default");
        completion["system_fingerprint"] = json!("fp_demo");
        completion
    }

    fn message(&self, answer: &Answer, index: u64) -> Value {
        let mut message =
            json!({"role": "assistant", "content": answer.text, "refusal": null, "annotations": []});
        if !answer.calls.is_empty() {
            let calls = answer.calls.iter().enumerate();
            message["content"] = Value::Null;
            message["tool_calls"] = calls.map(|(n, call)| self.tool_call(index, n, call)).collect();
        }
        message
    }

    pub fn chunks(&self, answer: &Answer) -> Vec<Frame> {
        let created = now();
        let mut frames = Vec::new();
        for choice in 0..self.choices {
            self.push_choice(&mut frames, choice, answer, created);
        }
        let total = answer.billed.output;
        if self.usage_chunk {
            let mut closing = self.chunk(created, json!([]));
            closing["usage"] = usage(answer.billed);
            frames.push(Frame::data(&closing, total));
        }
        frames.push(Frame {
            event: None,
            data: "[DONE]".into(),
            output: total,
        });
        frames
    }

    fn push_choice(&self, frames: &mut Vec<Frame>, choice: u64, answer: &Answer, created: u64) {
        let cost = answer.billed.output / self.choices;
        let (before, after) = (cost * choice, cost * (choice + 1));
        let thought = before + answer.billed.reasoning / self.choices;
        let mut push = |delta: Value, finish: Value, output: u64| {
            let choices =
                json!([{"index": choice, "delta": delta, "logprobs": null, "finish_reason": finish}]);
            frames.push(Frame::data(&self.chunk(created, choices), output));
        };

        let content = if answer.calls.is_empty() {
            json!("")
        } else {
            Value::Null
        };
        let opening = json!({"role": "assistant", "content": content, "refusal": null});
        push(opening, Value::Null, thought);
        for (said, piece) in (1..).zip(pieces(&answer.text)) {
            push(json!({"content": piece}), Value::Null, thought + said);
        }
        for (n, call) in answer.calls.iter().enumerate() {
            let mut opening = self.tool_call(choice, n, call);
            opening["index"] = json!(n);
            opening["function"]["arguments"] = json!("");
            push(json!({"tool_calls": [opening]}), Value::Null, after);
            for piece in halves(&call.1) {
                let fragment = json!({"tool_calls": [{"index": n, "function": {"arguments": piece}}]});
                push(fragment, Value::Null, after);
            }
        }
        push(json!({}), json!(finish(answer)), after);
    }

    fn chunk(&self, created: u64, choices: Value) -> Value {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": created, "model": self.model,
            "service_tier": "default", "system_fingerprint": "fp_demo", "choices": choices,
        });
        if self.usage_chunk {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    fn tool_call(&self, choice: u64, n: usize, (name, arguments): &(String, String)) -> Value {
        let id = format!("call_{}_{choice}_{n}", self.id);
        json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
    }
}

/// Arguments arrive in two fragments, cut at a character.
pub fn halves(text: &str) -> impl Iterator<Item = &str> {
    let middle = (text.len() / 2..=text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    let (first, second) = text.split_at(middle);
    [first, second].into_iter().filter(|piece| !piece.is_empty())
}

fn finish(answer: &Answer) -> &'static str {
    match answer.finish {
        Finish::Said | Finish::Stop(_) => "stop",
        Finish::Length => "length",
        Finish::Calls => "tool_calls",
    }
}

fn usage(billed: Billed) -> Value {
    json!({
        "prompt_tokens": billed.input, "completion_tokens": billed.output, "total_tokens": billed.input + billed.output,
        "prompt_tokens_details": {"cached_tokens": billed.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": billed.reasoning, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}

pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

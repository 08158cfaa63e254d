//! An answer in the vendor's shapes, whole and streamed.

use crate::answer::{Answer, Finish, pieces};
use crate::wire::Frame;
use serde_json::{Value, json};

const CREATED: &str = "2026-01-01T00:00:00.000000001Z";

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
        let mut message = json!({"role": "assistant", "content": answer.text});
        if let Some(thinking) = &answer.thinking {
            message["thinking"] = json!(thinking);
        }
        if !answer.calls.is_empty() {
            message["tool_calls"] = (0..answer.calls.len()).map(|n| self.call(n, answer)).collect();
        }
        self.last(message, answer)
    }

    pub fn lines(&self, answer: &Answer) -> Vec<Frame> {
        let (reasoning, total) = (answer.billed.reasoning, answer.billed.output);
        let mut frames = Vec::new();
        let mut push = |message: Value, output: u64| {
            frames.push(Frame::data(&self.line(message), output));
        };
        if let Some(thinking) = &answer.thinking {
            let message = json!({"role": "assistant", "content": "", "thinking": thinking});
            push(message, reasoning);
        }
        for (said, piece) in (1..).zip(pieces(&answer.text)) {
            push(json!({"role": "assistant", "content": piece}), reasoning + said);
        }
        for n in 0..answer.calls.len() {
            let message = json!({"role": "assistant", "content": "", "tool_calls": [self.call(n, answer)]});
            push(message, total);
        }
        let last = self.last(json!({"role": "assistant", "content": ""}), answer);
        frames.push(Frame::data(&last, total));
        frames
    }

    fn call(&self, n: usize, answer: &Answer) -> Value {
        let (name, arguments) = &answer.calls[n];
        let arguments: Value = serde_json::from_str(arguments).unwrap_or_default();
        let id = format!("call_{}_{n}", self.id);
        json!({"id": id, "function": {"index": n, "name": name, "arguments": arguments}})
    }

    fn line(&self, message: Value) -> Value {
        json!({"model": self.model, "created_at": CREATED, "message": message, "done": false})
    }

    /// A call is an end like any other to this vendor.
    fn last(&self, message: Value, answer: &Answer) -> Value {
        let mut line = self.line(message);
        line["done"] = json!(true);
        line["done_reason"] = match answer.finish {
            Finish::Said | Finish::Stop(_) | Finish::Calls => json!("stop"),
            Finish::Length => json!("length"),
        };
        line["total_duration"] = json!(3_000_000);
        line["load_duration"] = json!(1_000_000);
        if self.usage {
            line["prompt_eval_count"] = json!(answer.billed.input);
            line["prompt_eval_duration"] = json!(1_000_000);
            line["eval_count"] = json!(answer.billed.output);
            line["eval_duration"] = json!(1_000_000);
        }
        line
    }
}

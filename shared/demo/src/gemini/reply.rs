//! An answer in the vendor's shapes, whole and streamed.

use crate::answer::{Answer, Finish, pieces};
use crate::received::Billed;
use crate::wire::Frame;
use serde_json::{Value, json};

/// Starts every signature, which is base64; the vendor refuses signatures it did not make. Its letters are those that
/// differ between the alphabets of base64.
pub const SIGNATURE: &str = "ZGVtby+/c2lnbmF0dXJl";

/// What was asked for besides words.
pub struct Wanted {
    pub id: String,
    pub model: String,
    /// The answer says what it costs.
    pub usage: bool,
    /// Thoughts are part of the answer.
    pub thoughts: bool,
}

// === impl Wanted ===

impl Wanted {
    pub fn response(&self, answer: &Answer) -> Value {
        let mut parts = Vec::new();
        parts.extend(self.thought(answer));
        if !answer.text.is_empty() || answer.calls.is_empty() {
            parts.push(self.sign(json!({"text": answer.text}), answer));
        }
        parts.extend(self.calls(answer));
        self.chunk(parts, Some(finish(answer)), answer.billed)
    }

    /// Every chunk says what has been used so far.
    pub fn chunks(&self, answer: &Answer) -> Vec<Frame> {
        let Billed {
            reasoning, output, ..
        } = answer.billed;
        let mut frames = Vec::new();
        let mut push = |parts: Vec<Value>, finish: Option<&str>, sent: u64| {
            let so_far = Billed {
                output: sent,
                reasoning: reasoning.min(sent),
                ..answer.billed
            };
            frames.push(Frame::data(&self.chunk(parts, finish, so_far), sent));
        };
        if let Some(thought) = self.thought(answer) {
            push(vec![thought], None, reasoning);
        }
        for (said, piece) in (1..).zip(pieces(&answer.text)) {
            push(vec![json!({"text": piece})], None, reasoning + said);
        }
        for call in self.calls(answer) {
            push(vec![call], None, output);
        }
        let last = json!({"text": ""});
        let last = if answer.calls.is_empty() {
            self.sign(last, answer)
        } else {
            last
        };
        push(vec![last], Some(finish(answer)), output);
        frames
    }

    fn thought(&self, answer: &Answer) -> Option<Value> {
        let thought = answer.thinking.as_ref().filter(|_| self.thoughts)?;
        Some(json!({"text": thought, "thought": true}))
    }

    /// The first of several calls bears the signature for all of them. Calls have no ids.
    fn calls(&self, answer: &Answer) -> Vec<Value> {
        let calls = answer.calls.iter().enumerate().map(|(n, (name, arguments))| {
            let args: Value = serde_json::from_str(arguments).unwrap_or_default();
            let call = json!({"functionCall": {"name": name, "args": args}});
            if n == 0 { self.sign(call, answer) } else { call }
        });
        calls.collect()
    }

    /// With the thought behind it, sealed.
    fn sign(&self, mut part: Value, answer: &Answer) -> Value {
        if answer.thinking.is_some() {
            let number = self.id.trim_start_matches("demo");
            part["thoughtSignature"] = json!(format!("{SIGNATURE}{number:0>8}"));
        }
        part
    }

    fn chunk(&self, parts: Vec<Value>, finish: Option<&str>, billed: Billed) -> Value {
        let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
        if let Some(finish) = finish {
            candidate["finishReason"] = json!(finish);
        }
        let mut chunk = json!({"candidates": [candidate], "modelVersion": self.model, "responseId": self.id});
        if self.usage {
            chunk["usageMetadata"] = usage(billed);
        }
        chunk
    }
}

/// A call is an end like any other to this vendor.
fn finish(answer: &Answer) -> &'static str {
    match answer.finish {
        Finish::Said | Finish::Stop(_) | Finish::Calls => "STOP",
        Finish::Length => "MAX_TOKENS",
    }
}

/// The vendor's output count leaves thoughts out.
fn usage(billed: Billed) -> Value {
    let mut usage = json!({
        "promptTokenCount": billed.input, "candidatesTokenCount": billed.output - billed.reasoning,
        "totalTokenCount": billed.input + billed.output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": billed.input}],
    });
    if billed.cached > 0 {
        usage["cachedContentTokenCount"] = json!(billed.cached);
    }
    if billed.reasoning > 0 {
        usage["thoughtsTokenCount"] = json!(billed.reasoning);
    }
    usage
}

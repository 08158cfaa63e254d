//! An answer in the vendor's shapes, whole and streamed.

use crate::answer::{Answer, Finish, pieces};
use crate::openai::reply::{halves, now};
use crate::received::Billed;
use crate::wire::Frame;
use serde_json::{Value, json};

/// Starts the encrypted form of every thought; the vendor refuses thoughts it did not encrypt.
pub const ENCRYPTED: &str = "demo-encrypted-";

/// What was asked for besides words.
pub struct Wanted<'a> {
    id: String,
    body: &'a Value,
    /// The answer says what it costs.
    usage: bool,
    created: u64,
}

/// Events in their order, which they are numbered by.
#[derive(Default)]
struct Events {
    frames: Vec<Frame>,
}

// === impl Wanted ===

impl<'a> Wanted<'a> {
    pub fn new(id: String, body: &'a Value, usage: bool) -> Self {
        Self {
            id,
            body,
            usage,
            created: now(),
        }
    }

    pub fn response(&self, answer: &Answer) -> Value {
        let mut response = self.skeleton();
        response["status"] = json!("completed");
        if answer.finish == Finish::Length {
            response["status"] = json!("incomplete");
            response["incomplete_details"] = json!({"reason": "max_output_tokens"});
        }
        response["completed_at"] = json!(now());
        response["output"] = self.items(answer).into();
        if self.usage {
            response["usage"] = usage(answer.billed);
        }
        response
    }

    pub fn events(&self, answer: &Answer) -> Vec<Frame> {
        let mut events = Events::default();
        let begun = json!({"response": self.skeleton()});
        events.push("response.created", begun.clone(), 0);
        events.push("response.in_progress", begun, 0);
        for (index, item) in self.items(answer).into_iter().enumerate() {
            match item["type"].as_str() {
                Some("reasoning") => events.push_reasoning(index, &item, answer),
                Some("message") => events.push_message(index, &item, answer),
                _ => events.push_call(index, &item, answer),
            }
        }
        let response = self.response(answer);
        let end = if answer.finish == Finish::Length {
            "response.incomplete"
        } else {
            "response.completed"
        };
        events.push(end, json!({"response": response}), answer.billed.output);
        events.frames
    }

    /// What stands when the answer begins: the request, mirrored.
    fn skeleton(&self) -> Value {
        let body = self.body;
        let or = |name: &str, default: Value| {
            body.get(name)
                .filter(|value| !value.is_null())
                .cloned()
                .unwrap_or(default)
        };
        let reasoning = &body["reasoning"];
        let text = json!({
            "format": body["text"].get("format").cloned().unwrap_or(json!({"type": "text"})),
            "verbosity": body["text"].get("verbosity").cloned().unwrap_or(json!("medium")),
        });
        json!({
            "id": self.id, "object": "response", "created_at": self.created, "status": "in_progress",
            "background": false, "error": null, "incomplete_details": null,
            "instructions": body["instructions"], "max_output_tokens": body["max_output_tokens"],
            "max_tool_calls": null, "model": body["model"], "output": [],
            "parallel_tool_calls": or("parallel_tool_calls", json!(true)), "previous_response_id": null,
            "prompt_cache_key": body["prompt_cache_key"],
            "reasoning": {"effort": reasoning["effort"], "summary": reasoning["summary"]},
            "safety_identifier": body["safety_identifier"], "service_tier": "default",
            "store": or("store", json!(true)), "temperature": or("temperature", json!(1.0)), "text": text,
            "tool_choice": or("tool_choice", json!("auto")), "tools": or("tools", json!([])),
            "top_logprobs": 0, "top_p": or("top_p", json!(1.0)), "truncation": or("truncation", json!("disabled")),
            "usage": null, "user": body["user"], "metadata": or("metadata", json!({})),
        })
    }

    fn items(&self, answer: &Answer) -> Vec<Value> {
        let mut items = Vec::new();
        let id = self.id.trim_start_matches("resp_");
        if let Some(thinking) = &answer.thinking {
            items.push(self.reasoning(id, thinking));
        }
        let status = if answer.finish == Finish::Length {
            "incomplete"
        } else {
            "completed"
        };
        if !answer.text.is_empty() {
            let part = json!({"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []});
            items.push(json!({
                "id": format!("msg_{id}"), "type": "message", "status": status, "role": "assistant", "content": [part],
            }));
        }
        for (n, (name, arguments)) in answer.calls.iter().enumerate() {
            items.push(json!({
                "id": format!("fc_{id}_{n}"), "type": "function_call", "status": "completed",
                "call_id": format!("call_{id}_{n}"), "name": name, "arguments": arguments,
            }));
        }
        items
    }

    /// Thoughts are shown only in the form that was asked for: summed up, encrypted, both, or neither.
    fn reasoning(&self, id: &str, thinking: &str) -> Value {
        let mut item = json!({"id": format!("rs_{id}"), "type": "reasoning", "summary": []});
        if !self.body["reasoning"]["summary"].is_null() {
            item["summary"] = json!([{"type": "summary_text", "text": thinking}]);
        }
        let included = self.body["include"].as_array();
        if included.is_some_and(|all| all.iter().any(|name| name == "reasoning.encrypted_content")) {
            item["encrypted_content"] = json!(format!("{ENCRYPTED}{id}"));
        }
        item
    }
}

// === impl Events ===

impl Events {
    fn push(&mut self, kind: &'static str, mut event: Value, output: u64) {
        event["type"] = json!(kind);
        event["sequence_number"] = json!(self.frames.len());
        self.frames.push(Frame::event(kind, &event, output));
    }

    fn push_reasoning(&mut self, index: usize, item: &Value, answer: &Answer) {
        let output = answer.billed.reasoning;
        let id = &item["id"];
        let added = json!({"id": id, "type": "reasoning", "summary": []});
        self.push(
            "response.output_item.added",
            json!({"output_index": index, "item": added}),
            0,
        );
        if let Some(text) = item["summary"][0]["text"].as_str() {
            let at = |more: Value| {
                with(
                    json!({"item_id": id, "output_index": index, "summary_index": 0}),
                    more,
                )
            };
            let part = |text: &str| json!({"part": {"type": "summary_text", "text": text}});
            self.push("response.reasoning_summary_part.added", at(part("")), 0);
            let delta = at(json!({"delta": text}));
            self.push("response.reasoning_summary_text.delta", delta, output);
            self.push(
                "response.reasoning_summary_text.done",
                at(json!({"text": text})),
                output,
            );
            self.push("response.reasoning_summary_part.done", at(part(text)), output);
        }
        let done = json!({"output_index": index, "item": item});
        self.push("response.output_item.done", done, output);
    }

    fn push_message(&mut self, index: usize, item: &Value, answer: &Answer) {
        let (before, after) = (answer.billed.reasoning, answer.billed.output);
        let id = &item["id"];
        let added =
            json!({"id": id, "type": "message", "status": "in_progress", "role": "assistant", "content": []});
        let at = |more: Value| {
            with(
                json!({"item_id": id, "output_index": index, "content_index": 0}),
                more,
            )
        };
        self.push(
            "response.output_item.added",
            json!({"output_index": index, "item": added}),
            before,
        );
        let empty = json!({"type": "output_text", "text": "", "annotations": [], "logprobs": []});
        self.push("response.content_part.added", at(json!({"part": empty})), before);
        for (said, piece) in (1..).zip(pieces(&answer.text)) {
            let delta = at(json!({"delta": piece, "logprobs": []}));
            self.push("response.output_text.delta", delta, before + said);
        }
        let done = at(json!({"text": answer.text, "logprobs": []}));
        self.push("response.output_text.done", done, after);
        let done = at(json!({"part": item["content"][0]}));
        self.push("response.content_part.done", done, after);
        self.push(
            "response.output_item.done",
            json!({"output_index": index, "item": item}),
            after,
        );
    }

    fn push_call(&mut self, index: usize, item: &Value, answer: &Answer) {
        let after = answer.billed.output;
        let (id, arguments) = (&item["id"], item["arguments"].as_str().unwrap_or_default());
        let mut added = item.clone();
        added["status"] = json!("in_progress");
        added["arguments"] = json!("");
        self.push(
            "response.output_item.added",
            json!({"output_index": index, "item": added}),
            answer.billed.reasoning,
        );
        let at = |more: Value| with(json!({"item_id": id, "output_index": index}), more);
        for piece in halves(arguments) {
            let delta = at(json!({"delta": piece}));
            self.push("response.function_call_arguments.delta", delta, after);
        }
        let done = at(json!({"name": item["name"], "arguments": arguments}));
        self.push("response.function_call_arguments.done", done, after);
        self.push(
            "response.output_item.done",
            json!({"output_index": index, "item": item}),
            after,
        );
    }
}

fn with(mut event: Value, more: Value) -> Value {
    if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
        event.extend(more);
    }
    event
}

fn usage(billed: Billed) -> Value {
    json!({
        "input_tokens": billed.input,
        "input_tokens_details": {"cached_tokens": billed.cached, "cache_write_tokens": 0},
        "output_tokens": billed.output, "output_tokens_details": {"reasoning_tokens": billed.reasoning},
        "total_tokens": billed.input + billed.output,
    })
}

//! Items of an answer, as a whole reply and the last events of a stream show them.

use super::{annotation, reasoning};
use crate::envelope::{self, Subject};
use crate::finish::{Finish, FinishReason};
use crate::reply::ReplyPart;
use crate::request::{Namespaced, Opaque, Request, ToolArguments, ToolCall};
use serde_json::{Value, json};

/// The client's own name of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolName<'a> {
    pub name: &'a str,
    pub namespace: Option<&'a str>,
}

/// How an item's id begins.
pub fn prefix(part: &ReplyPart) -> &'static str {
    match part {
        ReplyPart::Text { .. } | ReplyPart::Refusal(_) => "msg_",
        ReplyPart::Reasoning { .. } | ReplyPart::RedactedReasoning(_) => "rs_",
        ReplyPart::ToolCall(call) => match call.arguments {
            ToolArguments::Json(_) => "fc_",
            ToolArguments::Freeform(_) => "ctc_",
        },
    }
}

/// Whether the model stopped in the middle of its last item.
pub fn is_cut(finish: Option<&Finish>) -> bool {
    finish.is_some_and(|finish| {
        matches!(
            finish.reason,
            FinishReason::Length | FinishReason::ContextWindow | FinishReason::ContentFilter
        )
    })
}

/// A text that turned out to be a refusal says so in a part of its own.
pub fn refused_text<'a>(part: &'a ReplyPart, finish: Option<&Finish>) -> Option<&'a str> {
    match part {
        ReplyPart::Text { text, .. } => finish
            .filter(|finish| finish.reason == FinishReason::Refusal)
            .map(|_| text.as_str()),
        _ => None,
    }
}

pub fn message(id: &str, status: &str, content: Vec<Value>) -> Value {
    json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": content})
}

pub fn text(text: &str, citations: &[Value], logprobs: &[Value]) -> Value {
    let chars = text.chars().count();
    let annotations: Vec<Value> = citations
        .iter()
        .filter_map(|citation| annotation::write(citation, chars))
        .collect();
    json!({"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs})
}

pub fn refusal(text: &str) -> Value {
    json!({"type": "refusal", "refusal": text})
}

pub fn summary(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

pub fn thought(id: &str, text: &str, encrypted_content: Option<String>) -> Value {
    let summary: Vec<Value> = (!text.is_empty()).then(|| summary(text)).into_iter().collect();
    let mut item = json!({"id": id, "type": "reasoning", "summary": summary});
    if let Some(encrypted) = encrypted_content {
        item["encrypted_content"] = Value::from(encrypted);
    }
    item
}

/// The blob of an item. The vendor's own is only valid under the id it came with.
pub fn encrypted_content(opaque: &Opaque, id: &str, subject: Subject) -> String {
    match reasoning::own(opaque) {
        Some(encrypted) if encrypted.id == id => encrypted.encrypted_content.into_owned(),
        _ => envelope::wrap(opaque, subject),
    }
}

pub fn call(id: &str, status: &str, name: ToolName<'_>, call: &ToolCall) -> Value {
    let mut item = match &call.arguments {
        ToolArguments::Json(arguments) if arguments.is_empty() && status != "in_progress" => json!({
            "id": id, "type": "function_call", "status": status,
            "call_id": call.id, "name": name.name, "arguments": "{}",
        }),
        ToolArguments::Json(arguments) => json!({
            "id": id, "type": "function_call", "status": status,
            "call_id": call.id, "name": name.name, "arguments": arguments,
        }),
        ToolArguments::Freeform(input) => json!({
            "id": id, "type": "custom_tool_call", "status": status,
            "call_id": call.id, "name": name.name, "input": input,
        }),
    };
    if let Some(namespace) = name.namespace {
        item["namespace"] = Value::from(namespace);
    }
    item
}

/// The list in the neutral log probabilities.
pub fn logprobs(value: Option<&Value>) -> Vec<Value> {
    let list = value.and_then(|value| value.get("content")?.as_array());
    list.cloned().unwrap_or_default()
}

/// The whole item of a part.
pub fn whole(
    part: &ReplyPart,
    id: &str,
    finish: Option<&Finish>,
    logprobs: &[Value],
    request: Option<&Request>,
) -> Value {
    let status = if is_cut(finish) { "incomplete" } else { "completed" };
    match part {
        ReplyPart::Text { text, citations } => {
            let said = self::text(text, citations, logprobs);
            let refused = refused_text(part, finish).map(refusal);
            message(id, status, [said].into_iter().chain(refused).collect())
        }
        ReplyPart::Refusal(said) => message(id, status, vec![refusal(said)]),
        ReplyPart::Reasoning { text, opaque } => {
            let encrypted = opaque
                .as_ref()
                .map(|opaque| encrypted_content(opaque, id, Subject::Reasoning));
            thought(id, text, encrypted)
        }
        ReplyPart::RedactedReasoning(opaque) => {
            thought(id, "", Some(encrypted_content(opaque, id, Subject::Redacted)))
        }
        ReplyPart::ToolCall(wire) => call(id, status, own_name(&wire.name, request), wire),
    }
}

/// A signature over a call has no place in the call's item, so one behind it carries it.
pub fn signature(opaque: &Opaque, id: &str) -> Value {
    thought(id, "", Some(envelope::wrap(opaque, Subject::Call)))
}

/// A tool of a namespace is told apart from its name again.
pub fn own_name<'a>(name: &'a str, request: Option<&'a Request>) -> ToolName<'a> {
    match request.and_then(|request| request.namespaces.get(name)) {
        Some(Namespaced { namespace, name }) => ToolName {
            name,
            namespace: Some(namespace),
        },
        None => ToolName {
            name,
            namespace: None,
        },
    }
}

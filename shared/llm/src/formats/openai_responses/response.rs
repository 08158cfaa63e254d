//! The response object around the items. Clients take its fields for granted, so all of them are always there, and
//! those that repeat the request say what the client asked for.

use super::super::openai_chat::request_encode::tool::parameters;
use super::usage::UsageReport;
use super::{error, ids, item};
use crate::error::PublicError;
use crate::finish::{Finish, FinishReason};
use crate::format::ReplySeed;
use crate::request::{Output, PartKind, Request, SystemRole, Tool, ToolChoice, ToolKind};
use crate::usage::Usage;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// How a response ended.
pub struct Ending {
    /// The name of the event that says so is `response.` and this.
    pub status: &'static str,
    reason: Option<&'static str>,
}

/// What is known before the model says anything.
pub fn begun(seed: &ReplySeed) -> Value {
    let default = Request::default();
    let request = seed.request.as_deref().unwrap_or(&default);
    json!({
        "id": ids::response(&seed.id),
        "object": "response",
        "created_at": seed.created,
        "status": "in_progress",
        "background": false,
        "completed_at": null,
        "error": null,
        "incomplete_details": null,
        "instructions": instructions(request),
        "max_output_tokens": request.max_output,
        "max_tool_calls": null,
        "model": seed.model,
        "output": [],
        "parallel_tool_calls": request.parallel_tools.unwrap_or(true),
        "previous_response_id": null,
        "prompt_cache_key": request.prompt_cache_key,
        "reasoning": {"effort": request.reasoning.effort, "summary": null},
        "safety_identifier": null,
        "service_tier": request.service_tier.as_deref().unwrap_or("auto"),
        "store": false,
        "temperature": request.sampling.temperature,
        "text": {"format": format(&request.output), "verbosity": request.verbosity.as_deref().unwrap_or("medium")},
        "tool_choice": tool_choice(request),
        "tools": tools(request),
        "top_logprobs": request.logprobs.unwrap_or(0),
        "top_p": request.sampling.top_p,
        "truncation": "disabled",
        "usage": null,
        "user": request.user,
        "metadata": request.metadata,
    })
}

/// The same with what came of it.
pub fn ended(mut response: Value, ending: &Ending, output: Vec<Value>, usage: &Usage) -> Value {
    response["status"] = Value::from(ending.status);
    if let Some(reason) = ending.reason {
        response["incomplete_details"] = json!({ "reason": reason });
    }
    // nothing here can tell the time, and clients only check that it is there
    response["completed_at"] = response["created_at"].clone();
    response["output"] = Value::from(output);
    response["usage"] = json!(UsageReport::of(usage));
    response
}

pub fn failed(mut response: Value, error: &PublicError, output: Vec<Value>, usage: &Usage) -> Value {
    response["status"] = Value::from("failed");
    response["error"] = error::of_response(error);
    response["output"] = Value::from(output);
    if !usage.is_absent() {
        response["usage"] = json!(UsageReport::of(usage));
    }
    response
}

// === impl Ending ===

impl Ending {
    /// A refusal of which not a word was said has been filtered.
    pub fn of(finish: Option<&Finish>, is_empty: bool) -> Self {
        let incomplete = |reason| Self {
            status: "incomplete",
            reason: Some(reason),
        };
        match finish.map(|finish| finish.reason) {
            Some(FinishReason::Length | FinishReason::ContextWindow) => incomplete("max_output_tokens"),
            Some(FinishReason::ContentFilter) => incomplete("content_filter"),
            Some(FinishReason::Refusal) if is_empty => incomplete("content_filter"),
            _ => Self {
                status: "completed",
                reason: None,
            },
        }
    }
}

// === functions ===

fn instructions(request: &Request) -> Option<&str> {
    match request.system.as_slice() {
        [part] if request.system_role == SystemRole::System => match &part.kind {
            PartKind::Text { text, .. } => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn format(output: &Output) -> Value {
    match output {
        Output::Text => json!({"type": "text"}),
        Output::JsonObject => json!({"type": "json_object"}),
        Output::JsonSchema(schema) => json!({
            "type": "json_schema",
            "name": schema.name.as_deref().unwrap_or("response"),
            "description": schema.description,
            "schema": value(&schema.schema),
            "strict": schema.strict.unwrap_or(false),
        }),
    }
}

fn tool_choice(request: &Request) -> Value {
    match &request.tool_choice {
        ToolChoice::Unset | ToolChoice::Auto => Value::from("auto"),
        ToolChoice::None => Value::from("none"),
        ToolChoice::Required => Value::from("required"),
        ToolChoice::Named(name) => named(name, request),
        ToolChoice::Allowed { required, names } => json!({
            "type": "allowed_tools",
            "mode": if *required { "required" } else { "auto" },
            "tools": names.iter().map(|name| named(name, request)).collect::<Vec<_>>(),
        }),
    }
}

fn named(name: &str, request: &Request) -> Value {
    let tool = request.tools.iter().find(|tool| tool.name == name);
    let kind = match tool.map(|tool| &tool.kind) {
        Some(ToolKind::Hosted { .. }) => return json!({ "type": name }),
        Some(ToolKind::Custom { .. }) => "custom",
        _ => "function",
    };
    json!({"type": kind, "name": item::own_name(name, Some(request)).name})
}

/// Tools of one namespace stand in it again.
fn tools(request: &Request) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::with_capacity(request.tools.len());
    for tool in &request.tools {
        let own = item::own_name(&tool.name, Some(request));
        let wire = wire_tool(tool, own.name);
        let Some(namespace) = own.namespace else {
            all.push(wire);
            continue;
        };
        let same = |item: &&mut Value| item["type"] == "namespace" && item["name"] == namespace;
        match all.iter_mut().find(same).map(|item| &mut item["tools"]) {
            Some(Value::Array(tools)) => tools.push(wire),
            _ => {
                all.push(json!({"type": "namespace", "name": namespace, "description": "", "tools": [wire]}))
            }
        }
    }
    all
}

fn wire_tool(tool: &Tool, name: &str) -> Value {
    match &tool.kind {
        ToolKind::Function => json!({
            "type": "function",
            "name": name,
            "description": tool.description,
            "parameters": value(&parameters(tool.schema.as_deref())),
            "strict": tool.strict.unwrap_or(false),
        }),
        ToolKind::Custom { format } => {
            let mut custom = Map::new();
            custom.insert("type".to_owned(), Value::from("custom"));
            custom.insert("name".to_owned(), Value::from(name));
            custom.insert("description".to_owned(), json!(tool.description));
            custom.extend(format.clone().map(|format| ("format".to_owned(), format)));
            Value::Object(custom)
        }
        ToolKind::Hosted { raw, .. } => raw.clone(),
    }
}

fn value(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

//! A tool that takes free text, for a model whose API has only functions: a function with that text as its one
//! string. The reply is turned back while it streams, by the client's view of it.

use crate::note::Notes;
use crate::request::{PartKind, Request, Tool, ToolArguments, ToolKind};
use serde_json::json;
use serde_json::value::RawValue;

const SCHEMA: &str = r#"{"type":"object","properties":{"input":{"type":"string","description":"Raw tool input. Do not wrap in JSON."}},"required":["input"],"additionalProperties":false}"#;

pub fn lower(request: &mut Request, notes: &mut Notes) {
    for tool in &mut request.tools {
        lower_tool(tool, notes);
    }
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        let PartKind::ToolCall(call) = &mut part.kind else {
            continue;
        };
        if let ToolArguments::Freeform(text) = &call.arguments {
            call.arguments = ToolArguments::Json(json!({ "input": text }).to_string());
        }
    }
}

// === functions ===

fn lower_tool(tool: &mut Tool, notes: &mut Notes) {
    let ToolKind::Custom { format } = &tool.kind else {
        return;
    };
    // the grammar binds nobody here, but a model can follow what it reads
    let grammar = format.as_ref().and_then(|format| {
        let grammar = format.get("grammar").unwrap_or(format);
        grammar.get("definition")?.as_str().map(str::to_owned)
    });
    match &grammar {
        Some(_) => notes.loss(
            "tools",
            format!("the grammar of '{}' is only described", tool.name),
        ),
        None => notes.info("tools", format!("'{}' became a function", tool.name)),
    }
    if let Some(grammar) = grammar {
        let described = tool.description.take().unwrap_or_default();
        let text = format!("{described}\n\nThe input follows this grammar:\n{grammar}");
        tool.description = Some(text.trim_start().to_owned());
    }
    tool.schema = RawValue::from_string(SCHEMA.to_owned()).ok();
    tool.kind = ToolKind::Function;
}

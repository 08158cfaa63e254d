//! `tools`. The API has no `tool_choice`: what it would have allowed or forbidden is said by which tools are sent.

use crate::error::EncodeError;
use crate::formats::openai_chat::request_encode::tool::parameters;
use crate::note::Notes;
use crate::request::{Request, Tool, ToolChoice, ToolKind};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Serialize)]
pub struct WireTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    /// Not optional in the server's own types.
    description: &'a str,
    parameters: Cow<'a, RawValue>,
}

pub fn encode<'a>(request: &'a Request, notes: &mut Notes) -> Result<Vec<WireTool<'a>>, EncodeError> {
    let offered = |tool: &Tool| match &request.tool_choice {
        ToolChoice::None => false,
        ToolChoice::Named(name) => tool.name == *name,
        ToolChoice::Allowed { names, .. } => names.contains(&tool.name),
        ToolChoice::Unset | ToolChoice::Auto | ToolChoice::Required => true,
    };
    match &request.tool_choice {
        ToolChoice::Unset | ToolChoice::Auto => {}
        ToolChoice::None => notes.info("tool_choice", "no tools are sent"),
        ToolChoice::Allowed { required: false, .. } => {
            notes.info("tool_choice", "only the allowed tools are sent");
        }
        _ => notes.loss("tool_choice", "the model cannot be forced to call a tool"),
    }
    let mut tools = Vec::with_capacity(request.tools.len());
    for tool in request.tools.iter().filter(|tool| offered(tool)) {
        match &tool.kind {
            ToolKind::Function | ToolKind::Custom { .. } => tools.push(wire_tool(tool)),
            ToolKind::Hosted { raw, .. } => hosted(tool, raw, request, notes)?,
        }
    }
    Ok(tools)
}

// === functions ===

fn wire_tool(tool: &Tool) -> WireTool<'_> {
    WireTool {
        kind: "function",
        function: Function {
            name: &tool.name,
            description: tool.description.as_deref().unwrap_or_default(),
            parameters: parameters(tool.schema.as_deref()),
        },
    }
}

/// A tool that another vendor runs cannot be offered; that is only an error where the answer depends on it.
fn hosted(tool: &Tool, raw: &Value, request: &Request, notes: &mut Notes) -> Result<(), EncodeError> {
    let kind = raw.get("type").and_then(Value::as_str).unwrap_or(&tool.name);
    let message = format!("tool type '{kind}' is not supported by the selected model");
    let forced = matches!(&request.tool_choice, ToolChoice::Named(name) if *name == tool.name);
    if forced || request.tools.len() == 1 {
        return Err(EncodeError::unsupported("tools", message));
    }
    notes.loss("tools", message);
    Ok(())
}

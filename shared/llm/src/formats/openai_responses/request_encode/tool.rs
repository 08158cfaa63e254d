//! `tools` and `tool_choice`, which are flat here.

use super::super::super::openai_chat::request_encode::tool::parameters;
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{Request, Tool, ToolChoice, ToolKind};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum WireTool<'a> {
    Function {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        parameters: Cow<'a, RawValue>,
        /// Absent would mean true here, and schemas of other APIs' clients are not made for that.
        strict: bool,
    },
    Custom {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        format: Option<Cow<'a, Value>>,
    },
    #[serde(untagged)]
    Hosted(Cow<'a, Value>),
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum WireChoice<'a> {
    Word(&'static str),
    One(Named<'a>),
    Allowed {
        #[serde(rename = "type")]
        kind: &'static str,
        mode: &'static str,
        tools: Vec<Named<'a>>,
    },
}

#[derive(Serialize)]
pub struct Named<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

pub fn encode<'a>(
    request: &'a Request,
    notes: &mut Notes,
) -> Result<(Vec<WireTool<'a>>, Option<WireChoice<'a>>), EncodeError> {
    let mut tools = Vec::with_capacity(request.tools.len());
    for tool in &request.tools {
        tools.extend(wire_tool(tool, request, notes)?);
    }
    let choice = if tools.is_empty() {
        None
    } else {
        wire_choice(request)
    };
    Ok((tools, choice))
}

// === functions ===

fn wire_tool<'a>(
    tool: &'a Tool,
    request: &Request,
    notes: &mut Notes,
) -> Result<Option<WireTool<'a>>, EncodeError> {
    let (name, description) = (tool.name.as_str(), tool.description.as_deref());
    let wire = match &tool.kind {
        ToolKind::Function => WireTool::Function {
            name,
            description,
            parameters: parameters(tool.schema.as_deref()),
            strict: tool.strict.unwrap_or(false),
        },
        ToolKind::Custom { format } => WireTool::Custom {
            name,
            description,
            format: format.as_ref().map(flat_format),
        },
        ToolKind::Hosted {
            dialect: Dialect::OpenAiResponses,
            raw,
        } => WireTool::Hosted(Cow::Borrowed(raw)),
        ToolKind::Hosted { raw, .. } => match web_search(raw, notes) {
            Some(tool) => WireTool::Hosted(Cow::Owned(tool)),
            None => return hosted(tool, raw, request, notes),
        },
    };
    Ok(Some(wire))
}

/// A grammar is one level deeper in the vendor's other API.
fn flat_format(format: &Value) -> Cow<'_, Value> {
    let Some(Value::Object(grammar)) = format.get("grammar") else {
        return Cow::Borrowed(format);
    };
    let mut flat = Map::new();
    flat.insert("type".to_owned(), Value::from("grammar"));
    flat.extend(grammar.clone());
    Cow::Owned(Value::Object(flat))
}

/// The one tool that several vendors run.
fn web_search(raw: &Value, notes: &mut Notes) -> Option<Value> {
    let kind = raw["type"].as_str()?;
    if !kind.starts_with("web_search") {
        return None;
    }
    let mut tool = json!({"type": "web_search"});
    for name in ["user_location", "search_context_size"] {
        if let Some(value) = raw.get(name).filter(|value| !value.is_null()) {
            tool[name] = value.clone();
        }
    }
    if let Some(domains) = raw.get("allowed_domains").filter(|domains| domains.is_array()) {
        tool["filters"] = json!({"allowed_domains": domains});
    }
    for name in ["max_uses", "blocked_domains"] {
        if raw.get(name).is_some_and(|value| !value.is_null()) {
            notes.loss(
                format!("tools.{name}"),
                "not a field of the upstream's web search",
            );
        }
    }
    Some(tool)
}

/// A tool that another vendor runs cannot be offered; that is only an error where the answer depends on it.
fn hosted<'a>(
    tool: &Tool,
    raw: &Value,
    request: &Request,
    notes: &mut Notes,
) -> Result<Option<WireTool<'a>>, EncodeError> {
    let kind = raw.get("type").and_then(Value::as_str).unwrap_or(&tool.name);
    let message = format!("tool type '{kind}' is not supported by the selected model");
    let forced =
        matches!(&request.tool_choice, ToolChoice::Named(name) if *name == tool.name || name == kind);
    if forced || request.tools.len() == 1 {
        return Err(EncodeError::unsupported("tools", message));
    }
    notes.loss("tools", message);
    Ok(None)
}

fn wire_choice(request: &Request) -> Option<WireChoice<'_>> {
    Some(match &request.tool_choice {
        ToolChoice::Unset => return None,
        ToolChoice::Auto => WireChoice::Word("auto"),
        ToolChoice::None => WireChoice::Word("none"),
        ToolChoice::Required => WireChoice::Word("required"),
        ToolChoice::Named(name) => WireChoice::One(named(name, request)),
        ToolChoice::Allowed { required, names } => WireChoice::Allowed {
            kind: "allowed_tools",
            mode: if *required { "required" } else { "auto" },
            tools: names.iter().map(|name| named(name, request)).collect(),
        },
    })
}

/// A tool of the vendor is named by its type alone.
fn named<'a>(name: &'a str, request: &Request) -> Named<'a> {
    let kind = request
        .tools
        .iter()
        .find(|tool| tool.name == name)
        .map(|tool| &tool.kind);
    match kind {
        Some(ToolKind::Hosted { raw, .. }) => Named {
            kind: match raw["type"].as_str() {
                Some(kind) if kind.starts_with("web_search") => "web_search",
                _ => name,
            },
            name: None,
        },
        Some(ToolKind::Custom { .. }) => Named {
            kind: "custom",
            name: Some(name),
        },
        _ => Named {
            kind: "function",
            name: Some(name),
        },
    }
}

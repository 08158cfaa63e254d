//! `tools` and `tool_choice`.

use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::head::Head;
use crate::note::Notes;
use crate::request::{Request, Tool, ToolChoice, ToolKind};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum WireTool<'a> {
    Function {
        function: Function<'a>,
    },
    Custom {
        custom: Custom<'a>,
    },
    #[serde(untagged)]
    Hosted(&'a Value),
}

#[derive(Serialize)]
pub struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Cow<'a, RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
pub struct Custom<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a Value>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum WireChoice<'a> {
    Word(&'static str),
    Object(Choice<'a>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Choice<'a> {
    Function { function: Name<'a> },
    Custom { custom: Name<'a> },
    AllowedTools { allowed_tools: AllowedTools<'a> },
}

#[derive(Serialize)]
pub struct AllowedTools<'a> {
    mode: &'static str,
    tools: Vec<Choice<'a>>,
}

#[derive(Serialize)]
pub struct Name<'a> {
    name: &'a str,
}

pub fn encode<'a>(
    request: &'a Request,
    notes: &mut Notes,
) -> Result<(Vec<WireTool<'a>>, Option<WireChoice<'a>>), EncodeError> {
    let mut tools = Vec::with_capacity(request.tools.len());
    for tool in &request.tools {
        tools.extend(wire_tool(tool, request, notes)?);
    }
    // both fields are refused without tools
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
    let description = tool.description.as_deref();
    match &tool.kind {
        ToolKind::Function => Ok(Some(WireTool::Function {
            function: Function {
                name: &tool.name,
                description,
                parameters: parameters(tool.schema.as_deref()),
                strict: tool.strict,
            },
        })),
        ToolKind::Custom { format } => Ok(Some(WireTool::Custom {
            custom: Custom {
                name: &tool.name,
                description,
                format: format.as_ref(),
            },
        })),
        ToolKind::Hosted {
            dialect: Dialect::OpenAiChat,
            raw,
        } => Ok(Some(WireTool::Hosted(raw))),
        ToolKind::Hosted { raw, .. } => hosted(tool, raw, request, notes),
    }
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

/// A schema the vendor accepts: an object schema names its type and has `properties`, if only empty ones.
pub fn parameters(schema: Option<&RawValue>) -> Cow<'_, RawValue> {
    let empty = || Cow::Owned(raw(r#"{"type":"object","properties":{}}"#.to_owned()));
    let Some(schema) = schema else { return empty() };
    let Ok(head) = Head::read(schema.get().as_bytes()) else {
        return empty();
    };
    let untyped = head.get("type").is_none();
    if untyped && head.members().next().is_none() {
        return empty();
    }
    let has_properties = head.get("properties").is_some();
    let mut added = Vec::new();
    if untyped && has_properties {
        added.push(("type", "\"object\""));
    }
    if head.get("type").is_some_and(|kind| kind.get() == "\"object\"") && !has_properties {
        added.push(("properties", "{}"));
    }
    if added.is_empty() {
        return Cow::Borrowed(schema);
    }
    match String::from_utf8(head.with(&added).to_vec()) {
        Ok(json) => Cow::Owned(raw(json)),
        Err(_) => Cow::Borrowed(schema),
    }
}

fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).expect("JSON with a member added is JSON")
}

fn wire_choice(request: &Request) -> Option<WireChoice<'_>> {
    match &request.tool_choice {
        ToolChoice::Unset => None,
        ToolChoice::Auto => Some(WireChoice::Word("auto")),
        ToolChoice::None => Some(WireChoice::Word("none")),
        ToolChoice::Required => Some(WireChoice::Word("required")),
        ToolChoice::Named(name) => Some(WireChoice::Object(named(name, request))),
        ToolChoice::Allowed { required, names } => {
            let mode = if *required { "required" } else { "auto" };
            let tools = names.iter().map(|name| named(name, request)).collect();
            Some(WireChoice::Object(Choice::AllowedTools {
                allowed_tools: AllowedTools { mode, tools },
            }))
        }
    }
}

fn named<'a>(name: &'a str, request: &Request) -> Choice<'a> {
    let custom = |tool: &Tool| tool.name == name && matches!(tool.kind, ToolKind::Custom { .. });
    if request.tools.iter().any(custom) {
        return Choice::Custom {
            custom: Name { name },
        };
    }
    Choice::Function {
        function: Name { name },
    }
}

//! `tools` and `tool_choice`.

use super::super::json::raw;
use super::super::schema;
use super::block::CacheControl;
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{Request, Tool, ToolChoice, ToolKind};
use crate::translate::Target;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;

/// The input of a tool that takes free text, where the API only knows objects.
const FREEFORM_SCHEMA: &str = concat!(
    r#"{"type":"object","properties":{"input":{"type":"string","description":"#,
    r#""Raw tool input. Do not wrap in JSON."}},"required":["input"],"additionalProperties":false}"#
);

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum WireTool<'a> {
    Client(ClientTool<'a>),
    Hosted(Cow<'a, Value>),
}

#[derive(Debug, Serialize)]
pub struct ClientTool<'a> {
    pub name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Cow<'a, str>>,
    pub input_schema: Cow<'a, RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<CacheControl<'a>>,
}

#[derive(Debug, Serialize)]
pub struct WireChoice<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_parallel_tool_use: Option<bool>,
}

pub fn encode<'a>(
    request: &'a Request,
    target: &Target,
    notes: &mut Notes,
) -> Result<(Vec<WireTool<'a>>, Option<WireChoice<'a>>), EncodeError> {
    let offered = |tool: &&Tool| match &request.tool_choice {
        ToolChoice::Allowed { names, .. } => names.contains(&tool.name),
        _ => true,
    };
    let mut tools = Vec::with_capacity(request.tools.len());
    for (i, tool) in request.tools.iter().filter(offered).enumerate() {
        tools.extend(one(tool, i, request, target, notes)?);
    }
    let choice = if tools.is_empty() { None } else { choice(request) };
    Ok((tools, choice))
}

// === impl WireTool ===

impl<'a> WireTool<'a> {
    pub fn mark(&mut self) -> Option<&mut Option<CacheControl<'a>>> {
        match self {
            Self::Client(tool) => Some(&mut tool.cache_control),
            Self::Hosted(_) => None,
        }
    }
}

// === impl WireChoice ===

impl<'a> WireChoice<'a> {
    pub fn named(name: &'a str) -> Self {
        Self {
            kind: "tool",
            name: Some(name),
            disable_parallel_tool_use: None,
        }
    }

    pub fn is_forced(&self) -> bool {
        matches!(self.kind, "any" | "tool")
    }
}

// === functions ===

fn one<'a>(
    tool: &'a Tool,
    index: usize,
    request: &Request,
    target: &Target,
    notes: &mut Notes,
) -> Result<Option<WireTool<'a>>, EncodeError> {
    let strict = strict(tool, index, target, notes);
    let (description, input_schema) = match &tool.kind {
        ToolKind::Function => {
            let (mut input_schema, hint) = schema::tool_input(tool.schema.as_deref());
            if strict.is_some() {
                input_schema = Cow::Owned(schema::answer(&input_schema));
            }
            if hint.is_some() {
                notes.info(
                    format!("tools[{index}]"),
                    "a combinator at the root of the schema was resolved",
                );
            }
            (
                described(tool.description.as_deref(), hint.as_deref()),
                input_schema,
            )
        }
        ToolKind::Custom { format } => {
            let grammar = format.as_ref().and_then(grammar);
            notes.info(
                format!("tools[{index}]"),
                "a free-text tool became one with a single string",
            );
            let input_schema = raw(FREEFORM_SCHEMA.to_owned()).expect("the constant is JSON");
            (
                described(tool.description.as_deref(), grammar),
                Cow::Owned(input_schema),
            )
        }
        ToolKind::Hosted {
            dialect: Dialect::AnthropicMessages,
            raw,
        } => {
            return Ok(Some(WireTool::Hosted(Cow::Borrowed(raw))));
        }
        ToolKind::Hosted { raw, .. } => return hosted(tool, raw, request, notes),
    };
    Ok(Some(WireTool::Client(ClientTool {
        name: &tool.name,
        description,
        input_schema,
        strict,
        cache_control: tool.cache.as_ref().map(CacheControl::new),
    })))
}

/// Models without native structured output refuse the field.
fn strict(tool: &Tool, index: usize, target: &Target, notes: &mut Notes) -> Option<bool> {
    let asked = tool.strict.filter(|strict| *strict)?;
    if target.caps.json_schema {
        return Some(asked);
    }
    notes.loss(
        format!("tools[{index}].strict"),
        "the model does not enforce schemas",
    );
    None
}

fn described<'a>(description: Option<&'a str>, hint: Option<&str>) -> Option<Cow<'a, str>> {
    match (description, hint) {
        (Some(text), None) => Some(Cow::Borrowed(text)),
        (Some(text), Some(hint)) => Some(Cow::Owned(format!("{text}\n\n{hint}"))),
        (None, hint) => hint.map(|hint| Cow::Owned(hint.to_owned())),
    }
}

/// The grammar's own text: the model can follow it, the API cannot enforce it.
fn grammar(format: &Value) -> Option<&str> {
    format
        .pointer("/definition")
        .or_else(|| format.pointer("/grammar/definition"))
        .and_then(Value::as_str)
}

/// Of the tools that another vendor runs, only web search has an equivalent here.
fn hosted<'a>(
    tool: &Tool,
    raw: &Value,
    request: &Request,
    notes: &mut Notes,
) -> Result<Option<WireTool<'a>>, EncodeError> {
    let kind = raw.get("type").and_then(Value::as_str).unwrap_or(&tool.name);
    if kind.starts_with("web_search") {
        return Ok(Some(WireTool::Hosted(Cow::Owned(web_search(raw)))));
    }
    let forced =
        matches!(&request.tool_choice, ToolChoice::Named(name) if *name == tool.name || name == kind);
    if forced || request.tools.len() == 1 {
        let message = format!("tool type '{kind}' is not supported by the selected model");
        return Err(EncodeError::unsupported("tools", message));
    }
    notes.loss(
        "tools",
        format!("tool type '{kind}' is not supported by the selected model"),
    );
    Ok(None)
}

fn web_search(raw: &Value) -> Value {
    let mut tool = json!({"type": "web_search_20250305", "name": "web_search"});
    if let Some(location) = raw.get("user_location").filter(|location| location.is_object()) {
        tool["user_location"] = location.clone();
    }
    if let Some(domains) = raw
        .pointer("/filters/allowed_domains")
        .filter(|domains| domains.is_array())
    {
        tool["allowed_domains"] = domains.clone();
    }
    tool
}

/// `disable_parallel_tool_use` exists on every choice but `none`.
fn choice(request: &Request) -> Option<WireChoice<'_>> {
    let one_at_a_time = (request.parallel_tools == Some(false)).then_some(true);
    let (kind, name) = match &request.tool_choice {
        ToolChoice::Unset if one_at_a_time.is_none() => return None,
        ToolChoice::None => {
            return Some(WireChoice {
                kind: "none",
                name: None,
                disable_parallel_tool_use: None,
            });
        }
        ToolChoice::Unset | ToolChoice::Auto | ToolChoice::Allowed { required: false, .. } => ("auto", None),
        ToolChoice::Required | ToolChoice::Allowed { required: true, .. } => ("any", None),
        ToolChoice::Named(name) => ("tool", Some(name.as_str())),
    };
    Some(WireChoice {
        kind,
        name,
        disable_parallel_tool_use: one_at_a_time,
    })
}

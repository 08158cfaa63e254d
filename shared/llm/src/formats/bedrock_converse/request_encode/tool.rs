//! `toolConfig`: the tools, and whether one must be called.

use super::block::CachePoint;
use crate::caps::{ModelCaps, ModelFields};
use crate::error::EncodeError;
use crate::formats::anthropic_messages::schema;
use crate::note::Notes;
use crate::request::{PartKind, Request, Tool, ToolChoice, ToolKind};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolConfig<'a> {
    pub tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<WireChoice<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum WireTool<'a> {
    ToolSpec(Spec<'a>),
    CachePoint(CachePoint),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec<'a> {
    pub name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Cow<'a, str>>,
    pub input_schema: Schema<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Schema<'a> {
    Json(Cow<'a, RawValue>),
}

/// A union. Its third member, `auto`, is the API's default; models that take no choice refuse it when it is said.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum WireChoice<'a> {
    /// An empty object.
    Any(Map<String, Value>),
    Tool {
        name: &'a str,
    },
}

pub fn encode<'a>(
    request: &'a Request,
    caps: &ModelCaps,
    notes: &mut Notes,
) -> Result<Option<ToolConfig<'a>>, EncodeError> {
    let called = called(request);
    let forbidden = request.tool_choice == ToolChoice::None;
    let offered = |tool: &&Tool| match &request.tool_choice {
        ToolChoice::Allowed { names, .. } => names.contains(&tool.name),
        // there is no way to forbid calls but to offer nothing
        ToolChoice::None => !called.is_empty(),
        _ => true,
    };
    let mut tools = Vec::with_capacity(request.tools.len());
    for (i, tool) in request.tools.iter().enumerate().filter(|(_, tool)| offered(tool)) {
        tools.extend(spec(tool, i, request, caps, notes)?);
        // of the models with a cache only Anthropic's have one for tools
        let point = CachePoint::of(tool.cache.as_ref(), caps);
        tools.extend(point.map(WireTool::CachePoint));
    }
    if tools.is_empty() {
        return Ok(declared(&called, notes));
    }
    if forbidden {
        notes.loss(
            "tool_choice",
            "calls cannot be forbidden while there are some in the conversation",
        );
    }
    if request.parallel_tools == Some(false) {
        notes.loss("parallel_tool_calls", "not supported by the upstream's API");
    }
    Ok(Some(ToolConfig {
        tools,
        tool_choice: choice(request, caps, notes),
    }))
}

// === impl ToolConfig ===

impl ToolConfig<'_> {
    pub fn is_forced(&self) -> bool {
        matches!(
            self.tool_choice,
            Some(WireChoice::Any(_) | WireChoice::Tool { .. })
        )
    }
}

// === impl WireTool ===

impl WireTool<'_> {
    pub fn is_cache_point(&self) -> bool {
        matches!(self, Self::CachePoint(_))
    }
}

// === functions ===

/// The tools that the conversation has calls of.
fn called(request: &Request) -> BTreeSet<&str> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let names = parts.filter_map(|part| match &part.kind {
        PartKind::ToolCall(call) => Some(call.name.as_str()),
        _ => None,
    });
    names.collect()
}

/// A conversation with calls is refused without tools, also when the client is done with them.
fn declared<'a>(called: &BTreeSet<&'a str>, notes: &mut Notes) -> Option<ToolConfig<'a>> {
    if called.is_empty() {
        return None;
    }
    notes.synth(
        "tools",
        "the conversation has tool calls, so that the upstream's API wants their tools declared",
    );
    let spec = |name: &&'a str| {
        let (schema, _) = schema::tool_input(None);
        WireTool::ToolSpec(Spec {
            name,
            description: None,
            input_schema: Schema::Json(schema),
            strict: None,
        })
    };
    Some(ToolConfig {
        tools: called.iter().map(spec).collect(),
        tool_choice: None,
    })
}

fn spec<'a>(
    tool: &'a Tool,
    index: usize,
    request: &Request,
    caps: &ModelCaps,
    notes: &mut Notes,
) -> Result<Option<WireTool<'a>>, EncodeError> {
    if let ToolKind::Hosted { raw, .. } = &tool.kind {
        return hosted(tool, raw, request, notes);
    }
    let strict = strict(tool, index, caps, notes);
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
    // an empty description is refused, a missing one is not
    let description = tool.description.as_deref().filter(|text| !text.is_empty());
    let description = match (description, hint) {
        (Some(text), Some(hint)) => Some(Cow::Owned(format!("{text}\n\n{hint}"))),
        (Some(text), None) => Some(Cow::Borrowed(text)),
        (None, hint) => hint.map(Cow::Owned),
    };
    Ok(Some(WireTool::ToolSpec(Spec {
        name: &tool.name,
        description,
        input_schema: Schema::Json(input_schema),
        strict,
    })))
}

/// Models without native structured output refuse the field.
fn strict(tool: &Tool, index: usize, caps: &ModelCaps, notes: &mut Notes) -> Option<bool> {
    let asked = tool.strict.filter(|strict| *strict)?;
    if caps.json_schema {
        return Some(asked);
    }
    notes.loss(
        format!("tools[{index}].strict"),
        "the model does not enforce schemas",
    );
    None
}

/// No tool that another vendor runs has an equivalent here.
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

fn choice<'a>(request: &'a Request, caps: &ModelCaps, notes: &mut Notes) -> Option<WireChoice<'a>> {
    let chosen = match &request.tool_choice {
        ToolChoice::Unset
        | ToolChoice::Auto
        | ToolChoice::None
        | ToolChoice::Allowed { required: false, .. } => return None,
        ToolChoice::Required | ToolChoice::Allowed { required: true, .. } => WireChoice::Any(Map::new()),
        ToolChoice::Named(name) => WireChoice::Tool { name },
    };
    let names_one = matches!(chosen, WireChoice::Tool { .. });
    if names_one && !matches!(caps.model_fields, ModelFields::Anthropic | ModelFields::Nova) {
        notes.info(
            "tool_choice",
            "the upstream's API documents the choice of one tool for Anthropic's and Amazon's models only",
        );
    }
    Some(chosen)
}

/// The one tool of an answer that is a tool's input.
pub fn only<'a>(name: &'a str, description: &'a str, schema: &'a RawValue) -> ToolConfig<'a> {
    let (input_schema, _) = schema::tool_input(Some(schema));
    ToolConfig {
        tools: vec![WireTool::ToolSpec(Spec {
            name,
            description: Some(Cow::Borrowed(description)),
            input_schema: Schema::Json(input_schema),
            strict: None,
        })],
        tool_choice: Some(WireChoice::Tool { name }),
    }
}

//! `tools` and `tool_choice`.

use super::super::json::{Fields, non_empty, raw as owned, read, tag};
use super::{cache_mark, client_tool};
use crate::dialect::Dialect;
use crate::error::DecodeError;
use crate::request::{Request, Tool, ToolChoice, ToolKind};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashSet;

#[derive(Deserialize)]
struct WireTool<'a> {
    #[serde(deserialize_with = "non_empty")]
    name: String,
    description: Option<String>,
    input_schema: Option<Box<RawValue>>,
    strict: Option<bool>,
    #[serde(borrow)]
    cache_control: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireChoice {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    disable_parallel_tool_use: Option<bool>,
}

pub fn decode(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), DecodeError> {
    let tools: Vec<&RawValue> = fields.take("tools")?.unwrap_or_default();
    request.tools = tools
        .into_iter()
        .enumerate()
        .map(|(i, raw)| tool(raw, &format!("tools[{i}]")))
        .collect::<Result<_, _>>()?;

    let mut names = HashSet::new();
    for tool in &request.tools {
        if !names.insert(tool.name.as_str()) {
            return Err(DecodeError::at(
                "tools",
                format!("tools: duplicate tool name '{}'", tool.name),
            ));
        }
    }
    let Some(wire) = fields.take::<WireChoice>("tool_choice")? else {
        return Ok(());
    };
    request.tool_choice = choice(&wire, &names)?;
    request.parallel_tools = wire.disable_parallel_tool_use.map(|disabled| !disabled);
    Ok(())
}

/// A tool without a type, or of type `custom`, is the client's own; every other type is defined by the vendor.
fn tool(raw: &RawValue, path: &str) -> Result<Tool, DecodeError> {
    let kind = tag(raw).map_err(|_| DecodeError::at(path, format!("{path}: expected an object")))?;
    let wire: WireTool<'_> = read(raw, path)?;
    let mut tool = Tool {
        kind: ToolKind::Function,
        name: wire.name,
        description: wire.description,
        schema: wire.input_schema,
        strict: wire.strict,
        cache: cache_mark(wire.cache_control, path)?,
    };
    if matches!(kind.as_ref(), "" | "custom") {
        return Ok(tool);
    }
    match client_tool::schema(&kind) {
        Some((description, schema)) => {
            tool.description = Some(description.to_owned());
            tool.schema = Some(owned(schema.to_owned()).expect("the constant is JSON"));
        }
        None => {
            let raw = read(raw, path)?;
            tool.kind = ToolKind::Hosted {
                dialect: Dialect::AnthropicMessages,
                raw,
            };
        }
    }
    Ok(tool)
}

fn choice(wire: &WireChoice, names: &HashSet<&str>) -> Result<ToolChoice, DecodeError> {
    let forced = matches!(wire.kind.as_str(), "any" | "tool");
    if forced && names.is_empty() {
        return Err(DecodeError::at(
            "tool_choice",
            "tool_choice requires a non-empty tools array",
        ));
    }
    match wire.kind.as_str() {
        "auto" => Ok(ToolChoice::Auto),
        "any" => Ok(ToolChoice::Required),
        "none" => Ok(ToolChoice::None),
        "tool" => match wire.name.as_deref() {
            Some(name) if names.contains(name) => Ok(ToolChoice::Named(name.to_owned())),
            Some(name) => Err(DecodeError::at(
                "tool_choice",
                format!("tool_choice references unknown tool '{name}'"),
            )),
            None => Err(DecodeError::at(
                "tool_choice.name",
                "tool_choice.name: Field required",
            )),
        },
        other => Err(DecodeError::at(
            "tool_choice.type",
            format!("tool_choice.type: unsupported value '{other}'"),
        )),
    }
}

//! `tools` and `tool_choice`.
//!
//! A namespace is a container of the client's own functions, as agents send one per MCP server. Other APIs have no
//! containers, so its tools get one name each, and the reply puts them back where they were.

use super::super::super::openai_chat::object::{Object, fault, value};
use crate::dialect::Dialect;
use crate::error::DecodeError;
use crate::request::{Namespaced, Request, Tool, ToolChoice, ToolKind};
use serde_json::value::RawValue;

const SEPARATOR: &str = "__";

pub fn decode(root: &Object<'_>, request: &mut Request) -> Result<(), DecodeError> {
    for (path, raw) in root.list("tools")? {
        let wire = Object::read(raw, path)?;
        if wire.text("type")?.as_deref() == Some("namespace") {
            namespace(&wire, request)?;
        } else {
            request.tools.push(tool(raw, &wire)?);
        }
    }
    if let Some(raw) = root.raw("tool_choice") {
        request.tool_choice = choice(raw)?;
    }
    request.parallel_tools = root.get("parallel_tool_calls")?;
    Ok(())
}

/// The one name of a tool in a namespace.
pub fn flat_name(namespace: &str, name: &str) -> String {
    let separator = if namespace.ends_with('_') { "" } else { SEPARATOR };
    format!("{namespace}{separator}{name}")
}

fn namespace(wire: &Object<'_>, request: &mut Request) -> Result<(), DecodeError> {
    let namespace = name(wire)?;
    for (path, raw) in wire.list("tools")? {
        let child = Object::read(raw, path)?;
        let mut tool = tool(raw, &child)?;
        if matches!(tool.kind, ToolKind::Hosted { .. }) {
            request.tools.push(tool);
            continue;
        }
        let flat = flat_name(&namespace, &tool.name);
        let own = Namespaced {
            namespace: namespace.clone(),
            name: std::mem::replace(&mut tool.name, flat.clone()),
        };
        request.namespaces.insert(flat, own);
        request.tools.push(tool);
    }
    Ok(())
}

fn tool(raw: &RawValue, wire: &Object<'_>) -> Result<Tool, DecodeError> {
    let kind = wire.text("type")?;
    let nested = match kind.as_deref() {
        // the shape of the vendor's other API
        None | Some("function") => wire.object("function")?,
        _ => None,
    };
    let wire = nested.as_ref().unwrap_or(wire);
    let plain = Tool {
        kind: ToolKind::Function,
        name: wire.text("name")?.unwrap_or_default(),
        description: wire.text("description")?,
        schema: None,
        strict: None,
        cache: None,
    };
    match kind.as_deref() {
        None | Some("function") => Ok(Tool {
            name: name(wire)?,
            schema: wire.raw("parameters").map(ToOwned::to_owned),
            strict: wire.get("strict")?,
            ..plain
        }),
        Some("custom") => Ok(Tool {
            kind: ToolKind::Custom {
                format: wire.get("format")?,
            },
            name: name(wire)?,
            ..plain
        }),
        Some(kind) => Ok(Tool {
            kind: ToolKind::Hosted {
                dialect: Dialect::OpenAiResponses,
                raw: value(raw, wire.path())?,
            },
            name: kind.to_owned(),
            description: None,
            ..plain
        }),
    }
}

fn name(wire: &Object<'_>) -> Result<String, DecodeError> {
    match wire.required_text("name")? {
        name if name.is_empty() => Err(wire.fault("name", "must not be empty")),
        name => Ok(name),
    }
}

fn choice(raw: &RawValue) -> Result<ToolChoice, DecodeError> {
    let path = "tool_choice";
    if raw.get().starts_with('"') {
        return match value::<String>(raw, path)?.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" => Ok(ToolChoice::Required),
            other => Err(fault(path, format!("unsupported value '{other}'"))),
        };
    }
    let wire = Object::read(raw, path)?;
    if wire.text("type")?.as_deref() == Some("allowed_tools") {
        return allowed(&wire);
    }
    named(&wire).map(ToolChoice::Named)
}

fn allowed(wire: &Object<'_>) -> Result<ToolChoice, DecodeError> {
    let required = match wire.text("mode")?.as_deref() {
        Some("required") => true,
        None | Some("auto") => false,
        Some(other) => return Err(wire.fault("mode", format!("unsupported value '{other}'"))),
    };
    let mut names = Vec::new();
    for (path, raw) in wire.list("tools")? {
        names.push(named(&Object::read(raw, path)?)?);
    }
    Ok(ToolChoice::Allowed { required, names })
}

/// A tool of the client by its name, one of the vendor by its type.
fn named(wire: &Object<'_>) -> Result<String, DecodeError> {
    let kind = wire.text("type")?;
    if !matches!(kind.as_deref(), None | Some("function" | "custom")) {
        return Ok(kind.unwrap_or_default());
    }
    let nested = wire.object("function")?;
    let name = nested.as_ref().unwrap_or(wire).required_text("name")?;
    Ok(match wire.text("namespace")? {
        Some(namespace) => flat_name(&namespace, &name),
        None => name,
    })
}

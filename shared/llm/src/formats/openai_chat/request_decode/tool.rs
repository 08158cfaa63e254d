//! `tools` and `tool_choice`, and `functions` and `function_call`, which they replaced. Whether they fit together is
//! checked for every dialect at once, in `normalise`.

use super::super::object::{Object, value};
use super::content::cache_mark;
use crate::dialect::Dialect;
use crate::error::DecodeError;
use crate::request::{Request, Tool, ToolChoice, ToolKind};
use serde_json::value::RawValue;

pub fn decode(root: &Object<'_>, request: &mut Request) -> Result<(), DecodeError> {
    for (path, raw) in root.list("tools")? {
        request.tools.push(tool(raw, path)?);
    }
    for (path, raw) in root.list("functions")? {
        request.tools.push(function(&Object::read(raw, path)?)?);
    }
    let field = if root.raw("tool_choice").is_some() {
        "tool_choice"
    } else {
        "function_call"
    };
    if let Some(raw) = root.raw(field) {
        request.tool_choice = choice(raw, field)?;
    }
    request.parallel_tools = root.get("parallel_tool_calls")?;
    Ok(())
}

fn tool(raw: &RawValue, path: String) -> Result<Tool, DecodeError> {
    let wire = Object::read(raw, path)?;
    let kind = wire.text("type")?;
    let tool = match kind.as_deref() {
        None | Some("function") => match wire.object("function")? {
            Some(nested) => function(&nested)?,
            // the flat shapes of the vendor's other API and of Anthropic's
            None => function(&wire)?,
        },
        Some("custom") => custom(&wire)?,
        Some(kind) => Tool {
            kind: ToolKind::Hosted {
                dialect: Dialect::OpenAiChat,
                raw: value(raw, wire.path())?,
            },
            name: wire.text("name")?.unwrap_or_else(|| kind.to_owned()),
            description: None,
            schema: None,
            strict: None,
            cache: None,
        },
    };
    Ok(Tool {
        cache: cache_mark(&wire)?,
        ..tool
    })
}

fn function(wire: &Object<'_>) -> Result<Tool, DecodeError> {
    let schema = wire.raw("parameters").or_else(|| wire.raw("input_schema"));
    Ok(Tool {
        kind: ToolKind::Function,
        name: name(wire)?,
        description: wire.text("description")?,
        schema: schema.map(ToOwned::to_owned),
        strict: wire.get("strict")?,
        cache: None,
    })
}

fn custom(wire: &Object<'_>) -> Result<Tool, DecodeError> {
    let nested = wire.object("custom")?;
    let custom = nested.as_ref().unwrap_or(wire);
    Ok(Tool {
        kind: ToolKind::Custom {
            format: custom.get("format")?,
        },
        name: name(custom)?,
        description: custom.text("description")?,
        schema: None,
        strict: None,
        cache: None,
    })
}

fn name(wire: &Object<'_>) -> Result<String, DecodeError> {
    match wire.required_text("name")? {
        name if name.is_empty() => Err(wire.fault("name", "must not be empty")),
        name => Ok(name),
    }
}

fn choice(raw: &RawValue, path: &str) -> Result<ToolChoice, DecodeError> {
    let unsupported =
        |path: &str, said: &str| DecodeError::at(path, format!("{path}: unsupported value '{said}'"));
    if raw.get().starts_with('"') {
        let word: String = value(raw, path)?;
        return match word.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            // `any` is what the same choice is called in several other APIs
            "required" | "any" => Ok(ToolChoice::Required),
            other => Err(unsupported(path, other)),
        };
    }
    let wire = Object::read(raw, path)?;
    match wire.text("type")?.as_deref() {
        // `function_call` is just the name
        None | Some("function" | "custom" | "tool") => {
            let nested = wire.object("function")?.or(wire.object("custom")?);
            nested
                .as_ref()
                .unwrap_or(&wire)
                .required_text("name")
                .map(ToolChoice::Named)
        }
        Some("allowed_tools") => allowed(&wire),
        Some("auto") => Ok(ToolChoice::Auto),
        Some("none") => Ok(ToolChoice::None),
        Some("required" | "any") => Ok(ToolChoice::Required),
        // forces a tool the provider runs
        Some(hosted) => Ok(ToolChoice::Named(hosted.to_owned())),
    }
}

fn allowed(wire: &Object<'_>) -> Result<ToolChoice, DecodeError> {
    let nested = wire.object("allowed_tools")?;
    let allowed = nested.as_ref().unwrap_or(wire);
    let required = match allowed.text("mode")?.as_deref() {
        Some("required") => true,
        None | Some("auto") => false,
        Some(other) => return Err(allowed.fault("mode", format!("unsupported value '{other}'"))),
    };
    let mut names = Vec::new();
    for (path, raw) in allowed.list("tools")? {
        let tool = Object::read(raw, path)?;
        let nested = tool.object("function")?.or(tool.object("custom")?);
        names.push(nested.as_ref().unwrap_or(&tool).required_text("name")?);
    }
    Ok(ToolChoice::Allowed { required, names })
}

//! `tools` and `toolConfig`.

use super::super::object::{Object, fault, is_same};
use super::super::schema;
use super::content::value;
use crate::dialect::Dialect;
use crate::error::DecodeError;
use crate::request::{Request, Tool, ToolChoice, ToolKind};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

/// The name under which every dialect knows the one hosted tool they share.
const WEB_SEARCH: &str = "web_search";

pub fn decode(root: &Object<'_>, request: &mut Request) -> Result<(), DecodeError> {
    for (path, raw) in root.list("tools")? {
        let wire = Object::read(raw, path)?;
        for (path, raw) in wire.list("functionDeclarations")? {
            request.tools.push(function(&Object::read(raw, path)?)?);
        }
        let hosted: Vec<String> = wire.names().map(str::to_owned).collect();
        for name in hosted
            .iter()
            .filter(|name| !is_same(name, "functionDeclarations"))
        {
            request
                .tools
                .extend(wire.raw(name).map(|raw| hosted_tool(name, raw)));
        }
    }
    let config = root.object("toolConfig")?;
    let config = config
        .map(|config| config.object("functionCallingConfig"))
        .transpose()?;
    if let Some(config) = config.flatten() {
        request.tool_choice = choice(&config)?;
    }
    // without tools the choice says nothing, and other APIs refuse it
    if request.tools.is_empty() {
        request.tool_choice = ToolChoice::Unset;
    }
    Ok(())
}

fn function(wire: &Object<'_>) -> Result<Tool, DecodeError> {
    Ok(Tool {
        kind: ToolKind::Function,
        name: wire.required_text("name")?,
        description: wire.text("description")?,
        schema: schema(wire),
        strict: None,
        cache: None,
    })
}

/// `parameters` writes types in capitals, `parametersJsonSchema` is JSON Schema already.
fn schema(wire: &Object<'_>) -> Option<Box<RawValue>> {
    if let Some(raw) = wire.raw("parametersJsonSchema") {
        return Some(raw.to_owned());
    }
    let mut schema = value(wire.raw("parameters")?);
    schema::with_lower_case_types(&mut schema);
    to_raw_value(&schema).ok()
}

fn hosted_tool(name: &str, raw: &RawValue) -> Tool {
    let searches = is_same(name, "googleSearch") || is_same(name, "googleSearchRetrieval");
    Tool {
        kind: ToolKind::Hosted {
            dialect: Dialect::Gemini,
            raw: json!({ name: value(raw) }),
        },
        name: if searches { WEB_SEARCH } else { name }.to_owned(),
        description: None,
        schema: None,
        strict: None,
        cache: None,
    }
}

fn choice(config: &Object<'_>) -> Result<ToolChoice, DecodeError> {
    let mut names: Vec<String> = config.get("allowedFunctionNames")?.unwrap_or_default();
    let mode = config.text("mode")?.unwrap_or_default().to_ascii_uppercase();
    Ok(match mode.as_str() {
        "" | "MODE_UNSPECIFIED" => ToolChoice::Unset,
        "AUTO" | "VALIDATED" if names.is_empty() => ToolChoice::Auto,
        "AUTO" | "VALIDATED" => ToolChoice::Allowed {
            required: false,
            names,
        },
        "NONE" => ToolChoice::None,
        "ANY" => match names.len() {
            0 => ToolChoice::Required,
            1 => ToolChoice::Named(names.remove(0)),
            _ => ToolChoice::Allowed {
                required: true,
                names,
            },
        },
        other => return Err(fault(&config.at("mode"), format!("unsupported mode '{other}'"))),
    })
}

//! `tools` and `toolConfig`.

use super::super::schema::{self, Language};
use super::language;
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{Request, Tool, ToolChoice, ToolKind};
use crate::translate::Target;
use serde_json::{Map, Value, json};

/// One entry holds all functions; every hosted tool is one of its own.
pub fn encode(request: &Request, target: &Target, notes: &mut Notes) -> Result<Vec<Value>, EncodeError> {
    let offered = |tool: &&Tool| match &request.tool_choice {
        ToolChoice::Allowed {
            required: false,
            names,
        } => names.contains(&tool.name),
        _ => true,
    };
    let (mut functions, mut hosted) = (Vec::new(), Vec::new());
    for (index, tool) in request.tools.iter().filter(offered).enumerate() {
        match &tool.kind {
            ToolKind::Function | ToolKind::Custom { .. } => functions.push(function(tool, index, target)?),
            ToolKind::Hosted { dialect, raw } => {
                hosted.extend(hosted_tool(tool, *dialect, raw, request, notes)?);
            }
        }
    }
    if !functions.is_empty() && !hosted.is_empty() && !target.caps.hosted_with_functions {
        notes.loss("tools", "the model does not combine its own tools with functions");
        hosted.clear();
    }
    let mut tools = Vec::with_capacity(hosted.len() + 1);
    if !functions.is_empty() {
        tools.push(json!({ "functionDeclarations": functions }));
    }
    tools.extend(hosted);
    Ok(tools)
}

pub fn config(request: &Request, notes: &mut Notes) -> Option<Value> {
    if request.parallel_tools == Some(false) {
        notes.loss(
            "parallel_tool_calls",
            "the upstream's API cannot forbid parallel calls",
        );
    }
    let calling = match &request.tool_choice {
        ToolChoice::Unset => return None,
        ToolChoice::Auto | ToolChoice::Allowed { required: false, .. } => json!({"mode": "AUTO"}),
        ToolChoice::None => json!({"mode": "NONE"}),
        ToolChoice::Required => json!({"mode": "ANY"}),
        ToolChoice::Named(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
        ToolChoice::Allowed {
            required: true,
            names,
        } => json!({"mode": "ANY", "allowedFunctionNames": names}),
    };
    Some(json!({ "functionCallingConfig": calling }))
}

// === functions ===

fn function(tool: &Tool, index: usize, target: &Target) -> Result<Value, EncodeError> {
    let language = language(&target.caps);
    let mut declaration = Map::new();
    declaration.insert("name".to_owned(), tool.name.as_str().into());
    if let Some(description) = &tool.description {
        declaration.insert("description".to_owned(), description.as_str().into());
    }
    let schema = schema::arguments(tool.schema.as_deref(), language).map_err(|_| {
        let message = format!("tool '{}': schema too large", tool.name);
        EncodeError::unsupported(format!("tools[{index}]"), message)
    })?;
    if let Some(schema) = schema {
        let key = match language {
            Language::JsonSchema => "parametersJsonSchema",
            Language::OpenApiSubset => "parameters",
        };
        declaration.insert(key.to_owned(), schema);
    }
    Ok(Value::Object(declaration))
}

/// Of the tools that another vendor runs, only web search has an equivalent here.
fn hosted_tool(
    tool: &Tool,
    dialect: Dialect,
    raw: &Value,
    request: &Request,
    notes: &mut Notes,
) -> Result<Option<Value>, EncodeError> {
    if dialect == Dialect::Gemini {
        return Ok(Some(raw.clone()));
    }
    let kind = raw.get("type").and_then(Value::as_str).unwrap_or(&tool.name);
    if kind.starts_with("web_search") {
        return Ok(Some(json!({"googleSearch": {}})));
    }
    let message = format!("tool type '{kind}' is not supported by the selected model");
    let forced =
        matches!(&request.tool_choice, ToolChoice::Named(name) if *name == tool.name || name == kind);
    if forced || request.tools.len() == 1 {
        return Err(EncodeError::unsupported("tools", message));
    }
    notes.loss("tools", message);
    Ok(None)
}

//! What is refused because doing without it would change what the client gets.

use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::request::{File, MediaSource, Part, PartKind, Request, Tool, ToolChoice, ToolKind};
use crate::translate::Target;
use serde_json::Value;
use std::collections::HashSet;

pub fn check(request: &Request, target: &Target) -> Result<(), EncodeError> {
    state(request, target)?;
    cached_content(request, target)?;
    if request.messages.is_empty() && request.system.is_empty() {
        return Err(EncodeError::unsupported(
            "messages",
            "messages must contain at least one item",
        ));
    }
    if request.sampling.n.is_some_and(|n| n > target.caps.max_choices) {
        let message = format!("n>1 is not supported by model '{}'", request.model);
        return Err(EncodeError::unsupported("n", message));
    }
    tools(&request.tools)?;
    tool_choice(request)?;
    for (index, message) in request.messages.iter().enumerate() {
        for part in &message.parts {
            media(part, index, request, target)?;
        }
    }
    Ok(())
}

fn tools(tools: &[Tool]) -> Result<(), EncodeError> {
    let mut seen = HashSet::new();
    for tool in tools
        .iter()
        .filter(|tool| !matches!(tool.kind, ToolKind::Hosted { .. }))
    {
        if !seen.insert(tool.name.as_str()) {
            let message = format!("tools: duplicate tool name '{}'", tool.name);
            return Err(EncodeError::unsupported("tools", message));
        }
    }
    Ok(())
}

/// What OpenAI keeps between requests: no other API can go on from it.
fn state(request: &Request, target: &Target) -> Result<(), EncodeError> {
    if target.dialect == Dialect::OpenAiResponses {
        return Ok(());
    }
    let fields = request.extensions.get(&Dialect::OpenAiResponses);
    let given = |name: &str| fields.is_some_and(|fields| fields.contains_key(name));
    for name in ["previous_response_id", "conversation"] {
        if given(name) {
            return Err(stateless(name, request));
        }
    }
    if fields.is_some_and(|fields| fields.get("background") == Some(&Value::Bool(true))) {
        let message = "background mode is not supported";
        return Err(EncodeError::unsupported("background", message));
    }
    if given("prompt") {
        let message = "prompt templates are not supported";
        return Err(EncodeError::unsupported("prompt", message));
    }
    let is_reference = |part: &Part| {
        matches!(&part.kind, PartKind::Native { dialect: Dialect::OpenAiResponses, raw }
            if raw["type"] == "item_reference")
    };
    match request
        .messages
        .iter()
        .any(|message| message.parts.iter().any(is_reference))
    {
        true => Err(stateless("item_reference", request)),
        false => Ok(()),
    }
}

/// What Google keeps between requests: the conversation begins in it, so nobody else can go on.
fn cached_content(request: &Request, target: &Target) -> Result<(), EncodeError> {
    let fields = request.extensions.get(&Dialect::Gemini);
    let given = ["cachedContent", "cached_content"]
        .into_iter()
        .any(|name| fields.is_some_and(|fields| fields.contains_key(name)));
    if !given || target.dialect == Dialect::Gemini {
        return Ok(());
    }
    let message = "cachedContent is only valid for Gemini models";
    Err(EncodeError::unsupported("cachedContent", message))
}

fn stateless(field: &str, request: &Request) -> EncodeError {
    let model = &request.model;
    let message = format!("{field} is not supported for model '{model}'; send the full input");
    EncodeError::unsupported(field, message)
}

fn tool_choice(request: &Request) -> Result<(), EncodeError> {
    let names: &[String] = match &request.tool_choice {
        ToolChoice::Required => &[],
        ToolChoice::Named(name) => std::slice::from_ref(name),
        ToolChoice::Allowed { names, .. } => names,
        ToolChoice::Unset | ToolChoice::Auto | ToolChoice::None => return Ok(()),
    };
    if request.tools.is_empty() {
        let message = "tool_choice requires a non-empty tools array";
        return Err(EncodeError::unsupported("tool_choice", message));
    }
    match names
        .iter()
        .find(|name| request.tools.iter().all(|tool| tool.name != **name))
    {
        Some(name) => Err(EncodeError::unsupported(
            "tool_choice",
            format!("tool_choice references unknown tool '{name}'"),
        )),
        None => Ok(()),
    }
}

fn media(part: &Part, index: usize, request: &Request, target: &Target) -> Result<(), EncodeError> {
    let refuse = |kind: &str| {
        let message = format!("model '{}' does not accept {kind} input", request.model);
        Err(EncodeError::unsupported(
            format!("messages[{index}].content"),
            message,
        ))
    };
    let source = match &part.kind {
        PartKind::Image { .. } if !target.caps.images => return refuse("image"),
        PartKind::Audio { .. } if !target.caps.audio_input => return refuse("audio"),
        PartKind::File(file) if !target.caps.pdf && is_pdf(file) => return refuse("PDF"),
        PartKind::File(file) if !target.caps.video && is_video(file) => return refuse("video"),
        PartKind::Image { source, .. } | PartKind::File(File { source, .. }) => source,
        PartKind::ToolResult(result) => {
            // one level: a tool result cannot contain another
            let inner = |part: &Part| !matches!(part.kind, PartKind::ToolResult(_));
            return result
                .parts
                .iter()
                .filter(|part| inner(part))
                .try_for_each(|part| media(part, index, request, target));
        }
        _ => return Ok(()),
    };
    match source {
        MediaSource::FileId { issuer, .. } if *issuer != target.dialect => Err(EncodeError::unsupported(
            format!("messages[{index}].content"),
            "file references are provider-scoped; send file_data instead",
        )),
        _ => Ok(()),
    }
}

fn is_video(file: &File) -> bool {
    file.mime
        .as_deref()
        .is_some_and(|mime| mime.starts_with("video/"))
}

fn is_pdf(file: &File) -> bool {
    file.mime.as_deref() == Some("application/pdf")
}

//! Everything that is neither conversation nor tools.

use super::super::super::openai_chat::object::Object;
use crate::error::DecodeError;
use crate::request::{JsonSchema, Output, Reasoning, ReasoningMode, Request, Sampling};

const LOGPROBS: &str = "message.output_text.logprobs";

pub fn decode(root: &Object<'_>, request: &mut Request) -> Result<(), DecodeError> {
    request.stream = root.get("stream")?.unwrap_or(false);
    if let Some(text) = root.object("text")? {
        request.output = output(&text)?;
        request.verbosity = text.text("verbosity")?;
    }
    request.sampling = Sampling {
        temperature: root.get("temperature")?,
        top_p: root.get("top_p")?,
        ..Sampling::default()
    };
    request.max_output = match root.count("max_output_tokens")? {
        Some(0) => return Err(root.fault("max_output_tokens", "must be greater than 0")),
        tokens => tokens,
    };
    request.logprobs = logprobs(root)?;
    request.reasoning = reasoning(root)?;
    request.prompt_cache_key = root.text("prompt_cache_key")?;
    request.user = match root.text("user")? {
        Some(user) => Some(user),
        // its successor
        None => root.text("safety_identifier")?,
    };
    request.metadata = root.get("metadata")?.unwrap_or_default();
    request.service_tier = root.text("service_tier")?;
    request.store = root.get("store")?;
    Ok(())
}

fn output(text: &Object<'_>) -> Result<Output, DecodeError> {
    let Some(format) = text.object("format")? else {
        return Ok(Output::Text);
    };
    match format.text("type")?.as_deref() {
        None | Some("text") => Ok(Output::Text),
        Some("json_object") => Ok(Output::JsonObject),
        Some("json_schema") => Ok(Output::JsonSchema(JsonSchema {
            name: format.text("name")?,
            description: format.text("description")?,
            schema: format
                .raw("schema")
                .ok_or_else(|| format.fault("schema", "is required"))?
                .to_owned(),
            strict: format.get("strict")?,
        })),
        Some(other) => Err(format.fault("type", format!("unsupported value '{other}'"))),
    }
}

fn logprobs(root: &Object<'_>) -> Result<Option<u8>, DecodeError> {
    let include: Vec<String> = root.get("include")?.unwrap_or_default();
    let asked = include.iter().any(|name| name == LOGPROBS).then_some(0);
    let top = root.count("top_logprobs")?.filter(|top| *top > 0).or(asked);
    top.map(|top| u8::try_from(top).map_err(|_| root.fault("top_logprobs", "must not be greater than 20")))
        .transpose()
}

fn reasoning(root: &Object<'_>) -> Result<Reasoning, DecodeError> {
    let Some(wire) = root.object("reasoning")? else {
        return Ok(Reasoning::default());
    };
    let effort = wire.text("effort")?;
    let mode = match effort.as_deref() {
        Some("none") => ReasoningMode::Off,
        _ => ReasoningMode::Unset,
    };
    Ok(Reasoning {
        mode,
        effort,
        budget: None,
    })
}

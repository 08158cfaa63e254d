//! Everything about a request that is neither conversation nor tools.

use super::super::object::{Object, value};
use crate::error::DecodeError;
use crate::request::{JsonSchema, Output, Reasoning, ReasoningMode, Request, Sampling};

pub fn decode(root: &Object<'_>, request: &mut Request) -> Result<(), DecodeError> {
    request.stream = root.get("stream")?.unwrap_or(false);
    if let Some(options) = root.object("stream_options")? {
        request.include_usage = options.get("include_usage")?.unwrap_or(false);
    }
    request.output = output(root)?;
    request.verbosity = root.text("verbosity")?;
    request.sampling = sampling(root)?;
    request.stop = stop(root)?;
    request.max_output = max_output(root)?;
    request.logprobs = logprobs(root)?;
    request.reasoning = reasoning(root)?;
    request.prompt_cache_key = root.text("prompt_cache_key")?;
    request.user = root.text("user")?;
    request.metadata = root.get("metadata")?.unwrap_or_default();
    request.service_tier = root.text("service_tier")?;
    request.store = root.get("store")?;
    let modalities: Vec<String> = root.get("modalities")?.unwrap_or_default();
    request.modalities = modalities
        .into_iter()
        .filter(|modality| modality != "text")
        .collect();
    Ok(())
}

fn output(root: &Object<'_>) -> Result<Output, DecodeError> {
    let Some(format) = root.object("response_format")? else {
        return Ok(Output::Text);
    };
    match format.text("type")?.as_deref() {
        None | Some("text") => Ok(Output::Text),
        Some("json_object") => Ok(Output::JsonObject),
        Some("json_schema") => json_schema(&format).map(Output::JsonSchema),
        Some(other) => Err(format.fault("type", format!("unsupported value '{other}'"))),
    }
}

fn json_schema(format: &Object<'_>) -> Result<JsonSchema, DecodeError> {
    let missing = || {
        DecodeError::at(
            "response_format",
            "response_format.json_schema.schema is required",
        )
    };
    let wire = format.object("json_schema")?.ok_or_else(missing)?;
    Ok(JsonSchema {
        name: wire.text("name")?,
        description: wire.text("description")?,
        schema: wire.raw("schema").ok_or_else(missing)?.to_owned(),
        strict: wire.get("strict")?,
    })
}

fn sampling(root: &Object<'_>) -> Result<Sampling, DecodeError> {
    let n = match root.count("n")? {
        Some(0) => return Err(root.fault("n", "must be greater than 0")),
        // no server offers more than a few, so the bound only has to be one that can be compared
        n => n.map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
    };
    Ok(Sampling {
        temperature: root.get("temperature")?,
        top_p: root.get("top_p")?,
        top_k: root.count("top_k")?,
        frequency_penalty: root.get("frequency_penalty")?,
        presence_penalty: root.get("presence_penalty")?,
        seed: root.get("seed")?,
        logit_bias: root.get("logit_bias")?,
        n,
    })
}

fn stop(root: &Object<'_>) -> Result<Vec<String>, DecodeError> {
    match root.raw("stop") {
        None => Ok(Vec::new()),
        Some(raw) if raw.get().starts_with('"') => Ok(vec![value(raw, "stop")?]),
        Some(raw) => value(raw, "stop"),
    }
}

/// The newer name counts when both are given.
fn max_output(root: &Object<'_>) -> Result<Option<u64>, DecodeError> {
    for name in ["max_completion_tokens", "max_tokens"] {
        match root.count(name)? {
            Some(0) => return Err(root.fault(name, "must be greater than 0")),
            Some(tokens) => return Ok(Some(tokens)),
            None => {}
        }
    }
    Ok(None)
}

fn logprobs(root: &Object<'_>) -> Result<Option<u8>, DecodeError> {
    let wanted = root.get("logprobs")?.unwrap_or(false);
    let top = root.count("top_logprobs")?.unwrap_or(0);
    let top = u8::try_from(top).map_err(|_| root.fault("top_logprobs", "must not be greater than 20"))?;
    Ok(wanted.then_some(top))
}

/// The vendor's `reasoning_effort`, OpenRouter's `reasoning` and Anthropic's `thinking`, in this order. The vendor
/// has no word for wanting to see the thoughts, so whoever speaks of them does, unless OpenRouter's says otherwise.
fn reasoning(root: &Object<'_>) -> Result<Reasoning, DecodeError> {
    let mut reasoning = Reasoning {
        effort: root.text("reasoning_effort")?,
        ..Reasoning::default()
    };
    let mut hidden = false;
    if let Some(wire) = root.object("reasoning")? {
        if reasoning.effort.is_none() {
            reasoning.effort = wire.text("effort")?;
        }
        reasoning.budget = wire.count("max_tokens")?;
        reasoning.mode = match wire.get("enabled")? {
            Some(true) => ReasoningMode::On,
            Some(false) => ReasoningMode::Off,
            None => ReasoningMode::Unset,
        };
        hidden = wire.get("exclude")?.unwrap_or(false);
    }
    if let Some(wire) = root.object("thinking")? {
        reasoning.budget = reasoning.budget.or(wire.count("budget_tokens")?);
        reasoning.mode = match wire.text("type")?.as_deref() {
            Some("enabled") => ReasoningMode::On,
            Some("disabled") => ReasoningMode::Off,
            Some("adaptive") => ReasoningMode::Adaptive,
            _ => reasoning.mode,
        };
    }
    if reasoning.effort.as_deref() == Some("none") {
        reasoning.mode = ReasoningMode::Off;
    }
    if reasoning.effort.is_some() && reasoning.mode == ReasoningMode::Unset && !hidden {
        reasoning.mode = ReasoningMode::On;
    }
    Ok(reasoning)
}

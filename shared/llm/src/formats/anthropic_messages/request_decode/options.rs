//! Everything about a request that is neither conversation nor tools.

use super::super::json::{Fields, read, tag};
use crate::error::DecodeError;
use crate::request::{JsonSchema, Output, Reasoning, ReasoningMode, Request};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct WireThinking {
    budget_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct WireOutput<'a> {
    effort: Option<String>,
    #[serde(borrow)]
    format: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireFormat {
    schema: Option<Box<RawValue>>,
}

pub fn decode(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), DecodeError> {
    request.max_output = Some(max_tokens(fields)?);
    request.sampling.temperature = fields.take("temperature")?;
    request.sampling.top_p = fields.take("top_p")?;
    request.sampling.top_k = fields.take("top_k")?;
    request.stop = fields.take("stop_sequences")?.unwrap_or_default();
    request.service_tier = fields.take::<String>("service_tier")?.map(service_tier);
    if let Some(mut metadata) = fields.take::<Map<String, Value>>("metadata")? {
        request.user = metadata
            .shift_remove("user_id")
            .and_then(|id| id.as_str().map(str::to_owned));
        request.metadata = metadata;
    }
    if let Some(raw) = fields.take_raw("thinking") {
        request.reasoning = thinking(raw)?;
    }
    if let Some(raw) = fields.take_raw("output_config") {
        output_config(raw, request)?;
    }
    // the name of `output_config.format` while it was in beta
    if let Some(raw) = fields.take_raw("output_format") {
        request.output = format(raw, "output_format")?;
    }
    Ok(())
}

/// Zero warms the vendor's prompt cache without generating; no other dialect can say that.
fn max_tokens(fields: &mut Fields<'_>) -> Result<u64, DecodeError> {
    match fields.take::<u64>("max_tokens")? {
        None => Err(DecodeError::at("max_tokens", "max_tokens: Field required")),
        Some(0) => Err(DecodeError::at(
            "max_tokens",
            "max_tokens: must be greater than 0 for this model",
        )),
        Some(n) => Ok(n),
    }
}

/// The neutral names are OpenAI's, which knows more tiers.
fn service_tier(tier: String) -> String {
    match tier.as_str() {
        "standard_only" => "default".to_owned(),
        _ => tier,
    }
}

fn thinking(raw: &RawValue) -> Result<Reasoning, DecodeError> {
    let kind = tag(raw).map_err(|_| DecodeError::at("thinking", "thinking: expected an object"))?;
    let mode = match kind.as_ref() {
        "enabled" | "between_tools" => ReasoningMode::On,
        "disabled" => ReasoningMode::Off,
        "adaptive" => ReasoningMode::Adaptive,
        other => {
            return Err(DecodeError::at(
                "thinking.type",
                format!("thinking.type: unsupported value '{other}'"),
            ));
        }
    };
    let wire: WireThinking = read(raw, "thinking")?;
    Ok(Reasoning {
        mode,
        effort: None,
        budget: wire.budget_tokens,
    })
}

fn output_config(raw: &RawValue, request: &mut Request) -> Result<(), DecodeError> {
    let wire: WireOutput<'_> = read(raw, "output_config")?;
    if wire.effort.is_some() {
        request.reasoning.effort = wire.effort;
    }
    if let Some(raw) = wire.format {
        request.output = format(raw, "output_config.format")?;
    }
    Ok(())
}

fn format(raw: &RawValue, path: &str) -> Result<Output, DecodeError> {
    let kind = tag(raw).map_err(|_| DecodeError::at(path, format!("{path}: expected an object")))?;
    if kind != "json_schema" {
        return Err(DecodeError::at(
            path,
            format!("{path}.type: unsupported value '{kind}'"),
        ));
    }
    let wire: WireFormat = read(raw, path)?;
    let Some(schema) = wire.schema else {
        return Err(DecodeError::at(path, format!("{path}.schema: Field required")));
    };
    Ok(Output::JsonSchema(JsonSchema {
        name: None,
        description: None,
        schema,
        strict: None,
    }))
}

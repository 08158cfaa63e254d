//! `generationConfig`.

use super::super::object::{Object, fault};
use super::super::schema;
use super::content::value;
use crate::error::DecodeError;
use crate::request::{JsonSchema, Output, Reasoning, ReasoningMode, Request};
use serde_json::value::{RawValue, to_raw_value};

pub fn decode(config: &Object<'_>, request: &mut Request) -> Result<(), DecodeError> {
    let sampling = &mut request.sampling;
    sampling.temperature = config.number("temperature")?;
    sampling.top_p = config.number("topP")?;
    sampling.top_k = config.count("topK")?;
    sampling.seed = config.integer("seed")?;
    sampling.presence_penalty = config.number("presencePenalty")?;
    sampling.frequency_penalty = config.number("frequencyPenalty")?;
    sampling.n = config
        .count("candidateCount")?
        .map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    request.stop = config.get("stopSequences")?.unwrap_or_default();
    request.max_output = config.count("maxOutputTokens")?;
    if request.max_output == Some(0) {
        return Err(fault(&config.at("maxOutputTokens"), "must be positive"));
    }
    if config.get::<bool>("responseLogprobs")? == Some(true) {
        let top = config.count("logprobs")?.unwrap_or(0);
        request.logprobs = Some(u8::try_from(top).unwrap_or(u8::MAX));
    }
    request.output = output(config)?;
    if let Some(thinking) = config.object("thinkingConfig")? {
        request.reasoning = reasoning(&thinking)?;
    }
    let modalities: Vec<String> = config.get("responseModalities")?.unwrap_or_default();
    let modalities = modalities.iter().map(|modality| modality.to_ascii_lowercase());
    request.modalities = modalities.filter(|modality| modality != "text").collect();
    Ok(())
}

fn output(config: &Object<'_>) -> Result<Output, DecodeError> {
    let schema = match (config.raw("responseJsonSchema"), config.raw("responseSchema")) {
        (Some(raw), _) => Some(raw.to_owned()),
        (None, Some(raw)) => json_schema(raw),
        (None, None) => None,
    };
    let mime = config.text("responseMimeType")?.unwrap_or_default();
    Ok(match (schema, mime.as_str()) {
        (Some(schema), _) => Output::JsonSchema(JsonSchema {
            name: None,
            description: None,
            schema,
            strict: None,
        }),
        (None, "application/json") => Output::JsonObject,
        (None, _) => Output::Text,
    })
}

fn json_schema(raw: &RawValue) -> Option<Box<RawValue>> {
    let mut schema = value(raw);
    schema::with_lower_case_types(&mut schema);
    to_raw_value(&schema).ok()
}

/// Thoughts are shown only to clients that ask for them, which is what `mode` says here; how much the model thinks
/// is another question. A budget of 0 is off and -1 the model's own choice, as when nothing is said.
fn reasoning(config: &Object<'_>) -> Result<Reasoning, DecodeError> {
    let budget = config.integer("thinkingBudget")?;
    let level = config
        .text("thinkingLevel")?
        .map(|level| level.to_ascii_lowercase());
    let effort = level.filter(|level| !level.is_empty() && level != "thinking_level_unspecified");
    let shown = config.get::<bool>("includeThoughts")? == Some(true);
    let mode = match (budget, shown) {
        (Some(0), _) => ReasoningMode::Off,
        (_, true) => ReasoningMode::On,
        (_, false) => ReasoningMode::Unset,
    };
    Ok(Reasoning {
        mode,
        effort,
        budget: budget
            .and_then(|budget| u64::try_from(budget).ok())
            .filter(|budget| *budget > 0),
    })
}

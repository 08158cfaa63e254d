//! `generationConfig`.

use super::super::schema::{self, Language};
use super::{language, thinking};
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{Output, Request};
use crate::translate::Target;
use serde_json::{Map, Value};

/// The documented ranges.
const MAX_TEMPERATURE: f64 = 2.0;
const MAX_LOGPROBS: u8 = 20;

/// The configuration, and an instruction where the model has no structured output.
pub fn encode(
    request: &Request,
    target: &Target,
    notes: &mut Notes,
) -> Result<(Map<String, Value>, Option<String>), EncodeError> {
    let caps = &target.caps;
    let mut config = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            config.insert(name.to_owned(), value);
        }
    };
    let max_output = request.max_output.map(|wanted| match caps.max_output {
        Some(limit) if wanted > limit => {
            notes.loss(
                "max_tokens",
                format!("lowered from {wanted} to the model's limit {limit}"),
            );
            limit
        }
        _ => wanted,
    });
    set("maxOutputTokens", max_output.map(Value::from));
    let sampling = &request.sampling;
    let temperature = sampling.temperature.map(|asked| {
        let temperature = asked.clamp(0.0, MAX_TEMPERATURE);
        if temperature != asked {
            notes.loss("temperature", format!("{asked} is outside 0 to 2"));
        }
        temperature
    });
    set("temperature", temperature.map(Value::from));
    set("topP", sampling.top_p.map(Value::from));
    set("topK", sampling.top_k.map(Value::from));
    set("presencePenalty", sampling.presence_penalty.map(Value::from));
    set("frequencyPenalty", sampling.frequency_penalty.map(Value::from));
    let seed = sampling.seed.and_then(|seed| i32::try_from(seed).ok());
    if seed.is_none() && sampling.seed.is_some() {
        notes.loss("seed", "the upstream takes only 32 bits");
    }
    set("seed", seed.map(Value::from));
    set("candidateCount", sampling.n.filter(|n| *n > 1).map(Value::from));
    set("stopSequences", stop(request, caps.max_stop, notes));
    if let Some(top) = request.logprobs {
        set("responseLogprobs", Some(true.into()));
        set("logprobs", (top > 0).then(|| top.min(MAX_LOGPROBS).into()));
    }
    set(
        "thinkingConfig",
        thinking::plan(&request.reasoning, caps, max_output, notes),
    );
    set("responseModalities", modalities(request));
    let instruction = output(request, target, &mut config, notes)?;
    Ok((config, instruction))
}

// === functions ===

fn stop(request: &Request, limit: Option<usize>, notes: &mut Notes) -> Option<Value> {
    let mut kept: Vec<&str> = Vec::with_capacity(request.stop.len());
    for sequence in request.stop.iter().filter(|sequence| !sequence.is_empty()) {
        if !kept.contains(&sequence.as_str()) {
            kept.push(sequence);
        }
    }
    if let Some(limit) = limit.filter(|limit| kept.len() > *limit) {
        notes.loss("stop", format!("only the first {limit} stop sequences were sent"));
        kept.truncate(limit);
    }
    (!kept.is_empty()).then(|| kept.into())
}

fn modalities(request: &Request) -> Option<Value> {
    let wanted = request.modalities.iter().filter(|modality| *modality != "text");
    let named: Vec<String> = wanted.map(|modality| modality.to_ascii_uppercase()).collect();
    if named.is_empty() {
        return None;
    }
    let all: Vec<String> = std::iter::once("TEXT".to_owned()).chain(named).collect();
    Some(all.into())
}

fn output(
    request: &Request,
    target: &Target,
    config: &mut Map<String, Value>,
    notes: &mut Notes,
) -> Result<Option<String>, EncodeError> {
    let schema = match &request.output {
        Output::Text => return Ok(None),
        Output::JsonObject => None,
        Output::JsonSchema(spec) => Some(&spec.schema),
    };
    if !request.tools.is_empty() && !target.caps.schema_with_tools {
        notes.loss(
            "response_format",
            "asked for by an instruction: the model does not combine it with tools",
        );
        let wish = "Answer with one JSON value only, without markdown or any other text.";
        return Ok(Some(match schema {
            None => wish.to_owned(),
            Some(schema) => format!("{wish} It must match this JSON Schema:\n{}", schema.get()),
        }));
    }
    config.insert("responseMimeType".to_owned(), "application/json".into());
    let Some(schema) = schema else {
        return Ok(None);
    };
    let language = language(&target.caps);
    let schema = schema::answer(schema, language)
        .map_err(|_| EncodeError::unsupported("response_format", "response_format: schema too large"))?;
    let key = match language {
        Language::JsonSchema => "responseJsonSchema",
        Language::OpenApiSubset => "responseSchema",
    };
    config.insert(key.to_owned(), schema);
    Ok(None)
}

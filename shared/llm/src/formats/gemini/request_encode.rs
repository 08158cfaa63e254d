//! The neutral request to a Gemini upstream.
//!
//! The model and the wish for a stream are in the address. Turns alternate; results of one model turn are one
//! content of their own, in the order of the calls. Everything is a function of the request alone, so that a
//! conversation resent with one more turn starts with the same bytes and the vendor's implicit cache hits.

mod content;
mod generation;
mod media;
mod result;
mod thinking;
mod tool;
mod turn;

use super::chunk::{Content, Part};
use super::schema::Language;
use crate::caps::ModelCaps;
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{self, PartKind, Request};
use crate::translate::Target;
use serde::Serialize;
use serde_json::{Map, Value};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content<'a>>,
    contents: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    generation_config: Map<String, Value>,
    #[serde(flatten)]
    extensions: Option<&'a Map<String, Value>>,
}

pub fn encode(request: &Request, target: &Target, notes: &mut Notes) -> Result<Vec<u8>, EncodeError> {
    if request.modalities.iter().any(|modality| modality == "audio") {
        let message = format!("audio output is not supported by model '{}'", target.model);
        return Err(EncodeError::unsupported("modalities", message));
    }
    let mut system = system(&request.system);
    let contents = turn::encode(request, target, notes)?;
    let tools = tool::encode(request, target, notes)?;
    let tool_config = tool::config(request, notes);
    let (generation_config, instruction) = generation::encode(request, target, notes)?;
    system.extend(instruction.map(Part::text));
    note_what_is_dropped(request, notes);
    let body = Body {
        system_instruction: (!system.is_empty()).then_some(Content {
            role: None,
            parts: system,
        }),
        contents,
        tool_config: tool_config.filter(|_| !tools.is_empty()),
        tools,
        generation_config,
        extensions: request.extensions.get(&Dialect::Gemini),
    };
    Ok(serde_json::to_vec(&body).expect("every map key is a string"))
}

// === functions ===

/// Blocks of instructions stay apart, as the client wrote them.
fn system(parts: &[request::Part]) -> Vec<Part<'_>> {
    let text = |part: &request::Part| matches!(&part.kind, PartKind::Text { text, .. } if !text.is_empty());
    parts
        .iter()
        .filter(|part| text(part))
        .filter_map(|part| match &part.kind {
            PartKind::Text { text, .. } => Some(Part::text(text)),
            _ => None,
        })
        .collect()
}

fn language(caps: &ModelCaps) -> Language {
    match caps.openapi_schema {
        true => Language::OpenApiSubset,
        false => Language::JsonSchema,
    }
}

fn note_what_is_dropped(request: &Request, notes: &mut Notes) {
    let dropped = [
        ("logit_bias", request.sampling.logit_bias.is_some()),
        ("verbosity", request.verbosity.is_some()),
        ("prompt_cache_key", request.prompt_cache_key.is_some()),
        ("user", request.user.is_some()),
        ("metadata", !request.metadata.is_empty()),
        ("service_tier", request.service_tier.is_some()),
        ("store", request.store == Some(true)),
    ];
    for (field, _) in dropped.into_iter().filter(|(_, dropped)| *dropped) {
        notes.loss(field, "the upstream's API has no such field");
    }
    let foreign = request
        .extensions
        .iter()
        .filter(|(dialect, _)| **dialect != Dialect::Gemini);
    for field in foreign.flat_map(|(_, fields)| fields.keys()) {
        notes.loss(field.as_str(), "unknown to the upstream's API");
    }
}

#[cfg(test)]
mod tests;

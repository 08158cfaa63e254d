//! Everything that is neither conversation nor tools.

use crate::caps::{CacheMarks, ModelCaps};
use crate::error::EncodeError;
use crate::formats::openai_chat::request_encode::has_cache_marks;
use crate::formats::openai_chat::request_encode::option::max_output;
use crate::note::Notes;
use crate::request::Request;
use crate::translate::Target;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The service model's limits of `requestMetadata`.
const MAX_METADATA: usize = 16;
const MAX_METADATA_CHARS: usize = 256;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inference<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_sequences: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
pub struct ServiceTier {
    #[serde(rename = "type")]
    kind: &'static str,
}

// === impl Inference ===

impl Inference<'_> {
    pub fn is_empty(&self) -> bool {
        self.max_tokens.is_none()
            && self.temperature.is_none()
            && self.top_p.is_none()
            && self.stop_sequences.is_empty()
    }
}

// === functions ===

pub fn refuse_what_would_change_the_answer(request: &Request, target: &Target) -> Result<(), EncodeError> {
    if request.modalities.iter().any(|modality| modality == "audio") {
        let message = format!("audio output is not supported by model '{}'", target.model);
        return Err(EncodeError::unsupported("modalities", message));
    }
    Ok(())
}

/// Without one the API lets a model say as much as it can.
pub fn max_tokens(request: &Request, caps: &ModelCaps, notes: &mut Notes) -> Option<u64> {
    let wanted = max_output(request.max_output, caps, notes)?;
    if wanted == 0 {
        notes.loss("max_tokens", "0 is not accepted; raised to 1");
    }
    Some(wanted.max(1))
}

/// The API's are `priority`, `default`, `flex` and `reserved`.
pub fn service_tier(request: &Request, notes: &mut Notes) -> Option<ServiceTier> {
    let kind = match request.service_tier.as_deref()? {
        "auto" => return None,
        "default" => "default",
        "flex" => "flex",
        "priority" => "priority",
        other => {
            notes.loss("service_tier", format!("'{other}' has no equivalent"));
            return None;
        }
    };
    Some(ServiceTier { kind })
}

/// What the account's owner finds in the logs of its invocations.
pub fn metadata<'a>(request: &'a Request, notes: &mut Notes) -> BTreeMap<&'a str, &'a str> {
    let mut kept = BTreeMap::new();
    let sound = |text: &str| {
        text.chars().count() <= MAX_METADATA_CHARS
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c.is_whitespace() || ":_@$#=/+,-.".contains(c))
    };
    for (key, value) in &request.metadata {
        match value {
            Value::String(value)
                if kept.len() < MAX_METADATA && !key.is_empty() && sound(key) && sound(value) =>
            {
                kept.insert(key.as_str(), value.as_str());
            }
            _ => notes.loss(format!("metadata.{key}"), "not accepted by the upstream's API"),
        }
    }
    kept
}

pub fn note_what_is_dropped(request: &Request, caps: &ModelCaps, notes: &mut Notes) {
    let sampling = &request.sampling;
    let penalty = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    let marked = caps.cache_marks == CacheMarks::None && has_cache_marks(request);
    let dropped = [
        ("frequency_penalty", penalty(sampling.frequency_penalty)),
        ("presence_penalty", penalty(sampling.presence_penalty)),
        ("seed", sampling.seed.is_some()),
        ("logit_bias", sampling.logit_bias.is_some()),
        ("logprobs", request.logprobs.is_some()),
        ("verbosity", request.verbosity.is_some()),
        ("prompt_cache_key", request.prompt_cache_key.is_some()),
        ("user", request.user.is_some()),
        ("store", request.store == Some(true)),
        ("cache_control", marked),
    ];
    for (field, _) in dropped.iter().filter(|(_, present)| *present) {
        notes.loss(*field, "not supported by the upstream's API");
    }
    for field in request.extensions.values().flat_map(|fields| fields.keys()) {
        notes.loss(field.as_str(), "unknown to the upstream's API");
    }
}

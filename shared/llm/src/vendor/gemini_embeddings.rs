//! Gemini's embeddings: one request for each text, all in one call.
//!
//! <https://ai.google.dev/api/embeddings#method:-models.batchembedcontents>

use super::{Answer, Done, Fields, Next, Turn, Vendor, malformed, read, refused};
use crate::error::{EncodeError, UpstreamError};
use crate::usage::Usage;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

#[derive(Debug)]
pub struct GeminiEmbeddings;

// === impl GeminiEmbeddings ===

impl Vendor for GeminiEmbeddings {
    fn begin(&self, asked: &Fields, path: &str) -> Result<Turn, EncodeError> {
        let texts = asked
            .list("input")
            .iter()
            .map(Value::as_str)
            .collect::<Option<Vec<_>>>();
        let texts = texts.ok_or_else(|| refused("input", "this provider embeds texts, not tokens"))?;
        let dimensions = asked.count("dimensions");
        let requests = texts.iter().map(|text| {
            let mut request = json!({
                "model": format!("models/{}", asked.model), "content": { "parts": [{ "text": text }] },
            });
            if let Some(dimensions) = dimensions {
                request["outputDimensionality"] = dimensions.into();
            }
            request
        });
        Ok(Turn::json(
            path,
            &json!({ "requests": requests.collect::<Vec<_>>() }),
        ))
    }

    fn next(&self, asked: &Fields, _: &Turn, answer: &Answer<'_>) -> Result<Next, UpstreamError> {
        let told = read(answer)?;
        let embeddings = told["embeddings"].as_array();
        let embeddings = embeddings.ok_or_else(|| malformed("the provider sent no embeddings"))?;
        if embeddings.len() != asked.list("input").len() {
            return Err(malformed(
                "the provider sent another number of embeddings than texts",
            ));
        }
        let packed = asked.text("encoding_format") == Some("base64");
        let data = embeddings.iter().enumerate().map(|(index, embedding)| {
            let vector = &embedding["values"];
            let embedding = if packed { pack(vector) } else { vector.clone() };
            json!({ "object": "embedding", "index": index, "embedding": embedding })
        });
        // older models do not count
        let tokens = told["usageMetadata"]["promptTokenCount"].as_u64();
        let body = json!({
            "object": "list", "data": data.collect::<Vec<_>>(), "model": asked.model,
            "usage": { "prompt_tokens": tokens.unwrap_or(0), "total_tokens": tokens.unwrap_or(0) },
        });
        let usage = Usage {
            input_total: tokens,
            output_total: tokens.map(|_| 0),
            ..Usage::default()
        };
        Ok(Next::Done(Done::json(&body, usage, None)))
    }
}

/// As OpenAI packs a vector: its numbers as 32 bits each, the lowest first.
#[expect(clippy::cast_possible_truncation, reason = "32 bits are what clients unpack")]
fn pack(vector: &Value) -> Value {
    let numbers = vector.as_array().into_iter().flatten().filter_map(Value::as_f64);
    let bytes: Vec<u8> = numbers.flat_map(|number| (number as f32).to_le_bytes()).collect();
    BASE64_STANDARD.encode(bytes).into()
}

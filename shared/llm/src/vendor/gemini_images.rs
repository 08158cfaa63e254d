//! Gemini's models that draw: a question whose answer may be a picture.
//!
//! <https://ai.google.dev/gemini-api/docs/image-generation>

use super::{Answer, Done, Fields, Next, Turn, Vendor, malformed, read, refused};
use crate::error::{EncodeError, ErrorKind, UpstreamError};
use crate::usage::Usage;
use serde_json::{Value, json};

#[derive(Debug)]
pub struct GeminiImages;

const RATIOS: [(u64, u64); 10] = [
    (1, 1),
    (2, 3),
    (3, 2),
    (3, 4),
    (4, 3),
    (4, 5),
    (5, 4),
    (9, 16),
    (16, 9),
    (21, 9),
];

// === impl GeminiImages ===

impl Vendor for GeminiImages {
    fn begin(&self, asked: &Fields, path: &str) -> Result<Turn, EncodeError> {
        asked.without_events("stream")?;
        if asked.count("n").is_some_and(|n| n > 1) {
            return Err(refused(
                "n",
                "this model makes one picture at a time: ask for each of them",
            ));
        }
        let mut generation = json!({ "responseModalities": ["TEXT", "IMAGE"] });
        if let Some((width, height)) = asked.size().and_then(ratio) {
            generation["imageConfig"] = json!({ "aspectRatio": format!("{width}:{height}") });
        }
        let body = json!({
            "contents": [{ "role": "user", "parts": [{ "text": asked.get("prompt") }] }],
            "generationConfig": generation,
        });
        Ok(Turn::json(path, &body))
    }

    fn next(&self, asked: &Fields, _: &Turn, answer: &Answer<'_>) -> Result<Next, UpstreamError> {
        let told = read(answer)?;
        let candidates = told["candidates"].as_array().into_iter().flatten();
        let parts: Vec<&Value> = candidates
            .flat_map(|candidate| candidate["content"]["parts"].as_array().into_iter().flatten())
            .collect();
        let words = parts.iter().find_map(|part| part["text"].as_str());
        let revised = words.or(asked.text("prompt")).unwrap_or_default();
        let as_url = asked.text("response_format") == Some("url");
        let pictures = parts.iter().filter_map(|part| {
            let data = part["inlineData"]["data"].as_str()?;
            Some(match as_url {
                true => {
                    let media_type = part["inlineData"]["mimeType"].as_str().unwrap_or("image/png");
                    json!({ "url": format!("data:{media_type};base64,{data}"), "revised_prompt": revised })
                }
                false => json!({ "b64_json": data, "revised_prompt": revised }),
            })
        });
        let pictures: Vec<Value> = pictures.collect();
        if pictures.is_empty() {
            return Err(nothing(&told));
        }
        let count = |name: &str| told["usageMetadata"][name].as_u64();
        let usage = Usage {
            input_total: count("promptTokenCount"),
            output_total: count("candidatesTokenCount"),
            ..Usage::default()
        };
        let mut body = json!({ "data": pictures });
        if let (Some(input), Some(output)) = (usage.input_total, usage.output_total) {
            body["usage"] =
                json!({ "input_tokens": input, "output_tokens": output, "total_tokens": input + output });
        }
        Ok(Next::Done(Done::json(&body, usage, None)))
    }
}

/// In the smallest numbers, where the vendor has it.
fn ratio((width, height): (u64, u64)) -> Option<(u64, u64)> {
    RATIOS.into_iter().find(|(w, h)| w * height == h * width)
}

/// Said in words, or not at all.
fn nothing(told: &Value) -> UpstreamError {
    let blocked = &told["promptFeedback"]["blockReason"];
    let stopped = &told["candidates"][0]["finishReason"];
    let safety = stopped
        .as_str()
        .is_some_and(|reason| reason.contains("SAFETY") || reason.contains("PROHIBITED"));
    match blocked.is_string() || safety {
        true => UpstreamError::new(ErrorKind::ContentBlocked, "the provider makes no picture of this"),
        false => malformed("the provider answered without a picture"),
    }
}

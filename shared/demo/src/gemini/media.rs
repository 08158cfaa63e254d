//! What the vendor's models do beside talking: vectors and pictures.
//!
//! <https://ai.google.dev/api/embeddings>, <https://ai.google.dev/gemini-api/docs/image-generation>

use crate::media::{PNG, unknown};
use serde_json::{Value, json};

/// Unless the request says how many.
const DIMENSIONS: u64 = 8;
/// Of a picture, as the vendor counts.
const TOKENS: u64 = 1290;
const KNOWN: [&str; 5] = ["model", "content", "taskType", "title", "outputDimensionality"];

pub fn embeddings(body: &Value, model: &str) -> Result<Value, String> {
    if let Some(field) = unknown(body, &["requests"]) {
        return Err(format!(
            "Invalid JSON payload received. Unknown name \"{field}\": Cannot find field."
        ));
    }
    let requests = body["requests"]
        .as_array()
        .filter(|requests| !requests.is_empty());
    let requests = requests.ok_or("* BatchEmbedContentsRequest.requests: must not be empty")?;
    let mut embeddings = Vec::new();
    for request in requests {
        if let Some(field) = unknown(request, &KNOWN) {
            return Err(format!(
                "Invalid JSON payload received. Unknown name \"{field}\": Cannot find field."
            ));
        }
        if request["model"] != format!("models/{model}") {
            return Err(
                "* BatchEmbedContentsRequest.requests: all must name the model of the path".to_owned(),
            );
        }
        let text = request["content"]["parts"][0]["text"].as_str();
        let text = text.filter(|text| !text.is_empty());
        let text = text.ok_or("* EmbedContentRequest.content: contents is not specified")?;
        let size = request["outputDimensionality"].as_u64().unwrap_or(DIMENSIONS);
        let values = (0..size).map(|at| (text.len() as f64 + at as f64) / 1024.0);
        embeddings.push(json!({ "values": values.collect::<Vec<f64>>() }));
    }
    Ok(json!({ "embeddings": embeddings }))
}

pub fn draws(body: &Value) -> bool {
    let modalities = body["generationConfig"]["responseModalities"].as_array();
    modalities.is_some_and(|all| all.iter().any(|one| one == "IMAGE"))
}

pub fn picture(input: u64) -> Value {
    let parts =
        json!([{ "text": "Here it is." }, { "inlineData": { "mimeType": "image/png", "data": PNG } }]);
    json!({
        "candidates": [{ "content": { "role": "model", "parts": parts }, "finishReason": "STOP", "index": 0 }],
        "usageMetadata": { "promptTokenCount": input, "candidatesTokenCount": TOKENS, "totalTokenCount": input + TOKENS },
        "modelVersion": "demo",
    })
}

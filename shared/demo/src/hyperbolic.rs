//! Hyperbolic's pictures and speech. <https://docs.hyperbolic.xyz/docs/rest-api>

use crate::dialect::{Address, Ask, Key, Operation, Vendor};
use crate::media::{PNG, told, unknown, with_status};
use crate::wire::Reply;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

const WRONG_KEY: &str = "Could not validate credentials";
const OF_IMAGES: [&str; 8] = [
    "model_name",
    "prompt",
    "height",
    "width",
    "backend",
    "steps",
    "cfg_scale",
    "seed",
];
const OF_SPEECH: [&str; 3] = ["text", "language", "speed"];

pub struct Hyperbolic;

// === impl Hyperbolic ===

impl Vendor for Hyperbolic {
    fn operation(&self, path: &str, _: &str) -> Option<Operation> {
        ["/v1/image/generation", "/v1/audio/generation"]
            .contains(&path)
            .then(|| Operation::Answer(Address::default()))
    }

    fn turn_away(&self, parts: &Parts) -> Option<Response> {
        (Key::read(&parts.headers, None) != Key::Good).then(|| self.refuse(401, WRONG_KEY))
    }

    fn answer(&self, Ask { path, body, .. }: Ask<'_>, reply: Reply) -> Response {
        let answered = match path {
            "/v1/image/generation" => pictures(body),
            _ => speech(body),
        };
        let answered = answered.map(|told| axum::Json(told).into_response());
        told(reply, answered.map_err(|message| self.refuse(422, &message)))
    }

    fn count_tokens(&self, _: Ask<'_>) -> Response {
        self.refuse(404, "Not found")
    }

    fn refuse(&self, status: u16, message: &str) -> Response {
        with_status(status, json!({ "detail": message }))
    }

    fn wrong_key(&self) -> &'static str {
        WRONG_KEY
    }
}

fn pictures(body: &Value) -> Result<Value, String> {
    if let Some(field) = unknown(body, &OF_IMAGES) {
        return Err(format!("{field}: unexpected field"));
    }
    for field in ["model_name", "prompt"] {
        body[field]
            .as_str()
            .ok_or_else(|| format!("{field}: field required"))?;
    }
    for field in ["height", "width"] {
        body[field]
            .as_u64()
            .ok_or_else(|| format!("{field}: value is not a valid integer"))?;
    }
    Ok(json!({ "images": [{ "index": 0, "image": PNG, "random_seed": 7 }], "inference_time": 0.1 }))
}

fn speech(body: &Value) -> Result<Value, String> {
    if let Some(field) = unknown(body, &OF_SPEECH) {
        return Err(format!("{field}: unexpected field"));
    }
    let text = body["text"].as_str().ok_or("text: field required")?;
    let sound = [b"ID3".as_slice(), text.as_bytes()].concat();
    Ok(json!({ "audio": BASE64_STANDARD.encode(sound), "duration": 1 }))
}

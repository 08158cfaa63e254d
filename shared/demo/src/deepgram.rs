//! Deepgram: recordings as bodies, and speech. <https://developers.deepgram.com/reference>

use crate::dialect::{Address, Ask, Key, Operation, Vendor};
use crate::media::{in_query, seconds, told, unknown, with_status};
use crate::wire::Reply;
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

const WRONG_KEY: &str = "Invalid credentials.";
const ENCODINGS: [&str; 6] = ["mp3", "opus", "aac", "flac", "linear16", "mulaw"];

pub struct Deepgram;

// === impl Deepgram ===

impl Vendor for Deepgram {
    fn operation(&self, path: &str, query: &str) -> Option<Operation> {
        match path {
            "/v1/listen" | "/v1/speak" => {
                let model = in_query(query, "model")?.to_owned();
                let encoding = in_query(query, "encoding");
                if encoding.is_some_and(|encoding| !ENCODINGS.contains(&encoding)) {
                    return None;
                }
                Some(Operation::Answer(Address {
                    model: Some(model),
                    stream: None,
                }))
            }
            "/v1/projects" => Some(Operation::Tell(Method::GET, json!({ "projects": [] }))),
            _ => None,
        }
    }

    fn turn_away(&self, parts: &Parts) -> Option<Response> {
        let key = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let key = key
            .and_then(|value| value.strip_prefix("Token "))
            .unwrap_or_default();
        (Key::of(key) != Key::Good).then(|| self.refuse(401, WRONG_KEY))
    }

    fn answer(&self, Ask { path, body, .. }: Ask<'_>, reply: Reply) -> Response {
        let answered = match path {
            "/v1/listen" => heard(body),
            _ => spoken(body),
        };
        told(reply, answered.map_err(|message| self.refuse(400, &message)))
    }

    fn count_tokens(&self, _: Ask<'_>) -> Response {
        self.refuse(404, "Not found")
    }

    fn refuse(&self, status: u16, message: &str) -> Response {
        let code = match status {
            401 => "INVALID_AUTH",
            429 => "TOO_MANY_REQUESTS",
            400..=499 => "Bad Request",
            _ => "INTERNAL_SERVER_ERROR",
        };
        with_status(
            status,
            json!({ "err_code": code, "err_msg": message, "request_id": "demo" }),
        )
    }

    fn wrong_key(&self) -> &'static str {
        WRONG_KEY
    }
}

fn heard(body: &Value) -> Result<Response, String> {
    let Some(bytes) = body["file"]["bytes"].as_u64().filter(|bytes| *bytes > 0) else {
        return Err("Bad Request: failed to process audio: corrupt or unsupported data".to_owned());
    };
    let seconds = seconds(bytes);
    let words = ["i", "heard", "it."].iter().zip(0_u32..).map(|(word, second)| {
        let punctuated = word.replace('i', "I").replace("It", "it");
        json!({ "word": word.trim_end_matches('.'), "punctuated_word": punctuated, "start": second, "end": second + 1,
                "confidence": 0.9 })
    });
    let alternative =
        json!({ "transcript": "I heard it.", "confidence": 0.9, "words": words.collect::<Vec<_>>() });
    let told = json!({
        "metadata": { "request_id": "demo", "duration": seconds, "channels": 1 },
        "results": { "channels": [{ "detected_language": "en", "language_confidence": 0.9, "alternatives": [alternative] }] },
    });
    Ok(axum::Json(told).into_response())
}

fn spoken(body: &Value) -> Result<Response, String> {
    if let Some(field) = unknown(body, &["text"]) {
        return Err(format!("Failed to deserialize JSON. unknown field `{field}`"));
    }
    let text = body["text"].as_str().filter(|text| !text.is_empty());
    let text = text.ok_or("Input text is required.")?;
    let sound = [b"ID3".as_slice(), text.as_bytes()].concat();
    Ok(([(header::CONTENT_TYPE, "audio/mpeg")], sound).into_response())
}

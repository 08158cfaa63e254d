//! AssemblyAI: a recording is brought, a transcript is ordered, and asked for. <https://www.assemblyai.com/docs/api-reference>

use crate::dialect::{Address, Ask, Key, Operation, Vendor};
use crate::media::{seconds, told, unknown, with_status};
use crate::wire::Reply;
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

const WRONG_KEY: &str = "Authentication error, API token missing/invalid";
const HOST: &str = "https://cdn.assemblyai.com/upload/";
/// How often a transcript is not there yet.
const ASKED_IN_VAIN: u64 = 1;
const KNOWN: [&str; 4] = [
    "audio_url",
    "speech_models",
    "language_code",
    "language_detection",
];

/// Of transcripts that were ordered: how often each was asked for. Their ids say the rest.
static ASKED: LazyLock<Mutex<HashMap<String, u64>>> = LazyLock::new(Mutex::default);
static ORDERS: AtomicU64 = AtomicU64::new(0);

pub struct AssemblyAi;

// === impl AssemblyAi ===

impl Vendor for AssemblyAi {
    fn base(&self) -> &'static str {
        "/v2"
    }

    fn operation(&self, path: &str, query: &str) -> Option<Operation> {
        match path.strip_prefix("/v2/")? {
            // the list of those that were ordered
            "transcript" if query.starts_with("limit=") => {
                Some(Operation::Tell(Method::GET, json!({ "transcripts": [] })))
            }
            "upload" | "transcript" => Some(Operation::Answer(Address::default())),
            task => {
                let id = task.strip_prefix("transcript/")?;
                Some(Operation::Tell(Method::GET, standing(id)?))
            }
        }
    }

    /// The key as it is, without a word before it.
    fn turn_away(&self, parts: &Parts) -> Option<Response> {
        let key = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let key = key.filter(|key| !key.contains(' ')).unwrap_or_default();
        (Key::of(key) != Key::Good).then(|| self.refuse(401, WRONG_KEY))
    }

    fn answer(&self, Ask { path, body, .. }: Ask<'_>, reply: Reply) -> Response {
        let answered = match path {
            "/v2/upload" => brought(body),
            _ => ordered(body),
        };
        let answered = answered.map(|told| axum::Json(told).into_response());
        told(reply, answered.map_err(|message| self.refuse(400, &message)))
    }

    fn count_tokens(&self, _: Ask<'_>) -> Response {
        self.refuse(404, "Not found")
    }

    fn refuse(&self, status: u16, message: &str) -> Response {
        with_status(status, json!({ "error": message }))
    }

    fn wrong_key(&self) -> &'static str {
        WRONG_KEY
    }
}

fn brought(body: &Value) -> Result<Value, String> {
    let bytes = body["file"]["bytes"].as_u64().filter(|bytes| *bytes > 0);
    let bytes = bytes.ok_or("Upload failed, please try again.")?;
    Ok(json!({ "upload_url": format!("{HOST}{bytes}") }))
}

fn ordered(body: &Value) -> Result<Value, String> {
    if let Some(field) = unknown(body, &KNOWN) {
        return Err(format!("Invalid endpoint schema, \"{field}\" is not allowed"));
    }
    let bytes = body["audio_url"]
        .as_str()
        .and_then(|url| url.strip_prefix(HOST))
        .unwrap_or_default();
    let models = body["speech_models"]
        .as_array()
        .filter(|models| !models.is_empty());
    if models.is_none() {
        return Err("speech_models must be a non-empty list".to_owned());
    }
    if body["language_code"].is_string() && body["language_detection"] == true {
        return Err("language_detection is not available when language_code is specified.".to_owned());
    }
    let id = format!("{}-{bytes}", ORDERS.fetch_add(1, Ordering::Relaxed));
    ASKED.lock().insert(id.clone(), 0);
    Ok(json!({ "id": id, "status": "queued", "audio_url": body["audio_url"] }))
}

fn standing(id: &str) -> Option<Value> {
    let mut asked = ASKED.lock();
    let asked = asked.get_mut(id)?;
    *asked += 1;
    let (_, bytes) = id.rsplit_once('-')?;
    // a recording that no model understands
    if bytes == "13" {
        return Some(
            json!({ "id": id, "status": "error", "error": "Transcoding failed. File type is text/plain." }),
        );
    }
    if *asked <= ASKED_IN_VAIN {
        return Some(json!({ "id": id, "status": "processing" }));
    }
    let word = |text: &str, start: u32| json!({ "text": text, "start": start, "end": start + 500, "confidence": 0.9 });
    Some(json!({
        "id": id, "status": "completed", "text": "I heard it.", "language_code": "en",
        "audio_duration": seconds(bytes.parse().ok()?),
        "words": [word("I", 0), word("heard", 500), word("it.", 1000)],
    }))
}

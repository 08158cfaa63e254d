//! NVIDIA's ranking. <https://docs.nvidia.com/nim/nemo-retriever/text-reranking/latest/using-reranking.html>

use crate::dialect::{Address, Ask, Key, Operation, Vendor};
use crate::media::{told, unknown, with_status};
use crate::wire::Reply;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

const WRONG_KEY: &str = "Authentication failed";
const KNOWN: [&str; 4] = ["model", "query", "passages", "truncate"];

pub struct Nvidia;

// === impl Nvidia ===

impl Vendor for Nvidia {
    fn operation(&self, path: &str, _: &str) -> Option<Operation> {
        (path == "/v1/ranking").then(|| Operation::Answer(Address::default()))
    }

    fn turn_away(&self, parts: &Parts) -> Option<Response> {
        (Key::read(&parts.headers, None) != Key::Good).then(|| self.refuse(401, WRONG_KEY))
    }

    fn answer(&self, Ask { body, .. }: Ask<'_>, reply: Reply) -> Response {
        let answered = ranked(body).map(|told| axum::Json(told).into_response());
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

/// The more words of the question a passage has, the better; in the order of the passages.
fn ranked(body: &Value) -> Result<Value, String> {
    if let Some(field) = unknown(body, &KNOWN) {
        return Err(format!("{field}: Extra inputs are not permitted"));
    }
    let query = body["query"]["text"]
        .as_str()
        .ok_or("query.text: Field required")?;
    let passages = body["passages"]
        .as_array()
        .filter(|passages| !passages.is_empty());
    let passages = passages.ok_or("passages: List should have at least 1 item")?;
    let mut rankings = Vec::new();
    for (index, passage) in passages.iter().enumerate() {
        let text = passage["text"].as_str().ok_or("passages.text: Field required")?;
        let shared = query
            .split_whitespace()
            .filter(|word| text.contains(word))
            .count();
        rankings.push(json!({ "index": index, "logit": shared as f64 - 1.5 }));
    }
    Ok(json!({ "rankings": rankings }))
}

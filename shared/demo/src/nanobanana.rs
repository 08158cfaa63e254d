//! NanoBanana API: pictures are ordered and asked for. <https://docs.nanobananaapi.ai>

use crate::dialect::{Address, Ask, Key, Operation, Vendor};
use crate::media::{in_query, told, unknown, with_status};
use crate::wire::Reply;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

const WRONG_KEY: &str = "You do not have access permissions";
const KNOWN: [&str; 6] = [
    "prompt",
    "type",
    "numImages",
    "image_size",
    "imageUrls",
    "callBackUrl",
];
const KNOWN_PRO: [&str; 5] = ["prompt", "resolution", "aspectRatio", "imageUrls", "callBackUrl"];

/// How often each task was asked for.
static ASKED: LazyLock<Mutex<HashMap<String, u64>>> = LazyLock::new(Mutex::default);
static TASKS: AtomicU64 = AtomicU64::new(0);

pub struct NanoBanana;

// === impl NanoBanana ===

impl Vendor for NanoBanana {
    fn base(&self) -> &'static str {
        "/api/v1"
    }

    fn operation(&self, path: &str, query: &str) -> Option<Operation> {
        match path.strip_prefix("/api/v1/")? {
            "nanobanana/generate" | "nanobanana/generate-pro" => Some(Operation::Answer(Address::default())),
            "nanobanana/record-info" => {
                Some(Operation::Tell(Method::GET, standing(in_query(query, "taskId")?)))
            }
            _ => None,
        }
    }

    fn turn_away(&self, parts: &Parts) -> Option<Response> {
        (Key::read(&parts.headers, None) != Key::Good).then(|| self.refuse(401, WRONG_KEY))
    }

    fn answer(&self, Ask { path, body, .. }: Ask<'_>, reply: Reply) -> Response {
        let answered = ordered(body, path.ends_with("-pro"));
        let answered = answered.map(|told| axum::Json(told).into_response());
        // refused with a good status
        told(reply, answered.map_err(|message| self.refuse(200, &message)))
    }

    fn count_tokens(&self, _: Ask<'_>) -> Response {
        self.refuse(404, "Not found")
    }

    fn refuse(&self, status: u16, message: &str) -> Response {
        let code = if status == 200 { 400 } else { status };
        with_status(status, json!({ "code": code, "msg": message, "data": null }))
    }

    fn wrong_key(&self) -> &'static str {
        WRONG_KEY
    }
}

fn ordered(body: &Value, pro: bool) -> Result<Value, String> {
    let known: &[&str] = if pro { &KNOWN_PRO } else { &KNOWN };
    if let Some(field) = unknown(body, known) {
        return Err(format!("{field} is not allowed"));
    }
    body["prompt"]
        .as_str()
        .filter(|prompt| !prompt.is_empty())
        .ok_or("prompt cannot be empty")?;
    if !pro && body["type"] != "TEXTTOIAMGE" {
        return Err("Invalid generation type".to_owned());
    }
    let count = body["numImages"].as_u64().unwrap_or(1);
    let task = format!("task{}-{count}", TASKS.fetch_add(1, Ordering::Relaxed));
    ASKED.lock().insert(task.clone(), 0);
    Ok(json!({ "code": 200, "msg": "success", "data": { "taskId": task } }))
}

fn standing(task: &str) -> Value {
    let mut tasks = ASKED.lock();
    let Some(asked) = tasks.get_mut(task) else {
        return json!({ "code": 404, "msg": "no such task", "data": null });
    };
    *asked += 1;
    if *asked == 1 {
        return json!({ "code": 200, "msg": "success", "data": { "taskId": task, "successFlag": 0 } });
    }
    let response = json!({ "originImageUrl": "https://bfl.test/a.jpg", "resultImageUrl": format!("https://img.test/{task}.jpg") });
    json!({ "code": 200, "msg": "success", "data": { "taskId": task, "successFlag": 1, "response": response } })
}

//! NanoBanana API: a picture is ordered, and asked for until it is there.
//!
//! <https://docs.nanobananaapi.ai/nanobanana-api/generate-or-edit-image>, `…/get-task-details`
//!
//! Its documentation wants an address that it calls when a picture is done; a gateway has none that it may give away,
//! and asks instead. Servers of this API that answer at once with the picture are understood, too.

use super::fields::escaped;
use super::{Answer, Done, FIRST_PAUSE, Fields, Next, Turn, Vendor, longer, malformed, read, refused};
use crate::error::{EncodeError, ErrorKind, UpstreamError};
use crate::usage::Usage;
use serde_json::{Value, json};

#[derive(Debug)]
pub struct NanoBanana;

const ORDER: u8 = 0;
const ASK: u8 = 1;

const TASK: &str = "/nanobanana/record-info";
/// The model that has an address of its own.
const PRO: &str = "nanobanana-pro";
const PRO_ENDING: &str = "-pro";
const MOST: u64 = 4;

// === impl NanoBanana ===

impl Vendor for NanoBanana {
    fn begin(&self, asked: &Fields, path: &str) -> Result<Turn, EncodeError> {
        asked.without_events("stream")?;
        if asked.text("response_format") == Some("b64_json") {
            return Err(refused(
                "response_format",
                "this provider gives pictures by their addresses: ask for url",
            ));
        }
        let count = asked.count("n").unwrap_or(1);
        if count > MOST {
            return Err(refused(
                "n",
                format!("this provider makes {MOST} pictures at a time"),
            ));
        }
        if asked.model == PRO {
            if count > 1 {
                return Err(refused(
                    "n",
                    "this model makes one picture at a time: ask for each of them",
                ));
            }
            return Ok(Turn::json(
                format!("{path}{PRO_ENDING}"),
                &json!({ "prompt": asked.get("prompt") }),
            ));
        }
        let body = json!({ "prompt": asked.get("prompt"), "type": "TEXTTOIAMGE", "numImages": count });
        Ok(Turn::json(path, &body))
    }

    fn next(&self, _: &Fields, turn: &Turn, answer: &Answer<'_>) -> Result<Next, UpstreamError> {
        let told = read(answer)?;
        // refusals come with a good status, and a bad one inside
        if let Some(code @ 400..) = told["code"].as_u64() {
            return Err(refusal(code, &told));
        }
        if turn.step == ORDER {
            let task = told["data"]["taskId"].as_str();
            return match task {
                Some(task) => {
                    let ask = Turn::get(format!("{TASK}?taskId={}", escaped(task)));
                    Ok(Next::Turn(ask.step(ASK, FIRST_PAUSE)))
                }
                None => done(&told),
            };
        }
        match told["data"]["successFlag"].as_u64() {
            Some(0) => Ok(Next::Turn(turn.clone().step(ASK, longer(turn.after)))),
            Some(1) => done(&told["data"]["response"]),
            Some(_) => {
                let why = told["data"]["errorMessage"]
                    .as_str()
                    .filter(|why| !why.is_empty());
                Err(UpstreamError::new(
                    ErrorKind::Upstream5xx,
                    why.unwrap_or("the provider could not make the picture"),
                ))
            }
            None => Err(malformed("the provider does not say how far it is")),
        }
    }
}

fn done(told: &Value) -> Result<Next, UpstreamError> {
    let one = [&told["resultImageUrl"], &told["image"]];
    let many = [&told["images"], &told["data"]]
        .into_iter()
        .filter_map(Value::as_array)
        .flatten();
    let pictures = one.into_iter().chain(many).filter_map(picture);
    let pictures: Vec<Value> = pictures.collect();
    if pictures.is_empty() {
        return Err(malformed("the provider answered without a picture"));
    }
    Ok(Next::Done(Done::json(
        &json!({ "data": pictures }),
        Usage::default(),
        None,
    )))
}

fn picture(told: &Value) -> Option<Value> {
    let text = told
        .as_str()
        .or(told["url"].as_str())
        .or(told["b64_json"].as_str())?;
    Some(match text.starts_with("http") {
        true => json!({ "url": text }),
        false => json!({ "b64_json": text }),
    })
}

fn refusal(code: u64, told: &Value) -> UpstreamError {
    let kind = match code {
        401 | 403 => ErrorKind::UpstreamAuth,
        402 => ErrorKind::Quota,
        429 => ErrorKind::RateLimit,
        400..500 => ErrorKind::InvalidRequest,
        _ => ErrorKind::Upstream5xx,
    };
    UpstreamError {
        status: u16::try_from(code).ok(),
        ..UpstreamError::new(kind, told["msg"].as_str().unwrap_or("the provider refused"))
    }
}

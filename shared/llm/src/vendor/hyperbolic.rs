//! Hyperbolic: pictures and speech, each in an answer of JSON.
//!
//! <https://docs.hyperbolic.xyz/docs/rest-api>

use super::{Answer, Done, Fields, Next, Turn, Vendor, malformed, read, refused};
use crate::error::{EncodeError, UpstreamError};
use crate::usage::Usage;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

#[derive(Debug)]
pub struct Images;

#[derive(Debug)]
pub struct Speech;

const DEFAULT_SIZE: (u64, u64) = (1024, 1024);

// === impl Images ===

impl Vendor for Images {
    fn begin(&self, asked: &Fields, path: &str) -> Result<Turn, EncodeError> {
        asked.without_events("stream")?;
        if asked.count("n").is_some_and(|n| n > 1) {
            return Err(refused(
                "n",
                "this provider makes one picture at a time: ask for each of them",
            ));
        }
        let (width, height) = asked.size().unwrap_or(DEFAULT_SIZE);
        let body = json!({
            "model_name": asked.model, "prompt": asked.get("prompt"), "height": height, "width": width,
            "backend": "auto",
        });
        Ok(Turn::json(path, &body))
    }

    fn next(&self, asked: &Fields, _: &Turn, answer: &Answer<'_>) -> Result<Next, UpstreamError> {
        let told = read(answer)?;
        let pictures = told["images"].as_array().into_iter().flatten();
        let pictures = pictures.filter_map(|picture| picture["image"].as_str());
        let as_url = asked.text("response_format") == Some("url");
        let pictures = pictures.map(|data| match as_url {
            true => json!({ "url": format!("data:image/png;base64,{data}") }),
            false => json!({ "b64_json": data }),
        });
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
}

// === impl Speech ===

impl Vendor for Speech {
    /// It has one voice for each model, and MP3.
    fn begin(&self, asked: &Fields, path: &str) -> Result<Turn, EncodeError> {
        asked.without_events("stream_format")?;
        if asked
            .text("response_format")
            .is_some_and(|format| format != "mp3")
        {
            return Err(refused("response_format", "this provider speaks MP3 only"));
        }
        Ok(Turn::json(path, &json!({ "text": asked.get("input") })))
    }

    fn next(&self, _: &Fields, _: &Turn, answer: &Answer<'_>) -> Result<Next, UpstreamError> {
        let told = read(answer)?;
        let sound = told["audio"]
            .as_str()
            .and_then(|sound| BASE64_STANDARD.decode(sound).ok());
        let sound = sound.ok_or_else(|| malformed("the provider answered without a sound"))?;
        Ok(Next::Done(Done {
            body: sound.into(),
            media_type: "audio/mpeg".to_owned(),
            usage: Usage::default(),
            work: None,
        }))
    }
}

//! AssemblyAI: a recording is brought, its transcript is ordered, and asked for until it is there.
//!
//! <https://www.assemblyai.com/docs/api-reference/transcripts>

use super::fields::escaped;
use super::transcript::{self, Transcript, Word};
use super::{Answer, Content, FIRST_PAUSE, Fields, Next, Turn, Vendor, longer, malformed, read};
use crate::error::{EncodeError, ErrorKind, UpstreamError};
use serde_json::{Value, json};

#[derive(Debug)]
pub struct AssemblyAi;

const BRING: u8 = 0;
const ORDER: u8 = 1;
const ASK: u8 = 2;

const TRANSCRIPT: &str = "/transcript";
const MILLIS: f64 = 1_000.0;

// === impl AssemblyAi ===

impl Vendor for AssemblyAi {
    fn begin(&self, asked: &Fields, path: &str) -> Result<Turn, EncodeError> {
        transcript::check(asked)?;
        Ok(Turn::post(path, Content::File))
    }

    fn next(&self, asked: &Fields, turn: &Turn, answer: &Answer<'_>) -> Result<Next, UpstreamError> {
        let told = read(answer)?;
        match turn.step {
            BRING => order(asked, &told),
            ORDER => {
                let id = told["id"]
                    .as_str()
                    .ok_or_else(|| malformed("the provider took no order"))?;
                let ask = Turn::get(format!("{TRANSCRIPT}/{}", escaped(id)));
                Ok(Next::Turn(ask.step(ASK, FIRST_PAUSE)))
            }
            _ => match told["status"].as_str() {
                Some("completed") => Ok(Next::Done(heard(asked, &told)?.written(asked))),
                Some("queued" | "processing") => Ok(Next::Turn(turn.clone().step(ASK, longer(turn.after)))),
                Some("error") => {
                    // it is about the recording, which no other account would understand better
                    let why = told["error"]
                        .as_str()
                        .unwrap_or("the provider could not transcribe it");
                    Err(UpstreamError::new(ErrorKind::InvalidRequest, why))
                }
                _ => Err(malformed("the provider does not say how far it is")),
            },
        }
    }
}

fn order(asked: &Fields, told: &Value) -> Result<Next, UpstreamError> {
    let url = told["upload_url"]
        .as_str()
        .ok_or_else(|| malformed("the provider kept no recording"))?;
    let mut order = json!({ "audio_url": url, "speech_models": [asked.model] });
    match asked.text("language") {
        Some(language) => order["language_code"] = language.into(),
        None => order["language_detection"] = true.into(),
    }
    Ok(Next::Turn(
        Turn::json(TRANSCRIPT, &order).step(ORDER, std::time::Duration::ZERO),
    ))
}

fn heard(asked: &Fields, told: &Value) -> Result<Transcript, UpstreamError> {
    let text = told["text"]
        .as_str()
        .ok_or_else(|| malformed("the provider sent no transcript"))?;
    let words = told["words"].as_array().into_iter().flatten().filter_map(word);
    let language = told["language_code"].as_str().or(asked.text("language"));
    Ok(Transcript {
        text: text.to_owned(),
        language: language.map(str::to_owned),
        duration: told["audio_duration"].as_f64(),
        words: words.collect(),
    })
}

/// Times are in milliseconds here.
fn word(word: &Value) -> Option<Word> {
    Some(Word {
        text: word["text"].as_str()?.to_owned(),
        start: word["start"].as_f64()? / MILLIS,
        end: word["end"].as_f64()? / MILLIS,
    })
}

//! What the vendor offers beside chat: embeddings, images and their edits, moderations, speech, transcriptions; and rerank in Cohere's words, as
//! servers of this API offer it. As deterministic as the rest.

use super::check::Refusal;
use super::{FAILED, completions, envelope, service_events};
use crate::media::PNG;
use crate::received::Billed;
use crate::wire::{Frame, Framing, Reply};
use axum::response::{IntoResponse, Response};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Numbers of a vector, unless the request says how many.
const DIMENSIONS: u64 = 8;
/// Of a medium square image, as the vendor counts.
const TOKENS_OF_IMAGE: u64 = 272;
/// Samples of silence for each word, 8,000 to the second.
const SAMPLES_OF_WORD: usize = 400;
const SILENCE: u8 = 128;
const TOKENS_OF_WORD: u64 = 10;
const TOKENS_OF_SECOND: u64 = 10;
/// Models whose speech comes as a sound only.
const WITHOUT_EVENTS: [&str; 2] = ["tts-1", "tts-1-hd"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Completions,
    Embeddings,
    Images,
    Moderations,
    Rerank,
    Speech,
    Transcriptions,
    Translations,
    ImageEdits,
}

// === impl Service ===

impl Service {
    pub fn at(path: &str) -> Option<Self> {
        match path {
            "/v1/completions" => Some(Self::Completions),
            "/v1/embeddings" => Some(Self::Embeddings),
            "/v1/images/generations" => Some(Self::Images),
            "/v1/moderations" => Some(Self::Moderations),
            "/v1/rerank" => Some(Self::Rerank),
            "/v1/audio/speech" => Some(Self::Speech),
            "/v1/audio/transcriptions" => Some(Self::Transcriptions),
            "/v1/audio/translations" => Some(Self::Translations),
            "/v1/images/edits" => Some(Self::ImageEdits),
            _ => None,
        }
    }

    pub fn answer(self, body: &Value, mut reply: Reply) -> Response {
        if self == Self::Completions {
            return completions::answer(body, reply);
        }
        let answered = match self {
            Self::Completions => Err(Refusal::missing("prompt")),
            Self::Embeddings => embeddings(body),
            Self::Images => images("image_generation", body),
            Self::Moderations => moderations(body),
            Self::Rerank => rerank(body),
            Self::Speech => speech(body),
            Self::Transcriptions | Self::Translations => transcription(body),
            Self::ImageEdits => edit(body),
        };
        let (told, billed) = match answered {
            Ok(answered) => answered,
            Err(refusal) => {
                reply.exchange.finish();
                return refusal.response();
            }
        };
        match told {
            Told::Whole(response) => {
                reply.exchange.begin(&reply.id, billed);
                reply.exchange.sent(billed.output, 0);
                reply.exchange.finish();
                response
            }
            Told::Sound(pieces) => reply.sound("audio/wav", pieces, billed),
            Told::Events(frames) => {
                let failed = envelope(500, FAILED, None, None);
                reply.events(Framing::Events, frames, Frame::data(&failed, 0), billed)
            }
        }
    }
}

/// An answer, before it is sent.
enum Told {
    Whole(Response),
    Sound(Vec<Vec<u8>>),
    Events(Vec<Frame>),
}

type Answered = Result<(Told, Billed), Refusal>;

fn embeddings(body: &Value) -> Answered {
    let model = text(body, "model")?;
    let inputs = match &body["input"] {
        Value::String(input) => vec![input.clone()],
        Value::Array(inputs) if inputs.iter().all(Value::is_number) && !inputs.is_empty() => {
            vec![body["input"].to_string()]
        }
        Value::Array(inputs) if !inputs.is_empty() => inputs
            .iter()
            .map(|input| input.as_str().map_or_else(|| input.to_string(), str::to_owned))
            .collect(),
        other => return Err(Refusal::kind("input", "a string or an array", other)),
    };
    let dimensions = body["dimensions"].as_u64().unwrap_or(DIMENSIONS);
    let data = inputs.iter().enumerate().map(|(index, input)| {
        let vector = vector(input, dimensions);
        let embedding = match body["encoding_format"].as_str() {
            Some("base64") => {
                json!(BASE64_STANDARD.encode(Vec::from_iter(vector.iter().flat_map(|n| n.to_le_bytes()))))
            }
            _ => json!(vector),
        };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    });
    let tokens: u64 = inputs.iter().map(|input| words(input)).sum();
    let told = json!({
        "object": "list", "data": Vec::from_iter(data), "model": model,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    });
    Ok((json(told), input_of(tokens)))
}

fn images(about: &str, body: &Value) -> Answered {
    text(body, "model")?;
    let prompt = text(body, "prompt")?;
    let count = body["n"].as_u64().unwrap_or(1);
    let billed = Billed {
        output: count * TOKENS_OF_IMAGE,
        ..input_of(words(prompt))
    };
    if is_set(body, "stream") {
        return Ok((
            Told::Events(service_events::pictures(about, body, count, billed)),
            billed,
        ));
    }
    let image = json!({ "b64_json": PNG, "revised_prompt": prompt });
    let Billed { input, output, .. } = billed;
    let told = json!({
        "created": 1_700_000_000, "data": vec![image; usize::try_from(count).unwrap_or(1)],
        "usage": { "input_tokens": input, "output_tokens": output, "total_tokens": input + output },
    });
    Ok((json(told), billed))
}

fn moderations(body: &Value) -> Answered {
    let inputs = match &body["input"] {
        Value::String(_) => 1,
        Value::Array(inputs) if !inputs.is_empty() => inputs.len(),
        other => return Err(Refusal::kind("input", "a string or an array", other)),
    };
    let result = json!({
        "flagged": false, "categories": { "violence": false }, "category_scores": { "violence": 0.0 },
        "category_applied_input_types": { "violence": ["text"] },
    });
    let told = json!({ "id": "modr-demo", "model": body["model"], "results": vec![result; inputs] });
    Ok((json(told), Billed::default()))
}

/// The more words of the question a document has, the better.
fn rerank(body: &Value) -> Answered {
    text(body, "model")?;
    let query: HashSet<&str> = text(body, "query")?.split_whitespace().collect();
    let Some(documents) = body["documents"].as_array().filter(|all| !all.is_empty()) else {
        return Err(Refusal::kind("documents", "an array", &body["documents"]));
    };
    let mut scored = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let words = document
            .as_str()
            .or(document["text"].as_str())
            .unwrap_or_default();
        let shared = words
            .split_whitespace()
            .filter(|word| query.contains(word))
            .count();
        scored.push((index, shared as f64 / query.len() as f64));
    }
    scored.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let most = body["top_n"].as_u64().and_then(|most| usize::try_from(most).ok());
    let results = scored
        .iter()
        .take(most.unwrap_or(documents.len()))
        .map(|(index, score)| json!({ "index": index, "relevance_score": score }));
    let told = json!({
        "id": "rerank-demo", "results": Vec::from_iter(results),
        "meta": { "api_version": { "version": "2" }, "billed_units": { "search_units": 1 } },
    });
    Ok((json(told), Billed::default()))
}

/// Silence, the longer the more there is to say: a piece for each word.
fn speech(body: &Value) -> Answered {
    let model = text(body, "model")?;
    let words = words(text(body, "input")?).max(1);
    let count = usize::try_from(words).unwrap_or(0);
    let samples = count * SAMPLES_OF_WORD;
    let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    let mut wave = Vec::with_capacity(44 + SAMPLES_OF_WORD);
    wave.extend_from_slice(b"RIFF");
    wave.extend_from_slice(&size(36 + samples));
    wave.extend_from_slice(b"WAVEfmt ");
    wave.extend_from_slice(&size(16));
    // one channel of 8 bits a sample, 8,000 of them a second
    wave.extend_from_slice(&[1, 0, 1, 0]);
    wave.extend_from_slice(&size(8_000));
    wave.extend_from_slice(&size(8_000));
    wave.extend_from_slice(&[1, 0, 8, 0]);
    wave.extend_from_slice(b"data");
    wave.extend_from_slice(&size(samples));
    let silence = vec![SILENCE; SAMPLES_OF_WORD];
    let mut pieces = vec![silence; count];
    pieces[0].splice(0..0, wave);
    if body["stream_format"] != "sse" {
        return Ok((Told::Sound(pieces), Billed::default()));
    }
    if WITHOUT_EVENTS.contains(&model) {
        let message = "Streaming in events is not supported for this model.".to_owned();
        return Err(Refusal::new("stream_format", message));
    }
    let billed = Billed {
        output: words * TOKENS_OF_WORD,
        ..input_of(words)
    };
    Ok((Told::Events(service_events::speech(&pieces, billed)), billed))
}

/// Hears how long a recording is, a word for each kilobyte.
fn transcription(body: &Value) -> Answered {
    text(body, "model")?;
    let Some(size) = body["file"]["bytes"].as_u64() else {
        return Err(Refusal::kind("file", "a file", &body["file"]));
    };
    let (words, seconds) = (1 + size / 1024, 1 + size / 16_000);
    let heard = format!("I heard {words} words in {}.", body["file"]["filename"]);
    let usage = json!({ "type": "duration", "seconds": seconds });
    // the vendor's oldest model does not, and takes no notice
    if is_set(body, "stream") && body["model"] != "whisper-1" {
        let billed = Billed {
            output: words,
            ..input_of(seconds * TOKENS_OF_SECOND)
        };
        return Ok((Told::Events(service_events::transcript(&heard, billed)), billed));
    }
    let response = match body["response_format"].as_str().unwrap_or("json") {
        "json" => axum::Json(json!({ "text": heard, "usage": usage })).into_response(),
        "verbose_json" => {
            let segment = json!({ "id": 0, "start": 0.0, "end": seconds, "text": heard });
            let whole = json!({
                "task": "transcribe", "language": "english", "duration": seconds, "text": heard,
                "segments": [segment], "usage": usage,
            });
            axum::Json(whole).into_response()
        }
        "text" => heard.into_response(),
        "srt" => format!("1\n00:00:00,000 --> 00:00:{seconds:02},000\n{heard}\n").into_response(),
        "vtt" => format!("WEBVTT\n\n00:00.000 --> 00:{seconds:02}.000\n{heard}\n").into_response(),
        _ => {
            let wanted = "one of json, text, srt, verbose_json, vtt";
            return Err(Refusal::kind("response_format", wanted, &body["response_format"]));
        }
    };
    Ok((Told::Whole(response), Billed::default()))
}

fn edit(body: &Value) -> Answered {
    let first = match &body["image[]"] {
        Value::Array(images) => &images[0],
        _ => &body["image"],
    };
    if !first["bytes"].is_u64() {
        return Err(Refusal::kind("image", "a file", first));
    }
    images("image_edit", body)
}

/// The same for the same text, and of length one.
fn vector(text: &str, dimensions: u64) -> Vec<f32> {
    let mut state: u64 = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut numbers = Vec::new();
    for _ in 0..dimensions {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        numbers.push(f32::from(u16::try_from(state >> 48).unwrap_or(0)) / f32::from(u16::MAX) - 0.5);
    }
    let length = numbers.iter().map(|number| number * number).sum::<f32>().sqrt();
    numbers.iter().map(|number| number / length).collect()
}

fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    body[name]
        .as_str()
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Refusal::kind(name, "a string", &body[name]))
}

/// Fields of forms are texts.
fn is_set(body: &Value, name: &str) -> bool {
    body[name] == true || body[name] == "true"
}

fn json(told: Value) -> Told {
    Told::Whole(axum::Json(told).into_response())
}

fn words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

fn input_of(tokens: u64) -> Billed {
    Billed {
        input: tokens,
        ..Billed::default()
    }
}

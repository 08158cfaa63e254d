//! Answers about pictures, speech and recordings in events, as the vendor streams them.

use crate::media::PNG;
use crate::received::Billed;
use crate::wire::Frame;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

/// A sound, piece by piece.
pub fn speech(pieces: &[Vec<u8>], billed: Billed) -> Vec<Frame> {
    let deltas = pieces.iter().map(|piece| {
        let audio = BASE64_STANDARD.encode(piece);
        Frame::data(&json!({ "type": "speech.audio.delta", "audio": audio }), 0)
    });
    let mut frames: Vec<Frame> = deltas.collect();
    let total = billed.input + billed.output;
    let usage =
        json!({ "input_tokens": billed.input, "output_tokens": billed.output, "total_tokens": total });
    let done = json!({ "type": "speech.audio.done", "usage": usage });
    frames.push(Frame::data(&done, billed.output));
    frames
}

/// Each picture, after as many earlier states of it as are asked for. `about` is `image_generation` or `image_edit`.
pub fn pictures(about: &str, body: &Value, count: u64, billed: Billed) -> Vec<Frame> {
    let number = |name: &str| match &body[name] {
        Value::String(text) => text.parse().ok(),
        number => number.as_u64(),
    };
    let text = |name: &str, default: &str| body[name].as_str().unwrap_or(default).to_owned();
    let looks = json!({
        "b64_json": PNG, "background": "opaque", "created_at": 1_700_000_000, "output_format": "png",
        "quality": text("quality", "medium"), "size": text("size", "1024x1024"),
    });
    let event = |state: &str| {
        let mut event = looks.clone();
        event["type"] = json!(format!("{about}.{state}"));
        event
    };
    let mut frames = Vec::new();
    for picture in 1..=count {
        for index in 0..number("partial_images").unwrap_or(0) {
            let mut partial = event("partial_image");
            partial["partial_image_index"] = json!(index);
            frames.push(Frame::data(&partial, billed.output * (picture - 1) / count));
        }
        let mut completed = event("completed");
        completed["usage"] = json!({
            "input_tokens": billed.input, "output_tokens": billed.output,
            "total_tokens": billed.input + billed.output,
            "input_tokens_details": { "image_tokens": 0, "text_tokens": billed.input },
        });
        frames.push(Frame::data(&completed, billed.output * picture / count));
    }
    frames
}

/// What was heard, word by word.
pub fn transcript(heard: &str, billed: Billed) -> Vec<Frame> {
    let words = heard.split_inclusive(' ').zip(1..);
    let mut frames: Vec<Frame> = words
        .map(|(word, output)| Frame::data(&json!({ "type": "transcript.text.delta", "delta": word }), output))
        .collect();
    let usage = json!({
        "type": "tokens", "input_tokens": billed.input, "output_tokens": billed.output,
        "total_tokens": billed.input + billed.output,
        "input_token_details": { "audio_tokens": billed.input, "text_tokens": 0 },
    });
    let done = json!({ "type": "transcript.text.done", "text": heard, "usage": usage });
    frames.push(Frame::data(&done, billed.output));
    frames
}

//! Deepgram: a recording as the body of one call, and speech from a text.
//!
//! <https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded>
//! <https://developers.deepgram.com/reference/text-to-speech/speak-request>

use super::fields::escaped;
use super::transcript::{self, Transcript, Word};
use super::{Answer, Content, Fields, Next, Turn, Vendor, malformed, read, refused};
use crate::error::{EncodeError, UpstreamError};
use serde_json::{Value, json};

#[derive(Debug)]
pub struct Listen;

#[derive(Debug)]
pub struct Speak;

/// What OpenAI calls a format, and how this vendor is asked for it.
const SOUNDS: [(&str, &str); 6] = [
    ("mp3", "encoding=mp3"),
    ("opus", "encoding=opus&container=ogg"),
    ("aac", "encoding=aac"),
    ("flac", "encoding=flac"),
    ("wav", "encoding=linear16&container=wav"),
    ("pcm", "encoding=linear16&container=none"),
];

// === impl Listen ===

impl Vendor for Listen {
    fn begin(&self, asked: &Fields, path: &str) -> Result<Turn, EncodeError> {
        transcript::check(asked)?;
        let language = match asked.text("language") {
            Some(language) => format!("language={}", escaped(language)),
            None => "detect_language=true".to_owned(),
        };
        let path = format!(
            "{path}?model={}&smart_format=true&{language}",
            escaped(&asked.model)
        );
        Ok(Turn::post(path, Content::File))
    }

    fn next(&self, asked: &Fields, _: &Turn, answer: &Answer<'_>) -> Result<Next, UpstreamError> {
        let told = read(answer)?;
        let channel = &told["results"]["channels"][0];
        let heard = &channel["alternatives"][0];
        let text = heard["transcript"].as_str();
        let text = text.ok_or_else(|| malformed("the provider sent no transcript"))?;
        let words = heard["words"].as_array().into_iter().flatten().filter_map(word);
        let language = channel["detected_language"].as_str().or(asked.text("language"));
        let transcript = Transcript {
            text: text.to_owned(),
            language: language.map(str::to_owned),
            duration: told["metadata"]["duration"].as_f64(),
            words: words.collect(),
        };
        Ok(Next::Done(transcript.written(asked)))
    }
}

// === impl Speak ===

impl Vendor for Speak {
    /// The voice is part of the model's name.
    fn begin(&self, asked: &Fields, path: &str) -> Result<Turn, EncodeError> {
        asked.without_events("stream_format")?;
        let wanted = asked.text("response_format").unwrap_or(SOUNDS[0].0);
        let sound = SOUNDS.iter().find(|(format, _)| *format == wanted);
        let (_, sound) = sound.ok_or_else(|| refused("response_format", "unknown to this provider"))?;
        let path = format!("{path}?model={}&{sound}", escaped(&asked.model));
        Ok(Turn::json(path, &json!({ "text": asked.get("input") })))
    }

    fn next(&self, _: &Fields, _: &Turn, _: &Answer<'_>) -> Result<Next, UpstreamError> {
        Err(malformed("the provider answered without a sound"))
    }

    fn passes_on(&self, _: &Turn) -> bool {
        true
    }
}

fn word(word: &Value) -> Option<Word> {
    let text = word["punctuated_word"].as_str().or(word["word"].as_str())?;
    Some(Word {
        text: text.to_owned(),
        start: word["start"].as_f64()?,
        end: word["end"].as_f64()?,
    })
}

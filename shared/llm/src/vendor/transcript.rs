//! What was heard, in each of the formats of OpenAI's transcriptions.
//!
//! <https://platform.openai.com/docs/api-reference/audio/createTranscription>

use super::{Done, Fields, JSON, refused};
use crate::error::EncodeError;
use crate::usage::Usage;
use crate::work::{Grounds, Units, Work};
use serde_json::{Map, Value, json};
use std::fmt::Write;

const PLAIN: &str = "text/plain; charset=utf-8";
const FORMATS: [&str; 5] = ["json", "verbose_json", "text", "srt", "vtt"];
/// Of a segment that is made of words: about a line of subtitles.
const LONGEST_SEGMENT: f64 = 6.0;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transcript {
    pub text: String,
    pub language: Option<String>,
    /// In seconds, as everything here.
    pub duration: Option<f64>,
    pub words: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    pub text: String,
    pub start: f64,
    pub end: f64,
}

struct Segment {
    text: String,
    start: f64,
    end: f64,
}

/// Refuses what no transcript can be written as.
pub fn check(asked: &Fields) -> Result<(), EncodeError> {
    let format = asked.text("response_format").unwrap_or(FORMATS[0]);
    if !FORMATS.contains(&format) {
        let message = format!(
            "response_format must be one of {} for this model",
            FORMATS.join(", ")
        );
        return Err(refused("response_format", message));
    }
    match asked.get("stream") {
        Value::Null | Value::Bool(false) => Ok(()),
        Value::String(text) if text == "false" => Ok(()),
        _ => Err(refused(
            "stream",
            "this model transcribes a recording as a whole: leave stream out",
        )),
    }
}

// === impl Transcript ===

impl Transcript {
    pub fn written(&self, asked: &Fields) -> Done {
        let (media_type, body) = match asked.text("response_format") {
            Some("text") => (PLAIN, format!("{}\n", self.text)),
            Some("srt") => (PLAIN, self.srt()),
            Some("vtt") => (PLAIN, self.vtt()),
            Some("verbose_json") => (JSON, self.verbose(asked).to_string()),
            _ => (JSON, Value::Object(self.brief()).to_string()),
        };
        Done {
            body: body.into(),
            media_type: media_type.to_owned(),
            usage: Usage::default(),
            work: self.duration.and_then(millis).map(|audio_ms| Work {
                units: Units {
                    audio_ms,
                    ..Units::default()
                },
                grounds: Grounds::Told,
                ..Work::default()
            }),
        }
    }

    fn brief(&self) -> Map<String, Value> {
        let brief = json!({
            "text": self.text, "task": "transcribe", "language": self.language, "duration": self.duration,
        });
        match brief {
            Value::Object(brief) => brief,
            _ => Map::new(),
        }
    }

    fn verbose(&self, asked: &Fields) -> Value {
        let mut whole = self.brief();
        let segments = self.segments().into_iter().enumerate().map(|(id, segment)| {
            json!({ "id": id, "start": segment.start, "end": segment.end, "text": segment.text })
        });
        whole.insert("segments".to_owned(), segments.collect());
        let wanted = asked
            .list("timestamp_granularities[]")
            .iter()
            .chain(asked.list("timestamp_granularities"));
        if wanted.into_iter().any(|wanted| wanted == "word") {
            let words = self.words.iter();
            let words = words.map(|word| json!({ "word": word.text, "start": word.start, "end": word.end }));
            whole.insert("words".to_owned(), words.collect());
        }
        Value::Object(whole)
    }

    fn srt(&self) -> String {
        let mut out = String::new();
        for (number, segment) in self.segments().iter().enumerate() {
            let (start, end) = (stamp(segment.start, ','), stamp(segment.end, ','));
            let _ = write!(out, "{}\n{start} --> {end}\n{}\n\n", number + 1, segment.text);
        }
        out
    }

    fn vtt(&self) -> String {
        let mut out = "WEBVTT\n\n".to_owned();
        for segment in self.segments() {
            let (start, end) = (stamp(segment.start, '.'), stamp(segment.end, '.'));
            let _ = write!(out, "{start} --> {end}\n{}\n\n", segment.text);
        }
        out
    }

    /// Words in lines; where no words are told, all of it in one.
    fn segments(&self) -> Vec<Segment> {
        let mut segments: Vec<Segment> = Vec::new();
        for word in &self.words {
            match segments.last_mut() {
                Some(last) if !ends_sentence(&last.text) && word.end - last.start <= LONGEST_SEGMENT => {
                    last.text.push(' ');
                    last.text.push_str(&word.text);
                    last.end = word.end;
                }
                _ => segments.push(Segment {
                    text: word.text.clone(),
                    start: word.start,
                    end: word.end,
                }),
            }
        }
        if segments.is_empty() && !self.text.is_empty() {
            segments.push(Segment {
                text: self.text.clone(),
                start: 0.0,
                end: self.duration.unwrap_or_default(),
            });
        }
        segments
    }
}

fn ends_sentence(text: &str) -> bool {
    text.ends_with(['.', '!', '?', '。', '！', '？'])
}

fn stamp(seconds: f64, point: char) -> String {
    let millis = millis(seconds).unwrap_or(0);
    let (seconds, millis) = (millis / 1_000, millis % 1_000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    format!(
        "{:02}:{:02}:{seconds:02}{point}{millis:03}",
        minutes / 60,
        minutes % 60
    )
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is no duration is sorted out before"
)]
fn millis(seconds: f64) -> Option<u64> {
    (0.0..1e12)
        .contains(&seconds)
        .then(|| (seconds * 1_000.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard() -> Transcript {
        let word = |text: &str, start, end| Word {
            text: text.to_owned(),
            start,
            end,
        };
        Transcript {
            text: "Good day. And bye".to_owned(),
            language: Some("en".to_owned()),
            duration: Some(3_661.5),
            words: vec![
                word("Good", 0.0, 0.5),
                word("day.", 0.5, 1.0),
                word("And", 3_660.0, 3_660.5),
                word("bye", 3_660.5, 3_661.25),
            ],
        }
    }

    fn written(format: &str) -> String {
        let body = json!({ "response_format": format, "timestamp_granularities[]": ["word"] });
        let asked = Fields::read("m", body.to_string().as_bytes()).unwrap();
        check(&asked).unwrap();
        String::from_utf8(heard().written(&asked).body.to_vec()).unwrap()
    }

    #[test]
    fn every_format_says_what_was_heard_and_when() {
        assert_eq!(written("text"), "Good day. And bye\n");
        assert_eq!(
            written("srt"),
            "1\n00:00:00,000 --> 00:00:01,000\nGood day.\n\n2\n01:01:00,000 --> 01:01:01,250\nAnd bye\n\n"
        );
        assert_eq!(
            written("vtt"),
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nGood day.\n\n01:01:00.000 --> 01:01:01.250\nAnd bye\n\n"
        );
        let brief: Value = serde_json::from_str(&written("json")).unwrap();
        let expected = json!({ "text": "Good day. And bye", "task": "transcribe", "language": "en", "duration": 3_661.5 });
        assert_eq!(brief, expected);
        let whole: Value = serde_json::from_str(&written("verbose_json")).unwrap();
        assert_eq!(whole["segments"][1]["text"], "And bye");
        assert_eq!(
            whole["words"][3],
            json!({ "word": "bye", "start": 3_660.5, "end": 3_661.25 })
        );
    }

    #[test]
    fn what_no_transcript_can_be_is_refused() {
        for (body, field) in [
            (json!({ "response_format": "diarized_json" }), "response_format"),
            (json!({ "stream": "true" }), "stream"),
        ] {
            let asked = Fields::read("m", body.to_string().as_bytes()).unwrap();
            assert_eq!(check(&asked).unwrap_err().param.as_deref(), Some(field));
        }
    }
}

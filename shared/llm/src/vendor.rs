//! Vendors that are asked in words of their own for what is no chat. Clients speak OpenAI's all the same.
//!
//! A vendor is a conversation of turns: what is sent first, and after each answer what is sent next, until there is one
//! for the client. Most are over after the first. Nothing here waits or calls: whoever does is told how long and where.

mod assemblyai;
mod deepgram;
mod fields;
mod gemini_embeddings;
mod gemini_images;
mod hyperbolic;
mod nanobanana;
mod nvidia_ranking;
mod transcript;

pub use fields::Fields;

use crate::error::{EncodeError, ErrorKind, UpstreamError};
use crate::usage::Usage;
use crate::work::Work;
use bytes::Bytes;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// Whose words a service of a provider is asked for in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Words {
    /// OpenAI's, and Cohere's for rerank: what clients send is passed on.
    #[default]
    OpenAi,
    AssemblyAi,
    DeepgramListen,
    DeepgramSpeak,
    GeminiEmbeddings,
    GeminiImages,
    HyperbolicImages,
    HyperbolicSpeech,
    NanoBanana,
    NvidiaRanking,
}

pub trait Vendor: Sync + fmt::Debug {
    /// What is sent first; `path` is the service's. Refuses by its name what the vendor cannot be asked for and the
    /// client would miss.
    fn begin(&self, asked: &Fields, path: &str) -> Result<Turn, EncodeError>;

    /// What comes after the answer to a turn, which is not an error by its status.
    fn next(&self, asked: &Fields, turn: &Turn, answer: &Answer<'_>) -> Result<Next, UpstreamError>;

    /// The answer to a turn is a sound that need not be read: the client gets it as it comes.
    fn passes_on(&self, turn: &Turn) -> bool {
        let _ = turn;
        false
    }
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Which of the vendor's it is; the first is 0.
    pub step: u8,
    pub method: Method,
    /// Appended to the base URL.
    pub path: String,
    pub content: Content,
    /// To wait before it is made.
    pub after: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    None,
    Json(Bytes),
    /// The file that the client sent, as it is.
    File,
}

/// Of a provider.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    pub media_type: Option<&'a str>,
    pub body: &'a Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    Turn(Turn),
    /// For the client.
    Done(Done),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    pub body: Bytes,
    pub media_type: String,
    pub usage: Usage,
    /// Where the vendor knows better than the request.
    pub work: Option<Work>,
}

const JSON: &str = "application/json";

// === impl Words ===

impl Words {
    /// None for those that are passed on.
    pub fn vendor(self) -> Option<&'static dyn Vendor> {
        match self {
            Self::OpenAi => None,
            Self::AssemblyAi => Some(&assemblyai::AssemblyAi),
            Self::DeepgramListen => Some(&deepgram::Listen),
            Self::DeepgramSpeak => Some(&deepgram::Speak),
            Self::GeminiEmbeddings => Some(&gemini_embeddings::GeminiEmbeddings),
            Self::GeminiImages => Some(&gemini_images::GeminiImages),
            Self::HyperbolicImages => Some(&hyperbolic::Images),
            Self::HyperbolicSpeech => Some(&hyperbolic::Speech),
            Self::NanoBanana => Some(&nanobanana::NanoBanana),
            Self::NvidiaRanking => Some(&nvidia_ranking::NvidiaRanking),
        }
    }
}

// === impl Turn ===

impl Turn {
    fn post(path: impl Into<String>, content: Content) -> Self {
        Self {
            step: 0,
            method: Method::Post,
            path: path.into(),
            content,
            after: Duration::ZERO,
        }
    }

    fn json(path: impl Into<String>, body: &Value) -> Self {
        Self::post(path, Content::Json(body.to_string().into()))
    }

    fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::Get,
            ..Self::post(path, Content::None)
        }
    }

    fn step(self, step: u8, after: Duration) -> Self {
        Self { step, after, ..self }
    }
}

// === impl Done ===

impl Done {
    fn json(body: &Value, usage: Usage, work: Option<Work>) -> Self {
        Self {
            body: body.to_string().into(),
            media_type: JSON.to_owned(),
            usage,
            work,
        }
    }
}

/// The longest pause of somebody who asks again and again.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The pause after one, of somebody who waits for a task.
fn longer(pause: Duration) -> Duration {
    (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE)
}

fn read(answer: &Answer<'_>) -> Result<Value, UpstreamError> {
    serde_json::from_slice(answer.body).map_err(|_| malformed("the provider sent a reply that is not JSON"))
}

fn malformed(message: &str) -> UpstreamError {
    UpstreamError::new(ErrorKind::MalformedUpstream, message)
}

fn refused(field: &str, message: impl Into<String>) -> EncodeError {
    EncodeError {
        message: message.into(),
        param: Some(field.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_JSON: [Words; 8] = [
        Words::AssemblyAi,
        Words::DeepgramListen,
        Words::GeminiEmbeddings,
        Words::GeminiImages,
        Words::HyperbolicImages,
        Words::HyperbolicSpeech,
        Words::NanoBanana,
        Words::NvidiaRanking,
    ];

    #[test]
    fn what_is_no_answer_of_a_vendor_is_an_error_at_every_step() {
        let asked = br#"{"input":"a","prompt":"p","query":"q","documents":["d"]}"#;
        let asked = Fields::read("m", asked).unwrap();
        for words in OF_JSON {
            let vendor = words.vendor().unwrap();
            let first = vendor.begin(&asked, "/path").unwrap();
            assert_eq!((first.step, first.method), (0, Method::Post), "{words:?}");
            for step in 0..3 {
                let turn = Turn {
                    step,
                    ..first.clone()
                };
                for body in [
                    "",
                    "null",
                    "7",
                    "[]",
                    "{}",
                    "<html>",
                    r#"{"embeddings":[],"rankings":[{"index":9,"logit":1}],"images":[{}],"audio":"?","results":{"channels":[]}}"#,
                    r#"{"candidates":[{"content":{"parts":[{"text":"no"}]}}],"data":{"successFlag":1,"response":{}}}"#,
                ] {
                    let answer = Answer {
                        media_type: None,
                        body: &Bytes::from_static(body.as_bytes()),
                    };
                    let next = vendor.next(&asked, &turn, &answer);
                    assert!(next.is_err(), "{words:?} took {body} at {step}: {next:?}");
                }
            }
        }
        assert!(Words::OpenAi.vendor().is_none());
    }

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let mut pauses = vec![Duration::ZERO];
        for _ in 0..6 {
            pauses.push(longer(pauses[pauses.len() - 1]));
        }
        let millis: Vec<u128> = pauses.iter().map(Duration::as_millis).collect();
        assert_eq!(millis, [0, 250, 500, 1_000, 2_000, 2_000, 2_000]);
    }
}

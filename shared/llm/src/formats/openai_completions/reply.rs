//! An answer as a text: written from a model's, or as a provider of completions wrote it.

use super::reason;
use crate::error::{ErrorKind, UpstreamError, classify_in_band};
use crate::finish::FinishReason;
use crate::format::ReplySeed;
use crate::formats::openai_chat::usage::UsageReport;
use crate::formats::openai_chat::{finish, wire::Chunk};
use crate::reply::{Choice, Reply, ReplyPart};
use crate::translate::Progress;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

/// A whole answer, or a piece of a streamed one.
#[derive(Serialize)]
pub struct TextCompletion<'a> {
    pub id: &'a str,
    pub object: &'static str,
    pub created: u64,
    pub model: &'a str,
    pub choices: Vec<TextChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Option<UsageReport>>,
}

#[derive(Serialize)]
pub struct TextChoice<'a> {
    pub index: u32,
    pub text: &'a str,
    pub logprobs: Option<()>,
    pub finish_reason: Option<&'static str>,
}

pub const OBJECT: &str = "text_completion";

/// What a model says to the client that asked for a text. What it thought has no place in it.
pub fn encode(reply: &Reply, seed: &ReplySeed) -> Vec<u8> {
    let texts: Vec<String> = reply.choices.iter().map(said).collect();
    let choices = reply
        .choices
        .iter()
        .zip(&texts)
        .zip(0..)
        .map(|((choice, text), index)| {
            let finish = choice.finish.as_ref();
            TextChoice {
                index,
                text,
                logprobs: None,
                finish_reason: Some(reason(finish.map_or(FinishReason::Stop, |finish| finish.reason))),
            }
        });
    let completion = TextCompletion {
        id: &format!("cmpl-{}", seed.id),
        object: OBJECT,
        created: seed.created,
        model: &seed.model,
        choices: choices.collect(),
        usage: (!reply.usage.is_absent()).then(|| Some(UsageReport::of(&reply.usage))),
    };
    serde_json::to_vec(&completion).expect("every map key is a string")
}

/// Takes note of an answer that is passed on, once it is known to be one.
pub fn observe(body: &[u8], progress: &mut Progress) -> Result<(), UpstreamError> {
    let Ok(told) = serde_json::from_slice::<Chunk<'_>>(body) else {
        let message = "upstream sent a reply that is no completion";
        return Err(UpstreamError::new(ErrorKind::MalformedUpstream, message));
    };
    let Some(choices) = told.choices.as_deref().filter(|choices| !choices.is_empty()) else {
        let told: Value = serde_json::from_slice(body).unwrap_or_default();
        return Err(match told.get("error").is_some_and(|error| !error.is_null()) {
            true => classify_in_band(&told),
            false => UpstreamError::new(
                ErrorKind::MalformedUpstream,
                "upstream sent JSON that is no completion",
            ),
        });
    };
    if let Some(usage) = &told.usage {
        progress.usage.merge(&usage.read());
    }
    progress.finish = choices[0].finish_reason.text().map(finish::read);
    (progress.started, progress.ended) = (true, true);
    Ok(())
}

/// A whole answer, for a client that asked for a stream: a piece of a stream looks the same.
pub fn replay(body: &[u8]) -> Bytes {
    let one_line: Vec<u8> = body
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    [b"data: ".as_slice(), &one_line, b"\n\ndata: [DONE]\n\n"]
        .concat()
        .into()
}

fn said(choice: &Choice) -> String {
    let parts = choice.parts.iter().filter_map(|part| match part {
        ReplyPart::Text { text, .. } | ReplyPart::Refusal(text) => Some(text.as_str()),
        ReplyPart::Reasoning { .. } | ReplyPart::RedactedReasoning(_) | ReplyPart::ToolCall(_) => None,
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_that_is_passed_on_is_accounted_and_one_that_is_none_is_an_error() {
        let mut progress = Progress::default();
        let whole = json!({ "object": "text_completion", "choices": [{ "text": "a", "finish_reason": "length",
            "logprobs": { "tokens": ["a"] }, "index": 0 }],
            "usage": { "prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4 } });
        observe(whole.to_string().as_bytes(), &mut progress).unwrap();
        assert_eq!(
            (progress.usage.input_total, progress.usage.output_total),
            (Some(3), Some(1))
        );
        assert_eq!(progress.finish.unwrap().reason, FinishReason::Length);
        for (body, kind) in [
            ("", ErrorKind::MalformedUpstream),
            (r#"{"choices":[]}"#, ErrorKind::MalformedUpstream),
            (
                r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#,
                ErrorKind::RateLimit,
            ),
        ] {
            let error = observe(body.as_bytes(), &mut Progress::default()).unwrap_err();
            assert_eq!(error.kind, kind, "{body}");
        }
    }

    #[test]
    fn a_whole_answer_is_a_stream_of_one_piece() {
        assert_eq!(
            replay(b"{\n \"choices\": []\r\n}"),
            "data: { \"choices\": []}\n\ndata: [DONE]\n\n"
        );
    }
}

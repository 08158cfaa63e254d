//! What the gateway reads of a whole reply that it passes on: enough to know that it is one and to account for it.
//!
//! A reply that leaves anything open (no usage, an error, no choice, an unknown shape) is decoded in full instead,
//! so the short way never decides anything the long way would decide otherwise.

use super::finish;
use super::usage::WireUsage;
use crate::finish::FinishReason;
use crate::translate::Progress;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Glimpse<'a> {
    error: Option<IgnoredAny>,
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
    #[serde(borrow)]
    usage: WireUsage<'a>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    error: Option<IgnoredAny>,
    #[serde(borrow)]
    finish_reason: Cow<'a, str>,
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    tool_calls: Option<Vec<IgnoredAny>>,
    function_call: Option<IgnoredAny>,
}

/// Whether the reply was understood; else nothing has been noted.
pub fn observe(body: &[u8], progress: &mut Progress) -> bool {
    let Ok(glimpse) = serde_json::from_slice::<Glimpse<'_>>(body) else {
        return false;
    };
    let usage = glimpse.usage.read();
    let [choice] = &glimpse.choices[..] else {
        return false;
    };
    let counted = usage.input_total.is_some() && usage.output_total.is_some();
    if glimpse.error.is_some() || choice.error.is_some() || !counted {
        return false;
    }
    let mut end = finish::read(&choice.finish_reason);
    if end.reason == FinishReason::Stop && choice.message.calls() {
        end.reason = FinishReason::ToolCalls;
    }
    progress.usage.merge(&usage);
    progress.finish = Some(end);
    (progress.started, progress.ended) = (true, true);
    true
}

// === impl Message ===

impl Message {
    fn calls(&self) -> bool {
        self.function_call.is_some() || self.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{self, Upstream};
    use crate::formats::openai_chat::OpenAiChat;
    use serde_json::{Value, json};

    fn reply(finish_reason: &str, message: Value) -> Vec<u8> {
        let reply = json!({
            "id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": null}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10,
                "prompt_tokens_details": {"cached_tokens": 4}},
        });
        reply.to_string().into_bytes()
    }

    #[test]
    fn the_short_way_says_what_the_long_way_says() {
        let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
        for body in [
            reply("stop", json!({"role": "assistant", "content": "hi"})),
            reply("length", json!({"role": "assistant", "content": "hi"})),
            reply(
                "tool_calls",
                json!({"role": "assistant", "content": null, "tool_calls": [call]}),
            ),
            reply(
                "stop",
                json!({"role": "assistant", "content": null, "tool_calls": [call]}),
            ),
            reply(
                "content_filter",
                json!({"role": "assistant", "content": "", "refusal": null}),
            ),
        ] {
            let (mut short, mut long) = (Progress::default(), Progress::default());
            assert!(observe(&body, &mut short), "{}", String::from_utf8_lossy(&body));
            format::observe(OpenAiChat.decode_reply(&body).unwrap(), &mut long).unwrap();
            assert_eq!(
                (short.usage, short.finish, short.ended),
                (long.usage, long.finish, long.ended)
            );
        }
    }

    #[test]
    fn what_leaves_anything_open_is_read_in_full() {
        let without = |name: &str| {
            let mut reply: Value = serde_json::from_slice(&reply("stop", json!({"content": "hi"}))).unwrap();
            reply.as_object_mut().unwrap().remove(name);
            reply.to_string()
        };
        let failed =
            r#"{"choices":[{"finish_reason":"error","message":{},"error":{"code":502}}],"usage":{}}"#;
        for body in [
            &without("usage"),
            &without("choices"),
            failed,
            "[]",
            "",
            r#"{"error":{"message":"no"}}"#,
        ] {
            assert!(!observe(body.as_bytes(), &mut Progress::default()), "{body}");
        }
    }
}

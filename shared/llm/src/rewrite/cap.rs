//! The longest answer that the administrators allow, over what the client asks for. A client that asks for less gets
//! less; one that says nothing gets the limit.

use super::splice::{Members, Splice, object};
use crate::caps::MaxTokensKey;
use crate::dialect::Dialect;
use crate::error::DecodeError;
use crate::head::Head;
use crate::request::Request;
use crate::translate::Target;
use bytes::Bytes;
use serde_json::value::RawValue;

/// The least that Anthropic's thinking takes.
/// <https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking>
const LEAST_THINKING: u64 = 1024;

/// Limits a request that is going to be translated.
pub(crate) fn apply(cap: u64, request: &mut Request) {
    request.max_output = Some(request.max_output.map_or(cap, |asked| asked.min(cap)));
}

/// The body for an upstream of the client's own dialect: every byte but the limit's stays.
pub(crate) fn spliced(cap: u64, body: &Bytes, target: &Target) -> Result<Bytes, DecodeError> {
    let head = Head::read(body)?;
    let mut splice = Splice::new(body);
    let mut root = Members::of(&head);
    match target.dialect {
        Dialect::OpenAiChat => {
            let sent = ["max_completion_tokens", "max_tokens"].map(|name| (name, head.get(name)));
            for (name, value) in sent {
                if let Some(value) = value {
                    root.set(name, lower(cap, Some(value)));
                }
            }
            if sent.iter().all(|(_, value)| value.is_none()) {
                let name = match target.caps.max_tokens_key {
                    MaxTokensKey::MaxTokens => "max_tokens",
                    MaxTokensKey::MaxCompletionTokens => "max_completion_tokens",
                };
                root.set(name, cap.to_string());
            }
        }
        Dialect::OpenAiResponses => root.set("max_output_tokens", lower(cap, head.get("max_output_tokens"))),
        Dialect::AnthropicMessages => {
            root.set("max_tokens", lower(cap, head.get("max_tokens")));
            if let Some(thinking) = head.get("thinking") {
                shorten(cap, thinking, &mut splice);
            }
        }
        Dialect::Gemini => {
            let names = ["generationConfig", "generation_config"];
            let fields = ["maxOutputTokens", "max_output_tokens"];
            nested(cap, &head, &names, &fields, &mut root, &mut splice);
        }
        Dialect::OllamaChat => nested(cap, &head, &["options"], &["num_predict"], &mut root, &mut splice),
        // no client's bytes are passed on to it
        Dialect::BedrockConverse => {}
    }
    root.finish(&mut splice);
    Ok(splice.into_bytes())
}

/// The longest answer that a client asks for, and how many of them.
pub(crate) fn asked(dialect: Dialect, body: &[u8]) -> (Option<u64>, u64) {
    let Ok(head) = Head::read(body) else {
        return (None, 1);
    };
    let first =
        |head: &Head<'_>, names: &[&str]| names.iter().find_map(|name| head.get(name).and_then(number));
    let inner = |names: &[&str]| names.iter().find_map(|name| head.get(name).and_then(object));
    let (longest, choices) = match dialect {
        Dialect::OpenAiChat => (
            first(&head, &["max_completion_tokens", "max_tokens"]),
            first(&head, &["n"]),
        ),
        Dialect::OpenAiResponses => (first(&head, &["max_output_tokens"]), None),
        Dialect::AnthropicMessages => (first(&head, &["max_tokens"]), None),
        Dialect::Gemini => {
            let inner = inner(&["generationConfig", "generation_config"]);
            let of = |names: &[&str]| inner.as_ref().and_then(|inner| first(inner, names));
            (
                of(&["maxOutputTokens", "max_output_tokens"]),
                of(&["candidateCount", "candidate_count"]),
            )
        }
        Dialect::OllamaChat => (
            inner(&["options"]).and_then(|inner| first(&inner, &["num_predict"])),
            None,
        ),
        Dialect::BedrockConverse => (None, None),
    };
    (longest, choices.unwrap_or(1).max(1))
}

/// A member of an object inside the body, under whichever of its spellings the client used.
fn nested(
    cap: u64,
    head: &Head<'_>,
    names: &[&'static str],
    fields: &[&'static str],
    root: &mut Members<'_, '_>,
    splice: &mut Splice<'_>,
) {
    let sent = names.iter().find_map(|name| head.get(name).and_then(object));
    let Some(inner) = sent else {
        root.set(names[0], format!(r#"{{"{}":{cap}}}"#, fields[0]));
        return;
    };
    let field = fields
        .iter()
        .find(|field| inner.get(field).is_some())
        .unwrap_or(&fields[0]);
    let mut members = Members::of(&inner);
    members.set(field, lower(cap, inner.get(field)));
    members.finish(splice);
}

/// What is thought counts, so it has to leave room for an answer.
fn shorten(cap: u64, thinking: &RawValue, splice: &mut Splice<'_>) {
    let Some(inner) = object(thinking) else { return };
    let Some(budget) = inner.get("budget_tokens").and_then(number) else {
        return;
    };
    if budget < cap {
        return;
    }
    if cap <= LEAST_THINKING {
        splice.replace(thinking, r#"{"type":"disabled"}"#.to_owned());
        return;
    }
    let mut members = Members::of(&inner);
    members.set("budget_tokens", (cap / 2).max(LEAST_THINKING).to_string());
    members.finish(splice);
}

/// What is no number, or asks for no end, as Ollama's -1 does, is as good as nothing.
fn lower(cap: u64, sent: Option<&RawValue>) -> String {
    sent.and_then(number)
        .map_or(cap, |asked| asked.min(cap))
        .to_string()
}

fn number(value: &RawValue) -> Option<u64> {
    serde_json::from_str(value.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caps::ModelCaps;

    fn capped(dialect: Dialect, model: &str, body: &str) -> String {
        let target = Target {
            dialect,
            model: model.to_owned(),
            caps: ModelCaps::of(dialect, model),
        };
        let body = Bytes::copy_from_slice(body.as_bytes());
        String::from_utf8(spliced(100, &body, &target).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn every_dialect_has_its_own_place_for_the_limit_and_every_other_byte_stays() {
        use Dialect::{AnthropicMessages, Gemini, OllamaChat, OpenAiChat, OpenAiResponses};
        let table = [
            (
                OpenAiChat,
                "gpt-4o",
                r#"{"max_tokens": 500, "x":1}"#,
                r#"{"max_tokens": 100, "x":1}"#,
            ),
            (
                OpenAiChat,
                "gpt-4o",
                r#"{"max_tokens":50}"#,
                r#"{"max_tokens":50}"#,
            ),
            (
                OpenAiChat,
                "gpt-5",
                r#"{"max_completion_tokens":500}"#,
                r#"{"max_completion_tokens":100}"#,
            ),
            (
                OpenAiChat,
                "gpt-5",
                r#"{"x":1}"#,
                r#"{"max_completion_tokens":100,"x":1}"#,
            ),
            (
                OpenAiResponses,
                "gpt-5",
                r#"{"x":1}"#,
                r#"{"max_output_tokens":100,"x":1}"#,
            ),
            (
                OpenAiResponses,
                "gpt-5",
                r#"{"max_output_tokens":null}"#,
                r#"{"max_output_tokens":100}"#,
            ),
            (
                AnthropicMessages,
                "claude",
                r#"{"max_tokens":500}"#,
                r#"{"max_tokens":100}"#,
            ),
            (
                AnthropicMessages,
                "claude",
                r#"{"max_tokens":5000,"thinking":{"type":"enabled","budget_tokens":4000}}"#,
                r#"{"max_tokens":100,"thinking":{"type":"disabled"}}"#,
            ),
            (
                Gemini,
                "gemini",
                r#"{"x":1}"#,
                r#"{"generationConfig":{"maxOutputTokens":100},"x":1}"#,
            ),
            (
                Gemini,
                "gemini",
                r#"{"generation_config":{"max_output_tokens":500,"y":1}}"#,
                r#"{"generation_config":{"max_output_tokens":100,"y":1}}"#,
            ),
            (
                Gemini,
                "gemini",
                r#"{"generationConfig":{}}"#,
                r#"{"generationConfig":{"maxOutputTokens":100}}"#,
            ),
            (
                OllamaChat,
                "m",
                r#"{"options":{"num_predict":-1}}"#,
                r#"{"options":{"num_predict":100}}"#,
            ),
            (
                OllamaChat,
                "m",
                r#"{"x":1}"#,
                r#"{"options":{"num_predict":100},"x":1}"#,
            ),
        ];
        for (dialect, model, body, expected) in table {
            assert_eq!(capped(dialect, model, body), expected, "{body}");
        }
    }

    #[test]
    fn thinking_leaves_room_for_an_answer() {
        let target = Target {
            dialect: Dialect::AnthropicMessages,
            model: "claude".to_owned(),
            caps: ModelCaps::of(Dialect::AnthropicMessages, "claude"),
        };
        let body =
            Bytes::from_static(br#"{"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":8000}}"#);
        let expected = r#"{"max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":2000}}"#;
        assert_eq!(spliced(4000, &body, &target).unwrap(), expected);
    }
}

//! The registry of dialects: one folder and one line each.

pub mod anthropic_messages;
pub mod bedrock_converse;
pub mod gemini;
pub mod ollama_chat;
pub mod openai_chat;
pub mod openai_completions;
pub mod openai_responses;

use crate::dialect::Dialect;
use crate::format::{Format, Upstream};

/// Every dialect that clients speak; tests iterate over it, so that a new one is held to the same laws.
pub static ALL: &[&dyn Format] = &[
    &openai_chat::OpenAiChat,
    &openai_responses::OpenAiResponses,
    &anthropic_messages::AnthropicMessages,
    &gemini::Gemini,
    &ollama_chat::OllamaChat,
];

/// Every dialect that upstreams speak.
pub static UPSTREAMS: &[&dyn Upstream] = &[
    &openai_chat::OpenAiChat,
    &openai_responses::OpenAiResponses,
    &anthropic_messages::AnthropicMessages,
    &gemini::Gemini,
    &ollama_chat::OllamaChat,
    &bedrock_converse::BedrockConverse,
];

/// How clients of a dialect are understood and answered. Nobody is a client of an upstreams' dialect; who claims to
/// be one is refused, in OpenAI's words, as anybody is whose dialect is not known.
pub fn of(dialect: Dialect) -> &'static dyn Format {
    match dialect {
        Dialect::OpenAiChat | Dialect::BedrockConverse => &openai_chat::OpenAiChat,
        Dialect::OpenAiResponses => &openai_responses::OpenAiResponses,
        Dialect::Gemini => &gemini::Gemini,
        Dialect::AnthropicMessages => &anthropic_messages::AnthropicMessages,
        Dialect::OllamaChat => &ollama_chat::OllamaChat,
    }
}

/// How upstreams of a dialect are asked and understood.
pub fn upstream(dialect: Dialect) -> &'static dyn Upstream {
    match dialect {
        Dialect::OpenAiChat => &openai_chat::OpenAiChat,
        Dialect::OpenAiResponses => &openai_responses::OpenAiResponses,
        Dialect::Gemini => &gemini::Gemini,
        Dialect::AnthropicMessages => &anthropic_messages::AnthropicMessages,
        Dialect::OllamaChat => &ollama_chat::OllamaChat,
        Dialect::BedrockConverse => &bedrock_converse::BedrockConverse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, UpstreamError};
    use crate::event::{Event, EventKind, PartStart};
    use crate::finish::{Finish, FinishReason};
    use crate::format::{Framing, ReplySeed};

    #[test]
    fn every_format_is_registered_under_its_own_dialect() {
        for format in ALL {
            assert_eq!(of(format.dialect()).dialect(), format.dialect());
            assert!(format.dialect().is_for_clients());
        }
        for (format, dialect) in UPSTREAMS.iter().zip(Dialect::ALL) {
            assert_eq!(
                (format.dialect(), upstream(dialect).dialect()),
                (dialect, dialect)
            );
        }
    }

    /// Several SDKs split a stream's text there, and not only at line ends.
    #[test]
    fn no_stream_contains_what_a_client_may_take_for_a_line_end() {
        let hostile = "a\u{2028}b\u{2029}c\u{85}d\u{b}e\u{c}f";
        let delta = |part, text: String| EventKind::Delta { part, text };
        let part = |part, kind| EventKind::PartStart { part, kind };
        let call = PartStart::ToolCall {
            id: "call_1".to_owned(),
            name: "f".to_owned(),
            freeform: false,
        };
        let raw_arguments = "{\"a\":\"\u{2028}\u{2029}\u{85}\"}";
        let finish = Finish {
            reason: FinishReason::ToolCalls,
            native: "tool_calls".to_owned(),
            stop_sequence: None,
        };
        let start = EventKind::Start {
            id: "id".to_owned(),
            model: "n".to_owned(),
            created: None,
        };
        let events = [
            start,
            part(0, PartStart::Reasoning),
            delta(0, hostile.to_owned()),
            EventKind::PartStop { part: 0 },
            part(1, PartStart::Text),
            delta(1, hostile.to_owned()),
            EventKind::PartStop { part: 1 },
            part(2, call),
            delta(2, raw_arguments.to_owned()),
            EventKind::PartStop { part: 2 },
            EventKind::Finish(finish),
        ];
        for (format, framing) in ALL
            .iter()
            .flat_map(|format| [(format, Framing::Native), (format, Framing::JsonArray)])
        {
            let seed = ReplySeed {
                id: "0123456789abcdef0123456789abcdef".to_owned(),
                created: 1,
                model: hostile.to_owned(),
                include_usage: true,
                injected_usage: false,
                framing,
                request: None,
            };
            let mut encoder = format.stream_encoder(&seed);
            let mut out = Vec::new();
            for kind in &events {
                encoder.push(&Event::first(kind.clone()), &mut out);
            }
            let error = UpstreamError::new(ErrorKind::Overloaded, hostile).public("id");
            let mut failed = out.clone();
            format.stream_encoder(&seed).fail(&error, &mut failed);
            encoder.push(&Event::first(EventKind::End), &mut out);
            for stream in [out, failed] {
                let text = String::from_utf8(stream).unwrap();
                assert!(text.contains("\\u2028"), "{}: {text}", format.dialect());
                let found = text.find(['\u{2028}', '\u{2029}', '\u{85}', '\u{b}', '\u{c}']);
                assert_eq!(found, None, "{}: {text:?}", format.dialect());
            }
        }
    }
}

//! What a request asks a model for. Everything beside [`Kind::Chat`] has one dialect, OpenAI's, which the providers
//! that offer it share: such a request is passed on with the provider's own model in it, and so is its answer.
//!
//! Field names and errors from the API references: <https://platform.openai.com/docs/api-reference> for all but
//! rerank, which is <https://docs.cohere.com/reference/rerank>.

use crate::error::DecodeError;
use crate::head::Head;
use crate::usage::Usage;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Chat,
    /// A text that is gone on with: asked of a model that converses, it is a conversation of one message.
    Completion,
    Embedding,
    Image,
    /// A form that brings pictures; its answer is as that of [`Kind::Image`].
    ImageEdit,
    Moderation,
    Rerank,
    /// Its answer is sound, not JSON.
    Speech,
    /// A form that brings a recording; its answer is JSON or text, as it asks.
    Transcription,
    /// The same, into English.
    Translation,
}

/// What an answer says it took, in either of OpenAI's words or in Cohere's.
#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    usage: Option<Counted>,
    #[serde(default)]
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    tokens: Option<Counted>,
}

#[derive(Deserialize)]
struct Counted {
    #[serde(alias = "prompt_tokens")]
    input_tokens: Option<u64>,
    #[serde(alias = "completion_tokens")]
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

// === impl Kind ===

impl Kind {
    /// As it is written in listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completion => "completion",
            Self::Embedding => "embedding",
            Self::Image | Self::ImageEdit => "image",
            Self::Moderation => "moderation",
            Self::Rerank => "rerank",
            Self::Speech => "audio-speech",
            Self::Transcription | Self::Translation => "audio-transcription",
        }
    }

    /// In a sentence: "… offers no embeddings".
    pub fn plural(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completion => "completions",
            Self::Embedding => "embeddings",
            Self::Image => "images",
            Self::ImageEdit => "edits of images",
            Self::Moderation => "moderations",
            Self::Rerank => "reranking",
            Self::Speech => "speech",
            Self::Transcription => "transcriptions",
            Self::Translation => "translations of recordings",
        }
    }

    /// A model says something, token by token.
    pub fn converses(self) -> bool {
        matches!(self, Self::Chat | Self::Completion)
    }

    /// The file that a request is about, by the name of its field; none where requests are JSON.
    pub fn file(self) -> Option<&'static str> {
        match self {
            Self::Transcription | Self::Translation => Some("file"),
            Self::ImageEdit => Some("image"),
            _ => None,
        }
    }

    /// Whether a request asks for its answer in events. Fields of forms are texts.
    pub(crate) fn streams(self, head: &Head<'_>) -> bool {
        let says = |name: &str, values: &[&str]| {
            let value = head.get(name).map(RawValue::get);
            value.is_some_and(|value| values.contains(&value))
        };
        match self {
            Self::Image | Self::ImageEdit | Self::Transcription => says("stream", &["true", "\"true\""]),
            Self::Speech => says("stream_format", &["\"sse\""]),
            Self::Chat
            | Self::Completion
            | Self::Embedding
            | Self::Moderation
            | Self::Rerank
            | Self::Translation => false,
        }
    }

    /// The model of a request that names none.
    pub fn default_model(self) -> Option<&'static str> {
        (self == Self::Moderation).then_some("openai/omni-moderation-latest")
    }

    /// Whether a request has what no provider can do without. Everything else is the provider's to judge.
    pub(crate) fn check(self, head: &Head<'_>) -> Result<(), DecodeError> {
        let missing = |name: &str| head.get(name).map(RawValue::get).is_none_or(is_blank);
        let required = |name: &'static str, message: &'static str| match missing(name) {
            true => Err(DecodeError::at(name, message)),
            false => Ok(()),
        };
        match self {
            Self::Chat | Self::Completion | Self::Transcription | Self::Translation => Ok(()),
            Self::Embedding => required("input", "Missing input"),
            Self::Image | Self::ImageEdit => {
                required("prompt", "Invalid prompt: expected a non-empty string")
            }
            Self::Moderation | Self::Speech => required("input", "input is required"),
            Self::Rerank => {
                required("query", "query is required")?;
                required("documents", "documents must be a non-empty array")
            }
        }
    }

    /// What an answer says was used; nothing where it does not say.
    pub(crate) fn usage(self, reply: &[u8]) -> Usage {
        let told: Option<Told> = serde_json::from_slice(reply).ok();
        let counted = told.and_then(|told| told.usage.or_else(|| told.meta?.tokens));
        let Some(counted) = counted else {
            return Usage::default();
        };
        Usage {
            input_total: counted.input_tokens.or(counted.total_tokens),
            // vectors and scores are no tokens
            output_total: counted.output_tokens.or(Some(0)),
            ..Usage::default()
        }
    }

    /// The answer with what answers of this kind have beside what they are about, where a vendor has nothing of the kind.
    pub(crate) fn dated(self, reply: Bytes, created: u64, id: &str) -> Bytes {
        let member = match self {
            Self::Image | Self::ImageEdit => ("created", created.to_string()),
            Self::Rerank => ("id", format!("\"{id}\"")),
            _ => return reply,
        };
        match Head::read(&reply) {
            Ok(head) if head.get(member.0).is_none() => head.with(&[(member.0, &member.1)]),
            _ => reply,
        }
    }

    /// The answer under the name that the client gave the model, where answers name one.
    pub(crate) fn named(self, reply: Bytes, model: &str) -> Bytes {
        let Ok(head) = Head::read(&reply) else {
            return reply;
        };
        if self == Self::Speech || head.get("model").is_none() {
            return reply;
        }
        let name = serde_json::Value::from(model).to_string();
        head.with(&[("model", &name)])
    }
}

fn is_blank(json: &str) -> bool {
    matches!(json, "null" | "[]" | "false")
        || serde_json::from_str::<String>(json).is_ok_and(|text| text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_the_point_of_it_is_refused() {
        for (kind, body, refusal) in [
            (Kind::Embedding, r#"{"input":"a"}"#, None),
            (Kind::Embedding, r#"{"input":[[1,2]]}"#, None),
            (Kind::Embedding, "{}", Some("Missing input")),
            (Kind::Embedding, r#"{"input":""}"#, Some("Missing input")),
            (Kind::Embedding, r#"{"input":[]}"#, Some("Missing input")),
            (
                Kind::Image,
                r#"{"prompt":" "}"#,
                Some("Invalid prompt: expected a non-empty string"),
            ),
            (Kind::Moderation, r#"{"input":null}"#, Some("input is required")),
            (Kind::Speech, r#"{"voice":"alloy"}"#, Some("input is required")),
            (Kind::Rerank, r#"{"documents":["a"]}"#, Some("query is required")),
            (
                Kind::Rerank,
                r#"{"query":"q","documents":[]}"#,
                Some("documents must be a non-empty array"),
            ),
            (Kind::Rerank, r#"{"query":"q","documents":[{"text":"a"}]}"#, None),
        ] {
            let found = kind.check(&Head::read(body.as_bytes()).unwrap());
            assert_eq!(
                found.err().map(|error| error.message),
                refusal.map(str::to_owned),
                "{body}"
            );
        }
    }

    #[test]
    fn usage_is_read_in_the_words_of_either_vendor() {
        for (kind, reply, input, output) in [
            (
                Kind::Embedding,
                r#"{"usage":{"prompt_tokens":8,"total_tokens":8}}"#,
                Some(8),
                Some(0),
            ),
            (
                Kind::Embedding,
                r#"{"usage":{"total_tokens":9}}"#,
                Some(9),
                Some(0),
            ),
            (
                Kind::Image,
                r#"{"usage":{"input_tokens":5,"output_tokens":272,"total_tokens":277}}"#,
                Some(5),
                Some(272),
            ),
            (
                Kind::Rerank,
                r#"{"meta":{"tokens":{"input_tokens":30}}}"#,
                Some(30),
                Some(0),
            ),
            (
                Kind::Rerank,
                r#"{"meta":{"billed_units":{"search_units":1}}}"#,
                None,
                None,
            ),
            (Kind::Moderation, r#"{"results":[]}"#, None, None),
            (Kind::Speech, "ID3", None, None),
        ] {
            let usage = kind.usage(reply.as_bytes());
            assert_eq!(
                (usage.input_total, usage.output_total),
                (input, output),
                "{reply}"
            );
        }
    }

    #[test]
    fn an_answer_names_the_model_as_its_client_did() {
        let named = |kind: Kind, reply: &'static str| kind.named(Bytes::from_static(reply.as_bytes()), "a/b");
        assert_eq!(
            named(Kind::Embedding, r#"{"model":"b","data":[]}"#),
            r#"{"model":"a/b","data":[]}"#
        );
        assert_eq!(named(Kind::Rerank, r#"{"results":[]}"#), r#"{"results":[]}"#);
        assert_eq!(named(Kind::Speech, "ID3"), "ID3");
    }
}

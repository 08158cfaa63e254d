//! A client of each dialect and a provider of each, for what has to hold between every two.

use crate::harness::{DataPlane, KEY, Setup};
use llm::reply::{Fold, ReplyPart};
use llm::{Dialect, FinishReason, Reply, formats};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use testkit::{Behaviour, Simulator};

pub const DIALECTS: [Dialect; 5] = [
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::OllamaChat,
];

/// A provider of one dialect, called `p`, behind a data plane of its own.
pub struct Pair {
    pub data_plane: DataPlane,
    pub provider: Simulator,
}

// === impl Pair ===

impl Pair {
    pub async fn start(upstream: Dialect, setup: Setup) -> Self {
        let (node_type, api_type, provider) = match upstream {
            Dialect::OpenAiChat => ("openai-compatible", "chat", Simulator::openai().await),
            Dialect::OpenAiResponses => ("openai-compatible", "responses", Simulator::responses().await),
            Dialect::AnthropicMessages => ("anthropic-compatible", "", Simulator::anthropic().await),
            Dialect::Gemini => ("gemini-compatible", "", Simulator::gemini().await),
            Dialect::OllamaChat => ("ollama-compatible", "", Simulator::ollama().await),
        };
        let data_plane = setup.node("p", node_type, api_type, &provider).start().await;
        Self { data_plane, provider }
    }

    /// A question of a client of this dialect.
    pub fn question(&self, client: Dialect, text: &str, stream: bool) -> RequestBuilder {
        let body = body(client, text, stream).to_string();
        self.data_plane
            .post(path(client, stream))
            .bearer_auth(KEY)
            .body(body)
    }

    pub async fn ask(&self, client: Dialect, text: &str, stream: bool) -> Response {
        self.question(client, text, stream).send().await.unwrap()
    }

    pub fn script(&self, behaviour: Behaviour) {
        self.provider.script(behaviour);
    }
}

fn path(client: Dialect, stream: bool) -> &'static str {
    match (client, stream) {
        (Dialect::OpenAiChat, _) => "/v1/chat/completions",
        (Dialect::OpenAiResponses, _) => "/v1/responses",
        (Dialect::AnthropicMessages, _) => "/v1/messages",
        (Dialect::Gemini, true) => "/v1beta/models/p/demo:streamGenerateContent?alt=sse",
        (Dialect::Gemini, false) => "/v1beta/models/p/demo:generateContent",
        (Dialect::OllamaChat, _) => "/v1/api/chat",
    }
}

fn body(client: Dialect, text: &str, stream: bool) -> Value {
    let messages = json!([{"role": "user", "content": text}]);
    match client {
        Dialect::OpenAiResponses => json!({"model": "p/demo", "stream": stream, "input": text}),
        Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
        Dialect::AnthropicMessages => {
            json!({"model": "p/demo", "stream": stream, "max_tokens": 200, "messages": messages})
        }
        Dialect::OpenAiChat | Dialect::OllamaChat => {
            json!({"model": "p/demo", "stream": stream, "messages": messages})
        }
    }
}

/// The text a client of the dialect reads, and why the answer ended.
pub fn read(client: Dialect, bytes: &[u8], stream: bool) -> (String, Option<FinishReason>) {
    let format = formats::of(client);
    let mut events = Vec::new();
    if stream {
        let mut decoder = format.stream_decoder();
        decoder.push(bytes, &mut events);
        decoder.finish(&mut events);
    } else {
        events = format
            .decode_reply(bytes)
            .unwrap_or_else(|error| panic!("{client}: {error}"));
    }
    let mut fold = Fold::new();
    events.into_iter().for_each(|event| fold.push(event));
    let reply = fold
        .finish()
        .unwrap_or_else(|error| panic!("{client}: {error}: {}", String::from_utf8_lossy(bytes)));
    (
        text(&reply),
        reply.choices[0].finish.as_ref().map(|finish| finish.reason),
    )
}

fn text(reply: &Reply) -> String {
    let said = |part: &ReplyPart| match part {
        ReplyPart::Text { text, .. } => text.clone(),
        _ => String::new(),
    };
    reply.choices[0].parts.iter().map(said).collect()
}

//! A client of each dialect and a provider of each, for what has to hold between every two.

use crate::harness::{DataPlane, KEY, Setup};
use llm::reply::{Fold, ReplyPart};
use llm::{Dialect, FinishReason, Reply, formats};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use testkit::Simulator;

pub const DIALECTS: [Dialect; 5] = [
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::OllamaChat,
];

/// A provider of each dialect behind one data plane. Every client has an account of its own at each, so that what
/// one of them causes is nobody else's rest.
pub struct World {
    pub data_plane: DataPlane,
    providers: Vec<Simulator>,
}

// === impl World ===

impl World {
    pub async fn start(mut setup: Setup) -> Self {
        let mut providers = Vec::new();
        for upstream in DIALECTS {
            let (node_type, api_type, provider) = match upstream {
                Dialect::OpenAiChat => ("openai-compatible", "chat", Simulator::openai().await),
                Dialect::OpenAiResponses => ("openai-compatible", "responses", Simulator::responses().await),
                Dialect::AnthropicMessages => ("anthropic-compatible", "", Simulator::anthropic().await),
                Dialect::Gemini => ("gemini-compatible", "", Simulator::gemini().await),
                Dialect::OllamaChat => ("ollama-compatible", "", Simulator::ollama().await),
                Dialect::BedrockConverse => panic!("{upstream} has no node type"),
            };
            for client in DIALECTS {
                setup = setup.node(&node(client, upstream), node_type, api_type, &provider);
            }
            providers.push(provider);
        }
        let data_plane = setup.start().await;
        Self {
            data_plane,
            providers,
        }
    }

    pub fn provider(&self, upstream: Dialect) -> &Simulator {
        &self.providers[place(upstream)]
    }

    /// A question of a client of this dialect.
    pub fn question(&self, client: Dialect, upstream: Dialect, text: &str, stream: bool) -> RequestBuilder {
        let model = format!("{}/demo", node(client, upstream));
        let body = body(client, &model, text, stream).to_string();
        let path = path(client, &model, stream);
        self.data_plane.post(&path).bearer_auth(KEY).body(body)
    }

    pub async fn ask(&self, client: Dialect, upstream: Dialect, text: &str, stream: bool) -> Response {
        self.question(client, upstream, text, stream)
            .send()
            .await
            .unwrap()
    }
}

pub fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    let upstreams = |client| DIALECTS.into_iter().map(move |upstream| (client, upstream));
    DIALECTS.into_iter().flat_map(upstreams)
}

fn place(dialect: Dialect) -> usize {
    DIALECTS.iter().position(|known| *known == dialect).unwrap()
}

fn node(client: Dialect, upstream: Dialect) -> String {
    format!("from-{}-to-{}", place(client), place(upstream))
}

fn path(client: Dialect, model: &str, stream: bool) -> String {
    match (client, stream) {
        (Dialect::OpenAiChat, _) => "/v1/chat/completions".to_owned(),
        (Dialect::OpenAiResponses, _) => "/v1/responses".to_owned(),
        (Dialect::AnthropicMessages, _) => "/v1/messages".to_owned(),
        (Dialect::Gemini, true) => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
        (Dialect::Gemini, false) => format!("/v1beta/models/{model}:generateContent"),
        (Dialect::OllamaChat, _) => "/v1/api/chat".to_owned(),
        (Dialect::BedrockConverse, _) => panic!("{client} has no clients"),
    }
}

fn body(client: Dialect, model: &str, text: &str, stream: bool) -> Value {
    let messages = json!([{"role": "user", "content": text}]);
    match client {
        Dialect::OpenAiResponses => json!({"model": model, "stream": stream, "input": text}),
        Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
        Dialect::AnthropicMessages => {
            json!({"model": model, "stream": stream, "max_tokens": 200, "messages": messages})
        }
        Dialect::OpenAiChat | Dialect::OllamaChat => {
            json!({"model": model, "stream": stream, "messages": messages})
        }
        Dialect::BedrockConverse => panic!("{client} has no clients"),
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

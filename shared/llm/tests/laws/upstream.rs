//! Upstream streams as the vendors write them, from one script of what a model says.

mod anthropic_messages;
pub mod bedrock_converse;
mod gemini;
mod ollama_chat;
mod openai_chat;
mod openai_responses;

use llm::Dialect;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What a model says in one reply, and what it costs.
#[derive(Debug, Clone)]
pub struct Script {
    pub steps: Vec<Step>,
    pub truncated: bool,
    /// Reasoning carries state that only its issuer can read, where the dialect has a word for it.
    pub signed: bool,
    pub input: u64,
    pub cached: u64,
    pub output: u64,
}

/// One part, in the fragments it arrives in.
#[derive(Debug, Clone)]
pub enum Step {
    Reasoning(Vec<String>),
    Text(Vec<String>),
    Call { name: String, arguments: Vec<String> },
}

pub fn any_script() -> impl Strategy<Value = Script> {
    let fragments = || prop::collection::vec("[ a-zé\u{2028}\"\\\\{}\n🦀]{1,6}[a-z]", 1..4);
    let step = prop_oneof![
        fragments().prop_map(Step::Text),
        (
            "[a-z_]{1,12}",
            "[a-zé\"]{0,8}",
            any::<i64>(),
            any::<prop::sample::Index>()
        )
            .prop_map(|(name, text, n, cut)| {
                let arguments = json!({"text": text, "n": n}).to_string();
                let cut = cut.index(arguments.len());
                let cut = (0..=cut)
                    .rev()
                    .find(|at| arguments.is_char_boundary(*at))
                    .unwrap_or(0);
                let (a, b) = arguments.split_at(cut);
                Step::Call {
                    name,
                    arguments: [a, b]
                        .iter()
                        .filter(|s| !s.is_empty())
                        .map(|s| (*s).to_owned())
                        .collect(),
                }
            }),
    ];
    let tokens = (1..1000u64, 0..1000u64, 1..1000u64);
    (
        prop::option::of(fragments()),
        prop::collection::vec(step, 1..5),
        any::<bool>(),
        tokens,
    )
        .prop_map(
            |(reasoning, steps, truncated, (uncached, cached, output))| Script {
                steps: reasoning
                    .map(Step::Reasoning)
                    .into_iter()
                    .chain(apart(steps))
                    .collect(),
                truncated,
                signed: false,
                input: uncached + cached,
                cached,
                output,
            },
        )
}

/// Two texts in a row are one text in a dialect without blocks.
fn apart(steps: Vec<Step>) -> Vec<Step> {
    let mut kept: Vec<Step> = Vec::new();
    for step in steps {
        if !matches!(
            (kept.last(), &step),
            (Some(Step::Text(_) | Step::Call { .. }), Step::Text(_))
        ) {
            kept.push(step);
        }
    }
    kept
}

// === impl Script ===

impl Script {
    pub fn example() -> Self {
        Self {
            steps: vec![
                Step::Reasoning(vec!["let me ".into(), "see".into()]),
                Step::Text(vec!["Hé".into(), "llo".into()]),
                Step::Call {
                    name: "get".into(),
                    arguments: vec!["{\"a\":".into(), "1.0}".into()],
                },
            ],
            truncated: false,
            signed: false,
            input: 10,
            cached: 4,
            output: 7,
        }
    }

    /// The reply in the words of `essence` of the laws, once it has gone from one dialect to another.
    pub fn essence(&self, client: Dialect, upstream: Dialect) -> Vec<String> {
        let mut all: Vec<String> = self
            .steps
            .iter()
            .enumerate()
            .map(|(index, step)| step.essence(index))
            .collect();
        let reason = match (self.truncated, self.has_calls()) {
            (true, _) => "Length",
            (false, true) => "ToolCalls",
            (false, false) => "Stop",
        };
        all.push(format!("finish Some({reason})"));
        all.push(format!("usage Some({}) Some({})", self.input, self.output));
        all.push(format!("cache {}", self.cached(client, upstream)));
        all
    }

    /// The tokens from a cache that arrive: Ollama has no word for them.
    pub fn cached(&self, client: Dialect, upstream: Dialect) -> u64 {
        match [client, upstream].contains(&Dialect::OllamaChat) {
            true => 0,
            false => self.cached,
        }
    }

    /// The calls in the words of `calls` of the laws, once they have been answered.
    pub fn calls(&self) -> Vec<String> {
        let call = |step: &Step| match step {
            Step::Call { name, arguments } => Some(format!("{name} {} true", arguments.concat())),
            _ => None,
        };
        self.steps.iter().filter_map(call).collect()
    }

    pub fn stream(&self, dialect: Dialect) -> Vec<u8> {
        self.frames(dialect).concat()
    }

    /// The same reply in one body.
    pub fn reply(&self, dialect: Dialect) -> Vec<u8> {
        let reply = match dialect {
            Dialect::OpenAiChat => openai_chat::reply(self),
            Dialect::OpenAiResponses => openai_responses::reply(self),
            Dialect::AnthropicMessages => anthropic_messages::reply(self),
            Dialect::Gemini => gemini::reply(self),
            Dialect::OllamaChat => ollama_chat::reply(self),
            Dialect::BedrockConverse => bedrock_converse::reply(self),
        };
        reply.to_string().into_bytes()
    }

    /// Where the bytes begin that tell the model's last word: a cut before it must never look complete.
    pub fn terminal(&self, dialect: Dialect) -> usize {
        let word = match dialect {
            Dialect::OpenAiChat => "finish_reason\":\"",
            Dialect::OpenAiResponses => "\"usage\":{",
            Dialect::AnthropicMessages => "stop_reason\":\"",
            Dialect::Gemini => "finishReason\":\"",
            Dialect::OllamaChat => "\"done\":true",
            Dialect::BedrockConverse => "stopReason\":\"",
        };
        let frames = self.frames(dialect);
        let has_word = |frame: &Vec<u8>| String::from_utf8_lossy(frame).contains(word);
        let last = frames.iter().position(has_word);
        let last = last.expect("every script comes to an end");
        frames[..last].concat().len() + "{".len()
    }

    fn frames(&self, dialect: Dialect) -> Vec<Vec<u8>> {
        let texts = match dialect {
            Dialect::OpenAiChat => openai_chat::frames(self),
            Dialect::OpenAiResponses => openai_responses::frames(self),
            Dialect::AnthropicMessages => anthropic_messages::frames(self),
            Dialect::Gemini => gemini::frames(self),
            Dialect::OllamaChat => ollama_chat::frames(self),
            Dialect::BedrockConverse => return bedrock_converse::frames(self),
        };
        texts.into_iter().map(String::into_bytes).collect()
    }

    fn has_calls(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Call { .. }))
    }
}

/// The same stream with another text in its events.
pub fn rewritten(upstream: Dialect, stream: &[u8], text: impl Fn(&str) -> String) -> Vec<u8> {
    match upstream {
        Dialect::BedrockConverse => bedrock_converse::rewritten(stream, text),
        _ => text(&String::from_utf8_lossy(stream)).into_bytes(),
    }
}

// === impl Step ===

impl Step {
    fn essence(&self, index: usize) -> String {
        match self {
            Self::Reasoning(all) => format!("reasoning {}", all.concat()),
            Self::Text(all) => format!("text {}", all.concat()),
            Self::Call { name, arguments } => format!("call {} {name} {}", id(index), arguments.concat()),
        }
    }
}

fn id(step: usize) -> String {
    format!("call_{step}")
}

/// Arguments as the object that some dialects send them as.
fn object(arguments: &[String]) -> Value {
    serde_json::from_str(&arguments.concat()).expect("a script's arguments are a JSON object")
}

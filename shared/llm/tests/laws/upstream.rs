//! Upstream streams as the vendors write them, from one script of what a model says.

use llm::Dialect;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What a model says in one reply, and what it costs.
#[derive(Debug, Clone)]
pub struct Script {
    pub steps: Vec<Step>,
    pub truncated: bool,
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
            input: 10,
            cached: 4,
            output: 7,
        }
    }

    /// The reply in the words of `essence` of the laws.
    pub fn essence(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .steps
            .iter()
            .enumerate()
            .map(|(index, step)| step.essence(index))
            .collect();
        let calls = self.steps.iter().any(|step| matches!(step, Step::Call { .. }));
        let reason = match (self.truncated, calls) {
            (true, _) => "Length",
            (false, true) => "ToolCalls",
            (false, false) => "Stop",
        };
        all.push(format!("finish Some({reason})"));
        all.push(format!("usage Some({}) Some({})", self.input, self.output));
        all.push(format!("cache {}", self.cached));
        all
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
        self.frames(dialect).concat().into_bytes()
    }

    /// Where the bytes begin that tell the model's last word: a cut before it must never look complete.
    pub fn terminal(&self, dialect: Dialect) -> usize {
        let frames = self.frames(dialect);
        let last = frames
            .iter()
            .position(|frame| frame.contains("stop_reason\":\"") || frame.contains("finish_reason\":\""));
        frames[..last.unwrap_or(frames.len())].concat().len() + "data: {".len()
    }

    fn frames(&self, dialect: Dialect) -> Vec<String> {
        match dialect {
            Dialect::OpenAiChat => self.openai_chat(),
            Dialect::AnthropicMessages => self.anthropic_messages(),
        }
    }

    fn openai_chat(&self) -> Vec<String> {
        let chunk = |choices: Value, usage: Value| {
            let chunk = json!({
                "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "n",
                "choices": choices, "usage": usage,
            });
            format!("data: {chunk}\n\n")
        };
        let delta = |delta: Value| {
            chunk(
                json!([{"index": 0, "delta": delta, "finish_reason": null}]),
                Value::Null,
            )
        };
        let mut frames = vec![delta(json!({"role": "assistant", "content": ""}))];
        let mut calls = 0;
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                Step::Reasoning(all) => {
                    frames.extend(all.iter().map(|text| delta(json!({"reasoning_content": text}))))
                }
                Step::Text(all) => frames.extend(all.iter().map(|text| delta(json!({"content": text})))),
                Step::Call { name, arguments } => {
                    let head = json!({"index": calls, "id": id(index), "type": "function", "function": {"name": name, "arguments": ""}});
                    frames.push(delta(json!({"tool_calls": [head]})));
                    let more = |text: &String| {
                        delta(json!({"tool_calls": [{"index": calls, "function": {"arguments": text}}]}))
                    };
                    frames.extend(arguments.iter().map(more));
                    calls += 1;
                }
            }
        }
        let reason = match (self.truncated, calls) {
            (true, _) => "length",
            (false, 0) => "stop",
            (false, _) => "tool_calls",
        };
        frames.push(chunk(
            json!([{"index": 0, "delta": {}, "finish_reason": reason}]),
            Value::Null,
        ));
        let usage = json!({
            "prompt_tokens": self.input, "completion_tokens": self.output, "total_tokens": self.input + self.output,
            "prompt_tokens_details": {"cached_tokens": self.cached},
        });
        frames.push(chunk(json!([]), usage));
        frames.push("data: [DONE]\n\n".to_owned());
        frames
    }

    fn anthropic_messages(&self) -> Vec<String> {
        let event = |value: Value| {
            let name = value["type"].as_str().unwrap_or_default();
            format!("event: {name}\ndata: {value}\n\n")
        };
        let mut frames = vec![event(json!({"type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "n", "content": [],
            "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": self.input - self.cached, "cache_read_input_tokens": self.cached, "output_tokens": 1},
        }}))];
        for (index, step) in self.steps.iter().enumerate() {
            let (block, deltas): (Value, Vec<Value>) = match step {
                Step::Reasoning(all) => (
                    json!({"type": "thinking", "thinking": "", "signature": ""}),
                    all.iter()
                        .map(|text| json!({"type": "thinking_delta", "thinking": text}))
                        .collect(),
                ),
                Step::Text(all) => (
                    json!({"type": "text", "text": ""}),
                    all.iter()
                        .map(|text| json!({"type": "text_delta", "text": text}))
                        .collect(),
                ),
                Step::Call { name, arguments } => (
                    json!({"type": "tool_use", "id": id(index), "name": name, "input": {}}),
                    arguments
                        .iter()
                        .map(|json| json!({"type": "input_json_delta", "partial_json": json}))
                        .collect(),
                ),
            };
            frames.push(event(
                json!({"type": "content_block_start", "index": index, "content_block": block}),
            ));
            let delta =
                |delta: Value| event(json!({"type": "content_block_delta", "index": index, "delta": delta}));
            frames.extend(deltas.into_iter().map(delta));
            frames.push(event(json!({"type": "content_block_stop", "index": index})));
        }
        let calls = self.steps.iter().any(|step| matches!(step, Step::Call { .. }));
        let reason = match (self.truncated, calls) {
            (true, _) => "max_tokens",
            (false, true) => "tool_use",
            (false, false) => "end_turn",
        };
        let delta = json!({"stop_reason": reason, "stop_sequence": null});
        frames.push(event(
            json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": self.output}}),
        ));
        frames.push(event(json!({"type": "message_stop"})));
        frames
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

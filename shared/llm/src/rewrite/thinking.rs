//! How much a model may think, whatever the client asked for.
//!
//! What a target can be told about thinking is known to its encoder. A request that passes through is therefore
//! encoded once, and what the encoder says about thinking is spliced into the client's bytes.

use super::splice::{Members, Splice, object};
use crate::caps::{ModelCaps, ThinkingCaps};
use crate::dialect::Dialect;
use crate::error::DecodeError;
use crate::formats;
use crate::head::Head;
use crate::normalise::normalise;
use crate::note::Notes;
use crate::request::{PartKind, Reasoning, ReasoningMode, Request, Role};
use crate::translate::Target;
use serde_json::Value;

/// The most that may be configured, and the most that comes of multiplying.
pub const MAX_BUDGET: u64 = 131_072;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Thinking {
    /// As the client says.
    #[default]
    Passthrough,
    /// As the provider does when nobody says anything.
    Auto,
    /// This many tokens; none at all for 0.
    Custom(u64),
    /// This many tokens, and more for a request that looks harder.
    Adaptive(u64),
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Strip,
    Budget(u64),
}

// === impl Thinking ===

impl Thinking {
    /// By the names of the settings; `None` when there is no such mode.
    pub fn named(mode: &str, custom_budget: u64, effort: &str) -> Option<Self> {
        Some(match mode {
            "passthrough" => Self::Passthrough,
            "auto" => Self::Auto,
            "custom" => Self::Custom(custom_budget.min(MAX_BUDGET)),
            "adaptive" => Self::Adaptive(match effort {
                // the first gateway of this name took it for medium; whoever sets none means no thinking, and no
                // request looks so hard that it would become some
                "none" => 0,
                "low" => 1_024,
                "high" => MAX_BUDGET,
                _ => 10_240,
            }),
            _ => return None,
        })
    }

    pub fn apply(self, request: &mut Request, caps: &ModelCaps) {
        let Some(order) = self.order(request) else { return };
        let Order::Budget(budget) = order else {
            request.reasoning = Reasoning::default();
            return;
        };
        if request.reasoning == Reasoning::default() && !thinks(caps) {
            return;
        }
        request.reasoning = match caps.thinking {
            _ if budget == 0 => Reasoning {
                mode: ReasoningMode::Off,
                ..Reasoning::default()
            },
            ThinkingCaps::Budget | ThinkingCaps::BudgetOrAdaptive | ThinkingCaps::BudgetWithin { .. } => {
                Reasoning {
                    mode: ReasoningMode::On,
                    effort: None,
                    budget: Some(budget),
                }
            }
            _ => Reasoning {
                mode: ReasoningMode::On,
                effort: Some(effort(budget).to_owned()),
                budget: None,
            },
        };
    }

    pub fn splice<'a>(
        self,
        target: &Target,
        request: impl FnOnce() -> Result<&'a Request, DecodeError>,
        head: &Head<'_>,
        root: &mut Members<'_, '_>,
        splice: &mut Splice<'_>,
    ) {
        if self == Self::Passthrough {
            return;
        }
        // a body that only the upstream can read is told nothing: what the client said must not get through
        let encoded = match self {
            Self::Auto => None,
            _ => request().ok().and_then(|request| self.encoded(request, target)),
        };
        match target.dialect {
            Dialect::OpenAiChat => chat(encoded.as_ref(), target, head, root),
            Dialect::OpenAiResponses => responses(encoded.as_ref(), target, head, root, splice),
            Dialect::AnthropicMessages => anthropic(encoded.as_ref(), head, root, splice),
            Dialect::Gemini => gemini(encoded.as_ref(), head, root, splice),
            Dialect::OllamaChat => {
                let think = encoded.as_ref().and_then(|encoded| encoded.body.get("think"));
                put(root, "think", think);
            }
            // no client's bytes are passed on to it
            Dialect::BedrockConverse => {}
        }
    }

    /// The request as its own dialect's encoder would write it.
    fn encoded(self, request: &Request, target: &Target) -> Option<Encoded> {
        let mut request = request.clone();
        let Some(Order::Budget(budget)) = self.order(&request) else {
            return None;
        };
        self.apply(&mut request, &target.caps);
        let mut notes = Notes::default();
        normalise(&mut request, target, &mut notes).ok()?;
        let body = formats::upstream(target.dialect)
            .encode_request(&request, target, &mut notes)
            .ok()?;
        let body = serde_json::from_slice(&body).ok()?;
        Some(Encoded { body, budget })
    }

    fn order(self, request: &Request) -> Option<Order> {
        match self {
            Self::Passthrough => None,
            Self::Auto => Some(Order::Strip),
            Self::Custom(budget) => Some(Order::Budget(budget)),
            Self::Adaptive(base) => {
                let tenths = 10
                    + if request.messages.len() > 10 { 5 } else { 0 }
                    + if request.tools.len() > 3 { 5 } else { 0 }
                    + if last_user_chars(request) > 2_000 { 3 } else { 0 };
                Some(Order::Budget((base * tenths).div_ceil(10).min(MAX_BUDGET)))
            }
        }
    }
}

/// A request after its encoder, and the budget that was asked of it.
struct Encoded {
    body: Value,
    budget: u64,
}

// === functions ===

fn chat(encoded: Option<&Encoded>, target: &Target, head: &Head<'_>, root: &mut Members<'_, '_>) {
    let sent = |name: &str| head.get(name).is_some_and(|raw| raw.get() != "null");
    let thinking = encoded.filter(|_| sent("thinking") && !thinks(&target.caps));
    let asked = sent("reasoning_effort") || sent("reasoning");
    let own = encoded.and_then(|encoded| encoded.body.get("reasoning_effort").cloned());
    put(
        root,
        "reasoning_effort",
        own.or_else(|| unknown(encoded, asked, target)).as_ref(),
    );
    root.remove("reasoning");
    // servers of this dialect have taken Anthropic's member over, but nobody is told who did not speak of it
    let thinking = thinking.map(|Encoded { budget, .. }| match budget {
        0 => serde_json::json!({"type": "disabled"}),
        _ => serde_json::json!({"type": "enabled", "budget_tokens": budget}),
    });
    put(root, "thinking", thinking.as_ref());
}

/// Beside the effort there is how thinking is shown, which is the client's to say.
fn responses(
    encoded: Option<&Encoded>,
    target: &Target,
    head: &Head<'_>,
    root: &mut Members<'_, '_>,
    splice: &mut Splice<'_>,
) {
    let own = encoded.and_then(|encoded| encoded.body.pointer("/reasoning/effort").cloned());
    let sent = head.get("reasoning").and_then(object);
    let asked = sent.as_ref().is_some_and(|sent| sent.get("effort").is_some());
    match (own.or_else(|| unknown(encoded, asked, target)), sent) {
        (None, _) => root.remove("reasoning"),
        (Some(effort), Some(sent)) => {
            let mut members = Members::of(&sent);
            members.set("effort", effort.to_string());
            members.finish(splice);
        }
        (Some(effort), None) => root.set("reasoning", format!(r#"{{"effort":{effort}}}"#)),
    }
}

/// The vendor accepts thinking only with sampling left alone; the encoder has dropped what does not go with it.
fn anthropic(
    encoded: Option<&Encoded>,
    head: &Head<'_>,
    root: &mut Members<'_, '_>,
    splice: &mut Splice<'_>,
) {
    let body = encoded.map(|encoded| &encoded.body);
    let thinking = body.and_then(|body| body.get("thinking"));
    put(root, "thinking", thinking);
    let thinks = thinking.is_some_and(|thinking| thinking["type"] != "disabled");
    for name in ["temperature", "top_p", "top_k"] {
        if thinks && body.is_some_and(|body| body.get(name).is_none()) {
            root.remove(name);
        }
    }
    let effort = body.and_then(|body| body.pointer("/output_config/effort"));
    match (head.get("output_config").and_then(object), effort) {
        (Some(config), effort) => {
            let mut members = Members::of(&config);
            put(&mut members, "effort", effort);
            members.finish(splice);
        }
        (None, Some(effort)) => root.set("output_config", format!(r#"{{"effort":{effort}}}"#)),
        (None, None) => {}
    }
}

fn gemini(encoded: Option<&Encoded>, head: &Head<'_>, root: &mut Members<'_, '_>, splice: &mut Splice<'_>) {
    let mut config =
        encoded.and_then(|encoded| encoded.body.pointer("/generationConfig/thinkingConfig").cloned());
    let spelt = ["generationConfig", "generation_config"];
    let sent: Vec<Head<'_>> = spelt
        .into_iter()
        .filter_map(|name| head.get(name).and_then(object))
        .collect();
    // whether thoughts are shown is the client's to say
    if let Some(config) = config.as_mut().and_then(Value::as_object_mut) {
        config.remove("includeThoughts");
        config.extend(
            sent.iter()
                .find_map(shown)
                .map(|shown| ("includeThoughts".to_owned(), shown)),
        );
    }
    for sent in &sent {
        let mut members = Members::of(sent);
        members.remove("thinking_config");
        put(&mut members, "thinkingConfig", config.take().as_ref());
        members.finish(splice);
    }
    if let Some(config) = config {
        root.set("generationConfig", format!(r#"{{"thinkingConfig":{config}}}"#));
    }
}

fn shown(config: &Head<'_>) -> Option<Value> {
    let thinking = ["thinkingConfig", "thinking_config"]
        .into_iter()
        .find_map(|name| config.get(name))?;
    let thinking: Value = serde_json::from_str(thinking.get()).ok()?;
    let shown = ["includeThoughts", "include_thoughts"]
        .into_iter()
        .find_map(|name| thinking.get(name))?;
    shown.is_boolean().then(|| shown.clone())
}

fn put(members: &mut Members<'_, '_>, name: &'static str, value: Option<&Value>) {
    match value {
        Some(value) => members.set(name, value.to_string()),
        None => members.remove(name),
    }
}

/// The effort for a model that is not known to have one, but whose client asks for it.
fn unknown(encoded: Option<&Encoded>, asked: bool, target: &Target) -> Option<Value> {
    let budget = encoded?.budget;
    (asked && budget > 0 && !thinks(&target.caps)).then(|| effort(budget).into())
}

/// Whether the model is known to think; of most that can be switched it is not.
fn thinks(caps: &ModelCaps) -> bool {
    !matches!(caps.thinking, ThinkingCaps::None | ThinkingCaps::Switch)
}

fn effort(budget: u64) -> &'static str {
    match budget {
        0..=1_024 => "low",
        1_025..=10_240 => "medium",
        _ => "high",
    }
}

fn last_user_chars(request: &Request) -> usize {
    let Some(last) = request
        .messages
        .iter()
        .rev()
        .find(|message| message.role == Role::User)
    else {
        return 0;
    };
    let texts = last.parts.iter().filter_map(|part| match &part.kind {
        PartKind::Text { text, .. } => Some(text),
        _ => None,
    });
    texts.map(|text| text.chars().count()).sum()
}

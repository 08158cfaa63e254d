//! What is known about models, by the beginning of their names.
//!
//! Rules apply in order, general before special, so that a new generation inherits from its family. Sources: the
//! vendors' model pages and the deprecation notes of their APIs.

use super::{
    CacheMarks, CallSignatures, EchoReasoning, MaxTokensKey, ModelCaps, ModelFields, ThinkingCaps, WireName,
};
use crate::dialect::Dialect::{
    self, AnthropicMessages, BedrockConverse, Gemini, OllamaChat, OpenAiChat, OpenAiResponses,
};
use crate::request::SystemRole;

type Refine = fn(&mut ModelCaps);

const O_SERIES: &[&str] = &["low", "medium", "high"];
const GEMINI_FLASH: &[&str] = &["minimal", "low", "medium", "high"];
const GEMINI_3_PRO: &[&str] = &["low", "high"];
const GEMINI_3_1_PRO: &[&str] = &["low", "medium", "high"];
const GPT_5: &[&str] = &["minimal", "low", "medium", "high"];
const GPT_5_1: &[&str] = &["none", "low", "medium", "high"];
const GPT_5_2: &[&str] = &["none", "low", "medium", "high", "xhigh"];

const RULES: &[(Dialect, &str, Refine)] = &[
    // Anthropic. An unknown generation is taken to be newer than the ones listed.
    (AnthropicMessages, "claude-", |caps| {
        caps.thinking = ThinkingCaps::AdaptiveOnly;
        caps.sampling_ok = false;
        caps.temp_and_top_p_ok = false;
        caps.json_schema = true;
    }),
    (AnthropicMessages, "claude-3", |caps| {
        *caps = ModelCaps {
            max_output: Some(4096),
            thinking: ThinkingCaps::None,
            ..ModelCaps::ANTHROPIC_MESSAGES
        };
    }),
    (AnthropicMessages, "claude-3-5", |caps| {
        caps.max_output = Some(8192)
    }),
    (AnthropicMessages, "claude-3-7", |caps| {
        caps.max_output = Some(64_000);
        caps.thinking = ThinkingCaps::Budget;
    }),
    (AnthropicMessages, "claude-sonnet-4", |caps| {
        *caps = ModelCaps {
            max_output: Some(64_000),
            ..ModelCaps::ANTHROPIC_MESSAGES
        };
    }),
    (AnthropicMessages, "claude-opus-4", |caps| {
        *caps = ModelCaps {
            max_output: Some(32_000),
            ..ModelCaps::ANTHROPIC_MESSAGES
        };
    }),
    (AnthropicMessages, "claude-opus-4-1", since_opus_4_1),
    (AnthropicMessages, "claude-sonnet-4-5", since_opus_4_1),
    (AnthropicMessages, "claude-haiku-4-5", |caps| {
        *caps = ModelCaps {
            max_output: Some(64_000),
            ..ModelCaps::ANTHROPIC_MESSAGES
        };
        since_opus_4_1(caps);
    }),
    (AnthropicMessages, "claude-opus-4-5", |caps| {
        since_opus_4_1(caps);
        caps.max_output = Some(64_000);
    }),
    (AnthropicMessages, "claude-sonnet-4-6", since_opus_4_6),
    (AnthropicMessages, "claude-opus-4-6", |caps| {
        since_opus_4_6(caps);
        caps.max_output = Some(128_000);
    }),
    (AnthropicMessages, "claude-opus-4-7", since_opus_4_7),
    (AnthropicMessages, "claude-opus-4-8", since_opus_4_7),
    (AnthropicMessages, "claude-opus-4-9", since_opus_4_7),
    // OpenAI
    (OpenAiChat, "gpt-3.5", |caps| caps.max_output = Some(4096)),
    (OpenAiChat, "gpt-4", |caps| caps.max_output = Some(8192)),
    (OpenAiChat, "gpt-4-turbo", |caps| caps.max_output = Some(4096)),
    (OpenAiChat, "gpt-4o", |caps| caps.max_output = Some(16_384)),
    (OpenAiChat, "gpt-4.1", |caps| caps.max_output = Some(32_768)),
    (OpenAiChat, "o1", |caps| reasons(caps, 100_000, O_SERIES)),
    (OpenAiChat, "o1-mini", |caps| {
        caps.max_output = Some(65_536);
        caps.thinking = ThinkingCaps::None;
    }),
    (OpenAiChat, "o3", |caps| reasons(caps, 100_000, O_SERIES)),
    (OpenAiChat, "o4", |caps| reasons(caps, 100_000, O_SERIES)),
    (OpenAiChat, "gpt-5", |caps| {
        reasons(caps, 128_000, GPT_5);
        caps.custom_tools = true;
    }),
    (OpenAiChat, "gpt-5.", |caps| {
        caps.thinking = ThinkingCaps::Effort(GPT_5_2)
    }),
    (OpenAiChat, "gpt-5.1", |caps| {
        caps.thinking = ThinkingCaps::Effort(GPT_5_1)
    }),
    (OpenAiChat, "gpt-5-chat", |caps| {
        *caps = ModelCaps {
            max_output: Some(16_384),
            ..ModelCaps::OPENAI_CHAT
        };
    }),
    (OpenAiChat, "gpt-oss", |caps| {
        caps.thinking = ThinkingCaps::Effort(O_SERIES)
    }),
    (OpenAiResponses, "gpt-3.5", |caps| caps.max_output = Some(4096)),
    (OpenAiResponses, "gpt-4", |caps| caps.max_output = Some(8192)),
    (OpenAiResponses, "gpt-4-turbo", |caps| {
        caps.max_output = Some(4096)
    }),
    (OpenAiResponses, "gpt-4o", |caps| caps.max_output = Some(16_384)),
    (OpenAiResponses, "gpt-4.1", |caps| caps.max_output = Some(32_768)),
    (OpenAiResponses, "o1", |caps| reasons(caps, 100_000, O_SERIES)),
    (OpenAiResponses, "o3", |caps| reasons(caps, 100_000, O_SERIES)),
    (OpenAiResponses, "o4", |caps| reasons(caps, 100_000, O_SERIES)),
    (OpenAiResponses, "codex-", |caps| reasons(caps, 100_000, O_SERIES)),
    (OpenAiResponses, "gpt-5", |caps| reasons(caps, 128_000, GPT_5)),
    (OpenAiResponses, "gpt-5.", |caps| {
        caps.thinking = ThinkingCaps::Effort(GPT_5_2)
    }),
    (OpenAiResponses, "gpt-5.1", |caps| {
        caps.thinking = ThinkingCaps::Effort(GPT_5_1)
    }),
    (OpenAiResponses, "gpt-5-chat", |caps| {
        *caps = ModelCaps {
            max_output: Some(16_384),
            ..ModelCaps::OPENAI_RESPONSES
        };
    }),
    (OpenAiResponses, "gpt-oss", |caps| {
        caps.thinking = ThinkingCaps::Effort(O_SERIES)
    }),
    // it is told a level, and gets its own thinking back between calls
    (OllamaChat, "gpt-oss", |caps| {
        caps.thinking = ThinkingCaps::Effort(O_SERIES);
        caps.echo_reasoning = EchoReasoning::ToolTurns;
    }),
    // Google. An unknown generation is taken to be newer than the ones listed.
    (Gemini, "gemini-", |caps| {
        gemini(caps, 65_536, ThinkingCaps::Effort(GEMINI_FLASH))
    }),
    (Gemini, "gemini-1", since_gemini_1),
    (Gemini, "gemini-2.0", since_gemini_1),
    (Gemini, "gemini-2.5", |caps| gemini_2_5(caps, 128, 32_768, false)),
    (Gemini, "gemini-2.5-flash", |caps| {
        gemini_2_5(caps, 1, 24_576, true)
    }),
    (Gemini, "gemini-2.5-flash-lite", |caps| {
        gemini_2_5(caps, 512, 24_576, true)
    }),
    (Gemini, "gemini-3", since_gemini_3),
    (Gemini, "gemini-3-pro", |caps| {
        caps.thinking = ThinkingCaps::Effort(GEMINI_3_PRO)
    }),
    (Gemini, "gemini-3.1-pro", |caps| {
        caps.thinking = ThinkingCaps::Effort(GEMINI_3_1_PRO)
    }),
    (OpenAiChat, "gemini-", |caps| {
        caps.call_signatures = CallSignatures::Taken
    }),
    // other vendors of the same dialect
    (OpenAiChat, "deepseek-", |caps| {
        caps.json_schema = false;
        caps.images = false;
    }),
    (OpenAiChat, "deepseek-chat", |caps| caps.max_output = Some(8192)),
    (OpenAiChat, "deepseek-v4", |caps| {
        caps.echo_reasoning = EchoReasoning::ToolTurns
    }),
    (OpenAiChat, "kimi-k2", |caps| {
        caps.echo_reasoning = EchoReasoning::ToolTurns
    }),
    (OpenAiChat, "glm-4.6", |caps| {
        caps.echo_reasoning = EchoReasoning::ToolTurns
    }),
    (OpenAiChat, "glm-4.7", |caps| {
        caps.echo_reasoning = EchoReasoning::ToolTurns
    }),
    (OpenAiChat, "mistral-", mistral),
    (OpenAiChat, "codestral-", mistral),
    (OpenAiChat, "ministral-", mistral),
    (OpenAiChat, "magistral-", mistral),
    (OpenAiChat, "devstral-", mistral),
    (OpenAiChat, "pixtral-", mistral),
    // models of several vendors behind one API; what Anthropic's own can do is known from above
    (BedrockConverse, "claude-", |caps| {
        caps.model_fields = ModelFields::Anthropic;
        caps.cache_marks = CacheMarks::CacheControl;
    }),
    (BedrockConverse, "claude-3", |caps| {
        caps.cache_marks = CacheMarks::None
    }),
    (BedrockConverse, "claude-3-5-haiku", |caps| {
        caps.cache_marks = CacheMarks::CacheControl
    }),
    (BedrockConverse, "claude-3-7", |caps| {
        caps.cache_marks = CacheMarks::CacheControl
    }),
    // here structured output came with the generation after it
    (BedrockConverse, "claude-opus-4-1", |caps| {
        caps.json_schema = false
    }),
    (BedrockConverse, "nova-", |caps| {
        caps.model_fields = ModelFields::Nova
    }),
    (BedrockConverse, "gpt-oss", |caps| {
        caps.model_fields = ModelFields::OpenAi;
        caps.thinking = ThinkingCaps::Effort(O_SERIES);
    }),
];

/// Whose models have a name of their own behind the vendor's in an id of Bedrock: `us.anthropic.claude-…`.
const BEDROCK_VENDORS: [&str; 3] = ["anthropic.", "amazon.", "openai."];

/// Applies every rule whose prefix the model's own name has.
pub(super) fn refine(caps: &mut ModelCaps, dialect: Dialect, model: &str) {
    let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    let name = match dialect {
        BedrockConverse => without_vendor(&name),
        _ => &name,
    };
    if dialect == BedrockConverse && name.starts_with("claude-") {
        let own = ModelCaps::of(AnthropicMessages, name);
        *caps = ModelCaps {
            max_output: own.max_output,
            sampling_ok: own.sampling_ok,
            temp_and_top_p_ok: own.temp_and_top_p_ok,
            thinking: own.thinking,
            json_schema: own.json_schema,
            ..caps.clone()
        };
    }
    for (rule_dialect, prefix, rule) in RULES {
        if *rule_dialect == dialect && name.starts_with(prefix) {
            rule(caps);
        }
    }
}

/// Without the geography of an inference profile, too.
fn without_vendor(name: &str) -> &str {
    let vendor = |vendor: &&str| name.find(*vendor).map(|at| at + vendor.len());
    let start = BEDROCK_VENDORS.iter().find_map(vendor);
    start.map_or(name, |start| &name[start..])
}

/// Temperature and top_p exclude each other; structured output is native.
fn since_opus_4_1(caps: &mut ModelCaps) {
    caps.temp_and_top_p_ok = false;
    caps.json_schema = true;
}

/// Adaptive thinking beside budgets.
fn since_opus_4_6(caps: &mut ModelCaps) {
    since_opus_4_1(caps);
    caps.thinking = ThinkingCaps::BudgetOrAdaptive;
}

/// Adaptive thinking only; sampling is gone.
fn since_opus_4_7(caps: &mut ModelCaps) {
    since_opus_4_6(caps);
    caps.max_output = Some(128_000);
    caps.thinking = ThinkingCaps::AdaptiveOnly;
    caps.sampling_ok = false;
}

fn reasons(caps: &mut ModelCaps, max_output: u64, levels: &'static [&'static str]) {
    caps.max_output = Some(max_output);
    caps.max_tokens_key = MaxTokensKey::MaxCompletionTokens;
    caps.sampling_ok = false;
    caps.system_role = SystemRole::Developer;
    caps.thinking = ThinkingCaps::Effort(levels);
}

fn gemini(caps: &mut ModelCaps, max_output: u64, thinking: ThinkingCaps) {
    caps.max_output = Some(max_output);
    caps.thinking = thinking;
    caps.openapi_schema = false;
    caps.schema_with_tools = true;
    caps.hosted_with_functions = true;
    caps.tool_media = true;
    caps.call_signatures = CallSignatures::Required;
}

fn since_gemini_1(caps: &mut ModelCaps) {
    *caps = ModelCaps {
        max_output: Some(8192),
        ..ModelCaps::GEMINI
    };
}

/// JSON Schema is read; tools combine with nothing yet, and signatures are optional.
fn gemini_2_5(caps: &mut ModelCaps, least: u64, most: u64, can_be_off: bool) {
    *caps = ModelCaps {
        max_output: Some(65_536),
        openapi_schema: false,
        thinking: ThinkingCaps::BudgetWithin {
            least,
            most,
            can_be_off,
        },
        ..ModelCaps::GEMINI
    };
}

/// Levels of thinking; signed calls; media inside results; tools with everything.
fn since_gemini_3(caps: &mut ModelCaps) {
    gemini(caps, 65_536, ThinkingCaps::Effort(GEMINI_FLASH));
}

/// Call ids of exactly nine letters and digits, or the request is refused.
fn mistral(caps: &mut ModelCaps) {
    caps.tool_id = WireName::Exactly(9);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_rule_that_matches_wins() {
        let thinking = |model| ModelCaps::of(AnthropicMessages, model).thinking;
        for (model, expected) in [
            ("claude-3-5-sonnet-20241022", ThinkingCaps::None),
            ("claude-3-7-sonnet-latest", ThinkingCaps::Budget),
            ("claude-sonnet-4-20250514", ThinkingCaps::Budget),
            ("claude-haiku-4-5-20251001", ThinkingCaps::Budget),
            ("claude-opus-4-6", ThinkingCaps::BudgetOrAdaptive),
            ("claude-opus-4-7", ThinkingCaps::AdaptiveOnly),
            ("claude-next-9", ThinkingCaps::AdaptiveOnly),
            ("glm-4.7", ThinkingCaps::Budget),
        ] {
            assert_eq!(thinking(model), expected, "{model}");
        }
    }

    #[test]
    fn a_vendor_prefix_does_not_hide_the_model() {
        assert_eq!(
            ModelCaps::of(OpenAiChat, "openai/GPT-5-mini"),
            ModelCaps::of(OpenAiChat, "gpt-5-mini")
        );
        assert!(!ModelCaps::of(OpenAiChat, "gpt-5-mini").sampling_ok);
    }

    #[test]
    fn a_claude_thinks_the_same_whoever_serves_it() {
        for (id, own) in [
            ("anthropic.claude-3-5-sonnet-20240620-v1:0", "claude-3-5-sonnet"),
            (
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "claude-sonnet-4-5",
            ),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-4-7",
                "claude-opus-4-7",
            ),
            ("global.anthropic.claude-next-9-v1:0", "claude-next-9"),
        ] {
            let (here, there) = (
                ModelCaps::of(BedrockConverse, id),
                ModelCaps::of(AnthropicMessages, own),
            );
            assert_eq!(here.thinking, there.thinking, "{id}");
            assert_eq!(here.max_output, there.max_output, "{id}");
            assert_eq!(here.model_fields, ModelFields::Anthropic, "{id}");
            assert_eq!(here.tool_name, WireName::UpTo(64), "{id}");
        }
        let other = ModelCaps::of(BedrockConverse, "us.meta.llama4-scout-17b-instruct-v1:0");
        assert_eq!(other, ModelCaps::BEDROCK_CONVERSE);
        let nova = ModelCaps::of(BedrockConverse, "eu.amazon.nova-pro-v1:0");
        assert_eq!(nova.model_fields, ModelFields::Nova);
    }

    #[test]
    fn an_unknown_model_gets_what_every_server_of_the_dialect_accepts() {
        assert_eq!(ModelCaps::of(OpenAiChat, "my-finetune"), ModelCaps::OPENAI_CHAT);
        assert_eq!(
            ModelCaps::of(AnthropicMessages, "MiniMax-M2.1"),
            ModelCaps::ANTHROPIC_MESSAGES
        );
    }
}

//! What replies of vendors cost, to the nano-USD, against sums done by hand.
//!
//! Prices are those of the built-in list, which has them per million tokens: at 1 USD per million a token costs 1,000
//! nano-USD. Replies are as vendors send them; only their usage matters here.

use super::{Price, find};
use crate::{Dialect, Progress, Units, formats};

/// A reply, and what it costs. `sum` is the sum done by hand, in nano-USD, one term for each class of tokens.
struct Invoice {
    what: &'static str,
    dialect: Dialect,
    provider: &'static str,
    model: &'static str,
    reply: String,
    sum: &'static [u64],
}

fn openai(usage: &str) -> String {
    format!(
        r#"{{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":
        {{"role":"assistant","content":"hi"}},"finish_reason":"stop"}}],"usage":{usage}}}"#
    )
}

fn responses(usage: &str) -> String {
    format!(
        r#"{{"id":"r","object":"response","created_at":1,"status":"completed","model":"m","output":[{{"type":"message",
        "id":"m","role":"assistant","status":"completed","content":[{{"type":"output_text","text":"hi","annotations":[]}}]}}],
        "usage":{usage}}}"#
    )
}

fn anthropic(usage: &str) -> String {
    format!(
        r#"{{"id":"m","type":"message","role":"assistant","model":"m","content":[{{"type":"text","text":"hi"}}],
        "stop_reason":"end_turn","stop_sequence":null,"usage":{usage}}}"#
    )
}

fn gemini(usage: &str) -> String {
    format!(
        r#"{{"candidates":[{{"content":{{"role":"model","parts":[{{"text":"hi"}}]}},"finishReason":"STOP","index":0}}],
        "usageMetadata":{usage},"modelVersion":"m"}}"#
    )
}

fn invoices() -> Vec<Invoice> {
    vec![
        Invoice {
            what: "OpenAI, plain",
            dialect: Dialect::OpenAiChat,
            provider: "openai",
            model: "gpt-4o",
            reply: openai(r#"{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500}"#),
            // input 2.50: 1,000 × 2,500; output 10: 500 × 10,000
            sum: &[2_500_000, 5_000_000],
        },
        Invoice {
            what: "OpenAI, most of the prompt from the cache: prompt_tokens includes it",
            dialect: Dialect::OpenAiChat,
            provider: "openai",
            model: "gpt-4o",
            reply: openai(
                r#"{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,
                "prompt_tokens_details":{"cached_tokens":1920,"audio_tokens":0}}"#,
            ),
            // 2,006 − 1,920 = 86 × 2,500; cached 1.25: 1,920 × 1,250; 300 × 10,000
            sum: &[215_000, 2_400_000, 3_000_000],
        },
        Invoice {
            what: "OpenAI, reasoning: completion_tokens includes it, and it is not charged twice",
            dialect: Dialect::OpenAiChat,
            provider: "openai",
            model: "o1",
            reply: openai(
                r#"{"prompt_tokens":77,"completion_tokens":1233,"total_tokens":1310,
                "completion_tokens_details":{"reasoning_tokens":1024}}"#,
            ),
            // input 15: 77 × 15,000; output 60: (1,233 − 1,024) × 60,000; reasoning 90: 1,024 × 90,000
            sum: &[1_155_000, 12_540_000, 92_160_000],
        },
        Invoice {
            what: "OpenAI Responses, cached and reasoning",
            dialect: Dialect::OpenAiResponses,
            provider: "openai",
            model: "o1",
            reply: responses(
                r#"{"input_tokens":328,"input_tokens_details":{"cached_tokens":128},"output_tokens":52,
                "output_tokens_details":{"reasoning_tokens":32},"total_tokens":380}"#,
            ),
            // 200 × 15,000; cached 7.50: 128 × 7,500; 20 × 60,000; 32 × 90,000
            sum: &[3_000_000, 960_000, 1_200_000, 2_880_000],
        },
        Invoice {
            what: "OpenAI, prices with fractions of a nano per token: rounded once, at the end",
            dialect: Dialect::OpenAiChat,
            provider: "openai",
            model: "gpt-4o-mini",
            reply: openai(
                r#"{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4,
                "prompt_tokens_details":{"cached_tokens":1}}"#,
            ),
            // 0.15: 2 × 150; cached 0.075: 1 × 75; 0.60: 1 × 600
            sum: &[300, 75, 600],
        },
        Invoice {
            what: "Anthropic, plain",
            dialect: Dialect::AnthropicMessages,
            provider: "anthropic",
            model: "claude-sonnet-4-20250514",
            reply: anthropic(r#"{"input_tokens":2095,"output_tokens":503}"#),
            // 3: 2,095 × 3,000; 15: 503 × 15,000
            sum: &[6_285_000, 7_545_000],
        },
        Invoice {
            what: "Anthropic, cache read and written for five minutes: input_tokens excludes both",
            dialect: Dialect::AnthropicMessages,
            provider: "anthropic",
            model: "claude-sonnet-4-20250514",
            reply: anthropic(
                r#"{"input_tokens":50,"cache_creation_input_tokens":248,"cache_read_input_tokens":1800,
                "cache_creation":{"ephemeral_5m_input_tokens":248,"ephemeral_1h_input_tokens":0},"output_tokens":503}"#,
            ),
            // 50 × 3,000; written 3: 248 × 3,000; read 1.50: 1,800 × 1,500; 503 × 15,000
            sum: &[150_000, 744_000, 2_700_000, 7_545_000],
        },
        Invoice {
            what: "Anthropic, written for five minutes and for an hour: an hour costs twice the input",
            dialect: Dialect::AnthropicMessages,
            provider: "anthropic",
            model: "claude-sonnet-4-20250514",
            reply: anthropic(
                r#"{"input_tokens":50,"cache_creation_input_tokens":248,"cache_read_input_tokens":1800,
                "cache_creation":{"ephemeral_5m_input_tokens":148,"ephemeral_1h_input_tokens":100},"output_tokens":503}"#,
            ),
            // 50 × 3,000; 148 × 3,000; 2 × 3: 100 × 6,000; 1,800 × 1,500; 503 × 15,000
            sum: &[150_000, 444_000, 600_000, 2_700_000, 7_545_000],
        },
        Invoice {
            what: "Anthropic, an older answer that does not say for how long it was written",
            dialect: Dialect::AnthropicMessages,
            provider: "anthropic",
            model: "claude-opus-4-20250514",
            reply: anthropic(
                r#"{"input_tokens":10,"cache_creation_input_tokens":1000,"cache_read_input_tokens":0,"output_tokens":1}"#,
            ),
            // 15: 10 × 15,000; written 15: 1,000 × 15,000; 75: 1 × 75,000
            sum: &[150_000, 15_000_000, 75_000],
        },
        Invoice {
            what: "Gemini, cached and thoughts: thoughts are beside candidates, the cached part is in the prompt",
            dialect: Dialect::Gemini,
            provider: "gemini",
            model: "gemini-2.5-pro",
            reply: gemini(
                r#"{"promptTokenCount":5000,"cachedContentTokenCount":4000,"candidatesTokenCount":200,
                "thoughtsTokenCount":900,"totalTokenCount":6100}"#,
            ),
            // 2: 1,000 × 2,000; cached 0.25: 4,000 × 250; 12: 200 × 12,000; thoughts 18: 900 × 18,000
            sum: &[2_000_000, 1_000_000, 2_400_000, 16_200_000],
        },
        Invoice {
            what: "Gemini, plain",
            dialect: Dialect::Gemini,
            provider: "gemini",
            model: "gemini-2.5-flash",
            reply: gemini(r#"{"promptTokenCount":12,"candidatesTokenCount":7,"totalTokenCount":19}"#),
            // 0.30: 12 × 300; 2.50: 7 × 2,500
            sum: &[3_600, 17_500],
        },
    ]
}

#[test]
fn replies_cost_what_their_vendors_charge() {
    for invoice in invoices() {
        let mut progress = Progress::default();
        formats::of(invoice.dialect)
            .observe_reply(invoice.reply.as_bytes(), &mut progress)
            .unwrap_or_else(|error| panic!("{}: {error:?}", invoice.what));
        let price = find(invoice.provider, invoice.provider, invoice.model).unwrap();
        let cost = price.cost_nano(&progress.usage.classes(), &Units::default());
        assert_eq!(cost, Some(invoice.sum.iter().sum::<u64>()), "{}", invoice.what);
    }
}

#[test]
fn what_anthropic_publishes_comes_out_where_an_operator_says_it() {
    // Claude Sonnet 4 on claude.com/pricing: 3 in, 15 out, 0.30 read; written for 5 minutes 3.75, for an hour 6
    let price = Price {
        input: 3_000_000_000,
        output: 15_000_000_000,
        cached: 300_000_000,
        reasoning: 15_000_000_000,
        cache_creation: 3_750_000_000,
    };
    let reply = anthropic(
        r#"{"input_tokens":21,"cache_creation_input_tokens":556,"cache_read_input_tokens":10000,
        "cache_creation":{"ephemeral_5m_input_tokens":456,"ephemeral_1h_input_tokens":100},"output_tokens":393}"#,
    );
    let mut progress = Progress::default();
    formats::of(Dialect::AnthropicMessages)
        .observe_reply(reply.as_bytes(), &mut progress)
        .unwrap();
    // 21 × 3,000 + 456 × 3,750 + 100 × 6,000 + 10,000 × 300 + 393 × 15,000
    let by_hand = 63_000 + 1_710_000 + 600_000 + 3_000_000 + 5_895_000;
    assert_eq!(price.cost_nano(&progress.usage.classes()), by_hand);
}

//! What a gateway must not do to a request: say more in it than its client said, or answer it itself.

use crate::clients::{DIALECTS, World};
use crate::harness::{KEY, Setup, until};
use proto::v1::usage_event::Evidence;
use serde_json::{Value, json};
use testkit::Simulator;

#[tokio::test]
async fn a_translated_request_says_what_its_client_said_and_nothing_else() {
    // several of these have gateways that pose as the vendor's own program
    for provider in ["anthropic", "glm", "minimax", "minimax-cn"] {
        let simulator = Simulator::anthropic().await;
        let data_plane = Setup::new().account("a", provider, &simulator).start().await;
        let parameters = json!({"type": "object", "properties": {"path": {"type": "string"}}});
        for limit in [None, Some(7)] {
            let mut body = json!({
                "model": format!("{provider}/demo"),
                "messages": [{"role": "user", "content": "Hi"}],
                "tools": [{"type": "function", "function": {"name": "read_file", "parameters": parameters}}],
            });
            if let Some(limit) = limit {
                body["max_tokens"] = json!(limit);
            }
            let response = data_plane.ask("/v1/chat/completions", &body).await;
            assert_eq!(response.status(), 200, "{provider}");
            let received = simulator.requests().pop().unwrap();
            assert_eq!(
                received.body,
                json!({
                    "model": "demo",
                    // the API insists on a limit, and a client's own is never raised
                    "max_tokens": limit.unwrap_or(8_192),
                    "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
                    "tools": [{"name": "read_file", "input_schema": parameters}],
                }),
                "{provider}"
            );
        }
    }
}

#[tokio::test]
async fn small_talk_of_a_vendors_program_reaches_its_provider_too() {
    let simulator = Simulator::anthropic().await;
    let data_plane = Setup::new().account("a", "anthropic", &simulator).start().await;
    let questions = [
        json!({"messages": [{"role": "user", "content": "Warmup"}]}),
        json!({"messages": [{"role": "user", "content": "count"}]}),
        json!({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "{"}]}),
        json!({"messages": [{"role": "user", "content": "Hi"}], "system": "Please write a 5-10 word title for this conversation"}),
    ];
    for (asked, mut question) in (1..).zip(questions) {
        question["model"] = json!("anthropic/demo");
        question["max_tokens"] = json!(50);
        let request = data_plane.post("/v1/messages").bearer_auth(KEY);
        let request = request.header("user-agent", "claude-cli/2.0.0 (external, cli)");
        let response = request.body(question.to_string()).send().await.unwrap();
        assert_eq!(response.status(), 200, "{question}");
        let received = simulator.requests();
        assert_eq!(received.len(), asked, "{question}");
        assert_eq!(received[asked - 1].body["messages"], question["messages"]);
    }
}

#[tokio::test]
async fn a_stream_that_is_passed_on_is_accounted_like_any_other() {
    for dialect in DIALECTS {
        let world = World::start(Setup::new()).await;
        let response = world.ask(dialect, dialect, "How far is the moon?", true).await;
        assert_eq!(response.status(), 200, "{dialect}");
        response.text().await.unwrap();
        let event = until("a usage event", || world.data_plane.events().pop()).await;
        let billed = world.provider(dialect).requests()[0].billed.unwrap();
        assert_eq!(
            event.evidence(),
            Evidence::ProviderReported,
            "{dialect}: {event:?}"
        );
        assert_eq!(event.outcome, "ok", "{dialect}: {event:?}");
        assert_eq!(
            (
                event.input_uncached + event.input_cache_read,
                event.output_visible + event.output_reasoning
            ),
            (billed.input, billed.output),
            "{dialect}: {event:?}"
        );
    }
}

#[tokio::test]
async fn a_client_is_told_the_usage_that_was_reported_and_no_token_more() {
    let world = World::start(Setup::new()).await;
    for (client, input, output) in [
        (DIALECTS[0], "/usage/prompt_tokens", "/usage/completion_tokens"),
        (DIALECTS[1], "/usage/input_tokens", "/usage/output_tokens"),
        (DIALECTS[2], "/usage/input_tokens", "/usage/output_tokens"),
        (
            DIALECTS[3],
            "/usageMetadata/promptTokenCount",
            "/usageMetadata/candidatesTokenCount",
        ),
        (DIALECTS[4], "/prompt_eval_count", "/eval_count"),
    ] {
        for upstream in DIALECTS {
            let response = world.ask(client, upstream, "How far is the moon?", false).await;
            let text = response.text().await.unwrap();
            let reply: Value = serde_json::from_str(&text).unwrap();
            let billed = world.provider(upstream).requests().pop().unwrap().billed.unwrap();
            let told = (
                reply.pointer(input).and_then(Value::as_u64),
                reply.pointer(output).and_then(Value::as_u64),
            );
            assert_eq!(
                told,
                (Some(billed.input), Some(billed.output)),
                "{client} at {upstream}: {text}"
            );
        }
    }
}

//! Thinking that a server sends inside its text, and the accounts that are known to do so.

use crate::harness::{DataPlane, Setup, frames, json};
use crate::scripted::Upstream;
use serde_json::{Value, json};

const TAGGED: &str = "<think>\nOne more.</think>\n\nHi";

/// One account at a provider, with what its operator says of its thinking.
async fn data_plane(provider: &str, think_tags: &str, upstream: &Upstream) -> DataPlane {
    Setup::new()
        .account_with("a", provider, upstream.url(), |connection| {
            think_tags.clone_into(&mut connection.think_tags);
        })
        .start()
        .await
}

fn completion(text: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    })
}

/// The same in chunks of a few letters, so that the tags arrive in pieces.
fn chunks(text: &str) -> Vec<Value> {
    let chunk = |delta: Value, finish: Value| {
        json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        })
    };
    let letters: Vec<char> = text.chars().collect();
    let pieces = letters.chunks(3).map(|piece| piece.iter().collect::<String>());
    let mut chunks: Vec<Value> = pieces
        .map(|piece| chunk(json!({"content": piece}), Value::Null))
        .collect();
    chunks.push(chunk(json!({}), json!("stop")));
    chunks
}

/// Reasoning and text of an answer, whole or streamed.
async fn told(
    data_plane: &DataPlane,
    upstream: &Upstream,
    model: &str,
    stream: bool,
    text: &str,
) -> [String; 2] {
    if !stream {
        upstream.says(&completion(text));
        let answer = json(data_plane.chat(model, false).await).await;
        let message = &answer["choices"][0]["message"];
        return ["reasoning_content", "content"]
            .map(|field| message[field].as_str().unwrap_or_default().to_owned());
    }
    upstream.streams(&chunks(text));
    let body = data_plane.chat(model, true).await.text().await.unwrap();
    let chunks = frames(&body);
    let chunks: Vec<Value> = chunks
        .iter()
        .filter_map(|chunk| serde_json::from_str(chunk).ok())
        .collect();
    ["reasoning_content", "content"].map(|field| {
        let piece = |chunk: &Value| chunk["choices"][0]["delta"][field].as_str().map(str::to_owned);
        chunks.iter().filter_map(piece).collect()
    })
}

#[tokio::test]
async fn an_account_that_is_said_to_think_in_its_text_has_its_thinking_taken_out() {
    let upstream = Upstream::start().await;
    for (think_tags, text, expected) in [
        ("tagged", TAGGED, ["One more.", "Hi"]),
        ("opened-by-prompt", "One more.</think>Hi", ["One more.", "Hi"]),
        ("tagged", "Hi <think>", ["", "Hi <think>"]),
        ("off", TAGGED, ["", TAGGED]),
        ("", TAGGED, ["", TAGGED]),
    ] {
        let data_plane = data_plane("openai", think_tags, &upstream).await;
        for stream in [false, true] {
            let told = told(&data_plane, &upstream, "openai/m", stream, text).await;
            assert_eq!(told, expected, "{think_tags}, streamed: {stream}");
        }
    }
}

#[tokio::test]
async fn a_provider_known_for_it_needs_no_word_of_the_operators_and_obeys_one() {
    let upstream = Upstream::start().await;
    for (think_tags, model, expected) in [
        ("", "together/deepseek-ai/DeepSeek-R1", ["One more.", "Hi"]),
        ("off", "together/deepseek-ai/DeepSeek-R1", ["", TAGGED]),
        ("", "together/Qwen/Qwen3-235B-A22B", ["", TAGGED]),
    ] {
        let data_plane = data_plane("together", think_tags, &upstream).await;
        let told = told(&data_plane, &upstream, model, true, TAGGED).await;
        assert_eq!(told, expected, "{think_tags} {model}");
    }
}

#[tokio::test]
async fn two_accounts_of_one_provider_may_mark_their_thinking_differently() {
    let (broken, tagged) = (Upstream::start().await, Upstream::start().await);
    broken.says(&json!({}));
    let data_plane = Setup::new()
        .account_with("plain", "openai", broken.url(), |_| {})
        .account_with("tagged", "openai", tagged.url(), |connection| {
            connection.think_tags = "tagged".to_owned();
        })
        .start()
        .await;
    let told = told(&data_plane, &tagged, "openai/m", false, TAGGED).await;
    assert_eq!(told, ["One more.", "Hi"]);
}

#[tokio::test]
async fn a_client_of_another_dialect_gets_the_thinking_in_its_own_words() {
    let upstream = Upstream::start().await;
    let data_plane = data_plane("openai", "tagged", &upstream).await;
    upstream.says(&completion(TAGGED));
    let body = json!({
        "model": "openai/m", "max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 2000},
        "messages": [{"role": "user", "content": "Hello?"}],
    });
    let message = json(data_plane.ask("/v1/messages", &body).await).await;
    assert_eq!(message["content"][0]["thinking"], "One more.", "{message}");
    assert_eq!(message["content"][1]["text"], "Hi", "{message}");
}

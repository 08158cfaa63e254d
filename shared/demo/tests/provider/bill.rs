use crate::client::{anthropic, gemini, ollama, openai, question, responses, send};
use demo::{Behaviour, Billed, Dialect, Simulator};
use serde_json::{Value, json};

fn cached() -> Behaviour {
    Behaviour {
        cached: true,
        ..Behaviour::default()
    }
}

/// What the usage in an answer of OpenAI's says.
fn told_openai(usage: &Value) -> Billed {
    let number = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64).unwrap();
    Billed {
        input: number("/prompt_tokens"),
        cached: number("/prompt_tokens_details/cached_tokens"),
        output: number("/completion_tokens"),
        reasoning: number("/completion_tokens_details/reasoning_tokens"),
    }
}

/// The same of Anthropic's, where the input leaves out what was cached.
fn told_anthropic(usage: &Value) -> Billed {
    let number = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64).unwrap();
    Billed {
        input: number("/input_tokens") + number("/cache_read_input_tokens"),
        cached: number("/cache_read_input_tokens"),
        output: number("/output_tokens"),
        reasoning: number("/output_tokens_details/thinking_tokens"),
    }
}

#[tokio::test]
async fn what_is_told_is_what_is_billed() {
    let simulator = Simulator::openai().await;
    for stream in [false, true] {
        simulator.script(cached());
        let options = if stream {
            json!({"include_usage": true})
        } else {
            Value::Null
        };
        let ask = json!({"stream": stream, "stream_options": options, "reasoning_effort": "low"});
        let answer = openai(&simulator, ask).await.ok();
        let last = if stream {
            answer.events().pop().unwrap()
        } else {
            answer.json()
        };
        let told = told_openai(&last["usage"]);
        assert_eq!(simulator.bill()[last["id"].as_str().unwrap()], [told]);
        assert!(
            told.cached > 0 && told.reasoning > 0 && told.output > told.reasoning,
            "{told:?}"
        );
    }

    let simulator = Simulator::anthropic().await;
    for stream in [false, true] {
        simulator.script(cached());
        let answer = anthropic(
            &simulator,
            json!({"stream": stream, "thinking": {"type": "adaptive"}}),
        )
        .await
        .ok();
        let (id, usage) = if stream {
            let events = answer.events();
            (
                events[0]["message"]["id"].clone(),
                events[events.len() - 2]["usage"].clone(),
            )
        } else {
            (answer.json()["id"].clone(), answer.json()["usage"].clone())
        };
        let told = told_anthropic(&usage);
        assert_eq!(simulator.bill()[id.as_str().unwrap()], [told]);
        assert!(
            told.cached > 0 && told.reasoning > 0 && told.output > told.reasoning,
            "{told:?}"
        );
    }
}

#[tokio::test]
async fn what_is_told_is_what_is_billed_by_the_other_vendors() {
    let number = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_u64).unwrap();
    let simulator = Simulator::responses().await;
    for stream in [false, true] {
        simulator.script(cached());
        let ask = json!({"stream": stream, "reasoning": {"effort": "low", "summary": "auto"}});
        let answer = responses(&simulator, ask).await.ok();
        let usage = if stream {
            answer.events().pop().unwrap()["response"]["usage"].clone()
        } else {
            answer.json()["usage"].clone()
        };
        let told = Billed {
            input: number(&usage, "/input_tokens"),
            cached: number(&usage, "/input_tokens_details/cached_tokens"),
            output: number(&usage, "/output_tokens"),
            reasoning: number(&usage, "/output_tokens_details/reasoning_tokens"),
        };
        assert!(told.cached > 0 && told.reasoning > 0, "{told:?}");
        assert_eq!(simulator.requests().pop().unwrap().billed, Some(told));
    }

    let simulator = Simulator::gemini().await;
    for method in ["generateContent", "streamGenerateContent?alt=sse"] {
        simulator.script(cached());
        let ask = json!({"generationConfig": {"thinkingConfig": {"thinkingBudget": -1}}});
        let answer = gemini(&simulator, method, ask).await.ok();
        let last = answer.events().pop().unwrap_or_else(|| answer.json());
        let usage = &last["usageMetadata"];
        let thoughts = number(usage, "/thoughtsTokenCount");
        let told = Billed {
            input: number(usage, "/promptTokenCount"),
            cached: number(usage, "/cachedContentTokenCount"),
            output: number(usage, "/candidatesTokenCount") + thoughts,
            reasoning: thoughts,
        };
        assert!(told.cached > 0 && told.reasoning > 0, "{told:?}");
        assert_eq!(simulator.requests().pop().unwrap().billed, Some(told));
    }

    let simulator = Simulator::ollama().await;
    for stream in [false, true] {
        let answer = ollama(&simulator, json!({"stream": stream, "think": true}))
            .await
            .ok();
        let last = answer.lines().pop().unwrap();
        let billed = simulator.requests().pop().unwrap().billed.unwrap();
        let told = (number(&last, "/prompt_eval_count"), number(&last, "/eval_count"));
        assert_eq!(told, (billed.input, billed.output));
    }
}

#[tokio::test]
async fn what_is_counted_beforehand_is_what_is_billed() {
    let count = "/count_tokens HTTP/1.1\r\nx-api-key: sk-test\r\nanthropic-version: 2023-06-01";
    let table = [
        (
            Dialect::Anthropic,
            format!("POST /v1/messages{count}"),
            "/input_tokens",
        ),
        (
            Dialect::OpenAiResponses,
            "POST /v1/responses/input_tokens HTTP/1.1\r\nauthorization: Bearer k".to_owned(),
            "/input_tokens",
        ),
        (
            Dialect::Gemini,
            "POST /v1beta/models/demo:countTokens HTTP/1.1\r\nx-goog-api-key: k".to_owned(),
            "/totalTokens",
        ),
    ];
    for (dialect, head, pointer) in table {
        let simulator = Simulator::start(dialect).await;
        let body = question(dialect, json!({"max_tokens": null})).to_string();
        let counted = send(&simulator, &head, &body).await.ok().json();
        let expected = Some(5);
        assert_eq!(
            counted.pointer(pointer).and_then(Value::as_u64),
            expected,
            "{counted}"
        );
        assert!(simulator.bill().is_empty(), "counting costs nothing");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_costs_what_was_sent() {
    let simulator = Simulator::openai().await;
    // the role, and two words
    simulator.script(Behaviour {
        cut_after: Some(3),
        ..Behaviour::default()
    });
    openai(&simulator, json!({"stream": true, "user": "someone"})).await;
    let billed = simulator.bill()["someone"][0];
    assert_eq!(billed.output, 2);
    assert_eq!(billed.input, 5, "two words, and three for the message");
}

#[tokio::test]
async fn who_asks_twice_under_one_name_pays_twice() {
    let simulator = Simulator::anthropic().await;
    for _ in 0..2 {
        anthropic(&simulator, json!({"metadata": {"user_id": "twice"}}))
            .await
            .ok();
    }
    simulator.script(Behaviour::status(500));
    anthropic(&simulator, json!({"metadata": {"user_id": "twice"}})).await;
    let bill = simulator.bill();
    assert_eq!(bill["twice"].len(), 2, "a failure costs nothing");
    let sum: Billed = bill.into_values().flatten().sum();
    assert_eq!(sum.output, 2 * simulator.requests()[0].billed.unwrap().output);
}

#[tokio::test]
async fn an_unmetered_answer_is_billed_all_the_same() {
    let simulator = Simulator::openai().await;
    let whole = openai(&simulator, json!({"model": "sim-unmetered"}))
        .await
        .ok()
        .json();
    assert_eq!(whole.get("usage"), None);
    assert!(simulator.requests()[0].billed.unwrap().output > 0);

    let simulator = Simulator::anthropic().await;
    let stream = anthropic(&simulator, json!({"model": "sim-unmetered", "stream": true}))
        .await
        .ok();
    assert!(!stream.text().contains("usage"), "{}", stream.text());
}

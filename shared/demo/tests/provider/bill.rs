use crate::client::{anthropic, openai};
use demo::{Behaviour, Billed, Simulator};
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

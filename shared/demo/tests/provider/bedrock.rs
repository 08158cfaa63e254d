use crate::client::{Answer, bedrock, send};
use bytes::Bytes;
use demo::{ACCESS_KEY, Behaviour, Simulator, TEMPORARY_ACCESS_KEY};
use llm::event_stream::Messages;
use llm::sigv4::{Credentials, Scope, Signable, sign};
use llm::{Ask, Dialect, ModelCaps, Progress, ReplySeed, Target};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const CLAUDE: &str = "us.anthropic.claude-3-7-sonnet-20250219-v1:0";

/// Name and payload of every message, exceptions among them.
fn messages(answer: &Answer) -> Vec<(String, Value)> {
    let (mut reader, mut all) = (Messages::default(), Vec::new());
    let read = reader.push(&answer.chunks.concat(), |message| {
        let name = message.text(":event-type").or(message.text(":exception-type"));
        assert_eq!(message.text(":content-type"), Some("application/json"));
        let payload = serde_json::from_slice(message.payload).unwrap();
        all.push((name.unwrap().to_owned(), payload));
    });
    read.unwrap();
    assert!(reader.is_between());
    all
}

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!({"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": schema}}}]})
}

#[tokio::test]
async fn what_the_service_refuses_is_refused() {
    let content = |blocks: Value| json!({"messages": [{"role": "user", "content": blocks}]});
    let turns = |turns: Value| json!({"messages": turns});
    let said = |role: &str, blocks: Value| json!({"role": role, "content": blocks});
    let hi = json!([{"text": "Hi"}]);
    let call = json!([{"toolUse": {"toolUseId": "t", "name": "get_weather", "input": {}}}]);
    let result =
        |content: Value| json!([{"toolResult": {"toolUseId": "t", "content": content, "status": "error"}}]);
    let document = json!({"document": {"format": "pdf", "name": "a", "source": {"bytes": "JVBERi0="}}});
    let table = [
        (json!({"model": "m"}), "model: Extra inputs"),
        (json!({"messages": []}), "must start with a user message"),
        (
            turns(json!([said("assistant", hi.clone())])),
            "must start with a user message",
        ),
        (
            turns(json!([said("user", hi.clone()), said("user", hi.clone())])),
            "must alternate",
        ),
        (content(json!([])), "is empty"),
        (content(json!([{"text": " \n"}])), "is blank"),
        (content(json!([{"text": "a", "image": {}}])), "exactly one"),
        (
            content(json!([{"cachePoint": {"type": "default"}}])),
            "nothing before",
        ),
        (
            content(json!([{"reasoningContent": {"reasoningText": {"text": "a"}}}])),
            "not expected in this role",
        ),
        (content(json!([document])), "needs a text block"),
        (
            content(json!([{"text": "a"}, document, document])),
            "must be unique",
        ),
        (
            turns(json!([
                said("user", hi.clone()),
                said("assistant", call.clone()),
                said("user", hi.clone())
            ])),
            "toolConfig field must be defined",
        ),
        (
            json!({"toolConfig": tools(), "messages": [said("user", hi.clone()), said("assistant", call.clone()), said("user", hi.clone())]}),
            "Expected toolResult blocks",
        ),
        (
            json!({"toolConfig": tools(), "messages": [said("user", hi.clone()), said("assistant", call.clone()), said("user", result(json!([])))]}),
            "cannot be empty when status",
        ),
        (json!({"toolConfig": {"tools": []}}), "toolConfig.tools"),
        (
            json!({"inferenceConfig": {"maxTokens": 0}}),
            "greater than or equal to 1",
        ),
        (
            json!({"inferenceConfig": {"temperature": 1.5}}),
            "between 0 and 1",
        ),
        (
            json!({"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 5}}}),
            "budget_tokens",
        ),
    ];
    let simulator = Simulator::bedrock().await;
    for (changes, text) in table {
        let answer = bedrock(&simulator, "converse", changes.clone()).await;
        assert_eq!(answer.status, 400, "{changes}: {}", answer.text());
        assert!(
            answer.head.contains("x-amzn-errortype: validationexception:"),
            "{}",
            answer.head
        );
        let body = answer.json();
        assert!(
            body["message"].as_str().unwrap().contains(text),
            "{changes}: {body}"
        );
    }
    assert!(simulator.bill().is_empty());
}

#[tokio::test]
async fn nobody_is_let_in_without_a_key() {
    let simulator = Simulator::bedrock().await;
    let path = "POST /model/demo/converse HTTP/1.1";
    let body = r#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}"#;
    for (head, status, name) in [
        (path.to_owned(), 403, "missingauthenticationtokenexception"),
        (
            format!("{path}\r\nauthorization: Bearer sk-revoked"),
            403,
            "unrecognizedclientexception",
        ),
        (
            format!("{path}\r\nauthorization: AWS4-HMAC-SHA256 Credential=x"),
            403,
            "incompletesignatureexception",
        ),
        (
            format!("{path}\r\nauthorization: Bearer bedrock-api-key-x"),
            200,
            "application/json",
        ),
        (
            "POST /model/demo/invoke HTTP/1.1\r\nauthorization: Bearer k".to_owned(),
            404,
            "resourcenotfoundexception",
        ),
    ] {
        let answer = send(&simulator, &head, body).await;
        assert_eq!(answer.status, status, "{head}: {}", answer.text());
        assert!(answer.head.contains(name), "{}", answer.head);
    }
}

#[tokio::test]
async fn messages_say_what_a_whole_answer_says() {
    let simulator = Simulator::bedrock().await;
    let thinking =
        json!({"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}});
    let whole = bedrock(&simulator, "converse", thinking.clone())
        .await
        .ok()
        .json();
    let stream = bedrock(&simulator, "converse-stream", thinking).await.ok();
    assert!(
        stream
            .head
            .contains("content-type: application/vnd.amazon.eventstream")
    );
    let all = messages(&stream);
    let content = whole["output"]["message"]["content"].as_array().unwrap();
    let texts = |pointer: &str| {
        let said = all
            .iter()
            .filter_map(|(_, payload)| payload.pointer(pointer)?.as_str());
        said.collect::<String>()
    };
    assert_eq!(texts("/delta/text"), content[1]["text"]);
    let thought = &content[0]["reasoningContent"]["reasoningText"];
    assert_eq!(texts("/delta/reasoningContent/text"), thought["text"]);
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..2], ["messageStart", "contentBlockDelta"]);
    assert_eq!(names[names.len() - 2..], ["messageStop", "metadata"]);
    let last = |pointer: &str| all.iter().rev().find_map(|(_, payload)| payload.pointer(pointer));
    assert_eq!(last("/stopReason"), Some(&whole["stopReason"]));
    assert_eq!(last("/usage"), Some(&whole["usage"]));
}

#[tokio::test]
async fn a_tool_is_called_and_its_result_answered() {
    let simulator = Simulator::bedrock().await;
    let user = json!({"role": "user", "content": [{"text": "Please call the tool for Paris."}]});
    let ask = json!({"toolConfig": tools(), "messages": [user]});
    let called = bedrock(&simulator, "converse", ask.clone()).await.ok().json();
    let said = &called["output"]["message"];
    assert_eq!(said["content"][0]["toolUse"]["input"], json!({"city": "Paris"}));
    assert_eq!(called["stopReason"], "tool_use");
    let all = messages(&bedrock(&simulator, "converse-stream", ask).await.ok());
    let input = all
        .iter()
        .filter_map(|(_, payload)| payload.pointer("/delta/toolUse/input")?.as_str());
    assert_eq!(input.collect::<String>(), r#"{"city":"Paris"}"#);

    let id = &said["content"][0]["toolUse"]["toolUseId"];
    let result = json!({"role": "user", "content": [{"toolResult": {"toolUseId": id, "content": [{"text": "sunny"}]}}]});
    let ask = json!({"toolConfig": tools(), "messages": [user, said, result]});
    let told = bedrock(&simulator, "converse", ask).await.ok().json();
    assert_eq!(
        told["output"]["message"]["content"][0]["text"],
        "The tool answered: sunny"
    );
}

#[tokio::test]
async fn a_failure_in_the_middle_is_an_exception() {
    let simulator = Simulator::bedrock().await;
    simulator.script(Behaviour {
        error_after: Some(3),
        ..Behaviour::default()
    });
    let all = messages(&bedrock(&simulator, "converse-stream", json!({})).await.ok());
    assert_eq!(all.len(), 4);
    assert_eq!(all[3].0, "modelStreamErrorException");
    simulator.script(Behaviour::status(429));
    let slow = bedrock(&simulator, "converse-stream", json!({})).await;
    assert!(
        slow.status == 429 && slow.head.contains("throttlingexception"),
        "{}",
        slow.head
    );
}

/// What a client asks, put to the service as the gateway would: translated, signed, and understood.
#[tokio::test]
async fn a_signed_request_of_every_client_is_answered_in_its_own_words() {
    let simulator = Simulator::bedrock().await;
    let tool = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    for (key, stream) in [(ACCESS_KEY, false), (TEMPORARY_ACCESS_KEY, true)] {
        for (client, body, said) in [
            (
                Dialect::OpenAiChat,
                json!({"messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "Hi"}], "stop": ["demo provider"]}),
                "Hello from OmniRoute's",
            ),
            (
                Dialect::AnthropicMessages,
                json!({"max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 2000},
                    "messages": [{"role": "user", "content": "Hi"}]}),
                "The user wrote 1 words",
            ),
            (
                Dialect::OpenAiResponses,
                json!({"input": "call the tool for Paris", "tools": [{"type": "function", "name": "look", "parameters": tool}]}),
                "Paris",
            ),
            (
                Dialect::OpenAiChat,
                json!({"messages": [{"role": "user", "content": "Hi"}], "response_format": {"type": "json_schema",
                    "json_schema": {"name": "n", "schema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false}}}}),
                "a\\\":1",
            ),
        ] {
            let mut body = body;
            body["model"] = json!("m");
            body["stream"] = json!(stream);
            let shown = asked(&simulator, key, client, &body, stream).await;
            assert!(shown.contains(said), "{client} {stream}: {shown}");
        }
    }
}

async fn asked(simulator: &Simulator, key: &str, client: Dialect, body: &Value, stream: bool) -> String {
    let ask = Ask::read(client, Bytes::from(body.to_string())).unwrap();
    let call = ask.call(&Target {
        dialect: Dialect::BedrockConverse,
        model: CLAUDE.to_owned(),
        caps: ModelCaps::of(Dialect::BedrockConverse, CLAUDE),
    });
    let call = call.unwrap();
    let path = llm::providers::find("bedrock").unwrap().path_for(CLAUDE, stream);
    let payload = call.body();
    let signable = Signable {
        method: "POST",
        path: &path,
        query: "",
        headers: &[("host", "provider"), ("content-type", "application/json")],
        payload: &payload,
    };
    let scope = Scope {
        region: "us-east-1",
        service: llm::formats::bedrock_converse::SIGNING_NAME,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut head = format!("POST {path} HTTP/1.1");
    for (name, value) in sign(&signable, &Credentials::parse(key).unwrap(), scope, now) {
        head.push_str(&format!("\r\n{name}: {value}"));
    }
    let answer = send(simulator, &head, std::str::from_utf8(&payload).unwrap())
        .await
        .ok();
    let seed = ReplySeed {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        model: "m".to_owned(),
        ..ReplySeed::default()
    };
    if !stream {
        let body = answer.chunks.concat().into();
        let reply = call.reply(body, &seed, &mut Progress::default()).unwrap();
        return String::from_utf8(reply.to_vec()).unwrap();
    }
    let (mut pump, mut out) = (call.pump(&seed), Vec::new());
    answer
        .chunks
        .iter()
        .for_each(|chunk| pump.push(Bytes::copy_from_slice(chunk), &mut out));
    pump.finish(&mut out);
    assert!(
        pump.progress().ended && pump.progress().error.is_none(),
        "{:?}",
        pump.progress()
    );
    // put together what was said in pieces
    let whole = call
        .fold(answer.chunks.concat().into(), &seed, &mut Progress::default())
        .unwrap();
    String::from_utf8(whole.to_vec()).unwrap()
}

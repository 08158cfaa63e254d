//! The cases that are more than one request or one reply.

use super::run::{dialect, matches};
use crate::grammar::{self, End};
use crate::laws::upstream::{Script, Step};
use crate::wire::question::{self, Feature};
use crate::wire::turn::next_turn;
use crate::wire::{
    ask, asked, dialects, essence, pairs, pump, seed, streamed, target, target_for, understood,
};
use Dialect::{AnthropicMessages, Gemini, OllamaChat, OpenAiChat, OpenAiResponses};
use bytes::Bytes;
use llm::{Ask, Call, Dialect, ErrorKind, Framing, Progress, formats};
use serde_json::{Value, json};
use std::time::Duration;

fn call_of(client: Dialect, upstream: Dialect, stream: bool, body: &Value) -> Call {
    ask(client, stream, Framing::Native, body)
        .call(&target(upstream))
        .expect("the case can be put to the upstream")
}

fn sent(client: Dialect, upstream: Dialect, body: &Value) -> Value {
    serde_json::from_slice(&call_of(client, upstream, false, body).body())
        .expect("the case can be put to the upstream")
}

fn plain(client: Dialect, upstream: Dialect, stream: bool) -> Call {
    call_of(
        client,
        upstream,
        stream,
        &question::body(client, Feature::Plain, stream),
    )
}

fn tool_call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

/// An OpenAI conversation in which these calls were made and answered, one turn each.
fn called(calls: &[Value]) -> Value {
    let mut messages = vec![json!({"role": "user", "content": "go"})];
    for call in calls {
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": [call]}));
        messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "ok"}));
    }
    json!({"model": "m", "messages": messages})
}

/// The way whose bytes are the upstream's own: nothing is written, and everything is still seen.
#[test]
fn t068_an_error_inside_a_stream_that_is_passed_on() {
    let error = r#"data: {"id":"x","choices":[],"error":{"code":502,"message":"provider down","metadata":{"error_type":"provider_unavailable"}}}"#;
    let text = r#"data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"x"}}]}"#;
    let call = plain(OpenAiChat, OpenAiChat, true);
    assert!(call.passthrough());
    for (stream, started) in [
        (format!("{error}\n\n"), false),
        (format!("{text}\n\n{error}\n\n"), true),
        (format!("{text}\n\n{error}\n\ndata: [DONE]\n\n"), true),
    ] {
        for (out, progress) in [
            pump(&call, [stream.as_bytes()]),
            pump(&call, stream.as_bytes().chunks(1)),
        ] {
            // before the first output the client has seen nothing, and another upstream may be asked
            assert_eq!(progress.started, started, "{stream}");
            let failure = progress.error.expect("the error is seen");
            assert!(failure.message.contains("provider down"), "{failure}");
            let (status, _) = formats::of(OpenAiChat).encode_error(&failure.public("id"));
            assert!((500..600).contains(&status), "{status}");
            assert!(!progress.ended, "{stream}");
            let out = String::from_utf8(out).unwrap();
            assert!(out.contains("provider down") && !out.contains("[DONE]"), "{out}");
        }
    }
}

#[test]
fn t010_ids_with_illegal_characters_stay_apart_and_together() {
    let body = called(&[
        tool_call("call-1\nfc_2:0", "f", "{}"),
        tool_call("call-1_fc_2_0", "f", "{}"),
    ]);
    let call = call_of(OpenAiChat, AnthropicMessages, false, &body);
    assert_eq!(
        call.body(),
        call_of(OpenAiChat, AnthropicMessages, false, &body).body()
    );
    let sent: Value = serde_json::from_slice(&call.body()).unwrap();
    let id = |message: usize, key: &str| {
        sent["messages"][message]["content"][0][key]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (first, second) = (id(1, "id"), id(3, "id"));
    assert_eq!((&id(2, "tool_use_id"), &id(4, "tool_use_id")), (&first, &second));
    assert_ne!(first, second);
    let sound = |id: &str| id.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    assert!(sound(&first) && sound(&second), "{first} {second}");
}

#[test]
fn t011_an_id_longer_than_64_characters_is_cut_the_same_in_call_and_result() {
    for (id, kept) in [
        (format!("toolu_{}", "a".repeat(80)), false),
        (format!("toolu_{}", "a".repeat(58)), true),
    ] {
        let body = json!({"model": "m", "max_tokens": 9, "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "ok"}]},
        ]});
        let responses = sent(AnthropicMessages, OpenAiResponses, &body);
        let chat = sent(AnthropicMessages, OpenAiChat, &body);
        for (call, result) in [
            (
                &responses["input"][1]["call_id"],
                &responses["input"][2]["call_id"],
            ),
            (
                &chat["messages"][1]["tool_calls"][0]["id"],
                &chat["messages"][2]["tool_call_id"],
            ),
        ] {
            assert_eq!(call, result);
            assert!(call.as_str().unwrap().len() <= 64, "{call}");
            assert_eq!(*call == id.as_str(), kept);
        }
    }
}

#[test]
fn t035_long_and_dotted_tool_names_fit_the_target_and_come_back() {
    let long = |tail: &str| format!("mcp__very.long/server-name__{}{tail}", "x".repeat(69));
    let names = [long("a"), long("b")];
    let tool = |name: &String| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}});
    let body = json!({
        "model": "m", "tools": names.iter().map(tool).collect::<Vec<_>>(),
        "tool_choice": {"type": "function", "function": {"name": names[0]}},
        "messages": called(&[tool_call("c1", &names[0], "{}")])["messages"],
    });
    let to_gemini = sent(OpenAiChat, Gemini, &body);
    let wire = |n: usize| {
        to_gemini["tools"][0]["functionDeclarations"][n]["name"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (first, second) = (wire(0), wire(1));
    assert_ne!(first, second);
    assert!(
        first.len() <= 64 && second.len() <= 64 && !first.contains('/'),
        "{first} {second}"
    );
    assert_eq!(
        to_gemini["contents"][1]["parts"][0]["functionCall"]["name"],
        first.as_str()
    );
    assert_eq!(
        to_gemini["contents"][2]["parts"][0]["functionResponse"]["name"],
        first.as_str()
    );
    assert_eq!(
        to_gemini["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"],
        json!([first])
    );

    let tool = |name: &String| json!({"name": name, "input_schema": {"type": "object"}});
    let of_anthropic = json!({
        "model": "m", "max_tokens": 9, "tools": names.iter().map(tool).collect::<Vec<_>>(),
        "messages": [{"role": "user", "content": "go"}],
    });
    for (client, upstream, body) in [
        (OpenAiChat, Gemini, &body),
        (AnthropicMessages, OpenAiChat, &of_anthropic),
    ] {
        let asked = asked(upstream, &call_of(client, upstream, true, body).body()).unwrap();
        let step = Step::Call {
            name: asked.tools[1].name.clone(),
            arguments: vec!["{}".to_owned()],
        };
        let script = Script {
            steps: vec![step],
            ..Script::example()
        };
        let (out, _) = pump(
            &call_of(client, upstream, true, body),
            [script.stream(upstream).as_slice()],
        );
        let whole = call_of(client, upstream, false, body)
            .reply(script.reply(upstream).into(), &seed(), &mut Progress::default())
            .unwrap();
        for shown in [
            String::from_utf8(out).unwrap(),
            String::from_utf8(whole.to_vec()).unwrap(),
        ] {
            assert!(
                shown.contains(&names[1]) && !shown.contains(&asked.tools[1].name),
                "{client}: {shown}"
            );
        }
    }
}

#[test]
fn t040_argument_bytes_are_preserved() {
    let input = r#"{"id":12345678901234567890,"f":1.0,"z":1,"a":"é","e":""}"#;
    let reply = format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","model":"n","content":[{{"type":"tool_use","id":"c1","name":"f","input":{input}}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{{"input_tokens":1,"output_tokens":1}}}}"#
    );
    let call = plain(OpenAiChat, AnthropicMessages, false);
    let body = call
        .reply(reply.into(), &seed(), &mut Progress::default())
        .unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let said = &body["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(said["function"]["arguments"], input);
    let next = call_of(
        OpenAiChat,
        AnthropicMessages,
        false,
        &called(std::slice::from_ref(said)),
    );
    let next = String::from_utf8(next.body().to_vec()).unwrap();
    assert!(next.contains(&format!(r#""input":{input}"#)), "{next}");
}

#[test]
fn t044_signed_thinking_goes_round_through_a_chat_client() {
    let steps = vec![
        Step::Reasoning(vec!["T".into()]),
        Step::Call {
            name: "f".into(),
            arguments: vec!["{}".into()],
        },
    ];
    let script = Script {
        steps,
        signed: true,
        ..Script::example()
    };
    let call = plain(OpenAiChat, AnthropicMessages, false);
    let reply = call
        .reply(
            script.reply(AnthropicMessages).into(),
            &seed(),
            &mut Progress::default(),
        )
        .unwrap();
    let next = sent(OpenAiChat, AnthropicMessages, &next_turn(OpenAiChat, &reply));
    let said = json!([
        {"type": "thinking", "thinking": "T", "signature": "c2lnbmVk"},
        {"type": "tool_use", "id": "call_1", "name": "f", "input": {}},
    ]);
    assert!(matches(&said, &next["messages"][1]["content"]), "{next}");
    assert_eq!(next["messages"][2]["content"][0]["tool_use_id"], "call_1");
}

#[test]
fn t046_of_parallel_gemini_calls_only_the_first_is_signed() {
    let reply = json!({
        "candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [
            {"functionCall": {"id": "a", "name": "f", "args": {}}, "thoughtSignature": "UzE="},
            {"functionCall": {"id": "b", "name": "g", "args": {}}},
        ]}}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
        "modelVersion": "n", "responseId": "r",
    });
    let target = target_for(Gemini, "gemini-3-pro");
    for client in [AnthropicMessages, OpenAiChat, OpenAiResponses] {
        let body = question::body(client, Feature::SignedReasoning, false);
        let call = ask(client, false, Framing::Native, &body).call(&target).unwrap();
        let reply = call
            .reply(reply.to_string().into(), &seed(), &mut Progress::default())
            .unwrap();
        let next = ask(client, false, Framing::Native, &next_turn(client, &reply))
            .call(&target)
            .unwrap();
        let next: Value = serde_json::from_slice(&next.body()).unwrap();
        let parts = next["contents"][1]["parts"].as_array().unwrap();
        let calls: Vec<&Value> = parts
            .iter()
            .filter(|part| part.get("functionCall").is_some())
            .collect();
        assert_eq!(calls.len(), 2, "{client}: {next}");
        assert_eq!(calls[0]["thoughtSignature"], "UzE=", "{client}: {next}");
        assert_eq!(calls[1].get("thoughtSignature"), None, "{client}: {next}");
        let results = next["contents"][2]["parts"].as_array().unwrap();
        assert!(
            results.len() == 2 && results.iter().all(|part| part.get("functionResponse").is_some()),
            "{next}"
        );
    }
}

#[test]
fn t097_a_gemini_client_gets_events_or_one_array() {
    let steps = vec![
        Step::Reasoning(vec!["hm".into()]),
        Step::Text(vec!["Hi".into()]),
        Step::Call {
            name: "f".into(),
            arguments: vec!["{\"a\"".into(), ":1".into(), "}".into()],
        },
    ];
    let script = Script {
        steps,
        ..Script::example()
    };
    for (thoughts, feature) in [(true, Feature::SignedReasoning), (false, Feature::Plain)] {
        for framing in [Framing::Native, Framing::JsonArray] {
            let body = question::body(Gemini, feature, true);
            let call = ask(Gemini, true, framing, &body)
                .call(&target(OpenAiChat))
                .unwrap();
            let (out, _) = pump(&call, script.stream(OpenAiChat).chunks(3));
            assert_eq!(grammar::stream(Gemini, framing, true, &out), Ok(End::Complete));
            let out = String::from_utf8(out).unwrap();
            assert!(
                !out.contains("[DONE]") && !out.contains("chat.completion"),
                "{out}"
            );
            assert_eq!(out.contains("\"thought\":true"), thoughts, "{out}");
            assert_eq!(out.matches("functionCall").count(), 1, "{out}");
            assert!(out.contains("\"args\":{\"a\":1}"), "{out}");
            assert_eq!(out.starts_with('['), framing == Framing::JsonArray);
            let json = formats::of(Gemini)
                .stream_content_type(framing)
                .starts_with("application/json");
            assert_eq!(json, framing == Framing::JsonArray);
        }
    }
}

#[test]
fn t100_an_ollama_client_streams_unless_it_says_otherwise() {
    let body = json!({
        "model": "m", "messages": [{"role": "user", "content": "hi", "images": ["iVBORw0KGgo="]}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "options": {"num_predict": -1, "stop": ["X"]},
    });
    let ask = Ask::read(OllamaChat, body.to_string().into()).unwrap();
    assert!(ask.stream());
    let call = ask
        .call(&target_for(AnthropicMessages, "claude-sonnet-4-5"))
        .unwrap();
    let sent: Value = serde_json::from_slice(&call.body()).unwrap();
    let wanted = json!({
        "stream": true, "max_tokens": 64000, "stop_sequences": ["X"],
        "messages": [{"content": [
            {"type": "text", "text": "hi"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        ]}],
    });
    assert!(matches(&wanted, &sent), "{sent}");
    assert_eq!(
        formats::of(OllamaChat).stream_content_type(Framing::Native),
        "application/x-ndjson"
    );
    let (out, _) = pump(&call, Script::example().stream(AnthropicMessages).chunks(5));
    assert_eq!(
        grammar::stream(OllamaChat, Framing::Native, true, &out),
        Ok(End::Complete)
    );
    let lines = String::from_utf8(out).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let calls = lines
        .iter()
        .filter(|line| line["message"].get("tool_calls").is_some());
    for line in calls.clone() {
        assert_eq!(
            line["message"]["tool_calls"][0]["function"]["arguments"],
            json!({"a": 1.0})
        );
        assert_eq!(line["done"], false);
    }
    assert_eq!(calls.count(), 1);
    let last = lines.last().unwrap();
    let counted = [
        "prompt_eval_count",
        "eval_count",
        "total_duration",
        "load_duration",
        "eval_duration",
    ];
    assert!(counted.iter().all(|key| last[*key].is_u64()), "{last}");
}

#[test]
fn t109_cache_marks_stay_as_they_are_between_anthropic_and_anthropic() {
    let body = r#"{"model":"m", "max_tokens":9,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}],"context_management":{"edits":[]}}"#;
    let ask = Ask::read(AnthropicMessages, Bytes::from_static(body.as_bytes())).unwrap();
    let call = ask.call(&target(AnthropicMessages)).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&call.body()),
        body.replacen("\"m\"", "\"n\"", 1)
    );
}

#[test]
fn t110_characters_of_several_bytes_may_be_cut_anywhere() {
    let script = Script {
        steps: vec![Step::Text(vec!["你好🌍é".into()])],
        ..Script::example()
    };
    for (client, upstream) in pairs() {
        let (call, bytes) = (plain(client, upstream, true), script.stream(upstream));
        let (whole, _) = pump(&call, [bytes.as_slice()]);
        assert!(!String::from_utf8_lossy(&whole).contains('\u{fffd}'));
        assert_eq!(
            essence(&understood(client, &whole).unwrap())[0],
            "text 你好🌍é",
            "{client} <- {upstream}"
        );
        for at in 0..bytes.len() {
            let (cut, _) = pump(&call, [&bytes[..at], &bytes[at..]]);
            assert_eq!(cut, whole, "{client} <- {upstream} at {at}");
        }
    }
}

#[test]
fn t112_upstream_errors_of_every_kind_reach_every_client() {
    let quota = r#"[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"38s"}]}}]"#;
    for (client, upstream) in pairs() {
        let shown = |status: u16, body: &str| {
            let error = formats::upstream(upstream).decode_error(status, body.as_bytes());
            let (status, body) = formats::of(client).encode_error(&error.public("id"));
            (error, status, String::from_utf8(body).unwrap())
        };
        let (error, status, body) = shown(429, quota);
        assert_eq!(
            (status, error.retry_after),
            (429, Some(Duration::from_secs(38))),
            "{client} <- {upstream}"
        );
        assert!(body.contains("quota"), "{body}");
        let (_, status, body) = shown(502, "<html><body>502 Bad Gateway</body></html>");
        // Anthropic and Google know no 502 of their own
        assert!([500, 502].contains(&status), "{client}: {status}");
        assert!(!body.contains('<'), "{body}");
        let (_, status, body) = shown(400, r#"{"error":{"message":"m","code":400}}"#);
        assert_eq!(status, 400, "{client} <- {upstream}");
        assert!(
            body.contains("\"m\"") || body.contains(": m") || body.contains("\"message\":\"m"),
            "{body}"
        );
        let (_, status, body) = shown(500, "plain");
        assert!(
            status >= 500 && body.contains("plain"),
            "{client} <- {upstream}: {status} {body}"
        );
    }
}

#[test]
fn t113_a_wrong_key_of_the_gateway_is_not_the_clients_fault() {
    let google = r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}"#;
    let anthropic = r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key sk-ant-abc"}}"#;
    let openai = r#"{"error":{"message":"forbidden for sk-proj-abcdefghijkl","type":"permission","code":null,"param":null}}"#;
    for (upstream, status, body) in [
        (AnthropicMessages, 401, anthropic),
        (OpenAiChat, 403, openai),
        (Gemini, 400, google),
    ] {
        let error = formats::of(upstream).decode_error(status, body.as_bytes());
        assert_eq!(error.kind, ErrorKind::UpstreamAuth, "{upstream}");
        for client in dialects() {
            let (shown, body) = formats::of(client).encode_error(&error.public("id"));
            let body = String::from_utf8(body).unwrap();
            assert!([502, 503].contains(&shown), "{client} <- {upstream}: {shown}");
            assert!(!body.contains("sk-"), "{body}");
        }
    }
}

#[test]
fn t115_a_stream_for_a_body_and_a_body_for_a_stream() {
    let script = Script::example();
    for (client, upstream) in pairs() {
        let call = plain(client, upstream, true);
        let replayed = call
            .replay(script.reply(upstream).into(), &seed(), &mut Progress::default())
            .unwrap();
        let usage = client != OpenAiChat || replayed.windows(9).any(|bytes| bytes == b"\"usage\":{");
        assert_eq!(
            grammar::stream(client, Framing::Native, usage, &replayed),
            Ok(End::Complete)
        );
        let replayed = understood(client, &replayed).unwrap();
        let streamed = streamed(&call, client, &script.stream(upstream)).unwrap();
        assert_eq!(essence(&replayed), essence(&streamed), "{client} <- {upstream}");

        let folded = plain(client, upstream, false).fold(
            script.stream(upstream).into(),
            &seed(),
            &mut Progress::default(),
        );
        assert_eq!(
            grammar::reply(client, &folded.unwrap()),
            Ok(()),
            "{client} <- {upstream}"
        );
    }
    assert_eq!(dialect(&json!("gemini")), Gemini);
}

#[test]
fn t116_what_was_used_is_known_when_the_client_leaves() {
    let script = Script {
        steps: vec![Step::Text(vec!["a".into(), "b".into(), "c".into()])],
        ..Script::example()
    };
    for upstream in [AnthropicMessages, Gemini] {
        for client in dialects() {
            let call = plain(client, upstream, true);
            let stream = script.stream(upstream);
            let mut pump = call.pump(&seed());
            pump.push(
                Bytes::copy_from_slice(&stream[..script.terminal(upstream)]),
                &mut Vec::new(),
            );
            let progress = pump.progress();
            assert_eq!(
                progress.usage.input_total,
                Some(script.input),
                "{client} <- {upstream}"
            );
            assert!(
                progress.output_bytes >= 3 && !progress.ended,
                "{client} <- {upstream}: {progress:?}"
            );
        }
    }
}

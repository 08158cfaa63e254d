use super::*;
use crate::dialect::Dialect;
use crate::formats;
use crate::translate::Ask;
use serde_json::json;

/// The body that a client's request becomes for a model, and the notes' summary.
fn sent(client: Dialect, body: Value, model: &str) -> (Value, Option<String>) {
    let mut body = body;
    body["model"] = "m".into();
    let ask = Ask::read(client, body.to_string().into()).unwrap();
    let target = Target {
        dialect: Dialect::Gemini,
        model: model.to_owned(),
        caps: ModelCaps::of(Dialect::Gemini, model),
    };
    let call = ask
        .call(&target)
        .unwrap_or_else(|error| panic!("{body}: {error}"));
    (
        serde_json::from_slice(&call.body()).unwrap(),
        call.notes().summary(),
    )
}

fn chat(body: Value, model: &str) -> Value {
    sent(Dialect::OpenAiChat, body, model).0
}

fn called(id: &str, name: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}})
}

/// The calls of a conversation with their signatures.
fn signatures(body: &Value) -> Vec<(String, Option<String>)> {
    let contents = body["contents"].as_array().unwrap();
    let parts = contents
        .iter()
        .flat_map(|content| content["parts"].as_array().unwrap());
    parts
        .filter(|part| part["functionCall"].is_object())
        .map(|part| {
            let id = part["functionCall"]["id"].as_str().unwrap().to_owned();
            (id, part["thoughtSignature"].as_str().map(str::to_owned))
        })
        .collect()
}

#[test]
fn a_conversation_becomes_alternating_contents() {
    let body = json!({
        "messages": [
            {"role": "system", "content": "S"},
            {"role": "assistant", "content": "A"},
            {"role": "user", "content": "u1"},
            {"role": "user", "content": "u2"},
            {"role": "assistant", "content": "x", "tool_calls": [called("a", "f"), called("b", "g")]},
            {"role": "tool", "tool_call_id": "b", "content": "{\"ok\":1.0}"},
            {"role": "tool", "tool_call_id": "a", "content": "plain"},
            {"role": "system", "content": "mid"},
            {"role": "user", "content": "u3"},
        ],
    });
    let expected = json!({
        "systemInstruction": {"parts": [{"text": "S"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "."}]},
            {"role": "model", "parts": [{"text": "A"}]},
            {"role": "user", "parts": [{"text": "u1"}, {"text": "u2"}]},
            {"role": "model", "parts": [
                {"text": "x"},
                {"functionCall": {"id": "a", "name": "f", "args": {}}},
                {"functionCall": {"id": "b", "name": "g", "args": {}}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "a", "name": "f", "response": {"output": "plain"}}},
                {"functionResponse": {"id": "b", "name": "g", "response": {"ok": 1.0}}},
            ]},
            {"role": "user", "parts": [
                {"text": "<system-reminder>\nmid\n</system-reminder>"}, {"text": "u3"},
            ]},
        ],
    });
    assert_eq!(chat(body, "gemini-2.5-flash"), expected);
}

#[test]
fn only_the_first_unsigned_call_of_a_step_of_the_current_turn_is_marked() {
    let body = json!({"messages": [
        {"role": "user", "content": "old"},
        {"role": "assistant", "tool_calls": [called("c0", "f")]},
        {"role": "tool", "tool_call_id": "c0", "content": "0"},
        {"role": "user", "content": "now"},
        {"role": "assistant", "tool_calls": [called("c1", "f"), called("c2", "f")]},
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "tool", "tool_call_id": "c2", "content": "2"},
        {"role": "assistant", "tool_calls": [called("c3", "f")]},
        {"role": "tool", "tool_call_id": "c3", "content": "3"},
    ]});
    let marked = Some("skip_thought_signature_validator".to_owned());
    let expected = [("c0", None), ("c1", marked.clone()), ("c2", None), ("c3", marked)];
    let expected = expected.map(|(id, signature)| (id.to_owned(), signature));
    assert_eq!(signatures(&chat(body.clone(), "gemini-3-pro-preview")), expected);
    let unsigned = signatures(&chat(body, "gemini-2.5-pro"));
    assert!(unsigned.iter().all(|(_, signature)| signature.is_none()));
}

#[test]
fn a_signature_comes_home_through_clients_of_other_dialects() {
    let seed = crate::format::ReplySeed {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        created: 1,
        model: "m".to_owned(),
        include_usage: false,
        injected_usage: false,
        framing: crate::format::Framing::Native,
        request: None,
    };
    let upstream = json!({"responseId": "r", "candidates": [{"index": 0, "finishReason": "STOP", "content": {"parts": [
        {"functionCall": {"id": "a", "name": "f", "args": {}}, "thoughtSignature": "S1"},
        {"functionCall": {"id": "b", "name": "g", "args": {}}},
    ]}}]});
    let target = Target {
        dialect: Dialect::Gemini,
        model: "gemini-3-pro".to_owned(),
        caps: ModelCaps::of(Dialect::Gemini, "gemini-3-pro"),
    };
    for client in [Dialect::OpenAiChat, Dialect::AnthropicMessages] {
        let question = json!({"role": "user", "content": "hi"});
        let body = json!({"model": "m", "max_tokens": 9, "messages": [question]});
        let call = Ask::read(client, body.to_string().into())
            .unwrap()
            .call(&target)
            .unwrap();
        let reply = call
            .reply(upstream.to_string().into(), &seed, &mut Default::default())
            .unwrap();
        let reply: Value = serde_json::from_slice(&reply).unwrap();
        let history = match client {
            Dialect::OpenAiChat => json!([question, reply["choices"][0]["message"],
                {"role": "tool", "tool_call_id": "a", "content": "1"},
                {"role": "tool", "tool_call_id": "b", "content": "2"}]),
            _ => {
                json!([question, {"role": "assistant", "content": reply["content"]}, {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "1"},
                {"type": "tool_result", "tool_use_id": "b", "content": "2"}]}])
            }
        };
        let (body, _) = sent(
            client,
            json!({"max_tokens": 9, "messages": history}),
            "gemini-3-pro",
        );
        let expected = [("a".to_owned(), Some("S1".to_owned())), ("b".to_owned(), None)];
        assert_eq!(signatures(&body), expected, "{client}");
        assert_eq!(body["contents"].as_array().unwrap().len(), 3, "{client}: {body}");
    }
}

#[test]
fn options_go_where_the_api_wants_them() {
    let body = chat(
        json!({
            "messages": [{"role": "user", "content": "hi"}],
            "max_completion_tokens": 100, "temperature": 0.5, "top_p": 0.9, "seed": 7, "n": 2,
            "stop": ["a", "b", "a"], "logprobs": true, "top_logprobs": 3, "presence_penalty": 0.5,
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema":
                {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}, "required": ["a"]}}},
        }),
        "gemini-2.5-flash",
    );
    assert_eq!(
        body["generationConfig"],
        json!({
            "maxOutputTokens": 100, "temperature": 0.5, "topP": 0.9, "presencePenalty": 0.5, "seed": 7,
            "candidateCount": 2, "stopSequences": ["a", "b"], "responseLogprobs": true, "logprobs": 3,
            "responseMimeType": "application/json",
            "responseJsonSchema": {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}, "required": ["a"]},
        })
    );
}

#[test]
fn tools_are_one_entry_and_a_tool_without_parameters_has_none() {
    let tools = json!([
        {"type": "function", "function": {"name": "ping"}},
        {"type": "function", "function": {"name": "1.f", "parameters": {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}}}},
    ]);
    let body = json!({"messages": [{"role": "user", "content": "hi"}], "tools": tools,
        "tool_choice": {"type": "function", "function": {"name": "1.f"}}});
    let subset = chat(body.clone(), "gemini-2.0-flash");
    assert_eq!(
        subset["tools"],
        json!([{"functionDeclarations": [{"name": "ping"},
            {"name": "_1_f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}]}])
    );
    assert_eq!(
        subset["toolConfig"],
        json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["_1_f"]}})
    );
    let full = chat(body, "gemini-3-flash");
    assert_eq!(
        full["tools"][0]["functionDeclarations"][1]["parametersJsonSchema"]["properties"]["a"]["default"],
        "x"
    );
}

#[test]
fn media_of_a_result_stand_beside_it_where_the_model_takes_them() {
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}});
    let body = json!({"max_tokens": 9, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "is_error": true,
            "content": [{"type": "text", "text": "t"}, image]}]},
    ]});
    let blob = json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}});
    let (new, _) = sent(Dialect::AnthropicMessages, body.clone(), "gemini-3-flash");
    assert_eq!(
        new["contents"][2]["parts"],
        json!([{"functionResponse": {"id": "a", "name": "f", "response": {"error": "t"}, "parts": [blob]}}])
    );
    let (old, _) = sent(Dialect::AnthropicMessages, body, "gemini-2.5-flash");
    let response = &old["contents"][2]["parts"][0]["functionResponse"]["response"];
    assert_eq!(
        response,
        &json!({"error": "t\n[1 image attached in the next user message]"})
    );
    assert_eq!(
        old["contents"][3]["parts"],
        json!([{"text": "Media returned by tool f (a):"}, blob])
    );
}

#[test]
fn what_is_sent_is_read_back_as_what_was_meant() {
    let (body, _) = sent(
        Dialect::OpenAiChat,
        json!({"messages": [
            {"role": "user", "content": [{"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "gs://b/a.png"}}]},
            {"role": "assistant", "tool_calls": [called("a", "f")]},
            {"role": "tool", "tool_call_id": "a", "content": "r"},
        ]}),
        "gemini-2.5-flash",
    );
    assert_eq!(
        body["contents"][0]["parts"][1],
        json!({"fileData": {"mimeType": "image/png", "fileUri": "gs://b/a.png"}})
    );
    let request = formats::of(Dialect::Gemini)
        .decode_request(body.to_string().as_bytes())
        .unwrap();
    assert_eq!(request.messages.len(), 3);
}

#[test]
fn an_old_model_is_asked_for_structure_in_words_when_there_are_tools() {
    let body = json!({"messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "response_format": {"type": "json_object"}});
    let (old, notes) = sent(Dialect::OpenAiChat, body.clone(), "gemini-2.0-flash");
    assert!(
        old.get("generationConfig").is_none() && old["systemInstruction"].is_object(),
        "{old}"
    );
    assert_eq!(notes.as_deref(), Some("loss=1"));
    let new = chat(body, "gemini-3-flash");
    assert_eq!(new["generationConfig"]["responseMimeType"], "application/json");
}

#[test]
fn a_conversation_that_says_nothing_is_refused() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": ""}]});
    let ask = Ask::read(Dialect::OpenAiChat, body.to_string().into()).unwrap();
    let target = Target {
        dialect: Dialect::Gemini,
        model: "gemini-2.5-flash".to_owned(),
        caps: ModelCaps::of(Dialect::Gemini, "gemini-2.5-flash"),
    };
    let error = ask.call(&target).unwrap_err().to_string();
    assert_eq!(error, "messages must contain at least one item that is not empty");
    let alone = chat(
        json!({"messages": [{"role": "system", "content": "s"}]}),
        "gemini-2.5-flash",
    );
    assert_eq!(
        alone["contents"],
        json!([{"role": "user", "parts": [{"text": " "}]}])
    );
}

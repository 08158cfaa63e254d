use super::*;
use crate::request::{MediaSource, Output, ReasoningMode, ToolChoice, ToolKind};
use serde_json::{Value, json};

fn read(body: &Value) -> Request {
    decode(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"))
}

fn fault_of(body: &Value) -> String {
    decode(body.to_string().as_bytes()).unwrap_err().message
}

/// A message as text: `role: part, part`.
fn outline(request: &Request) -> Vec<String> {
    let part = |part: &Part| match &part.kind {
        PartKind::Text { text, .. } => format!("text {text}"),
        PartKind::Reasoning { text, opaque } => {
            format!(
                "thought {text} {:?}",
                opaque.as_ref().map(|opaque| opaque.payload.as_str())
            )
        }
        PartKind::ToolCall(call) => format!("call {} {}", call.name, call.arguments.as_str()),
        PartKind::ToolResult(result) => {
            let texts: Vec<String> = result
                .parts
                .iter()
                .map(|part| match &part.kind {
                    PartKind::Text { text, .. } => text.clone(),
                    other => format!("{other:?}"),
                })
                .collect();
            format!("result {} {:?}", texts.join("|"), result.is_error)
        }
        other => format!("{other:?}"),
    };
    let message = |message: &Message| {
        let parts: Vec<String> = message.parts.iter().map(part).collect();
        format!("{:?}: {}", message.role, parts.join(", "))
    };
    request.messages.iter().map(message).collect()
}

#[test]
fn both_spellings_and_whole_numbers_written_with_a_point_are_read() {
    let request = read(&json!({
        "system_instruction": {"parts": [{"text": "S"}]},
        "contents": [{"parts": [{"inline_data": {"mime_type": "image/jpg", "data": "iVBORw0KGgo="}}]}],
        "generation_config": {"max_output_tokens": 40.0, "top_k": 3.0, "stop_sequences": ["x"]},
        "tools": [{"function_declarations": [{"name": "f",
            "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}}]}],
        "tool_config": {"function_calling_config": {"mode": "any", "allowed_function_names": ["f"]}},
    }));
    assert!(matches!(&request.system[0].kind, PartKind::Text { text, .. } if text == "S"));
    assert!(matches!(&request.messages[0].parts[0].kind,
        PartKind::Image { source: MediaSource::Base64(_), mime: Some(mime), .. } if mime == "image/png"));
    assert_eq!((request.max_output, request.sampling.top_k), (Some(40), Some(3)));
    let schema = request.tools[0].schema.as_ref().map(|schema| schema.get());
    assert_eq!(
        schema,
        Some(r#"{"type":"object","properties":{"a":{"type":"string"}}}"#)
    );
    assert_eq!(request.tool_choice, ToolChoice::Named("f".to_owned()));
    assert!(request.extensions.is_empty());
}

#[test]
fn base64_in_either_alphabet_becomes_the_common_one() {
    for (given, common) in [("-_-_", "+/+/"), ("+/+/", "+/+/"), ("aGk", "aGk=")] {
        let part = json!({"inlineData": {"mimeType": "image/png", "data": given}});
        let request = read(&json!({"contents": [{"parts": [part]}]}));
        let PartKind::Image {
            source: MediaSource::Base64(data),
            ..
        } = &request.messages[0].parts[0].kind
        else {
            panic!("no image in {request:?}");
        };
        assert_eq!(data.to_string(), common);
    }
}

#[test]
fn a_conversation_keeps_its_order_and_results_become_messages() {
    let request = read(&json!({"contents": [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [
            {"text": "hm", "thought": true},
            {"text": "", "thought": true, "thoughtSignature": "SIG"},
            {"functionCall": {"name": "f", "args": {"n": 12345678901234567890u64, "x": 1.0}}, "thoughtSignature": "S1"},
            {"functionCall": {"name": "g"}},
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "g", "response": {"error": "no"}}},
            {"functionResponse": {"name": "f", "response": {"output": {"a": 1}}}},
            {"text": "go on"},
        ]},
    ]}));
    assert_eq!(
        outline(&request),
        [
            "User: text hi",
            "Assistant: thought hm Some(\"SIG\"), call f {\"n\":12345678901234567890,\"x\":1.0}, call g {}",
            "Tool: result no Some(true), result {\"a\":1} None",
            "User: text go on",
        ]
    );
    let (calls, results) = (&request.messages[1].parts, &request.messages[2].parts);
    let id = |part: &Part| match &part.kind {
        PartKind::ToolCall(call) => call.id.clone(),
        PartKind::ToolResult(result) => result.call_id.clone(),
        _ => String::new(),
    };
    assert_eq!((id(&results[0]), id(&results[1])), (id(&calls[2]), id(&calls[1])));
    assert_ne!(id(&calls[1]), id(&calls[2]));
    assert!(matches!(&calls[1].kind, PartKind::ToolCall(call)
        if call.opaque.as_ref().is_some_and(|opaque| opaque.payload == "S1")));
}

#[test]
fn a_streamed_turn_that_was_kept_in_pieces_is_one_turn() {
    let request = read(&json!({"contents": [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [{"text": "Hel"}]},
        {"role": "model", "parts": [{"text": "lo"}]},
        {"role": "model", "parts": [{"text": ""}]},
    ]}));
    assert_eq!(outline(&request), ["User: text hi", "Assistant: text Hello"]);
}

#[test]
fn made_up_ids_are_the_same_every_time_and_the_nth_result_answers_the_nth_call() {
    let body = json!({"contents": [
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}, {"functionCall": {"name": "f", "args": {}}}]},
        {"role": "function", "parts": [
            {"functionResponse": {"name": "f", "response": {"result": "1"}}},
            {"functionResponse": {"name": "other", "response": {"result": "2"}}}]},
    ]});
    let ids = |request: &Request| -> Vec<String> {
        request
            .messages
            .iter()
            .flat_map(|message| &message.parts)
            .map(|part| match &part.kind {
                PartKind::ToolCall(call) => call.id.clone(),
                PartKind::ToolResult(result) => result.call_id.clone(),
                _ => String::new(),
            })
            .collect()
    };
    let first = ids(&read(&body));
    assert_eq!(first, ids(&read(&body)));
    assert_eq!(first[..2], first[2..]);
    assert_ne!(first[0], first[1]);
}

#[test]
fn options_are_read() {
    let request = read(
        &json!({"contents": "hi", "safetySettings": [], "generationConfig": {
            "temperature": 0.5, "topP": 0.9, "seed": 7, "candidateCount": 2, "responseLogprobs": true, "logprobs": 3,
            "responseMimeType": "application/json", "responseSchema": {"type": "OBJECT"},
            "thinkingConfig": {"includeThoughts": true, "thinkingBudget": 2048},
            "responseModalities": ["TEXT", "IMAGE"],
        }}),
    );
    assert_eq!(
        (request.sampling.n, request.sampling.seed, request.logprobs),
        (Some(2), Some(7), Some(3))
    );
    assert!(
        matches!(&request.output, Output::JsonSchema(spec) if spec.schema.get() == r#"{"type":"object"}"#)
    );
    assert_eq!(
        (request.reasoning.mode, request.reasoning.budget),
        (ReasoningMode::On, Some(2048))
    );
    assert_eq!(request.modalities, ["image"]);
    assert!(request.extensions[&Dialect::Gemini].contains_key("safetySettings"));
}

#[test]
fn thinking_is_shown_only_to_who_asks_for_it() {
    for (config, mode, budget, effort) in [
        (json!({"thinkingBudget": 0}), ReasoningMode::Off, None, None),
        (json!({"thinkingBudget": -1}), ReasoningMode::Unset, None, None),
        (
            json!({"thinkingBudget": -1, "includeThoughts": true}),
            ReasoningMode::On,
            None,
            None,
        ),
        (
            json!({"thinking_level": "LOW"}),
            ReasoningMode::Unset,
            None,
            Some("low"),
        ),
    ] {
        let request = read(&json!({"contents": "hi", "generationConfig": {"thinkingConfig": config}}));
        assert_eq!(request.reasoning.mode, mode, "{config}");
        assert_eq!(
            (request.reasoning.budget, request.reasoning.effort.as_deref()),
            (budget, effort),
            "{config}"
        );
    }
}

#[test]
fn hosted_tools_and_choices_are_read() {
    let request = read(&json!({"contents": "hi", "tools": [
        {"googleSearch": {}}, {"functionDeclarations": [{"name": "a"}, {"name": "b"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["a", "b"]}}}));
    assert!(matches!(
        &request.tools[0].kind,
        ToolKind::Hosted {
            dialect: Dialect::Gemini,
            ..
        }
    ));
    assert_eq!(request.tools[0].name, "web_search");
    assert!(
        matches!(&request.tool_choice, ToolChoice::Allowed { required: true, names } if names.len() == 2)
    );
    let none = read(&json!({"contents": "hi", "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}));
    assert_eq!(none.tool_choice, ToolChoice::Unset);
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    for (body, message) in [
        (json!({}), "contents is required"),
        (json!({"contents": []}), "contents is required"),
        (
            json!({"contents": [{"role": "robot"}]}),
            "contents[0].role: unsupported role 'robot'",
        ),
        (json!({"contents": [7]}), "contents[0]: expected an object"),
        (
            json!({"contents": [{"parts": [{"functionCall": {}}]}]}),
            "contents[0].parts[0].functionCall.name: is required",
        ),
        (
            json!({"contents": "x", "generationConfig": {"topK": 1.5}}),
            "generationConfig.topK: expected a whole number",
        ),
    ] {
        assert_eq!(fault_of(&body), message);
    }
}

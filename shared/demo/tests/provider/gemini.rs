use crate::client::{gemini, send};
use demo::Simulator;
use serde_json::{Value, json};

const WHOLE: &str = "generateContent";
const EVENTS: &str = "streamGenerateContent?alt=sse";
const ARRAY: &str = "streamGenerateContent";

fn tools() -> Value {
    let parameters =
        json!({"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]});
    json!([{"functionDeclarations": [{"name": "get_weather", "parameters": parameters}]}])
}

fn user(text: &str) -> Value {
    json!({"role": "user", "parts": [{"text": text}]})
}

fn call() -> Value {
    json!({"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": {}}}]})
}

fn result() -> Value {
    json!({"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": {"output": "sunny"}}}]})
}

#[tokio::test]
async fn what_the_vendor_refuses_is_refused() {
    let hi = user("Hi");
    let part = |part: Value| json!({"contents": [{"role": "user", "parts": [part]}]});
    let schema = |schema: Value| {
        json!({"tools": [{"functionDeclarations": [{"name": "f", "parameters":
            {"type": "object", "properties": {"a": schema}}}]}]})
    };
    let twice = json!({"role": "model", "parts": [call()["parts"][0], call()["parts"][0]]});
    let table = [
        (json!({"contents": null}), "contents is not specified"),
        (
            json!({"contents": [{"role": "user", "parts": []}]}),
            "must not be empty",
        ),
        (
            json!({"contents": [{"role": "assistant", "parts": [{"text": "Hi"}]}]}),
            "valid role",
        ),
        (
            json!({"contents": [{"role": "user", "content": "Hi"}]}),
            "Unknown name \"content\" at 'contents[0]'",
        ),
        (
            json!({"messages": []}),
            "Unknown name \"messages\": Cannot find field",
        ),
        (
            json!({"generationConfig": {"stop": ["a"]}}),
            "Unknown name \"stop\" at 'generation_config'",
        ),
        (part(json!({"thought": true})), "required oneof field 'data'"),
        (
            part(json!({"text": "Hi", "inlineData": {"mimeType": "image/png", "data": ""}})),
            "oneof",
        ),
        (
            part(json!({"inlineData": {"mimeType": "image/png", "data": "data:image/png;base64,"}})),
            "Base64",
        ),
        (
            part(json!({"text": 5})),
            "Invalid value at 'contents[0].parts[0].text'",
        ),
        (
            part(json!({"text": "Hi", "thoughtSignature": "Zm9yZWlnbg=="})),
            "thought signature",
        ),
        (
            json!({"contents": [call(), result()]}),
            "immediately after a user turn",
        ),
        (
            json!({"contents": [hi, result()]}),
            "immediately after a function call turn",
        ),
        (
            json!({"contents": [hi, call()]}),
            "number of function response parts",
        ),
        (
            json!({"contents": [hi, call(), hi]}),
            "number of function response parts",
        ),
        (
            json!({"contents": [hi, twice, result()]}),
            "number of function response parts",
        ),
        (
            json!({"contents": [hi, call(), {"role": "user", "parts": [{"functionResponse": {"response": {}}}]}]}),
            "Name cannot be empty",
        ),
        (
            json!({"contents": [hi, call(), {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": "a"}}]}]}),
            "Invalid value at 'contents[2].parts[0].function_response.response'",
        ),
        (
            schema(json!({"type": "string", "const": "a"})),
            "Unknown name \"const\"",
        ),
        (
            schema(json!({"type": "object", "additionalProperties": false})),
            "Unknown name \"additionalProperties\"",
        ),
        (schema(json!({"$ref": "#"})), "Unknown name \"$ref\""),
        (
            schema(json!({"type": ["string", "null"]})),
            "Proto field is not repeating",
        ),
        (
            schema(json!({"type": "integer", "enum": ["1"]})),
            "only allowed for STRING",
        ),
        (schema(json!({"type": "string", "enum": [""]})), "cannot be empty"),
        (
            schema(json!({"type": "string", "format": "uri"})),
            "'enum' and 'date-time'",
        ),
        (schema(json!({"type": "array"})), "items: missing field"),
        (
            schema(json!({"type": "object", "required": ["b"]})),
            "property is not defined",
        ),
        (
            json!({"tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "object"}}]}]}),
            "should be non-empty for OBJECT type",
        ),
        (
            json!({"tools": [{"functionDeclarations": [{"name": "1 f"}]}]}),
            "Invalid function name",
        ),
        (
            json!({"tools": tools(), "toolConfig": {"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["f"]}}}),
            "allowed_function_names",
        ),
        (
            json!({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}),
            "without function_declarations",
        ),
        (
            json!({"generationConfig": {"temperature": 3}}),
            "must be in the range",
        ),
        (
            json!({"generationConfig": {"stopSequences": ["a", "b", "c", "d", "e", "f"]}}),
            "at most 5",
        ),
        (
            json!({"generationConfig": {"responseSchema": {"type": "STRING"}}}),
            "only allowed when",
        ),
        (
            json!({"tools": tools(), "generationConfig": {"responseMimeType": "application/json"}}),
            "is unsupported",
        ),
    ];
    let simulator = Simulator::gemini().await;
    for (changes, message) in table {
        let answer = gemini(&simulator, WHOLE, changes.clone()).await;
        let error = &answer.json()["error"];
        assert_eq!(answer.status, 400, "{changes}: {error}");
        let text = error["message"].as_str().unwrap();
        assert!(text.contains(message), "{changes}: {error}");
        assert_eq!(
            (&error["code"], &error["status"]),
            (&json!(400), &json!("INVALID_ARGUMENT"))
        );
    }
    assert!(simulator.bill().is_empty());
}

#[tokio::test]
async fn a_request_is_known_by_its_address_and_its_key() {
    let simulator = Simulator::gemini().await;
    let key = "\r\nx-goog-api-key: k";
    let table = [
        (
            "POST /v1beta/models/demo:generateContent HTTP/1.1".to_owned(),
            403,
            "PERMISSION_DENIED",
        ),
        (
            "POST /v1beta/models/demo:generateContent HTTP/1.1\r\nx-goog-api-key: sk-revoked".to_owned(),
            400,
            "INVALID_ARGUMENT",
        ),
        (
            "POST /v1beta/models/demo:generateContent?key=k HTTP/1.1".to_owned(),
            400,
            "INVALID_ARGUMENT",
        ),
        (
            format!("POST /v1beta/models/demo:embedEverything HTTP/1.1{key}"),
            404,
            "NOT_FOUND",
        ),
        (
            format!("POST /v1/chat/completions HTTP/1.1{key}"),
            404,
            "NOT_FOUND",
        ),
    ];
    for (head, status, word) in table {
        let answer = send(&simulator, &head, "{}").await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["status"]),
            (status, &json!(word)),
            "{head}"
        );
    }
    let models = send(&simulator, &format!("GET /v1beta/models HTTP/1.1{key}"), "")
        .await
        .ok();
    assert_eq!(models.json()["models"][0]["name"], "models/demo");
    let one = send(&simulator, &format!("GET /v1beta/models/other HTTP/1.1{key}"), "")
        .await
        .ok();
    assert_eq!(one.json()["name"], "models/other");
}

#[tokio::test]
async fn both_forms_of_a_stream_say_what_a_whole_answer_says() {
    let simulator = Simulator::gemini().await;
    let parts = |chunk: &Value| {
        chunk["candidates"][0]["content"]["parts"]
            .as_array()
            .unwrap()
            .clone()
    };
    let text = |chunks: &[Value]| {
        let texts = chunks.iter().flat_map(parts);
        texts
            .filter_map(|part| part["text"].as_str().map(str::to_owned))
            .collect::<String>()
    };
    let whole = gemini(&simulator, WHOLE, json!({})).await.ok().json();
    let events = gemini(&simulator, EVENTS, json!({})).await.ok();
    let array = gemini(&simulator, ARRAY, json!({})).await.ok();
    assert!(events.head.contains("content-type: text/event-stream"));
    assert!(array.head.contains("content-type: application/json"));
    for chunks in [events.events(), array.json().as_array().unwrap().clone()] {
        assert_eq!(text(&chunks), text(std::slice::from_ref(&whole)));
        assert!(chunks.len() > 10, "word by word");
        let finished = chunks
            .iter()
            .filter(|chunk| chunk["candidates"][0]["finishReason"] == "STOP");
        assert_eq!(finished.count(), 1);
        assert_eq!(chunks.last().unwrap()["usageMetadata"], whole["usageMetadata"]);
    }
}

#[tokio::test]
async fn a_signed_call_is_made_and_its_result_answered() {
    let simulator = Simulator::gemini().await;
    let asked = user("Please call the tool and the tool for Paris.");
    let ask = json!({"tools": tools(), "contents": [asked], "generationConfig":
        {"thinkingConfig": {"includeThoughts": true, "thinkingLevel": "LOW"}}});
    for method in [WHOLE, EVENTS] {
        let answer = gemini(&simulator, method, ask.clone()).await.ok();
        let chunks = if method == WHOLE {
            vec![answer.json()]
        } else {
            answer.events()
        };
        let parts = chunks
            .iter()
            .flat_map(|chunk| chunk["candidates"][0]["content"]["parts"].as_array().unwrap());
        let parts: Vec<_> = parts.filter(|part| part["text"] != "").cloned().collect();
        assert_eq!(parts[0]["thought"], true);
        assert_eq!(parts[1]["functionCall"]["args"], json!({"city": "Paris"}));
        assert!(parts[1]["thoughtSignature"].is_string() && parts[2]["thoughtSignature"].is_null());

        let given = result()["parts"][0].clone();
        let said = json!({"role": "model", "parts": parts});
        let given = json!({"role": "user", "parts": [given, given]});
        let ask = json!({"tools": tools(), "contents": [asked, said, given]});
        let told = gemini(&simulator, WHOLE, ask).await.ok().json();
        let text = &told["candidates"][0]["content"]["parts"][0]["text"];
        assert_eq!(text, "The tool answered: sunny; sunny");
    }
}

#[tokio::test]
async fn the_newest_models_want_their_signature_back() {
    let simulator = Simulator::gemini().await;
    let head = "POST /v1beta/models/gemini-3-demo:generateContent HTTP/1.1\r\nx-goog-api-key: k";
    let signed = |signature: Value| {
        let mut call = call();
        call["parts"][0]["thoughtSignature"] = signature;
        json!({"contents": [user("Hi"), call, result()]}).to_string()
    };
    let table = [
        (Value::Null, 400),
        (json!("skip_thought_signature_validator"), 200),
        (json!("ZGVtby+/c2lnbmF0dXJl00000001"), 200),
        (json!("ZGVtby-_c2lnbmF0dXJl00000001"), 200),
    ];
    for (signature, status) in table {
        let answer = send(&simulator, head, &signed(signature.clone())).await;
        assert_eq!(answer.status, status, "{signature}: {}", answer.text());
    }
}

#[tokio::test]
async fn an_answer_keeps_to_the_form_asked_for() {
    let simulator = Simulator::gemini().await;
    let own =
        json!({"type": "OBJECT", "required": ["n"], "properties": {"n": {"type": "INTEGER", "minimum": 3}}});
    let general = json!({"type": "object", "additionalProperties": false, "required": ["n"],
        "properties": {"n": {"type": "integer", "minimum": 3}}});
    let table = [
        (
            json!({"responseMimeType": "application/json", "responseSchema": own}),
            "{\"n\":3}",
            "STOP",
        ),
        (
            json!({"response_mime_type": "application/json", "response_json_schema": general}),
            "{\"n\":3}",
            "STOP",
        ),
        (json!({"maxOutputTokens": 2}), "Hello from ", "MAX_TOKENS"),
        (json!({"stopSequences": ["OmniRoute"]}), "Hello from ", "STOP"),
    ];
    for (config, text, reason) in table {
        let answer = gemini(&simulator, WHOLE, json!({"generationConfig": config}))
            .await
            .ok()
            .json();
        let candidate = &answer["candidates"][0];
        assert_eq!(candidate["content"]["parts"][0]["text"], text, "{config}");
        assert_eq!(candidate["finishReason"], reason, "{config}");
    }
}

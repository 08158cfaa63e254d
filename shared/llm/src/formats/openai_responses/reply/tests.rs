use super::*;
use crate::reply::Fold;
use crate::request::{Namespaced, Request};
use serde_json::json;
use std::sync::Arc;

fn seed() -> ReplySeed {
    ReplySeed {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        created: 1_700_000_000,
        model: "asked".to_owned(),
        include_usage: false,
        injected_usage: false,
        framing: crate::format::Framing::default(),
        request: None,
    }
}

fn folded(body: &Value) -> Reply {
    let mut fold = Fold::new();
    decode(body.to_string().as_bytes())
        .unwrap()
        .into_iter()
        .for_each(|event| fold.push(event));
    fold.finish().unwrap()
}

fn example() -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "n", "error": null,
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "blob"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
                {"type": "output_text", "text": "Hello", "annotations": [{"type": "url_citation", "start_index": 0, "end_index": 5, "url": "https://e.x", "title": "E"}], "logprobs": []},
            ]},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{\"a\":1.0}", "status": "completed"},
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "g", "input": "x\ny"},
        ],
        "usage": {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 17},
    })
}

#[test]
fn what_is_read_is_written_the_same() {
    let written: Value = serde_json::from_slice(&encode(&folded(&example()), &seed())).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&written).unwrap());
}

#[test]
fn a_reply_that_is_not_whole_says_so() {
    for (status, reason, expected) in [
        ("incomplete", "max_output_tokens", "max_output_tokens"),
        ("incomplete", "content_filter", "content_filter"),
        ("incomplete", "novel", "max_output_tokens"),
    ] {
        let mut body = example();
        body["status"] = json!(status);
        body["incomplete_details"] = json!({ "reason": reason });
        let written: Value = serde_json::from_slice(&encode(&folded(&body), &seed())).unwrap();
        assert_eq!(written["status"], "incomplete");
        assert_eq!(written["incomplete_details"]["reason"], expected);
        assert_eq!(written["output"][3]["status"], "incomplete");
    }
}

#[test]
fn a_tool_of_a_namespace_gets_its_own_name_back() {
    let mut request = Request::default();
    let own = Namespaced {
        namespace: "mcp".to_owned(),
        name: "read".to_owned(),
    };
    request.namespaces.insert("f".to_owned(), own);
    let seed = ReplySeed {
        request: Some(Arc::new(request)),
        ..seed()
    };
    let written: Value = serde_json::from_slice(&encode(&folded(&example()), &seed)).unwrap();
    let call = &written["output"][2];
    assert_eq!(
        (&call["namespace"], &call["name"]),
        (&json!("mcp"), &json!("read"))
    );
}

#[test]
fn a_2xx_that_is_no_answer_is_an_error() {
    for (body, kind) in [
        (
            json!({"error": {"message": "no", "code": "rate_limit_exceeded"}}),
            ErrorKind::RateLimit,
        ),
        (
            json!({"object": "response", "status": "failed", "output": [], "error": {"code": "server_error", "message": "x"}}),
            ErrorKind::Upstream5xx,
        ),
        (
            json!({"object": "response", "status": "in_progress", "output": []}),
            ErrorKind::MalformedUpstream,
        ),
        (
            json!({"object": "response", "status": "cancelled", "output": []}),
            ErrorKind::Cancelled,
        ),
        (json!({"choices": []}), ErrorKind::MalformedUpstream),
        (json!("x"), ErrorKind::MalformedUpstream),
    ] {
        assert_eq!(
            decode(body.to_string().as_bytes()).unwrap_err().kind,
            kind,
            "{body}"
        );
    }
    for body in ["", "<html>", "null"] {
        assert_eq!(
            decode(body.as_bytes()).unwrap_err().kind,
            ErrorKind::MalformedUpstream,
            "{body}"
        );
    }
}

//! Replies, streams in both framings, and what passes through.

use super::*;
use crate::caps::ModelCaps;
use crate::error::ErrorKind;
use crate::translate::{Address, Ask, Call, Progress};
use serde_json::{Value, json};

fn seed(framing: Framing) -> ReplySeed {
    ReplySeed {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        created: 1_700_000_000,
        model: "m".to_owned(),
        include_usage: true,
        injected_usage: false,
        framing,
        request: None,
    }
}

fn target(dialect: Dialect) -> Target {
    Target {
        dialect,
        model: "gemini-2.5-flash".to_owned(),
        caps: ModelCaps::of(dialect, "gemini-2.5-flash"),
    }
}

/// A client of this dialect asks an upstream of that one.
fn asked(upstream: Dialect, framing: Framing, thoughts: bool) -> Call {
    let body = json!({"contents": [{"parts": [{"text": "hi"}]}],
        "generationConfig": {"thinkingConfig": {"includeThoughts": thoughts}}});
    let address = Address {
        model: "m".to_owned(),
        stream: true,
        framing,
    };
    let ask = Ask::read_at(Dialect::Gemini, address, body.to_string().into()).unwrap();
    ask.call(&target(upstream)).unwrap()
}

/// A client of that dialect asks an upstream of this one.
fn asking(client: Dialect) -> Call {
    let body = json!({"model": "m", "max_tokens": 9, "stream": true, "stream_options": {"include_usage": true},
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "messages": [{"role": "user", "content": "hi"}]});
    Ask::read(client, body.to_string().into())
        .unwrap()
        .call(&target(Dialect::Gemini))
        .unwrap()
}

fn pumped(call: &Call, framing: Framing, chunks: &[&str]) -> (String, Progress) {
    let (mut pump, mut out) = (call.pump(&seed(framing)), Vec::new());
    for chunk in chunks {
        pump.push(Bytes::copy_from_slice(chunk.as_bytes()), &mut out);
    }
    pump.finish(&mut out);
    (String::from_utf8(out.concat()).unwrap(), pump.progress().clone())
}

fn frames(chunks: &[Value]) -> String {
    chunks
        .iter()
        .map(|chunk| format!("data: {chunk}\r\n\r\n"))
        .collect()
}

fn said(parts: Value) -> Value {
    json!({"responseId": "r", "candidates": [{"index": 0, "content": {"role": "model", "parts": parts}}]})
}

fn stopped(reason: &str) -> Value {
    json!({"candidates": [{"index": 0, "finishReason": reason}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}})
}

const CHAT_STREAM: &str = concat!(
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n",
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n",
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\"}}]}}]}\n\n",
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\":1.\"}}]}}]}\n\n",
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"0}\"}}]}}]}\n\n",
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n",
    "data: {\"id\":\"1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n",
    "data: [DONE]\n\n",
);

/// The parts of a stream's chunks, and its last chunk.
fn parts(chunks: &[Value]) -> (Vec<Value>, Value) {
    let parts = chunks.iter().flat_map(|chunk| {
        chunk["candidates"][0]["content"]["parts"]
            .as_array()
            .cloned()
            .unwrap()
    });
    (parts.collect(), chunks.last().cloned().unwrap())
}

#[test]
fn a_stream_is_the_same_chunks_in_both_framings() {
    let (sse, _) = pumped(
        &asked(Dialect::OpenAiChat, Framing::Native, true),
        Framing::Native,
        &[CHAT_STREAM],
    );
    let chunks: Vec<Value> = sse
        .split_terminator("\r\n\r\n")
        .map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap())
        .collect();
    let call = asked(Dialect::OpenAiChat, Framing::JsonArray, true);
    let (array, progress) = pumped(&call, Framing::JsonArray, &[CHAT_STREAM]);
    assert_eq!(serde_json::from_str::<Vec<Value>>(&array).unwrap(), chunks);
    assert!(array.starts_with('[') && array.contains(",\r\n") && progress.ended);

    let (parts, last) = parts(&chunks);
    assert_eq!(
        parts,
        [
            json!({"text": "hm", "thought": true}),
            json!({"text": "Hi"}),
            json!({"functionCall": {"id": "c", "name": "f", "args": {"a": 1.0}}}),
            json!({"text": ""}),
        ]
    );
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(last["usageMetadata"]["totalTokenCount"], 5);
    assert!(array.contains("{\"a\":1.0}"), "the tokens of arguments survive");
}

#[test]
fn thoughts_go_only_to_clients_that_asked() {
    let call = asked(Dialect::OpenAiChat, Framing::Native, false);
    let (sse, _) = pumped(&call, Framing::Native, &[CHAT_STREAM]);
    assert!(!sse.contains("thought"), "{sse}");
}

#[test]
fn a_cut_stream_ends_in_an_error_and_the_array_stays_an_array() {
    let cut = &CHAT_STREAM[..CHAT_STREAM.find("\"finish_reason\"").unwrap()];
    for upstream in [Dialect::OpenAiChat, Dialect::Gemini] {
        let cut = match upstream {
            Dialect::OpenAiChat => cut.to_owned(),
            _ => frames(&[said(json!([{"text": "a"}]))]) + "data: {\"cand",
        };
        let call = asked(upstream, Framing::JsonArray, true);
        let (array, progress) = pumped(&call, Framing::JsonArray, &[&cut]);
        let chunks: Vec<Value> =
            serde_json::from_str(&array).unwrap_or_else(|error| panic!("{error}: {array}"));
        assert_eq!(chunks.last().unwrap()["error"]["status"], "INTERNAL", "{array}");
        assert_eq!(
            progress.error.map(|error| error.kind),
            Some(ErrorKind::StreamIncomplete)
        );
    }
    let (sse, _) = pumped(
        &asked(Dialect::OpenAiChat, Framing::Native, true),
        Framing::Native,
        &[cut],
    );
    assert!(
        sse.contains("{\"error\":{\"code\":500,") && !sse.contains("finishReason"),
        "{sse}"
    );
}

#[test]
fn passing_through_keeps_every_byte_in_both_framings() {
    let odd = "{ \"candidates\" : [ {\"content\":{\"parts\":[{\"text\":\"a\\u2028\"}]}, \"new\":1.0} ] }";
    let end = stopped("STOP").to_string();
    let stream = format!("data: {odd}\r\n\r\n: note\r\n\r\ndata: {end}\r\n\r\n");
    let (sse, progress) = pumped(
        &asked(Dialect::Gemini, Framing::Native, false),
        Framing::Native,
        &[&stream],
    );
    assert_eq!(sse, stream);
    assert!(progress.ended && progress.started && progress.error.is_none());
    assert_eq!(
        (progress.usage.input_total, progress.usage.output_total),
        (Some(3), Some(2))
    );

    let call = asked(Dialect::Gemini, Framing::JsonArray, false);
    for size in [1, 7, stream.len()] {
        let chunks: Vec<&str> = stream
            .as_bytes()
            .chunks(size)
            .map(|chunk| std::str::from_utf8(chunk).unwrap())
            .collect();
        let (array, progress) = pumped(&call, Framing::JsonArray, &chunks);
        assert_eq!(array, format!("[{odd},\r\n{end}]"));
        assert!(progress.ended);
    }
}

#[test]
fn an_error_in_a_stream_that_passes_through_closes_the_array() {
    let error = json!({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}});
    let stream = frames(&[said(json!([{"text": "a"}])), error]);
    let call = asked(Dialect::Gemini, Framing::JsonArray, false);
    let (array, progress) = pumped(&call, Framing::JsonArray, &[&stream]);
    assert_eq!(serde_json::from_str::<Vec<Value>>(&array).unwrap().len(), 2);
    assert_eq!(
        progress.error.map(|error| error.kind),
        Some(ErrorKind::Overloaded)
    );
}

#[test]
fn text_over_many_chunks_is_one_block_and_signed_text_is_no_thought() {
    let stream = frames(&[
        said(json!([{"text": "a", "thought": true}])),
        said(json!([{"text": "b", "thought": true}])),
        said(json!([{"text": "c"}])),
        said(json!([{"text": "d"}])),
        said(json!([{"text": "e", "thoughtSignature": "S"}])),
        said(json!([{"text": "", "thoughtSignature": "T"}])),
        stopped("STOP"),
    ]);
    let (out, _) = pumped(&asking(Dialect::AnthropicMessages), Framing::Native, &[&stream]);
    assert_eq!(out.matches("content_block_start\ndata").count(), 2, "{out}");
    for delta in [
        "\"thinking\":\"b\"",
        "\"text\":\"e\"",
        "\"stop_reason\":\"end_turn\"",
    ] {
        assert!(out.contains(delta), "{delta}: {out}");
    }
}

#[test]
fn a_blocked_prompt_is_an_answer_that_was_filtered() {
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"},
        "usageMetadata": {"promptTokenCount": 12, "totalTokenCount": 12}});
    for (client, word) in [
        (Dialect::OpenAiChat, "\"content_filter\""),
        (Dialect::AnthropicMessages, "\"refusal\""),
    ] {
        let (out, progress) = pumped(
            &asking(client),
            Framing::Native,
            &[&frames(std::slice::from_ref(&blocked))],
        );
        assert!(out.contains(word), "{out}");
        assert_eq!(
            (progress.usage.input_total, progress.usage.output_total),
            (Some(12), Some(0))
        );
        let whole = asking(client).reply(
            blocked.to_string().into(),
            &seed(Framing::Native),
            &mut Progress::default(),
        );
        let whole = String::from_utf8(whole.unwrap().to_vec()).unwrap();
        assert!(whole.contains(word), "{whole}");
    }
}

#[test]
fn candidates_do_not_leak_into_each_other() {
    let body = json!({"candidates": [
        {"index": 0, "finishReason": "STOP", "content": {"parts": [
            {"text": "t", "thought": true}, {"functionCall": {"name": "f", "args": {"x": 1.0}}}]}},
        {"index": 1, "finishReason": "STOP", "content": {"parts": [{"text": "b"}]}},
    ]});
    let reply = asking(Dialect::OpenAiChat)
        .reply(
            body.to_string().into(),
            &seed(Framing::Native),
            &mut Progress::default(),
        )
        .unwrap();
    let reply: Value = serde_json::from_slice(&reply).unwrap();
    let (first, second) = (&reply["choices"][0], &reply["choices"][1]);
    assert_eq!(
        (&first["finish_reason"], &first["message"]["reasoning_content"]),
        (&json!("tool_calls"), &json!("t"))
    );
    assert_eq!(
        first["message"]["tool_calls"][0]["function"]["arguments"],
        "{\"x\":1.0}"
    );
    assert_eq!(
        (&second["finish_reason"], &second["message"]["content"]),
        (&json!("stop"), &json!("b"))
    );
    assert!(second["message"].get("tool_calls").is_none());
}

#[test]
fn a_call_that_failed_before_it_began_is_an_error_and_a_truncated_one_stays_truncated() {
    let stream = frames(&[stopped("MALFORMED_FUNCTION_CALL")]);
    let (_, progress) = pumped(&asking(Dialect::OpenAiChat), Framing::Native, &[&stream]);
    assert_eq!(
        progress.error.map(|error| error.kind),
        Some(ErrorKind::MalformedUpstream)
    );
    let stream = frames(&[
        said(json!([{"functionCall": {"name": "f"}}])),
        stopped("MAX_TOKENS"),
    ]);
    let (out, _) = pumped(&asking(Dialect::OpenAiChat), Framing::Native, &[&stream]);
    assert!(out.contains("\"finish_reason\":\"length\""), "{out}");
}

#[test]
fn a_body_that_is_no_reply_is_an_error() {
    for (body, kind) in [
        ("", ErrorKind::MalformedUpstream),
        ("<html>", ErrorKind::MalformedUpstream),
        ("{}", ErrorKind::MalformedUpstream),
        ("{\"candidates\":[]}", ErrorKind::MalformedUpstream),
        (
            r#"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"m"}}]"#,
            ErrorKind::RateLimit,
        ),
        (r#"{"error":{"code":500,"message":"m"}}"#, ErrorKind::Upstream5xx),
    ] {
        assert_eq!(reply::decode(body.as_bytes()).unwrap_err().kind, kind, "{body}");
    }
}

#[test]
fn googles_delay_is_kept_and_errors_get_googles_envelope() {
    let body = br#"[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"38s"}]}}]"#;
    let error = Gemini.decode_error(429, body);
    assert_eq!(error.retry_after.map(|delay| delay.as_secs()), Some(38));
    let (status, body) = Gemini.encode_error(&error.public("id"));
    assert_eq!(status, 429);
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        body,
        json!({"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}})
    );
}

#[test]
fn multi_byte_text_survives_every_cut() {
    let stream = frames(&[said(json!([{"text": "你好🌍é"}])), stopped("STOP")]);
    for at in 0..stream.len() {
        let (mut decoder, mut events) = (stream_decode::Decoder::default(), Vec::new());
        decoder.push(&stream.as_bytes()[..at], &mut events);
        decoder.push(&stream.as_bytes()[at..], &mut events);
        decoder.finish(&mut events);
        let text = format!("{events:?}");
        assert!(
            text.contains("你好🌍é") && text.contains("End"),
            "cut at {at}: {text}"
        );
    }
}

#[test]
fn only_another_vendors_thoughts_are_cut_out_of_a_request_that_passes_through() {
    let foreign = crate::request::Opaque {
        issuer: Dialect::AnthropicMessages,
        payload: "EqQB".to_owned(),
    };
    let foreign = format!(
        r#"{{"text":"t","thought":true,"thoughtSignature":"{}"}}"#,
        signature::seal(&foreign)
    );
    let own = r#"{ "text":"u","thought":true,"thoughtSignature":"CiQ=" }"#;
    let body = format!(
        r#"{{"x":1.0,"contents":[{{"role":"model","parts":[{foreign}, {own}]}},{{"parts":[{foreign}]}}]}}"#
    );
    let patched = Gemini
        .patch_request(&body.into(), &target(Dialect::Gemini))
        .unwrap();
    let expected = format!(r#"{{"x":1.0,"contents":[{{"role":"model","parts":[{own}]}}]}}"#);
    assert_eq!(patched, expected.as_bytes());
}

#[test]
fn citations_of_pages_cross_over_both_ways() {
    let body = json!({"candidates": [{"finishReason": "STOP", "content": {"parts": [{"text": "né"}]},
        "groundingMetadata": {
            "groundingChunks": [{"web": {"uri": "https://e.x", "title": "E"}}],
            "groundingSupports": [{"segment": {"endIndex": 3, "text": "né"}, "groundingChunkIndices": [0]}]}}]});
    let events = reply::decode(body.to_string().as_bytes()).unwrap();
    let mut fold = crate::reply::Fold::new();
    events.into_iter().for_each(|event| fold.push(event));
    let out: Value =
        serde_json::from_slice(&reply::encode(&fold.finish().unwrap(), &seed(Framing::Native))).unwrap();
    let grounding = &out["candidates"][0]["groundingMetadata"];
    assert_eq!(
        grounding["groundingChunks"],
        body["candidates"][0]["groundingMetadata"]["groundingChunks"]
    );
    assert_eq!(
        grounding["groundingSupports"][0]["segment"],
        json!({"startIndex": 0, "endIndex": 3})
    );
}

#[test]
fn what_only_google_can_go_on_from_is_refused_elsewhere() {
    for (body, message) in [
        (
            json!({"contents": "hi", "cachedContent": "cachedContents/1"}),
            "cachedContent is only valid for Gemini models",
        ),
        (
            json!({"contents": [{"parts": [{"fileData": {"fileUri": "https://e.x/a.mp4"}}]}]}),
            "model 'm' does not accept video input",
        ),
        (
            json!({"contents": [{"parts": [{"fileData": {"fileUri": "gs://b/a.png"}}]}]}),
            "file references are provider-scoped; send file_data instead",
        ),
    ] {
        let address = Address {
            model: "m".to_owned(),
            stream: false,
            framing: Framing::Native,
        };
        let ask = Ask::read_at(Dialect::Gemini, address, body.to_string().into()).unwrap();
        assert_eq!(
            ask.call(&target(Dialect::OpenAiChat)).unwrap_err().to_string(),
            message
        );
        assert!(ask.call(&target(Dialect::Gemini)).is_ok(), "{body}");
    }
}

#[test]
fn an_image_in_a_reply_reaches_who_can_show_it_and_is_named_to_the_others() {
    let reply = json!({"responseId": "r", "candidates": [{"index": 0, "finishReason": "STOP", "content": {
    "role": "model", "parts": [
        {"thought": true, "inlineData": {"mimeType": "image/png", "data": "draft"}},
        {"text": "Look: "},
        {"inlineData": {"mimeType": "image/png", "data": "aW1n"}},
        {"inline_data": {"mime_type": "audio/pcm", "data": "c25k"}},
    ]}}]});
    let image = r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,aW1n"}}"#;
    for (client, said) in [
        (Dialect::OpenAiChat, &[image, "[audio omitted]"][..]),
        (Dialect::OpenAiResponses, &["[image omitted]", "[audio omitted]"]),
        (
            Dialect::AnthropicMessages,
            &["[image omitted]", "[audio omitted]"],
        ),
        (Dialect::OllamaChat, &["[image omitted]", "[audio omitted]"]),
    ] {
        let body = json!({"model": "m", "stream": true, "max_tokens": 9, "input": "hi",
            "messages": [{"role": "user", "content": "hi"}]});
        let ask = Ask::read(client, body.to_string().into()).unwrap();
        let call = ask.call(&target(Dialect::Gemini)).unwrap();
        let seed = seed(Framing::Native);
        let whole = call.reply(reply.to_string().into(), &seed, &mut Progress::default());
        let whole = String::from_utf8(whole.unwrap().to_vec()).unwrap();
        let (stream, progress) = pumped(&call, Framing::Native, &[&format!("data: {reply}\n\n")]);
        assert!(progress.ended && progress.started, "{client}");
        for text in [&whole, &stream] {
            assert!(
                text.contains("Look: ") && !text.contains("draft"),
                "{client}: {text}"
            );
            for part in said {
                assert!(text.contains(part), "{client}: {text}");
            }
        }
    }
}

#[test]
fn an_image_of_a_chat_upstream_is_a_part_of_the_clients_reply() {
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aW1n"}});
    let message = json!({"role": "assistant", "content": "Look", "images": [image]});
    let choice = |name: &str| json!({"index": 0, name: message, "finish_reason": "stop"});
    let reply = json!({"id": "c", "object": "chat.completion", "choices": [choice("message")]});
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "choices": [choice("delta")]});
    let call = asked(Dialect::OpenAiChat, Framing::Native, false);
    let seed = seed(Framing::Native);
    let whole = call.reply(reply.to_string().into(), &seed, &mut Progress::default());
    let whole = String::from_utf8(whole.unwrap().to_vec()).unwrap();
    let frames = format!("data: {chunk}\n\ndata: [DONE]\n\n");
    let (stream, _) = pumped(&call, Framing::Native, &[&frames]);
    for text in [whole, stream] {
        let part = r#"{"inlineData":{"mimeType":"image/png","data":"aW1n"}}"#;
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn an_unsigned_call_is_marked_only_for_models_that_refuse_it() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]},
    ]})
    .to_string();
    for (model, marked) in [("gemini-3-pro-preview", true), ("gemini-2.5-flash", false)] {
        let address = Address {
            model: "m".to_owned(),
            stream: false,
            framing: Framing::Native,
        };
        let ask = Ask::read_at(Dialect::Gemini, address, body.clone().into()).unwrap();
        let target = Target {
            dialect: Dialect::Gemini,
            model: model.to_owned(),
            caps: ModelCaps::of(Dialect::Gemini, model),
        };
        let call = ask.call(&target).unwrap();
        let sent = String::from_utf8(call.body().to_vec()).unwrap();
        assert_eq!(
            sent.contains("skip_thought_signature_validator"),
            marked,
            "{sent}"
        );
        assert_eq!(call.notes().summary().is_some(), marked, "{model}");
        assert!(marked || sent == body, "{sent}");
    }
}

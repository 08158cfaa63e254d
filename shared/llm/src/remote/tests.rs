use super::*;
use crate::translate::Ask;
use bytes::Bytes;
use serde_json::{Value, json};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000";

fn target(dialect: Dialect) -> Target {
    Target {
        dialect,
        model: "n".to_owned(),
        caps: ModelCaps::of(dialect, "n"),
    }
}

fn asked(content: Value) -> Ask {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": content}]});
    Ask::read(Dialect::OpenAiChat, Bytes::from(body.to_string())).unwrap()
}

fn image(url: &str) -> Value {
    json!({"type": "image_url", "image_url": {"url": url}})
}

fn urls(ask: &Ask, dialect: Dialect) -> Vec<String> {
    let wanted = ask.wanted(&target(dialect)).unwrap();
    wanted.into_iter().map(|wanted| wanted.url).collect()
}

/// The body for a target, once everything it wants was found to be this.
fn sent(ask: &Ask, dialect: Dialect, content_type: &str, bytes: &[u8]) -> Value {
    let target = target(dialect);
    let mut fetched = Fetched::default();
    for wanted in ask.wanted(&target).unwrap() {
        fetched.insert(
            &wanted,
            Medium::read(wanted.kind, Some(content_type), bytes).unwrap(),
        );
    }
    let call = ask.call_with(&target, &fetched).unwrap();
    serde_json::from_slice(&call.body()).unwrap()
}

#[test]
fn only_targets_that_fetch_nothing_want_the_bytes() {
    let ask = asked(json!([
        image("https://e.x/a.png"),
        image("https://e.x/a.png"),
        image("https://e.x/b.png")
    ]));
    let both = ["https://e.x/a.png", "https://e.x/b.png"];
    for (dialect, expected) in [
        (Dialect::OpenAiChat, &[][..]),
        (Dialect::OpenAiResponses, &[]),
        (Dialect::AnthropicMessages, &[]),
        (Dialect::Gemini, &both),
        (Dialect::OllamaChat, &both),
    ] {
        assert_eq!(urls(&ask, dialect), expected, "{dialect}");
    }
}

#[test]
fn googles_own_addresses_go_to_google_as_they_are() {
    for own in [
        "gs://bucket/a.png",
        "https://generativelanguage.googleapis.com/v1beta/files/abc",
        "https://youtu.be/abc",
    ] {
        let ask = asked(json!([image(own)]));
        assert_eq!(urls(&ask, Dialect::Gemini), [] as [&str; 0], "{own}");
        assert_eq!(urls(&ask, Dialect::OllamaChat), [own], "{own}");
    }
}

#[test]
fn bytes_stand_where_the_address_stood() {
    let ask = asked(json!([{"type": "text", "text": "what is it?"}, image("https://e.x/a")]));
    let data = STANDARD.encode(PNG);
    let gemini = sent(&ask, Dialect::Gemini, "image/jpeg", PNG);
    assert_eq!(
        gemini["contents"][0]["parts"][1],
        json!({"inlineData": {"mimeType": "image/png", "data": data}})
    );
    let ollama = sent(&ask, Dialect::OllamaChat, "application/octet-stream", PNG);
    assert_eq!(ollama["messages"][0]["images"], json!([data]));
}

#[test]
fn a_document_by_address_is_sent_as_what_it_is() {
    let ask = asked(json!([{"type": "file", "file": {"file_url": "https://e.x/a"}}]));
    let pdf = sent(&ask, Dialect::Gemini, "application/pdf", b"%PDF-1.7");
    assert_eq!(
        pdf["contents"][0]["parts"][0]["inlineData"]["mimeType"],
        "application/pdf"
    );
    let text = sent(&ask, Dialect::Gemini, "text/plain; charset=utf-8", b"caf\xc3\xa9");
    assert_eq!(text["contents"][0]["parts"][0]["text"], "café");
    // what fetches documents itself is told where they are
    assert_eq!(urls(&ask, Dialect::AnthropicMessages), [] as [&str; 0]);
    // and what cannot read them has no use for the bytes
    assert_eq!(urls(&ask, Dialect::OllamaChat), [] as [&str; 0]);
}

#[test]
fn media_of_a_tools_result_are_brought_too() {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "see", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [
            {"type": "image", "source": {"type": "url", "url": "https://e.x/a.png"}},
        ]}]},
    ]});
    let ask = Ask::read(Dialect::AnthropicMessages, Bytes::from(body.to_string())).unwrap();
    let sent = sent(&ask, Dialect::OllamaChat, "image/png", PNG).to_string();
    assert!(
        sent.contains(&STANDARD.encode(PNG)) && !sent.contains("e.x"),
        "{sent}"
    );
}

#[test]
fn what_is_not_brought_is_refused_and_never_left_out() {
    let ask = asked(json!([image("https://e.x/a.png")]));
    for dialect in [Dialect::Gemini, Dialect::OllamaChat] {
        let error = ask.call(&target(dialect)).unwrap_err().to_string();
        assert!(
            error.contains("image_url must be a data: URL for this model"),
            "{error}"
        );
    }
}

#[test]
fn bytes_are_used_only_as_what_they_are() {
    use MediaKind::{Document, Image};
    use MediumError::{NotADocument, NotAnImage};
    let mime = |mime: &str| Ok(mime.to_owned());
    for (kind, declared, bytes, expected) in [
        (Image, Some("image/png"), PNG, mime("image/png")),
        (Image, Some("IMAGE/JPG; x=y"), PNG, mime("image/png")),
        (Image, None, &b"\xff\xd8\xff\xe0"[..], mime("image/jpeg")),
        (Image, Some("binary/octet-stream"), b"GIF89a", mime("image/gif")),
        (Image, Some("image/webp"), b"RIFF\0\0\0\0WEBP", mime("image/webp")),
        (Image, Some("text/html"), PNG, Err(NotAnImage)),
        (Image, Some("image/png"), b"<html>", Err(NotAnImage)),
        (Image, Some("image/svg+xml"), b"<svg/>", Err(NotAnImage)),
        (Image, Some("image/png"), b"", Err(NotAnImage)),
        (
            Document,
            Some("application/pdf"),
            b"%PDF-1.4",
            mime("application/pdf"),
        ),
        (Document, None, b"%PDF-1.4", mime("application/pdf")),
        (Document, Some("text/markdown"), b"# a", mime("text/markdown")),
        (Document, Some("text/plain"), b"\xff\xfe", Err(NotADocument)),
        (Document, Some("text/html"), b"%PDF-1.4", Err(NotADocument)),
        (Document, None, b"words", Err(NotADocument)),
        (Document, Some("application/zip"), b"%PDF", Err(NotADocument)),
    ] {
        let read = Medium::read(kind, declared, bytes).map(|medium| medium.mime);
        assert_eq!(read, expected, "{kind:?} {declared:?} {bytes:?}");
    }
}

#[test]
fn a_refusal_names_the_part_and_keeps_secrets() {
    let long = format!("https://e.x/{}", "ä".repeat(400));
    for (url, visible, hidden) in [
        (
            "https://e.x/a.png?sig=s3cret#f",
            "https://e.x/a.png cannot",
            "s3cret",
        ),
        ("https://me:pass@e.x/a", "https://e.x/a cannot", "pass"),
        ("not an address", "not an address", "messages[1]"),
        (long.as_str(), "ä… cannot", &"ä".repeat(201)),
    ] {
        let ask = asked(json!([{"type": "text", "text": "see"}, image(url)]));
        let wanted = ask.wanted(&target(Dialect::OllamaChat)).unwrap();
        let error = wanted[0].refused("it is not there");
        assert_eq!(error.param.as_deref(), Some("messages[0].content[1]"));
        assert!(
            error.message.starts_with("messages[0].content[1]: the image at "),
            "{}",
            error.message
        );
        assert!(error.message.ends_with("cannot be fetched: it is not there"));
        assert!(
            error.message.contains(visible) && !error.message.contains(hidden),
            "{}",
            error.message
        );
    }
}

proptest::proptest! {
    #[test]
    fn no_address_breaks_an_error(url in "\\PC{0,300}") {
        shown(&url);
    }

    #[test]
    fn no_bytes_break_the_reading(bytes: Vec<u8>, declared in "\\PC{0,20}") {
        for kind in [MediaKind::Image, MediaKind::Document] {
            let _ = Medium::read(kind, Some(&declared), &bytes);
        }
    }
}

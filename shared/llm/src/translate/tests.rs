use super::*;

fn read(body: &str) -> Result<Ask, DecodeError> {
    Ask::read(Dialect::OpenAiChat, Bytes::copy_from_slice(body.as_bytes()))
}

#[test]
fn the_head_says_model_and_stream() {
    let ask = read(r#"{"messages":[],"model":"gp\u0074","stream":true}"#).unwrap();
    assert_eq!(
        (ask.model(), ask.stream(), ask.include_usage),
        ("gpt", true, false)
    );
    let ask = read(r#"{"model":"m","stream":null,"stream_options":{"include_usage":true}}"#).unwrap();
    assert_eq!((ask.stream(), ask.include_usage), (false, true));
}

#[test]
fn what_cannot_be_routed_is_refused() {
    for (body, message) in [
        ("{}", "Missing model"),
        (r#"{"model":null}"#, "Missing model"),
        (r#"{"model":""}"#, "Missing model"),
        (r#"{"model":7}"#, "model must be a string"),
        (r#"{"model":"m","stream":"yes"}"#, "stream must be true or false"),
        ("[]", "request body must be a JSON object"),
    ] {
        assert_eq!(read(body).unwrap_err().message, message, "{body}");
    }
    assert!(read("{").unwrap_err().message.starts_with("Invalid JSON body: "));
}

#[test]
fn an_answer_is_bounded_by_its_client_in_the_words_of_its_dialect() {
    let table = [
        (Dialect::OpenAiChat, r#"{"model":"m"}"#, None),
        (Dialect::OpenAiChat, r#"{"model":"m","max_tokens":7}"#, Some(7)),
        (
            Dialect::OpenAiChat,
            r#"{"model":"m","max_tokens":7,"n":3}"#,
            Some(21),
        ),
        (
            Dialect::OpenAiChat,
            r#"{"model":"m","max_tokens":9,"max_completion_tokens":8}"#,
            Some(8),
        ),
        (Dialect::OpenAiChat, r#"{"model":"m","max_tokens":"many"}"#, None),
        (
            Dialect::OpenAiResponses,
            r#"{"model":"m","max_output_tokens":7}"#,
            Some(7),
        ),
        (
            Dialect::AnthropicMessages,
            r#"{"model":"m","max_tokens":7}"#,
            Some(7),
        ),
        (
            Dialect::Gemini,
            r#"{"model":"m","generationConfig":{"maxOutputTokens":7}}"#,
            Some(7),
        ),
        (
            Dialect::Gemini,
            r#"{"model":"m","generation_config":{"max_output_tokens":7,"candidate_count":2}}"#,
            Some(14),
        ),
        (
            Dialect::OllamaChat,
            r#"{"model":"m","options":{"num_predict":7}}"#,
            Some(7),
        ),
        (
            Dialect::OllamaChat,
            r#"{"model":"m","options":{"num_predict":-1}}"#,
            None,
        ),
    ];
    for (dialect, body, bound) in table {
        let ask = Ask::read(dialect, Bytes::copy_from_slice(body.as_bytes())).unwrap();
        assert_eq!(ask.output_bound(), bound, "{body}");
    }
    let capped = read(r#"{"model":"m","max_tokens":7,"n":2}"#)
        .unwrap()
        .capped(Some(5));
    assert_eq!(capped.output_bound(), Some(10));
}

#[test]
fn inline_media_is_not_counted_as_text() {
    let image = format!(r#"{{"model":"m","messages":["{}"]}}"#, "A".repeat(1 << 20));
    let prose = format!(r#"{{"model":"m","messages":["{}"]}}"#, "word ".repeat(1 << 10));
    assert!(read(&image).unwrap().estimate_input_tokens() < 2000);
    assert!((1280..1320).contains(&read(&prose).unwrap().estimate_input_tokens()));
}

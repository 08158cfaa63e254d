use super::*;
use axum::http::Request;
use llm::sigv4::{Credentials, Scope, Signable, sign};

/// 2026-01-01T00:00:00Z
const NOW: u64 = 1_767_225_600;
const PATH: &str = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fa.b-v1%3A0/converse";
const BODY: &[u8] = br#"{"messages":[]}"#;

/// A request as the gateway signs it.
fn signed(access_key: &str, at: u64) -> Parts {
    let signable = Signable {
        method: "POST",
        path: PATH,
        query: "",
        headers: &[
            ("host", "bedrock-runtime.us-east-1.amazonaws.com"),
            ("content-type", "application/json"),
        ],
        payload: BODY,
    };
    let scope = Scope {
        region: "us-east-1",
        service: "bedrock",
    };
    let credentials = Credentials::parse(access_key).unwrap();
    let mut request = Request::builder().method("POST").uri(PATH);
    for (name, value) in signable.headers {
        request = request.header(*name, *value);
    }
    for (name, value) in sign(&signable, &credentials, scope, at) {
        request = request.header(name, value);
    }
    request.body(()).unwrap().into_parts().0
}

#[test]
fn what_was_signed_with_a_known_key_is_let_in() {
    for key in [ACCESS_KEY, TEMPORARY_ACCESS_KEY] {
        assert_eq!(verify_at(&signed(key, NOW), BODY, NOW + 60), Ok(()), "{key}");
    }
}

#[test]
fn whatever_was_changed_behind_the_signature_is_turned_away() {
    let id = ACCESS_KEY.split(':').next().unwrap();
    let mut other_path = signed(ACCESS_KEY, NOW);
    other_path.uri = "/model/other/converse".parse().unwrap();
    let mut other_type = signed(ACCESS_KEY, NOW);
    other_type
        .headers
        .insert("content-type", "text/plain".parse().unwrap());
    let mut unsigned = signed(ACCESS_KEY, NOW);
    unsigned.headers.insert("x-amz-target", "other".parse().unwrap());
    let mut no_token = signed(TEMPORARY_ACCESS_KEY, NOW);
    no_token.headers.remove("x-amz-security-token");
    for (parts, body, refusal) in [
        (signed(ACCESS_KEY, NOW), &b"{}"[..], WRONG),
        (signed(&format!("{id}:other"), NOW), BODY, WRONG),
        (signed("AKIAOTHER:secret", NOW), BODY, UNKNOWN),
        (signed(ACCESS_KEY, NOW - 301), BODY, EXPIRED),
        (other_path, BODY, WRONG),
        (other_type, BODY, WRONG),
        (unsigned, BODY, INCOMPLETE),
        (no_token, BODY, UNKNOWN),
    ] {
        assert_eq!(verify_at(&parts, body, NOW), Err(refusal));
    }
}

#[test]
fn a_time_is_read() {
    for (text, unix) in [
        ("19700101T000000Z", Some(0)),
        ("20150830T123600Z", Some(1_440_938_160)),
        ("20000229T235959Z", Some(951_868_799)),
        ("20260101T000000Z", Some(NOW)),
        ("20260101", None),
        ("2026010xT000000Z", None),
    ] {
        assert_eq!(seconds(text), unix, "{text}");
    }
}

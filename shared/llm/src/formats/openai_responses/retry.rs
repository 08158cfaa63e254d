//! Encrypted reasoning that the upstream cannot read any more: it was made for another account or has expired. The
//! conversation is still whole without it.

use super::history::{self, Fate};
use crate::error::UpstreamError;
use crate::head::Head;
use bytes::Bytes;
use serde_json::{Map, Value};

/// The body without earlier reasoning, when that is what was refused.
pub fn without_reasoning(body: &Bytes, refusal: &UpstreamError) -> Option<Bytes> {
    if !refuses_reasoning(refusal) {
        return None;
    }
    let input = history::treat(body, |_, _| Fate::Dropped)?;
    Some(Head::read(body).ok()?.with(&[("input", &input)]))
}

/// The body without the wish for a summary of the thoughts, when that is what was refused: the vendor gives them to
/// verified organizations only, <https://help.openai.com/en/articles/10910291-api-organization-verification>.
pub fn without_summary(body: &Bytes, refusal: &UpstreamError) -> Option<Bytes> {
    let names_it = refusal.param.as_deref() == Some("reasoning.summary")
        || refusal.message.to_ascii_lowercase().contains("reasoning summar");
    if refusal.status != Some(400) || !names_it {
        return None;
    }
    let head = Head::read(body).ok()?;
    let mut reasoning: Map<String, Value> = serde_json::from_str(head.get("reasoning")?.get()).ok()?;
    reasoning.remove("summary")?;
    let reasoning = match reasoning.is_empty() {
        true => Value::Null,
        false => Value::from(reasoning),
    };
    Some(head.with(&[("reasoning", &reasoning.to_string())]))
}

/// Some servers word it without a code.
fn refuses_reasoning(refusal: &UpstreamError) -> bool {
    if refusal.native_code.as_deref() == Some("invalid_encrypted_content") {
        return true;
    }
    if refusal.status != Some(400) {
        return false;
    }
    let message = refusal.message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    says(&["encrypted content", "encrypted_content"]) && says(&["verif", "decrypt", "match", "invalid"])
        || message.contains("item_id") && message.contains("match")
        || message.contains("item id") && message.contains("match")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::classify;

    const BODY: &str = r#"{"model":"m", "input":[{"role":"user","content":"a"},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"x"},{"type":"message", "role":"assistant","content":[]}],"n":1.0}"#;

    fn retried(status: u16, error: &str) -> Option<String> {
        let refusal = classify(status, error.as_bytes());
        let body = without_reasoning(&Bytes::from_static(BODY.as_bytes()), &refusal)?;
        Some(String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn only_reasoning_is_left_out_and_only_when_it_was_refused() {
        let expected = BODY.replace(
            r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"x"},"#,
            "",
        );
        for error in [
            r#"{"error":{"code":"invalid_encrypted_content","message":"..."}}"#,
            r#"{"error":{"message":"The encrypted content for item rs_1 could not be verified."}}"#,
            r#"{"error":{"message":"Encrypted content item_id did not match the target item id."}}"#,
        ] {
            assert_eq!(retried(400, error).as_deref(), Some(expected.as_str()), "{error}");
        }
        assert_eq!(retried(400, r#"{"error":{"message":"bad temperature"}}"#), None);
        assert_eq!(
            retried(
                500,
                r#"{"error":{"message":"could not decrypt encrypted content"}}"#
            ),
            None
        );
    }

    #[test]
    fn a_summary_is_given_up_where_it_is_refused() {
        let refused = br#"{"error":{"message":"Your organization must be verified to generate reasoning summaries.","type":"invalid_request_error","param":"reasoning.summary","code":"unsupported_value"}}"#;
        let refusal = classify(400, refused);
        for (body, expected) in [
            (
                r#"{"reasoning":{"effort":"low","summary":"auto"},"input":[1.0]}"#,
                Some(r#"{"reasoning":{"effort":"low"},"input":[1.0]}"#),
            ),
            (
                r#"{"reasoning":{"summary":"auto"}}"#,
                Some(r#"{"reasoning":null}"#),
            ),
            (r#"{"reasoning":{"effort":"low"}}"#, None),
            (r#"{"input":"hi"}"#, None),
        ] {
            let body = Bytes::from_static(body.as_bytes());
            let without = without_summary(&body, &refusal);
            assert_eq!(without.as_deref(), expected.map(str::as_bytes));
            let other = classify(400, br#"{"error":{"message":"bad temperature"}}"#);
            assert_eq!(without_summary(&body, &other), None);
        }
    }

    #[test]
    fn a_body_without_reasoning_is_not_tried_again() {
        let refusal = classify(400, br#"{"error":{"code":"invalid_encrypted_content"}}"#);
        let body = Bytes::from_static(br#"{"model":"m","input":"hi"}"#);
        assert_eq!(without_reasoning(&body, &refusal), None);
    }
}

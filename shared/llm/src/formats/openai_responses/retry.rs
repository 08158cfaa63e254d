//! Encrypted reasoning that the upstream cannot read any more: it was made for another account or has expired. The
//! conversation is still whole without it.

use super::history::{self, Fate};
use crate::error::UpstreamError;
use crate::head::Head;
use bytes::Bytes;

/// The body without earlier reasoning, when that is what was refused.
pub fn without_reasoning(body: &Bytes, refusal: &UpstreamError) -> Option<Bytes> {
    if !refuses_reasoning(refusal) {
        return None;
    }
    let input = history::treat(body, |_, _| Fate::Dropped)?;
    Some(Head::read(body).ok()?.with(&[("input", &input)]))
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
    fn a_body_without_reasoning_is_not_tried_again() {
        let refusal = classify(400, br#"{"error":{"code":"invalid_encrypted_content"}}"#);
        let body = Bytes::from_static(br#"{"model":"m","input":"hi"}"#);
        assert_eq!(without_reasoning(&body, &refusal), None);
    }
}

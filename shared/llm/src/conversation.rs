//! Which conversation a request belongs to, when its client does not say.
//!
//! Clients send the whole history with every turn, so its beginning is what all turns of a conversation share.

use crate::request::{Part, PartKind, Request, Role};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// 16 hexadecimal digits over what stays the same from turn to turn.
pub(crate) fn fingerprint(request: &Request) -> String {
    let mut hash = Sha256::new();
    let mut field = |name: &str, text: &str| {
        // the lengths keep neighbouring texts apart
        hash.update(name.as_bytes());
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    field("model", &request.model);
    texts(&request.system).for_each(|text| field("system", text));
    if let Some(first) = request.messages.iter().find(|message| message.role == Role::User) {
        texts(&first.parts).for_each(|text| field("user", text));
    }
    for tool in &request.tools {
        field("tool", &tool.name);
    }
    let digest = hash.finalize();
    digest[..8]
        .iter()
        .fold(String::with_capacity(16), |mut hex, byte| {
            // writing to a string cannot fail
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

fn texts(parts: &[Part]) -> impl Iterator<Item = &str> {
    parts.iter().filter_map(|part| match &part.kind {
        PartKind::Text { text, .. } => Some(text.as_str()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use crate::Dialect;
    use crate::translate::Ask;

    fn conversation(body: &str) -> String {
        let ask = Ask::read(Dialect::OpenAiChat, body.to_owned().into()).unwrap();
        ask.conversation().unwrap()
    }

    #[test]
    fn a_conversation_is_the_same_on_every_turn_and_another_for_other_first_words() {
        let first = conversation(
            r#"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"a"}]}"#,
        );
        let second = conversation(
            r#"{"model":"m","temperature":1,"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},
                {"role":"assistant","content":"b"},{"role":"user","content":"c"}]}"#,
        );
        let other = conversation(
            r#"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"c"}]}"#,
        );
        assert_eq!(first, second);
        assert_ne!(first, other);
        assert_eq!(first.len(), 16);
    }
}

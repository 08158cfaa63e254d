//! Encrypted reasoning: a blob that is only valid together with the id of the item it came in.

use crate::dialect::Dialect;
use crate::envelope::{self, Subject};
use crate::request::Opaque;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The payload of this dialect's [`Opaque`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Encrypted<'a> {
    pub id: Cow<'a, str>,
    pub encrypted_content: Cow<'a, str>,
}

/// What a reasoning item of a client carries.
#[derive(Debug, PartialEq, Eq)]
pub struct Carried {
    pub opaque: Opaque,
    pub subject: Subject,
}

/// The state of an upstream's item.
pub fn issued(id: &str, encrypted_content: &str) -> Opaque {
    let payload = Encrypted {
        id: id.into(),
        encrypted_content: encrypted_content.into(),
    };
    Opaque {
        issuer: Dialect::OpenAiResponses,
        payload: serde_json::to_string(&payload).expect("strings always serialise"),
    }
}

/// The state that came back with an item: the vendor's, or what we wrapped for a client of this dialect.
pub fn returned(id: &str, encrypted_content: &str) -> Carried {
    match envelope::unwrap(encrypted_content) {
        Some((opaque, subject)) => Carried { opaque, subject },
        None => Carried {
            opaque: issued(id, encrypted_content),
            subject: Subject::Reasoning,
        },
    }
}

/// The item id and the blob, where the state is this vendor's.
pub fn own(opaque: &Opaque) -> Option<Encrypted<'_>> {
    if opaque.issuer != Dialect::OpenAiResponses {
        return None;
    }
    let encrypted: Encrypted<'_> = serde_json::from_str(&opaque.payload).ok()?;
    let whole = !encrypted.id.is_empty() && !encrypted.encrypted_content.is_empty();
    whole.then_some(encrypted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_and_its_id_stay_together() {
        let opaque = issued("rs_1", "gAAA");
        let encrypted = own(&opaque).unwrap();
        assert_eq!(
            (encrypted.id.as_ref(), encrypted.encrypted_content.as_ref()),
            ("rs_1", "gAAA")
        );
        assert_eq!(returned("rs_1", "gAAA").opaque, opaque);
        // an item announced under another id carries both, wrapped
        assert_eq!(
            returned("rs_2", &envelope::wrap(&opaque, Subject::Reasoning)).opaque,
            opaque
        );
    }

    #[test]
    fn nothing_is_this_vendors_but_what_it_issued() {
        let foreign = Opaque {
            issuer: Dialect::AnthropicMessages,
            payload: r#"{"id":"a","encrypted_content":"b"}"#.to_owned(),
        };
        assert!(own(&foreign).is_none());
        let broken = Opaque {
            issuer: Dialect::OpenAiResponses,
            payload: "x".to_owned(),
        };
        assert!(own(&broken).is_none());
    }
}

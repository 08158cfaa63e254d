//! Provider state in `thoughtSignature`, which is bytes: standard base64.
//!
//! The vendor's own goes through untouched. Another vendor's is wrapped in an envelope, and that in base64, so that
//! it survives a client of this dialect and comes back with its issuer.

use crate::dialect::Dialect;
use crate::envelope::{self, Subject};
use crate::request::Opaque;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// The base64 of every envelope begins like this.
pub const FOREIGN_PREFIX: &str = "Z3cxL";

/// What the vendor's documentation offers for a call whose signature is lost: its validator skips the check.
pub const UNKNOWN: &str = "skip_thought_signature_validator";

pub fn seal(opaque: &Opaque) -> Cow<'_, str> {
    sealed(opaque, Subject::Reasoning)
}

/// The same for reasoning that has no text of its own.
pub fn seal_redacted(opaque: &Opaque) -> Cow<'_, str> {
    sealed(opaque, Subject::Redacted)
}

fn sealed(opaque: &Opaque, subject: Subject) -> Cow<'_, str> {
    if opaque.issuer == Dialect::Gemini {
        return Cow::Borrowed(&opaque.payload);
    }
    Cow::Owned(STANDARD.encode(envelope::wrap(opaque, subject)))
}

/// The state, and what it is about where an envelope says so.
pub fn open(signature: &str) -> (Opaque, Subject) {
    let foreign = || {
        let bytes = STANDARD.decode(signature).ok()?;
        envelope::unwrap(std::str::from_utf8(&bytes).ok()?)
    };
    let opened = if signature.starts_with(FOREIGN_PREFIX) {
        foreign()
    } else {
        None
    };
    opened
        .filter(|(opaque, _)| opaque.issuer != Dialect::Gemini)
        .unwrap_or_else(|| (own(signature), Subject::Reasoning))
}

/// The issuer's own, as an upstream sends it.
pub fn own(signature: &str) -> Opaque {
    Opaque {
        issuer: Dialect::Gemini,
        payload: signature.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_state_is_base64_and_comes_back_with_its_issuer() {
        let foreign = Opaque {
            issuer: Dialect::AnthropicMessages,
            payload: "EqQB+/=".to_owned(),
        };
        let wire = seal(&foreign).into_owned();
        assert!(
            STANDARD.decode(&wire).is_ok() && wire.starts_with(FOREIGN_PREFIX),
            "{wire}"
        );
        assert_eq!(open(&wire), (foreign.clone(), Subject::Reasoning));
        assert_eq!(open(&seal_redacted(&foreign)), (foreign, Subject::Redacted));
    }

    #[test]
    fn the_vendors_own_is_never_touched() {
        for text in ["CiQB", "Z3cxL", "Z3cxLg==", "not base64"] {
            let (opaque, _) = open(text);
            assert_eq!(opaque, own(text), "{text}");
            assert_eq!(seal(&opaque), text);
        }
    }
}

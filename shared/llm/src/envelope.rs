//! How provider state travels through a client of another dialect.
//!
//! A field for a signature is opaque to clients and comes back verbatim, so another dialect's state is wrapped in
//! one: `gw1.` + base64url of `{"i": issuer, "p": payload}`. When it returns, the issuer is known again and the
//! state is sent only to whom it belongs. Nothing without the prefix is ever unwrapped, and nothing is ever made
//! up.

use crate::dialect::Dialect;
use crate::request::Opaque;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How every envelope begins.
pub const PREFIX: &str = "gw1.";

/// What the state is about, for dialects that have only one place for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Subject {
    /// A signature over reasoning, or reasoning itself, that stands where it came.
    #[default]
    Reasoning,
    /// Reasoning of which there is no text.
    Redacted,
    /// The tool call before it.
    Call,
}

#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    #[serde(rename = "i")]
    issuer: Cow<'a, str>,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    subject: Option<Cow<'a, str>>,
    #[serde(rename = "p")]
    payload: Cow<'a, str>,
}

// === impl Subject ===

impl Subject {
    const fn name(self) -> Option<&'static str> {
        match self {
            Self::Reasoning => None,
            Self::Redacted => Some("redacted"),
            Self::Call => Some("call"),
        }
    }

    fn named(name: Option<&str>) -> Option<Self> {
        [Self::Reasoning, Self::Redacted, Self::Call]
            .into_iter()
            .find(|subject| subject.name() == name)
    }
}

// === functions ===

/// What goes into a field of `home`: its own bytes untouched, anything else wrapped.
pub fn seal(opaque: &Opaque, home: Dialect) -> Cow<'_, str> {
    if opaque.issuer == home {
        return Cow::Borrowed(&opaque.payload);
    }
    Cow::Owned(wrap(opaque, Subject::Reasoning))
}

/// The inverse. Text that is not an envelope, or one of an unknown issuer, is taken as `home`'s own: the vendor
/// verifies it anyway.
pub fn open(text: String, home: Dialect) -> Opaque {
    match unwrap(&text) {
        Some((opaque, _)) => opaque,
        None => Opaque {
            issuer: home,
            payload: text,
        },
    }
}

/// An envelope, whoever issued what is in it.
pub fn wrap(opaque: &Opaque, subject: Subject) -> String {
    let sealed = Sealed {
        issuer: opaque.issuer.name().into(),
        subject: subject.name().map(Cow::Borrowed),
        payload: opaque.payload.as_str().into(),
    };
    let json = serde_json::to_vec(&sealed).expect("strings always serialise");
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json))
}

/// What an envelope holds; `None` for any other text.
pub fn unwrap(text: &str) -> Option<(Opaque, Subject)> {
    let json = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
    let sealed: Sealed<'_> = serde_json::from_slice(&json).ok()?;
    let issuer = Dialect::named(&sealed.issuer)?;
    let opaque = Opaque {
        issuer,
        payload: sealed.payload.into_owned(),
    };
    Some((opaque, Subject::named(sealed.subject.as_deref())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Dialect = Dialect::AnthropicMessages;

    #[test]
    fn foreign_state_survives_a_client_and_keeps_its_issuer() {
        for issuer in Dialect::ALL.into_iter().filter(|issuer| *issuer != HOME) {
            let foreign = Opaque {
                issuer,
                payload: "enc+/=".to_owned(),
            };
            let wire = seal(&foreign, HOME).into_owned();
            assert!(
                wire.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)),
                "{wire}"
            );
            assert_eq!(open(wire, HOME), foreign);
        }
    }

    #[test]
    fn an_envelope_says_what_its_state_is_about() {
        let opaque = Opaque {
            issuer: Dialect::Gemini,
            payload: "sig".to_owned(),
        };
        for subject in [Subject::Reasoning, Subject::Redacted, Subject::Call] {
            assert_eq!(unwrap(&wrap(&opaque, subject)), Some((opaque.clone(), subject)));
        }
    }

    #[test]
    fn a_vendor_signature_is_never_touched() {
        for text in ["EqQBCgIYAg==", "gw1.", "gw1.!!", "gw1.e30", ""] {
            let opaque = open(text.to_owned(), HOME);
            assert_eq!(opaque.issuer, HOME);
            assert_eq!(seal(&opaque, HOME), text);
        }
    }
}

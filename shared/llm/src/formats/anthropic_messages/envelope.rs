//! How provider state that is not Anthropic's travels through an Anthropic client.
//!
//! A signature field is opaque to clients and comes back verbatim, so another dialect's state is wrapped in one:
//! `gw1.` + base64url of `{"i": issuer, "p": payload}`. When it returns, the issuer is known again and the state
//! is sent only to whom it belongs. Nothing without the prefix is ever unwrapped, and nothing is ever made up.

use crate::dialect::Dialect;
use crate::request::Opaque;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How every envelope begins.
pub const PREFIX: &str = "gw1.";

#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    #[serde(rename = "i")]
    issuer: Cow<'a, str>,
    #[serde(rename = "p")]
    payload: Cow<'a, str>,
}

/// What goes into `signature` or `data`: the vendor's own bytes untouched, anything else wrapped.
pub fn seal(opaque: &Opaque) -> Cow<'_, str> {
    if opaque.issuer == Dialect::AnthropicMessages {
        return Cow::Borrowed(&opaque.payload);
    }
    let sealed = Sealed {
        issuer: opaque.issuer.name().into(),
        payload: opaque.payload.as_str().into(),
    };
    let json = serde_json::to_vec(&sealed).expect("two strings always serialise");
    Cow::Owned(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json)))
}

/// The inverse. Text that is not an envelope, or one of an unknown issuer, is taken as the vendor's own: the
/// vendor verifies it anyway.
pub fn open(text: String) -> Opaque {
    match unwrap(&text) {
        Some(opaque) => opaque,
        None => Opaque {
            issuer: Dialect::AnthropicMessages,
            payload: text,
        },
    }
}

fn unwrap(text: &str) -> Option<Opaque> {
    let json = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
    let sealed: Sealed<'_> = serde_json::from_slice(&json).ok()?;
    let issuer = [Dialect::OpenAiChat]
        .into_iter()
        .find(|dialect| dialect.name() == sealed.issuer)?;
    Some(Opaque {
        issuer,
        payload: sealed.payload.into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_state_survives_a_client_and_keeps_its_issuer() {
        let foreign = Opaque {
            issuer: Dialect::OpenAiChat,
            payload: "enc+/=".to_owned(),
        };
        let wire = seal(&foreign).into_owned();
        assert!(
            wire.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)),
            "{wire}"
        );
        assert_eq!(open(wire), foreign);
    }

    #[test]
    fn a_vendor_signature_is_never_touched() {
        for text in ["EqQBCgIYAg==", "gw1.", "gw1.!!", "gw1.e30", ""] {
            let opaque = open(text.to_owned());
            assert_eq!(opaque.issuer, Dialect::AnthropicMessages);
            assert_eq!(seal(&opaque), text);
        }
    }
}

//! The key that the two ends share: it signs requests and seals the credentials in them.
//!
//! Both uses have a key of their own, derived as RFC 5869 (HKDF-SHA256) has it, so that the other end can be written
//! with any standard library.

use base64::{Engine, prelude::BASE64_STANDARD};
use runtime::{
    crypto::{self, SealKey, Sealed},
    secret::Secret,
};

const SIGNING: &str = "omniroute cloud sync signature v1";
const SEALING: &str = "omniroute cloud sync credentials v1";

pub struct SyncKey {
    signing: [u8; 32],
    sealing: SealKey,
}

// === impl SyncKey ===

impl SyncKey {
    pub fn new(secret: &Secret<String>) -> Self {
        Self {
            signing: crypto::hkdf(secret.expose().as_bytes(), SIGNING),
            sealing: SealKey::from_bytes(crypto::hkdf(secret.expose().as_bytes(), SEALING)),
        }
    }

    /// Of one request, hexadecimal: HMAC-SHA256 over `timestamp`, method, path and body, a line feed between them.
    /// `timestamp` is in seconds since 1970; the other end refuses an old one.
    pub fn sign(&self, timestamp: i64, method: &str, path: &str, body: &[u8]) -> String {
        let message = [format!("{timestamp}\n{method}\n{path}\n").as_bytes(), body].concat();
        hex(&crypto::hmac_sha256(&self.signing, &message))
    }

    /// Base64 of nonce and ciphertext, AES-256-GCM with `{connection}|{field}` as associated data.
    pub fn seal(&self, connection: &str, field: &str, plain: &str) -> String {
        let sealed = crypto::seal(&self.sealing, &place(connection, field), plain.as_bytes());
        BASE64_STANDARD.encode(sealed.to_bytes())
    }

    /// None for whatever was not sealed by [`SyncKey::seal`] for this place.
    pub fn open(&self, connection: &str, field: &str, sealed: &str) -> Option<Secret<String>> {
        let bytes = BASE64_STANDARD.decode(sealed).ok()?;
        let sealed = Sealed::from_bytes(&bytes).ok()?;
        let plain = crypto::open(
            &self.sealing,
            &place(connection, field),
            &sealed.nonce,
            &sealed.ciphertext,
        )
        .ok()?;
        let text = std::str::from_utf8(&plain).ok()?;
        Some(Secret::new(text.to_owned()))
    }
}

fn place(connection: &str, field: &str) -> Vec<u8> {
    format!("{connection}|{field}").into_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_key_at_the_same_place_only() {
        let key = |text: &str| SyncKey::new(&Secret::new(text.to_owned()));
        let sealed = key("one").seal("c1", "api_key", "sk-live");
        let opened = key("one").open("c1", "api_key", &sealed).unwrap();
        assert_eq!(opened.expose(), "sk-live");
        assert!(key("one").open("c2", "api_key", &sealed).is_none());
        assert!(key("one").open("c1", "access_token", &sealed).is_none());
        assert!(key("two").open("c1", "api_key", &sealed).is_none());
        assert!(key("one").open("c1", "api_key", "not base64!").is_none());
    }

    #[test]
    fn a_signature_is_of_all_that_a_request_says() {
        let key = SyncKey::new(&Secret::new("one".to_owned()));
        let signed = key.sign(1_700_000_000, "POST", "/sync/c", b"{}");
        assert_eq!(signed.len(), 64);
        for other in [
            key.sign(1_700_000_001, "POST", "/sync/c", b"{}"),
            key.sign(1_700_000_000, "DELETE", "/sync/c", b"{}"),
            key.sign(1_700_000_000, "POST", "/sync/d", b"{}"),
            key.sign(1_700_000_000, "POST", "/sync/c", b"{ }"),
        ] {
            assert_ne!(signed, other);
        }
    }
}

//! Answers, and what is kept beside them, as they lie in the state store: sealed, each for its own place.

use bytes::Bytes;
use prost::Message;
use proto::v1::StoredAnswer;
use runtime::crypto::{self, SealKey, Sealed};
use state::EntryKey;
use zeroize::Zeroizing;

/// Seals answers and opens them again.
#[derive(Clone)]
pub struct Vault(SealKey);

// === impl Vault ===

impl Vault {
    pub fn new(key: SealKey) -> Self {
        Self(key)
    }

    /// `purpose` keeps places of the same key apart.
    pub fn seal(&self, purpose: &str, key: &EntryKey, answer: &StoredAnswer) -> Bytes {
        self.seal_bytes(purpose, key, &answer.encode_to_vec())
    }

    /// `None` for what was sealed for another place or with another key, or cannot be read.
    pub fn open(&self, purpose: &str, key: &EntryKey, sealed: &[u8]) -> Option<StoredAnswer> {
        let plain = self.open_bytes(purpose, key, sealed)?;
        StoredAnswer::decode(plain.as_slice()).ok()
    }

    /// The same for anything.
    pub fn seal_bytes(&self, purpose: &str, key: &EntryKey, plain: &[u8]) -> Bytes {
        let sealed = crypto::seal(&self.0, &place(purpose, key), plain);
        Bytes::from(sealed.to_bytes())
    }

    pub fn open_bytes(&self, purpose: &str, key: &EntryKey, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let Sealed { nonce, ciphertext } = Sealed::from_bytes(sealed).ok()?;
        crypto::open(&self.0, &place(purpose, key), &nonce, &ciphertext).ok()
    }
}

fn place(purpose: &str, key: &EntryKey) -> Vec<u8> {
    format!("{purpose}|{}", key.name()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_opens_in_its_own_place_and_in_no_other() {
        let vault = Vault::new(SealKey::derive("tests", "a secret of these tests, long enough"));
        let key = |tenant: &str| EntryKey {
            generation: 1,
            tenant: tenant.to_owned(),
            hash: [7; 32],
        };
        let answer = StoredAnswer {
            body: Bytes::from_static(b"answer"),
            ..StoredAnswer::default()
        };
        let sealed = vault.seal("cache", &key("a"), &answer);
        assert!(!sealed.windows(6).any(|part| part == b"answer"));
        assert_eq!(vault.open("cache", &key("a"), &sealed), Some(answer));
        assert_eq!(vault.open("cache", &key("b"), &sealed), None);
        assert_eq!(vault.open("replay", &key("a"), &sealed), None);
        assert_eq!(vault.open("cache", &key("a"), b"anything"), None);
    }
}

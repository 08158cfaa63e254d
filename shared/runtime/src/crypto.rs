//! Sealing, key hashes and random tokens.
//!
//! Everything stored or sent is AES-256-GCM with associated data that names its place, so a ciphertext moved to
//! another row does not open. Keys are derived from the operator's secrets by BLAKE3 with a context of their own:
//! one secret never serves two purposes.

use crate::secret::Secret;
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use thiserror::Error;
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 12;
/// First byte of a sealed value at rest: which layout follows.
const LAYOUT: u8 = 1;

const NONCE_CONTEXT: &str = "omniroute 2026 derived nonces";

const TOKEN_ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A 256-bit key for one purpose.
#[derive(Clone)]
pub struct SealKey(Zeroizing<[u8; 32]>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub nonce: [u8; NONCE_BYTES],
    pub ciphertext: Vec<u8>,
}

/// What the planes of one cluster derive from their common secret.
#[derive(Debug, Clone)]
pub struct ClusterKeys {
    /// Seals credentials inside snapshots.
    pub transport: SealKey,
    /// Seals the snapshot kept in the state store.
    pub snapshot: SealKey,
    /// Seals what is remembered of answers in the state store.
    pub turns: SealKey,
    /// Seals whole answers in the state store.
    pub answers: SealKey,
    /// Seals bodies of requests on their way to a control plane.
    pub captures: SealKey,
    /// With which a data plane joins a control plane.
    pub join_token: Secret<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpenError {
    #[error("the sealed value has an unknown layout")]
    Layout,
    #[error("the sealed value does not open: another key, another place, or damaged")]
    Rejected,
}

// === impl SealKey ===

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey([redacted])")
    }
}

impl SealKey {
    /// Derives a key from a secret for the purpose that `context` names.
    pub fn derive(context: &str, secret: &str) -> Self {
        Self(Zeroizing::new(blake3::derive_key(context, secret.as_bytes())))
    }

    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new_from_slice(&*self.0).expect("the key has 32 bytes")
    }
}

// === impl Sealed ===

impl Sealed {
    /// Layout byte, nonce, ciphertext with its tag: what a database column holds.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&[LAYOUT], self.nonce.as_slice(), &self.ciphertext].concat()
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OpenError> {
        let Some((&LAYOUT, rest)) = bytes.split_first() else {
            return Err(OpenError::Layout);
        };
        let (nonce, ciphertext) = rest.split_first_chunk().ok_or(OpenError::Layout)?;
        Ok(Self {
            nonce: *nonce,
            ciphertext: ciphertext.to_vec(),
        })
    }
}

// === impl ClusterKeys ===

impl ClusterKeys {
    pub fn derive(cluster_secret: &str) -> Self {
        let token = SealKey::derive("omniroute 2026 data plane join token", cluster_secret);
        let join_token = token
            .0
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        Self {
            transport: SealKey::derive("omniroute 2026 snapshot credentials", cluster_secret),
            snapshot: SealKey::derive("omniroute 2026 stored snapshot", cluster_secret),
            turns: SealKey::derive("omniroute 2026 remembered answers", cluster_secret),
            answers: SealKey::derive("omniroute 2026 answers that are given again", cluster_secret),
            captures: SealKey::derive("omniroute 2026 bodies of requests", cluster_secret),
            join_token: Secret::new(join_token),
        }
    }
}

/// Seals with a random nonce.
pub fn seal(key: &SealKey, aad: &[u8], plain: &[u8]) -> Sealed {
    seal_with(key, rand::random(), aad, plain)
}

/// Seals with a nonce derived from place and content, so equal content at one place gives equal bytes.
///
/// A nonce can repeat only for the same place and plaintext, where repeating it reveals nothing but equality.
pub fn seal_derived(key: &SealKey, aad: &[u8], plain: &[u8]) -> Sealed {
    let nonce_key = Zeroizing::new(blake3::derive_key(NONCE_CONTEXT, &*key.0));
    let mut hasher = blake3::Hasher::new_keyed(&nonce_key);
    hasher
        .update(&(aad.len() as u64).to_le_bytes())
        .update(aad)
        .update(plain);
    let mut nonce = [0; NONCE_BYTES];
    nonce.copy_from_slice(&hasher.finalize().as_bytes()[..NONCE_BYTES]);
    seal_with(key, nonce, aad, plain)
}

pub fn open(
    key: &SealKey,
    aad: &[u8],
    nonce: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| OpenError::Layout)?;
    key.cipher()
        .decrypt(&Nonce::from(nonce), Payload { msg: ciphertext, aad })
        .map(Zeroizing::new)
        .map_err(|_| OpenError::Rejected)
}

/// HMAC-SHA256 of a gateway key: what is stored and looked up instead of the key.
pub fn hash_key(pepper: &[u8], key: &str) -> [u8; 32] {
    hmac_sha256(pepper, key.as_bytes())
}

pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// A key for the purpose that `info` names: HKDF-SHA256 without salt, RFC 5869. For keys that a party derives as well
/// which is not of this program; among ourselves it is [`SealKey::derive`].
pub fn hkdf(secret: &[u8], info: &str) -> [u8; 32] {
    let extracted = Zeroizing::new(hmac_sha256(&[0; 32], secret));
    hmac_sha256(&*extracted, &[info.as_bytes(), &[1]].concat())
}

/// `length` letters and digits, 5.95 bits each, from a cryptographic generator that the operating system seeds.
pub fn random_token(length: usize) -> String {
    (0..length)
        .map(|_| TOKEN_ALPHABET[rand::random_range(0..TOKEN_ALPHABET.len())] as char)
        .collect()
}

fn seal_with(key: &SealKey, nonce: [u8; NONCE_BYTES], aad: &[u8], plain: &[u8]) -> Sealed {
    let ciphertext = key
        .cipher()
        .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad })
        .expect("AES-GCM seals anything below 64 GiB");
    Sealed { nonce, ciphertext }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_for_others_is_derived_as_they_derive_it() {
        // test case 3 of RFC 5869, its first 32 bytes; it has neither salt nor info
        let expected = [
            0x8d, 0xa4, 0xe7, 0x75, 0xa5, 0x63, 0xc1, 0x8f, 0x71, 0x5f, 0x80, 0x2a, 0x06, 0x3c, 0x5a, 0x31,
            0xb8, 0xa1, 0x1f, 0x5c, 0x5e, 0xe1, 0x87, 0x9e, 0xc3, 0x45, 0x4e, 0x5f, 0x3c, 0x73, 0x8d, 0x2d,
        ];
        assert_eq!(hkdf(&[0x0b; 22], ""), expected);
    }

    #[test]
    fn opens_only_with_the_same_key_and_place() {
        let key = SealKey::derive("test", "one");
        let sealed = seal(&key, b"connection|1", b"sk-live");
        assert_eq!(
            *open(&key, b"connection|1", &sealed.nonce, &sealed.ciphertext).unwrap(),
            b"sk-live"
        );
        let moved = open(&key, b"connection|2", &sealed.nonce, &sealed.ciphertext);
        assert_eq!(moved.unwrap_err(), OpenError::Rejected);
        let other = SealKey::derive("test", "two");
        assert_eq!(
            open(&other, b"connection|1", &sealed.nonce, &sealed.ciphertext).unwrap_err(),
            OpenError::Rejected
        );
    }

    #[test]
    fn the_same_content_at_the_same_place_seals_to_the_same_bytes() {
        let key = SealKey::derive("test", "one");
        assert_eq!(seal_derived(&key, b"a", b"x"), seal_derived(&key, b"a", b"x"));
        assert_ne!(
            seal_derived(&key, b"a", b"x").nonce,
            seal_derived(&key, b"b", b"x").nonce
        );
        assert_ne!(
            seal_derived(&key, b"a", b"x").nonce,
            seal_derived(&key, b"a", b"y").nonce
        );
        // moving a byte between place and content is a different nonce too
        assert_ne!(
            seal_derived(&key, b"ab", b"c").nonce,
            seal_derived(&key, b"a", b"bc").nonce
        );
    }

    #[test]
    fn one_secret_gives_unrelated_keys() {
        let keys = ClusterKeys::derive("a cluster secret of some length!");
        let sealed = seal(&keys.transport, b"", b"x");
        assert!(open(&keys.snapshot, b"", &sealed.nonce, &sealed.ciphertext).is_err());
        assert_eq!(keys.join_token.expose().len(), 64);
    }

    #[test]
    fn keys_do_not_print() {
        let keys = ClusterKeys::derive("a cluster secret of some length!");
        let printed = format!("{keys:?}");
        assert!(!printed.contains(keys.join_token.expose()), "{printed}");
        assert_eq!(printed.matches("[redacted]").count(), 6, "{printed}");
    }

    #[test]
    fn a_layout_of_the_future_is_not_guessed_at() {
        let mut stored = seal(&SealKey::derive("test", "one"), b"", b"x").to_bytes();
        stored[0] += 1;
        assert_eq!(Sealed::from_bytes(&stored), Err(OpenError::Layout));
        assert_eq!(Sealed::from_bytes(&[LAYOUT, 1, 2]), Err(OpenError::Layout));
        assert_eq!(Sealed::from_bytes(&[]), Err(OpenError::Layout));
    }

    #[test]
    fn tokens_are_letters_and_digits_and_differ() {
        let (one, two) = (random_token(43), random_token(43));
        assert_eq!(
            (one.len(), one.chars().all(|c| c.is_ascii_alphanumeric())),
            (43, true)
        );
        assert_ne!(one, two);
    }

    #[test]
    fn a_key_hash_is_hmac_sha256() {
        // RFC 4231, test case 2
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let hash = hash_key(b"Jefe", "what do ya want for nothing?");
        assert_eq!(
            hash.iter().map(|b| format!("{b:02x}")).collect::<String>(),
            expected
        );
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_again(plain: Vec<u8>, aad: Vec<u8>) {
            let key = SealKey::derive("test", "one");
            let stored = seal(&key, &aad, &plain).to_bytes();
            let sealed = Sealed::from_bytes(&stored).unwrap();
            prop_assert_eq!(&*open(&key, &aad, &sealed.nonce, &sealed.ciphertext).unwrap(), &plain);
        }

        #[test]
        fn arbitrary_bytes_never_open(bytes: Vec<u8>) {
            let key = SealKey::derive("test", "one");
            let opened = Sealed::from_bytes(&bytes).and_then(|s| open(&key, b"", &s.nonce, &s.ciphertext));
            prop_assert!(opened.is_err());
        }
    }
}

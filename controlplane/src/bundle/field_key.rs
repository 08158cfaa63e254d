//! Secrets inside a bundle: `enc:v1:<iv>:<ciphertext>:<tag>`, in hexadecimal, as the first version wrote them.
//!
//! AES-256-GCM with an IV of 16 bytes, under a key that scrypt makes of a secret. The salt is the same everywhere when
//! the secret is an installation's `STORAGE_ENCRYPTION_KEY`, for that is how the first version reads them back; a
//! passphrase is weaker, and gets a salt of its own and more work.

use aes_gcm::{
    AesGcm, KeyInit, Nonce,
    aead::{Aead, consts::U16},
    aes::Aes256,
};
use runtime::secret::Secret;
use scrypt::Params;
use thiserror::Error;

const PREFIX: &str = "enc:v1:";
const SHARED_SALT: &[u8] = b"omniroute-field-encryption-v1";
const IV_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
/// N = 16384.
const SHARED_LOG_N: u8 = 14;
/// N = 65536.
const PASSPHRASE_LOG_N: u8 = 16;
const BLOCK_SIZE: u32 = 8;
const LANES: u32 = 1;

type Cipher = AesGcm<Aes256, U16>;

#[derive(Clone, Debug)]
pub struct FieldKey(Secret<[u8; 32]>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the secret was sealed under another key, or is damaged")]
pub struct NotOpened;

// === impl FieldKey ===

impl FieldKey {
    /// Of an installation's `STORAGE_ENCRYPTION_KEY`.
    pub fn shared(secret: &Secret<String>) -> Self {
        Self::derive(secret, SHARED_SALT, SHARED_LOG_N)
    }

    /// Of what a person chose; `salt` lies in the bundle.
    pub fn passphrase(passphrase: &Secret<String>, salt: &[u8]) -> Self {
        Self::derive(passphrase, salt, PASSPHRASE_LOG_N)
    }

    /// Takes tens of milliseconds, and for a passphrase 64 MiB of memory.
    fn derive(secret: &Secret<String>, salt: &[u8], log_n: u8) -> Self {
        let params = Params::new(log_n, BLOCK_SIZE, LANES).expect("constants within scrypt's limits");
        let mut key = [0; 32];
        scrypt::scrypt(secret.expose().as_bytes(), salt, &params, &mut key)
            .expect("32 bytes are a length that scrypt can make");
        Self(Secret::new(key))
    }

    pub fn seal(&self, plain: &str) -> String {
        self.seal_with(rand::random(), plain)
    }

    fn seal_with(&self, iv: [u8; IV_BYTES], plain: &str) -> String {
        let sealed = self
            .cipher()
            .encrypt(&Nonce::from(iv), plain.as_bytes())
            .expect("AES-GCM seals anything below 64 GiB");
        let (ciphertext, tag) = sealed.split_at(sealed.len() - TAG_BYTES);
        format!("{PREFIX}{}:{}:{}", hex(&iv), hex(ciphertext), hex(tag))
    }

    /// What [`is_sealed`] says is sealed.
    pub fn open(&self, text: &str) -> Result<Secret<String>, NotOpened> {
        let mut parts = text.strip_prefix(PREFIX).ok_or(NotOpened)?.split(':');
        let mut part = || parts.next().and_then(unhex).ok_or(NotOpened);
        let (iv, mut sealed, tag) = (part()?, part()?, part()?);
        let iv: [u8; IV_BYTES] = iv.try_into().map_err(|_| NotOpened)?;
        if tag.len() != TAG_BYTES || parts.next().is_some() {
            return Err(NotOpened);
        }
        sealed.extend(tag);
        let plain = self
            .cipher()
            .decrypt(&Nonce::from(iv), sealed.as_slice())
            .map_err(|_| NotOpened)?;
        String::from_utf8(plain).map(Secret::new).map_err(|_| NotOpened)
    }

    fn cipher(&self) -> Cipher {
        Cipher::new_from_slice(self.0.expose()).expect("the key has 32 bytes")
    }
}

pub fn is_sealed(text: &str) -> bool {
    text.starts_with(PREFIX)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a storage encryption key of 40 characters";

    fn key(secret: &str) -> FieldKey {
        FieldKey::shared(&Secret::new(secret.to_owned()))
    }

    /// Made by Node's `crypto`: `scryptSync(SECRET, 'omniroute-field-encryption-v1', 32)`, then `aes-256-gcm`.
    #[test]
    fn a_value_that_the_first_version_sealed_is_opened_and_sealed_to_the_same_text() {
        let sealed = include_str!("field_key/sealed-by-node.txt").trim();
        assert_eq!(
            key(SECRET).open(sealed).unwrap().expose(),
            "sk-ant-schlüssel-0123"
        );
        let iv = std::array::from_fn(|index| u8::try_from(index).unwrap());
        assert_eq!(key(SECRET).seal_with(iv, "sk-ant-schlüssel-0123"), sealed);
    }

    #[test]
    fn another_key_and_a_damaged_value_open_nothing() {
        let sealed = key(SECRET).seal("sk-live");
        assert_eq!(key(SECRET).open(&sealed).unwrap().expose(), "sk-live");
        assert!(
            key("another storage encryption key, as long")
                .open(&sealed)
                .is_err()
        );
        let short = &sealed[..sealed.len() - 2];
        let longer = format!("{sealed}:00");
        let multibyte = format!("{PREFIX}é:00:00");
        for damaged in [
            "",
            "enc:v1:",
            "enc:v1:00:00:00",
            "enc:v2:a:b:c",
            short,
            &longer,
            &multibyte,
        ] {
            assert!(key(SECRET).open(damaged).is_err(), "{damaged}");
        }
    }

    #[test]
    fn a_passphrase_is_nothing_without_its_salt() {
        let passphrase = Secret::new("correct horse battery".to_owned());
        let sealed = FieldKey::passphrase(&passphrase, b"one").seal("x");
        assert_eq!(
            FieldKey::passphrase(&passphrase, b"one")
                .open(&sealed)
                .unwrap()
                .expose(),
            "x"
        );
        assert!(FieldKey::passphrase(&passphrase, b"two").open(&sealed).is_err());
    }

    #[test]
    fn keys_do_not_print() {
        assert_eq!(format!("{:?}", key(SECRET)), "FieldKey([redacted])");
    }
}

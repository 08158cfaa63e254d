//! Secrets at rest: sealed under a key derived from `STORAGE_ENCRYPTION_KEY`.
//!
//! The associated data is `table|column|row id`, so a sealed value moved to another row or column does not open.

use runtime::{
    crypto::{self, SealKey, Sealed},
    secret::Secret,
};
use thiserror::Error;

/// Changing it makes every stored secret unreadable.
const CONTEXT: &str = "omniroute controlplane storage encryption v1";

#[derive(Debug, Error)]
#[error("the stored secret does not open: was STORAGE_ENCRYPTION_KEY changed?")]
pub struct VaultError;

/// Where a secret lives.
#[derive(Clone, Copy, Debug)]
pub struct Cell<'a> {
    pub table: &'static str,
    pub column: &'static str,
    pub id: &'a str,
}

pub struct Vault {
    key: SealKey,
}

// === impl Cell ===

impl<'a> Cell<'a> {
    /// The credential of a connection; `id` is its UUID in its usual text form.
    pub fn connection_api_key(id: &'a str) -> Self {
        Self {
            table: "provider_connection",
            column: "api_key",
            id,
        }
    }

    /// What data planes call a provider with for an account that signed in.
    pub fn connection_access_token(id: &'a str) -> Self {
        Self {
            table: "provider_connection",
            column: "access_token",
            id,
        }
    }

    /// What gets the next access token.
    pub fn connection_refresh_token(id: &'a str) -> Self {
        Self {
            table: "provider_connection",
            column: "refresh_token",
            id,
        }
    }

    /// What proves that who brings a code has asked for it.
    pub fn oauth_flow_verifier(id: &'a str) -> Self {
        Self {
            table: "oauth_flow",
            column: "verifier",
            id,
        }
    }

    pub fn oauth_flow_device_code(id: &'a str) -> Self {
        Self {
            table: "oauth_flow",
            column: "device_code",
            id,
        }
    }

    /// A whole gateway key; `id` is its UUID in its usual text form.
    pub fn api_key(id: &'a str) -> Self {
        Self {
            table: "api_key",
            column: "key_sealed",
            id,
        }
    }

    /// What the key is derived from that seals the bodies of a day; `id` is the day as in RFC 3339.
    pub fn bodies_of_day(id: &'a str) -> Self {
        Self {
            table: "usage_body_day",
            column: "secret",
            id,
        }
    }

    /// `id` as in [`crate::proxies::id`].
    pub fn proxy_password(id: &'a str) -> Self {
        Self {
            table: "proxy_config",
            column: "password",
            id,
        }
    }

    fn aad(&self) -> Vec<u8> {
        format!("{}|{}|{}", self.table, self.column, self.id).into_bytes()
    }
}

// === impl Vault ===

impl Vault {
    pub fn new(storage_encryption_key: &Secret<String>) -> Self {
        Self {
            key: SealKey::derive(CONTEXT, storage_encryption_key.expose()),
        }
    }

    pub fn seal(&self, cell: Cell<'_>, plain: &str) -> Vec<u8> {
        crypto::seal(&self.key, &cell.aad(), plain.as_bytes()).to_bytes()
    }

    pub fn open(&self, cell: Cell<'_>, stored: &[u8]) -> Result<Secret<String>, VaultError> {
        let sealed = Sealed::from_bytes(stored).map_err(|_| VaultError)?;
        let plain = crypto::open(&self.key, &cell.aad(), &sealed.nonce, &sealed.ciphertext)
            .map_err(|_| VaultError)?;
        let text = std::str::from_utf8(&plain).map_err(|_| VaultError)?;
        Ok(Secret::new(text.to_owned()))
    }
}

/// What is shown of a secret: enough to recognise it, too little to use it.
pub fn mask(secret: &str) -> String {
    let chars: Vec<char> = secret.chars().collect();
    if chars.len() <= 8 {
        return "****".to_owned();
    }
    let head: String = chars.iter().take(4).collect();
    let tail: String = chars.iter().skip(chars.len() - 4).collect();
    format!("{head}****{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_shows_eight_characters_at_most_and_never_a_short_secret() {
        assert_eq!(mask("12345678"), "****");
        assert_eq!(mask("sk-proj-abcdef-9xQz"), "sk-p****9xQz");
        assert_eq!(mask("schlüssel"), "schl****ssel");
    }
}

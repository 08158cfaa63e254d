//! Where the copy of the configuration goes, and the secret that both ends share.

use runtime::secret::Secret;
use serde::Deserialize;
use thiserror::Error;
use url::{Host, Url};

const MIN_KEY: usize = 32;

/// Off while there is no address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloudConfig {
    /// `https://…`; what a control plane asks for is below it.
    pub url: Option<Url>,
    /// Signs every request and seals every credential in it; at least 32 characters.
    pub sync_key: Option<Secret<String>>,
    /// For one request and its answer.
    pub timeout_ms: u64,
}

/// A copy that cannot be kept.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum IncompleteCloud {
    #[error("CLOUD_URL is `{0}`: it must begin with https://, for what goes there are credentials")]
    Insecure(Url),
    #[error(
        "CLOUD_URL is set and CLOUD_SYNC_KEY is missing or shorter than {MIN_KEY} characters: generate one with \
         `openssl rand -base64 48` and give it to the cloud endpoint as well"
    )]
    Key,
}

// === impl CloudConfig ===

impl CloudConfig {
    pub fn check(&self) -> Result<(), IncompleteCloud> {
        let Some(url) = &self.url else {
            return Ok(());
        };
        if url.scheme() != "https" && !is_loopback(url) {
            return Err(IncompleteCloud::Insecure(url.clone()));
        }
        match &self.sync_key {
            Some(key) if key.expose().chars().count() >= MIN_KEY => Ok(()),
            _ => Err(IncompleteCloud::Key),
        }
    }
}

impl Default for CloudConfig {
    fn default() -> Self {
        Self {
            url: None,
            sync_key: None,
            timeout_ms: 12_000,
        }
    }
}

/// What goes there does not leave the machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_encryption_and_a_key() {
        let config = |url: &str, key: Option<&str>| CloudConfig {
            url: Some(url.parse().unwrap()),
            sync_key: key.map(|key| Secret::new(key.to_owned())),
            ..CloudConfig::default()
        };
        let key = Some("a key of more than thirty-two characters");
        assert_eq!(CloudConfig::default().check(), Ok(()));
        assert_eq!(config("https://cloud.example", key).check(), Ok(()));
        assert_eq!(config("http://127.0.0.1:8080", key).check(), Ok(()));
        let insecure = config("http://cloud.example", key).check().unwrap_err();
        assert!(matches!(insecure, IncompleteCloud::Insecure(_)));
        for key in [None, Some("short")] {
            let incomplete = config("https://cloud.example", key).check();
            assert_eq!(incomplete, Err(IncompleteCloud::Key));
        }
    }
}

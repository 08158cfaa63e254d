//! A service account of Google's: a key that stays, with which short-lived access tokens are asked for.
//!
//! The key is sent nowhere. It signs a statement of who asks for what, and until when that may be believed: RFC 7523,
//! and "Using OAuth 2.0 for Server to Server Applications" in Google's guides.

mod grant;

pub use grant::{Bearer, Grant, GrantError, Grants, Way};

use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde::Deserialize;
use serde_json::json;
use std::fmt;
use thiserror::Error;
use url::Url;
use zeroize::Zeroizing;

/// The longest that Google believes a statement.
const BELIEVED_SECONDS: u64 = 3600;
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// A key as the console of Google Cloud hands it out.
pub struct ServiceAccount {
    email: String,
    key_id: Option<String>,
    project: Option<String>,
    token_url: Url,
    key: RsaKeyPair,
}

/// Why a credential is no key of a service account. Nothing of the credential is in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AccountError {
    #[error("the credential is not the JSON key of a service account")]
    Shape,
    #[error("the credential is JSON of another kind: its `type` must be service_account")]
    Kind,
    #[error("the token_uri of the service account is no http or https address")]
    TokenUrl,
    #[error("the private_key of the service account is no RSA key of 2048 to 4096 bits in PKCS #8")]
    Key,
}

#[derive(Deserialize)]
struct File {
    r#type: String,
    client_email: String,
    private_key: Secret<String>,
    private_key_id: Option<String>,
    project_id: Option<String>,
    token_uri: String,
}

// === impl ServiceAccount ===

impl ServiceAccount {
    /// Whether a credential is meant to be one; anything else is a token that somebody else asked for.
    pub fn is_meant(credential: &str) -> bool {
        credential.trim_start().starts_with('{')
    }

    pub fn read(credential: &str) -> Result<Self, AccountError> {
        #[derive(Deserialize)]
        struct Kind {
            r#type: Option<String>,
        }
        let kind: Kind = serde_json::from_str(credential).map_err(|_| AccountError::Shape)?;
        if kind.r#type.is_some_and(|kind| kind != "service_account") {
            return Err(AccountError::Kind);
        }
        let file: File = serde_json::from_str(credential).map_err(|_| AccountError::Shape)?;
        debug_assert_eq!(file.r#type, "service_account");
        let token_url = Url::parse(&file.token_uri)
            .ok()
            .filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"))
            .ok_or(AccountError::TokenUrl)?;
        let der = der(file.private_key.expose()).ok_or(AccountError::Key)?;
        Ok(Self {
            email: file.client_email,
            key_id: file.private_key_id,
            project: file.project_id.filter(|project| !project.is_empty()),
            token_url,
            key: RsaKeyPair::from_pkcs8(&der).map_err(|_| AccountError::Key)?,
        })
    }

    /// The project that it was made in.
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// Where tokens are asked for.
    pub fn token_url(&self) -> &Url {
        &self.token_url
    }

    /// The signed statement that a token for `scope` is asked for with.
    fn assertion(&self, scope: &str, unix_seconds: u64) -> Result<String, GrantError> {
        let mut header = json!({ "alg": "RS256", "typ": "JWT" });
        if let Some(id) = &self.key_id {
            header["kid"] = id.as_str().into();
        }
        let claims = json!({
            "iss": self.email,
            "scope": scope,
            "aud": self.token_url.as_str(),
            "iat": unix_seconds,
            "exp": unix_seconds + BELIEVED_SECONDS,
        });
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let said = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                said.as_bytes(),
                &mut signature,
            )
            .map_err(|_| GrantError::Unsigned)?;
        Ok(format!("{said}.{}", encode(&signature)))
    }
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount")
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

/// The key inside its armour.
fn der(pem: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (_, rest) = pem.split_once(PEM_BEGIN)?;
    let (body, _) = rest.split_once(PEM_END)?;
    let body: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
    STANDARD.decode(body.as_bytes()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests;

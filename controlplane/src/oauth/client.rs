//! The operator's client at a provider, from the boot settings: `[controlplane.api.oauth.<provider>]`, or
//! `<PROVIDER>_OAUTH_CLIENT_ID` and `<PROVIDER>_OAUTH_CLIENT_SECRET`.

use std::collections::BTreeMap;

use runtime::secret::Secret;
use serde::{Deserialize, Deserializer, de::Error as _};
use thiserror::Error;
use url::Url;

use super::provider;

/// By provider id.
#[derive(Clone, Debug, Default)]
pub struct Clients(BTreeMap<String, Client>);

/// An address that is given here replaces the provider's own.
#[derive(Clone, Debug, Default)]
pub struct Client {
    pub client_id: String,
    pub client_secret: Option<Secret<String>>,
    pub client_auth: ClientAuth,
    pub authorize_url: Option<Url>,
    pub device_url: Option<Url>,
    pub token_url: Option<Url>,
    /// Says who signed in, where the token does not.
    pub userinfo_url: Option<Url>,
    pub revoke_url: Option<Url>,
    /// Separated by spaces.
    pub scopes: Option<String>,
    /// Where the provider sends people, if not to this control plane's `/callback`.
    pub redirect_uri: Option<Url>,
}

/// How a client with a secret proves itself to the token endpoint, RFC 6749 section 2.3.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// In the body.
    #[default]
    Post,
    Basic,
}

/// What is wrong with a setting, by its name.
#[derive(Debug, Error)]
pub enum ClientError {
    #[error("`oauth.{0}` names no provider that an account can be signed in to")]
    Unknown(String),
    #[error("`oauth.{0}.client_id` is missing")]
    NoId(String),
    #[error("`oauth.{provider}.{setting}` must be {expected}")]
    Value {
        provider: String,
        setting: String,
        expected: &'static str,
    },
    #[error("unknown setting `oauth.{provider}.{setting}`; known here: {}", SETTINGS.join(", "))]
    Setting { provider: String, setting: String },
}

const SETTINGS: [&str; 10] = [
    "client_id",
    "client_secret",
    "client_auth",
    "authorize_url",
    "device_url",
    "token_url",
    "userinfo_url",
    "revoke_url",
    "scopes",
    "redirect_uri",
];

// === impl Clients ===

impl Clients {
    pub fn find(&self, provider: &str) -> Option<&Client> {
        self.0.get(provider)
    }

    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Refuses what could only fail later, in front of somebody who wants to sign in.
    pub fn check(&self) -> Result<(), ClientError> {
        for (id, client) in &self.0 {
            if !provider::may_be_configured(id) {
                return Err(ClientError::Unknown(id.clone()));
            }
            if client.client_id.is_empty() {
                return Err(ClientError::NoId(id.clone()));
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Clients {
    /// Names of environment variables have no hyphens: both ways to write a provider mean the same one.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = BTreeMap::<String, BTreeMap<String, String>>::deserialize(deserializer)?;
        let mut clients = BTreeMap::<String, Client>::new();
        for (id, settings) in given {
            let id = id.replace('_', "-");
            let client = clients.entry(id.clone()).or_default();
            for (setting, value) in settings {
                client.set(&id, setting, value).map_err(D::Error::custom)?;
            }
        }
        Ok(Self(clients))
    }
}

// === impl Client ===

impl Client {
    fn set(&mut self, provider: &str, setting: String, value: String) -> Result<(), ClientError> {
        let misfit = |setting: &str, expected| ClientError::Value {
            provider: provider.to_owned(),
            setting: setting.to_owned(),
            expected,
        };
        let address = || {
            Url::parse(&value)
                .ok()
                .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
                .ok_or_else(|| misfit(&setting, "an http or https address"))
        };
        match setting.as_str() {
            "client_id" => self.client_id = value,
            "client_secret" => self.client_secret = Some(Secret::new(value)),
            "client_auth" => {
                self.client_auth = match value.as_str() {
                    "post" => ClientAuth::Post,
                    "basic" => ClientAuth::Basic,
                    _ => return Err(misfit(&setting, "post or basic")),
                };
            }
            "authorize_url" => self.authorize_url = Some(address()?),
            "device_url" => self.device_url = Some(address()?),
            "token_url" => self.token_url = Some(address()?),
            "userinfo_url" => self.userinfo_url = Some(address()?),
            "revoke_url" => self.revoke_url = Some(address()?),
            "scopes" => self.scopes = Some(value),
            "redirect_uri" => self.redirect_uri = Some(address()?),
            _ => {
                return Err(ClientError::Setting {
                    provider: provider.to_owned(),
                    setting,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problem(settings: serde_json::Value) -> String {
        match serde_json::from_value::<Clients>(settings) {
            Ok(clients) => clients.check().unwrap_err().to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_provider_may_be_written_as_the_environment_has_to() {
        let given = json!({
            "kimi_coding": { "token_url": "https://id.test/token" }, "kimi-coding": { "client_id": "a" },
        });
        let clients: Clients = serde_json::from_value(given).unwrap();
        let client = clients.find("kimi-coding").unwrap();
        assert_eq!(client.client_id, "a");
        assert!(client.token_url.is_some() && clients.check().is_ok());
    }

    #[test]
    fn a_client_that_cannot_work_stops_the_start_and_is_not_quoted() {
        for (settings, expected) in [
            (json!({ "qwn": { "client_id": "a" } }), "`oauth.qwn`"),
            (json!({ "cursor": { "client_id": "a" } }), "`oauth.cursor`"),
            (json!({ "qwen": {} }), "`oauth.qwen.client_id`"),
            (
                json!({ "qwen": { "client_id": "a", "token_url": "file:///etc/hidden" } }),
                "`oauth.qwen.token_url`",
            ),
            (
                json!({ "qwen": { "client_auth": "hidden" } }),
                "`oauth.qwen.client_auth`",
            ),
            (
                json!({ "qwen": { "secret": "hidden" } }),
                "unknown setting `oauth.qwen.secret`",
            ),
        ] {
            let problem = problem(settings);
            assert!(
                problem.starts_with(expected) && !problem.contains("hidden"),
                "{problem}"
            );
        }
    }
}

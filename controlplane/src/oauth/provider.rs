//! Where accounts can be signed in to, as data, and what the operator's settings make of it.
//!
//! Offered are providers whose API takes a bearer token from whoever has a client of their own. Tools that speak a
//! protocol of their vendor's alone are listed with what to do instead, because clients of other gateways ask for
//! them. Any other built-in provider can be signed in to when the operator says where: an address of its own may
//! stand behind a company's sign-in.

use llm::providers;
use runtime::secret::Secret;
use url::Url;

use super::{
    client::{Client, ClientAuth, Clients},
    error::OAuthError,
};

/// A provider as it is known before an operator says anything.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub id: &'static str,
    alias: &'static str,
    pub name: &'static str,
    offer: Offer,
}

#[derive(Clone, Copy, Debug)]
enum Offer {
    Standard(Standard),
    /// What to do instead.
    No(&'static str),
}

/// Empty addresses are the operator's to give.
#[derive(Clone, Copy, Debug)]
struct Standard {
    kind: Kind,
    authorize_url: &'static str,
    device_url: &'static str,
    token_url: &'static str,
    userinfo_url: &'static str,
    revoke_url: &'static str,
    scopes: &'static str,
    /// Added to the address that people are sent to.
    parameters: &'static [(&'static str, &'static str)],
    redirect_uri: &'static str,
    encoding: Encoding,
    /// The device flow takes a PKCE challenge as well.
    device_pkce: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The authorization code flow.
    Code,
    Device,
}

/// How a body is written that the token endpoint gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Form,
    Json,
}

/// A provider with the operator's client: everything that a flow needs.
#[derive(Clone, Debug)]
pub struct Provider {
    pub id: &'static str,
    pub name: &'static str,
    pub kind: Kind,
    pub client_id: String,
    pub client_secret: Option<Secret<String>>,
    pub client_auth: ClientAuth,
    pub authorize_url: Option<Url>,
    pub device_url: Option<Url>,
    pub token_url: Url,
    pub userinfo_url: Option<Url>,
    pub revoke_url: Option<Url>,
    pub scopes: String,
    pub parameters: &'static [(&'static str, &'static str)],
    pub redirect_uri: Option<Url>,
    pub encoding: Encoding,
    pub device_pkce: bool,
}

const STANDARD: Standard = Standard {
    kind: Kind::Code,
    authorize_url: "",
    device_url: "",
    token_url: "",
    userinfo_url: "",
    revoke_url: "",
    scopes: "",
    parameters: &[],
    redirect_uri: "",
    encoding: Encoding::Form,
    device_pkce: false,
};

static SPECS: &[Spec] = &[
    Spec {
        id: "gemini",
        alias: "gemini",
        name: "Gemini (Google account)",
        offer: Offer::Standard(Standard {
            authorize_url: "https://accounts.google.com/o/oauth2/v2/auth",
            token_url: "https://oauth2.googleapis.com/token",
            revoke_url: "https://oauth2.googleapis.com/revoke",
            scopes: "openid email https://www.googleapis.com/auth/cloud-platform \
                     https://www.googleapis.com/auth/generative-language.retriever",
            // without them there is no refresh token
            parameters: &[("access_type", "offline"), ("prompt", "consent")],
            ..STANDARD
        }),
    },
    Spec {
        id: "github",
        alias: "gh",
        name: "GitHub Models",
        offer: Offer::Standard(Standard {
            kind: Kind::Device,
            device_url: "https://github.com/login/device/code",
            token_url: "https://github.com/login/oauth/access_token",
            userinfo_url: "https://api.github.com/user",
            scopes: "read:user",
            ..STANDARD
        }),
    },
    Spec {
        id: "claude",
        alias: "cc",
        name: "Claude account",
        offer: Offer::Standard(Standard {
            authorize_url: "https://claude.ai/oauth/authorize",
            token_url: "https://console.anthropic.com/v1/oauth/token",
            scopes: "user:profile user:inference",
            // a page that shows the code, for the user to copy
            parameters: &[("code", "true")],
            redirect_uri: "https://platform.claude.com/oauth/code/callback",
            encoding: Encoding::Json,
            ..STANDARD
        }),
    },
    Spec {
        id: "qwen",
        alias: "qw",
        name: "Qwen account",
        offer: Offer::Standard(Standard {
            kind: Kind::Device,
            device_url: "https://chat.qwen.ai/api/v1/oauth2/device/code",
            token_url: "https://chat.qwen.ai/api/v1/oauth2/token",
            scopes: "openid profile email model.completion",
            device_pkce: true,
            ..STANDARD
        }),
    },
    Spec {
        id: "kimi-coding",
        alias: "kmc",
        name: "Kimi for coding",
        offer: Offer::Standard(Standard {
            kind: Kind::Device,
            device_url: "https://auth.kimi.com/api/oauth/device_authorization",
            token_url: "https://auth.kimi.com/api/oauth/token",
            ..STANDARD
        }),
    },
    Spec {
        id: "codex",
        alias: "cx",
        name: "OpenAI Codex",
        offer: Offer::No("add an OpenAI API key as provider `openai`"),
    },
    Spec {
        id: "gemini-cli",
        alias: "gc",
        name: "Gemini CLI",
        offer: Offer::No("sign in to `gemini` with a client of your own, or add a Gemini API key"),
    },
    Spec {
        id: "antigravity",
        alias: "ag",
        name: "Antigravity",
        offer: Offer::No("sign in to `gemini` with a client of your own, or add a Gemini API key"),
    },
    Spec {
        id: "iflow",
        alias: "if",
        name: "iFlow",
        offer: Offer::No("make an API key at iFlow and add it as provider `iflow`"),
    },
    Spec {
        id: "cline",
        alias: "cl",
        name: "Cline",
        offer: Offer::No("make an API key at Cline and add it as provider `cline`"),
    },
    Spec {
        id: "kilocode",
        alias: "kc",
        name: "Kilo Code",
        offer: Offer::No("make an API key at Kilo Code and add it as provider `kilocode`"),
    },
    Spec {
        id: "kiro",
        alias: "kr",
        name: "Kiro",
        offer: Offer::No("add an Anthropic API key as provider `anthropic`"),
    },
    Spec {
        id: "cursor",
        alias: "cu",
        name: "Cursor",
        offer: Offer::No("add an API key of the provider whose models you use there"),
    },
];

/// Every provider that has something to say about signing in.
pub fn listed() -> &'static [Spec] {
    SPECS
}

/// Providers besides them that the operator has a client at.
pub fn configured_besides(clients: &Clients) -> Vec<Spec> {
    let ids = clients.ids().filter(|id| SPECS.iter().all(|spec| spec.id != *id));
    ids.filter_map(|id| Spec::find(id).ok()).collect()
}

/// Whether settings may name it.
pub(super) fn may_be_configured(id: &str) -> bool {
    match SPECS.iter().find(|spec| spec.id == id) {
        Some(spec) => matches!(spec.offer, Offer::Standard(_)),
        None => providers::ALL.iter().any(|spec| spec.id == id),
    }
}

// === impl Spec ===

impl Spec {
    /// By id or alias. A built-in provider that nothing is known about is one without addresses.
    pub fn find(id: &str) -> Result<Self, OAuthError> {
        let listed = SPECS.iter().find(|spec| spec.id == id || spec.alias == id);
        if let Some(spec) = listed {
            return Ok(*spec);
        }
        let built_in = providers::find(id).ok_or_else(|| OAuthError::UnknownProvider(id.to_owned()))?;
        Ok(Self {
            id: built_in.id,
            alias: built_in.alias,
            name: built_in.name,
            offer: Offer::Standard(STANDARD),
        })
    }

    pub fn is_offered(&self) -> bool {
        matches!(self.offer, Offer::Standard(_))
    }

    /// What to do where signing in is not offered.
    pub fn instead(&self) -> Option<&'static str> {
        match self.offer {
            Offer::Standard(_) => None,
            Offer::No(instead) => Some(instead),
        }
    }

    pub fn kind(&self, clients: &Clients) -> Option<Kind> {
        match self.offer {
            Offer::Standard(standard) => Some(kind(&standard, clients.find(self.id))),
            Offer::No(_) => None,
        }
    }

    /// What names the operator's client.
    pub fn client_setting(&self) -> String {
        match SPECS.iter().any(|spec| spec.id == self.id) {
            true => format!(
                "{}_OAUTH_CLIENT_ID",
                self.id.to_ascii_uppercase().replace('-', "_")
            ),
            false => format!("controlplane.api.oauth.{}.client_id", self.id),
        }
    }

    pub fn not_offered(&self) -> OAuthError {
        OAuthError::NotOffered {
            name: self.name,
            instead: self.instead().unwrap_or("add an API key"),
        }
    }
}

// === impl Provider ===

impl Provider {
    /// With the operator's client, or why there is no signing in.
    pub fn find(id: &str, clients: &Clients) -> Result<Self, OAuthError> {
        let spec = Spec::find(id)?;
        let Offer::Standard(standard) = spec.offer else {
            return Err(spec.not_offered());
        };
        let missing = |setting: &str| OAuthError::ClientMissing {
            name: spec.name,
            setting: setting.to_owned(),
        };
        let client = clients
            .find(spec.id)
            .ok_or_else(|| missing(&spec.client_setting()))?;
        let address = |given: &Option<Url>, own: &str| given.clone().or_else(|| Url::parse(own).ok());
        let setting = |name: &str| format!("controlplane.api.oauth.{}.{name}", spec.id);
        let provider = Self {
            id: spec.id,
            name: spec.name,
            kind: kind(&standard, Some(client)),
            client_id: client.client_id.clone(),
            client_secret: client.client_secret.clone(),
            client_auth: client.client_auth,
            authorize_url: address(&client.authorize_url, standard.authorize_url),
            device_url: address(&client.device_url, standard.device_url),
            token_url: address(&client.token_url, standard.token_url)
                .ok_or_else(|| missing(&setting("token_url")))?,
            userinfo_url: address(&client.userinfo_url, standard.userinfo_url),
            revoke_url: address(&client.revoke_url, standard.revoke_url),
            scopes: client
                .scopes
                .clone()
                .unwrap_or_else(|| standard.scopes.to_owned()),
            parameters: standard.parameters,
            redirect_uri: address(&client.redirect_uri, standard.redirect_uri),
            encoding: standard.encoding,
            device_pkce: standard.device_pkce,
        };
        let (address, name) = match provider.kind {
            Kind::Code => (&provider.authorize_url, "authorize_url"),
            Kind::Device => (&provider.device_url, "device_url"),
        };
        if address.is_none() {
            return Err(missing(&setting(name)));
        }
        Ok(provider)
    }
}

/// An operator who names one of the two addresses wants that flow.
fn kind(standard: &Standard, client: Option<&Client>) -> Kind {
    let given = client.map(|client| (client.authorize_url.is_some(), client.device_url.is_some()));
    match given {
        Some((true, _)) => Kind::Code,
        Some((false, true)) => Kind::Device,
        _ => standard.kind,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_offered_can_be_called_by_data_planes() {
        for spec in SPECS {
            // some may be called with a key, too, where signing in is not offered
            let callable = providers::find(spec.id).is_some();
            assert!(callable || !spec.is_offered(), "{}", spec.id);
        }
    }

    #[test]
    fn built_in_addresses_are_https() {
        for spec in SPECS {
            let Offer::Standard(standard) = spec.offer else {
                continue;
            };
            let (first, name) = match standard.kind {
                Kind::Code => (standard.authorize_url, "authorize_url"),
                Kind::Device => (standard.device_url, "device_url"),
            };
            for url in [first, standard.token_url] {
                let url = Url::parse(url).unwrap_or_else(|_| panic!("{} {name}", spec.id));
                assert_eq!(url.scheme(), "https", "{}", spec.id);
            }
        }
    }

    #[test]
    fn a_provider_without_a_client_names_the_setting_that_is_missing() {
        let problem = |id: &str, settings: serde_json::Value| {
            let clients: Clients = serde_json::from_value(settings).unwrap();
            Provider::find(id, &clients).unwrap_err().to_string()
        };
        assert!(problem("kimi-coding", json!({})).contains("KIMI_CODING_OAUTH_CLIENT_ID"));
        assert!(problem("openai", json!({})).contains("controlplane.api.oauth.openai.client_id"));
        let half = json!({ "openai": { "client_id": "a" } });
        assert!(problem("openai", half).contains("controlplane.api.oauth.openai.token_url"));
        assert!(problem("cursor", json!({})).contains("API key"));
        assert!(problem("nobody", json!({})).contains("nobody"));
    }

    #[test]
    fn an_operator_who_names_a_device_address_wants_the_device_flow() {
        let clients: Clients = serde_json::from_value(json!({ "openai": {
            "client_id": "a", "device_url": "https://id.test/device", "token_url": "https://id.test/token",
        } }))
        .unwrap();
        assert_eq!(Provider::find("openai", &clients).unwrap().kind, Kind::Device);
        assert_eq!(Provider::find("gh", &half("github")).unwrap().kind, Kind::Device);
        assert_eq!(Provider::find("cc", &half("claude")).unwrap().kind, Kind::Code);
    }

    fn half(id: &str) -> Clients {
        serde_json::from_value(json!({ id: { "client_id": "a" } })).unwrap()
    }
}

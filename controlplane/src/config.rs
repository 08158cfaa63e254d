//! Boot settings of the control plane, and the check that refuses weak secrets.
//!
//! What an operator sets here is never also a row in Postgres.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use runtime::{
    client_address::TrustedProxies,
    config::{ConfigError, Sources},
    egress::ProxyEnvironment,
    secret::Secret,
    telemetry::TelemetryConfig,
};
use serde::{Deserialize, Deserializer, de::Error as _};
use thiserror::Error;
use url::Url;

use crate::{
    account::Role,
    cloud::{CloudConfig, IncompleteCloud},
    oauth::{ClientError, Clients},
};

/// The documented names without a prefix, and the setting each of them is.
pub const FLAT_NAMES: &[(&str, &str)] = &[
    ("PORT", "port"),
    ("DASHBOARD_PORT", "port"),
    ("GRPC_LISTEN", "grpc_listen"),
    ("DATABASE_URL", "database_url"),
    ("REDIS_URL", "redis_url"),
    ("CLUSTER_SECRET", "cluster_secret"),
    ("SHUTDOWN_TIMEOUT_MS", "shutdown_timeout_ms"),
    ("JWT_SECRET", "api.jwt_secret"),
    ("API_KEY_SECRET", "api.api_key_secret"),
    ("STORAGE_ENCRYPTION_KEY", "api.storage_encryption_key"),
    ("INITIAL_PASSWORD", "api.initial_password"),
    ("MIN_PASSWORD_LENGTH", "api.min_password_length"),
    ("AUTH_COOKIE_SECURE", "api.auth_cookie_secure"),
    ("TRUSTED_PROXIES", "api.trusted_proxies"),
    ("DASHBOARD_ORIGINS", "api.dashboard_origins"),
    ("MAX_BODY_SIZE_BYTES", "api.max_body_size_bytes"),
    ("ALLOW_PRIVATE_PROVIDER_URLS", "api.allow_private_provider_urls"),
    ("ALLOW_OPEN_DASHBOARD", "api.allow_open_dashboard"),
    ("API_KEY_REVEAL", "api.api_key_reveal"),
    ("ALLOW_SELF_RESTART", "api.allow_self_restart"),
    ("ALLOW_SHUTDOWN", "api.allow_shutdown"),
    ("OIDC_ISSUER", "api.oidc.issuer"),
    ("OIDC_CLIENT_ID", "api.oidc.client_id"),
    ("OIDC_CLIENT_SECRET", "api.oidc.client_secret"),
    ("OIDC_SCOPES", "api.oidc.scopes"),
    ("OIDC_ROLE_CLAIM", "api.oidc.role_claim"),
    ("OIDC_ROLES", "api.oidc.roles"),
    ("OIDC_DEFAULT_ROLE", "api.oidc.default_role"),
    ("OIDC_REDIRECT_URL", "api.oidc.redirect_url"),
    ("OIDC_NAME", "api.oidc.name"),
    ("BACKUP_DIR", "api.backup_dir"),
    ("CLOUD_URL", "api.cloud.url"),
    ("CLOUD_SYNC_KEY", "api.cloud.sync_key"),
    ("CLOUD_SYNC_TIMEOUT_MS", "api.cloud.timeout_ms"),
    ("PROXY_TEST_ECHO_URL", "api.proxy_test_echo_url"),
    ("CLI_TOOLS_MODE", "api.cli_tools_mode"),
    ("HTTP_PROXY", "api.proxies.http"),
    ("http_proxy", "api.proxies.http"),
    ("HTTPS_PROXY", "api.proxies.https"),
    ("https_proxy", "api.proxies.https"),
    ("ALL_PROXY", "api.proxies.all"),
    ("all_proxy", "api.proxies.all"),
    ("NO_PROXY", "api.proxies.no"),
    ("no_proxy", "api.proxies.no"),
    ("GEMINI_OAUTH_CLIENT_ID", "api.oauth.gemini.client_id"),
    ("GEMINI_OAUTH_CLIENT_SECRET", "api.oauth.gemini.client_secret"),
    ("GITHUB_OAUTH_CLIENT_ID", "api.oauth.github.client_id"),
    ("GITHUB_OAUTH_CLIENT_SECRET", "api.oauth.github.client_secret"),
    ("CLAUDE_OAUTH_CLIENT_ID", "api.oauth.claude.client_id"),
    ("CLAUDE_OAUTH_CLIENT_SECRET", "api.oauth.claude.client_secret"),
    ("QWEN_OAUTH_CLIENT_ID", "api.oauth.qwen.client_id"),
    ("QWEN_OAUTH_CLIENT_SECRET", "api.oauth.qwen.client_secret"),
    ("KIMI_CODING_OAUTH_CLIENT_ID", "api.oauth.kimi-coding.client_id"),
    (
        "KIMI_CODING_OAUTH_CLIENT_SECRET",
        "api.oauth.kimi-coding.client_secret",
    ),
    ("CLAUDE_CODE_REDIRECT_URI", "api.oauth.claude.redirect_uri"),
    (
        "ALLOW_MULTI_CONNECTIONS_PER_COMPAT_NODE",
        "api.allow_multi_connections_per_compat_node",
    ),
];

/// Values that appear in documentation, examples and habits, and so protect nothing.
const WELL_KNOWN: &[&str] = &[
    "changeme",
    "change-me",
    "secret",
    "password",
    "default",
    "example",
    "123456",
    "omniroute",
];

/// What the binary reads. The `[controlplane]` table of `omniroute.toml`, `OMNIROUTE_CONTROLPLANE__X`, flat names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the management API and the dashboard listen.
    pub listen: SocketAddr,
    /// Replaces the port of `listen`.
    pub port: Option<u16>,
    /// Where data planes connect.
    pub grpc_listen: SocketAddr,
    pub database_url: Option<Secret<String>>,
    pub database_max_connections: u32,
    pub redis_url: Option<Secret<String>>,
    /// Keeps deployments that share a Redis apart; the same on all planes.
    pub redis_prefix: String,
    /// Shared by all planes; at least 32 characters.
    pub cluster_secret: Option<Secret<String>>,
    pub shutdown_timeout_ms: u64,
    pub telemetry: TelemetryConfig,
    pub api: ApiConfig,
}

/// What the management API itself needs, wherever it runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Signs sessions; at least 32 characters, the same on every replica.
    pub jwt_secret: Secret<String>,
    /// The pepper of API key hashes; at least 16 characters. Changing it ends every key.
    pub api_key_secret: Secret<String>,
    /// Seals stored credentials; at least 32 characters. Changing it makes them unreadable.
    pub storage_encryption_key: Secret<String>,
    /// The password of a new installation. Without it, one is drawn and printed once.
    pub initial_password: Option<Secret<String>>,
    pub min_password_length: usize,
    /// Marks the session cookie `Secure` always, for TLS that ends before an untrusted hop.
    pub auth_cookie_secure: bool,
    /// Peers whose `X-Forwarded-For` and `-Proto` are believed.
    pub trusted_proxies: TrustedProxies,
    /// Origins besides our own that may send cookie-authenticated writes.
    #[serde(deserialize_with = "list")]
    pub dashboard_origins: Vec<String>,
    pub max_body_size_bytes: usize,
    /// Lets provider addresses be loopback or private.
    pub allow_private_provider_urls: bool,
    /// For calls to providers where no proxy is configured.
    pub proxies: ProxyEnvironment,
    /// Says who calls it; proxies are tested with it.
    pub proxy_test_echo_url: String,
    /// Lets login be switched off although the listener is reachable from elsewhere.
    pub allow_open_dashboard: bool,
    pub allow_multi_connections_per_compat_node: bool,
    /// Keeps a sealed copy of new gateway keys, and shows it to an administrator who asks.
    pub api_key_reveal: bool,
    /// Where backups are kept; shared by all control planes. Without it there are none.
    pub backup_dir: Option<PathBuf>,
    /// Requests a minute from one address; 0 = no limit.
    pub rate_limit_per_minute: u32,
    pub oidc: OidcConfig,
    /// Lets the management API restart processes; by default where no orchestrator does.
    pub allow_self_restart: Option<bool>,
    /// Lets the management API stop processes; by default where no orchestrator does.
    pub allow_shutdown: Option<bool>,
    /// Where a copy of the configuration is kept, if anywhere.
    pub cloud: CloudConfig,
    /// Whether settings for command line tools are written down for whoever has the tools.
    pub cli_tools_mode: CliToolsMode,
    /// The operator's own clients at providers that accounts are signed in to, by provider.
    pub oauth: Clients,
}

/// Login by OpenID Connect. Off while there is no issuer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OidcConfig {
    /// The identity provider's address, where `/.well-known/openid-configuration` is.
    pub issuer: Option<String>,
    pub client_id: String,
    /// Not needed by a public client.
    pub client_secret: Option<Secret<String>>,
    /// Besides `openid`.
    #[serde(deserialize_with = "list")]
    pub scopes: Vec<String>,
    /// The claim that says what somebody is: a text or a list of texts.
    pub role_claim: String,
    /// Which of its values give which role, as `value=role`. Of several the highest counts.
    #[serde(deserialize_with = "list")]
    pub roles: Vec<RoleOf>,
    /// For whoever no value gives a role; none lets them not in.
    pub default_role: Option<Role>,
    /// Where the identity provider sends people back to, as it is registered there:
    /// `https://…/api/auth/oidc/callback`. Never taken from a request, whose headers anybody may write.
    pub redirect_url: Option<Url>,
    /// What the button on the sign-in page says.
    pub name: String,
}

/// One value of the role claim, and the role it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleOf {
    pub value: String,
    pub role: Role,
}

#[derive(Debug, Error)]
pub enum RoleOfError {
    #[error("write it as value=role, such as gateway-admins=admin")]
    Form,
    #[error("the role must be viewer, operator, admin or owner")]
    Role,
}

/// Where the tools are whose settings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CliToolsMode {
    /// On another machine: nothing is touched here.
    Remote,
    /// Nobody asks.
    Disabled,
}

#[derive(Debug, Error)]
pub enum SettingError {
    #[error(transparent)]
    Secret(#[from] WeakSecret),
    #[error(transparent)]
    OAuth(#[from] ClientError),
    #[error(transparent)]
    Oidc(#[from] IncompleteOidc),
    #[error(transparent)]
    Cloud(#[from] IncompleteCloud),
}

/// Single sign-on that cannot work.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum IncompleteOidc {
    #[error(
        "OIDC_ISSUER is `{0}`, which is no address: write it as the identity provider does, with https://"
    )]
    Issuer(String),
    #[error("OIDC_ISSUER is set and OIDC_CLIENT_ID is not: register this gateway at the identity provider")]
    Client,
    #[error(
        "OIDC_ISSUER is set and OIDC_REDIRECT_URL is not: it is the address that is registered at the identity \
         provider, https://<this gateway>/api/auth/oidc/callback"
    )]
    RedirectUrl,
}

#[derive(Debug, Error)]
pub enum WeakSecret {
    #[error(
        "{name} is not set: generate one with `openssl rand -base64 48` and give every control plane the same"
    )]
    Missing { name: &'static str },
    #[error("{name} has {length} characters and needs {min}: generate one with `openssl rand -base64 48`")]
    Short {
        name: &'static str,
        length: usize,
        min: usize,
    },
    #[error("{name} is a well-known or repetitive value: generate one with `openssl rand -base64 48`")]
    Guessable { name: &'static str },
    #[error("INITIAL_PASSWORD has {length} characters and needs {min}")]
    Password { length: usize, min: usize },
    #[error(
        "INITIAL_PASSWORD is one that everybody tries first: choose another, or leave it out and have one drawn"
    )]
    KnownPassword,
}

// === impl Config ===

impl Config {
    /// Reads every source. `flags` win over the environment, which wins over the file.
    pub fn load(file: Option<PathBuf>, flags: impl figment::Provider) -> Result<Self, ConfigError> {
        let mut config: Self = runtime::config::load(Sources {
            file,
            prefix: "OMNIROUTE_CONTROLPLANE__",
            section: "controlplane",
            flat: FLAT_NAMES,
            flags,
        })?;
        if let Some(port) = config.port {
            config.listen.set_port(port);
        }
        Ok(config)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 20128),
            port: None,
            grpc_listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 20129),
            database_url: None,
            database_max_connections: 20,
            redis_url: None,
            redis_prefix: "omniroute".to_owned(),
            cluster_secret: None,
            shutdown_timeout_ms: 30_000,
            telemetry: TelemetryConfig::default(),
            api: ApiConfig::default(),
        }
    }
}

// === impl ApiConfig ===

impl ApiConfig {
    /// Refuses secrets that are missing, short or guessable, and clients that cannot work.
    pub fn check(&self) -> Result<(), SettingError> {
        self.oauth.check()?;
        self.oidc.check()?;
        self.cloud.check()?;
        check_secret("JWT_SECRET", &self.jwt_secret, 32)?;
        check_secret("API_KEY_SECRET", &self.api_key_secret, 16)?;
        check_secret("STORAGE_ENCRYPTION_KEY", &self.storage_encryption_key, 32)?;
        if let Some(password) = &self.initial_password {
            let length = password.expose().chars().count();
            if length < self.min_password_length {
                let min = self.min_password_length;
                return Err(WeakSecret::Password { length, min }.into());
            }
            if unknown_characters(password.expose()) < 4 {
                return Err(WeakSecret::KnownPassword.into());
            }
        }
        Ok(())
    }

    /// Whether the management API may restart processes.
    pub fn may_restart(&self) -> bool {
        self.allow_self_restart.unwrap_or_else(|| !is_orchestrated())
    }

    /// Whether the management API may stop processes.
    pub fn may_shut_down(&self) -> bool {
        self.allow_shutdown.unwrap_or_else(|| !is_orchestrated())
    }

    /// Whether login may be off on this listener.
    pub fn may_be_open(&self, listen: SocketAddr) -> bool {
        self.allow_open_dashboard || listen.ip().is_loopback()
    }
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            jwt_secret: Secret::new(String::new()),
            api_key_secret: Secret::new(String::new()),
            storage_encryption_key: Secret::new(String::new()),
            initial_password: None,
            min_password_length: 8,
            auth_cookie_secure: false,
            trusted_proxies: TrustedProxies::default(),
            dashboard_origins: Vec::new(),
            max_body_size_bytes: 10 * 1024 * 1024,
            allow_private_provider_urls: false,
            proxies: ProxyEnvironment::default(),
            proxy_test_echo_url: "https://api64.ipify.org?format=json".to_owned(),
            allow_open_dashboard: false,
            allow_multi_connections_per_compat_node: false,
            api_key_reveal: false,
            backup_dir: None,
            rate_limit_per_minute: 300,
            oidc: OidcConfig::default(),
            allow_self_restart: None,
            allow_shutdown: None,
            cloud: CloudConfig::default(),
            cli_tools_mode: CliToolsMode::Remote,
            oauth: Clients::default(),
        }
    }
}

// === impl OidcConfig ===

impl OidcConfig {
    /// Refuses a sign-in that nobody would come back from.
    pub fn check(&self) -> Result<(), IncompleteOidc> {
        let Some(issuer) = &self.issuer else {
            return Ok(());
        };
        if Url::parse(issuer).is_err() {
            return Err(IncompleteOidc::Issuer(issuer.clone()));
        }
        if self.client_id.is_empty() {
            return Err(IncompleteOidc::Client);
        }
        match self.redirect_url {
            Some(_) => Ok(()),
            None => Err(IncompleteOidc::RedirectUrl),
        }
    }
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            issuer: None,
            client_id: String::new(),
            client_secret: None,
            scopes: vec!["profile".to_owned(), "email".to_owned()],
            role_claim: "groups".to_owned(),
            roles: Vec::new(),
            default_role: None,
            redirect_url: None,
            name: "single sign-on".to_owned(),
        }
    }
}

// === impl RoleOf ===

impl std::str::FromStr for RoleOf {
    type Err = RoleOfError;

    /// The value may hold `=` itself, as the names in directories do.
    fn from_str(text: &str) -> Result<Self, RoleOfError> {
        let (value, role) = text.rsplit_once('=').ok_or(RoleOfError::Form)?;
        let role = Role::named(role.trim()).ok_or(RoleOfError::Role)?;
        Ok(Self {
            value: value.trim().to_owned(),
            role,
        })
    }
}

/// Kubernetes says so to every container.
fn is_orchestrated() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// Refuses a secret that is missing, shorter than `min` characters, or easily guessed.
pub fn check_secret(name: &'static str, secret: &Secret<String>, min: usize) -> Result<(), WeakSecret> {
    let text = secret.expose();
    let length = text.chars().count();
    if length == 0 {
        return Err(WeakSecret::Missing { name });
    }
    if length < min {
        return Err(WeakSecret::Short { name, length, min });
    }
    let distinct = text
        .to_lowercase()
        .chars()
        .collect::<std::collections::BTreeSet<_>>()
        .len();
    if distinct < 8 || unknown_characters(text) < min / 2 {
        return Err(WeakSecret::Guessable { name });
    }
    Ok(())
}

/// How many letters and digits there are besides well-known words: such a word, padded or repeated up to the length, is
/// no secret either.
fn unknown_characters(text: &str) -> usize {
    let rest = WELL_KNOWN
        .iter()
        .fold(text.to_lowercase(), |rest, word| rest.replace(word, ""));
    rest.chars().filter(|c| c.is_alphanumeric()).count()
}

/// A TOML array, or in the environment `a,b,c`.
fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Text(String),
        List(Vec<String>),
    }
    let items = match Form::deserialize(deserializer)? {
        Form::Text(text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
        Form::List(items) => items,
    };
    let items = items.iter().filter(|item| !item.is_empty());
    items
        .map(|item| {
            item.parse()
                .map_err(|error| D::Error::custom(format!("`{item}`: {error}")))
        })
        .collect()
}

#[cfg(test)]
mod tests;

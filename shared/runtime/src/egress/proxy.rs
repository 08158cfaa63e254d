//! Proxies that calls to providers go through.
//!
//! A proxy is an operator's own machine, so it may be at a private address; only link-local and metadata addresses
//! are refused. What it is asked for is judged as if it were called directly, as far as names can be looked up
//! here: in a network where only the proxy knows names, the proxy decides.

mod connect;
mod environment;
mod pool;

pub use connect::ProxyFailed;
pub use environment::ProxyEnvironment;

pub(super) use environment::Environment;
pub(super) use pool::Pool;

use super::{AddressClass, EgressError, classify};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use thiserror::Error;
use url::Host;
use zeroize::Zeroizing;

/// What SOCKS has room for, RFC 1929.
const CREDENTIAL_BYTES: usize = 255;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyScheme {
    Http,
    /// TLS up to the proxy.
    Https,
    Socks5,
}

/// Two with the same values are the same proxy, and share connections.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    scheme: ProxyScheme,
    /// A name or an address, an IPv6 address in brackets.
    host: String,
    port: u16,
    credentials: Option<Credentials>,
}

#[derive(Clone, PartialEq, Eq)]
struct Credentials {
    user: Zeroizing<String>,
    password: Zeroizing<String>,
}

/// Why something is no proxy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProxyError {
    #[error("the type of a proxy is http, https or socks5")]
    Scheme,
    #[error("the host of a proxy is a name or an address, without a scheme, a path or a user name")]
    Host,
    #[error("the port of a proxy is 1 to 65535")]
    Port,
    #[error("user name and password of a proxy have at most 255 bytes each, and no control characters")]
    Credentials,
    #[error(transparent)]
    Address(#[from] EgressError),
}

// === impl ProxyScheme ===

impl ProxyScheme {
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            "socks5" => Some(Self::Socks5),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks5 => "socks5",
        }
    }

    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 8080,
            Self::Https => 443,
            Self::Socks5 => 1080,
        }
    }
}

// === impl Proxy ===

impl Proxy {
    /// Without a user name there are no credentials.
    pub fn new(
        scheme: ProxyScheme,
        host: &str,
        port: u16,
        user: &str,
        password: &str,
    ) -> Result<Self, ProxyError> {
        if port == 0 {
            return Err(ProxyError::Port);
        }
        let too_much = |text: &str| text.len() > CREDENTIAL_BYTES || text.chars().any(char::is_control);
        // in basic authentication the first colon ends the user name
        if too_much(user) || too_much(password) || user.contains(':') {
            return Err(ProxyError::Credentials);
        }
        let credentials = (!user.is_empty()).then(|| Credentials {
            user: Zeroizing::new(user.to_owned()),
            password: Zeroizing::new(password.to_owned()),
        });
        Ok(Self {
            scheme,
            host: readable_host(host)?,
            port,
            credentials,
        })
    }

    pub fn scheme(&self) -> ProxyScheme {
        self.scheme
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// How connections to it begin; those to a SOCKS proxy begin without TLS.
    fn uri(&self) -> Result<Uri, http::uri::InvalidUri> {
        let scheme = match self.scheme {
            ProxyScheme::Http | ProxyScheme::Socks5 => "http",
            ProxyScheme::Https => "https",
        };
        format!("{scheme}://{}:{}/", self.host, self.port).parse()
    }

    /// The proxy is told where a request goes rather than asked for a connection.
    pub(super) fn forwards(&self, target: &Uri) -> bool {
        self.scheme != ProxyScheme::Socks5 && target.scheme_str() == Some("http")
    }

    /// For proxies that speak HTTP.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let Credentials { user, password } = self.credentials.as_ref()?;
        let pair = Zeroizing::new(format!("{}:{}", user.as_str(), password.as_str()));
        let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl Hash for Proxy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.scheme, &self.host, self.port).hash(state);
        if let Some(Credentials { user, password }) = &self.credentials {
            (user.as_str(), password.as_str()).hash(state);
        }
    }
}

impl fmt::Display for Proxy {
    /// Without its credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme.name(), self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As it stands in an address. A literal address is judged here, for no resolver ever sees it.
fn readable_host(text: &str) -> Result<String, ProxyError> {
    let text = text.trim();
    let host = match text.parse() {
        Ok(address) => Host::Ipv6(address),
        Err(_) if text.contains(|c: char| c.is_whitespace() || c == '%') => return Err(ProxyError::Host),
        Err(_) => Host::parse(text).map_err(|_| ProxyError::Host)?,
    };
    let address: Option<IpAddr> = match &host {
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some((*address).into()),
        Host::Domain(name) if name.is_empty() => return Err(ProxyError::Host),
        Host::Domain(_) => None,
    };
    match address.map(classify) {
        Some(AddressClass::Forbidden) => Err(EgressError::Forbidden.into()),
        _ => Ok(host.to_string()),
    }
}

#[cfg(test)]
mod tests;

//! The one HTTP client for calls to providers and every other address a user may type in.
//!
//! Server-side request forgery is closed in three places: [`Egress::check`] looks at the URL (scheme, user info,
//! literal addresses in any spelling), the client's resolver drops every address of a forbidden class, so what
//! was vetted is what is connected to, and redirects are not followed. Cloud metadata addresses are refused even
//! where private addresses are allowed.

mod address;

pub use address::{AddressClass, classify};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use url::{Host, Url};

/// Idle connections kept for one provider.
const POOL_IDLE_PER_HOST: usize = 256;
const POOL_IDLE: Duration = Duration::from_secs(90);

#[derive(Debug, Clone)]
pub struct EgressConfig {
    /// TCP and TLS together.
    pub connect_timeout: Duration,
    /// Loopback and private addresses are allowed for everyone.
    pub allow_private: bool,
}

/// Why an address is not called. Texts name the rule, never what the address resolved to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EgressError {
    #[error("only http and https addresses can be called")]
    Scheme,
    #[error("the address must not contain a user name or password")]
    UserInfo,
    #[error("the address has no host")]
    Host,
    #[error(
        "the host is a loopback or private address, which is not allowed; set ALLOW_PRIVATE_PROVIDER_URLS=true to allow it"
    )]
    Private,
    #[error("the host is a reserved, link-local or cloud metadata address, which is never called")]
    Forbidden,
}

#[derive(Debug, Error)]
#[error("the HTTP client cannot be built: {0}")]
pub struct BuildError(#[from] reqwest::Error);

#[derive(Debug, Clone)]
pub struct Egress {
    public: reqwest::Client,
    private: reqwest::Client,
    allow_private: bool,
}

/// Resolves with the system's resolver and keeps only addresses that may be called.
struct GuardedResolver {
    allow_private: bool,
}

// === impl Egress ===

impl Egress {
    pub fn new(config: EgressConfig) -> Result<Self, BuildError> {
        // another part of the process may have installed the same provider before
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            public: client(&config, false)?,
            private: client(&config, true)?,
            allow_private: config.allow_private,
        })
    }

    /// Refuses what the resolver never sees: schemes, user info, literal addresses.
    ///
    /// `allow_private` is what an administrator allowed for this connection.
    pub fn check(&self, url: &Url, allow_private: bool) -> Result<(), EgressError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(EgressError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressError::UserInfo);
        }
        let address: IpAddr = match url.host().ok_or(EgressError::Host)? {
            Host::Ipv4(address) => address.into(),
            Host::Ipv6(address) => address.into(),
            Host::Domain(_) => return Ok(()),
        };
        permit(address, allow_private || self.allow_private)
    }

    /// The client whose resolver follows the same rule. Call [`Egress::check`] before.
    pub fn client(&self, allow_private: bool) -> &reqwest::Client {
        if allow_private || self.allow_private {
            &self.private
        } else {
            &self.public
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the client that the ban points to"
)]
fn client(config: &EgressConfig, allow_private: bool) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(GuardedResolver { allow_private }))
        .connect_timeout(config.connect_timeout)
        .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_nodelay(true)
        .build()
}

fn permit(address: IpAddr, allow_private: bool) -> Result<(), EgressError> {
    match classify(address) {
        AddressClass::Public => Ok(()),
        AddressClass::Private if allow_private => Ok(()),
        AddressClass::Private => Err(EgressError::Private),
        AddressClass::Forbidden => Err(EgressError::Forbidden),
    }
}

// === impl GuardedResolver ===

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let mut refusal = None;
            let mut allowed: Vec<SocketAddr> = Vec::new();
            for address in found {
                match permit(address.ip(), allow_private) {
                    Ok(()) => allowed.push(address),
                    Err(error) => refusal = Some(error),
                }
            }
            match refusal {
                // one forbidden answer among good ones is how rebinding starts: the good ones are still good
                Some(error) if allowed.is_empty() => Err(error.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn egress(allow_private: bool) -> Egress {
        Egress::new(EgressConfig {
            connect_timeout: Duration::from_secs(2),
            allow_private,
        })
        .unwrap()
    }

    /// Answers every connection with `response`.
    async fn server(response: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let _ = socket.read(&mut request).await;
                let _ = socket.write_all(response.as_bytes()).await;
            }
        });
        address
    }

    #[test]
    fn every_spelling_of_a_forbidden_address_is_refused() {
        let guard = egress(false);
        let table = [
            ("http://127.0.0.1/", EgressError::Private),
            ("http://127.1/", EgressError::Private),
            ("http://2130706433/", EgressError::Private),
            ("http://0x7f000001/", EgressError::Private),
            ("http://0177.0.0.1/", EgressError::Private),
            ("http://[::1]/", EgressError::Private),
            ("http://[::ffff:127.0.0.1]/", EgressError::Private),
            ("http://[::ffff:7f00:1]/", EgressError::Private),
            ("http://10.1.2.3/", EgressError::Private),
            ("http://192.168.0.1/", EgressError::Private),
            ("http://172.16.0.1/", EgressError::Private),
            ("http://100.64.0.1/", EgressError::Private),
            ("http://[fd00::1]/", EgressError::Private),
            ("http://0.0.0.0/", EgressError::Forbidden),
            ("http://169.254.169.254/latest/meta-data", EgressError::Forbidden),
            ("http://[::ffff:169.254.169.254]/", EgressError::Forbidden),
            ("http://[64:ff9b::169.254.169.254]/", EgressError::Forbidden),
            ("http://[fd00:ec2::254]/", EgressError::Forbidden),
            ("http://[fe80::1]/", EgressError::Forbidden),
            ("http://224.0.0.1/", EgressError::Forbidden),
            ("http://255.255.255.255/", EgressError::Forbidden),
            ("ftp://example.com/", EgressError::Scheme),
            ("file:///etc/passwd", EgressError::Scheme),
            ("http://user:secret@example.com/", EgressError::UserInfo),
        ];
        for (url, expected) in table {
            assert_eq!(guard.check(&url.parse().unwrap(), false), Err(expected), "{url}");
        }
        guard
            .check(&"https://api.openai.com/v1".parse().unwrap(), false)
            .unwrap();
        guard.check(&"https://8.8.8.8/".parse().unwrap(), false).unwrap();
    }

    #[test]
    fn a_connection_may_allow_private_addresses_but_never_metadata() {
        let guard = egress(false);
        guard
            .check(&"http://127.0.0.1:11434/".parse().unwrap(), true)
            .unwrap();
        let metadata = guard.check(&"http://169.254.169.254/".parse().unwrap(), true);
        assert_eq!(metadata, Err(EgressError::Forbidden));
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_loopback_is_not_connected_to() {
        let address = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi").await;
        let url = format!("http://localhost:{}/", address.port());
        let error = egress(false).client(false).get(&url).send().await.unwrap_err();
        let mut cause: Option<&dyn Error> = Some(&error);
        let mut found = false;
        while let Some(error) = cause {
            found |= error.downcast_ref::<EgressError>() == Some(&EgressError::Private);
            cause = error.source();
        }
        assert!(found, "{error:?}");
        let answer = egress(false).client(true).get(&url).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "hi");
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        let address = server(
            "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        )
        .await;
        let answer = egress(true)
            .client(true)
            .get(format!("http://{address}/"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 302);
    }
}

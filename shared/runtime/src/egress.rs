//! The one way out: calls to providers and to every other address a user may type in.
//!
//! Server-side request forgery is closed in three places: [`Egress::check`] looks at the URL (scheme, user info,
//! literal addresses in any spelling), the client's resolver drops every address of a forbidden class, so what
//! was vetted is what is connected to, and redirects are not followed. Cloud metadata addresses are refused even
//! where private addresses are allowed.

mod address;
mod call;
mod echo;
mod payload;
mod proxy;
mod trust;

pub use address::{AddressClass, classify};
pub use call::ConnectTimeout;
pub use hyper_util::client::legacy::Error as CallError;
pub use payload::Payload;
pub use proxy::{Proxy, ProxyEnvironment, ProxyError, ProxyFailed, ProxyScheme};

use self::call::Caller;
use self::proxy::{Environment, Pool};
use http::header::PROXY_AUTHORIZATION;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::dns;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec;
use thiserror::Error;
use tower::Service;
use url::{Host, Url};

/// Idle connections kept for one provider.
const POOL_IDLE_PER_HOST: usize = 256;
/// Offered in this order.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
const POOL_IDLE: Duration = Duration::from_secs(90);

#[derive(Debug, Clone)]
pub struct EgressConfig {
    /// TCP and TLS together.
    pub connect_timeout: Duration,
    /// Loopback and private addresses are allowed for everyone.
    pub allow_private: bool,
    /// For calls that nobody chose a proxy for.
    pub proxies: ProxyEnvironment,
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
pub enum BuildError {
    #[error("the HTTP client cannot be built: {0}")]
    Client(#[from] reqwest::Error),
    #[error("this machine's certificate store cannot be used: {0}")]
    Roots(#[from] rustls::Error),
    #[error("HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used: {0}")]
    Proxy(#[from] ProxyError),
}

#[derive(Debug, Clone)]
pub struct Egress {
    public: Clients,
    private: Clients,
    proxied: Pool,
    environment: Environment,
    allow_private: bool,
}

/// Two clients under one rule: a lean one for the requests that the gateway passes on, and a comfortable one for
/// the few that it makes itself.
#[derive(Debug, Clone)]
struct Clients {
    calls: Caller,
    own: reqwest::Client,
}

/// Resolves with the system's resolver and keeps only addresses that may be called.
#[derive(Debug, Clone, Copy)]
struct GuardedResolver {
    allow_private: bool,
}

// === impl Egress ===

impl Egress {
    pub fn new(config: EgressConfig) -> Result<Self, BuildError> {
        // another part of the process may have installed the same provider before
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tls = trust::config()?;
        Ok(Self {
            public: Clients::new(&config, &tls, false)?,
            private: Clients::new(&config, &tls, true)?,
            proxied: Pool::new(tls, config.connect_timeout),
            environment: Environment::read(&config.proxies)?,
            allow_private: config.allow_private,
        })
    }

    /// The same connections under another rule: what the operator allows for providers is not allowed for everything
    /// that is called. Nothing goes through a proxy, which may know names that cannot be looked up here.
    pub fn with_private(&self, allow_private: bool) -> Self {
        Self {
            allow_private,
            environment: Environment::default(),
            ..self.clone()
        }
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
        let address = match url.host().ok_or(EgressError::Host)? {
            Host::Ipv4(address) => address.into(),
            Host::Ipv6(address) => address.into(),
            // said here so that a settings page can refuse it; the resolver would refuse the call
            Host::Domain(name) if is_localhost(name) => Ipv4Addr::LOCALHOST.into(),
            Host::Domain(_) => return Ok(()),
        };
        permit(address, allow_private || self.allow_private)
    }

    /// Passes a request on, through `proxy` or as the environment says. Call [`Egress::check`] before: the resolver
    /// never sees a literal address.
    pub async fn call(
        &self,
        request: Request<impl Into<Payload>>,
        allow_private: bool,
        proxy: Option<&Proxy>,
    ) -> Result<Response<Incoming>, CallError> {
        let mut request = request.map(Into::into);
        let Some(proxy) = proxy.or_else(|| self.environment.proxy_for(request.uri())) else {
            return self.clients(allow_private).calls.request(request).await;
        };
        if proxy.forwards(request.uri())
            && let Some(authorization) = proxy.authorization()
        {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization);
        }
        let caller = self.proxied.caller(proxy, allow_private || self.allow_private);
        // room for the few calls of this kind would be in the state of every request
        Box::pin(async move { caller.request(request).await }).await
    }

    /// The client whose resolver follows the same rule, without any proxy. Call [`Egress::check`] before.
    pub fn client(&self, allow_private: bool) -> &reqwest::Client {
        &self.clients(allow_private).own
    }

    fn clients(&self, allow_private: bool) -> &Clients {
        if allow_private || self.allow_private {
            &self.private
        } else {
            &self.public
        }
    }
}

// === impl Clients ===

impl Clients {
    fn new(config: &EgressConfig, tls: &ClientConfig, allow_private: bool) -> Result<Self, BuildError> {
        Ok(Self {
            calls: call::caller(config, tls, allow_private),
            own: client(config, tls, allow_private)?,
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the client that the ban points to"
)]
fn client(
    config: &EgressConfig,
    tls: &ClientConfig,
    allow_private: bool,
) -> Result<reqwest::Client, BuildError> {
    let mut tls = tls.clone();
    tls.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(GuardedResolver { allow_private }))
        .connect_timeout(config.connect_timeout)
        .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_nodelay(true)
        .build()?;
    Ok(client)
}

/// Names that mean loopback whatever a resolver says, RFC 6761 section 6.3.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// The addresses of one name that may be called; the reason for the last refused one if there are none.
///
/// One forbidden answer among good ones is how rebinding starts: the good ones are still good.
fn permitted(
    found: impl Iterator<Item = SocketAddr>,
    allow_private: bool,
) -> Result<Vec<SocketAddr>, EgressError> {
    let mut refusal = None;
    let mut allowed = Vec::new();
    for address in found {
        match permit(address.ip(), allow_private) {
            Ok(()) => allowed.push(address),
            Err(error) => refusal = Some(error),
        }
    }
    match refusal {
        Some(error) if allowed.is_empty() => Err(error),
        _ => Ok(allowed),
    }
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

impl GuardedResolver {
    async fn addresses(self, name: &str) -> Result<vec::IntoIter<SocketAddr>, Box<dyn Error + Send + Sync>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(permitted(found, self.allow_private)?.into_iter())
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = *self;
        Box::pin(async move { Ok(Box::new(resolver.addresses(name.as_str()).await?) as Addrs) })
    }
}

impl Service<dns::Name> for GuardedResolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: dns::Name) -> Self::Future {
        let resolver = *self;
        Box::pin(async move { resolver.addresses(name.as_str()).await })
    }
}

#[cfg(test)]
mod tests;

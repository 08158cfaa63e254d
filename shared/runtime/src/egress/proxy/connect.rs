//! Connections that lead through a proxy: handed over by SOCKS, tunnelled by CONNECT, or, for providers without TLS,
//! given to the proxy request by request.

use super::{Proxy, ProxyScheme};
use crate::egress::{ConnectTimeout, EgressError, GuardedResolver, permit};
use http::Uri;
use http::uri::{Authority, Parts, Scheme};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpStream;
use tower::{Service, ServiceExt};

type BoxError = Box<dyn Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// How the proxy itself is reached.
type Hop = HttpsConnector<HttpConnector<GuardedResolver>>;
type HopStream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// The proxy could not be reached, or did not do what it was asked for.
#[derive(Debug, Error)]
#[error("the proxy does not lead to the provider")]
pub struct ProxyFailed(#[source] BoxError);

#[derive(Debug, Clone)]
pub struct ThroughProxy {
    way: Way,
    limit: Duration,
    targets: GuardedResolver,
}

#[derive(Debug, Clone)]
enum Way {
    Http {
        hop: Hop,
        proxy: Uri,
        tunnel: HttpsConnector<Judged<Tunnel<Hop>>>,
    },
    Socks(HttpsConnector<Judged<SocksV5<Hop>>>),
    /// Has no address that could be connected to.
    Nowhere,
}

/// Looks at where a proxy is to lead before it is asked to.
#[derive(Debug, Clone)]
struct Judged<C> {
    inner: C,
    targets: GuardedResolver,
    /// The proxy is told the address that was looked up, not the name.
    pins: bool,
}

pub struct Stream {
    inner: MaybeHttpsStream<HopStream>,
    /// The proxy reads every request that is sent.
    forwarded: bool,
}

// === impl ThroughProxy ===

impl ThroughProxy {
    pub(super) fn new(proxy: &Proxy, tls: &ClientConfig, limit: Duration, allow_private: bool) -> Self {
        let targets = GuardedResolver { allow_private };
        let way = proxy
            .uri()
            .map_or(Way::Nowhere, |address| Way::new(proxy, address, tls, targets));
        Self { way, limit, targets }
    }

    async fn connect(self, target: Uri) -> Result<Stream, BoxError> {
        let (inner, forwarded) = match self.way {
            Way::Http { tunnel, .. } if target.scheme() == Some(&Scheme::HTTPS) => {
                (tunnel.oneshot(target).await?, false)
            }
            Way::Http { hop, proxy, .. } => {
                judge(&target, self.targets).await?;
                let stream = hop.oneshot(proxy).await.map_err(ProxyFailed)?;
                (MaybeHttpsStream::Http(stream), true)
            }
            Way::Socks(socks) => (socks.oneshot(target).await?, false),
            Way::Nowhere => return Err(ProxyFailed("its address is none".into()).into()),
        };
        Ok(Stream { inner, forwarded })
    }
}

impl Service<Uri> for ThroughProxy {
    type Response = Stream;
    type Error = BoxError;
    type Future = Connecting<Stream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let (limit, connecting) = (self.limit, self.clone().connect(target));
        Box::pin(async move {
            match tokio::time::timeout(limit, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(ConnectTimeout.into()),
            }
        })
    }
}

// === impl Way ===

impl Way {
    fn new(proxy: &Proxy, address: Uri, tls: &ClientConfig, targets: GuardedResolver) -> Self {
        // a proxy is the operator's own machine
        let mut tcp = HttpConnector::new_with_resolver(GuardedResolver { allow_private: true });
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // no HTTP/2: it would be agreed on with the proxy, and meant for the provider
        let hop = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        if proxy.scheme == ProxyScheme::Socks5 {
            let mut inner = SocksV5::new(address, hop);
            if let Some(credentials) = &proxy.credentials {
                inner = inner.with_auth(credentials.user.to_string(), credentials.password.to_string());
            }
            let pins = true;
            return Self::Socks(secured(tls, Judged { inner, targets, pins }));
        }
        let mut inner = Tunnel::new(address.clone(), hop.clone());
        if let Some(authorization) = proxy.authorization() {
            inner = inner.with_auth(authorization);
        }
        // proxies are asked by name: many decide by it what they allow
        let pins = false;
        Self::Http {
            hop,
            proxy: address,
            tunnel: secured(tls, Judged { inner, targets, pins }),
        }
    }
}

/// TLS with the provider, inside what the proxy gave.
fn secured<C>(tls: &ClientConfig, inner: C) -> HttpsConnector<C> {
    HttpsConnectorBuilder::new()
        .with_tls_config(tls.clone())
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(inner)
}

// === impl Judged ===

impl<C> Service<Uri> for Judged<C>
where
    C: Service<Uri, Response = HopStream> + Clone + Send + 'static,
    C::Future: Send,
    C::Error: Into<BoxError> + Send,
{
    type Response = HopStream;
    type Error = BoxError;
    type Future = Connecting<HopStream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let Self { inner, targets, pins } = self.clone();
        Box::pin(async move {
            let found = judge(&target, targets).await?;
            let target = match found.filter(|_| pins) {
                Some(address) => at(target, address)?,
                None => target,
            };
            let connected = inner.oneshot(target).await;
            connected.map_err(|error| ProxyFailed(error.into()).into())
        })
    }
}

/// Refuses a target that may not be called. The address to call it by, if it can be looked up from here, and is one
/// that every SOCKS client can write.
async fn judge(target: &Uri, targets: GuardedResolver) -> Result<Option<IpAddr>, EgressError> {
    let host = target.host().ok_or(EgressError::Host)?;
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = literal.parse() {
        return permit(address, targets.allow_private).map(|()| None);
    }
    match targets.addresses(host).await {
        Ok(found) => Ok(found
            .map(|address: SocketAddr| address.ip())
            .find(IpAddr::is_ipv4)),
        Err(error) => match error.downcast::<EgressError>() {
            Ok(refusal) => Err(*refusal),
            // nobody here knows the name; the proxy may
            Err(_) => Ok(None),
        },
    }
}

/// The same target by address.
fn at(target: Uri, address: IpAddr) -> Result<Uri, BoxError> {
    let mut parts: Parts = target.into_parts();
    let port = match (&parts.authority, &parts.scheme) {
        (Some(authority), _) if authority.port_u16().is_some() => authority.port_u16().unwrap_or_default(),
        (_, Some(scheme)) if *scheme == Scheme::HTTP => 80,
        _ => 443,
    };
    parts.authority = Some(Authority::try_from(format!("{address}:{port}"))?);
    Ok(Uri::from_parts(parts)?)
}

// === impl Stream ===

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.inner.connected().proxy(self.forwarded)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, bytes)
    }
}

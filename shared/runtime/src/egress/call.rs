//! The client for provider calls: connections, TLS and a pool, and nothing between a request and the wire.
//!
//! Every request of the gateway goes through here, so it is hyper's own client rather than one that also follows
//! redirects and keeps cookies. What it may connect to is decided by the resolver.

use super::{EgressConfig, GuardedResolver, POOL_IDLE, POOL_IDLE_PER_HOST, Payload};
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpStream;
use tower::Service;

pub(super) type Caller = Client<Connector, Payload>;

type BoxError = Box<dyn Error + Send + Sync>;

/// Name lookup, TCP and TLS together took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the connection was not there in time")]
pub struct ConnectTimeout;

#[derive(Debug, Clone)]
pub struct Connector {
    inner: HttpsConnector<HttpConnector<GuardedResolver>>,
    limit: Duration,
}

// === functions ===

pub(super) fn caller(config: &EgressConfig, tls: &ClientConfig, allow_private: bool) -> Caller {
    let mut tcp = HttpConnector::new_with_resolver(GuardedResolver { allow_private });
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let inner = HttpsConnectorBuilder::new()
        .with_tls_config(tls.clone())
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(tcp);
    let connector = Connector {
        inner,
        limit: config.connect_timeout,
    };
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
        .pool_idle_timeout(POOL_IDLE)
        .build(connector)
}

// === impl Connector ===

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, limit) = (self.inner.call(uri), self.limit);
        Box::pin(async move {
            match tokio::time::timeout(limit, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(ConnectTimeout.into()),
            }
        })
    }
}

//! The accept loop of both planes.
//!
//! Our own, because a server with long streams needs what `axum::serve` does not set: a limit for reading
//! request headers, and a graceful stop with a deadline, after which open streams are cut.

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::Service;

/// After the process ran out of file descriptors or memory for sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Clone)]
pub struct Limits {
    /// From the first byte of a connection, or of the next request on it, to the end of its headers.
    pub header_read: Duration,
    /// How long requests may go on after the stop was asked for.
    pub grace: Duration,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_read: Duration::from_secs(10),
            grace: Duration::from_secs(30),
        }
    }
}

/// Serves until `stop`, then finishes what runs. Returns whether everything ended within the grace.
///
/// Handlers find the peer as `ConnectInfo<SocketAddr>` among the request's extensions.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, limits: Limits) -> bool {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read);
    builder.http2().timer(TokioTimer::new());
    let graceful = GracefulShutdown::new();

    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            },
            () = stop.cancelled() => break,
        };
        let connection =
            builder.serve_connection(TokioIo::new(configured(stream)), service(router.clone(), peer));
        let connection = graceful.watch(connection.into_owned());
        tokio::spawn(async move {
            // a peer that went away or spoke no HTTP; requests have their own log lines
            if let Err(error) = connection.await {
                tracing::debug!(%peer, error, "connection ended");
            }
        });
    }

    drop(listener);
    tokio::time::timeout(limits.grace, graceful.shutdown())
        .await
        .is_ok()
}

fn service(
    router: Router,
    peer: SocketAddr,
) -> impl hyper::service::Service<
    hyper::Request<Incoming>,
    Response = axum::response::Response,
    Error = Infallible,
    Future: Send + 'static,
> {
    hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    })
}

fn configured(stream: TcpStream) -> TcpStream {
    // streamed tokens are small writes that must not wait for each other
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY not set");
    }
    stream
}

async fn pause_after(error: &io::Error) {
    let of_the_peer = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    );
    if of_the_peer {
        return;
    }
    tracing::warn!(%error, "cannot accept connections");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::sync::Arc;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    struct Server {
        address: SocketAddr,
        stop: CancellationToken,
        done: tokio::task::JoinHandle<bool>,
    }

    async fn start(router: Router, limits: Limits) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let done = tokio::spawn(serve(listener, router, stop.clone(), limits));
        Server { address, stop, done }
    }

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn handlers_know_their_peer() {
        let who = get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() });
        let server = start(Router::new().route("/", who), Limits::default()).await;
        let answer = ask(
            server.address,
            "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        )
        .await;
        assert!(answer.ends_with("127.0.0.1"), "{answer}");
    }

    #[tokio::test]
    async fn a_client_that_never_finishes_its_headers_is_cut_off() {
        let limits = Limits {
            header_read: Duration::from_millis(50),
            ..Limits::default()
        };
        let server = start(Router::new(), limits).await;
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        let mut rest = Vec::new();
        tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut rest))
            .await
            .unwrap()
            .unwrap();
    }

    #[tokio::test]
    async fn a_running_request_ends_before_the_server_does() {
        let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = {
            let (entered, release) = (entered.clone(), release.clone());
            get(move || async move {
                entered.notify_one();
                release.notified().await;
                "done"
            })
        };
        let server = start(Router::new().route("/", handler), Limits::default()).await;
        let answer = tokio::spawn(ask(
            server.address,
            "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        ));
        entered.notified().await;
        server.stop.cancel();
        release.notify_one();
        assert!(answer.await.unwrap().ends_with("done"));
        assert!(server.done.await.unwrap());
        TcpStream::connect(server.address).await.unwrap_err();
    }

    #[tokio::test]
    async fn the_grace_has_an_end() {
        let entered = Arc::new(Notify::new());
        let handler = {
            let entered = entered.clone();
            get(move || async move {
                entered.notify_one();
                std::future::pending::<&str>().await
            })
        };
        let limits = Limits {
            grace: Duration::from_millis(50),
            ..Limits::default()
        };
        let server = start(Router::new().route("/", handler), limits).await;
        let _client = tokio::spawn(ask(server.address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
        entered.notified().await;
        server.stop.cancel();
        assert!(!server.done.await.unwrap());
    }
}

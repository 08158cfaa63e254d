//! The accept loop of both planes.
//!
//! Our own, because a server with long streams needs what `axum::serve` does not set: limits for silent and slow
//! clients, and a graceful stop with a deadline, after which open streams are cut. When [`serve`] returns, no
//! request runs any more: what their guards do when they are dropped has happened.

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use parking_lot::Mutex;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

/// After the process ran out of file descriptors or memory for sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// For dropping what was cut off; longer only if a handler blocks its thread.
const CUT_PATIENCE: Duration = Duration::from_secs(5);
/// HTTP/2 pings, without which a peer that lost power keeps its connection.
const H2_PING_INTERVAL: Duration = Duration::from_secs(30);
const H2_PING_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
pub struct Limits {
    /// From the accept of a connection to the end of its first request's headers.
    pub header_read: Duration,
    /// From the end of an HTTP/1.1 exchange to the end of the next request's headers.
    ///
    /// Longer than load balancers keep idle connections (nginx and AWS: 60 s), so that they close first and no
    /// request meets a closing connection. A slow second request costs no more than an idle connection does.
    pub idle: Duration,
    /// How long requests may go on after the stop was asked for.
    pub grace: Grace,
}

/// A time that may be said anew until it begins; clones share it.
#[derive(Debug, Clone)]
pub struct Grace(Arc<Mutex<Duration>>);

/// Spawns what serves one listener, and can end it all.
#[derive(Debug, Clone, Default)]
struct Tasks {
    tracker: TaskTracker,
    cut: CancellationToken,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_read: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            grace: Grace::from(Duration::from_secs(30)),
        }
    }
}

// === impl Grace ===

impl Grace {
    pub fn set(&self, grace: Duration) {
        *self.0.lock() = grace;
    }

    pub fn get(&self) -> Duration {
        *self.0.lock()
    }
}

impl From<Duration> for Grace {
    fn from(grace: Duration) -> Self {
        Self(Arc::new(Mutex::new(grace)))
    }
}

// === impl Tasks ===

/// HTTP/2 runs each request in a task of its own, which would outlive its connection.
impl<F: Future<Output: Send> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, task: F) {
        self.tracker
            .spawn(self.cut.clone().run_until_cancelled_owned(task));
    }
}

/// Serves until `stop`, then finishes what runs. Returns whether everything ended within the grace; what had not
/// was cut off.
///
/// Handlers find the peer as `ConnectInfo<SocketAddr>` among the request's extensions.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, limits: Limits) -> bool {
    let tasks = Tasks::default();
    let builder = builder(tasks.clone(), &limits);
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
        let asked = Arc::new(AtomicBool::new(false));
        let service = service(router.clone(), peer, asked.clone());
        let connection = builder.serve_connection(TokioIo::new(configured(stream)), service);
        let connection = graceful.watch(connection.into_owned());
        let silence = silence(asked, limits.header_read);
        hyper::rt::Executor::execute(&tasks, async move {
            tokio::select! {
                // a peer that went away or spoke no HTTP; requests have their own log lines
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%peer, error, "connection ended");
                },
                () = silence => tracing::debug!(%peer, "connection brought no request in time"),
            }
        });
    }

    drop(listener);
    tasks.tracker.close();
    let finished = async {
        graceful.shutdown().await;
        tasks.tracker.wait().await;
    };
    if tokio::time::timeout(limits.grace.get(), finished).await.is_ok() {
        return true;
    }
    tasks.cut.cancel();
    if tokio::time::timeout(CUT_PATIENCE, tasks.tracker.wait())
        .await
        .is_err()
    {
        tracing::error!(
            tasks = tasks.tracker.len(),
            "requests that were cut off do not end"
        );
    }
    false
}

fn builder(tasks: Tasks, limits: &Limits) -> auto::Builder<Tasks> {
    let mut builder = auto::Builder::new(tasks);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(H2_PING_INTERVAL)
        .keep_alive_timeout(H2_PING_TIMEOUT);
    builder
}

fn service(
    router: Router,
    peer: SocketAddr,
    asked: Arc<AtomicBool>,
) -> impl hyper::service::Service<
    hyper::Request<Incoming>,
    Response = axum::response::Response,
    Error = Infallible,
    Future: Send + 'static,
> {
    hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    })
}

/// Resolves when no request came within `limit`. hyper's own timer starts only after a client's first bytes said
/// which version of HTTP it speaks, so it never starts for one that says nothing.
async fn silence(asked: Arc<AtomicBool>, limit: Duration) {
    tokio::time::sleep(limit).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending().await
    }
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
mod tests;

//! The accept loop. Our own, because a provider that breaks connections has to reach the socket under a request.

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt;

/// Among the extensions of a request: the connection it came on.
#[derive(Debug, Clone, Default)]
pub struct Line {
    reset: Arc<AtomicBool>,
}

/// Ends with all its connections when dropped.
#[derive(Debug)]
pub struct Listening {
    task: JoinHandle<()>,
}

// === impl Line ===

impl Line {
    /// The connection ends with a TCP reset instead of a FIN, once the answer in progress fails.
    pub fn end_with_reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }
}

// === impl Listening ===

impl Listening {
    /// Returns when the port is closed.
    pub async fn end(mut self) {
        self.task.abort();
        // cancelled, as just asked
        let _ = (&mut self.task).await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub fn listen(listener: TcpListener, router: Router) -> Listening {
    let task = tokio::spawn(async move {
        // dropped with this task, and with it every connection
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((socket, _)) = accepted else { continue };
                    connections.spawn(serve(socket, router.clone()));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    });
    Listening { task }
}

async fn serve(socket: TcpStream, router: Router) {
    // pieces of a stream are small writes that must not wait for each other
    let _ = socket.set_nodelay(true);
    let line = Line::default();
    let marked = line.clone();
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(marked.clone());
        Box::pin(router.clone().oneshot(request))
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    // an error is a peer that left, or an answer that was told to fail
    let _ = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let mut socket = connection.into_parts().io.into_inner();
    if line.reset.load(Ordering::Relaxed) {
        let _ = socket.set_zero_linger();
    } else {
        let _ = socket.shutdown().await;
    }
}

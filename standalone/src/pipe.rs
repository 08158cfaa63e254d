//! The gRPC conversation between two planes that share a process: HTTP/2 over an in-memory pipe, so that the
//! bytes and the code are those of a cluster.

use futures::Stream;
use hyper_util::rt::TokioIo;
use std::io;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

const BUFFER_BYTES: usize = 256 * 1024;

/// A channel to dial with, and the connections that arrive from it.
pub fn pipe() -> (Channel, impl Stream<Item = io::Result<DuplexStream>>) {
    let (dialled, accepted) = mpsc::channel(4);
    let connector = service_fn(move |_| {
        let dialled = dialled.clone();
        async move {
            let (near, far) = tokio::io::duplex(BUFFER_BYTES);
            // the receiving end is gone only when the process is ending
            dialled
                .send(Ok(far))
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok::<_, io::Error>(TokioIo::new(near))
        }
    });
    let channel = Endpoint::from_static("http://control-plane").connect_with_connector_lazy(connector);
    (channel, ReceiverStream::new(accepted))
}

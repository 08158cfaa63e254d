//! What a container's health check runs: a program asks the process beside it whether it is ready. Images hold
//! one binary and no curl.

use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(2);
const REQUEST: &[u8] = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[derive(Debug, Error)]
pub enum NotReady {
    #[error("nothing listens on {0}")]
    Nobody(SocketAddr),
    #[error("{0} does not answer within {patience} s", patience = PATIENCE.as_secs())]
    Silent(SocketAddr),
    #[error("{0} is not ready: {1}")]
    Refused(SocketAddr, String),
}

/// Asks the process that listens on `listen`, which may be an unspecified address.
pub async fn check(listen: SocketAddr) -> Result<(), NotReady> {
    let mut address = listen;
    if listen.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    match tokio::time::timeout(PATIENCE, status_line(address)).await {
        Err(_) => Err(NotReady::Silent(address)),
        Ok(Err(_)) => Err(NotReady::Nobody(address)),
        Ok(Ok(status)) if status.starts_with("HTTP/1.1 200") => Ok(()),
        Ok(Ok(status)) => Err(NotReady::Refused(address, status.trim().to_owned())),
    }
}

async fn status_line(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(REQUEST).await?;
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status).await?;
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin;
    use crate::metrics::Registry;
    use crate::readiness::Readiness;
    use crate::serve::{Limits, serve};
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn a_process_is_healthy_once_it_is_ready() {
        let readiness = Readiness::new();
        let latch = readiness.latch("configuration");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = admin::router(readiness, Registry::new());
        tokio::spawn(serve(
            listener,
            router,
            CancellationToken::new(),
            Limits::default(),
        ));

        assert!(matches!(check(address).await, Err(NotReady::Refused(..))));
        latch.set(true);
        check(SocketAddr::from(([0, 0, 0, 0], address.port())))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn an_address_nobody_listens_on_is_not_healthy() {
        let free = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        assert!(matches!(check(free).await, Err(NotReady::Nobody(_))));
    }
}

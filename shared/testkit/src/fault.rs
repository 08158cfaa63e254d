//! A TCP proxy that misbehaves on request, to stand between any two parts. Needs no privileges.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens to traffic, now and until it is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Every piece of data waits this long, in both directions.
    Delay(Duration),
    /// Connections stay open and nothing passes.
    BlackHole,
    /// Open connections are closed at once, new ones right after they were accepted.
    Refuse,
}

#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    fault: Arc<watch::Sender<Fault>>,
    accepting: JoinHandle<()>,
}

// === impl FaultProxy ===

impl FaultProxy {
    /// Forwards to `target` until told otherwise.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let fault = Arc::new(watch::Sender::new(Fault::None));
        let faults = fault.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, target, faults.subscribe()));
            }
        });
        Self {
            address,
            fault,
            accepting,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.fault.send_replace(Fault::Refuse);
    }
}

async fn connect(client: TcpStream, target: SocketAddr, mut fault: watch::Receiver<Fault>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    tokio::select! {
        () = pump(client_read, server_write, fault.clone()) => {}
        () = pump(server_read, client_write, fault.clone()) => {}
        // dropping all four halves resets what is open
        _ = fault.wait_for(|fault| *fault == Fault::Refuse) => {}
    }
}

async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut fault: watch::Receiver<Fault>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let now = *fault.borrow_and_update();
        match now {
            Fault::Delay(delay) => tokio::time::sleep(delay).await,
            Fault::BlackHole => {
                if fault.wait_for(|fault| *fault != Fault::BlackHole).await.is_err() {
                    return;
                }
            }
            Fault::None | Fault::Refuse => {}
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = socket.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        address
    }

    async fn round_trip(socket: &mut TcpStream) -> std::io::Result<Vec<u8>> {
        socket.write_all(b"ping").await?;
        let mut answer = vec![0; 4];
        socket.read_exact(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn traffic_passes_waits_stops_and_breaks_as_told() {
        let proxy = FaultProxy::to(echo().await).await;
        let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(round_trip(&mut socket).await.unwrap(), b"ping");

        proxy.set(Fault::Delay(Duration::from_millis(50)));
        let asked = Instant::now();
        round_trip(&mut socket).await.unwrap();
        assert!(asked.elapsed() >= Duration::from_millis(100));

        proxy.set(Fault::BlackHole);
        tokio::time::timeout(Duration::from_millis(50), round_trip(&mut socket))
            .await
            .unwrap_err();

        proxy.set(Fault::Refuse);
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut rest))
            .await
            .unwrap();
        assert!(ended.is_err() || rest.is_empty() || rest == b"ping");
    }
}

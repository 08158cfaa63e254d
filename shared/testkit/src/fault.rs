//! A TCP proxy that misbehaves on request, to stand between any two parts. Needs no privileges.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

const BACKLOG: u32 = 1024;

/// What happens to traffic, now and until it is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Every piece of data waits this long, in both directions.
    Delay(Duration),
    /// Connections stay open and nothing passes, not even their end. New ones are accepted, as a full queue or a
    /// silent firewall behind a load balancer would.
    BlackHole,
    /// The target's end of every connection is closed towards the client, which may still send.
    HalfClose,
    /// Open connections are reset at once, new ones right after they were accepted.
    Reset,
    /// Open connections are reset at once, and the port is closed: new ones are refused.
    Refuse,
}

#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    accepting: JoinHandle<()>,
    /// Bound and never listening: keeps the port ours while it is closed.
    _reserved: TcpSocket,
}

#[derive(Debug, Clone, Copy)]
struct State {
    fault: Fault,
    /// How often everything open was reset: a fault that was set and lifted again is not missed.
    resets: u64,
}

/// One direction of a connection.
struct Pump<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    state: watch::Receiver<State>,
    towards_client: bool,
}

// === impl Fault ===

impl Fault {
    fn resets(self) -> bool {
        matches!(self, Self::Reset | Self::Refuse)
    }
}

// === impl FaultProxy ===

impl FaultProxy {
    /// Forwards to `target` until told otherwise.
    pub async fn to(target: SocketAddr) -> Self {
        let reserved = socket("127.0.0.1:0".parse().expect("an address")).expect("loopback has a free port");
        let address = reserved.local_addr().expect("a bound socket has an address");
        let listener = listen(address).expect("the port is ours");
        let (state, states) = watch::channel(State {
            fault: Fault::None,
            resets: 0,
        });
        let accepting = tokio::spawn(accept(listener, address, target, states));
        Self {
            address,
            state,
            accepting,
            _reserved: reserved,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Open connections feel it at once; a port takes a moment to close or to open.
    pub fn set(&self, fault: Fault) {
        self.state.send_modify(|state| {
            state.fault = fault;
            state.resets += u64::from(fault.resets());
        });
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The port may be bound again while another socket holds it, which only sockets of this user may do.
fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    socket(address)?.listen(BACKLOG)
}

async fn accept(
    mut listener: TcpListener,
    address: SocketAddr,
    target: SocketAddr,
    mut states: watch::Receiver<State>,
) {
    // dropped with this task, and with it every connection
    let mut connections = JoinSet::new();
    let observed = states.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                connections.spawn(connect(client, target, observed.clone()));
                continue;
            }
            Some(_) = connections.join_next() => continue,
            refused = states.wait_for(|state| state.fault == Fault::Refuse) => if refused.is_err() { return },
        }
        drop(listener);
        if states
            .wait_for(|state| state.fault != Fault::Refuse)
            .await
            .is_err()
        {
            return;
        }
        listener = listen(address).expect("the port stayed ours");
    }
}

async fn connect(mut client: TcpStream, target: SocketAddr, mut state: watch::Receiver<State>) {
    let now = *state.borrow();
    if now.fault.resets() {
        let _ = client.set_zero_linger();
        return;
    }
    let Ok(mut server) = TcpStream::connect(target).await else {
        let _ = client.set_zero_linger();
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (client_read, client_write) = client.split();
    let (server_read, server_write) = server.split();
    let up = Pump {
        from: client_read,
        to: server_write,
        state: state.clone(),
        towards_client: false,
    };
    let down = Pump {
        from: server_read,
        to: client_write,
        state: state.clone(),
        towards_client: true,
    };
    let ended_well = tokio::select! {
        ended = async { tokio::try_join!(up.run(), down.run()) } => ended.is_ok(),
        _ = state.wait_for(|state| state.resets != now.resets) => false,
    };
    if !ended_well {
        // both peers see a reset, whoever broke the connection
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

// === impl Pump ===

impl Pump<'_> {
    /// Until the end of what there is to read, which is passed on as an end.
    async fn run(mut self) -> io::Result<()> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let half_closed = self.state.wait_for(|state| state.fault == Fault::HalfClose);
            let read = tokio::select! {
                read = self.from.read(&mut buffer) => Some(read),
                _ = half_closed, if self.towards_client => None,
            };
            let Some(read) = read else {
                return self.close_and_drain(buffer).await;
            };
            self.pass().await;
            match read? {
                0 => return self.to.shutdown().await,
                read => self.to.write_all(&buffer[..read]).await?,
            }
        }
    }

    /// Waits as long as the fault of the moment keeps things back.
    async fn pass(&mut self) {
        let now = self.state.borrow().fault;
        match now {
            Fault::Delay(delay) => tokio::time::sleep(delay).await,
            // an error is the end of the proxy, which ends this task
            Fault::BlackHole => drop(self.state.wait_for(|state| state.fault != Fault::BlackHole).await),
            Fault::None | Fault::HalfClose | Fault::Reset | Fault::Refuse => {}
        }
    }

    async fn close_and_drain(mut self, mut buffer: Vec<u8>) -> io::Result<()> {
        self.to.shutdown().await?;
        while self.from.read(&mut buffer).await? > 0 {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::wait_until;
    use std::io::ErrorKind;
    use std::time::Instant;

    const SOON: Duration = Duration::from_secs(10);
    const MOMENT: Duration = Duration::from_millis(100);

    /// Sends back what it gets; the count is of connections whose end it saw.
    async fn echo() -> (SocketAddr, watch::Receiver<u64>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ended, ends) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let ended = ended.clone();
                tokio::spawn(async move {
                    let (mut read, mut write) = socket.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                    ended.send_modify(|ended| *ended += 1);
                });
            }
        });
        (address, ends)
    }

    async fn round_trip(socket: &mut TcpStream) -> io::Result<()> {
        socket.write_all(b"ping").await?;
        let mut answer = [0; 4];
        socket.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"ping");
        Ok(())
    }

    async fn connected() -> (FaultProxy, TcpStream, watch::Receiver<u64>) {
        let (target, ends) = echo().await;
        let proxy = FaultProxy::to(target).await;
        let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
        round_trip(&mut socket).await.unwrap();
        (proxy, socket, ends)
    }

    async fn is_reset(socket: &mut TcpStream) -> bool {
        let read = tokio::time::timeout(SOON, socket.read(&mut [0; 16]))
            .await
            .unwrap();
        read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
    }

    #[tokio::test]
    async fn delayed_traffic_is_late_in_both_directions() {
        let (proxy, mut socket, _) = connected().await;
        proxy.set(Fault::Delay(MOMENT));
        let asked = Instant::now();
        round_trip(&mut socket).await.unwrap();
        assert!(asked.elapsed() >= 2 * MOMENT);
    }

    #[tokio::test]
    async fn a_black_hole_swallows_data_and_ends_until_it_is_lifted() {
        let (proxy, mut socket, mut ends) = connected().await;
        proxy.set(Fault::BlackHole);
        socket.write_all(b"late").await.unwrap();
        socket.shutdown().await.unwrap();
        let mut answer = [0; 4];
        tokio::time::timeout(MOMENT, socket.read(&mut answer))
            .await
            .unwrap_err();
        assert_eq!(*ends.borrow(), 0, "the target knows of no end");

        proxy.set(Fault::None);
        tokio::time::timeout(SOON, socket.read_exact(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&answer, b"late");
        tokio::time::timeout(SOON, ends.wait_for(|ends| *ends == 1))
            .await
            .unwrap()
            .unwrap();
    }

    #[tokio::test]
    async fn a_half_closed_connection_still_carries_what_the_client_sends() {
        let (proxy, mut socket, mut ends) = connected().await;
        proxy.set(Fault::HalfClose);
        assert_eq!(socket.read(&mut [0; 16]).await.unwrap(), 0);
        socket.write_all(b"still here").await.unwrap();
        tokio::time::timeout(MOMENT, ends.changed()).await.unwrap_err();
        socket.shutdown().await.unwrap();
        tokio::time::timeout(SOON, ends.wait_for(|ends| *ends == 1))
            .await
            .unwrap()
            .unwrap();
    }

    #[tokio::test]
    async fn a_reset_breaks_what_is_open_and_what_comes() {
        let (proxy, mut socket, mut ends) = connected().await;
        proxy.set(Fault::Reset);
        assert!(is_reset(&mut socket).await);
        tokio::time::timeout(SOON, ends.wait_for(|ends| *ends == 1))
            .await
            .unwrap()
            .unwrap();
        let mut next = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(is_reset(&mut next).await);
    }

    #[tokio::test]
    async fn a_reset_that_is_lifted_at_once_still_happened() {
        let (proxy, mut socket, _) = connected().await;
        proxy.set(Fault::Reset);
        proxy.set(Fault::None);
        assert!(is_reset(&mut socket).await);
        round_trip(&mut TcpStream::connect(proxy.address()).await.unwrap())
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_refusing_proxy_has_no_open_port_until_it_is_told_to() {
        let (proxy, mut socket, _) = connected().await;
        proxy.set(Fault::Refuse);
        assert!(is_reset(&mut socket).await);
        wait_until("the port to close", SOON, async || {
            let error = TcpStream::connect(proxy.address()).await.err()?;
            (error.kind() == ErrorKind::ConnectionRefused).then_some(())
        })
        .await;
        proxy.set(Fault::None);
        let mut socket = wait_until("the port to open", SOON, async || {
            TcpStream::connect(proxy.address()).await.ok()
        })
        .await;
        round_trip(&mut socket).await.unwrap();
    }
}

//! A forward proxy as companies run them: tunnels what asks for `CONNECT`, passes on what names a whole address, and
//! remembers all of it.

use parking_lot::Mutex;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const HEAD_BYTES: usize = 64 * 1024;
const DENIED: &[u8] =
    b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

#[derive(Debug)]
pub struct ForwardProxy {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    accepting: JoinHandle<()>,
}

struct Head {
    /// Method and target, such as `CONNECT host:443`.
    line: String,
    authorization: Option<String>,
    /// What is sent on in its place.
    rest: Vec<u8>,
}

// === impl ForwardProxy ===

impl ForwardProxy {
    /// Serves everybody.
    pub async fn start() -> io::Result<Self> {
        Self::serve(None).await
    }

    /// Serves those that send this `Proxy-Authorization`.
    pub async fn for_members(authorization: &str) -> io::Result<Self> {
        Self::serve(Some(authorization.to_owned())).await
    }

    /// What it was asked for so far: method and target of each request, refused ones too.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().clone()
    }

    async fn serve(demanded: Option<String>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let memory = seen.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (memory, demanded) = (memory.clone(), demanded.clone());
                // a connection that breaks is the client's to notice
                tokio::spawn(async move { pass(client, &memory, demanded.as_deref()).await });
            }
        });
        Ok(Self {
            address,
            seen,
            accepting,
        })
    }
}

impl Drop for ForwardProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(mut client: TcpStream, memory: &Mutex<Vec<String>>, demanded: Option<&str>) -> io::Result<()> {
    let head = Head::read(&mut client).await?;
    memory.lock().push(head.line.clone());
    if demanded.is_some() && head.authorization.as_deref() != demanded {
        return client.write_all(DENIED).await;
    }
    let mut target = TcpStream::connect(head.host()).await?;
    if head.line.starts_with("CONNECT ") {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    }
    target.write_all(&head.rest).await?;
    copy_bidirectional(&mut client, &mut target).await?;
    Ok(())
}

// === impl Head ===

impl Head {
    async fn read(client: &mut TcpStream) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if bytes.len() > HEAD_BYTES || client.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = text.trim_end().split("\r\n");
        let first = lines.next().unwrap_or_default();
        let line = first.rsplit_once(' ').map_or(first, |(line, _)| line).to_owned();
        let mut authorization = None;
        // one request per connection, so that each is seen
        let mut rest = format!("{first}\r\nconnection: close\r\n");
        for header in lines {
            match header.split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("proxy-authorization") => {
                    authorization = Some(value.to_owned());
                }
                _ => rest.push_str(&format!("{header}\r\n")),
            }
        }
        let mut rest = if line.starts_with("CONNECT ") {
            Vec::new()
        } else {
            format!("{rest}\r\n").into_bytes()
        };
        rest.extend_from_slice(&bytes[end..]);
        Ok(Self {
            line,
            authorization,
            rest,
        })
    }

    fn host(&self) -> &str {
        let target = self.line.split(' ').nth(1).unwrap_or_default();
        let target = target.strip_prefix("http://").unwrap_or(target);
        target.split('/').next().unwrap_or_default()
    }
}

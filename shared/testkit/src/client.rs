//! An HTTP client for tests: answers as values, streams event by event, and bytes no library would send.

use http::{HeaderMap, Method};
use reqwest::Response;
use runtime::egress::{Egress, EgressConfig, ProxyEnvironment};
use serde_json::Value;
use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Generous: test machines are busy.
const CONNECT: Duration = Duration::from_secs(10);

/// Talks to one server. Clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    headers: HeaderMap,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

/// A server-sent stream. Dropped, it closes the connection, as a client that leaves does.
#[derive(Debug)]
pub struct Stream {
    pub status: u16,
    pub headers: HeaderMap,
    response: Response,
    unread: Vec<u8>,
}

// === impl Client ===

impl Client {
    /// Of a server at `base`, such as `http://127.0.0.1:20128`.
    pub fn new(base: impl Display) -> Self {
        let config = EgressConfig {
            connect_timeout: CONNECT,
            allow_private: true,
            proxies: ProxyEnvironment::default(),
        };
        let egress = Egress::new(config).expect("the client needs nothing from the machine");
        Self {
            http: egress.client(true).clone(),
            base: base.to_string(),
            headers: HeaderMap::new(),
        }
    }

    /// Sends this header with every request.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = value.parse().expect("tests send printable headers");
        self.headers.insert(name, value);
        self
    }

    /// Authenticates as clients of OpenAI do.
    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub async fn get(&self, path: &str) -> reqwest::Result<Reply> {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> reqwest::Result<Reply> {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Result<Reply> {
        let response = self.request(method, path, body).await?;
        Ok(Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await?,
        })
    }

    /// Returns when the head of the answer is there.
    pub async fn stream(&self, path: &str, body: &Value) -> reqwest::Result<Stream> {
        let response = self.request(Method::POST, path, Some(body)).await?;
        Ok(Stream {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            response,
            unread: Vec::new(),
        })
    }

    async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Result<Response> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .headers(self.headers.clone());
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        request.send().await
    }
}

// === impl Reply ===

impl Reply {
    /// # Panics
    ///
    /// When the body is not JSON, with the body.
    pub fn json(&self) -> Value {
        let value = serde_json::from_str(&self.text);
        assert!(value.is_ok(), "{} is not JSON: {}", self.status, self.text);
        value.unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

// === impl Stream ===

impl Stream {
    /// The data of the next event; `None` at the end. An event the stream broke off in is not returned.
    pub async fn next(&mut self) -> reqwest::Result<Option<String>> {
        loop {
            if let Some(data) = self.take_event() {
                return Ok(Some(data));
            }
            match self.response.chunk().await? {
                Some(chunk) => self.unread.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }

    /// The data of all events that are left.
    pub async fn rest(mut self) -> reqwest::Result<Vec<String>> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await? {
            events.push(event);
        }
        Ok(events)
    }

    fn take_event(&mut self) -> Option<String> {
        loop {
            let end = self.unread.windows(2).position(|end| end == b"\n\n")?;
            let event: Vec<u8> = self.unread.drain(..end + 2).collect();
            let event = String::from_utf8_lossy(&event).into_owned();
            let data: Vec<_> = event
                .lines()
                .filter_map(|line| line.strip_prefix("data: "))
                .collect();
            // comments keep a connection alive and are no events
            if !data.is_empty() {
                return Some(data.join("\n"));
            }
        }
    }
}

/// Writes these bytes as they are and returns all that comes back until the peer closes, or nothing more came
/// within `patience`.
pub async fn exchange(address: SocketAddr, bytes: &[u8], patience: Duration) -> std::io::Result<Vec<u8>> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(bytes).await?;
    let mut answer = Vec::new();
    while let Ok(read) = tokio::time::timeout(patience, socket.read_buf(&mut answer)).await {
        if read? == 0 {
            break;
        }
    }
    Ok(answer)
}

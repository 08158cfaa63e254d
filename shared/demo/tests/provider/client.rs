//! A client that hides nothing of the wire.

use demo::{Dialect, Simulator};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(10);

/// How the connection ended, seen against what the head promised.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Whole,
    /// A clean end of the connection before the end of the body.
    Early,
    Reset,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    /// As written by the server: chunks of a chunked body, the body itself of another.
    pub chunks: Vec<Vec<u8>>,
    pub end: End,
    pub first_byte: Duration,
}

// === impl Answer ===

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.chunks.concat()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The JSON of every `data:` line but OpenAI's end mark.
    pub fn events(&self) -> Vec<Value> {
        let text = self.text();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let events = data.filter(|data| *data != "[DONE]");
        events.map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    /// The JSON of every line.
    pub fn lines(&self) -> Vec<Value> {
        let text = self.text();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.text());
        self
    }
}

/// The smallest request the vendor answers, with changes: a field that becomes `null` is left out.
pub fn question(dialect: Dialect, changes: Value) -> Value {
    let messages = json!([{"role": "user", "content": "Hi 🌍"}]);
    let mut body = match dialect {
        Dialect::OpenAi | Dialect::Azure => json!({"model": "demo", "messages": messages}),
        Dialect::OpenAiResponses => json!({"model": "demo", "input": "Hi 🌍"}),
        Dialect::Anthropic => json!({"model": "demo", "messages": messages, "max_tokens": 500}),
        Dialect::Gemini | Dialect::Vertex => {
            json!({"contents": [{"role": "user", "parts": [{"text": "Hi 🌍"}]}]})
        }
        Dialect::Ollama => json!({"model": "demo", "messages": messages, "stream": false}),
        Dialect::Bedrock => json!({"messages": [{"role": "user", "content": [{"text": "Hi 🌍"}]}]}),
        dialect => panic!("{dialect:?} converses with nobody"),
    };
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    body
}

pub async fn responses(simulator: &Simulator, changes: Value) -> Answer {
    let body = question(Dialect::OpenAiResponses, changes).to_string();
    let head = "POST /v1/responses HTTP/1.1\r\nauthorization: Bearer sk-test";
    send(simulator, head, &body).await
}

/// What follows the name of the model in the address is the method, as in `generateContent`.
pub async fn gemini(simulator: &Simulator, method: &str, changes: Value) -> Answer {
    let body = question(Dialect::Gemini, changes).to_string();
    let head = format!("POST /v1beta/models/demo:{method} HTTP/1.1\r\nx-goog-api-key: sk-test");
    send(simulator, &head, &body).await
}

pub async fn ollama(simulator: &Simulator, changes: Value) -> Answer {
    let body = question(Dialect::Ollama, changes).to_string();
    send(simulator, "POST /api/chat HTTP/1.1", &body).await
}

/// The operation is `converse` or `converse-stream`.
pub async fn bedrock(simulator: &Simulator, operation: &str, changes: Value) -> Answer {
    let body = question(Dialect::Bedrock, changes).to_string();
    let head = format!("POST /model/a.demo-v1%3A0/{operation} HTTP/1.1\r\nauthorization: Bearer key");
    send(simulator, &head, &body).await
}

pub async fn openai(simulator: &Simulator, changes: Value) -> Answer {
    let body = question(Dialect::OpenAi, changes).to_string();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer sk-test";
    send(simulator, head, &body).await
}

pub async fn anthropic(simulator: &Simulator, changes: Value) -> Answer {
    let body = question(Dialect::Anthropic, changes).to_string();
    let head = "POST /v1/messages HTTP/1.1\r\nx-api-key: sk-test\r\nanthropic-version: 2023-06-01";
    send(simulator, head, &body).await
}

pub async fn send(simulator: &Simulator, head: &str, body: &str) -> Answer {
    let mut socket = open(simulator, head, body).await;
    let asked = Instant::now();
    let mut bytes = Vec::new();
    let mut first_byte = None;
    let reset = loop {
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(PATIENCE, socket.read(&mut buffer));
        match read.await.expect("the answer ends in time") {
            Ok(0) => break false,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break true,
            Err(error) => panic!("{error}"),
        }
        first_byte.get_or_insert_with(|| asked.elapsed());
    };
    parse(&bytes, reset, first_byte.unwrap_or_default())
}

/// A connection on which the request is out.
pub async fn open(simulator: &Simulator, head: &str, body: &str) -> TcpStream {
    let mut socket = TcpStream::connect(simulator.address()).await.unwrap();
    let request = format!(
        "{head}\r\nhost: provider\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

fn parse(bytes: &[u8], reset: bool, first_byte: Duration) -> Answer {
    let split = bytes.windows(4).position(|end| end == b"\r\n\r\n");
    let split = split.unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(bytes)));
    let head = String::from_utf8(bytes[..split].to_vec()).unwrap().to_lowercase();
    let body = &bytes[split + 4..];
    let (chunks, whole) = match head.split("content-length: ").nth(1) {
        Some(length) => {
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            (vec![body.to_vec()], body.len() == length)
        }
        None => dechunk(body),
    };
    let end = match (reset, whole) {
        (true, _) => End::Reset,
        (false, true) => End::Whole,
        (false, false) => End::Early,
    };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head,
        chunks,
        end,
        first_byte,
    }
}

/// The chunks, and whether the last one came.
fn dechunk(mut body: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut chunks = Vec::new();
    while let Some(line) = body.windows(2).position(|end| end == b"\r\n") {
        let length = std::str::from_utf8(&body[..line]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return (chunks, true);
        }
        let Some(chunk) = body.get(line + 2..line + 2 + length) else {
            break;
        };
        chunks.push(chunk.to_vec());
        body = body.get(line + 2 + length + 2..).unwrap_or_default();
    }
    (chunks, false)
}

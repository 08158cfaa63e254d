//! The bytes of an answer, with whatever fault was asked for.

use crate::behaviour::Behaviour;
use crate::received::{Billed, Received};
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use parking_lot::Mutex;
use serde_json::Value;
use std::io;
use std::sync::Arc;

/// One stream frame and what has been billed when it is out.
#[derive(Debug, Clone)]
pub struct Frame {
    pub event: Option<&'static str>,
    pub data: String,
    pub output: u64,
}

/// Where a request's record is kept, and which one it is.
#[derive(Clone)]
pub struct Entry {
    pub log: Arc<Mutex<Vec<Received>>>,
    pub index: usize,
}

struct Sending {
    entry: Entry,
    frames: std::vec::IntoIter<Frame>,
    behaviour: Behaviour,
    error: Frame,
    sent: usize,
    pending: Vec<u8>,
    at: usize,
    ended: bool,
}

// === impl Frame ===

impl Frame {
    pub fn data(data: &Value, output: u64) -> Self {
        Self {
            event: None,
            data: data.to_string(),
            output,
        }
    }

    pub fn event(event: &'static str, data: &Value, output: u64) -> Self {
        Self {
            event: Some(event),
            data: data.to_string(),
            output,
        }
    }

    fn bytes(&self, behaviour: &Behaviour) -> Vec<u8> {
        let end = if behaviour.crlf { "\r\n" } else { "\n" };
        let data = if behaviour.malformed {
            "{\"broken\":"
        } else {
            &self.data
        };
        let event = self
            .event
            .map(|event| format!("event: {event}{end}"))
            .unwrap_or_default();
        format!("{event}data: {data}{end}{end}").into_bytes()
    }
}

// === impl Entry ===

impl Entry {
    fn update(&self, change: impl FnOnce(&mut Received)) {
        if let Some(received) = self.log.lock().get_mut(self.index) {
            change(received);
        }
    }
}

/// A whole answer.
pub fn whole(entry: &Entry, body: &Value, billed: Billed) -> Response {
    entry.update(|received| received.billed = Some(billed));
    axum::Json(body).into_response()
}

/// A stream of frames; `error` is the vendor's frame for a failure in the middle.
pub fn streamed(
    entry: Entry,
    frames: Vec<Frame>,
    error: Frame,
    billed: Billed,
    behaviour: Behaviour,
) -> Response {
    entry.update(|received| {
        received.dropped = true;
        received.billed = Some(Billed {
            output: 0,
            reasoning: 0,
            ..billed
        });
    });
    let sending = Sending {
        entry,
        frames: frames.into_iter(),
        behaviour,
        error,
        sent: 0,
        pending: Vec::new(),
        at: 0,
        ended: false,
    };
    let body = Body::from_stream(stream::unfold(sending, async |mut sending| {
        Some((sending.next().await?, sending))
    }));
    (
        [
            (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
            (header::CACHE_CONTROL, "no-cache"),
        ],
        body,
    )
        .into_response()
}

/// What proxies in the middle answer. The text is there to be looked for where it must not be.
pub fn html(status: u16) -> Response {
    let page = "<html><head><title>502 Bad Gateway</title></head><body><h1>internal-host-7.example</h1></body></html>";
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    (status, [(header::CONTENT_TYPE, "text/html")], page).into_response()
}

// === impl Sending ===

impl Sending {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.at < self.pending.len() {
            return Some(Ok(self.piece()));
        }
        if self.ended {
            self.entry.update(|received| received.dropped = false);
            return None;
        }
        if self.sent > 0 && !self.behaviour.gap.is_zero() {
            tokio::time::sleep(self.behaviour.gap).await;
        }
        if self.behaviour.cut_after == Some(self.sent) {
            self.entry.update(|received| received.dropped = false);
            return Some(Err(io::Error::new(
                io::ErrorKind::ConnectionReset,
                "cut as asked",
            )));
        }
        let early = self.behaviour.end_after == Some(self.sent);
        let frame = if self.behaviour.error_after == Some(self.sent) {
            self.ended = true;
            Some(self.error.clone())
        } else {
            self.frames.next().filter(|_| !early)
        };
        let Some(frame) = frame else {
            self.entry.update(|received| received.dropped = false);
            return None;
        };
        self.sent += 1;
        self.entry
            .update(|received| received.billed.get_or_insert_default().output = frame.output);
        self.pending = frame.bytes(&self.behaviour);
        self.at = 0;
        Some(Ok(self.piece()))
    }

    fn piece(&mut self) -> Bytes {
        let end = if self.behaviour.split {
            self.at + 1
        } else {
            self.pending.len()
        };
        let piece = Bytes::copy_from_slice(&self.pending[self.at..end]);
        self.at = end;
        piece
    }
}

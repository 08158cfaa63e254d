//! The bytes of an answer, with whatever fault was asked for.

use crate::answer::Answer;
use crate::bedrock::message;
use crate::behaviour::Behaviour;
use crate::listen::Line;
use crate::received::{Billed, Exchange};
use axum::body::Body;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use serde_json::Value;
use std::collections::VecDeque;
use std::io;

/// Bytes of a body that is sent in pieces, because it is to go wrong in the middle.
const PIECE: usize = 16;
const BROKEN: &str = "{\"broken\":";

/// How a stream is cut into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Events,
    /// A line of JSON each.
    Lines,
    /// Elements of one JSON array.
    Array,
    /// AWS event-stream messages.
    Messages,
}

/// One stream frame and what has been billed when it is out.
#[derive(Debug, Clone)]
pub struct Frame {
    pub event: Option<&'static str>,
    pub data: String,
    pub output: u64,
}

/// A request that is to be answered in a certain way.
pub struct Reply {
    pub exchange: Exchange,
    pub behaviour: Behaviour,
    pub line: Option<Line>,
    /// The id of the answer.
    pub id: String,
}

struct Piece {
    bytes: Bytes,
    output: u64,
}

struct Sending {
    reply: Reply,
    reasoning: u64,
    pieces: VecDeque<Piece>,
    sent: usize,
    /// The rest of a piece that goes out byte by byte.
    rest: Bytes,
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

    /// Whether this is the first and whether it is the last matters to an array.
    fn piece(&self, framing: Framing, first: bool, last: bool, behaviour: &Behaviour) -> Piece {
        let end = if behaviour.crlf { "\r\n" } else { "\n" };
        let data = if behaviour.malformed { BROKEN } else { &self.data };
        let text = match framing {
            Framing::Messages => {
                return Piece {
                    bytes: message::write(self.event.unwrap_or_default(), data).into(),
                    output: self.output,
                };
            }
            Framing::Events => {
                let event = self.event.map(|event| format!("event: {event}{end}"));
                format!("{}data: {data}{end}{end}", event.unwrap_or_default())
            }
            Framing::Lines => format!("{data}{end}"),
            Framing::Array => {
                let before = if first { "[".to_owned() } else { format!(",{end}") };
                format!("{before}{data}{}", if last { "]" } else { "" })
            }
        };
        Piece {
            bytes: text.into(),
            output: self.output,
        }
    }
}

// === impl Framing ===

impl Framing {
    fn content_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream; charset=utf-8",
            Self::Lines => "application/x-ndjson",
            Self::Array => "application/json; charset=utf-8",
            Self::Messages => "application/vnd.amazon.eventstream",
        }
    }
}

// === impl Reply ===

impl Reply {
    /// Whether to stream, when the question asks for it or not.
    pub fn streams(&self, asked: bool) -> bool {
        (asked || self.behaviour.streamed) && !self.behaviour.whole
    }

    /// A whole answer, which costs `answer`.
    pub fn whole(mut self, body: &Value, answer: &Answer) -> Response {
        let billed = answer.billed;
        self.exchange.begin(&self.id, billed);
        if !self.behaviour.breaks_the_body() {
            self.exchange.sent(billed.output, billed.reasoning);
            self.exchange.finish();
            return axum::Json(body).into_response();
        }
        let text = Bytes::from(if self.behaviour.malformed {
            BROKEN.to_owned()
        } else {
            body.to_string()
        });
        let pieces = (0..text.len()).step_by(PIECE).map(|at| Piece {
            bytes: text.slice(at..text.len().min(at + PIECE)),
            // a provider that made an answer bills it, whatever the network did to it
            output: billed.output,
        });
        let head = [
            (header::CONTENT_TYPE, "application/json".to_owned()),
            (header::CONTENT_LENGTH, text.len().to_string()),
        ];
        self.send(head, pieces.collect(), billed.reasoning)
    }

    /// A stream of frames; `error` is the vendor's frame for a failure in the middle.
    pub fn streamed(self, framing: Framing, frames: Vec<Frame>, error: Frame, answer: &Answer) -> Response {
        self.events(framing, frames, error, answer.billed)
    }

    /// The same, of what is no conversation.
    pub fn events(self, framing: Framing, mut frames: Vec<Frame>, error: Frame, billed: Billed) -> Response {
        self.exchange.begin(&self.id, billed);
        if let Some(at) = self.behaviour.error_after.filter(|at| *at < frames.len()) {
            let output = at.checked_sub(1).map_or(0, |last| frames[last].output);
            frames.truncate(at);
            frames.push(Frame { output, ..error });
        }
        let last = frames.len().saturating_sub(1);
        let pieces = frames.iter().enumerate();
        let pieces = pieces.map(|(n, frame)| frame.piece(framing, n == 0, n == last, &self.behaviour));
        let pieces = pieces.collect();
        let head = [
            (header::CONTENT_TYPE, framing.content_type().to_owned()),
            (header::CACHE_CONTROL, "no-cache".to_owned()),
        ];
        self.send(head, pieces, billed.reasoning)
    }

    /// A sound that is sent while it is made, so that nobody knows how long it will be.
    pub fn sound(self, media_type: &str, pieces: Vec<Vec<u8>>, billed: Billed) -> Response {
        self.exchange.begin(&self.id, billed);
        let pieces = pieces.into_iter().map(|piece| Piece {
            bytes: piece.into(),
            output: billed.output,
        });
        let head = [(header::CONTENT_TYPE, media_type.to_owned())];
        self.send(head, pieces.collect(), 0)
    }

    fn send<const N: usize>(
        self,
        head: [(HeaderName, String); N],
        pieces: VecDeque<Piece>,
        reasoning: u64,
    ) -> Response {
        let sending = Sending {
            reply: self,
            reasoning,
            pieces,
            sent: 0,
            rest: Bytes::new(),
        };
        let body = Body::from_stream(stream::unfold(sending, async |mut sending| {
            Some((sending.next().await?, sending))
        }));
        (head, body).into_response()
    }
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
        if !self.rest.is_empty() {
            // the server writes what it has when its body has nothing ready: one write for each byte
            tokio::task::yield_now().await;
            return Some(Ok(self.rest.split_to(1)));
        }
        let behaviour = &self.reply.behaviour;
        if self.sent > 0 && !behaviour.gap.is_zero() {
            tokio::time::sleep(behaviour.gap).await;
        }
        if behaviour.cut_after == Some(self.sent) {
            // what was promised before the cut goes out first
            tokio::task::yield_now().await;
            return Some(Err(self.cut()));
        }
        let early = behaviour.end_after == Some(self.sent);
        if early {
            // a body shorter than its head promised is an error too
            tokio::task::yield_now().await;
        }
        let split = behaviour.split;
        let Some(piece) = self.pieces.pop_front().filter(|_| !early) else {
            self.reply.exchange.finish();
            return None;
        };
        self.sent += 1;
        self.reply.exchange.sent(piece.output, self.reasoning);
        self.rest = piece.bytes;
        let first = if split { 1 } else { self.rest.len() };
        Some(Ok(self.rest.split_to(first)))
    }

    fn cut(&mut self) -> io::Error {
        self.reply.exchange.finish();
        if let Some(line) = &self.reply.line {
            line.end_with_reset();
        }
        io::Error::new(io::ErrorKind::ConnectionReset, "cut as asked")
    }
}

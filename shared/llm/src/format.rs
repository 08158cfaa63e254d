//! The seam between a wire format and everything else.

use crate::dialect::Dialect;
use crate::error::{DecodeError, EncodeError, PublicError, UpstreamError};
use crate::event::Event;
use crate::event_stream;
use crate::frame::is_lines;
use crate::note::Notes;
use crate::reply::{Fold, Reply};
use crate::request::Request;
use crate::translate::{Progress, Target};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A wire format as an upstream speaks it: what is asked, and what is answered. Pure and synchronous; total on hostile
/// input.
pub trait Upstream: Send + Sync + fmt::Debug {
    fn dialect(&self) -> Dialect;

    /// The neutral request to upstream bytes. Whatever the dialect cannot say is noted, or refused where
    /// dropping it would change what the client gets.
    fn encode_request(
        &self,
        request: &Request,
        target: &Target,
        notes: &mut Notes,
    ) -> Result<Vec<u8>, EncodeError>;

    /// Headers of this dialect for an upstream, beside content type and credential, names in lower case. `client`
    /// finds a header of a client that speaks the same dialect; else it finds nothing.
    fn request_headers(
        &self,
        client: &dyn Fn(&'static str) -> Option<String>,
    ) -> Vec<(&'static str, String)> {
        let _ = client;
        Vec::new()
    }

    /// A whole upstream reply as the events a stream would have delivered, ending in `End`. A 2xx body that is
    /// an error envelope, empty or not of this dialect is an error.
    fn decode_reply(&self, body: &[u8]) -> Result<Vec<Event>, UpstreamError>;

    fn stream_decoder(&self) -> Box<dyn StreamDecoder>;

    /// The upstream body without the earlier reasoning that the upstream has just refused, to be tried once more;
    /// `None` when that is not what it refused.
    fn without_refused_reasoning(&self, body: &Bytes, refusal: &UpstreamError) -> Option<Bytes> {
        let _ = (body, refusal);
        None
    }

    /// The same for the wish to see a summary of the reasoning, which some accounts may not have.
    fn without_refused_summary(&self, body: &Bytes, refusal: &UpstreamError) -> Option<Bytes> {
        let _ = (body, refusal);
        None
    }

    /// What an upstream of this dialect said with a non-2xx status. Never fails: unknown shapes are classified
    /// by status, HTML is stripped, secrets are redacted.
    fn decode_error(&self, status: u16, body: &[u8]) -> UpstreamError;

    /// The same, for dialects that name the error in a header. `header` finds one by its name in lower case.
    fn decode_refusal(
        &self,
        status: u16,
        header: &dyn Fn(&'static str) -> Option<String>,
        body: &[u8],
    ) -> UpstreamError {
        let _ = header;
        self.decode_error(status, body)
    }

    /// How an upstream of this dialect streams.
    fn streams_as(&self) -> StreamWire {
        StreamWire::Events
    }
}

/// A wire format that clients speak, too.
pub trait Format: Upstream {
    /// Client bytes to the neutral request.
    fn decode_request(&self, body: &[u8]) -> Result<Request, DecodeError>;

    /// Same dialect on both sides: the client's bytes with only the keys we own replaced, everything else
    /// byte for byte.
    fn patch_request(&self, body: &Bytes, target: &Target) -> Result<Bytes, DecodeError>;

    /// Same dialect on both sides: makes good what the upstream would refuse the request for, where its vendor's
    /// documentation says how. Everything else stays as it is.
    fn mend_request(&self, body: Bytes, target: &Target, notes: &mut Notes) -> Bytes {
        let _ = (target, notes);
        body
    }

    /// A whole reply that is passed on as it is: that it is one, its usage and how it ended. Everything else in it
    /// is the client's alone.
    fn observe_reply(&self, body: &[u8], progress: &mut Progress) -> Result<(), UpstreamError> {
        observe(self.decode_reply(body)?, progress)
    }

    /// The folded reply to client bytes.
    fn encode_reply(&self, reply: &Reply, seed: &ReplySeed) -> Vec<u8>;

    fn stream_encoder(&self, seed: &ReplySeed) -> Box<dyn StreamEncoder>;

    /// Same dialect on both sides of a stream: forwards frames untouched and observes them.
    fn relay(&self, seed: &ReplySeed) -> Box<dyn Relay>;

    /// The status and the body of an error before the first byte.
    fn encode_error(&self, error: &PublicError) -> (u16, Vec<u8>);

    /// The content type of a client's stream in this dialect.
    fn stream_content_type(&self, framing: Framing) -> &'static str;
}

/// Takes note of a whole reply.
pub(crate) fn observe(events: Vec<Event>, progress: &mut Progress) -> Result<(), UpstreamError> {
    let mut fold = Fold::new();
    for event in events {
        progress.observe(&event);
        fold.push(event);
    }
    let reply = fold.finish()?;
    let resolved = reply.choices.into_iter().next().and_then(|choice| choice.finish);
    progress.finish = resolved.or(progress.finish.take());
    Ok(())
}

/// What an encoder needs and may not make up: ids, time, and what the client asked for.
#[derive(Default, Debug, Clone)]
pub struct ReplySeed {
    /// Unique per request, `[0-9a-f]{32}`; encoders prefix it (`chatcmpl-`, `msg_`).
    pub id: String,
    /// Unix seconds.
    pub created: u64,
    /// The model name the client used; replies carry it, not the provider's.
    pub model: String,
    /// The client asked for usage in the stream.
    pub include_usage: bool,
    /// The gateway asked the upstream for stream usage that the client did not ask for.
    pub injected_usage: bool,
    /// How the client wants its stream framed.
    pub framing: Framing,
    /// What the client asked for, which replies of some dialects repeat. `None` where nobody had to read it.
    pub request: Option<Arc<Request>>,
}

/// How an upstream's stream is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamWire {
    /// Server-sent events.
    Events,
    /// A JSON document per line. Servers call it by the content type of JSON too, so that only the bytes tell a
    /// stream from a whole reply; a whole reply reads as a stream of one line.
    Lines,
    /// AWS event-stream messages, which are binary.
    Messages,
}

/// The framing of a client's stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Framing {
    /// The dialect's own: server-sent events, or a JSON document per line for Ollama.
    #[default]
    Native,
    /// One JSON array, which is what Gemini streams without `alt=sse`.
    JsonArray,
}

// === impl StreamWire ===

impl StreamWire {
    /// What an upstream is asked for.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Lines => "application/x-ndjson",
            Self::Messages => event_stream::MEDIA_TYPE,
        }
    }

    /// What a reply calls itself that is no stream although one was asked for. A stream of JSON may call itself JSON.
    pub const fn types_of_a_whole_reply(self) -> &'static [&'static str] {
        match self {
            Self::Events | Self::Messages => &["application/json", "text/html"],
            Self::Lines => &["text/html"],
        }
    }

    /// Whether the body of a reply that was not asked to stream is a stream all the same.
    pub fn is_stream(self, body: &[u8]) -> bool {
        let events = [&b"data:"[..], b"event:"];
        events.iter().any(|start| body.starts_with(start))
            || self == Self::Lines && is_lines(body)
            || self == Self::Messages && event_stream::begins(body)
    }
}

/// Upstream stream bytes to events. Splitting the bytes anywhere changes nothing.
pub trait StreamDecoder: Send {
    fn push(&mut self, bytes: &[u8], events: &mut Vec<Event>);

    /// The upstream closed the stream. Emits what is due: `End` if the stream was complete, else `Error`.
    fn finish(&mut self, events: &mut Vec<Event>);
}

/// Events to client stream bytes.
pub trait StreamEncoder: Send {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>);

    /// One well-formed error in this dialect after the first byte; nothing follows it.
    fn fail(&mut self, error: &PublicError, out: &mut Vec<u8>);

    /// How long the reply has been under way, for dialects that report it.
    fn tick(&mut self, elapsed: Duration) {
        let _ = elapsed;
    }
}

/// Passthrough of one stream: bytes out are the bytes in, except for what the gateway itself asked for.
pub trait Relay: Send {
    /// Appends what goes to the client, in order; may hold back an incomplete frame.
    fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>, progress: &mut Progress);

    /// The upstream closed the stream. Flushes what was held back; sets `progress.error` when the stream ended
    /// before its terminal event.
    fn finish(&mut self, out: &mut Vec<Bytes>, progress: &mut Progress);

    /// One well-formed error in this dialect after the first byte.
    fn fail(&mut self, error: &PublicError, out: &mut Vec<Bytes>);

    /// Whether an error can be said inside of it. Where it cannot, what is cut off has to look cut off.
    fn has_words(&self) -> bool {
        true
    }
}

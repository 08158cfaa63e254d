//! The response: headers, and a body that closes the record when the client has it.

use super::Gateway;
use super::again::{Again, Deposit};
use super::arrival::Arrival;
use super::attempt::Served;
use super::departure::Attended;
use super::exchange::{Labels, Reply};
use super::record::Record;
use super::relay::Relay;
use super::screen;
use super::ticks::{PROGRESS, Ticks};
use crate::answers::Source;
use crate::error::GatewayError;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use http::{StatusCode, header};
use http_body::{Frame, SizeHint};
use llm::Framing;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-omniroute-attempts");
const CACHE: HeaderName = HeaderName::from_static("x-omniroute-cache");
const DEGRADED: HeaderName = HeaderName::from_static("x-omniroute-degraded");
const SIMILARITY: HeaderName = HeaderName::from_static("x-omniroute-cache-similarity");
const IDEMPOTENT: HeaderName = HeaderName::from_static("x-omniroute-idempotent");
const TRANSLATION: HeaderName = HeaderName::from_static("x-omniroute-translation");
/// Tells nginx to pass on every chunk as it comes.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A complete answer. Its request is over when the client's connection has taken it.
struct Whole {
    bytes: Option<Bytes>,
    record: Record,
}

/// An answer of a provider, in the client's dialect.
pub fn success(
    gateway: &Arc<Gateway>,
    arrival: &Arrival,
    served: Served,
    deposit: Deposit,
    mut record: Record,
) -> Response {
    let attempts = record.attempts();
    let allowance = record.take_allowance();
    let Served {
        reply,
        lease,
        notes,
        stream,
        framing,
        deadline,
    } = served;
    let (mut ticking, mut labels) = (false, Labels::default());
    let comes_in_pieces = matches!(reply, Reply::Stream { .. });
    let body = match reply {
        Reply::Whole {
            body,
            progress,
            media_type: own,
        } => {
            labels.media_type = own;
            lease.succeed(gateway);
            record.observe(&progress);
            screen::note_reply(arrival.request_id(), &progress);
            Body::new(Whole {
                bytes: Some(body),
                record,
            })
        }
        Reply::Stream {
            body,
            pump,
            ready,
            labels: own,
        } => {
            labels = own;
            let ticks = Ticks::asked(arrival);
            ticking = ticks.is_some();
            // what one client hears beside the answer is not for others
            let deposit = if ticking { deposit.without_cache() } else { deposit };
            let tape = deposit.tape(&lease.route, labels.media_type.as_ref());
            let relay = Relay::new(
                gateway,
                (body, pump, ready),
                deadline,
                ticks,
                lease,
                arrival.request_id(),
                record,
            );
            Body::new(Attended::new(relay.recording(tape)))
        }
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.reserve(8);
    headers.insert(REQUEST_ID, arrival.request_id.clone());
    headers.insert(ATTEMPTS, HeaderValue::from(attempts));
    match labels.media_type {
        Some(own) => {
            headers.insert(CONTENT_TYPE, own);
            if comes_in_pieces {
                pass_at_once(headers);
            }
        }
        None if stream => announce_stream(arrival, framing, headers),
        None => drop(headers.insert(CONTENT_TYPE, JSON)),
    }
    if let Some(length) = labels.length {
        headers.insert(CONTENT_LENGTH, length);
    }
    if !stream {
        headers.insert(CACHE, HeaderValue::from_static("MISS"));
    }
    if ticking {
        headers.insert(PROGRESS, HeaderValue::from_static("enabled"));
    }
    if let Some(notes) = notes.and_then(|notes| HeaderValue::try_from(notes).ok()) {
        headers.insert(TRANSLATION, notes);
    }
    if let Some(allowance) = allowance {
        allowance.note(arrival.endpoint.dialect, headers);
    }
    note_degraded(gateway, headers);
    response
}

/// An answer that was given before.
pub fn again(gateway: &Gateway, arrival: &Arrival, again: Again, mut record: Record) -> Response {
    record.again(&again);
    let media_type = HeaderValue::try_from(&again.answer.media_type);
    let media_type = media_type.ok().filter(|media_type| !media_type.is_empty());
    let allowance = record.take_allowance();
    let mut response = Response::new(Body::new(Whole {
        bytes: Some(again.body),
        record,
    }));
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, arrival.request_id.clone());
    match (media_type, again.framing) {
        (Some(own), _) => drop(headers.insert(CONTENT_TYPE, own)),
        (None, Some(framing)) => announce_stream(arrival, framing, headers),
        (None, None) => drop(headers.insert(CONTENT_TYPE, JSON)),
    }
    if let Some(similarity) = again.similarity
        && let Ok(similarity) = HeaderValue::try_from(format!("{similarity:.4}"))
    {
        headers.insert(SIMILARITY, similarity);
    }
    match again.source {
        Source::Cache => headers.insert(CACHE, HeaderValue::from_static("HIT")),
        Source::Replay => headers.insert(IDEMPOTENT, HeaderValue::from_static("true")),
    };
    if let Some(allowance) = allowance {
        allowance.note(arrival.endpoint.dialect, headers);
    }
    note_degraded(gateway, headers);
    response
}

/// An error, in the client's dialect.
pub fn failure(arrival: &Arrival, error: &GatewayError) -> Response {
    refusal(arrival, error).map(Body::from)
}

/// The same, as bytes.
pub fn refusal(arrival: &Arrival, error: &GatewayError) -> http::Response<Bytes> {
    let public = error.public(arrival.request_id());
    let (status, body) = llm::formats::of(arrival.endpoint.dialect).encode_error(&public);
    let mut response = http::Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, arrival.request_id.clone());
    headers.insert(CONTENT_TYPE, JSON);
    if let Some(after) = error.retry_after() {
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from(after.as_millis().div_ceil(1000).max(1) as u64),
        );
    }
    if matches!(error, GatewayError::Draining) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What a refusal says about the limits of its key.
pub fn note_limits(gateway: &Gateway, arrival: &Arrival, record: &mut Record, headers: &mut HeaderMap) {
    if let Some(allowance) = record.take_allowance() {
        allowance.note(arrival.endpoint.dialect, headers);
    }
    note_degraded(gateway, headers);
}

pub fn note_degraded(gateway: &Gateway, headers: &mut HeaderMap) {
    if let Some(what) = gateway.degraded() {
        headers.insert(DEGRADED, HeaderValue::from_static(what));
    }
}

fn announce_stream(arrival: &Arrival, framing: Framing, headers: &mut HeaderMap) {
    let kind = llm::formats::of(arrival.endpoint.dialect).stream_content_type(framing);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    pass_at_once(headers);
}

/// Nobody in between is to wait for the rest.
fn pass_at_once(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
}

// === impl Whole ===

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(bytes) = self.bytes.take() else {
            return Poll::Ready(None);
        };
        self.record.sent(&bytes);
        self.record.answered();
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

//! The body of a streamed answer: a state machine that the client's connection polls, and that polls the
//! provider's. No task and no channel stand between them, so a slow client slows the provider down, and a client
//! that leaves drops this body and with it the provider's connection, at once; or, where the account asks for that,
//! leaves it to be read to its end: see [`super::departure`].

use super::Gateway;
use super::lease::Lease;
use super::recall;
use super::record::Record;
use super::screen;
use super::tape::Tape;
use super::ticks::Ticks;
use crate::error::GatewayError;
use crate::upstream::Incoming;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, join};
use http_body::{Body, Frame};
use llm::{ErrorKind, FinishReason, Pump, UpstreamError};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use thiserror::Error;
use tokio::time::{Instant, Sleep, sleep_until};

/// After its last event a provider may take this long to end its body; in time, the connection can be used again.
const GRACE: Duration = Duration::from_secs(1);

/// When the gateway itself ended an answer, at a stop sequence or in front of personal data, this is how long the
/// provider may go on until it says what it used.
const DRAIN: Duration = Duration::from_secs(2);

/// An answer that has no words for an error ends before its end, so that nobody takes what came for all of it.
#[derive(Debug, Error)]
#[error("the answer broke off")]
pub struct BrokenOff;

pub struct Relay {
    gateway: Arc<Gateway>,
    /// Absent once nothing more of it is wanted; dropping it closes the provider's connection.
    body: Option<Incoming>,
    pump: Box<Pump>,
    /// Instead of an end, the client is to get an error of its connection.
    broken: bool,
    /// What the client has not taken yet: `ready[next..]`.
    ready: Vec<Bytes>,
    next: usize,
    /// Since when the provider has been silent while the client was waiting.
    silent_since: Option<Instant>,
    /// Set for some time in the future and moved only when it fires too early: resetting a timer per chunk costs
    /// more than the chunk.
    timer: Pin<Box<Sleep>>,
    deadline: Instant,
    /// Until the last of them is said; absent when the client asked for none.
    ticks: Option<Ticks>,
    /// What has to be done before the client may have the end of its answer.
    keeping: Option<BoxFuture<'static, ()>>,
    /// Until the stream is complete, or too long; absent when nobody else may want it.
    tape: Option<Tape>,
    lease: Lease,
    request_id: String,
    record: Record,
}

// === impl Relay ===

impl Relay {
    pub fn new(
        gateway: &Arc<Gateway>,
        (body, pump, ready): (Incoming, Box<Pump>, Vec<Bytes>),
        deadline: Instant,
        ticks: Option<Ticks>,
        lease: Lease,
        request_id: &str,
        mut record: Record,
    ) -> Self {
        record.first_event();
        let first = (Instant::now() + gateway.upstream.idle()).min(deadline);
        let mut relay = Self {
            gateway: gateway.clone(),
            body: Some(body),
            pump,
            broken: false,
            ready,
            next: 0,
            silent_since: None,
            timer: Box::pin(sleep_until(first)),
            deadline,
            ticks,
            keeping: None,
            tape: None,
            lease,
            request_id: request_id.to_owned(),
            record,
        };
        // the first bytes may already hold the end of it all
        relay.keep();
        relay.tick();
        relay.look_for_error();
        relay.look_for_end();
        relay
    }

    /// The same, recorded on its way.
    pub fn recording(mut self, tape: Option<Tape>) -> Self {
        self.tape = tape;
        self.record_end();
        self
    }

    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The provider has not said yet what all of it costs, and may.
    pub fn has_more(&self) -> bool {
        let progress = self.pump.progress();
        self.body.is_some() && !(progress.ended && progress.usage.output_total.is_some())
    }

    fn push(&mut self, chunk: Bytes) {
        self.silent_since = None;
        self.pump.tick(self.lease.started.elapsed());
        self.pump.push(chunk, &mut self.ready);
        self.keep();
        if self.stopped() {
            self.deadline = self.deadline.min(Instant::now() + DRAIN);
        }
        self.tick();
        self.look_for_error();
        self.record_end();
    }

    /// A client that was told how long the answer is takes the last byte and asks for nothing after it.
    fn look_for_end(&mut self) {
        // over HTTP/2 the end may come in a frame of its own, for which nobody asks any more
        let is_over = |body: &Incoming| body.is_end_stream() || body.size_hint().exact() == Some(0);
        if self.body.as_ref().is_some_and(is_over) {
            self.finish();
        }
    }

    /// The provider closed its body.
    fn finish(&mut self) {
        self.pump.finish(&mut self.ready);
        self.keep();
        self.tick();
        self.look_for_error();
        self.record_end();
        if self.body.is_some() {
            self.succeed();
        }
    }

    /// The client's next request may follow at once, and has to find what this answer held.
    fn keep(&mut self) {
        let kept = self.pump.take_kept();
        if let Some(keeping) = recall::keeping(&self.gateway, self.record.key_id(), kept) {
            self.keeping = Some(keeping);
        }
    }

    /// Once the client's answer is complete, so is the record of it: the client may send the same request at once.
    fn record_end(&mut self) {
        let progress = self.pump.progress();
        if progress.error.is_some() {
            self.tape = None;
        }
        if !progress.ended {
            return;
        }
        let Some(tape) = self.tape.take() else { return };
        let mut left = self.ready[self.next..].iter();
        let Some(tape) = left.try_fold(tape, Tape::with) else {
            return;
        };
        let ending = tape.end(progress);
        self.keeping = Some(match self.keeping.take() {
            Some(keeping) => join(keeping, ending).map(|_| ()).boxed(),
            None => ending,
        });
    }

    /// Between two chunks of the pump's is always a border between two events.
    fn tick(&mut self) {
        let progress = self.pump.progress();
        if progress.error.is_some() {
            self.ticks = None;
        } else if progress.ended {
            if let Some(ticks) = self.ticks.take() {
                ticks.finish(progress, &mut self.ready);
            }
        } else {
            let due = self.ticks.as_mut().and_then(|ticks| ticks.due(progress));
            self.ready.extend(due);
        }
    }

    /// An error inside the stream has been put into the client's dialect by the pump; nothing follows it.
    fn look_for_error(&mut self) {
        if let Some(error) = self.pump.progress().error.clone() {
            self.end_with(&error);
        }
    }

    /// The stream cannot go on for a reason that the pump does not know.
    fn fail(&mut self, error: UpstreamError) {
        let public = GatewayError::Upstream(error.clone()).public(&self.request_id);
        self.pump.fail(&public, &mut self.ready);
        self.end_with(&error);
    }

    fn end_with(&mut self, error: &UpstreamError) {
        self.lease.fail(&self.gateway, error);
        self.record.broke_off(error);
        self.broken = !self.pump.has_words();
        self.end();
    }

    fn succeed(&mut self) {
        self.lease.succeed(&self.gateway);
        self.record.answered();
        self.end();
    }

    fn end(&mut self) {
        self.body = None;
    }

    fn take_ready(&mut self) -> Option<Bytes> {
        let chunk = std::mem::take(self.ready.get_mut(self.next)?);
        self.tape = self.tape.take().and_then(|tape| tape.with(&chunk));
        self.record.sent(&chunk);
        self.next += 1;
        if self.next == self.ready.len() {
            self.ready.clear();
            self.next = 0;
        }
        Some(chunk)
    }

    /// Ready when the provider has been silent for too long, or the whole request has taken too long. Only time
    /// spent waiting for the provider counts: while the client is not reading, nobody is waiting.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let since = *self.silent_since.get_or_insert_with(Instant::now);
        let patience = if self.pump.progress().ended {
            GRACE
        } else {
            self.gateway.upstream.idle()
        };
        let due = (since + patience).min(self.deadline);
        if due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.timer.deadline() >= due {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(due);
        }
    }

    /// The client has all of its answer.
    fn complete(&self) -> bool {
        self.pump.progress().ended || self.stopped()
    }

    fn stopped(&self) -> bool {
        let finish = self.pump.progress().finish.as_ref();
        finish.is_some_and(|finish| {
            matches!(
                finish.reason,
                FinishReason::StopSequence | FinishReason::ContentFilter
            )
        })
    }

    fn run_out_of_patience(&mut self) {
        if self.complete() {
            self.finish();
        } else if Instant::now() >= self.deadline {
            self.fail(UpstreamError::new(
                ErrorKind::Timeout,
                "the stream took longer than a request may take",
            ));
        } else {
            self.fail(UpstreamError::new(
                ErrorKind::Timeout,
                "the provider fell silent inside its stream",
            ));
        }
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = &mut *self;
        loop {
            if let Some(keeping) = &mut this.keeping {
                ready!(keeping.as_mut().poll(cx));
                this.keeping = None;
            }
            if let Some(chunk) = this.take_ready() {
                return Poll::Ready(Some(Ok(Frame::data(chunk))));
            }
            let Some(body) = &mut this.body else {
                return Poll::Ready(std::mem::take(&mut this.broken).then_some(Err(BrokenOff)));
            };
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(chunk) = frame.into_data() {
                        this.push(chunk);
                    }
                    this.look_for_end();
                }
                Poll::Ready(Some(Err(_))) if this.complete() => this.finish(),
                Poll::Ready(Some(Err(_))) => {
                    let text = "the connection to the provider broke inside its stream";
                    this.fail(UpstreamError::new(ErrorKind::StreamIncomplete, text));
                }
                Poll::Ready(None) => this.finish(),
                Poll::Pending => {
                    if let Some(ticks) = &mut this.ticks
                        && let Poll::Ready(event) = ticks.poll(this.pump.progress(), cx)
                    {
                        this.ready.push(event);
                        continue;
                    }
                    ready!(this.poll_patience(cx));
                    this.run_out_of_patience();
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none() && self.ready.is_empty() && !self.broken
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.record.observe(self.pump.progress());
        screen::note_reply(&self.request_id, self.pump.progress());
    }
}

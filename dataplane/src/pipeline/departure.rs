//! What becomes of a call whose client has left.
//!
//! By default it ends with its client: whoever drops what the client was to get drops the provider's connection. An
//! account may be set to `drain` instead. A task of its own then reads on to the end, within bounds, and throws away
//! what it reads, so that the record has what the provider says it used. Until then the call holds its place at the
//! account as if somebody listened, because the provider works on it; the place among the requests of its API key is
//! free at once, because the key's owner has nothing of it any more.
//!
//! Nothing is begun for a client that has left: a call that fails then is the last one. What was read to its end may be
//! given to a client that asks again, as any answer.

use super::relay::Relay;
use super::{Arrival, Gateway, answer};
use crate::config::UpstreamConfig;
use crate::metrics::Drained;
use crate::routing::Connection;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, join, ready};
use http_body::Frame;
use http_body_util::BodyExt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What is read on just now.
pub struct Departures {
    tracker: TaskTracker,
    stop: CancellationToken,
    places: Arc<Semaphore>,
    time: Duration,
    bytes: usize,
}

/// Whether the client of one request has left, and whether its call is worth more than its client.
#[derive(Debug, Default)]
pub struct Departure {
    left: OnceLock<Instant>,
    /// What runs at a provider now is at an account that is read to the end.
    drains: AtomicBool,
}

/// A request on its way to an answer. Dropped before, it goes on without its client, or ends.
pub struct Staying {
    gateway: Arc<Gateway>,
    departure: Arc<Departure>,
    request: String,
    running: Option<BoxFuture<'static, Response>>,
}

/// A stream on its way to its client. Dropped before its end, it goes on without it, or ends.
pub struct Attended(Option<Relay>);

// === impl Departures ===

impl Departures {
    pub fn new(config: &UpstreamConfig) -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            places: Arc::new(Semaphore::new(config.drain_at_once.min(Semaphore::MAX_PERMITS))),
            time: config.drain(),
            bytes: config.drain_bytes,
        }
    }

    /// Lets everything go on until `at`, and ends it then. To be called when no request can come any more.
    pub async fn end(&self, at: Instant) {
        self.tracker.close();
        if timeout_at(at, self.tracker.wait()).await.is_err() {
            tracing::warn!(
                answers = self.tracker.len(),
                "answers whose clients had left were not read to their end"
            );
        }
        self.stop.cancel();
        self.tracker.wait().await;
    }

    /// Reads `rest` in the background. Where that cannot be it is dropped, and with it the call.
    fn read_on(
        &self,
        gateway: &Arc<Gateway>,
        request: String,
        rest: impl Future<Output = Body> + Send + 'static,
    ) {
        // without a runtime the process is ending
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if self.stop.is_cancelled() {
            return gateway.metrics.drained(Drained::Stopped);
        }
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return gateway.metrics.drained(Drained::Crowded);
        };
        let (gateway, stop, time, bytes) = (gateway.clone(), self.stop.clone(), self.time, self.bytes);
        runtime.spawn(self.tracker.track_future(async move {
            let _counted = gateway.metrics.drain_begins();
            let leaving = gateway.admissions.leave(&request);
            let reading = async { read(rest.await, bytes).await };
            let drained = tokio::select! {
                biased;
                ((), drained) = join(leaving, reading) => drained,
                () = stop.cancelled() => Drained::Stopped,
                () = sleep(time) => Drained::Late,
            };
            gateway.metrics.drained(drained);
            drop(place);
        }));
    }
}

// === impl Departure ===

impl Departure {
    /// When the client left, if its call went on.
    pub fn at(&self) -> Option<Instant> {
        self.left.get().copied()
    }

    /// A call to this account is under way. Of two at a time the later one decides.
    pub fn waits_for(&self, connection: &Connection) {
        self.drains.store(connection.drains, Ordering::Relaxed);
    }

    /// The call came to nothing.
    pub fn waits_for_nothing(&self) {
        self.drains.store(false, Ordering::Relaxed);
    }

    /// The client has left; whether the call goes on. It does once: what is cut off later has had its time.
    fn goes_on(&self) -> bool {
        // what was dropped by a panic cannot be trusted to go on
        self.drains.load(Ordering::Relaxed) && !thread::panicking() && self.left.set(Instant::now()).is_ok()
    }
}

// === impl Staying ===

impl Staying {
    pub fn new(gateway: &Arc<Gateway>, arrival: Arrival) -> Self {
        let departure = Arc::<Departure>::default();
        let (shared, noted, request) = (gateway.clone(), departure.clone(), arrival.id.to_string());
        Self {
            gateway: gateway.clone(),
            departure,
            request,
            running: Some(async move { answer(&shared, arrival, Some(noted)).await }.boxed()),
        }
    }
}

impl Future for Staying {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        let Some(running) = &mut self.running else {
            return Poll::Pending;
        };
        let answered = running.poll_unpin(cx);
        if answered.is_ready() {
            self.running = None;
        }
        answered
    }
}

impl Drop for Staying {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        if self.departure.goes_on() {
            let rest = running.map(Response::into_body);
            let request = std::mem::take(&mut self.request);
            self.gateway.departures.read_on(&self.gateway, request, rest);
        }
    }
}

// === impl Attended ===

impl Attended {
    pub fn new(relay: Relay) -> Self {
        Self(Some(relay))
    }
}

impl http_body::Body for Attended {
    type Data = Bytes;
    type Error = <Relay as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.0 {
            Some(relay) => Pin::new(relay).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(http_body::Body::is_end_stream)
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        let Some(relay) = self.0.take() else { return };
        let departure = relay.record().departure().filter(|_| relay.has_more());
        if departure.is_some_and(|departure| departure.goes_on()) {
            let (gateway, request) = (relay.gateway().clone(), relay.record().request_id().to_owned());
            gateway
                .departures
                .read_on(&gateway, request, ready(Body::new(relay)));
        }
    }
}

// === functions ===

/// To the end, or as far as it may be read.
async fn read(mut body: Body, most: usize) -> Drained {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > most {
            return Drained::TooLarge;
        }
    }
    Drained::Read
}

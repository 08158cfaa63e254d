//! Sends what the spool holds to a control plane, and forgets it when the control plane has it.
//!
//! One batch is on its way at a time. Whatever breaks, sending starts over at the last acknowledged event; the
//! control plane's cursor makes repetition harmless.

use super::captures::Captures;
use super::spool::{Spool, SpoolError};
use super::tail::{BATCH_EVENTS, Batch, Tail};
use crate::control::ControlPlanes;
use proto::v1::{UsageAck, UsageBatch};
use runtime::backoff::Backoff;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

/// How long a few events wait for more to share their batch.
const LINGER: Duration = Duration::from_millis(250);
const ACK_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const BACKOFF_MIN: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(15);

#[derive(Debug, Error)]
enum ReportError {
    #[error("no control plane answers")]
    Connect,
    #[error("the control plane ended the stream: {}", .0.message())]
    Status(#[from] Status),
    #[error("the control plane closed the stream")]
    Closed,
    #[error("the control plane did not acknowledge a batch in {} s", ACK_TIMEOUT.as_secs())]
    Unacknowledged,
    #[error("the control plane acknowledged only up to {0}")]
    Incomplete(u64),
    #[error("the spool starts over under a new id")]
    Renewed,
    #[error("cannot read the spool")]
    Read(#[from] io::Error),
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// A stream to one control plane.
struct Link {
    batches: mpsc::Sender<UsageBatch>,
    acks: Streaming<UsageAck>,
}

/// Runs until `flush` is cancelled and everything is acknowledged, or cannot be. Cancel it when no request can end
/// any more; what is not acknowledged then stays in the spool for the next start.
///
/// What was captured of requests goes along with the batches, and with them alone.
pub async fn report(
    spool: Spool,
    captures: Arc<Captures>,
    control: ControlPlanes,
    data_plane_id: String,
    flush: CancellationToken,
) {
    let mut backoff = Backoff::full_jitter(BACKOFF_MIN, BACKOFF_MAX);
    let mut failing = false;
    loop {
        let mut acknowledged = || {
            backoff.reset();
            failing = false;
        };
        let sent = send(
            (&spool, &captures),
            &control,
            &data_plane_id,
            &flush,
            &mut acknowledged,
        );
        let Err(error) = sent.await else {
            return;
        };
        if flush.is_cancelled() {
            let pending = spool.vitals().pending;
            tracing::warn!(%error, pending, "usage events stay in the spool for the next start");
            return;
        }
        // once per outage
        if !failing {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot report usage, retrying"
            );
        }
        failing = true;
        tokio::select! {
            () = sleep(backoff.next_delay()) => {}
            () = flush.cancelled() => {}
        }
    }
}

/// Sends from the last acknowledged event on, over one stream that is opened for the first batch.
async fn send(
    (spool, captures): (&Spool, &Arc<Captures>),
    control: &ControlPlanes,
    data_plane_id: &str,
    flush: &CancellationToken,
    acknowledged: &mut impl FnMut(),
) -> Result<(), ReportError> {
    let mut tail = Tail::new(spool.clone());
    let mut link: Option<Link> = None;
    while events_are_due(spool, flush).await {
        let (tail_back, batch) = read(tail).await?;
        tail = tail_back;
        let Some(batch) = batch else {
            // whatever is pending lies in a damaged part, which has been reported
            let (last, end) = tail.end();
            spool.acknowledge(last, end)?;
            continue;
        };
        let (spool_id, last, end) = (batch.spool_id, batch.last, batch.end);
        let mut message = batch.into_message(data_plane_id);
        let open = match &mut link {
            Some(link) => link,
            none => none.insert(Link::open(control).await?),
        };
        // only now: what is taken and cannot be sent is lost
        message.sealed_captures = captures.take_aside(spool_id).await;
        let ack = open.exchange(message).await?;
        if ack.durable_seq >= spool.next_sequence() {
            tracing::error!(%spool_id, known = ack.durable_seq, "the spool is older than what was reported from it");
            spool.renew()?;
            return Err(ReportError::Renewed);
        }
        if ack.durable_seq < last {
            return Err(ReportError::Incomplete(ack.durable_seq));
        }
        if !ack.reject.is_empty() {
            tracing::error!(%spool_id, last, reason = ack.reject, "a control plane set usage events aside as unreadable");
        }
        spool.acknowledge(ack.durable_seq, end)?;
        acknowledged();
        sleep(Duration::from_millis(ack.slow_down_ms.into())).await;
    }
    Ok(())
}

// === impl Link ===

impl Link {
    async fn open(control: &ControlPlanes) -> Result<Self, ReportError> {
        let (batches, outgoing) = mpsc::channel(1);
        let mut client = control.client();
        let opening = client.report_usage(ReceiverStream::new(outgoing));
        let acks = timeout(CONNECT_TIMEOUT, opening)
            .await
            .map_err(|_| ReportError::Connect)??
            .into_inner();
        Ok(Self { batches, acks })
    }

    async fn exchange(&mut self, batch: UsageBatch) -> Result<UsageAck, ReportError> {
        // a closed stream says why in its acks
        let sent = self.batches.send(batch).await;
        let ack = timeout(ACK_TIMEOUT, self.acks.message())
            .await
            .map_err(|_| ReportError::Unacknowledged)??;
        sent.map_err(|_| ReportError::Closed)?;
        ack.ok_or(ReportError::Closed)
    }
}

/// Waits until there is something to send, and a moment more for it to become a full batch. False when there is
/// nothing and `flush` asks for the end.
async fn events_are_due(spool: &Spool, flush: &CancellationToken) -> bool {
    while spool.vitals().pending == 0 {
        tokio::select! {
            biased;
            () = spool.ended() => {}
            () = flush.cancelled() => return spool.vitals().pending > 0,
        }
    }
    let full = async {
        while spool.vitals().pending < BATCH_EVENTS as u64 {
            spool.ended().await;
        }
    };
    tokio::select! {
        () = full => {}
        () = sleep(LINGER) => {}
        () = flush.cancelled() => {}
    }
    true
}

/// Off the threads that serve requests: reading may wait for the disk.
async fn read(mut tail: Tail) -> io::Result<(Tail, Option<Batch>)> {
    let reading = tokio::task::spawn_blocking(move || tail.next().map(|batch| (tail, batch)));
    reading.await.map_err(io::Error::other)?
}

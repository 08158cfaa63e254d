//! What data planes did, into Postgres, exactly once.
//!
//! A batch and the cursor of its spool commit together. A batch that comes again, whole or in part, is recognised
//! by the cursor; a hole before it is written down as a gap; one that cannot be read is set aside, so that it never
//! blocks what comes after it.

mod batch;
mod columns;
mod store;

use futures::{Stream, stream};
use proto::v1::{UsageAck, UsageBatch};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

pub use self::store::{Ingest, IngestError, is_transient};

/// Stores batch after batch and acknowledges each once it is durable. A failure ends the stream; the data plane
/// sends again what was not acknowledged.
pub fn acknowledge(
    ingest: Ingest,
    batches: Streaming<UsageBatch>,
    stop: CancellationToken,
) -> impl Stream<Item = Result<UsageAck, Status>> + Send {
    stream::try_unfold(
        (ingest, batches, stop),
        |(ingest, mut batches, stop)| async move {
            let Some(received) = stop.run_until_cancelled(batches.message()).await else {
                return Err(Status::unavailable("this control plane is stopping"));
            };
            let Some(batch) = received? else { return Ok(None) };
            let ack = ingest.store(&batch).await?;
            Ok(Some((ack, (ingest, batches, stop))))
        },
    )
}

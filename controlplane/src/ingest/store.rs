//! One transaction per batch, serialised per spool by the lock on its cursor.

use chrono::Utc;
use proto::v1::{UsageAck, UsageBatch};
use sqlx::{PgConnection, PgPool};
use thiserror::Error;
use tonic::Status;
use uuid::Uuid;

use super::{
    batch::{self, Event, Unreadable},
    columns,
};
use crate::{
    arrivals::{self, Arrivals, Stored},
    bodies::Bodies,
    db::Db,
};

/// Attempts at one batch when Postgres asks for the transaction to be repeated.
const ATTEMPTS: usize = 5;
const SERIALIZATION_FAILURE: &str = "40001";
const DEADLOCK_DETECTED: &str = "40P01";

#[derive(Debug, Error)]
pub enum IngestError {
    #[error("a batch needs a UUID as spool_id, a printable data_plane_id, and sequences from 1 on in order")]
    Address,
    #[error("the database cannot take usage")]
    Database(#[from] sqlx::Error),
}

/// Stores batches. Clones share the database.
#[derive(Clone)]
pub struct Ingest {
    pool: PgPool,
    bodies: Option<Bodies>,
    arrivals: Option<Arrivals>,
}

// === impl Ingest ===

impl Ingest {
    pub fn new(db: &Db) -> Self {
        Self {
            pool: db.pool().clone(),
            bodies: None,
            arrivals: None,
        }
    }

    /// Also stores the bodies that come with batches.
    pub fn with_bodies(self, bodies: Bodies) -> Self {
        Self {
            bodies: Some(bodies),
            ..self
        }
    }

    /// Also tells this process of what is stored, where the database does not.
    pub fn telling(self, arrivals: Arrivals) -> Self {
        Self {
            arrivals: Some(arrivals),
            ..self
        }
    }

    /// Returns when the batch is durable, or was before, or is set aside because it cannot be read.
    pub async fn store(&self, batch: &UsageBatch) -> Result<UsageAck, IngestError> {
        let spool_id = Uuid::try_parse(&batch.spool_id).map_err(|_| IngestError::Address)?;
        let sequences = 1..=i64::MAX.cast_unsigned();
        if !sequences.contains(&batch.first_seq)
            || !sequences.contains(&batch.last_seq)
            || batch.first_seq > batch.last_seq
            || batch.data_plane_id.contains('\0')
        {
            return Err(IngestError::Address);
        }
        let mut content = batch::read(batch);
        let mut attempt = 1;
        loop {
            match self.try_store(spool_id, batch, &content).await {
                Ok(ack) => {
                    self.store_bodies(batch).await;
                    return Ok(ack);
                }
                Err(error) if is_transient(&error) && attempt < ATTEMPTS => attempt += 1,
                // a value that Postgres cannot hold will not fit next time either
                Err(error) if content.is_ok() && is_about_data(&error) => {
                    content = Err(Unreadable::Value(error.to_string()));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What was used is stored by now, and nothing that is wrong with bodies changes that.
    async fn store_bodies(&self, batch: &UsageBatch) {
        let Some(bodies) = self.bodies.as_ref().filter(|_| !batch.sealed_captures.is_empty()) else {
            return;
        };
        if let Err(error) = bodies.store(&batch.spool_id, &batch.sealed_captures).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                data_plane = batch.data_plane_id,
                error,
                "bodies of requests are lost"
            );
        }
    }

    async fn try_store(
        &self,
        spool_id: Uuid,
        batch: &UsageBatch,
        content: &Result<Vec<Event>, Unreadable>,
    ) -> Result<UsageAck, sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        let known = lock_cursor(&mut tx, spool_id, batch).await?;
        let spool = batch.spool_id.clone();
        if batch.last_seq <= known {
            return Ok(UsageAck {
                spool_id: spool,
                durable_seq: known,
                ..UsageAck::default()
            });
        }
        if batch.first_seq > known + 1 {
            record_gap(&mut tx, spool_id, known + 1, batch.first_seq - 1).await?;
        }
        let mut stored = Vec::new();
        let reject = match content {
            Ok(events) => {
                let fresh = events.partition_point(|event| event.event.seq <= known);
                let events = &events[fresh..];
                columns::make_room(&mut tx, events, Utc::now()).await?;
                columns::insert(&mut tx, spool_id, &batch.data_plane_id, events).await?;
                stored = Stored::all(
                    events
                        .iter()
                        .map(|event| (event.request_id, event.event.started_at_ms)),
                );
                arrivals::tell(&mut tx, &stored).await?;
                String::new()
            }
            Err(reason) => {
                let reason = format!("the batch {reason}");
                set_aside(&mut tx, spool_id, batch, &reason).await?;
                reason
            }
        };
        advance_cursor(&mut tx, spool_id, batch.last_seq).await?;
        tx.commit().await?;
        if let Some(arrivals) = &self.arrivals {
            arrivals.committed(stored);
        }
        if !reject.is_empty() {
            let (first, last) = (batch.first_seq, batch.last_seq);
            tracing::error!(data_plane = batch.data_plane_id, %spool_id, first, last, reject, "usage is set aside");
        }
        Ok(UsageAck {
            spool_id: spool,
            durable_seq: batch.last_seq,
            slow_down_ms: 0,
            reject,
        })
    }
}

// === impl IngestError ===

impl From<IngestError> for Status {
    fn from(error: IngestError) -> Self {
        match &error {
            IngestError::Address => Self::invalid_argument(error.to_string()),
            IngestError::Database(cause) => {
                // the data plane logs the status once per outage; the cause is for whoever runs the database
                tracing::warn!(error = cause as &dyn std::error::Error, "usage was not stored");
                Self::unavailable(error.to_string())
            }
        }
    }
}

/// The last stored sequence. Whoever reports the same spool next waits here.
/// The last sequence that is stored of this spool. One that took a new id goes on in the middle of its sequences, so
/// nothing is missing before the first batch under an id.
async fn lock_cursor(
    conn: &mut PgConnection,
    spool_id: Uuid,
    batch: &UsageBatch,
) -> Result<u64, sqlx::Error> {
    sqlx::query!(
        "insert into usage_cursor (spool_id, data_plane_id, last_seq) values ($1, $2, $3) on conflict do nothing",
        spool_id,
        batch.data_plane_id,
        (batch.first_seq - 1).cast_signed()
    )
    .execute(&mut *conn)
    .await?;
    let known = sqlx::query_scalar!(
        "select last_seq from usage_cursor where spool_id = $1 for update",
        spool_id
    )
    .fetch_one(&mut *conn)
    .await?;
    Ok(known.cast_unsigned())
}

async fn advance_cursor(conn: &mut PgConnection, spool_id: Uuid, last: u64) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update usage_cursor set last_seq = $2, seen_at = now() where spool_id = $1",
        spool_id,
        last.cast_signed()
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn record_gap(conn: &mut PgConnection, spool_id: Uuid, from: u64, to: u64) -> Result<(), sqlx::Error> {
    tracing::error!(%spool_id, from, to, "usage events never arrived");
    sqlx::query!(
        "insert into usage_gap (spool_id, from_seq, to_seq) values ($1, $2, $3)",
        spool_id,
        from.cast_signed(),
        to.cast_signed()
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn set_aside(
    conn: &mut PgConnection,
    spool_id: Uuid,
    batch: &UsageBatch,
    reason: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into usage_quarantine (spool_id, first_seq, last_seq, reason, payload) values ($1, $2, $3, $4, $5)",
        spool_id,
        batch.first_seq.cast_signed(),
        batch.last_seq.cast_signed(),
        reason,
        batch.zstd_events.as_ref()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether Postgres asks for the transaction to be repeated.
pub fn is_transient(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| matches!(code.as_ref(), SERIALIZATION_FAILURE | DEADLOCK_DETECTED))
}

/// SQLSTATE classes 22 (data exception) and 23 (integrity constraint).
fn is_about_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

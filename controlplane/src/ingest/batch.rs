//! Reads a batch, trusting nothing.

use std::io::Read;

use prost::Message;
use proto::v1::{UsageBatch, UsageEvent, UsageEvents};
use thiserror::Error;
use uuid::Uuid;

/// A batch has at most a few hundred events of at most 64 KiB, and in practice of 300 bytes.
const MAX_DECOMPRESSED_BYTES: u64 = 64 << 20;

/// Why a batch can never be stored, however often it is sent.
#[derive(Debug, Error)]
pub(super) enum Unreadable {
    #[error("the checksum does not match")]
    Checksum,
    #[error("cannot be decompressed: {0}")]
    Compression(#[from] std::io::Error),
    #[error("is larger than {} MiB", MAX_DECOMPRESSED_BYTES >> 20)]
    TooLarge,
    #[error("is not a list of events: {0}")]
    Decode(#[from] prost::DecodeError),
    #[error("does not hold the events {first} to {last} that it announces")]
    Sequence { first: u64, last: u64 },
    #[error("event {0} has no UUID as request_id")]
    RequestId(u64),
    #[error("the database cannot hold it: {0}")]
    Value(String),
}

/// One event with the id it is stored under.
pub(super) struct Event {
    pub request_id: Uuid,
    pub event: UsageEvent,
}

/// The events of a batch, one for each of its sequences, in order.
pub(super) fn read(batch: &UsageBatch) -> Result<Vec<Event>, Unreadable> {
    if crc32c::crc32c(&batch.zstd_events) != batch.crc32c {
        return Err(Unreadable::Checksum);
    }
    let mut bytes = Vec::new();
    let decoder = zstd::Decoder::new(batch.zstd_events.as_ref())?;
    decoder.take(MAX_DECOMPRESSED_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_DECOMPRESSED_BYTES {
        return Err(Unreadable::TooLarge);
    }
    let UsageEvents { events } = UsageEvents::decode(bytes.as_slice())?;
    let announced = batch.first_seq..=batch.last_seq;
    if !events.iter().map(|event| event.seq).eq(announced) {
        return Err(Unreadable::Sequence {
            first: batch.first_seq,
            last: batch.last_seq,
        });
    }
    events.into_iter().map(Event::try_from).collect()
}

// === impl Event ===

impl TryFrom<UsageEvent> for Event {
    type Error = Unreadable;

    fn try_from(event: UsageEvent) -> Result<Self, Unreadable> {
        let request_id = Uuid::try_parse(&event.request_id).map_err(|_| Unreadable::RequestId(event.seq))?;
        Ok(Self { request_id, event })
    }
}

//! Reads a spool in batches, from the last acknowledged event on.
//!
//! Events stay encoded from the request that ended to the control plane that stores it: the data plane serves requests
//! on the same cores.

use super::record::Kind;
use super::segment::Segment;
use super::spool::{Outlook, Position, Spool};
use bytes::Bytes;
use prost::Message;
use proto::v1::{EncodedUsageEvents, UsageBatch};
use std::io;
use uuid::Uuid;

pub(super) const BATCH_EVENTS: usize = 1024;
/// More than the largest record, so that every read makes progress.
const READ_BYTES: u64 = 512 * 1024;
/// The fast end: batches are small and sent once.
const ZSTD_LEVEL: i32 = 1;

/// A reading position. Batches come out in order and without holes, except where a segment was damaged.
pub(super) struct Tail {
    spool: Spool,
    at: Position,
    /// The last event there was when it was last read.
    seen: u64,
}

pub(super) struct Batch {
    pub spool_id: Uuid,
    pub first: u64,
    pub last: u64,
    /// `zstd(UsageEvents)`.
    zstd_events: Bytes,
    /// Where the next batch starts.
    pub end: Position,
}

// === impl Tail ===

impl Tail {
    pub(super) fn new(spool: Spool) -> Self {
        Self {
            spool,
            at: Position::default(),
            seen: 0,
        }
    }

    /// The last event there was when [`Tail::next`] found no more, and the place behind it.
    pub(super) fn end(&self) -> (u64, Position) {
        (self.seen, self.at)
    }

    /// The next events. Blocks on the disk.
    pub(super) fn next(&mut self) -> io::Result<Option<Batch>> {
        let outlook = self.spool.outlook();
        self.seen = outlook.next - 1;
        let reached = self.at.segment;
        for segment in outlook.segments.iter().filter(|segment| segment.first >= reached) {
            if self.at.segment != segment.first {
                self.at = Position {
                    segment: segment.first,
                    offset: 0,
                };
            }
            if let Some(batch) = self.next_of(segment, &outlook)? {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn next_of(&mut self, segment: &Segment, outlook: &Outlook) -> io::Result<Option<Batch>> {
        while self.at.offset < segment.bytes {
            let (records, end) = segment.read_from(self.at.offset, READ_BYTES)?;
            if records.is_empty() {
                tracing::error!(
                    segment = %segment.path.display(),
                    offset = self.at.offset,
                    bytes = segment.bytes - end,
                    "usage events are lost: a segment of the spool is damaged"
                );
                self.at.offset = segment.bytes;
                return Ok(None);
            }
            let mut offset = end - records.iter().map(|record| record.len() as u64).sum::<u64>();
            let mut events = Vec::new();
            let (mut first, mut last) = (0, 0);
            for record in &records {
                offset += record.len() as u64;
                if record.kind != Kind::End || record.sequence <= outlook.acknowledged {
                    continue;
                }
                if events.is_empty() {
                    first = record.sequence;
                }
                last = record.sequence;
                events.push(record.encoded_event());
                if events.len() == BATCH_EVENTS {
                    break;
                }
            }
            self.at.offset = offset;
            if events.is_empty() {
                continue;
            }
            return Ok(Some(Batch {
                spool_id: outlook.id,
                first,
                last,
                zstd_events: compress(events)?,
                end: self.at,
            }));
        }
        Ok(None)
    }
}

// === impl Batch ===

impl Batch {
    /// The batch as it travels.
    pub(super) fn into_message(self, data_plane_id: &str) -> UsageBatch {
        UsageBatch {
            data_plane_id: data_plane_id.to_owned(),
            spool_id: self.spool_id.to_string(),
            first_seq: self.first,
            last_seq: self.last,
            crc32c: crc32c::crc32c(&self.zstd_events),
            zstd_events: self.zstd_events,
            ..UsageBatch::default()
        }
    }
}

fn compress(events: Vec<Bytes>) -> io::Result<Bytes> {
    let events = EncodedUsageEvents { events }.encode_to_vec();
    Ok(zstd::bulk::compress(&events, ZSTD_LEVEL)?.into())
}

//! What a spool is made of: its segments, the requests that are open, and the records that wait to be written.

use super::super::record::{Kind, MAX_PAYLOAD_BYTES, Record};
use super::super::segment::{Segment, Writer};
use super::{Ended, Position, SpoolConfig};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use uuid::Uuid;

/// What was not settled when a process died ended moments before.
const MAX_ENDED: usize = 10_000;

/// Of what cannot be written this much waits for the disk to come back; the rest is dropped and counted.
const MAX_UNWRITTEN_BYTES: usize = 4 << 20;

pub(super) struct State {
    config: SpoolConfig,
    pub id: Uuid,
    /// Oldest first, never empty; the last one is written.
    pub segments: VecDeque<Segment>,
    /// Absent after a failure, until the file could be opened again.
    writer: Option<Writer>,
    /// The size at which the written segment is full.
    full_at: u64,
    /// Requests that began and did not end, as they would be accounted.
    pub open: HashMap<String, Bytes>,
    /// The sequence of the next event.
    pub next: u64,
    /// The sequence of the next event that is written.
    next_written: u64,
    /// Records that were gathered since the spool was opened, and how many of them are written.
    pub appended: u64,
    pub written: u64,
    /// What is gathered.
    unwritten: Vec<u8>,
    /// The last write did not succeed.
    failing: bool,
    pub acknowledged: u64,
    pub acknowledged_at: Position,
    pub dropped: u64,
    /// The last ones that were found when the spool was opened.
    pub ended: VecDeque<Ended>,
}

// === impl State ===

impl State {
    pub(super) fn recover(id: Uuid, config: SpoolConfig) -> io::Result<(Self, u64)> {
        let mut segments = VecDeque::from(Segment::list(&config.dir)?);
        let mut open = HashMap::new();
        let mut ended = VecDeque::new();
        let mut damaged_bytes = 0;
        let mut next = 1;
        for segment in &mut segments {
            let scan = segment.scan()?;
            for record in &scan.records {
                let Ok(event) = record.event() else { continue };
                match record.kind {
                    Kind::Begin => drop(open.insert(event.request_id, record.payload.clone())),
                    Kind::End => {
                        open.remove(&event.request_id);
                        ended.extend(Ended::of(&event));
                        if ended.len() > MAX_ENDED {
                            ended.pop_front();
                        }
                        segment.next = record.sequence + 1;
                    }
                }
            }
            segment.bytes = scan.valid_bytes;
            next = next.max(segment.next);
            if let Some(damage) = scan.damage {
                let bytes = scan.file_bytes - scan.valid_bytes;
                damaged_bytes += bytes;
                tracing::warn!(segment = %segment.path.display(), %damage, bytes, "the rest of a segment is unreadable");
            }
        }
        if segments.is_empty() {
            segments.push_back(Segment::named(&config.dir, next));
        }
        let acknowledged = segments[0].first - 1;
        let mut state = Self {
            full_at: config.segment_bytes,
            config,
            id,
            segments,
            writer: None,
            open,
            next,
            next_written: next,
            appended: 0,
            written: 0,
            unwritten: Vec::new(),
            failing: false,
            acknowledged,
            acknowledged_at: Position::default(),
            dropped: 0,
            ended,
        };
        state.writer = Some(Writer::open(state.current())?);
        Ok((state, damaged_bytes))
    }

    fn current(&mut self) -> &mut Segment {
        self.segments
            .back_mut()
            .expect("a spool always has the segment it writes")
    }

    pub(super) fn bytes_behind(&self, position: Position) -> u64 {
        let behind = |segment: &Segment| match segment.first {
            first if first < position.segment => 0,
            first if first == position.segment => segment.bytes.saturating_sub(position.offset),
            _ => segment.bytes,
        };
        self.segments.iter().map(behind).sum()
    }

    /// Gathers a record; [`State::flush`] writes it.
    pub(super) fn append(&mut self, record: &Record) -> io::Result<()> {
        if record.payload.len() > MAX_PAYLOAD_BYTES {
            return Err(io::Error::other("the event is larger than any event can be"));
        }
        if self.unwritten.len() > MAX_UNWRITTEN_BYTES {
            // says why it could not be written, or makes room
            self.try_flush()?;
        }
        let held: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        if held + (self.unwritten.len() + record.len()) as u64 > self.config.quota_bytes {
            return Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                "the spool has reached its quota",
            ));
        }
        record.write(&mut self.unwritten);
        self.appended += 1;
        Ok(())
    }

    /// Writes what was gathered. What the disk does not take is kept for the next time.
    pub(super) fn flush(&mut self) {
        let written = self.try_flush();
        let was_failing = std::mem::replace(&mut self.failing, written.is_err());
        match written {
            // once per outage: a full disk comes with many requests
            Err(error) if !was_failing => tracing::error!(
                %error,
                "the spool cannot be written: what was used is kept in memory, as far as it has room"
            ),
            Err(error) => tracing::debug!(%error, "the spool still cannot be written"),
            Ok(()) if was_failing => tracing::info!("the spool can be written again"),
            Ok(()) => {}
        }
    }

    fn try_flush(&mut self) -> io::Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        if self.writer.is_none() {
            self.writer = Some(Writer::open(self.current())?);
        }
        let segment = self.current();
        let (full, has_events) = (segment.bytes, segment.next > segment.first);
        if full >= self.full_at && has_events {
            self.rotate()?;
        }
        let Self {
            writer: Some(writer),
            segments,
            unwritten,
            ..
        } = self
        else {
            return Ok(());
        };
        let segment = segments
            .back_mut()
            .expect("a spool always has the segment it writes");
        if let Err(error) = writer.append(segment, unwritten) {
            self.writer = None;
            return Err(error);
        }
        segment.next = self.next;
        unwritten.clear();
        self.next_written = self.next;
        self.written = self.appended;
        Ok(())
    }

    /// Begins the next segment with the requests that are open.
    fn rotate(&mut self) -> io::Result<()> {
        let mut segment = Segment::named(&self.config.dir, self.next_written);
        let mut head = Vec::new();
        for payload in self.open.values() {
            Record {
                kind: Kind::Begin,
                sequence: 0,
                payload: payload.clone(),
            }
            .write(&mut head);
        }
        let mut writer = Writer::open(&mut segment)?;
        if let Err(error) = writer.append(&mut segment, &head) {
            // a half-begun segment that nobody knows of would bring back requests that have ended since
            fs::remove_file(&segment.path)?;
            return Err(error);
        }
        self.full_at = segment.bytes + self.config.segment_bytes;
        self.segments.push_back(segment);
        self.writer = Some(writer);
        Ok(())
    }
}

//! One file of a spool: a magic number, then records. Only ever appended to, and deleted whole.

use super::record::{Damage, Record};
use bytes::Bytes;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"ORSPOOL1";
const SUFFIX: &str = ".log";

/// A segment as the spool knows it; the file itself is opened by whoever needs it.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub path: PathBuf,
    /// The sequence its first event has, or would have. The file is named after it.
    pub first: u64,
    /// The sequence that follows its last event.
    pub next: u64,
    /// Bytes that hold whole records.
    pub bytes: u64,
}

/// The segment that is written.
pub(super) struct Writer {
    file: File,
}

/// What a scan of a file found.
pub(super) struct Scan {
    pub records: Vec<Record>,
    /// Bytes up to the first damage.
    pub valid_bytes: u64,
    pub file_bytes: u64,
    pub damage: Option<Damage>,
}

// === impl Segment ===

impl Segment {
    pub(super) fn named(dir: &Path, first: u64) -> Self {
        let path = dir.join(format!("{first:020}{SUFFIX}"));
        Self {
            path,
            first,
            next: first,
            bytes: 0,
        }
    }

    /// The segments of a directory in the order they were written. Other files are left alone.
    pub(super) fn list(dir: &Path) -> io::Result<Vec<Self>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(dir)? {
            let name = entry?.file_name();
            let Some(first) = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)) else {
                continue;
            };
            if let Ok(first) = first.parse::<u64>()
                && first > 0
            {
                segments.push(Self::named(dir, first));
            }
        }
        segments.sort_unstable_by_key(|segment| segment.first);
        Ok(segments)
    }

    /// Every whole record of the file, up to the first damage.
    pub(super) fn scan(&self) -> io::Result<Scan> {
        let bytes = Bytes::from(fs::read(&self.path)?);
        let file_bytes = bytes.len() as u64;
        if !bytes.starts_with(MAGIC) {
            let damage = (file_bytes > 0).then_some(Damage::Torn);
            return Ok(Scan {
                records: Vec::new(),
                valid_bytes: 0,
                file_bytes,
                damage,
            });
        }
        let (records, rest, damage) = read_all(bytes.slice(MAGIC.len()..));
        Ok(Scan {
            records,
            valid_bytes: file_bytes - rest.len() as u64,
            file_bytes,
            damage,
        })
    }

    /// Whole records from `offset` on, about `max_bytes` of them, and where the next one starts.
    pub(super) fn read_from(&self, offset: u64, max_bytes: u64) -> io::Result<(Vec<Record>, u64)> {
        let start = offset.max(MAGIC.len() as u64);
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(max_bytes.min(self.bytes.saturating_sub(start)))
            .read_to_end(&mut bytes)?;
        let bytes = Bytes::from(bytes);
        let length = bytes.len();
        let (records, rest, _) = read_all(bytes);
        Ok((records, start + (length - rest.len()) as u64))
    }
}

// === impl Writer ===

impl Writer {
    /// Opens the file for appending behind its valid bytes; whatever lies after them is cut off. A new file, and
    /// one too short for its magic number, starts over.
    pub(super) fn open(segment: &mut Segment) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&segment.path)?;
        file.set_len(segment.bytes)?;
        file.seek(SeekFrom::End(0))?;
        if segment.bytes == 0 {
            file.write_all(MAGIC)?;
            segment.bytes = MAGIC.len() as u64;
        }
        Ok(Self { file })
    }

    /// One `write`, so that a killed process leaves a whole record or, at worst, a torn one at the end. After an
    /// error the file is as it was before.
    pub(super) fn append(&mut self, segment: &mut Segment, records: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(records) {
            self.file.set_len(segment.bytes)?;
            self.file.seek(SeekFrom::Start(segment.bytes))?;
            return Err(error);
        }
        segment.bytes += records.len() as u64;
        Ok(())
    }
}

/// Whole records, the bytes that follow them, and what is wrong with those.
fn read_all(mut bytes: Bytes) -> (Vec<Record>, Bytes, Option<Damage>) {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        match Record::read(&bytes) {
            Ok(record) => {
                bytes = bytes.slice(record.len()..);
                records.push(record);
            }
            Err(damage) => return (records, bytes, Some(damage)),
        }
    }
    (records, bytes, None)
}

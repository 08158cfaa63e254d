//! Records as they lie in a segment: `length | crc32c | type | sequence | payload`, little endian.
//!
//! The checksum covers everything after itself. The sequence of an event lives in its header, so a payload is
//! encoded before the spool is locked.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use proto::v1::UsageEvent;
use thiserror::Error;

/// `length: u32`, `crc32c: u32`, `type: u8`, `sequence: u64`.
pub(super) const HEADER_BYTES: usize = 17;

/// Longer ones are not written, so a longer one that is read is damage.
pub(super) const MAX_PAYLOAD_BYTES: usize = 64 * 1024;

/// `UsageEvent.seq`.
const SEQUENCE_FIELD: u32 = 1;
/// Its key and the longest varint.
const SEQUENCE_FIELD_BYTES: usize = 11;

const LENGTH: std::ops::Range<usize> = 0..4;
const CHECKSUM: std::ops::Range<usize> = 4..8;
const TYPE: usize = 8;
const SEQUENCE: std::ops::Range<usize> = 9..17;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A request was dispatched; the payload is what would be accounted if it never ends. Has no sequence.
    Begin,
    /// A request ended.
    End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub kind: Kind,
    pub sequence: u64,
    /// An encoded [`UsageEvent`].
    pub payload: Bytes,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum Damage {
    #[error("the record is cut short")]
    Torn,
    #[error("the record does not match its checksum")]
    Checksum,
    #[error("the record says it has {0} bytes, more than any record has")]
    Length(usize),
    #[error("the record has the unknown type {0}")]
    Type(u8),
    #[error("the record holds no event: {0}")]
    Event(#[from] prost::DecodeError),
}

// === impl Kind ===

impl Kind {
    fn to_byte(self) -> u8 {
        match self {
            Self::Begin => 1,
            Self::End => 2,
        }
    }

    fn from_byte(byte: u8) -> Result<Self, Damage> {
        match byte {
            1 => Ok(Self::Begin),
            2 => Ok(Self::End),
            other => Err(Damage::Type(other)),
        }
    }
}

// === impl Record ===

impl Record {
    pub(super) fn len(&self) -> usize {
        HEADER_BYTES + self.payload.len()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let length = u32::try_from(self.payload.len()).expect("a payload is at most MAX_PAYLOAD_BYTES long");
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.push(self.kind.to_byte());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.payload);

        let record = &mut out[start..];
        let checksum = crc32c::crc32c(&record[TYPE..]);
        record[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
    }

    /// The record at the start of `bytes`; shares their memory.
    pub(super) fn read(bytes: &Bytes) -> Result<Self, Damage> {
        if bytes.len() < HEADER_BYTES {
            return Err(Damage::Torn);
        }
        let length = u32::from_le_bytes(array(&bytes[LENGTH])) as usize;
        if length > MAX_PAYLOAD_BYTES {
            return Err(Damage::Length(length));
        }
        let end = HEADER_BYTES + length;
        if bytes.len() < end {
            return Err(Damage::Torn);
        }
        if crc32c::crc32c(&bytes[TYPE..end]) != u32::from_le_bytes(array(&bytes[CHECKSUM])) {
            return Err(Damage::Checksum);
        }
        Ok(Self {
            kind: Kind::from_byte(bytes[TYPE])?,
            sequence: u64::from_le_bytes(array(&bytes[SEQUENCE])),
            payload: bytes.slice(HEADER_BYTES..end),
        })
    }

    /// The encoded event with the sequence it was given. Nothing is decoded: in protobuf a field that comes again
    /// replaces the earlier one, so the sequence is put behind the rest.
    pub(super) fn encoded_event(&self) -> Bytes {
        let mut event = BytesMut::with_capacity(self.payload.len() + SEQUENCE_FIELD_BYTES);
        event.put_slice(&self.payload);
        encode_key(SEQUENCE_FIELD, WireType::Varint, &mut event);
        encode_varint(self.sequence, &mut event);
        event.freeze()
    }

    /// The event in it, with the sequence it was given.
    pub(super) fn event(&self) -> Result<UsageEvent, Damage> {
        let mut event = UsageEvent::decode(self.payload.clone())?;
        event.seq = self.sequence;
        Ok(event)
    }
}

fn array<const N: usize>(slice: &[u8]) -> [u8; N] {
    slice
        .try_into()
        .expect("the slice is a header field of this size")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_record() -> impl Strategy<Value = Record> {
        let payload = proptest::collection::vec(any::<u8>(), 0..200);
        (any::<bool>(), any::<u64>(), payload).prop_map(|(begin, sequence, payload)| Record {
            kind: if begin { Kind::Begin } else { Kind::End },
            sequence,
            payload: payload.into(),
        })
    }

    proptest! {
        #[test]
        fn a_record_reads_back(record in any_record(), tail in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut bytes = Vec::new();
            record.write(&mut bytes);
            prop_assert_eq!(bytes.len(), record.len());
            bytes.extend(tail);
            prop_assert_eq!(Record::read(&bytes.into()).unwrap(), record);
        }

        #[test]
        fn a_flipped_bit_is_noticed(record in any_record(), bit in any::<proptest::sample::Index>()) {
            let mut bytes = Vec::new();
            record.write(&mut bytes);
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Record::read(&bytes.into()).is_err());
        }

        #[test]
        fn an_event_that_stays_encoded_has_its_sequence(id in "[a-z]{0,9}", stored in 0..3_u64, sequence: u64) {
            let event = UsageEvent { seq: stored, request_id: id, stream: true, ..UsageEvent::default() };
            let record = Record { kind: Kind::End, sequence, payload: event.encode_to_vec().into() };
            let encoded = UsageEvent::decode(record.encoded_event()).unwrap();
            prop_assert_eq!(&encoded, &record.event().unwrap());
            prop_assert_eq!(encoded.seq, sequence);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(record) = Record::read(&bytes.into()) {
                drop(record.event());
            }
        }
    }
}

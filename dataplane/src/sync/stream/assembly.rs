//! Puts the chunks of an update together.

use super::super::apply::Update;
use bytes::{Bytes, BytesMut};
use proto::v1::{ConfigUpdate, ConfigVersion};
use thiserror::Error;

/// Compressed. A fleet with 100,000 keys has about 20 MiB.
const MAX_BYTES: usize = 128 << 20;

/// The chunks of the update that is arriving.
#[derive(Default)]
pub(super) struct Assembly {
    nonce: u64,
    chunks: Vec<Bytes>,
    bytes: usize,
}

#[derive(Debug, Error)]
pub(super) enum Malformed {
    #[error("the control plane sent chunk {chunk} of an update where chunk {expected} was due")]
    Order { chunk: u32, expected: usize },
    #[error("the control plane sent an update of more than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
    #[error("the control plane sent an update without a version")]
    NoTarget,
}

// === impl Assembly ===

impl Assembly {
    /// The whole update, once its last chunk came. A first chunk drops whatever was left unfinished.
    pub(super) fn push(&mut self, chunk: ConfigUpdate) -> Result<Option<Update>, Malformed> {
        if chunk.chunk == 0 {
            *self = Self {
                nonce: chunk.nonce,
                ..Self::default()
            };
        }
        let expected = self.chunks.len();
        if chunk.nonce != self.nonce || chunk.chunk as usize != expected {
            return Err(Malformed::Order {
                chunk: chunk.chunk,
                expected,
            });
        }
        self.bytes += chunk.payload.len();
        if self.bytes > MAX_BYTES {
            return Err(Malformed::TooLarge);
        }
        let mode = chunk.mode();
        self.chunks.push(chunk.payload);
        if self.chunks.len() < chunk.chunks as usize {
            return Ok(None);
        }
        let target: ConfigVersion = chunk.target.ok_or(Malformed::NoTarget)?;
        let Self { chunks, bytes, .. } = std::mem::take(self);
        let payload = match <[Bytes; 1]>::try_from(chunks) {
            Ok([whole]) => whole,
            Err(chunks) => join(&chunks, bytes),
        };
        Ok(Some(Update {
            mode,
            base: chunk.base,
            target,
            payload,
            from_store: false,
        }))
    }
}

fn join(chunks: &[Bytes], bytes: usize) -> Bytes {
    let mut whole = BytesMut::with_capacity(bytes);
    for chunk in chunks {
        whole.extend_from_slice(chunk);
    }
    whole.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(nonce: u64, chunk: u32, chunks: u32, payload: &'static [u8]) -> ConfigUpdate {
        let target = Some(ConfigVersion::default());
        ConfigUpdate {
            nonce,
            chunk,
            chunks,
            target,
            payload: Bytes::from_static(payload),
            ..ConfigUpdate::default()
        }
    }

    #[test]
    fn chunks_in_order_become_one_payload() {
        let mut assembly = Assembly::default();
        assert!(assembly.push(chunk(7, 0, 3, b"a")).unwrap().is_none());
        assert!(assembly.push(chunk(7, 1, 3, b"b")).unwrap().is_none());
        assert_eq!(
            assembly.push(chunk(7, 2, 3, b"c")).unwrap().unwrap().payload,
            "abc"
        );
        assert_eq!(assembly.push(chunk(8, 0, 1, b"d")).unwrap().unwrap().payload, "d");
    }

    #[test]
    fn a_new_first_chunk_drops_an_unfinished_update() {
        let mut assembly = Assembly::default();
        assert!(assembly.push(chunk(1, 0, 2, b"old")).unwrap().is_none());
        assert_eq!(
            assembly.push(chunk(2, 0, 1, b"new")).unwrap().unwrap().payload,
            "new"
        );
    }

    #[test]
    fn a_missing_or_foreign_chunk_is_an_error() {
        let mut assembly = Assembly::default();
        assert!(assembly.push(chunk(1, 1, 2, b"b")).is_err());
        assert!(assembly.push(chunk(1, 0, 3, b"a")).unwrap().is_none());
        assert!(assembly.push(chunk(1, 2, 3, b"c")).is_err());
        assert!(assembly.push(chunk(2, 1, 3, b"b")).is_err());
    }
}

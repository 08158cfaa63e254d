//! Vectors beside cached answers, so that a question is found that says the same in other words.
//!
//! Nothing is searched for here: each data plane reads what was added since it last looked, and compares by itself. A
//! vector is worth as much as the text it was made of, so it comes sealed, and there is no way to ask for one without
//! the tenant it belongs to.

use bytes::Bytes;

/// More vectors of one partition are not kept; the oldest go first.
pub const MAX_VECTORS: usize = 1_000;

/// More are not told in one answer: whoever has much to catch up with does so in several steps.
pub const VECTORS_AT_ONCE: usize = 250;

/// How far somebody has read a partition. The default is its beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct VectorMark {
    pub(crate) time: u64,
    pub(crate) number: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedVector {
    /// Hash of the answer that it belongs to, whose generation and tenant are those of the partition.
    pub entry: [u8; 32],
    pub sealed: Bytes,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VectorChanges {
    /// What to ask with next.
    pub mark: VectorMark,
    /// In the order they were added. An entry may come again; the last one counts.
    pub added: Vec<AddedVector>,
}

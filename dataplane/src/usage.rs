//! What happened to each request, written down before anybody is told.
//!
//! ```text
//! pipeline ──begin, end──▶ Spool (append-only segments on disk) ──batches──▶ control plane ──ack──▶ delete
//! ```
//!
//! A record is one synchronous append into the page cache, so it survives the death of the process. Nothing waits for
//! the disk: after a power loss the spool starts over under a new id, so that what a control plane has seen and the
//! disk has not cannot be mistaken for something else. A request that was dispatched but never ended is reported as lost, with its estimate, at the next start.
//! Nothing here makes a request wait for a control plane: a full or failing disk drops events and counts them.

mod bound;
mod captures;
mod record;
mod report;
mod segment;
mod spool;
mod tail;

pub use captures::{Capture, Captures};
pub use report::report;
pub use spool::{Ended, Recovered, Spool, SpoolConfig, SpoolError, Vitals};

//! What happened to each request, written down before anybody is told.
//!
//! ```text
//! pipeline ──begin, end──▶ Spool (append-only segments on disk) ──batches──▶ control plane ──ack──▶ delete
//! ```
//!
//! A record is one synchronous append into the page cache, so it survives the death of the process; batches are
//! synced to the disk before they are sent, so nothing that a control plane has seen can be unwritten by a power
//! loss. A request that was dispatched but never ended is reported as lost, with its estimate, at the next start.
//! Nothing here makes a request wait for a control plane: a full or failing disk drops events and counts them.

mod bound;
mod record;
mod report;
mod segment;
mod spool;
mod tail;

pub use report::report;
pub use spool::{Recovered, Spool, SpoolConfig, SpoolError, Vitals};

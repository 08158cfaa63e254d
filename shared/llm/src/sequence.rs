//! Puts overlapping parts one after another, for encoders that can have only one open, and resolves why the model
//! stopped.

use crate::event::Event;

/// One per stream.
#[derive(Debug, Default)]
pub struct Sequencer {}

// === impl Sequencer ===

impl Sequencer {
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends what may be encoded now, in order.
    pub fn push(&mut self, event: Event, out: &mut Vec<Event>) {
        out.push(event);
    }
}

//! How often a data plane may send the same call to the same account again: a share of all calls, so that a provider
//! that is down is not asked twice as much as one that is up.

use std::sync::atomic::{AtomicU32, Ordering};

/// One repetition, in the unit that is counted in.
const ONE: u32 = 5;
/// What is saved up at most, in repetitions.
const MOST: u32 = 20;

/// Every call earns a fifth of a repetition.
#[derive(Debug)]
pub struct Repetitions(AtomicU32);

// === impl Repetitions ===

impl Repetitions {
    pub fn earn(&self) {
        let more = |saved: u32| (saved < ONE * MOST).then_some(saved + 1);
        // full is full
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Whether a call may be repeated.
    pub fn spend(&self) -> bool {
        let less = |saved: u32| saved.checked_sub(ONE);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }
}

impl Default for Repetitions {
    fn default() -> Self {
        Self(AtomicU32::new(ONE * MOST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_all_calls_may_be_repeated_once_what_was_saved_is_spent() {
        let repetitions = Repetitions::default();
        assert_eq!((0..100).filter(|_| repetitions.spend()).count(), 20);
        let spent = (0..1000).filter(|_| {
            repetitions.earn();
            repetitions.spend()
        });
        assert_eq!(spent.count(), 200);
    }
}

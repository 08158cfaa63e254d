//! What still has to happen before this process should get traffic: named latches, all of which must be set.

use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<RwLock<Vec<Condition>>>);

/// One condition of readiness. Dropping it changes nothing; its owner keeps it up to date.
#[derive(Debug, Clone)]
pub struct Latch(Arc<AtomicBool>);

#[derive(Debug)]
struct Condition {
    name: &'static str,
    fulfilled: Arc<AtomicBool>,
}

// === impl Readiness ===

impl Readiness {
    pub fn new() -> Self {
        Self::default()
    }

    /// A new condition, not fulfilled yet.
    pub fn latch(&self, name: &'static str) -> Latch {
        let fulfilled = Arc::new(AtomicBool::new(false));
        self.0.write().push(Condition {
            name,
            fulfilled: fulfilled.clone(),
        });
        Latch(fulfilled)
    }

    /// The names of the conditions that are not fulfilled.
    pub fn missing(&self) -> Vec<&'static str> {
        let conditions = self.0.read();
        conditions
            .iter()
            .filter(|c| !c.fulfilled.load(Ordering::Acquire))
            .map(|c| c.name)
            .collect()
    }

    pub fn is_ready(&self) -> bool {
        self.missing().is_empty()
    }
}

// === impl Latch ===

impl Latch {
    pub fn set(&self, fulfilled: bool) {
        self.0.store(fulfilled, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_when_every_condition_is_fulfilled() {
        let readiness = Readiness::new();
        let (snapshot, store) = (readiness.latch("snapshot"), readiness.latch("store"));
        assert_eq!(readiness.missing(), ["snapshot", "store"]);
        snapshot.set(true);
        assert_eq!(readiness.missing(), ["store"]);
        store.set(true);
        assert!(readiness.is_ready());
        snapshot.set(false);
        assert_eq!(readiness.missing(), ["snapshot"]);
    }
}

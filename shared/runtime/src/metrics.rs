//! The process's metrics in the Prometheus text format. Modules register what is theirs; nothing is global.

use parking_lot::Mutex;
use prometheus_client::encoding::text;
use std::sync::Arc;

/// The content type of [`Registry::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Default)]
pub struct Registry(Arc<Mutex<prometheus_client::registry::Registry>>);

// === impl Registry ===

impl Registry {
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers metrics; called once by each module that has some.
    pub fn register(&self, with: impl FnOnce(&mut prometheus_client::registry::Registry)) {
        with(&mut self.0.lock());
    }

    pub fn encode(&self) -> String {
        let mut out = String::new();
        text::encode(&mut out, &self.0.lock()).expect("writing to a string does not fail");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;

    #[test]
    fn what_a_module_registers_is_shown_with_its_help_and_value() {
        let (registry, requests) = (Registry::new(), Counter::<u64>::default());
        registry.register(|metrics| metrics.register("requests", "Requests served", requests.clone()));
        requests.inc_by(3);
        let text = registry.encode();
        assert!(text.contains("# HELP requests Requests served"), "{text}");
        assert!(text.contains("\nrequests_total 3\n"), "{text}");
    }
}

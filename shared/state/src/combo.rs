//! How combos do, counted over all data planes until somebody clears it.

/// What a combo or one of its models did. Counts are added to what is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComboCount {
    pub combo: String,
    /// Empty for the combo as a whole.
    pub model: String,
    pub requests: u64,
    pub successes: u64,
    pub failures: u64,
    /// Requests that needed more than the first choice.
    pub fallbacks: u64,
    /// The sum over all requests.
    pub latency_ms: u64,
    /// Unix time. Of two counts the later one says this and `last_ok`.
    pub last_used_ms: i64,
    pub last_ok: bool,
}

// === impl ComboCount ===

impl ComboCount {
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.successes = self.successes.saturating_add(other.successes);
        self.failures = self.failures.saturating_add(other.failures);
        self.fallbacks = self.fallbacks.saturating_add(other.fallbacks);
        self.latency_ms = self.latency_ms.saturating_add(other.latency_ms);
        if other.last_used_ms >= self.last_used_ms {
            self.last_used_ms = other.last_used_ms;
            self.last_ok = other.last_ok;
        }
    }
}

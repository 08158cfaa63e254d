//! What this data plane counts. Labels come from closed sets; never a key, never a free model name.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use proto::v1::UsageEvent;
use runtime::metrics::Registry;
use std::time::Duration;

/// From a cache answer to the longest stream, in seconds.
const DURATIONS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0,
];

/// The counters of one process.
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    durations: Durations,
    first_events: Durations,
    attempts: Family<AttemptLabels, Counter>,
    tokens: Family<TokenLabels, Counter>,
    cache_lookups: Family<LookupLabels, Counter>,
    resemblances: Family<LookupLabels, Counter>,
    replays: Counter,
    drains: Family<LookupLabels, Counter>,
    drains_inflight: Gauge,
    inflight: Gauge,
    store_down: Gauge,
}

type Durations = Family<EndpointLabels, Histogram, fn() -> Histogram>;

/// Counts something as running until dropped.
pub struct Inflight(Gauge);

/// What came of reading an answer on whose client has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// All of it was read, or the provider ended it.
    Read,
    /// It took too long.
    Late,
    TooLarge,
    /// The process ended first.
    Stopped,
    /// As many were read already as may be.
    Crowded,
}

/// What came of comparing a question with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resemblance {
    Found,
    None,
    /// Its embedding was not there in time.
    Late,
    /// Embedding model or state store.
    Failed,
    /// The embedding model is left alone after several failures.
    Resting,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    endpoint: &'static str,
    /// 499: the client left first.
    status: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    endpoint: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    provider: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LookupLabels {
    result: &'static str,
}

// === impl Metrics ===

impl Metrics {
    pub fn new(registry: &Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            first_events: Family::new_with_constructor(histogram),
            attempts: Family::default(),
            tokens: Family::default(),
            cache_lookups: Family::default(),
            resemblances: Family::default(),
            replays: Counter::default(),
            drains: Family::default(),
            drains_inflight: Gauge::default(),
            inflight: Gauge::default(),
            store_down: Gauge::default(),
        };
        registry
            .register(|registry| metrics.register(registry.sub_registry_with_prefix("omniroute_dataplane")));
        metrics
    }

    fn register(&self, registry: &mut prometheus_client::registry::Registry) {
        registry.register(
            "requests",
            "Requests that ended, by what the client got",
            self.requests.clone(),
        );
        registry.register(
            "request_duration_seconds",
            "From arrival to the last byte",
            self.durations.clone(),
        );
        registry.register(
            "first_event_seconds",
            "From arrival to a stream's first output",
            self.first_events.clone(),
        );
        registry.register("attempts", "Calls to providers", self.attempts.clone());
        registry.register(
            "tokens",
            "Tokens that providers reported or the gateway estimated",
            self.tokens.clone(),
        );
        registry.register(
            "cache_lookups",
            "Requests that may be answered from the cache, by whether they were",
            self.cache_lookups.clone(),
        );
        registry.register(
            "similar_lookups",
            "Questions that were compared with those that were answered, by what came of it",
            self.resemblances.clone(),
        );
        registry.register(
            "replays",
            "Requests that got the answer to an earlier one of the same name",
            self.replays.clone(),
        );
        registry.register(
            "drains",
            "Answers that were read on after their clients had left, by what came of it",
            self.drains.clone(),
        );
        registry.register(
            "drains_inflight",
            "Answers that are read on now",
            self.drains_inflight.clone(),
        );
        registry.register("requests_inflight", "Requests running now", self.inflight.clone());
        registry.register(
            "state_store_down",
            "1 while the state store does not answer",
            self.store_down.clone(),
        );
    }

    pub fn begin(&self) -> Inflight {
        self.inflight.inc();
        Inflight(self.inflight.clone())
    }

    pub fn inflight(&self) -> u32 {
        self.inflight.get().try_into().unwrap_or(0)
    }

    pub fn store_down(&self, down: bool) {
        self.store_down.set(down.into());
    }

    pub fn cache_lookup(&self, is_hit: bool) {
        let result = if is_hit { "hit" } else { "miss" };
        self.cache_lookups.get_or_create(&LookupLabels { result }).inc();
    }

    pub fn resemblance(&self, result: Resemblance) {
        let result = result.name();
        self.resemblances.get_or_create(&LookupLabels { result }).inc();
    }

    pub fn replayed(&self) {
        self.replays.inc();
    }

    pub fn drain_begins(&self) -> Inflight {
        self.drains_inflight.inc();
        Inflight(self.drains_inflight.clone())
    }

    pub fn drains_inflight(&self) -> u32 {
        self.drains_inflight.get().try_into().unwrap_or(0)
    }

    pub fn drained(&self, drained: Drained) {
        let result = drained.name();
        self.drains.get_or_create(&LookupLabels { result }).inc();
    }

    pub fn attempt(&self, provider: &'static str, outcome: &'static str) {
        self.attempts
            .get_or_create(&AttemptLabels { provider, outcome })
            .inc();
    }

    /// A request ended.
    pub fn request(&self, endpoint: &'static str, event: &UsageEvent, took: Duration) {
        let status = event.http_status;
        self.requests
            .get_or_create(&RequestLabels { endpoint, status })
            .inc();
        self.durations
            .get_or_create(&EndpointLabels { endpoint })
            .observe(took.as_secs_f64());
        self.tokens("input_uncached", event.input_uncached);
        self.tokens("input_cache_read", event.input_cache_read);
        self.tokens("input_cache_write", event.input_cache_write);
        self.tokens("output_visible", event.output_visible);
        self.tokens("output_reasoning", event.output_reasoning);
    }

    pub fn first_event(&self, endpoint: &'static str, after: Duration) {
        self.first_events
            .get_or_create(&EndpointLabels { endpoint })
            .observe(after.as_secs_f64());
    }

    fn tokens(&self, class: &'static str, count: u64) {
        if count > 0 {
            self.tokens.get_or_create(&TokenLabels { class }).inc_by(count);
        }
    }
}

// === impl Resemblance ===

impl Resemblance {
    const fn name(self) -> &'static str {
        match self {
            Self::Found => "hit",
            Self::None => "miss",
            Self::Late => "late",
            Self::Failed => "failed",
            Self::Resting => "resting",
        }
    }
}

// === impl Drained ===

impl Drained {
    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Late => "late",
            Self::TooLarge => "too_large",
            Self::Stopped => "stopped",
            Self::Crowded => "crowded",
        }
    }
}

// === impl Inflight ===

impl Drop for Inflight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn histogram() -> Histogram {
    Histogram::new(DURATIONS)
}

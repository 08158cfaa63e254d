//! Metrics of calls to providers for a collector, by OpenTelemetry's conventions for generative AI: how long each took,
//! and what tokens it used. <https://github.com/open-telemetry/semantic-conventions-genai>
//!
//! Made from what the record of a request knows when the request is over, so that metrics, traces and the ledger cannot
//! disagree; before that, nothing is done for them. Labels are bounded: a model that neither the registry nor an operator
//! knows has a name only if a provider answered for it.

use crate::routing::Route;
use crate::trace::names;
use llm::{Dialect, Kind};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};
use proto::v1::{Attempt, UsageEvent, usage_event::Evidence};
use runtime::telemetry::Measures;
use std::time::Duration;

const SCOPE: &str = "omniroute.dataplane";

/// As the convention advises, in seconds.
const DURATIONS: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];

/// The same, in tokens: powers of four.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// For models that may be anybody's invention.
const OTHER: &str = "_OTHER";

/// Measures, where there is somebody to send it to.
pub struct Measuring {
    measures: Measures,
    instruments: Option<Instruments>,
}

struct Instruments {
    durations: Histogram<f64>,
    tokens: Histogram<u64>,
}

/// Who was called.
#[derive(Debug, Clone, Copy)]
pub struct Callee {
    /// As it is known beyond this installation.
    pub known_as: &'static str,
    /// Its model is one of a list.
    pub is_listed: bool,
}

// === impl Measuring ===

impl Measuring {
    pub fn new(measures: Measures) -> Self {
        let instruments = measures.meter(SCOPE).as_ref().map(Instruments::new);
        Self {
            measures,
            instruments,
        }
    }

    /// There is somebody to send it to.
    pub fn is_on(&self) -> bool {
        self.instruments.is_some()
    }

    pub fn callee(&self, route: &Route, dialect: Dialect) -> Callee {
        let is_listed = self.is_on() && is_listed(route);
        let known_as = match route.provider.is_node {
            true => names::dialect(dialect),
            false => names::provider(route.provider.spec.id),
        };
        Callee { known_as, is_listed }
    }

    /// A request is over, and its event complete. `took` is how long it took, the reading for a client that has left
    /// included; `answered` is the number of the call that the answer comes from.
    pub fn ended(&self, kind: Kind, event: &UsageEvent, callees: &[Callee], answered: usize, took: Duration) {
        let Some(instruments) = &self.instruments else {
            return;
        };
        for (number, (attempt, callee)) in event.attempts.iter().zip(callees).enumerate() {
            let is_answer = number == answered && has_answered(attempt);
            let attributes = attributes(kind, attempt, *callee);
            let runs_on = attempt.outcome == "cancelled" && attempt.duration_ms == 0;
            let lasted = match is_answer && event.ttft_ms > 0 || runs_on {
                // a stream, or what its client did not wait for
                true => took.saturating_sub(millis(attempt.started_after_ms)),
                false => millis(attempt.duration_ms),
            };
            // what nobody reported is not to be told
            if is_answer && event.evidence() == Evidence::ProviderReported {
                instruments.used(event, &attributes);
            }
            let mut attributes = attributes;
            if attempt.outcome != "ok" {
                attributes.push(KeyValue::new(names::ERROR_TYPE, attempt.outcome.clone()));
            }
            instruments.durations.record(lasted.as_secs_f64(), &attributes);
        }
    }

    /// Sends what is left, when no request can end any more.
    pub async fn end(&self) {
        self.measures.clone().end().await;
    }
}

// === impl Instruments ===

impl Instruments {
    fn new(meter: &Meter) -> Self {
        Self {
            durations: meter
                .f64_histogram(names::OPERATION_DURATION)
                .with_unit("s")
                .with_description("GenAI operation duration.")
                .with_boundaries(DURATIONS.to_vec())
                .build(),
            tokens: meter
                .u64_histogram(names::TOKEN_USAGE)
                .with_unit("{token}")
                .with_description("Number of input and output tokens used.")
                .with_boundaries(TOKENS.to_vec())
                .build(),
        }
    }

    fn used(&self, event: &UsageEvent, attributes: &[KeyValue]) {
        let input = event.input_uncached + event.input_cache_read + event.input_cache_write;
        let output = event.output_visible + event.output_reasoning;
        for (kind, count) in [("input", input), ("output", output)] {
            // an embedding has no output
            if count > 0 {
                let mut attributes = attributes.to_vec();
                attributes.push(KeyValue::new(names::TOKEN_TYPE, kind));
                self.tokens.record(count, &attributes);
            }
        }
    }
}

// === functions ===

fn attributes(kind: Kind, attempt: &Attempt, callee: Callee) -> Vec<KeyValue> {
    let answered = has_answered(attempt);
    let model = match callee.is_listed || answered {
        true => attempt.model.clone(),
        false => OTHER.to_owned(),
    };
    let mut attributes = vec![
        KeyValue::new(names::OPERATION, names::operation(kind)),
        KeyValue::new(names::PROVIDER, callee.known_as),
        KeyValue::new(names::REQUEST_MODEL, model),
    ];
    if answered {
        attributes.push(KeyValue::new(names::RESPONSE_MODEL, attempt.model.clone()));
    }
    attributes
}

fn has_answered(attempt: &Attempt) -> bool {
    matches!(attempt.outcome.as_str(), "ok" | "stream_error")
}

fn is_listed(route: &Route) -> bool {
    let provider = &route.provider;
    provider.spec.knows(&route.model) || provider.custom.iter().any(|custom| *custom.id == *route.model)
}

fn millis(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}

//! One span per request, one per call to a provider. A client that sends W3C trace context is the parent; a provider
//! that can go on with it gets the context of its call.
//!
//! Spans are made from what the record of the request knows, so that a trace and the ledger cannot disagree. Bodies
//! are never part of one.

pub mod names;

use crate::pipeline::Endpoint;
use http::HeaderMap;
use http::request::Parts;
use llm::Kind;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{Span, SpanBuilder, SpanKind, Status, TraceContextExt};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};
use proto::v1::{Attempt, UsageEvent};
use runtime::telemetry::Traces;
use url::Url;

const SCOPE: &str = "omniroute.dataplane";

/// Begins traces, where there is somebody to send them to.
#[derive(Debug, Clone, Default)]
pub struct Tracing {
    traces: Traces,
    tracer: Option<SdkTracer>,
}

/// The trace of one request.
pub struct Trace {
    tracer: SdkTracer,
    kind: Kind,
    /// With the span of the request.
    request: Context,
    /// By their numbers; one that has ended is gone.
    attempts: Vec<Option<SdkSpan>>,
}

/// Headers that carry the context of a call.
pub type TraceHeaders = Vec<(&'static str, String)>;

struct Received<'a>(&'a HeaderMap);

#[derive(Default)]
struct Sent(TraceHeaders);

// === impl Tracing ===

impl Tracing {
    pub fn new(traces: Traces) -> Self {
        let tracer = traces.tracer(SCOPE);
        Self { traces, tracer }
    }

    pub fn begin(&self, endpoint: &Endpoint, parts: &Parts) -> Option<Trace> {
        let tracer = self.tracer.as_ref()?;
        let parent =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &Received(&parts.headers));
        let span = SpanBuilder::from_name(format!("{} {}", parts.method, endpoint.route))
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new(names::HTTP_METHOD, parts.method.to_string()),
                KeyValue::new(names::HTTP_ROUTE, endpoint.route),
                KeyValue::new(names::URL_PATH, parts.uri.path().to_owned()),
            ])
            .start_with_context(tracer, &parent);
        Some(Trace {
            tracer: tracer.clone(),
            kind: endpoint.kind,
            request: parent.with_span(span),
            attempts: Vec::new(),
        })
    }

    /// Sends what is left, when no request can end any more.
    pub async fn end(&self) {
        self.traces.clone().end().await;
    }
}

// === impl Trace ===

impl Trace {
    /// A call is about to leave. `provider` is what it is known as beyond this installation.
    pub fn attempt(&mut self, provider: &'static str, attempt: &Attempt, address: &str) {
        let operation = names::operation(self.kind);
        let mut attributes = vec![
            KeyValue::new(names::OPERATION, operation),
            KeyValue::new(names::PROVIDER, provider),
            KeyValue::new(names::REQUEST_MODEL, attempt.model.clone()),
            KeyValue::new(names::PROVIDER_ID, attempt.provider.clone()),
            KeyValue::new(names::CONNECTION_ID, attempt.connection_id.clone()),
        ];
        if attempt.hedge {
            attributes.push(KeyValue::new(names::HEDGE, true));
        }
        if let Ok(url) = Url::parse(address) {
            attributes.extend(
                url.host_str()
                    .map(|host| KeyValue::new(names::SERVER_ADDRESS, host.to_owned())),
            );
            let port = url.port_or_known_default();
            attributes.extend(port.map(|port| KeyValue::new(names::SERVER_PORT, i64::from(port))));
        }
        let span = SpanBuilder::from_name(format!("{operation} {}", attempt.model))
            .with_kind(SpanKind::Client)
            .with_attributes(attributes)
            .start_with_context(&self.tracer, &self.request);
        self.attempts.push(Some(span));
    }

    /// What a provider is told of its call.
    pub fn headers(&self, number: usize) -> TraceHeaders {
        let Some(Some(span)) = self.attempts.get(number) else {
            return TraceHeaders::new();
        };
        let mut sent = Sent::default();
        let context = Context::new().with_remote_span_context(span.span_context().clone());
        TraceContextPropagator::new().inject_context(&context, &mut sent);
        sent.0
    }

    /// A call came to nothing.
    pub fn attempt_failed(&mut self, number: usize, status: u16, outcome: &'static str) {
        let Some(mut span) = self.attempts.get_mut(number).and_then(Option::take) else {
            return;
        };
        if status > 0 {
            span.set_attribute(KeyValue::new(names::HTTP_STATUS, i64::from(status)));
        }
        span.set_attribute(KeyValue::new(names::ERROR_TYPE, outcome));
        span.set_status(Status::error(outcome));
        span.end();
    }

    /// The request is over, and its event complete. `answered` is the number of the call that the answer comes from.
    pub fn end(mut self, event: &UsageEvent, answered: usize) {
        if let Some(mut span) = self.attempts.get_mut(answered).and_then(Option::take) {
            let attempt = event.attempts.get(answered);
            let (status, outcome) =
                attempt.map_or((0, ""), |attempt| (attempt.http_status, attempt.outcome.as_str()));
            span.set_attributes(usage(event));
            if status > 0 {
                span.set_attribute(KeyValue::new(names::HTTP_STATUS, i64::from(status)));
            }
            if outcome != "ok" {
                span.set_attribute(KeyValue::new(names::ERROR_TYPE, outcome.to_owned()));
                span.set_status(Status::error(outcome.to_owned()));
            }
            span.end();
        }
        let span = self.request.span();
        let named = [
            (names::REQUEST_ID, &event.client_request_id),
            (names::REQUEST_MODEL, &event.model_requested),
            (names::KEY_ID, &event.key_id),
            (names::COMBO, &event.combo),
            (names::SERVED_FROM, &event.served_from),
            (names::OUTCOME, &event.outcome),
            (names::ERROR_TYPE, &event.error_code),
        ];
        for (name, value) in named.into_iter().filter(|(_, value)| !value.is_empty()) {
            span.set_attribute(KeyValue::new(name, value.clone()));
        }
        span.set_attribute(KeyValue::new(names::HTTP_STATUS, i64::from(event.http_status)));
        span.set_attribute(KeyValue::new(names::REVISION, integer(event.config_revision)));
        span.set_attribute(KeyValue::new(names::REQUEST_STREAM, event.stream));
        if let Some(cost) = event.cost_nano {
            span.set_attribute(KeyValue::new(names::COST_NANO, cost));
        }
        // a refused request is the client's error, not the server's
        if event.http_status >= 500 || event.outcome == "stream_error" {
            span.set_status(Status::error(event.error_code.clone()));
        }
        span.end();
    }
}

/// What the provider did for the request, as the convention counts it.
fn usage(event: &UsageEvent) -> Vec<KeyValue> {
    let input = event.input_uncached + event.input_cache_read + event.input_cache_write;
    let mut attributes = vec![
        KeyValue::new(names::INPUT_TOKENS, integer(input)),
        KeyValue::new(
            names::OUTPUT_TOKENS,
            integer(event.output_visible + event.output_reasoning),
        ),
    ];
    let parts = [
        (names::CACHE_READ_TOKENS, event.input_cache_read),
        (names::CACHE_WRITE_TOKENS, event.input_cache_write),
        (names::REASONING_TOKENS, event.output_reasoning),
    ];
    for (name, count) in parts.into_iter().filter(|(_, count)| *count > 0) {
        attributes.push(KeyValue::new(name, integer(count)));
    }
    if !event.finish_reason.is_empty() {
        let reasons = Array::String(vec![StringValue::from(event.finish_reason.clone())]);
        attributes.push(KeyValue::new(names::FINISH_REASONS, Value::Array(reasons)));
    }
    if event.ttft_ms > 0 {
        let seconds = f64::from(event.ttft_ms) / 1000.0;
        attributes.push(KeyValue::new(names::TIME_TO_FIRST_CHUNK, seconds));
    }
    attributes
}

fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

// === impl Received ===

impl Extractor for Received<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

// === impl Sent ===

impl Injector for Sent {
    fn set(&mut self, key: &str, value: String) {
        let name = match key {
            "traceparent" => "traceparent",
            "tracestate" if !value.is_empty() => "tracestate",
            _ => return,
        };
        self.0.push((name, value));
    }
}

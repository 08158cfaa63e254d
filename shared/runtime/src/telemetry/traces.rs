//! Traces for an OpenTelemetry collector, over OTLP (gRPC).
//!
//! Off unless an endpoint is set, and then nothing is made and nothing is paid. What else OpenTelemetry documents for
//! every SDK holds here too, from the environment: `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
//! `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`, `OTEL_BSP_*`, `OTEL_EXPORTER_OTLP_HEADERS`,
//! `OTEL_EXPORTER_OTLP_TIMEOUT`. <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use serde::Deserialize;
use std::env;
use std::time::Duration;
use thiserror::Error;

/// What is left to a collector that does not answer when the process ends.
const LAST_EXPORT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TracesConfig {
    /// Where a collector takes OTLP over gRPC, as in `http://collector:4317`; none without it.
    pub otlp_endpoint: Option<String>,
    /// For traces alone; comes before the other one.
    pub otlp_traces_endpoint: Option<String>,
    /// As in OpenTelemetry: `otlp`, `none`, or a list in which `otlp` is. What is not named is not sent.
    pub exporter: Option<String>,
}

#[derive(Debug, Error)]
pub enum TracesError {
    #[error("traces cannot be sent to `{endpoint}`; write it as in `http://collector:4317`: {source}")]
    Endpoint {
        endpoint: String,
        source: ExporterBuildError,
    },
}

/// Where spans go, if anywhere.
#[derive(Debug, Clone, Default)]
pub struct Traces(Option<SdkTracerProvider>);

// === impl TracesConfig ===

impl TracesConfig {
    fn endpoint(&self) -> Option<&str> {
        if !are_sent(self.exporter.as_deref()) {
            return None;
        }
        let traces = self.otlp_traces_endpoint.as_deref();
        // a variable that is set to nothing is not set
        let set = |endpoint: &&str| !endpoint.is_empty();
        traces.filter(set).or(self.otlp_endpoint.as_deref().filter(set))
    }
}

// === impl Traces ===

impl Traces {
    /// `service` is the name under which a collector shows this process, unless the environment has another;
    /// `instance` tells it from others of its kind. Call it inside the runtime that is to send.
    pub fn new(config: &TracesConfig, service: &'static str, instance: &str) -> Result<Self, TracesError> {
        let Some(endpoint) = config.endpoint() else {
            return Ok(Self::default());
        };
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()
            .map_err(|source| TracesError::Endpoint {
                endpoint: endpoint.to_owned(),
                source,
            })?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource(service, instance))
            .with_batch_exporter(exporter)
            .build();
        Ok(Self(Some(provider)))
    }

    pub fn tracer(&self, scope: &'static str) -> Option<SdkTracer> {
        self.0.as_ref().map(|provider| provider.tracer(scope))
    }

    /// Sends what is left. Spans that end later go nowhere.
    pub async fn end(self) {
        let Some(provider) = self.0 else { return };
        // blocks until the collector has answered
        let ending = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(LAST_EXPORT));
        match ending.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last traces were not sent"),
            Err(error) => tracing::warn!(%error, "the last traces were not sent"),
        }
    }
}

// === functions ===

/// Whether a list of exporters has the one that there is here. One that is not set, or set to nothing, has.
pub(super) fn are_sent(exporter: Option<&str>) -> bool {
    let named = exporter.filter(|text| !text.is_empty()).unwrap_or("otlp");
    named.split(',').any(|name| name.trim() == "otlp")
}

/// Who sends it: the name under which a collector shows this process, unless the environment has another.
pub(super) fn resource(service: &'static str, instance: &str) -> Resource {
    let mut resource = Resource::builder().with_attributes([
        opentelemetry::KeyValue::new("service.instance.id", instance.to_owned()),
        opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
    ]);
    // what is said here would win over the environment
    if env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name(service);
    }
    resource.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_for_traces_comes_before_the_one_for_all() {
        let config = |all: Option<&str>, traces: Option<&str>| TracesConfig {
            otlp_endpoint: all.map(str::to_owned),
            otlp_traces_endpoint: traces.map(str::to_owned),
            exporter: None,
        };
        assert_eq!(config(None, None).endpoint(), None);
        assert_eq!(config(Some(""), None).endpoint(), None);
        assert_eq!(config(Some("http://all"), None).endpoint(), Some("http://all"));
        assert_eq!(
            config(Some("http://all"), Some("")).endpoint(),
            Some("http://all")
        );
        assert_eq!(
            config(Some("http://all"), Some("http://t")).endpoint(),
            Some("http://t")
        );
    }

    #[test]
    fn what_is_not_among_the_exporters_is_not_sent() {
        let endpoint = |exporter: &str| {
            let config = TracesConfig {
                otlp_endpoint: Some("http://all".to_owned()),
                exporter: Some(exporter.to_owned()),
                ..TracesConfig::default()
            };
            config.endpoint().is_some()
        };
        let sent = ["", "otlp", "zipkin, otlp", "none", "zipkin"].map(endpoint);
        assert_eq!(sent, [true, true, true, false, false]);
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_refused_with_an_example() {
        let config = TracesConfig {
            otlp_endpoint: Some("not an address".to_owned()),
            ..TracesConfig::default()
        };
        let error = Traces::new(&config, "omniroute", "one").unwrap_err().to_string();
        assert!(error.contains("http://collector:4317"), "{error}");
    }

    #[tokio::test]
    async fn without_an_endpoint_there_is_nothing_to_trace_with() {
        let traces = Traces::new(&TracesConfig::default(), "omniroute", "one").unwrap();
        assert!(traces.tracer("test").is_none());
        traces.end().await;
    }
}

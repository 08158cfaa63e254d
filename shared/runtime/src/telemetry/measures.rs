//! Metrics for an OpenTelemetry collector, over OTLP (gRPC), pushed every `OTEL_METRIC_EXPORT_INTERVAL` milliseconds.
//!
//! Sent where traces go, unless an endpoint of their own or none is set, and without any endpoint nothing is counted.
//! `/metrics` does not depend on it. What else OpenTelemetry documents for every SDK is read from the environment:
//! `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`, `OTEL_EXPORTER_OTLP_METRICS_TIMEOUT` and its neighbours.
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>

use super::traces::{self, TracesConfig};
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, WithExportConfig};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use serde::Deserialize;
use std::time::Duration;
use thiserror::Error;

/// What is left to a collector that does not answer when the process ends.
const LAST_EXPORT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeasuresConfig {
    /// For metrics alone; comes before that of the traces.
    pub otlp_endpoint: Option<String>,
    /// As in OpenTelemetry: `otlp`, `none`, or a list in which `otlp` is. What is not named is not sent.
    pub exporter: Option<String>,
}

#[derive(Debug, Error)]
pub enum MeasuresError {
    #[error("metrics cannot be sent to `{endpoint}`; write it as in `http://collector:4317`: {source}")]
    Endpoint {
        endpoint: String,
        source: ExporterBuildError,
    },
}

/// Where metrics go, if anywhere.
#[derive(Debug, Clone, Default)]
pub struct Measures(Option<SdkMeterProvider>);

// === impl MeasuresConfig ===

impl MeasuresConfig {
    fn endpoint<'a>(&'a self, traces: &'a TracesConfig) -> Option<&'a str> {
        // a variable that is set to nothing is not set
        let set = |text: &&str| !text.is_empty();
        if !traces::are_sent(self.exporter.as_deref()) {
            return None;
        }
        let own = self.otlp_endpoint.as_deref().filter(set);
        own.or(traces.otlp_endpoint.as_deref().filter(set))
    }
}

// === impl Measures ===

impl Measures {
    /// As [`super::Traces::new`].
    pub fn new(
        config: &MeasuresConfig,
        traces: &TracesConfig,
        service: &'static str,
        instance: &str,
    ) -> Result<Self, MeasuresError> {
        let Some(endpoint) = config.endpoint(traces) else {
            return Ok(Self::default());
        };
        let exporter = MetricExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()
            .map_err(|source| MeasuresError::Endpoint {
                endpoint: endpoint.to_owned(),
                source,
            })?;
        let provider = SdkMeterProvider::builder()
            .with_resource(traces::resource(service, instance))
            .with_reader(PeriodicReader::builder(exporter).build())
            .build();
        Ok(Self(Some(provider)))
    }

    pub fn meter(&self, scope: &'static str) -> Option<Meter> {
        self.0.as_ref().map(|provider| provider.meter(scope))
    }

    /// Sends what is left. What is measured later goes nowhere.
    pub async fn end(self) {
        let Some(provider) = self.0 else { return };
        // blocks until the collector has answered
        let ending = tokio::task::spawn_blocking(move || provider.shutdown());
        match tokio::time::timeout(LAST_EXPORT, ending).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the last metrics were not sent"),
            Ok(Err(error)) => tracing::warn!(%error, "the last metrics were not sent"),
            Err(_) => tracing::warn!("the last metrics were not sent: the collector does not answer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_go_where_traces_go_unless_something_else_is_said() {
        let traces = TracesConfig {
            otlp_endpoint: Some("http://all".to_owned()),
            otlp_traces_endpoint: Some("http://traces".to_owned()),
            // of traces alone
            exporter: Some("none".to_owned()),
        };
        let endpoint = |own: Option<&str>, exporter: Option<&str>| {
            let config = MeasuresConfig {
                otlp_endpoint: own.map(str::to_owned),
                exporter: exporter.map(str::to_owned),
            };
            config.endpoint(&traces).map(str::to_owned)
        };
        let all = Some("http://all".to_owned());
        assert_eq!(endpoint(None, None), all);
        assert_eq!(endpoint(Some(""), Some("")), all);
        assert_eq!(endpoint(None, Some("prometheus, otlp")), all);
        assert_eq!(endpoint(Some("http://own"), None), Some("http://own".to_owned()));
        assert_eq!(endpoint(Some("http://own"), Some("none")), None);
        assert_eq!(endpoint(None, Some("prometheus")), None);
    }

    #[tokio::test]
    async fn without_an_endpoint_there_is_nothing_to_measure_with() {
        let (config, traces) = (MeasuresConfig::default(), TracesConfig::default());
        let measures = Measures::new(&config, &traces, "omniroute", "one").unwrap();
        assert!(measures.meter("test").is_none());
        measures.end().await;
    }
}

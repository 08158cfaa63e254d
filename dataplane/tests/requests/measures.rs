//! The metrics a collector gets: over OTLP, as they would really be sent.

use crate::harness::{DataPlane, Setup, until};
use futures::StreamExt;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, Metric, metric};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use testkit::{Behaviour, Simulator};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, async_trait};

const DURATION: &str = "gen_ai.client.operation.duration";
const TOKENS: &str = "gen_ai.client.token.usage";

/// Takes what is exported to it.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportMetricsServiceRequest>>>);

/// One series of a histogram.
struct Series {
    labels: BTreeMap<String, String>,
    point: HistogramDataPoint,
}

// === impl Collector ===

#[async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0.lock().push(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

impl Collector {
    /// One that listens, and where.
    async fn start() -> (Self, String) {
        let collector = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let service = MetricsServiceServer::new(collector.clone());
        let serving = Server::builder().add_service(service);
        tokio::spawn(serving.serve_with_incoming(TcpListenerStream::new(listener)));
        (collector, address)
    }

    /// All metrics as they are last told, once the data plane has sent what it had.
    async fn metrics(&self, data_plane: &DataPlane) -> Vec<Metric> {
        data_plane.gateway.measuring.end().await;
        let exports = self.0.lock();
        let resources = exports
            .last()
            .into_iter()
            .flat_map(|export| &export.resource_metrics);
        let scopes = resources.flat_map(|resource| &resource.scope_metrics);
        scopes.flat_map(|scope| scope.metrics.clone()).collect()
    }
}

/// Of one metric, in the order of their labels.
fn series(metrics: &[Metric], name: &str, unit: &str) -> Vec<Series> {
    let Some(metric) = metrics.iter().find(|metric| metric.name == name) else {
        return Vec::new();
    };
    assert_eq!(metric.unit, unit);
    let Some(metric::Data::Histogram(histogram)) = &metric.data else {
        panic!("{name} is no histogram: {metric:?}");
    };
    let mut series: Vec<Series> = histogram
        .data_points
        .iter()
        .map(|point| Series {
            labels: labels(point),
            point: point.clone(),
        })
        .collect();
    series.sort_by_key(|series| series.labels.clone());
    series
}

fn labels(point: &HistogramDataPoint) -> BTreeMap<String, String> {
    let label = |attribute: &opentelemetry_proto::tonic::common::v1::KeyValue| {
        let value = attribute.value.clone().unwrap().value.unwrap();
        let any_value::Value::StringValue(text) = value else {
            panic!("{} is no text: {value:?}", attribute.key);
        };
        (attribute.key.clone(), text)
    };
    point.attributes.iter().map(label).collect()
}

fn expected(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    let label = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    labels.iter().map(label).collect()
}

async fn world(endpoint: &str, exporter: Option<&str>) -> (DataPlane, Simulator, Simulator) {
    let (first, second) = (Simulator::openai().await, Simulator::anthropic().await);
    let setup = Setup::new()
        .account("o", "openai", &first)
        .account("a", "anthropic", &second)
        .combo("smart", &["openai/gpt-4o", "anthropic/demo"])
        .config(|config| {
            config.metrics.otlp_endpoint = Some(endpoint.to_owned());
            config.metrics.exporter = exporter.map(str::to_owned);
        });
    (setup.start().await, first, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_has_its_duration_and_the_answer_its_tokens() {
    let (collector, address) = Collector::start().await;
    let (data_plane, first, second) = world(&address, None).await;
    first.script(Behaviour::status(503));
    for stream in [false, true] {
        let answer = data_plane.chat("smart", stream).await;
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap();
    }
    let calls = first.requests().len() + second.requests().len();
    until("both records", || (data_plane.events().len() == 2).then_some(())).await;

    let metrics = collector.metrics(&data_plane).await;
    let durations = series(&metrics, DURATION, "s");
    let failed = expected(&[
        ("error.type", "server_error"),
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "gpt-4o"),
    ]);
    let answered = expected(&[
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "anthropic"),
        ("gen_ai.request.model", "demo"),
        ("gen_ai.response.model", "demo"),
    ]);
    let labels: Vec<_> = durations.iter().map(|series| series.labels.clone()).collect();
    assert_eq!(labels, [failed, answered.clone()]);
    let counted: u64 = durations.iter().map(|series| series.point.count).sum();
    assert_eq!(counted, calls as u64);
    let bounds = &durations[0].point.explicit_bounds;
    assert_eq!((bounds.len(), bounds[0], bounds[13]), (14, 0.01, 81.92));

    let billed: testkit::Billed = second
        .requests()
        .iter()
        .map(|request| request.billed.unwrap())
        .sum();
    let tokens = series(&metrics, TOKENS, "{token}");
    for (series, (kind, used)) in tokens
        .iter()
        .zip([("input", billed.input), ("output", billed.output)])
    {
        let mut labels = answered.clone();
        labels.insert("gen_ai.token.type".to_owned(), kind.to_owned());
        assert_eq!(series.labels, labels);
        assert_eq!((series.point.count, series.point.sum), (2, Some(used as f64)));
        assert_eq!(series.point.explicit_bounds.last(), Some(&67_108_864.0));
    }
    assert_eq!(tokens.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_duration_of_a_stream_goes_to_its_end() {
    let (collector, address) = Collector::start().await;
    let (data_plane, first, _second) = world(&address, None).await;
    first.script(Behaviour {
        gap: Duration::from_millis(10),
        ..Behaviour::default()
    });
    data_plane.chat("openai/demo", true).await.text().await.unwrap();
    until("the record", || data_plane.events().pop()).await;
    let metrics = collector.metrics(&data_plane).await;
    let durations = series(&metrics, DURATION, "s");
    // twenty frames with a pause before each
    assert!(durations[0].point.sum.unwrap() > 0.2, "{:?}", durations[0].point);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_reported_is_no_usage() {
    let (collector, address) = Collector::start().await;
    let (data_plane, first, _second) = world(&address, None).await;
    first.script(Behaviour {
        gap: Duration::from_millis(20),
        ..Behaviour::default()
    });
    let mut stream = data_plane.chat("openai/demo", true).await.bytes_stream();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    until("the record", || data_plane.events().pop()).await;
    let metrics = collector.metrics(&data_plane).await;
    assert_eq!(series(&metrics, DURATION, "s").len(), 1);
    assert!(series(&metrics, TOKENS, "{token}").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_somebody_made_up_makes_no_series_of_its_own() {
    let (collector, address) = Collector::start().await;
    let (data_plane, first, _second) = world(&address, None).await;
    for number in 0..3 {
        first.script(Behaviour::status(404));
        let made_up = format!("openai/made-up-{number}");
        assert_ne!(data_plane.chat(&made_up, false).await.status(), 200);
    }
    until("the records", || (data_plane.events().len() == 3).then_some(())).await;
    let metrics = collector.metrics(&data_plane).await;
    let durations = series(&metrics, DURATION, "s");
    assert_eq!(durations.len(), 1);
    assert_eq!(durations[0].labels["gen_ai.request.model"], "_OTHER");
    assert_eq!(durations[0].point.count, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_where_another_exporter_is_asked_for() {
    let (collector, address) = Collector::start().await;
    let (data_plane, _first, _second) = world(&address, Some("none")).await;
    assert_eq!(data_plane.chat("smart", false).await.status(), 200);
    until("the record", || data_plane.events().pop()).await;
    assert!(collector.metrics(&data_plane).await.is_empty());
    assert!(collector.0.lock().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_does_not_answer_holds_up_no_request() {
    let (data_plane, _first, _second) = world("http://127.0.0.1:1", None).await;
    assert_eq!(data_plane.chat("smart", false).await.status(), 200);
    data_plane.gateway.measuring.end().await;
}

//! What a collector is told of requests: over OTLP, as it would really be sent.

use crate::harness::{DataPlane, Setup, json, question};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use testkit::{Behaviour, Simulator};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, async_trait};

const CLIENT_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT_SPAN: &str = "b7ad6b7169203331";

/// Takes what is exported to it.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

// === impl Collector ===

#[async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// One that listens, and where.
    async fn start() -> (Self, String) {
        let collector = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let service = TraceServiceServer::new(collector.clone());
        let serving = Server::builder().add_service(service);
        tokio::spawn(serving.serve_with_incoming(TcpListenerStream::new(listener)));
        (collector, address)
    }

    /// All spans, once the data plane has sent its last ones.
    async fn spans(&self, data_plane: &DataPlane) -> Vec<Span> {
        data_plane.gateway.tracing.end().await;
        let exports = self.0.lock();
        let resources = exports.iter().flat_map(|export| &export.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        let mut spans: Vec<Span> = scopes.flat_map(|scope| scope.spans.clone()).collect();
        spans.sort_by_key(|span| span.start_time_unix_nano);
        spans
    }
}

fn attribute(attributes: &[KeyValue], name: &str) -> Value {
    let found = attributes.iter().find(|attribute| attribute.key == name);
    let value = found.and_then(|found| found.value.clone()?.value);
    match value {
        Some(any_value::Value::StringValue(text)) => json!(text),
        Some(any_value::Value::IntValue(number)) => json!(number),
        Some(any_value::Value::BoolValue(truth)) => json!(truth),
        Some(any_value::Value::DoubleValue(number)) => json!(number),
        Some(any_value::Value::ArrayValue(list)) => json!(list.values.len()),
        _ => Value::Null,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn world(endpoint: Option<&str>) -> (DataPlane, Simulator, Simulator) {
    let (first, second) = (Simulator::openai().await, Simulator::anthropic().await);
    let setup = Setup::new()
        .account("o", "openai", &first)
        .account("a", "anthropic", &second)
        .combo("smart", &["openai/demo", "anthropic/demo"])
        .config(|config| config.traces.otlp_endpoint = endpoint.map(str::to_owned));
    (setup.start().await, first, second)
}

async fn ask(data_plane: &DataPlane, model: &str, stream: bool) -> reqwest::Response {
    let request = data_plane
        .post("/v1/chat/completions")
        .bearer_auth(crate::harness::KEY)
        .header("traceparent", format!("00-{CLIENT_TRACE}-{CLIENT_SPAN}-01"))
        .header("tracestate", "shop=42");
    request
        .body(question(model, stream).to_string())
        .send()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_a_fallback_is_one_span_with_a_span_for_each_call() {
    let (collector, address) = Collector::start().await;
    let (data_plane, first, second) = world(Some(&address)).await;
    first.script(Behaviour::status(503));
    let response = ask(&data_plane, "smart", false).await;
    assert_eq!(response.status(), 200);
    let answer = json(response).await;

    let spans = collector.spans(&data_plane).await;
    let [request, failed, answered] = &spans[..] else {
        panic!("three spans were expected: {spans:#?}");
    };
    assert!(spans.iter().all(|span| hex(&span.trace_id) == CLIENT_TRACE));
    assert_eq!(hex(&request.parent_span_id), CLIENT_SPAN);
    assert_eq!(request.kind(), SpanKind::Server);
    assert_eq!(request.name, "POST /v1/chat/completions");
    assert_eq!(failed.parent_span_id, request.span_id);
    assert_eq!(answered.parent_span_id, request.span_id);

    let of = |span: &Span, name: &str| attribute(&span.attributes, name);
    assert_eq!(of(request, "omniroute.combo"), "smart");
    assert_eq!(of(request, "http.response.status_code"), 200);
    assert_eq!(of(request, "gen_ai.request.model"), "smart");
    assert_eq!(
        request.status.clone().unwrap_or_default().code(),
        StatusCode::Unset
    );

    assert_eq!(failed.kind(), SpanKind::Client);
    assert_eq!(failed.name, "chat demo");
    assert_eq!(of(failed, "gen_ai.provider.name"), "openai");
    assert_eq!(of(failed, "http.response.status_code"), 503);
    assert_eq!(of(failed, "error.type"), "server_error");
    assert_eq!(failed.status.clone().unwrap().code(), StatusCode::Error);

    assert_eq!(of(answered, "gen_ai.provider.name"), "anthropic");
    assert_eq!(of(answered, "gen_ai.operation.name"), "chat");
    assert_eq!(
        of(answered, "gen_ai.usage.input_tokens"),
        answer["usage"]["prompt_tokens"]
    );
    assert_eq!(
        of(answered, "gen_ai.usage.output_tokens"),
        answer["usage"]["completion_tokens"]
    );
    assert_eq!(of(answered, "server.address"), "127.0.0.1");

    // each provider goes on with the span of its own call
    for (simulator, span) in [(&first, failed), (&second, answered)] {
        let headers = &simulator.requests()[0].headers;
        assert_eq!(
            headers["traceparent"],
            format!("00-{CLIENT_TRACE}-{}-01", hex(&span.span_id))
        );
        assert_eq!(headers["tracestate"], "shop=42");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_span_of_a_stream_ends_with_the_stream_and_knows_its_tokens() {
    let (collector, address) = Collector::start().await;
    let (data_plane, _first, _second) = world(Some(&address)).await;
    let text = ask(&data_plane, "anthropic/demo", true)
        .await
        .text()
        .await
        .unwrap();
    assert!(text.contains("[DONE]"), "{text}");

    let spans = collector.spans(&data_plane).await;
    let [request, call] = &spans[..] else {
        panic!("two spans were expected: {spans:#?}");
    };
    assert_eq!(attribute(&request.attributes, "gen_ai.request.stream"), true);
    assert!(
        attribute(&call.attributes, "gen_ai.usage.output_tokens")
            .as_i64()
            .unwrap()
            > 0
    );
    assert!(
        attribute(&call.attributes, "gen_ai.response.time_to_first_chunk")
            .as_f64()
            .unwrap()
            > 0.0
    );
    assert_eq!(attribute(&call.attributes, "gen_ai.response.finish_reasons"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_is_a_span_without_a_call() {
    let (collector, address) = Collector::start().await;
    let (data_plane, _first, _second) = world(Some(&address)).await;
    let stranger = data_plane.post("/v1/chat/completions").bearer_auth("sk-wrong");
    let refusal = stranger
        .body(question("openai/demo", false).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(refusal.status(), 401);

    let spans = collector.spans(&data_plane).await;
    assert_eq!(spans.len(), 1);
    assert_eq!(attribute(&spans[0].attributes, "error.type"), "client_auth");
    assert_eq!(attribute(&spans[0].attributes, "http.response.status_code"), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_providers_hear_of_no_trace() {
    let (data_plane, _first, second) = world(None).await;
    assert_eq!(ask(&data_plane, "anthropic/demo", false).await.status(), 200);
    assert!(!second.requests()[0].headers.contains_key("traceparent"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_does_not_answer_holds_up_no_request() {
    let (data_plane, _first, _second) = world(Some("http://127.0.0.1:1")).await;
    assert_eq!(ask(&data_plane, "anthropic/demo", false).await.status(), 200);
    data_plane.gateway.tracing.end().await;
}

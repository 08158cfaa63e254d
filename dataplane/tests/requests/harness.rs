//! A data plane on a port of its own, with the configuration a test describes.

use bytes::Bytes;
use dataplane::app::{self, App, Deps};
use dataplane::config::Config;
use dataplane::control::{ControlPlanes, JoinToken};
use dataplane::http;
use dataplane::pipeline::Gateway;
use dataplane::routing::{Table, health};
use prost::Message;
use proto::v1::{self, ConfigVersion, UsageEvent};
use reqwest::{RequestBuilder, Response};
use runtime::crypto::ClusterKeys;
use runtime::egress::{Egress, EgressConfig, ProxyEnvironment};
use runtime::exit::Exit;
use runtime::metrics::Registry;
use runtime::readiness::Readiness;
use runtime::serve::{Limits, serve};
use serde_json::{Value, json};
use state::{MemoryStore, StateStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use testkit::snapshot::CLUSTER_SECRET;
use testkit::{Simulator, Snapshot, wait_until};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const KEY: &str = "sk-test-key";

/// How long a test waits for something that happens beside it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a data plane is started with.
pub struct Setup {
    pub config: Config,
    snapshot: Snapshot,
    accounts: i32,
    store: Arc<dyn StateStore>,
    dir: TempDir,
}

pub struct DataPlane {
    pub gateway: Arc<Gateway>,
    pub stop: CancellationToken,
    pub serving: JoinHandle<bool>,
    pub url: String,
    client: reqwest::Client,
    snapshot: Snapshot,
    dir: TempDir,
}

// === impl Setup ===

impl Setup {
    /// A key without limits, and timeouts that do not make a test wait.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config {
            data_dir: dir.path().to_owned(),
            ..Config::default()
        };
        config.upstream.connect_ms = 2_000;
        config.upstream.first_event_ms = 2_000;
        config.upstream.unary_ms = 2_000;
        Self {
            config,
            snapshot: Snapshot::new().key(KEY),
            accounts: 0,
            store: Arc::new(MemoryStore::new()),
            dir,
        }
    }

    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    pub fn store(self, store: Arc<dyn StateStore>) -> Self {
        Self { store, ..self }
    }

    pub fn key(mut self, text: &str, change: impl FnOnce(&mut v1::ApiKey)) -> Self {
        self.snapshot = self.snapshot.key_with(text, change);
        self
    }

    /// An account of a built-in provider that is really at `simulator`; tried in the order of these calls.
    pub fn account(self, id: &str, provider: &str, simulator: &Simulator) -> Self {
        self.account_at(id, provider, &simulator.url())
    }

    pub fn account_at(self, id: &str, provider: &str, base_url: &str) -> Self {
        self.account_with(id, provider, base_url, |_| {})
    }

    pub fn account_with(
        mut self,
        id: &str,
        provider: &str,
        base_url: &str,
        change: impl FnOnce(&mut v1::Connection),
    ) -> Self {
        self.accounts += 1;
        self.snapshot = self
            .snapshot
            .account_with(provider, id, self.accounts, |connection| {
                connection.provider = provider.to_owned();
                connection.base_url = base_url.to_owned();
                change(connection);
            });
        self
    }

    /// Sealed for an account, to be put into it.
    pub fn credential(&self, id: &str, plain: &str) -> v1::SealedSecret {
        self.snapshot.credential(id, plain)
    }

    /// With a credential that is not one of the harness's.
    pub fn account_as(self, id: &str, provider: &str, simulator: &Simulator, credential: &str) -> Self {
        let credential = self.snapshot.credential(id, credential);
        self.account_with(id, provider, &simulator.url(), |connection| {
            connection.credential = Some(credential);
        })
    }

    /// A node of the operator's own, called `name/model`, with one account.
    pub fn node(self, name: &str, node_type: &str, api_type: &str, simulator: &Simulator) -> Self {
        self.node_with(name, (node_type, api_type), simulator, |_| {})
    }

    pub fn node_with(
        mut self,
        name: &str,
        (node_type, api_type): (&str, &str),
        simulator: &Simulator,
        change: impl FnOnce(&mut v1::Connection),
    ) -> Self {
        let node = v1::ProviderNode {
            name: name.to_owned(),
            r#type: node_type.to_owned(),
            api_type: api_type.to_owned(),
            prefix: name.to_owned(),
            base_url: simulator.url(),
            api_version: String::new(),
        };
        self.snapshot = self
            .snapshot
            .with(&format!("node-{name}"), v1::resource::Body::ProviderNode(node))
            .account_with(name, &format!("{name}-1"), 1, change);
        self
    }

    pub fn alias(mut self, alias: &str, target: &str) -> Self {
        self.snapshot = self.snapshot.alias(alias, target);
        self
    }

    /// Any other resource.
    pub fn resource(mut self, id: &str, body: v1::resource::Body) -> Self {
        self.snapshot = self.snapshot.with(id, body);
        self
    }

    pub fn combo(mut self, name: &str, members: &[&str]) -> Self {
        self.snapshot = self.snapshot.combo(name, members);
        self
    }

    /// Starts without a configuration.
    pub async fn start_empty(self) -> DataPlane {
        let (registry, readiness) = (Registry::new(), Readiness::new());
        let control = ControlPlanes::at("http://127.0.0.1:1", JoinToken::new("none")).unwrap();
        let (keys, store, telemetry) = (ClusterKeys::derive(CLUSTER_SECRET), self.store, None);
        let deps = Deps {
            store,
            control,
            keys,
            registry: registry.clone(),
            readiness: readiness.clone(),
            telemetry,
            exit: Exit::default(),
        };
        let App { router, gateway, .. } = app::build(&self.config, deps).unwrap();
        let router = router
            .merge(runtime::admin::router(readiness, registry))
            .fallback(http::not_found);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let spool = gateway.spool.clone();
        tokio::spawn(async move { spool.write_out().await });
        let serving = tokio::spawn(serve(listener, router, stop.clone(), Limits::default()));
        let egress = Egress::new(EgressConfig {
            connect_timeout: PATIENCE,
            allow_private: true,
            proxies: ProxyEnvironment::default(),
        })
        .unwrap();
        DataPlane {
            gateway,
            stop,
            serving,
            url,
            client: egress.client(true).clone(),
            snapshot: self.snapshot,
            dir: self.dir,
        }
    }

    pub async fn start(self) -> DataPlane {
        let data_plane = self.start_empty().await;
        data_plane.configure(|snapshot| snapshot);
        data_plane
    }
}

// === impl DataPlane ===

impl DataPlane {
    /// Goes on with another configuration.
    pub fn reconfigure(&self, setup: Setup) {
        self.configure(|_| setup.snapshot);
    }

    /// Goes on with the configuration of its setup, changed.
    pub fn configure(&self, change: impl FnOnce(Snapshot) -> Snapshot) {
        let version = ConfigVersion {
            epoch: "test".to_owned(),
            revision: 7,
            digest: Vec::new(),
        };
        let transport = ClusterKeys::derive(CLUSTER_SECRET).transport;
        let resources = change(self.snapshot.clone()).build();
        let routing = &self.gateway.routing;
        let (table, errors) = Table::compile(version, &resources, &transport, routing);
        assert_eq!(errors, []);
        routing.store(table);
    }

    /// Starts what data planes on the same store tell each other, what counts for operators, and what finds out that
    /// the store is gone.
    pub fn share(&self, id: &str) {
        let (gateway, stop) = (self.gateway.clone(), self.stop.clone());
        let health = gateway.routing.health().clone();
        let (store, token) = (gateway.store.clone(), stop.clone());
        tokio::spawn(health::exchange(health, store, id.to_owned(), token));
        tokio::spawn(app::report_cache(gateway.clone(), id.to_owned(), stop.clone()));
        let (admissions, settled) = (gateway.admissions.clone(), stop.clone());
        tokio::spawn(async move { admissions.run(settled).await });
        let following = gateway.clone();
        let beside = async move {
            let bans = following.banned.follow(&*following.store);
            let watch = following
                .availability
                .store
                .watch(|away| following.metrics.store_down(away));
            tokio::join!(bans, watch);
        };
        tokio::spawn(stop.clone().run_until_cancelled_owned(beside));
        tokio::spawn(async move { gateway.tally.publish(&*gateway.store, stop).await });
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.client
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/json")
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client
            .request(method.parse().unwrap(), format!("{}{path}", self.url))
    }

    /// A chat request in OpenAI's dialect.
    pub async fn chat(&self, model: &str, stream: bool) -> Response {
        self.ask("/v1/chat/completions", &question(model, stream)).await
    }

    /// The same in Anthropic's.
    pub async fn messages(&self, model: &str, stream: bool) -> Response {
        let mut question = question(model, stream);
        question["max_tokens"] = json!(200);
        self.ask("/v1/messages", &question).await
    }

    pub async fn ask(&self, path: &str, body: &Value) -> Response {
        self.post(path)
            .bearer_auth(KEY)
            .body(body.to_string())
            .send()
            .await
            .unwrap()
    }

    /// The usage events that were written down so far, in order.
    pub fn events(&self) -> Vec<UsageEvent> {
        let mut files: Vec<_> = std::fs::read_dir(self.dir.path().join("spool"))
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
        files
            .iter()
            .filter(|file| file.extension().is_some_and(|ext| ext == "log"))
            .flat_map(|file| read(file))
            .collect()
    }

    /// The one event of a test that made one request.
    pub async fn event(&self) -> UsageEvent {
        until("a usage event", || self.events().pop()).await;
        let mut events = self.events();
        assert_eq!(events.len(), 1, "{events:#?}");
        events.remove(0)
    }
}

/// Waits for something that another task brings about.
pub async fn until<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    wait_until(what, PATIENCE, || std::future::ready(check())).await
}

pub fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

pub async fn json(response: Response) -> Value {
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The `data:` of every frame of a stream.
pub fn frames(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect()
}

pub fn question(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "How far is the moon?"}]})
}

/// The end records of one spool file: see `usage::record` for the layout.
fn read(file: &Path) -> Vec<UsageEvent> {
    const MAGIC: usize = 8;
    const HEADER: usize = 17;
    const END: u8 = 2;
    let mut bytes = Bytes::from(std::fs::read(file).unwrap());
    let mut events = Vec::new();
    bytes = bytes.slice(MAGIC.min(bytes.len())..);
    while bytes.len() >= HEADER {
        let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        if bytes.len() < HEADER + length {
            break;
        }
        if bytes[8] == END {
            events.push(UsageEvent::decode(bytes.slice(HEADER..HEADER + length)).unwrap());
        }
        bytes = bytes.slice(HEADER + length..);
    }
    events
}

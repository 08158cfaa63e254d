//! What an operator sets at boot. Nothing here is ever also a row in the database.

use llm::guard::{Guard, InjectionMode, Mode, ReplyMode, Rules};
use runtime::client_address::TrustedProxies;
use runtime::egress::ProxyEnvironment;
use runtime::secret::Secret;
use runtime::telemetry::{MeasuresConfig, TelemetryConfig, TracesConfig};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Environment names that are documented without a prefix, and where they go.
pub const FLAT: &[(&str, &str)] = &[
    ("PORT", "port"),
    ("DATA_DIR", "data_dir"),
    ("REDIS_URL", "redis_url"),
    ("REDIS_TIMEOUT_MS", "redis_timeout_ms"),
    ("CONTROL_PLANE_URL", "control_plane_url"),
    ("CLUSTER_SECRET", "cluster_secret"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "traces.otlp_endpoint"),
    (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "traces.otlp_traces_endpoint",
    ),
    ("OTEL_TRACES_EXPORTER", "traces.exporter"),
    ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "metrics.otlp_endpoint"),
    ("OTEL_METRICS_EXPORTER", "metrics.exporter"),
    ("REQUIRE_API_KEY", "edge.require_api_key"),
    ("CORS_ORIGIN", "edge.cors_origin"),
    ("TRUSTED_PROXIES", "edge.trusted_proxies"),
    ("MAX_BODY_SIZE_BYTES", "edge.max_body_bytes"),
    ("MAX_UPLOAD_SIZE_BYTES", "edge.max_upload_bytes"),
    ("UPLOAD_DIR", "edge.upload_dir"),
    ("ALLOW_PRIVATE_PROVIDER_URLS", "upstream.allow_private_addresses"),
    ("HTTP_PROXY", "upstream.proxies.http"),
    ("http_proxy", "upstream.proxies.http"),
    ("HTTPS_PROXY", "upstream.proxies.https"),
    ("https_proxy", "upstream.proxies.https"),
    ("ALL_PROXY", "upstream.proxies.all"),
    ("all_proxy", "upstream.proxies.all"),
    ("NO_PROXY", "upstream.proxies.no"),
    ("no_proxy", "upstream.proxies.no"),
    ("SHUTDOWN_TIMEOUT_MS", "shutdown_timeout_ms"),
    ("SEMANTIC_CACHE_MAX_SIZE", "cache.max_entries"),
    ("SEMANTIC_CACHE_TTL_MS", "cache.ttl_ms"),
    ("SEMANTIC_CACHE_EMBEDDING_TIMEOUT_MS", "cache.embedding_ms"),
    ("IDEMPOTENCY_WINDOW_MS", "idempotency.window_ms"),
    ("INPUT_SANITIZER_ENABLED", "guard.enabled"),
    ("INPUT_SANITIZER_MODE", "guard.mode"),
    ("PII_REDACTION_ENABLED", "guard.personal_data"),
    ("INJECTION_GUARD_MODE", "guard.injection"),
    ("PII_RESPONSE_SANITIZATION", "guard.replies"),
    ("PII_RESPONSE_SANITIZATION_MODE", "guard.reply_mode"),
];

/// The process: where it listens and whom it knows.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub listen: SocketAddr,
    /// Replaces the port of `listen`.
    pub port: Option<u16>,
    /// Where the spool of finished requests lives; must survive a restart.
    pub data_dir: PathBuf,
    /// gRPC addresses of control planes, separated by commas; any of them will do.
    pub control_plane_url: String,
    pub redis_url: Secret<String>,
    /// Prefix of every key in Redis, so that deployments can share one.
    pub redis_prefix: String,
    /// How long a request waits for Redis before it goes on without.
    pub redis_timeout_ms: u64,
    /// At least 32 characters, the same on every plane.
    pub cluster_secret: Secret<String>,
    /// Name of this data plane in the dashboard; when empty it is named after its spool.
    pub data_plane_id: String,
    pub log: TelemetryConfig,
    pub traces: TracesConfig,
    pub metrics: MeasuresConfig,
    /// Between becoming unready and refusing requests: load balancers need a moment to notice.
    pub drain_notice_ms: u64,
    /// How long running requests may take to end after SIGTERM.
    pub shutdown_timeout_ms: u64,
    pub edge: EdgeConfig,
    pub upstream: UpstreamConfig,
    pub media: MediaConfig,
    pub guard: GuardConfig,
    pub cache: CacheConfig,
    pub idempotency: IdempotencyConfig,
}

/// What is asked of clients.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EdgeConfig {
    /// Without it a missing or unknown key is accepted; a known one keeps its limits. The configuration may say
    /// otherwise, as of the next.
    pub require_api_key: bool,
    /// Whose pages may call from a browser: origins separated by commas, or `*`.
    pub cors_origin: String,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    pub max_body_bytes: usize,
    /// Of a request that brings files.
    pub max_upload_bytes: usize,
    /// Where files of more than a megabyte wait until they are passed on; the system's own place without it.
    pub upload_dir: Option<PathBuf>,
    /// Longest silence while a request body is being read.
    pub body_idle_ms: u64,
}

/// How providers are called.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamConfig {
    pub allow_private_addresses: bool,
    /// Where no proxy is configured.
    pub proxies: ProxyEnvironment,
    /// TCP and TLS.
    pub connect_ms: u64,
    /// From sending the request of a stream to its first event of output.
    pub first_event_ms: u64,
    /// Longest silence inside a stream.
    pub idle_ms: u64,
    /// One attempt of a request that is answered whole.
    pub unary_ms: u64,
    /// The whole request with all its attempts, and the longest stream.
    pub total_ms: u64,
    /// Largest whole answer that is read.
    pub max_reply_bytes: usize,
    /// How long an answer is read on whose client has left, where its account asks for that.
    pub drain_ms: u64,
    /// How much of it is read on, at most.
    pub drain_bytes: usize,
    /// How many of them are read on at a time; of others the call is ended.
    pub drain_at_once: usize,
}

/// What clients name by address and a provider takes only as bytes.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MediaConfig {
    /// Without it such a request is refused.
    pub fetch: bool,
    /// Whoever has a key may then read what the gateway can reach in its own network, as far as it is a picture or
    /// a document. What is allowed for providers says nothing about this.
    pub allow_private_addresses: bool,
    pub timeout_ms: u64,
    /// One file.
    pub max_bytes: usize,
    /// All files of one request.
    pub max_request_bytes: usize,
}

/// What requests and replies are searched for.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardConfig {
    /// `false` leaves requests unsearched, whatever follows.
    pub enabled: bool,
    /// What is done about findings in any dialect.
    pub mode: Mode,
    /// What is done about injection in Chat Completions.
    pub injection: InjectionMode,
    /// Look for personal data in requests too; `mode = "redact"` replaces it.
    pub personal_data: bool,
    /// Look for personal data in replies.
    pub replies: bool,
    /// What is done about it.
    pub reply_mode: ReplyMode,
}

/// What this data plane keeps of answers to be given again. Whether that is done at all is a setting of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheConfig {
    /// In memory, beside what the state store keeps; 0 keeps none there.
    pub max_entries: u64,
    pub max_bytes: u64,
    /// How long an answer may be given again, as long as no setting says otherwise.
    pub ttl_ms: u64,
    /// How long a request waits for the embedding of its question, where similar questions share answers.
    pub embedding_ms: u64,
}

/// What is done about requests that clients send again under the same name.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdempotencyConfig {
    /// How long an answer is remembered after it was complete.
    pub window_ms: u64,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 20130)),
            port: None,
            data_dir: PathBuf::from("data"),
            control_plane_url: "http://127.0.0.1:20129".to_owned(),
            redis_url: Secret::new("redis://127.0.0.1:6379".to_owned()),
            redis_prefix: "omniroute".to_owned(),
            redis_timeout_ms: 50,
            cluster_secret: Secret::new(String::new()),
            data_plane_id: String::new(),
            log: TelemetryConfig::default(),
            traces: TracesConfig::default(),
            metrics: MeasuresConfig::default(),
            drain_notice_ms: 3_000,
            shutdown_timeout_ms: 30_000,
            edge: EdgeConfig::default(),
            upstream: UpstreamConfig::default(),
            media: MediaConfig::default(),
            guard: GuardConfig::default(),
            cache: CacheConfig::default(),
            idempotency: IdempotencyConfig::default(),
        }
    }
}

impl Config {
    pub fn listen(&self) -> SocketAddr {
        let mut listen = self.listen;
        if let Some(port) = self.port {
            listen.set_port(port);
        }
        listen
    }

    pub fn redis_timeout(&self) -> Duration {
        Duration::from_millis(self.redis_timeout_ms)
    }

    pub fn drain_notice(&self) -> Duration {
        Duration::from_millis(self.drain_notice_ms)
    }

    pub fn shutdown_timeout(&self) -> Duration {
        Duration::from_millis(self.shutdown_timeout_ms)
    }
}

// === impl EdgeConfig ===

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            require_api_key: true,
            cors_origin: "*".to_owned(),
            trusted_proxies: TrustedProxies::default(),
            max_body_bytes: 10 * 1024 * 1024,
            max_upload_bytes: 100 * 1024 * 1024,
            upload_dir: None,
            body_idle_ms: 30_000,
        }
    }
}

impl EdgeConfig {
    pub fn body_idle(&self) -> Duration {
        Duration::from_millis(self.body_idle_ms)
    }
}

// === impl GuardConfig ===

impl Default for GuardConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            mode: Mode::Warn,
            injection: InjectionMode::Warn,
            personal_data: false,
            replies: false,
            reply_mode: ReplyMode::Redact,
        }
    }
}

impl GuardConfig {
    pub fn guard(&self) -> Option<Guard> {
        let rules = Rules {
            mode: self.mode,
            injection: self.injection,
            personal: self.personal_data,
        };
        let requests = self.enabled.then_some(rules);
        Guard::new(requests, self.replies.then_some(self.reply_mode))
    }
}

// === impl CacheConfig ===

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            max_entries: 500,
            max_bytes: 64 * 1024 * 1024,
            ttl_ms: 60 * 60 * 1000,
            embedding_ms: 150,
        }
    }
}

impl CacheConfig {
    pub fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl_ms)
    }

    pub fn embedding(&self) -> Duration {
        Duration::from_millis(self.embedding_ms)
    }
}

// === impl IdempotencyConfig ===

impl Default for IdempotencyConfig {
    fn default() -> Self {
        Self { window_ms: 5_000 }
    }
}

impl IdempotencyConfig {
    pub fn window(&self) -> Duration {
        Duration::from_millis(self.window_ms)
    }
}

// === impl UpstreamConfig ===

impl Default for UpstreamConfig {
    fn default() -> Self {
        Self {
            allow_private_addresses: false,
            proxies: ProxyEnvironment::default(),
            connect_ms: 10_000,
            first_event_ms: 60_000,
            idle_ms: 120_000,
            unary_ms: 300_000,
            total_ms: 600_000,
            max_reply_bytes: 64 * 1024 * 1024,
            drain_ms: 120_000,
            drain_bytes: 16 * 1024 * 1024,
            drain_at_once: 1024,
        }
    }
}

impl UpstreamConfig {
    pub fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_ms)
    }

    pub fn first_event(&self) -> Duration {
        Duration::from_millis(self.first_event_ms)
    }

    pub fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }

    pub fn unary(&self) -> Duration {
        Duration::from_millis(self.unary_ms)
    }

    pub fn total(&self) -> Duration {
        Duration::from_millis(self.total_ms)
    }

    pub fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}

// === impl MediaConfig ===

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            fetch: true,
            allow_private_addresses: false,
            timeout_ms: 10_000,
            max_bytes: 20 * 1024 * 1024,
            max_request_bytes: 64 * 1024 * 1024,
        }
    }
}

impl MediaConfig {
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use figment::providers::Serialized;
    use runtime::config::{Sources, load_from};
    use std::collections::BTreeMap;

    fn guard(environment: &[(&str, &str)]) -> Option<Guard> {
        let sources = Sources {
            file: None,
            prefix: "OMNIROUTE_DATAPLANE__",
            section: "dataplane",
            flat: FLAT,
            flags: Serialized::globals(BTreeMap::<String, String>::new()),
        };
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        load_from::<Config>(sources, environment).unwrap().guard.guard()
    }

    #[test]
    fn the_guard_warns_about_requests_until_it_is_told_otherwise() {
        let rules = Rules::default();
        for (environment, requests, replies) in [
            (&[][..], Some(rules), None),
            (&[("INPUT_SANITIZER_ENABLED", "true")], Some(rules), None),
            (&[("INPUT_SANITIZER_ENABLED", "false")], None, None),
            (
                &[
                    ("INPUT_SANITIZER_MODE", "redact"),
                    ("PII_REDACTION_ENABLED", "true"),
                ],
                Some(Rules {
                    mode: Mode::Redact,
                    personal: true,
                    ..rules
                }),
                None,
            ),
            (
                &[("INJECTION_GUARD_MODE", "log"), ("INPUT_SANITIZER_MODE", "block")],
                Some(Rules {
                    mode: Mode::Block,
                    injection: InjectionMode::Log,
                    ..rules
                }),
                None,
            ),
            (
                &[
                    ("INJECTION_GUARD_MODE", "block"),
                    ("PII_RESPONSE_SANITIZATION", "true"),
                ],
                Some(Rules {
                    injection: InjectionMode::Block,
                    ..rules
                }),
                Some(ReplyMode::Redact),
            ),
            (
                &[
                    ("INPUT_SANITIZER_ENABLED", "false"),
                    ("PII_RESPONSE_SANITIZATION", "true"),
                ],
                None,
                Some(ReplyMode::Redact),
            ),
            (&[("PII_RESPONSE_SANITIZATION_MODE", "block")], Some(rules), None),
        ] {
            assert_eq!(
                guard(environment),
                Guard::new(requests, replies),
                "{environment:?}"
            );
        }
        for (name, mode) in [("warn", ReplyMode::Warn), ("block", ReplyMode::Block)] {
            let environment = [
                ("PII_RESPONSE_SANITIZATION", "true"),
                ("PII_RESPONSE_SANITIZATION_MODE", name),
            ];
            assert_eq!(guard(&environment), Guard::new(Some(rules), Some(mode)), "{name}");
        }
    }
}

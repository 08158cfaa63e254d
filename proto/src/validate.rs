//! What a resource must be, as pure checks over one resource, and over the names that refer to each other.
//!
//! The control plane refuses to commit what fails here, so a data plane meets it only when their builds differ.
//! References (a provider, a model, a key's connections) are not checked: they may come and go on their own.

mod check;
mod names;
mod routing;

use self::check::Check;
pub use self::names::{MAX_DEPTH, names};
pub use self::routing::{
    ACCOUNT_STRATEGIES, MAX_BACKOFF_LEVEL, MAX_COOLDOWN_MS, MAX_HEDGE_PERMILLE, MAX_POLICY_PRIORITY,
    MAX_STICKY_LIMIT, POLICY_TYPES, fallback_chain, is_utc, policy, price_override, resilience, routing,
};
use crate::{
    Issue,
    v1::{
        ApiKey, Combo, Connection, CustomModel, IpFilter, ModelAlias, OutboundProxy, ProviderNode, Resource,
        ResourceKind as Kind, SealedSecret, SystemPrompt, ThinkingBudget, resource::Body,
    },
};

pub const NODE_TYPES: [&str; 6] = [
    "openai-compatible",
    "anthropic-compatible",
    "gemini-compatible",
    "ollama-compatible",
    "azure-compatible",
    "bedrock-compatible",
];
pub const API_TYPES: [&str; 2] = ["chat", "responses"];
/// The API with a dated version has its models in the path.
pub const AZURE_API_TYPES: [&str; 3] = ["chat", "responses", "deployments"];
pub const STRATEGIES: [&str; 6] = [
    "priority",
    "weighted",
    "round-robin",
    "random",
    "least-used",
    "cost-optimized",
];
pub const MODEL_TYPES: [&str; 8] = [
    "chat",
    "embedding",
    "image",
    "audio",
    "audio-transcription",
    "audio-speech",
    "moderation",
    "rerank",
];
pub const SCOPES: [&str; 4] = ["inference", "manage", "cloud", "read"];
pub const THINKING_MODES: [&str; 4] = ["auto", "passthrough", "custom", "adaptive"];
pub const EFFORT_LEVELS: [&str; 4] = ["none", "low", "medium", "high"];
pub const MAX_THINKING_BUDGET: u32 = 131_072;
pub const PROMPT_CHARS: usize = 50_000;
pub const IP_FILTER_MODES: [&str; 3] = ["blacklist", "whitelist", "whitelist-priority"];
/// Questions that are less alike are never taken for the same, whatever a rule says.
pub const MIN_SIMILARITY: f64 = 0.85;
pub const SIMILARITY: f64 = 0.95;
pub const SIMILARITY_RULES: usize = 50;
/// Of each list.
pub const IP_FILTER_ENTRIES: usize = 10_000;
pub const PROXY_LEVELS: [&str; 4] = ["global", "provider", "combo", "connection"];
pub const PROXY_TYPES: [&str; 3] = ["http", "https", "socks5"];

const AUTH_TYPES: [&str; 2] = ["apikey", "oauth"];
const THINK_TAGS: [&str; 3] = ["off", "tagged", "opened-by-prompt"];
const ON_DISCONNECT: [&str; 2] = ["cancel", "drain"];
const NAME_CHARS: usize = 200;
const MODEL_CHARS: usize = 300;
const URL_CHARS: usize = 2048;
/// DNS allows no longer name.
const HOST_CHARS: usize = 253;
const COMBO_MEMBERS: usize = 64;
const ALLOWED_MODELS: usize = 1000;
const ALLOWED_CONNECTIONS: usize = 100;
const RATE_LIMITS: usize = 50;
const MAX_BUDGET_NANO: u64 = 1_000_000 * 1_000_000_000;
/// AES-GCM's.
const NONCE_BYTES: usize = 12;
/// HMAC-SHA256's.
const HASH_BYTES: usize = 32;

/// The checks of whatever kind the resource is; a kind from the future passes.
pub fn resource(resource: &Resource) -> Vec<Issue> {
    let id = &resource.id;
    match &resource.body {
        Some(Body::ProviderNode(body)) => provider_node(id, body),
        Some(Body::Connection(body)) => connection(id, body),
        Some(Body::ModelAlias(body)) => alias(id, body),
        Some(Body::Combo(body)) => combo(id, body),
        Some(Body::ApiKey(body)) => api_key(id, body),
        Some(Body::SystemPrompt(body)) => system_prompt(id, body),
        Some(Body::ThinkingBudget(body)) => thinking_budget(id, body),
        Some(Body::Routing(body)) => routing(id, body),
        Some(Body::Resilience(body)) => resilience(id, body),
        Some(Body::Policy(body)) => policy(id, body),
        Some(Body::FallbackChain(body)) => fallback_chain(id, body),
        Some(Body::CustomModel(body)) => custom_model(id, body),
        Some(Body::PriceOverride(body)) => price_override(id, body),
        Some(Body::IpFilter(body)) => ip_filter(id, body),
        Some(Body::OutboundProxy(body)) => outbound_proxy(id, body),
        Some(Body::Settings(_)) | None => Vec::new(),
    }
}

pub fn provider_node(id: &str, node: &ProviderNode) -> Vec<Issue> {
    let mut check = Check::new(Kind::ProviderNode, id);
    check.length("name", &node.name, 1..=NAME_CHARS);
    check.one_of("type", &node.r#type, &NODE_TYPES);
    match api_types(&node.r#type) {
        [] => check.that(
            node.api_type.is_empty(),
            "api_type",
            "belongs to openai-compatible and azure-compatible nodes only",
        ),
        known => check.one_of("api_type", &node.api_type, known),
    }
    check.that(
        node.api_version.is_empty() || node.r#type == "azure-compatible",
        "api_version",
        "belongs to azure-compatible nodes only",
    );
    check.characters("api_version", &node.api_version, "._-");
    check.that(
        is_prefix(&node.prefix),
        "prefix",
        "must match ^[a-z0-9][a-z0-9._-]{0,63}$",
    );
    check.address("base_url", &node.base_url);
    check.issues
}

/// The kinds of API that a node of a type can be; none where there is but one.
pub fn api_types(node_type: &str) -> &'static [&'static str] {
    match node_type {
        "openai-compatible" => &API_TYPES,
        "azure-compatible" => &AZURE_API_TYPES,
        _ => &[],
    }
}

pub fn connection(id: &str, connection: &Connection) -> Vec<Issue> {
    let mut check = Check::new(Kind::Connection, id);
    check.length("provider", &connection.provider, 1..=100);
    check.length("name", &connection.name, 0..=NAME_CHARS);
    check.one_of("auth_type", &connection.auth_type, &AUTH_TYPES);
    check.that(connection.priority >= 1, "priority", "must be at least 1");
    if !connection.base_url.is_empty() {
        check.address("base_url", &connection.base_url);
    }
    check.length("default_model", &connection.default_model, 0..=MODEL_CHARS);
    check.characters("region", &connection.region, "-");
    check.characters("project", &connection.project, ".:_-");
    if !connection.think_tags.is_empty() {
        check.one_of("think_tags", &connection.think_tags, &THINK_TAGS);
    }
    if !connection.on_disconnect.is_empty() {
        check.one_of("on_disconnect", &connection.on_disconnect, &ON_DISCONNECT);
    }
    if let Some(SealedSecret { nonce, .. }) = &connection.credential {
        check.that(
            nonce.len() == NONCE_BYTES,
            "credential",
            "could not be sealed by the control plane",
        );
    }
    check.issues
}

/// The id of an alias is the alias.
pub fn alias(alias: &str, body: &ModelAlias) -> Vec<Issue> {
    let mut check = Check::new(Kind::ModelAlias, alias);
    check.length("id", alias, 1..=NAME_CHARS);
    check.characters("id", alias, "._:-");
    check.length("target", &body.target, 1..=MODEL_CHARS);
    check.issues
}

pub fn custom_model(id: &str, body: &CustomModel) -> Vec<Issue> {
    let mut check = Check::new(Kind::CustomModel, id);
    check.length("provider", &body.provider, 1..=100);
    check.length("model", &body.model, 1..=MODEL_CHARS);
    check.that(
        id.strip_prefix(&*body.provider)
            .and_then(|rest| rest.strip_prefix('/'))
            == Some(&*body.model),
        "id",
        "must be provider/model",
    );
    check.length("name", &body.name, 0..=NAME_CHARS);
    check.one_of("type", &body.r#type, &MODEL_TYPES);
    check.issues
}

pub fn combo(id: &str, combo: &Combo) -> Vec<Issue> {
    let mut check = Check::new(Kind::Combo, id);
    check.length("name", &combo.name, 1..=100);
    check.characters("name", &combo.name, "_/.-");
    check.one_of("strategy", &combo.strategy, &STRATEGIES);
    check.count("members", combo.members.len(), COMBO_MEMBERS);
    for (position, member) in combo.members.iter().enumerate() {
        check.length(
            &format!("members.{position}.model"),
            &member.model,
            1..=MODEL_CHARS,
        );
        let weight = (0.0..=100.0).contains(&member.weight);
        check.that(
            weight,
            &format!("members.{position}.weight"),
            "must be between 0 and 100",
        );
    }
    let weighted = combo.strategy == "weighted" && !combo.members.is_empty();
    let total: f64 = combo.members.iter().map(|member| member.weight).sum();
    check.that(
        !weighted || total > 0.0,
        "members",
        "of a weighted combo need a total weight above 0",
    );
    let retries = combo.max_retries.is_none_or(|retries| retries <= 10);
    check.that(retries, "max_retries", "must be at most 10");
    check.that(
        combo.concurrency_per_model <= 100,
        "concurrency_per_model",
        "must be at most 100",
    );
    check.that(
        combo.queue_timeout_ms <= 600_000,
        "queue_timeout_ms",
        "must be at most 600000",
    );
    check.that(
        combo.retry_delay_ms <= 60_000,
        "retry_delay_ms",
        "must be at most 60000",
    );
    let timeout = combo.timeout_ms == 0 || (1_000..=600_000).contains(&combo.timeout_ms);
    check.that(timeout, "timeout_ms", "must be between 1000 and 600000");
    check.issues
}

pub fn api_key(id: &str, key: &ApiKey) -> Vec<Issue> {
    let mut check = Check::new(Kind::ApiKey, id);
    check.length("name", &key.name, 1..=NAME_CHARS);
    check.that(key.hash.len() == HASH_BYTES, "hash", "must be 32 bytes");
    check.that(key.expires_at_ms >= 0, "expires_at_ms", "must not be negative");
    for (position, scope) in key.scopes.iter().enumerate() {
        check.one_of(&format!("scopes.{position}"), scope, &SCOPES);
    }
    check.count("allowed_models", key.allowed_models.len(), ALLOWED_MODELS);
    for (position, model) in key.allowed_models.iter().enumerate() {
        check.length(&format!("allowed_models.{position}"), model, 1..=MODEL_CHARS);
    }
    check.count(
        "allowed_connections",
        key.allowed_connections.len(),
        ALLOWED_CONNECTIONS,
    );
    for (position, connection) in key.allowed_connections.iter().enumerate() {
        let field = format!("allowed_connections.{position}");
        check.that(
            uuid::Uuid::try_parse(connection).is_ok(),
            &field,
            "must be the id of a connection",
        );
    }
    check.count("rate_limits", key.rate_limits.len(), RATE_LIMITS);
    for (position, rate) in key.rate_limits.iter().enumerate() {
        let both = rate.limit > 0 && rate.window_s > 0;
        check.that(
            both,
            &format!("rate_limits.{position}"),
            "must have a limit and a window above 0",
        );
    }
    let budget = key.budget.unwrap_or_default();
    for (field, limit) in [
        ("budget.daily_limit_nano", budget.daily_limit_nano),
        ("budget.weekly_limit_nano", budget.weekly_limit_nano),
        ("budget.monthly_limit_nano", budget.monthly_limit_nano),
    ] {
        check.that(limit <= MAX_BUDGET_NANO, field, "must be at most a million USD");
    }
    check.issues
}

pub fn system_prompt(id: &str, body: &SystemPrompt) -> Vec<Issue> {
    let mut check = Check::new(Kind::SystemPrompt, id);
    check.length("prompt", &body.prompt, 0..=PROMPT_CHARS);
    check.issues
}

pub fn thinking_budget(id: &str, body: &ThinkingBudget) -> Vec<Issue> {
    let mut check = Check::new(Kind::ThinkingBudget, id);
    check.one_of("mode", &body.mode, &THINKING_MODES);
    check.one_of("effort_level", &body.effort_level, &EFFORT_LEVELS);
    let allowed = body.custom_budget <= MAX_THINKING_BUDGET;
    check.that(allowed, "custom_budget", "must be at most 131072");
    check.issues
}

/// The entries are read where they are compiled.
pub fn ip_filter(id: &str, body: &IpFilter) -> Vec<Issue> {
    let mut check = Check::new(Kind::IpFilter, id);
    check.one_of("mode", &body.mode, &IP_FILTER_MODES);
    check.count("blacklist", body.blacklist.len(), IP_FILTER_ENTRIES);
    check.count("whitelist", body.whitelist.len(), IP_FILTER_ENTRIES);
    check.issues
}

/// Whether the host may be connected to is decided where it is compiled.
pub fn outbound_proxy(id: &str, body: &OutboundProxy) -> Vec<Issue> {
    let mut check = Check::new(Kind::OutboundProxy, id);
    check.one_of("level", &body.level, &PROXY_LEVELS);
    let of = match body.level.as_str() {
        "global" => body.target.is_empty() && id == "global",
        level => {
            let target = id.strip_prefix(level).and_then(|rest| rest.strip_prefix('/'));
            !body.target.is_empty() && target == Some(&*body.target)
        }
    };
    check.that(of, "id", "must be its level and its target");
    check.one_of("type", &body.r#type, &PROXY_TYPES);
    check.length("host", &body.host, 1..=HOST_CHARS);
    let port = (1..=u32::from(u16::MAX)).contains(&body.port);
    check.that(port, "port", "must be between 1 and 65535");
    if let Some(SealedSecret { nonce, .. }) = &body.password {
        check.that(
            nonce.len() == NONCE_BYTES,
            "password",
            "could not be sealed by the control plane",
        );
    }
    check.issues
}

fn is_prefix(prefix: &str) -> bool {
    let first = prefix.chars().next();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    prefix.len() <= 64
        && first.is_some_and(plain)
        && prefix.chars().all(|c| plain(c) || matches!(c, '.' | '_' | '-'))
}

#[cfg(test)]
mod tests;

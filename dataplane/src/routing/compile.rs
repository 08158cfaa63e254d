//! From resources to a [`Table`]. Total: whatever arrives, a table comes out.
//!
//! A resource that cannot be used is quarantined fail-closed and reported. A key that cannot be read authenticates
//! nobody, a connection that cannot be opened is not called, a name that cannot be resolved answers with an error;
//! everything else keeps working. Without readable settings no key is accepted.

use super::Routing;
use super::access::{Globs, Scopes};
use super::cache::CacheRules;
use super::chain::Chains;
use super::choice::Choice;
use super::custom_model::{self, CustomModel};
use super::health::Health;
use super::limits::Limits;
use super::listing;
use super::names;
use super::origins::Origins;
use super::outlet::Outlets;
use super::policy::Policies;
use super::resilience::Resilience;
use super::table::{AccessToken, ApiKey, Connection, Provider, Table};
use super::wildcard::Wildcards;
use chrono_tz::Tz;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use llm::ProviderSpec;
use llm::pricing::dated::{Period, Periods};
use llm::pricing::{Overrides, PriceOverride, UnitPrice};
use llm::provider::{AuthScheme, AuthType, Endpoint, Whereabouts};
use llm::rewrite::{Rewrite, Thinking};
use llm::sigv4::Signer;
use llm::think_tags::ThinkTags;
use proto::v1::{self, ConfigVersion, Resource, ResourceError, ResourceKey, ResourceKind};
use proto::v1::{resource::Body, resource_error::Code};
use runtime::crypto::SealKey;
use runtime::ip_filter::IpFilter;
use runtime::period::zone;
use runtime::service_account::{Grant, ServiceAccount};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use url::Url;
use zeroize::Zeroizing;

/// As long as the wire contract allows a message to be.
const MESSAGE_BYTES: usize = 512;

/// What a settings resource turns into.
struct Settings {
    require_auth_for_models: bool,
    require_api_key: Option<bool>,
    origins: Option<Origins>,
    blocked: HashSet<String>,
    pepper: Option<Zeroizing<Vec<u8>>>,
    budget_zone: Tz,
    capture_percent: u32,
}

/// A node of the user's, before its connections are known.
struct Node<'a> {
    node: &'a v1::ProviderNode,
    spec: &'static ProviderSpec,
}

/// What belongs to providers, by their ids, until they take it.
struct Served<'a> {
    connections: &'a mut HashMap<String, Vec<Arc<Connection>>>,
    custom: &'a mut HashMap<String, Vec<Arc<CustomModel>>>,
    prices: &'a HashMap<&'a str, Overrides>,
    periods: &'a HashMap<&'a str, Periods>,
}

/// The resources by kind, in id order, so that the same configuration always compiles to the same table.
#[derive(Default)]
struct Sorted<'a> {
    settings: Option<&'a v1::Settings>,
    nodes: BTreeMap<&'a str, &'a v1::ProviderNode>,
    connections: BTreeMap<&'a str, &'a v1::Connection>,
    aliases: BTreeMap<&'a str, &'a v1::ModelAlias>,
    combos: BTreeMap<&'a str, &'a v1::Combo>,
    keys: BTreeMap<&'a str, &'a v1::ApiKey>,
    system_prompt: Option<&'a v1::SystemPrompt>,
    thinking_budget: Option<&'a v1::ThinkingBudget>,
    routing: Option<&'a v1::Routing>,
    resilience: Option<&'a v1::Resilience>,
    policies: BTreeMap<&'a str, &'a v1::Policy>,
    chains: BTreeMap<&'a str, &'a v1::FallbackChain>,
    custom_models: BTreeMap<&'a str, &'a v1::CustomModel>,
    /// By provider id.
    prices: HashMap<&'a str, Overrides>,
    periods: HashMap<&'a str, Periods>,
    ip_filter: Option<&'a v1::IpFilter>,
    /// Usable or not.
    proxies: BTreeMap<&'a str, (&'a v1::OutboundProxy, bool)>,
    /// Names of combos and aliases that cannot be used, and why.
    broken: Vec<(&'a str, String)>,
}

/// Why one resource cannot be used.
pub(super) struct Fault {
    code: Code,
    message: String,
}

// === impl Table ===

impl Table {
    /// `kept` is what outlives tables, and what the new one takes over from those before it.
    pub fn compile(
        version: ConfigVersion,
        resources: &[Resource],
        transport: &SealKey,
        kept: &Routing,
    ) -> (Self, Vec<ResourceError>) {
        let mut errors = Vec::new();
        let sorted = Sorted::new(resources, &mut errors);
        let settings = compile_settings(sorted.settings, transport, &mut errors);
        let nodes = compile_nodes(&sorted, &mut errors);
        let health = kept.health();
        let outlets = Outlets::compile(&sorted.proxies, transport, &mut errors);
        let mut connections = compile_connections(&sorted, &nodes, transport, kept, &outlets, &mut errors);
        let mut custom =
            custom_model::compile(&sorted.custom_models, |id| nodes.contains_key(id), &mut errors);
        let served = Served {
            connections: &mut connections,
            custom: &mut custom,
            prices: &sorted.prices,
            periods: &sorted.periods,
        };
        let providers = compile_providers(&nodes, served, &settings.blocked, health, &mut errors);
        let distinct: Vec<Arc<Provider>> = distinct(&providers);
        let chains = Chains::compile(&sorted.chains, &providers, &mut errors);
        let policies = Policies::compile(&sorted.policies, &providers);
        let mut table = Self {
            version,
            require_auth_for_models: settings.require_auth_for_models,
            require_api_key: settings.require_api_key,
            origins: settings.origins,
            pepper: settings.pepper,
            budget_zone: settings.budget_zone,
            capture_percent: settings.capture_percent,
            drains: distinct
                .iter()
                .flat_map(|provider| &provider.connections)
                .any(|connection| connection.drains),
            keys: compile_keys(&sorted, &mut errors),
            rewrite: compile_rewrite(&sorted),
            ip_filter: compile_ip_filter(&sorted, &mut errors),
            choice: sorted.routing.map(Choice::from).unwrap_or_default(),
            cache: CacheRules::new(sorted.settings, sorted.system_prompt, sorted.thinking_budget),
            outlets: Outlets::default(),
            resilience: sorted.resilience.map(Resilience::from).unwrap_or_default(),
            bare: index_bare(&distinct),
            providers,
            names: HashMap::new(),
            wildcards: Wildcards::default(),
            chains,
            policies,
            combos: sorted.combos.keys().map(|id| (*id).to_owned()).collect(),
            listing: Vec::new(),
        };
        let given = names::Given {
            combos: &sorted.combos,
            aliases: &sorted.aliases,
            wildcards: sorted.routing.map_or(&[], |routing| &routing.wildcard_aliases),
            broken: &sorted.broken,
            outlets: &outlets,
        };
        (table.names, table.wildcards) = names::compile(&given, &table, kept.combos(), &mut errors);
        table.outlets = outlets;
        let combos = sorted
            .combos
            .values()
            .filter(|combo| combo.enabled)
            .map(|combo| combo.name.as_str());
        table.listing = listing::build(combos.filter(|name| table.resolve(name).is_ok()), distinct.iter());
        (table, errors)
    }
}

// === impl Sorted ===

impl<'a> Sorted<'a> {
    fn new(resources: &'a [Resource], errors: &mut Vec<ResourceError>) -> Self {
        let mut sorted = Self::default();
        for resource in resources {
            let issues = proto::validate::resource(resource);
            let broken = issues.first().map(ToString::to_string);
            errors.extend(issues.into_iter().map(ResourceError::from));
            let id = resource.id.as_str();
            match (&resource.body, broken) {
                // a name stays taken, or it would come to mean something else
                (Some(Body::Combo(combo)), Some(reason)) => sorted.broken.push((&combo.name, reason)),
                (Some(Body::ModelAlias(_)), Some(reason)) => sorted.broken.push((id, reason)),
                // a rule that cannot be read in full is still a rule
                (Some(Body::Policy(policy)), Some(_)) => drop(sorted.policies.insert(id, policy)),
                (Some(Body::IpFilter(filter)), _) => sorted.ip_filter = Some(filter),
                // without it calls would go where they must not
                (Some(Body::OutboundProxy(proxy)), broken) => {
                    sorted.proxies.insert(id, (proxy, broken.is_none()));
                }
                (Some(_), Some(_)) => {}
                (Some(Body::Settings(settings)), None) => sorted.settings = Some(settings),
                (Some(Body::ProviderNode(node)), None) => drop(sorted.nodes.insert(id, node)),
                (Some(Body::Connection(connection)), None) => drop(sorted.connections.insert(id, connection)),
                (Some(Body::ModelAlias(alias)), None) => drop(sorted.aliases.insert(id, alias)),
                (Some(Body::Combo(combo)), None) => drop(sorted.combos.insert(id, combo)),
                (Some(Body::ApiKey(key)), None) => drop(sorted.keys.insert(id, key)),
                (Some(Body::SystemPrompt(prompt)), None) => sorted.system_prompt = Some(prompt),
                (Some(Body::ThinkingBudget(budget)), None) => sorted.thinking_budget = Some(budget),
                (Some(Body::Routing(routing)), None) => sorted.routing = Some(routing),
                (Some(Body::Resilience(resilience)), None) => sorted.resilience = Some(resilience),
                (Some(Body::Policy(policy)), None) => drop(sorted.policies.insert(id, policy)),
                (Some(Body::FallbackChain(chain)), None) => drop(sorted.chains.insert(id, chain)),
                (Some(Body::CustomModel(model)), None) => drop(sorted.custom_models.insert(id, model)),
                (Some(Body::PriceOverride(price)), None) => {
                    let own = sorted.prices.entry(&price.provider).or_default();
                    own.insert(price.model.clone(), price_override(price));
                    let periods = sorted.periods.entry(&price.provider).or_default();
                    periods.insert(
                        price.model.clone(),
                        price.periods.iter().map(price_period).collect(),
                    );
                }
                (None, _) => {
                    let fault = Fault::new(Code::Decode, "unknown kind of resource: upgrade this data plane");
                    report(errors, ResourceKind::Unspecified, id, fault);
                }
            }
        }
        sorted
    }
}

// === impl Served ===

impl Served<'_> {
    fn connections(&mut self, provider: &str) -> Vec<Arc<Connection>> {
        self.connections.remove(provider).unwrap_or_default()
    }

    fn custom(&mut self, provider: &str) -> Vec<Arc<CustomModel>> {
        self.custom.remove(provider).unwrap_or_default()
    }

    fn prices(&self, provider: &str) -> Overrides {
        self.prices.get(provider).cloned().unwrap_or_default()
    }

    fn periods(&self, provider: &str) -> Periods {
        self.periods.get(provider).cloned().unwrap_or_default()
    }
}

// === impl Fault ===

impl Fault {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

pub(super) fn report(errors: &mut Vec<ResourceError>, kind: ResourceKind, id: &str, fault: Fault) {
    let mut message = fault.message;
    message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
    errors.push(ResourceError {
        code: fault.code.into(),
        resource: Some(ResourceKey {
            kind: kind.into(),
            id: id.to_owned(),
        }),
        message,
        quarantined: true,
    });
}

fn compile_settings(
    settings: Option<&v1::Settings>,
    transport: &SealKey,
    errors: &mut Vec<ResourceError>,
) -> Settings {
    let closed = Settings {
        require_auth_for_models: true,
        require_api_key: Some(true),
        origins: None,
        blocked: HashSet::new(),
        pepper: None,
        budget_zone: Tz::UTC,
        capture_percent: 0,
    };
    let Some(settings) = settings else {
        let fault = Fault::new(Code::Invalid, "there are no settings: no API key can be accepted");
        report(errors, ResourceKind::Settings, "settings", fault);
        return closed;
    };
    let pepper = match open(
        settings.api_key_pepper.as_ref(),
        transport,
        "settings|settings|api_key_pepper",
    ) {
        Ok(Some(pepper)) if !pepper.is_empty() => Some(pepper),
        Ok(_) => {
            let fault = Fault::new(
                Code::Invalid,
                "there is no key pepper: no API key can be accepted",
            );
            report(errors, ResourceKind::Settings, "settings", fault);
            None
        }
        Err(fault) => {
            report(errors, ResourceKind::Settings, "settings", fault);
            None
        }
    };
    Settings {
        require_auth_for_models: settings.require_auth_for_models,
        require_api_key: settings.require_api_key,
        origins: Origins::configured(&settings.cors_origins),
        blocked: settings.blocked_providers.iter().cloned().collect(),
        pepper,
        capture_percent: settings.capture_percent,
        // counting days elsewhere is better than accepting no key
        budget_zone: zone(&settings.budget_timezone).unwrap_or_else(|| {
            let text = format!(
                "`{}` is no time zone: budgets are counted in UTC",
                settings.budget_timezone
            );
            report(
                errors,
                ResourceKind::Settings,
                "settings",
                Fault::new(Code::Invalid, text),
            );
            Tz::UTC
        }),
    }
}

fn compile_nodes<'a>(sorted: &Sorted<'a>, errors: &mut Vec<ResourceError>) -> BTreeMap<&'a str, Node<'a>> {
    let mut nodes = BTreeMap::new();
    for (id, node) in &sorted.nodes {
        match llm::providers::compatible(&node.r#type, &node.api_type) {
            Some(spec) => drop(nodes.insert(*id, Node { node, spec })),
            None => report(
                errors,
                ResourceKind::ProviderNode,
                id,
                Fault::new(
                    Code::Invalid,
                    format!(
                        "unknown node type `{}` (api type `{}`)",
                        node.r#type, node.api_type
                    ),
                ),
            ),
        }
    }
    nodes
}

/// Usable connections by provider id, in the order they are tried.
fn compile_connections(
    sorted: &Sorted<'_>,
    nodes: &BTreeMap<&str, Node<'_>>,
    transport: &SealKey,
    kept: &Routing,
    outlets: &Outlets,
    errors: &mut Vec<ResourceError>,
) -> HashMap<String, Vec<Arc<Connection>>> {
    let mut by_provider: HashMap<String, Vec<Arc<Connection>>> = HashMap::new();
    for (id, connection) in sorted
        .connections
        .iter()
        .filter(|(_, connection)| connection.enabled)
    {
        let (provider, spec, node) = match nodes.get(connection.provider.as_str()) {
            Some(node) => (connection.provider.as_str(), node.spec, Some(node.node)),
            None => match llm::providers::find(&connection.provider) {
                Some(spec) => (spec.id, spec, None),
                None => {
                    let text = format!(
                        "provider `{}` is neither built in nor a usable node",
                        connection.provider
                    );
                    report(
                        errors,
                        ResourceKind::Connection,
                        id,
                        Fault::new(Code::DanglingReference, text),
                    );
                    continue;
                }
            },
        };
        match compile_connection((provider, id), connection, spec, node, transport, kept) {
            Ok(mut compiled) => {
                compiled.own_outlet = outlets.of_connection(id);
                compiled.shared_outlet = outlets.of_provider(provider);
                let accounts = by_provider.entry(provider.to_owned()).or_default();
                accounts.push(Arc::new(compiled));
            }
            Err(fault) => report(errors, ResourceKind::Connection, id, fault),
        }
    }
    for connections in by_provider.values_mut() {
        connections.sort_by(|a, b| (a.priority, &a.id).cmp(&(b.priority, &b.id)));
    }
    by_provider
}

fn compile_connection(
    (provider, id): (&str, &str),
    connection: &v1::Connection,
    spec: &'static ProviderSpec,
    node: Option<&v1::ProviderNode>,
    transport: &SealKey,
    kept: &Routing,
) -> Result<Connection, Fault> {
    let oauth = connection.auth_type == "oauth";
    let credential = open(
        connection.credential.as_ref(),
        transport,
        &format!("connection|{id}|credential"),
    )?;
    let text = credential
        .as_deref()
        .and_then(|secret| std::str::from_utf8(secret).ok());
    let grant = compile_grant(id, spec.auth, text, kept)?;
    let endpoint = compile_endpoint(connection, spec, node, grant.as_deref())?;
    let url = Url::parse(&endpoint.url(&spec.path_for("model", false)))
        .ok()
        .filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| {
            let base_url = endpoint.base();
            Fault::new(
                Code::Invalid,
                format!("`{base_url}` is not an http or https address"),
            )
        })?;
    let signer = text.and_then(|secret| Signer::of(spec.auth, secret, endpoint.region()));
    let is_sent = signer.is_none() && grant.is_none();
    Ok(Connection {
        id: id.into(),
        account: kept.health().account(provider, id),
        priority: connection.priority,
        oauth,
        token: connection.access_token.map(|token| AccessToken {
            generation: token.generation,
            expires_at_ms: Some(token.expires_at_ms).filter(|at| *at != 0),
            renewable: token.renewable,
        }),
        dialect: spec.dialect,
        spec,
        endpoint,
        fixed_url: spec.has_one_path().then_some(url),
        headers: compile_headers(spec, oauth, credential.filter(|_| is_sent))?,
        signer,
        grant,
        allow_private_address: connection.allow_private_address,
        rate_limit_protection: connection.rate_limit_protection,
        default_model: Some(connection.default_model.clone()).filter(|model| !model.is_empty()),
        think_tags: ThinkTags::named(&connection.think_tags),
        drains: connection.on_disconnect == "drain",
        own_outlet: None,
        shared_outlet: None,
    })
}

/// Of a credential that is a key for tokens and no token itself.
fn compile_grant(
    id: &str,
    auth: AuthScheme,
    credential: Option<&str>,
    kept: &Routing,
) -> Result<Option<Arc<Grant>>, Fault> {
    let (AuthScheme::Google { scope }, Some(credential)) = (auth, credential) else {
        return Ok(None);
    };
    if !ServiceAccount::is_meant(credential) {
        return Ok(None);
    }
    let make = || ServiceAccount::read(credential).map(|account| Grant::new(account, scope));
    let grant = kept.grants().of(id, credential, make);
    grant
        .map(Some)
        .map_err(|error| Fault::new(Code::Secret, error.to_string()))
}

fn compile_endpoint(
    connection: &v1::Connection,
    spec: &ProviderSpec,
    node: Option<&v1::ProviderNode>,
    grant: Option<&Grant>,
) -> Result<Endpoint, Fault> {
    let own = Some(connection.base_url.as_str()).filter(|url| !url.is_empty());
    let project = Some(connection.project.as_str()).filter(|project| !project.is_empty());
    let whereabouts = Whereabouts {
        base_url: own
            .or(node.map(|node| node.base_url.as_str()))
            .unwrap_or_default(),
        region: &connection.region,
        project: project.or_else(|| grant?.account().project()).unwrap_or_default(),
        api_version: node.map_or("", |node| &node.api_version),
    };
    Endpoint::of(spec, whereabouts).map_err(|error| Fault::new(Code::Invalid, error.to_string()))
}

fn compile_headers(
    spec: &ProviderSpec,
    oauth: bool,
    credential: Option<Zeroizing<Vec<u8>>>,
) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::new();
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("omniroute/", env!("CARGO_PKG_VERSION"))),
    );
    for (name, value) in spec.headers {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // a local server may need no credential at all
    let Some(credential) = credential.filter(|credential| !credential.is_empty()) else {
        return Ok(headers);
    };
    let (name, text) = match spec.auth {
        AuthScheme::Header(name) if !oauth || spec.auth_type == AuthType::OAuth => {
            (HeaderName::from_static(name), credential)
        }
        AuthScheme::Word(word) => (
            AUTHORIZATION,
            Zeroizing::new([word.as_bytes(), b" ", credential.as_slice()].concat()),
        ),
        _ => (
            AUTHORIZATION,
            Zeroizing::new([b"Bearer ", credential.as_slice()].concat()),
        ),
    };
    let mut value = HeaderValue::from_bytes(&text).map_err(|_| {
        Fault::new(
            Code::Secret,
            "the credential has characters that no header can carry",
        )
    })?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(headers)
}

/// Every word that may stand before a slash. A node's prefix goes in last: it shadows a registry word.
fn compile_providers(
    nodes: &BTreeMap<&str, Node<'_>>,
    mut served: Served<'_>,
    blocked: &HashSet<String>,
    health: &Health,
    errors: &mut Vec<ResourceError>,
) -> HashMap<String, Arc<Provider>> {
    let mut providers = HashMap::new();
    for spec in llm::providers::ALL {
        let provider = Arc::new(Provider {
            id: spec.id.into(),
            prefix: spec.alias.into(),
            spec,
            is_node: false,
            blocked: blocked.contains(spec.id) || blocked.contains(spec.alias),
            connections: served.connections(spec.id),
            custom: served.custom(spec.id),
            breaker: health.breaker(spec.id),
            prices: served.prices(spec.id),
            periods: served.periods(spec.id),
            turn: health.turn(spec.id),
        });
        providers.insert(spec.alias.to_owned(), provider.clone());
        providers.insert(spec.id.to_owned(), provider);
    }
    let mut prefixes = HashSet::new();
    for (id, Node { node, spec }) in nodes {
        let provider = Arc::new(Provider {
            id: (*id).into(),
            prefix: node.prefix.as_str().into(),
            spec,
            is_node: true,
            blocked: blocked.contains(*id) || blocked.contains(&node.prefix),
            connections: served.connections(id),
            custom: served.custom(id),
            breaker: health.breaker(id),
            prices: served.prices(id),
            periods: served.periods(id),
            turn: health.turn(id),
        });
        providers.insert((*id).to_owned(), provider.clone());
        if !prefixes.insert(node.prefix.as_str()) {
            let text = format!("prefix `{}` belongs to another node", node.prefix);
            report(
                errors,
                ResourceKind::ProviderNode,
                id,
                Fault::new(Code::Invalid, text),
            );
            continue;
        }
        providers.insert(node.prefix.clone(), provider);
    }
    providers
}

fn price_override(price: &v1::PriceOverride) -> PriceOverride {
    PriceOverride {
        input: price.input,
        output: price.output,
        cached: price.cached,
        reasoning: price.reasoning,
        cache_creation: price.cache_creation,
        units: UnitPrice {
            image: price.image,
            audio_minute: price.audio_minute,
            characters: price.characters,
            search: price.search,
        },
    }
}

fn price_period(period: &v1::PricePeriod) -> Period {
    Period {
        from_ms: period.from_ms,
        price: PriceOverride {
            input: period.input,
            output: period.output,
            cached: period.cached,
            reasoning: period.reasoning,
            cache_creation: period.cache_creation,
            ..PriceOverride::default()
        },
    }
}

/// One entry per provider, by id.
fn distinct(providers: &HashMap<String, Arc<Provider>>) -> Vec<Arc<Provider>> {
    let by_id: BTreeMap<&str, &Arc<Provider>> = providers
        .values()
        .map(|provider| (&*provider.id, provider))
        .collect();
    by_id.into_values().cloned().collect()
}

fn index_bare(providers: &[Arc<Provider>]) -> HashMap<String, Vec<Arc<Provider>>> {
    let mut bare: HashMap<String, Vec<Arc<Provider>>> = HashMap::new();
    for provider in providers.iter().filter(|provider| provider.is_active()) {
        for model in listing::models(provider) {
            let having = bare.entry(model.to_owned()).or_default();
            if !having.iter().any(|other| other.id == provider.id) {
                having.push(provider.clone());
            }
        }
    }
    bare
}

/// Absent when it changes nothing, so that a request costs nothing either.
fn compile_rewrite(sorted: &Sorted<'_>) -> Option<Arc<Rewrite>> {
    let prompt = sorted.system_prompt.filter(|prompt| prompt.enabled);
    let thinking = sorted
        .thinking_budget
        .and_then(|budget| Thinking::named(&budget.mode, budget.custom_budget.into(), &budget.effort_level));
    Rewrite::new(
        prompt.map_or("", |prompt| &prompt.prompt),
        thinking.unwrap_or_default(),
    )
    .map(Arc::new)
}

/// Absent while everybody is let in. What cannot be read of it lets nobody in.
fn compile_ip_filter(sorted: &Sorted<'_>, errors: &mut Vec<ResourceError>) -> Option<IpFilter> {
    let filter = sorted.ip_filter.filter(|filter| filter.enabled)?;
    let (compiled, unreadable) = IpFilter::read(&filter.mode, &filter.blacklist, &filter.whitelist);
    if !unreadable.is_empty() {
        let text = format!("these entries are no addresses: {}", unreadable.join(", "));
        let fault = Fault::new(Code::Invalid, text);
        report(errors, ResourceKind::IpFilter, proto::IP_FILTER_ID, fault);
    }
    Some(compiled)
}

fn compile_keys(sorted: &Sorted<'_>, errors: &mut Vec<ResourceError>) -> HashMap<[u8; 32], Arc<ApiKey>> {
    let mut keys = HashMap::new();
    for (id, key) in &sorted.keys {
        let Ok(hash) = <[u8; 32]>::try_from(key.hash.as_slice()) else {
            let fault = Fault::new(
                Code::Invalid,
                format!("the hash has {} bytes instead of 32", key.hash.len()),
            );
            report(errors, ResourceKind::ApiKey, id, fault);
            continue;
        };
        let compiled = ApiKey {
            id: (*id).into(),
            name: key.name.as_str().into(),
            enabled: key.enabled,
            expires_at_ms: (key.expires_at_ms != 0).then_some(key.expires_at_ms),
            scopes: Scopes::parse(&key.scopes),
            models: Globs::new(key.allowed_models.clone()),
            connections: key.allowed_connections.iter().cloned().collect(),
            no_log: key.no_log,
            limits: Limits::of(key),
        };
        keys.insert(hash, Arc::new(compiled));
    }
    keys
}

pub(super) fn open(
    sealed: Option<&v1::SealedSecret>,
    transport: &SealKey,
    context: &str,
) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
    let Some(sealed) = sealed else { return Ok(None) };
    runtime::crypto::open(transport, context.as_bytes(), &sealed.nonce, &sealed.ciphertext)
        .map(Some)
        .map_err(|_| {
            Fault::new(
                Code::Secret,
                "cannot be opened: is CLUSTER_SECRET the same here and on the control plane?",
            )
        })
}

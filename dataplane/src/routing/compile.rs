//! From resources to a [`Table`]. Total: whatever arrives, a table comes out.
//!
//! A resource that cannot be used is quarantined fail-closed and reported. A key that cannot be read authenticates
//! nobody, a connection that cannot be opened is not called, a name that cannot be resolved answers with an error;
//! everything else keeps working. Without readable settings no key is accepted.

mod connection;
mod price;
mod provider;
mod settings;

use self::provider::Served;
use super::Routing;
use super::access::{Globs, Scopes};
use super::cache::CacheRules;
use super::chain::Chains;
use super::choice::Choice;
use super::custom_model;
use super::limits::Limits;
use super::listing;
use super::names;
use super::outlet::Outlets;
use super::policy::Policies;
use super::resilience::Resilience;
use super::table::{ApiKey, Provider, Table};
use super::wildcard::Wildcards;
use llm::pricing::Overrides;
use llm::pricing::dated::Periods;
use llm::rewrite::{Rewrite, Thinking};
use proto::v1::{self, ConfigVersion, Resource, ResourceError, ResourceKey, ResourceKind};
use proto::v1::{resource::Body, resource_error::Code};
use runtime::crypto::SealKey;
use runtime::ip_filter::IpFilter;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use zeroize::Zeroizing;

/// As long as the wire contract allows a message to be.
const MESSAGE_BYTES: usize = 512;

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
        let settings = settings::compile(sorted.settings, transport, &mut errors);
        let nodes = provider::read_nodes(&sorted, &mut errors);
        let health = kept.health();
        let outlets = Outlets::compile(&sorted.proxies, transport, &mut errors);
        let mut connections = connection::compile(&sorted, &nodes, transport, kept, &outlets, &mut errors);
        let mut custom =
            custom_model::compile(&sorted.custom_models, |id| nodes.contains_key(id), &mut errors);
        let served = Served {
            connections: &mut connections,
            custom: &mut custom,
            prices: &sorted.prices,
            periods: &sorted.periods,
        };
        let providers = provider::compile(&nodes, served, &settings.blocked, health, &mut errors);
        let distinct: Vec<Arc<Provider>> = provider::distinct(&providers);
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
            bare: provider::index_bare(&distinct),
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
                    own.insert(price.model.clone(), price::read(price));
                    let periods = sorted.periods.entry(&price.provider).or_default();
                    periods.insert(
                        price.model.clone(),
                        price.periods.iter().map(price::read_period).collect(),
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

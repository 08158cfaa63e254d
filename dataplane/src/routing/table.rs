//! The compiled configuration: everything a request needs, parsed once, looked up by hash.
//!
//! Invariant: whatever is in a table is usable. A resource that could not be compiled is absent, and a name it
//! would have answered to is remembered as broken, so that a request for it fails instead of meaning something
//! else.

use super::access::{Globs, Scopes};
use super::cache::CacheRules;
use super::chain::Chains;
use super::choice::Choice;
use super::custom_model::CustomModel;
use super::health::{Account, Breaker};
use super::limits::Limits;
use super::listing::ListedModel;
use super::origins::Origins;
use super::outlet::{Outlet, Outlets};
use super::policy::Policies;
use super::resilience::Resilience;
use super::resolve::ResolveError;
use super::tree::{Resolution, Route, Seat};
use super::wildcard::Wildcards;
use chrono_tz::Tz;
use http::HeaderMap;
use llm::pricing::Overrides;
use llm::pricing::dated::Periods;
use llm::provider::Endpoint;
use llm::sigv4::Signer;
use llm::think_tags::ThinkTags;
use llm::{Dialect, Kind, ProviderSpec, Rewrite};
use proto::v1::ConfigVersion;
use runtime::ip_filter::IpFilter;
use runtime::service_account::Grant;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use url::Url;
use zeroize::Zeroizing;

/// One revision of the configuration.
pub struct Table {
    pub(super) version: ConfigVersion,
    pub(super) require_auth_for_models: bool,
    /// Absent: as this process was started.
    pub(super) require_api_key: Option<bool>,
    /// Absent: as this process was started.
    pub(super) origins: Option<Origins>,
    /// Where days begin for budgets.
    pub(super) budget_zone: Tz,
    pub(super) capture_percent: u32,
    /// Some account is read to the end for clients that have left.
    pub(super) drains: bool,
    /// Absent when it could not be opened: then no key is accepted.
    pub(super) pepper: Option<Zeroizing<Vec<u8>>>,
    pub(super) keys: HashMap<[u8; 32], Arc<ApiKey>>,
    /// By provider id and node id, registry alias, and node prefix. A node's prefix shadows a registry word.
    pub(super) providers: HashMap<String, Arc<Provider>>,
    /// Combos and aliases, resolved; consulted before anything else.
    pub(super) names: HashMap<String, Named>,
    /// Aliases for families of names; consulted when no name fits exactly.
    pub(super) wildcards: Wildcards,
    /// Who stands in for whom.
    pub(super) chains: Chains,
    pub(super) policies: Policies,
    /// The ids of all combos, whether they are usable or not.
    pub(super) combos: HashSet<String>,
    /// Model ids written without a provider, to the providers that are active and have them.
    pub(super) bare: HashMap<String, Vec<Arc<Provider>>>,
    pub(super) listing: Vec<ListedModel>,
    /// What happens to every request on its way out; absent when nothing does.
    pub(super) rewrite: Option<Arc<Rewrite>>,
    pub(super) outlets: Outlets,
    pub(super) resilience: Resilience,
    pub(super) choice: Choice,
    pub(super) cache: CacheRules,
    /// Who is let in; absent when everybody is.
    pub(super) ip_filter: Option<IpFilter>,
}

/// A gateway API key. The key itself is nowhere, only its keyed hash is known.
#[derive(Debug)]
pub struct ApiKey {
    pub id: Arc<str>,
    pub name: Arc<str>,
    pub enabled: bool,
    /// Unix milliseconds.
    pub expires_at_ms: Option<i64>,
    pub scopes: Scopes,
    pub models: Globs,
    /// Empty: all.
    pub connections: HashSet<String>,
    pub no_log: bool,
    /// Absent for a key that may send and spend what it likes.
    pub limits: Option<Limits>,
}

/// A provider that routes: from the registry or a node of the user's.
#[derive(Debug)]
pub struct Provider {
    /// Registry id or node id.
    pub id: Arc<str>,
    /// What clients write before the slash: the registry alias or the node's prefix.
    pub prefix: Arc<str>,
    pub spec: &'static ProviderSpec,
    pub is_node: bool,
    /// An administrator switched it off.
    pub blocked: bool,
    /// Enabled ones, in the order they are tried.
    pub connections: Vec<Arc<Connection>>,
    /// Models that it has besides those of the registry, in the order of their ids.
    pub custom: Vec<Arc<CustomModel>>,
    pub breaker: Arc<Breaker>,
    /// What an operator says its models cost.
    pub prices: Overrides,
    /// What they cost from a moment on.
    pub periods: Periods,
    /// How many requests have chosen among the connections.
    pub turn: Arc<AtomicU64>,
}

/// One account at a provider, ready to send: address and headers are prepared, the credential is inside them.
#[derive(Debug)]
pub struct Connection {
    pub id: Arc<str>,
    /// What is known about it while it runs.
    pub account: Arc<Account>,
    pub priority: i32,
    pub oauth: bool,
    /// What is known of the token inside the headers, of an account that somebody signed in to.
    pub token: Option<AccessToken>,
    pub dialect: Dialect,
    pub spec: &'static ProviderSpec,
    /// Known to be at an http or https address.
    pub endpoint: Endpoint,
    /// Where all chat requests go, if they go to one address.
    pub fixed_url: Option<Url>,
    /// Authorization and the provider's fixed headers; credentials are marked sensitive.
    pub headers: HeaderMap,
    /// Signs each request, of an account whose secret is not sent.
    pub signer: Option<Signer>,
    /// Asks for tokens, of an account that has a key for that.
    pub grant: Option<Arc<Grant>>,
    pub allow_private_address: bool,
    /// Calls wait for their turn at the account's limiter.
    pub rate_limit_protection: bool,
    pub default_model: Option<String>,
    /// What the operator said about the server's thinking, against what the registry knows of its models.
    pub think_tags: Option<ThinkTags>,
    /// A call whose client has left is read to its end, so that what it costs is known; else it is ended at once.
    pub drains: bool,
    /// A proxy for this account alone.
    pub(super) own_outlet: Option<Outlet>,
    /// The provider's proxy, or everybody's.
    pub(super) shared_outlet: Option<Outlet>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessToken {
    /// Grows with every token of the account.
    pub generation: u64,
    /// Unix milliseconds, if the provider said.
    pub expires_at_ms: Option<i64>,
    /// A control plane can get a newer one.
    pub renewable: bool,
}

/// What an exact name stands for.
pub(super) enum Named {
    Routes(Resolution),
    /// Nothing it leads to has an active connection.
    Nowhere(ResolveError),
    /// Quarantined; the reason is for the client's operator.
    Broken(String),
}

// === impl Table ===

impl Table {
    pub fn version(&self) -> &ConfigVersion {
        &self.version
    }

    /// `GET /v1/models` asks for a key.
    pub fn require_auth_for_models(&self) -> bool {
        self.require_auth_for_models
    }

    /// Whether clients need a key, if the configuration says so.
    pub fn require_api_key(&self) -> Option<bool> {
        self.require_api_key
    }

    /// Whose pages may call from a browser, if the configuration says so.
    pub fn origins(&self) -> Option<&Origins> {
        self.origins.as_ref()
    }

    /// Of requests, of which what clients send and get is kept for operators; 0: of none.
    pub fn capture_percent(&self) -> u32 {
        self.capture_percent
    }

    pub fn budget_zone(&self) -> Tz {
        self.budget_zone
    }

    /// The key with this text, if there is one. Constant work for any text: one keyed hash and one lookup by a
    /// value the caller cannot predict.
    pub fn key(&self, text: &str) -> Option<&Arc<ApiKey>> {
        let pepper = self.pepper.as_ref()?;
        self.keys.get(&runtime::crypto::hash_key(pepper, text))
    }

    pub fn key_by_id(&self, id: &str) -> Option<&Arc<ApiKey>> {
        self.keys.values().find(|key| &*key.id == id)
    }

    pub fn ip_filter(&self) -> Option<&IpFilter> {
        self.ip_filter.as_ref()
    }

    pub fn rewrite(&self) -> Option<&Arc<Rewrite>> {
        self.rewrite.as_ref()
    }

    /// How long failures count, and how much an account bears.
    pub fn resilience(&self) -> &Resilience {
        &self.resilience
    }

    /// What administrators say about requests.
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// What may be answered from the cache.
    pub fn cache(&self) -> &CacheRules {
        &self.cache
    }

    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    pub fn listing(&self) -> &[ListedModel] {
        &self.listing
    }

    /// A configured proxy, by the id of its resource.
    pub fn outlet(&self, id: &str) -> Option<&Outlet> {
        self.outlets.find(id)
    }

    pub(super) fn has_combo(&self, id: &str) -> bool {
        self.combos.contains(id)
    }

    pub fn has_connection(&self, id: &str) -> bool {
        self.connection(id).is_some()
    }

    pub fn connection(&self, id: &str) -> Option<&Arc<Connection>> {
        self.connections().find(|connection| &*connection.id == id)
    }

    /// Accounts that somebody signed in to.
    pub(super) fn signed_in(&self) -> impl Iterator<Item = &Arc<Connection>> {
        self.connections().filter(|connection| connection.token.is_some())
    }

    /// Some come twice.
    fn connections(&self) -> impl Iterator<Item = &Arc<Connection>> {
        self.providers.values().flat_map(|provider| &provider.connections)
    }
}

// === impl Connection ===

impl Connection {
    /// Whether its token came after the one of this generation.
    pub fn is_newer_than(&self, generation: u64) -> bool {
        self.token.is_some_and(|token| token.generation > generation)
    }

    /// How this account's server marks the thinking of a model inside its text.
    pub fn think_tags(&self, model: &str) -> ThinkTags {
        self.think_tags.unwrap_or_else(|| self.spec.think_tags_of(model))
    }

    /// The proxy that a call goes through for a request in these places, the outermost first. A combo's is only for
    /// what comes through the combo.
    pub fn outlet<'a>(&'a self, seats: &'a [Arc<Seat>]) -> Option<&'a Outlet> {
        let combos = || seats.iter().rev().find_map(|seat| seat.outlet.as_ref());
        self.own_outlet
            .as_ref()
            .or_else(combos)
            .or(self.shared_outlet.as_ref())
    }

    /// Where a chat request goes. Parses only for a dialect that names the model in the path.
    pub fn chat_url(&self, model: &str, stream: bool) -> Option<Cow<'_, Url>> {
        match &self.fixed_url {
            Some(url) => Some(Cow::Borrowed(url)),
            None => self.url(&self.spec.path_for(model, stream)).map(Cow::Owned),
        }
    }

    /// Where tokens are counted without being answered, if this provider does that.
    pub fn count_url(&self, model: &str) -> Option<Url> {
        self.url(&self.spec.count_path_for(model)?)
    }

    /// Where something else than chat is asked for, if this provider offers it.
    pub fn service_url(&self, kind: Kind, model: &str) -> Option<Url> {
        let service = self.spec.service(kind)?;
        self.url(&self.spec.service_path(service, model))
    }

    /// An address of this account's server.
    pub fn url(&self, path: &str) -> Option<Url> {
        Url::parse(&self.endpoint.url(path)).ok()
    }
}

// === impl ApiKey ===

impl ApiKey {
    pub fn is_expired(&self, now_ms: i64) -> bool {
        self.expires_at_ms.is_some_and(|expiry| expiry <= now_ms)
    }

    pub fn may_use(&self, connection: &Connection) -> bool {
        self.connections.is_empty() || self.connections.contains(&*connection.id)
    }

    /// Which routes of what a client wrote this key opens, by their position.
    ///
    /// A key that names the combo or alias itself may use all of it. Under any other pattern every member has to be
    /// within the patterns on its own, as `provider id/model` or `prefix/model`: a name that somebody gave to a model
    /// must not open a model that the key does not cover, and neither must what stands in for it.
    pub fn covers(&self, resolution: &Resolution, written: &str) -> Vec<bool> {
        let routes = resolution.routes();
        let given = !resolution.direct;
        if self.models.is_unrestricted() || given && self.models.names(written) {
            return vec![true; routes.len()];
        }
        let named = self.models.matches(written);
        let closed = resolution.combo().is_some() && !named;
        let own = |route: &Route| !given && named && route.is_called(written);
        routes
            .iter()
            .map(|route| !closed && (own(route) || self.may_reach(route)))
            .collect()
    }

    /// Whether a route may be used under any of the names its model has.
    pub fn may_reach(&self, route: &Route) -> bool {
        self.models.matches_qualified(&route.provider.id, &route.model)
            || self
                .models
                .matches_qualified(&route.provider.prefix, &route.model)
    }
}

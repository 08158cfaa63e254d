//! Providers: the ones of the registry and the user's nodes, each with what belongs to it.

use super::{Fault, Sorted, report};
use crate::routing::custom_model::CustomModel;
use crate::routing::health::Health;
use crate::routing::listing;
use crate::routing::table::{Connection, Provider};
use llm::ProviderSpec;
use llm::pricing::Overrides;
use llm::pricing::dated::Periods;
use proto::v1::{self, ResourceError, ResourceKind, resource_error::Code};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// A node of the user's, before its connections are known.
pub(super) struct Node<'a> {
    pub(super) node: &'a v1::ProviderNode,
    pub(super) spec: &'static ProviderSpec,
}

/// What belongs to providers, by their ids, until they take it.
pub(super) struct Served<'a> {
    pub(super) connections: &'a mut HashMap<String, Vec<Arc<Connection>>>,
    pub(super) custom: &'a mut HashMap<String, Vec<Arc<CustomModel>>>,
    pub(super) prices: &'a HashMap<&'a str, Overrides>,
    pub(super) periods: &'a HashMap<&'a str, Periods>,
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

pub(super) fn read_nodes<'a>(
    sorted: &Sorted<'a>,
    errors: &mut Vec<ResourceError>,
) -> BTreeMap<&'a str, Node<'a>> {
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

/// Every word that may stand before a slash. A node's prefix goes in last: it shadows a registry word.
pub(super) fn compile(
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

/// One entry per provider, by id.
pub(super) fn distinct(providers: &HashMap<String, Arc<Provider>>) -> Vec<Arc<Provider>> {
    let by_id: BTreeMap<&str, &Arc<Provider>> = providers
        .values()
        .map(|provider| (&*provider.id, provider))
        .collect();
    by_id.into_values().cloned().collect()
}

pub(super) fn index_bare(providers: &[Arc<Provider>]) -> HashMap<String, Vec<Arc<Provider>>> {
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

//! Providers that stand in for one another: when everything that a model's provider has fails, the same model is
//! asked for at the next provider of its chain.

use super::compile::{Fault, report};
use super::table::Provider;
use super::tree::Route;
use proto::v1::{self, ResourceError, ResourceKind, resource_error::Code};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// By model id, with or without a provider before it.
#[derive(Default)]
pub(super) struct Chains(HashMap<String, Vec<Arc<Provider>>>);

// === impl Chains ===

impl Chains {
    pub fn compile(
        chains: &BTreeMap<&str, &v1::FallbackChain>,
        providers: &HashMap<String, Arc<Provider>>,
        errors: &mut Vec<ResourceError>,
    ) -> Self {
        let mut compiled = HashMap::new();
        for (model, chain) in chains {
            let mut links: Vec<Arc<Provider>> = Vec::new();
            for link in chain.links.iter().filter(|link| link.enabled) {
                match providers.get(&link.provider) {
                    Some(provider) => links.push(provider.clone()),
                    None => {
                        let text = format!(
                            "provider `{}` is neither built in nor a usable node",
                            link.provider
                        );
                        let fault = Fault::new(Code::DanglingReference, text);
                        report(errors, ResourceKind::FallbackChain, model, fault);
                    }
                }
            }
            compiled.insert((*model).to_owned(), links);
        }
        Self(compiled)
    }

    /// The routes that stand in for this one, in order. A chain for the model at its provider goes before one for
    /// the model wherever it is.
    pub fn behind(&self, route: &Route) -> Vec<Route> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let (provider, model) = (&route.provider, &*route.model);
        let keys = [
            format!("{}/{model}", provider.prefix),
            format!("{}/{model}", provider.id),
        ];
        let mut routes = self.routes(keys.iter().map(String::as_str).chain([model]), model);
        routes.retain(|other| !other.is(route));
        routes
    }

    /// The routes of a model that its own provider does not serve here.
    pub fn instead_of(&self, provider: Option<&str>, model: &str) -> Vec<Route> {
        let qualified = provider.map(|provider| format!("{provider}/{model}"));
        self.routes(qualified.as_deref().into_iter().chain([model]), model)
    }

    fn routes<'a>(&self, mut keys: impl Iterator<Item = &'a str>, model: &str) -> Vec<Route> {
        let links = keys.find_map(|key| self.0.get(key));
        let mut routes: Vec<Route> = Vec::new();
        for provider in links
            .into_iter()
            .flatten()
            .filter(|provider| provider.is_active())
        {
            let route = Route::new(provider, model);
            if !routes.iter().any(|other| other.is(&route)) {
                routes.push(route);
            }
        }
        routes
    }
}

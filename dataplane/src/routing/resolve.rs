//! From the model name a client wrote to the routes it stands for.
//!
//! In order: combo or alias by exact name, alias by pattern, `prefix/model` of a node, `provider/model` of the registry,
//! and a bare model id that exactly one active provider has. Whatever model comes out is followed by its fallback chain.

use super::listing;
use super::table::{Named, Provider, Table};
use super::tree::{Resolution, Route};
use chrono::{DateTime, Utc};
use llm::Picture;
use llm::pricing::Tariff;
use std::sync::Arc;
use thiserror::Error;

/// Where a bare id goes when several providers have it and this one does, and where an unknown bare id goes.
const DEFAULT_PROVIDER: &str = "openai";

/// How many choices an error names.
const SUGGESTIONS: usize = 5;

/// The texts are for the client and say what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResolveError {
    #[error("Invalid model format")]
    Malformed,
    #[error("Model `{model}` not found. {instead}")]
    Unknown { model: String, instead: String },
    #[error("Unknown provider: {provider}")]
    UnknownProvider { provider: String },
    #[error("Model \"{model}\" does not belong to provider \"{provider}\". Expected prefix: {prefix}/")]
    Foreign {
        model: String,
        provider: String,
        prefix: String,
    },
    #[error("Ambiguous model '{model}'. Use provider/model prefix (ex: {}).", choices.join(" or "))]
    Ambiguous { model: String, choices: Vec<String> },
    #[error("No credentials for provider: {provider}")]
    NoCredentials { provider: String },
    #[error(
        "No credentials for provider: {prefix}. No provider and no node has this name; GET /v1/models lists what \
         this gateway serves."
    )]
    UnknownPrefix { prefix: String },
    #[error("Provider `{provider}` is blocked by an administrator")]
    Blocked { provider: String },
    #[error("`{name}` is misconfigured and cannot be used: {reason}")]
    Broken { name: String, reason: String },
}

// === impl ResolveError ===

impl ResolveError {
    pub(super) fn switched_off(combo: &str) -> Self {
        Self::Unknown {
            model: combo.to_owned(),
            instead: "A combo has this name, and it is switched off: an administrator can switch it on; \
                      GET /v1/models lists what this gateway serves."
                .to_owned(),
        }
    }
}

// === impl Named ===

impl Named {
    fn resolve(&self, name: &str) -> Result<Resolution, ResolveError> {
        match self {
            Self::Routes(resolution) => Ok(resolution.clone()),
            Self::Nowhere(error) => Err(error.clone()),
            Self::Broken(reason) => Err(ResolveError::Broken {
                name: name.to_owned(),
                reason: reason.clone(),
            }),
        }
    }
}

// === impl Table ===

impl Table {
    pub fn resolve(&self, model: &str) -> Result<Resolution, ResolveError> {
        if let Some(named) = self.names.get(model) {
            return named.resolve(model);
        }
        check(model)?;
        let answers = model
            .split_once('/')
            .is_some_and(|(prefix, _)| self.answers(prefix));
        if let Some(named) = self.wildcards.find(model, answers) {
            return named.resolve(model);
        }
        self.direct(model).map(Resolution::of_model)
    }

    /// As [`Table::resolve`], for the caller with this key. Where several providers have a model that a name without a
    /// provider leads to, the one that administrators prefer is meant.
    pub fn resolve_for(
        &self,
        key: &str,
        model: &str,
        now: DateTime<Utc>,
    ) -> Result<Resolution, ResolveError> {
        let error = match self.resolve(model) {
            Err(error @ ResolveError::Ambiguous { .. }) => error,
            resolved => return resolved,
        };
        let ResolveError::Ambiguous { model: id, .. } = &error else {
            return Err(error);
        };
        let having = self.bare.get(id).into_iter().flatten();
        let routes: Vec<Route> = having.map(|provider| Route::new(provider, id)).collect();
        let preferred = self.policies.judge(key, model, &routes, now).prefer;
        let first = preferred
            .iter()
            .find_map(|provider| routes.iter().find(|route| route.provider.id == *provider));
        let Some(route) = first else { return Err(error) };
        let others = self.chains.behind(route);
        let routes = std::iter::once(route.clone()).chain(others).collect();
        Ok(match id == model {
            true => Resolution::of_model(routes),
            false => Resolution::of_name(routes),
        })
    }

    /// The provider behind a word that an address names: its id, its alias or, for a node, its prefix.
    pub fn provider(&self, word: &str) -> Result<&Arc<Provider>, ResolveError> {
        self.providers
            .get(word)
            .ok_or_else(|| ResolveError::UnknownProvider {
                provider: word.to_owned(),
            })
    }

    /// A model at one provider and nowhere else: the provider's own id, with or without the provider before it.
    pub fn resolve_at(&self, word: &str, model: &str) -> Result<Resolution, ResolveError> {
        check(model)?;
        let provider = self.provider(word)?;
        let route = route(provider, provider.own_id(word, model)?)?;
        Ok(Resolution::of_model(vec![route]))
    }

    /// What a name that is neither combo nor alias leads to: the model, and what stands in for it.
    pub(super) fn direct(&self, model: &str) -> Result<Vec<Route>, ResolveError> {
        check(model)?;
        let missing = match self.own(model) {
            Ok(route) => {
                let others = self.chains.behind(&route);
                return Ok(std::iter::once(route).chain(others).collect());
            }
            Err(error @ (ResolveError::NoCredentials { .. } | ResolveError::Unknown { .. })) => error,
            Err(error) => return Err(error),
        };
        let qualified = model
            .split_once('/')
            .filter(|(prefix, _)| self.providers.contains_key(*prefix));
        let routes = match qualified {
            Some((prefix, rest)) => self.chains.instead_of(Some(prefix), rest),
            None => self.chains.instead_of(None, model),
        };
        match routes.is_empty() {
            true => Err(missing),
            false => Ok(routes),
        }
    }

    /// Where a model is without anything that stands in for it.
    fn own(&self, model: &str) -> Result<Route, ResolveError> {
        match model.split_once('/') {
            // ids of open models have a slash of their own: `meta-llama/…`
            Some((prefix, _)) if self.bare.contains_key(model) && !self.is_active(prefix) => {
                self.unqualified(model)
            }
            Some((prefix, rest)) => self.qualified(prefix, rest),
            None => self.unqualified(model),
        }
    }

    fn qualified(&self, prefix: &str, model: &str) -> Result<Route, ResolveError> {
        if model.is_empty() {
            return Err(ResolveError::Malformed);
        }
        let provider = self
            .providers
            .get(prefix)
            .ok_or_else(|| ResolveError::UnknownPrefix {
                prefix: prefix.to_owned(),
            })?;
        route(provider, model)
    }

    fn unqualified(&self, model: &str) -> Result<Route, ResolveError> {
        let default = || {
            self.providers
                .get(DEFAULT_PROVIDER)
                .filter(|provider| provider.is_active())
        };
        match self.bare.get(model).map_or(&[][..], Vec::as_slice) {
            [] => {
                let provider = default().ok_or_else(|| self.unknown(model))?;
                route(provider, model)
            }
            [provider] => route(provider, model),
            several => match several.iter().find(|provider| &*provider.id == DEFAULT_PROVIDER) {
                Some(provider) => route(provider, model),
                None => Err(ResolveError::Ambiguous {
                    model: model.to_owned(),
                    choices: several
                        .iter()
                        .map(|provider| format!("{}/{model}", provider.prefix))
                        .collect(),
                }),
            },
        }
    }

    /// Somebody is meant by this prefix, be it to be refused.
    fn answers(&self, prefix: &str) -> bool {
        self.providers
            .get(prefix)
            .is_some_and(|provider| provider.blocked || provider.is_active())
    }

    fn is_active(&self, prefix: &str) -> bool {
        self.providers
            .get(prefix)
            .is_some_and(|provider| provider.is_active())
    }

    fn unknown(&self, model: &str) -> ResolveError {
        let offered: Vec<&str> = llm::providers::ALL
            .iter()
            .filter(|spec| spec.knows(model))
            .map(|spec| spec.id)
            .take(SUGGESTIONS)
            .collect();
        let instead = if offered.is_empty() {
            "Write provider/model, a combo or an alias; GET /v1/models lists what this gateway serves."
                .to_owned()
        } else {
            format!(
                "It is offered by {}, but no connection to it is active.",
                offered.join(", ")
            )
        };
        ResolveError::Unknown {
            model: model.to_owned(),
            instead,
        }
    }
}

// === impl Provider ===

impl Provider {
    pub fn is_active(&self) -> bool {
        !self.blocked && !self.connections.is_empty()
    }

    /// What a model costs here now, as far as anybody knows.
    pub fn tariff(&self, model: &str) -> Tariff {
        self.tariff_at(model, Utc::now().timestamp_millis())
    }

    /// What it costs at a moment, in milliseconds since 1970.
    pub fn tariff_at(&self, model: &str, at_ms: i64) -> Tariff {
        llm::pricing::dated::find_at(&self.prices, &self.periods, &self.id, &self.prefix, model, at_ms)
    }

    /// What a picture that is like this costs here, in nano-USD.
    pub fn price_of_picture(&self, model: &str, picture: &Picture) -> Option<u64> {
        llm::pricing::find_picture(&self.prices, &self.id, &self.prefix, model, picture)
    }

    /// Ids of open models have a slash of their own, and one that is known here is taken as it is.
    fn own_id<'a>(&self, word: &str, model: &'a str) -> Result<&'a str, ResolveError> {
        let Some((first, rest)) = model.split_once('/') else {
            return Ok(model);
        };
        if listing::models(self).any(|known| known == model) {
            return Ok(model);
        }
        match [&*self.prefix, &*self.id, word].contains(&first) {
            true if rest.is_empty() => Err(ResolveError::Malformed),
            true => Ok(rest),
            false => Err(ResolveError::Foreign {
                model: model.to_owned(),
                provider: word.to_owned(),
                prefix: self.prefix.to_string(),
            }),
        }
    }
}

/// No id looks like this, and a path made from it would lead elsewhere.
fn check(model: &str) -> Result<(), ResolveError> {
    if model.contains("../") || model.contains("..\\") || model.bytes().any(|byte| byte < 0x20) {
        return Err(ResolveError::Malformed);
    }
    Ok(())
}

fn route(provider: &Arc<Provider>, model: &str) -> Result<Route, ResolveError> {
    if provider.blocked {
        return Err(ResolveError::Blocked {
            provider: provider.id.to_string(),
        });
    }
    if provider.connections.is_empty() {
        return Err(ResolveError::NoCredentials {
            provider: provider.id.to_string(),
        });
    }
    Ok(Route::new(provider, model))
}

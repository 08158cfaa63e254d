//! Where a request may go: what its model name stands for, and what of it its key may use.

use super::authenticate::Caller;
use crate::routing::{ApiKey, Connection, Cooling, Judgement, Resolution, ResolveError, Route, Table};
use chrono::Utc;
use decision::Verdict;
use llm::ErrorKind;
use std::sync::Arc;
use thiserror::Error;

/// What a model name stands for, and what of it the caller may use: at least one connection of one route.
pub struct Plan {
    pub resolution: Resolution,
    /// By the position of the route.
    permitted: Vec<bool>,
    /// What the administrators' policies say.
    judgement: Judgement,
    caller: Caller,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error("Model \"{model}\" is not allowed for this API key")]
    NotAllowed { model: String },
    #[error("this API key may use none of the connections that serve \"{model}\"")]
    NoConnection { model: String },
    #[error("Model \"{model}\" is refused by the policy \"{policy}\"")]
    Refused { model: String, policy: Arc<str> },
}

// === impl PlanError ===

impl PlanError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Resolve(ResolveError::Unknown { .. }) => ErrorKind::ModelNotFound,
            Self::Resolve(ResolveError::Blocked { .. }) => ErrorKind::Permission,
            Self::Resolve(ResolveError::Broken { .. }) => ErrorKind::Unavailable,
            Self::Resolve(_) => ErrorKind::InvalidRequest,
            Self::NotAllowed { .. } | Self::NoConnection { .. } | Self::Refused { .. } => {
                ErrorKind::Permission
            }
        }
    }
}

/// The plan for a model name, or for a model at the one provider that the request's address names.
pub fn candidates(
    table: &Table,
    caller: Caller,
    model: &str,
    provider: Option<&str>,
) -> Result<Plan, PlanError> {
    let now = Utc::now();
    let key = caller.key.as_ref().map_or("", |key| &key.id);
    let resolution = match provider {
        Some(provider) => table.resolve_at(provider, model)?,
        None => table.resolve_for(key, model, now)?,
    };
    let routes = resolution.routes();
    // a bare name says nothing about the provider that the address put before it
    let qualified = provider.and_then(|_| routes.first()).map(Route::name);
    let model = qualified.as_deref().unwrap_or(model);
    let permitted = match &caller.key {
        Some(key) => key.covers(&resolution, model),
        None => vec![true; routes.len()],
    };
    if !permitted.contains(&true) {
        return Err(PlanError::NotAllowed {
            model: model.to_owned(),
        });
    }
    let judgement = table.policies().judge(key, model, routes, now);
    if let Some(policy) = judgement.deny {
        return Err(PlanError::Refused {
            model: model.to_owned(),
            policy,
        });
    }
    let plan = Plan {
        resolution,
        permitted,
        judgement,
        caller,
    };
    if !plan.routes().any(|(_, route)| {
        route
            .provider
            .connections
            .iter()
            .any(|connection| plan.may_use(connection))
    }) {
        return Err(PlanError::NoConnection {
            model: model.to_owned(),
        });
    }
    Ok(plan)
}

// === impl Plan ===

impl Plan {
    /// The routes that the caller may use, with their positions.
    pub fn routes(&self) -> impl Iterator<Item = (usize, &Route)> {
        let all = self.resolution.routes().iter().enumerate();
        all.filter(|(position, _)| self.verdict(*position).is_none())
    }

    /// Why a route is out of the question, whatever its health.
    pub fn verdict(&self, position: usize) -> Option<Verdict> {
        let permitted = self.permitted.get(position).copied().unwrap_or(false);
        if !permitted {
            return Some(Verdict::NotPermitted);
        }
        self.judgement.refuses(position).map(|_| Verdict::RefusedByPolicy)
    }

    /// By a policy: 1 comes first, 0 after all that are preferred.
    pub fn preference(&self, route: &Route) -> u32 {
        let preferred = self
            .judgement
            .prefer
            .iter()
            .position(|provider| *provider == route.provider.id);
        preferred.map_or(0, |position| u32::try_from(position + 1).unwrap_or(u32::MAX))
    }

    /// The longest answer that policies allow, in tokens.
    pub fn max_tokens(&self) -> Option<u64> {
        self.judgement.max_tokens.map(u64::from)
    }

    /// The key that the request came with.
    pub fn key(&self) -> Option<&Arc<ApiKey>> {
        self.caller.key.as_ref()
    }

    /// What is known to fail is asked all the same.
    pub fn asks_the_failing(&self) -> bool {
        self.resolution
            .combo()
            .is_some_and(|combo| combo.asks_the_failing)
    }

    /// What keeps an account from being asked for this model now.
    pub fn cooling(&self, connection: &Connection, route: &Route) -> Option<Cooling> {
        let cooling = connection.account.cooling(&route.model);
        cooling.filter(|cooling| cooling.limited || !self.asks_the_failing())
    }

    pub fn may_use(&self, connection: &Connection) -> bool {
        self.caller.key.as_ref().is_none_or(|key| key.may_use(connection))
    }

    /// The key that the request came with, or nobody's.
    pub fn tenant(&self) -> &str {
        self.caller.key.as_ref().map_or("", |key| &key.id)
    }
}

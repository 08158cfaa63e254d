//! Where a request may go: the routes its model name stands for, minus what its key may not use.

use super::authenticate::Caller;
use crate::routing::{Combo, Connection, ResolveError, Route, Table};
use llm::ErrorKind;
use std::sync::Arc;
use thiserror::Error;

/// Routes in the order they are tried: all within the caller's permissions, and at least one of them has a
/// connection that the caller may use.
pub struct Plan {
    pub combo: Option<Arc<Combo>>,
    pub routes: Arc<[Route]>,
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
}

// === impl PlanError ===

impl PlanError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Resolve(ResolveError::Unknown { .. }) => ErrorKind::ModelNotFound,
            Self::Resolve(ResolveError::Blocked { .. }) => ErrorKind::Permission,
            Self::Resolve(ResolveError::Broken { .. }) => ErrorKind::Unavailable,
            Self::Resolve(_) => ErrorKind::InvalidRequest,
            Self::NotAllowed { .. } | Self::NoConnection { .. } => ErrorKind::Permission,
        }
    }
}

/// The plan for a model name, or for a model at the one provider that the request's address names.
///
/// A key that names the combo or alias itself may use all of it. Under any other pattern every member has to be
/// within the patterns on its own, as `provider id/model` or `prefix/model`: a name that somebody gave to a model
/// must not open a model that the key does not cover.
pub fn candidates(
    table: &Table,
    caller: Caller,
    model: &str,
    provider: Option<&str>,
) -> Result<Plan, PlanError> {
    let resolution = match provider {
        Some(provider) => table.resolve_at(provider, model)?,
        None => table.resolve(model)?,
    };
    let combo = resolution.combo().cloned();
    let (direct, routes) = (resolution.direct, resolution.routes());
    // a bare name says nothing about the provider that the address put before it
    let qualified = provider.and_then(|_| routes.first()).map(Route::name);
    let model = qualified.as_deref().unwrap_or(model);
    let routes: Arc<[Route]> = match &caller.key {
        Some(key) if !key.models.is_unrestricted() && !key.models.names(model) => {
            let named = key.models.matches(model);
            let closed = combo.is_some() && !named;
            // what stands in for a model that was named with its provider has to be covered on its own
            let own = |route: &Route| routes[0].is(route) || *model == *route.model;
            let permitted =
                |route: &&Route| !closed && (direct && named && own(route) || key.may_reach(route));
            routes.iter().filter(permitted).cloned().collect()
        }
        _ => routes.into(),
    };
    if routes.is_empty() {
        return Err(PlanError::NotAllowed {
            model: model.to_owned(),
        });
    }
    let plan = Plan {
        combo,
        routes,
        caller,
    };
    let mut connections = plan.routes.iter().flat_map(|route| &route.provider.connections);
    if !connections.any(|connection| plan.may_use(connection)) {
        return Err(PlanError::NoConnection {
            model: model.to_owned(),
        });
    }
    Ok(plan)
}

// === impl Plan ===

impl Plan {
    pub fn may_use(&self, connection: &Connection) -> bool {
        self.caller.key.as_ref().is_none_or(|key| key.may_use(connection))
    }
}

//! Combos and aliases, resolved to routes when the configuration arrives, so that a request only looks them up.
//!
//! A member that leads nowhere is passed over. A name none of whose members leads anywhere, or that cannot be
//! followed at all, is remembered as such: it answers with an error and never means something else.

use super::compile::{Fault, report};
use super::resolve::{Resolution, ResolveError};
use super::table::{Combo, Named, Route, Table};
use proto::v1::{self, ResourceError, ResourceKind, resource_error::Code};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Routes of one combo. Nesting multiplies, and nobody waits for the hundredth fallback.
const ROUTES: usize = 64;

struct Names<'a> {
    /// Enabled ones, by name.
    combos: HashMap<&'a str, &'a v1::Combo>,
    aliases: &'a BTreeMap<&'a str, &'a v1::ModelAlias>,
    /// Names that lead round in circles or too deep, so that following any other name ends.
    endless: HashMap<&'a str, String>,
    table: &'a Table,
}

/// Why a name has no routes.
enum Failure {
    /// It will never work as it is written.
    Broken(String),
    /// It would work if a connection were active.
    Nowhere(ResolveError),
}

pub(super) fn compile(
    combos: &BTreeMap<&str, &v1::Combo>,
    aliases: &BTreeMap<&str, &v1::ModelAlias>,
    table: &Table,
    errors: &mut Vec<ResourceError>,
) -> HashMap<String, Named> {
    let enabled = || {
        combos
            .iter()
            .filter(|(_, combo)| combo.enabled)
            .map(|(id, combo)| (*id, *combo))
    };
    let mut names = Names {
        combos: enabled().map(|(_, combo)| (combo.name.as_str(), combo)).collect(),
        aliases,
        endless: HashMap::new(),
        table,
    };
    for issue in proto::validate::names(enabled(), aliases.iter().map(|(id, alias)| (*id, *alias))) {
        let name = match issue.resource.kind() {
            ResourceKind::Combo => combos
                .get_key_value(issue.resource.id.as_str())
                .map(|(_, combo)| combo.name.as_str()),
            _ => aliases
                .get_key_value(issue.resource.id.as_str())
                .map(|(id, _)| *id),
        };
        names
            .endless
            .extend(name.map(|name| (name, issue.message.clone())));
        errors.push(issue.into());
    }

    let mut compiled = HashMap::new();
    for (id, alias) in aliases {
        let named = names.alias(id, alias).unwrap_or_else(Named::from);
        compiled.insert((*id).to_owned(), named);
    }
    for (id, combo) in enabled() {
        if let Some(fault) = unsupported(combo) {
            compiled.insert(combo.name.clone(), Named::Broken(fault.message().to_owned()));
            report(errors, ResourceKind::Combo, id, fault);
            continue;
        }
        let named = names.combo(combo).unwrap_or_else(Named::from);
        compiled.insert(combo.name.clone(), named);
    }
    compiled
}

// === impl Names ===

impl<'a> Names<'a> {
    fn alias(&self, name: &'a str, alias: &'a v1::ModelAlias) -> Result<Named, Failure> {
        let routes = self.routes(name)?;
        let combo = self.combo_behind(&alias.target).map(describe);
        Ok(Named::Routes(Resolution {
            direct: false,
            combo,
            routes: routes.into(),
        }))
    }

    fn combo(&self, combo: &'a v1::Combo) -> Result<Named, Failure> {
        let routes = self.routes(&combo.name)?;
        Ok(Named::Routes(Resolution {
            direct: false,
            combo: Some(describe(combo)),
            routes: routes.into(),
        }))
    }

    fn routes(&self, name: &str) -> Result<Vec<Route>, Failure> {
        if let Some(reason) = self.endless.get(name) {
            return Err(Failure::Broken(reason.clone()));
        }
        if let Some(combo) = self.combos.get(name) {
            return self.members(combo);
        }
        if let Some(alias) = self.aliases.get(name) {
            // an alias may give a model's own name back to it
            if alias.target != name {
                return self.routes(&alias.target);
            }
        }
        self.table
            .direct(name)
            .map(|route| vec![route])
            .map_err(Failure::Nowhere)
    }

    /// In order, each route once. Connections come and go, and that is what the other members are for.
    fn members(&self, combo: &v1::Combo) -> Result<Vec<Route>, Failure> {
        if let Some(fault) = unsupported(combo) {
            return Err(Failure::Broken(fault.message().to_owned()));
        }
        let mut routes: Vec<Route> = Vec::new();
        let mut failure = Failure::Broken("has no members".to_owned());
        for member in &combo.members {
            match self.routes(&member.model) {
                Ok(found) => found.into_iter().for_each(|route| add(&mut routes, route)),
                Err(reason) => failure = reason,
            }
        }
        if routes.is_empty() {
            Err(failure)
        } else {
            Ok(routes)
        }
    }

    /// An alias of a combo is that combo, with its deadline and its name in the records.
    fn combo_behind(&self, mut name: &'a str) -> Option<&'a v1::Combo> {
        for _ in 0..=proto::validate::MAX_DEPTH {
            if let Some(combo) = self.combos.get(name) {
                return Some(combo);
            }
            name = &self.aliases.get(name)?.target;
        }
        None
    }
}

impl From<Failure> for Named {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Broken(reason) => Self::Broken(reason),
            Failure::Nowhere(error) => Self::Nowhere(error),
        }
    }
}

fn unsupported(combo: &v1::Combo) -> Option<Fault> {
    (combo.strategy != "priority").then(|| {
        let text = format!(
            "strategy `{}` is not supported by this data plane: use `priority`",
            combo.strategy
        );
        Fault::new(Code::Invalid, text)
    })
}

fn add(routes: &mut Vec<Route>, route: Route) {
    let known = routes
        .iter()
        .any(|other| other.provider.id == route.provider.id && other.model == route.model);
    if !known && routes.len() < ROUTES {
        routes.push(route);
    }
}

fn describe(combo: &v1::Combo) -> Arc<Combo> {
    Arc::new(Combo {
        name: combo.name.as_str().into(),
        timeout: (combo.timeout_ms > 0).then(|| Duration::from_millis(combo.timeout_ms.into())),
    })
}

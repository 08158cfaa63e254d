//! Combos and aliases, resolved to trees when the configuration arrives, so that a request only looks them up.
//!
//! A member that leads nowhere is passed over. A name none of whose members leads anywhere, or that cannot be
//! followed at all, is remembered as such: it answers with an error and never means something else.

use super::compile::{Fault, report};
use super::resolve::ResolveError;
use super::running::{Combos, Running};
use super::table::{Named, Table};
use super::tree::{Combo, Member, Node, Resolution, Route, Seat};
use proto::v1::{self, ResourceError, ResourceKind, resource_error::Code};
use proto::validate::STRATEGIES;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Members below one combo. Nesting multiplies, and nobody waits for the hundredth fallback.
const MEMBERS: usize = 256;

struct Names<'a> {
    /// By name, with their ids.
    combos: HashMap<&'a str, (&'a str, &'a v1::Combo)>,
    aliases: &'a BTreeMap<&'a str, &'a v1::ModelAlias>,
    /// Names that cannot be followed, and why; following any other name ends.
    endless: HashMap<&'a str, String>,
    table: &'a Table,
    running: &'a Combos,
}

/// A tree that grows from one name.
#[derive(Default)]
struct Growth {
    routes: Vec<Route>,
    seats: Vec<Vec<Arc<Seat>>>,
    /// The seats above the place that grows.
    path: Vec<Arc<Seat>>,
    members: usize,
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
    running: &Combos,
    errors: &mut Vec<ResourceError>,
) -> HashMap<String, Named> {
    let enabled = || {
        combos
            .iter()
            .filter(|(_, combo)| combo.enabled)
            .map(|(id, combo)| (*id, *combo))
    };
    let mut names = Names {
        combos: enabled()
            .map(|(id, combo)| (combo.name.as_str(), (id, combo)))
            .collect(),
        aliases,
        endless: HashMap::new(),
        table,
        running,
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
    for id in aliases.keys() {
        let named = names.resolve(id).unwrap_or_else(Named::from);
        compiled.insert((*id).to_owned(), named);
    }
    for (id, combo) in enabled() {
        let named = names.resolve(&combo.name).unwrap_or_else(|failure| {
            if let Failure::Broken(reason) = &failure
                && !names.endless.contains_key(combo.name.as_str())
            {
                report(errors, ResourceKind::Combo, id, Fault::new(Code::Invalid, reason));
            }
            Named::from(failure)
        });
        compiled.insert(combo.name.clone(), named);
    }
    compiled
}

// === impl Names ===

impl Names<'_> {
    fn resolve(&self, name: &str) -> Result<Named, Failure> {
        let mut growth = Growth::default();
        let root = self.grow(name, &mut growth)?;
        Ok(Named::Routes(Resolution::of_tree(
            false,
            root,
            growth.routes,
            growth.seats,
        )))
    }

    fn grow(&self, name: &str, growth: &mut Growth) -> Result<Node, Failure> {
        if let Some(reason) = self.endless.get(name) {
            return Err(Failure::Broken(reason.clone()));
        }
        if let Some((id, combo)) = self.combos.get(name) {
            return self.members(id, combo, growth);
        }
        // an alias of a combo is that combo, with its deadline and its name in the records
        if let Some(alias) = self.aliases.get(name) {
            return self.grow(&alias.target, growth);
        }
        let route = self.table.direct(name).map_err(Failure::Nowhere)?;
        Ok(Node::Route(growth.add(route)))
    }

    /// Connections come and go, and that is what the other members are for.
    fn members(&self, id: &str, combo: &v1::Combo, growth: &mut Growth) -> Result<Node, Failure> {
        let running = self.running.running(id);
        running.retain(|model| combo.members.iter().any(|member| member.model == model));
        let description = Arc::new(describe(id, combo, running.clone())?);
        let mut members = Vec::new();
        let mut failure = Failure::Broken("has no members".to_owned());
        for member in &combo.members {
            growth.members += 1;
            if growth.members > MEMBERS {
                return Err(Failure::Broken(format!(
                    "has more than {MEMBERS} members, with those of the combos in it"
                )));
            }
            let seat = Arc::new(seat(combo, &description, &member.model));
            let before = growth.routes.len();
            growth.path.push(seat.clone());
            let grown = self.grow(&member.model, growth);
            growth.path.pop();
            match grown {
                Ok(node) => members.push(Member {
                    weight: member.weight,
                    seat,
                    node,
                }),
                Err(reason) => {
                    growth.truncate(before);
                    failure = reason;
                }
            }
        }
        if members.is_empty() {
            return Err(failure);
        }
        Ok(Node::Combo {
            combo: description,
            members,
        })
    }
}

// === impl Growth ===

impl Growth {
    /// The position of the route, which may be in the tree already.
    fn add(&mut self, route: Route) -> usize {
        if let Some(known) = self.routes.iter().position(|other| other.is(&route)) {
            return known;
        }
        self.routes.push(route);
        self.seats.push(self.path.clone());
        self.routes.len() - 1
    }

    /// Forgets what a branch brought that came to nothing.
    fn truncate(&mut self, routes: usize) {
        self.routes.truncate(routes);
        self.seats.truncate(routes);
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

fn describe(id: &str, combo: &v1::Combo, running: Arc<Running>) -> Result<Combo, Failure> {
    let strategy = STRATEGIES
        .into_iter()
        .find(|known| *known == combo.strategy)
        .ok_or_else(|| Failure::Broken(format!("strategy `{}` is not known", combo.strategy)))?;
    Ok(Combo {
        id: id.into(),
        name: combo.name.as_str().into(),
        strategy,
        timeout: (combo.timeout_ms > 0).then(|| Duration::from_millis(combo.timeout_ms.into())),
        max_retries: combo.max_retries,
        retry_delay: Duration::from_millis(combo.retry_delay_ms.into()),
        track_metrics: combo.track_metrics,
        running,
    })
}

fn seat(combo: &v1::Combo, description: &Combo, model: &str) -> Seat {
    let width = usize::try_from(combo.concurrency_per_model).unwrap_or(usize::MAX);
    let patience = Duration::from_millis(combo.queue_timeout_ms.into());
    let (uses, gate) = description.running.place(model, width, patience);
    let gated = description.strategy == "round-robin" && width > 0;
    Seat {
        combo: description.name.clone(),
        model: model.into(),
        track_metrics: combo.track_metrics,
        uses,
        gate: gated.then_some(gate),
    }
}

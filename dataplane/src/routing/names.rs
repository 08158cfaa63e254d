//! Combos and aliases, resolved to trees when the configuration arrives, so that a request only looks them up.
//!
//! A member that leads nowhere is passed over. A name none of whose members leads anywhere, or that cannot be
//! followed at all, is remembered as such: it answers with an error and never means something else.

use super::compile::{Fault, report};
use super::outlet::Outlets;
use super::resolve::ResolveError;
use super::running::{Combos, Running};
use super::table::{Named, Table};
use super::tree::{Combo, Member, Node, Resolution, Route, Seat};
use super::wildcard::Wildcards;
use proto::Pattern;
use proto::v1::{self, ResourceError, ResourceKind, resource_error::Code};
use proto::validate::STRATEGIES;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Members below one combo. Nesting multiplies, and nobody waits for the hundredth fallback.
const MEMBERS: usize = 256;

/// The resources that give names.
pub(super) struct Given<'a> {
    pub combos: &'a BTreeMap<&'a str, &'a v1::Combo>,
    pub aliases: &'a BTreeMap<&'a str, &'a v1::ModelAlias>,
    pub wildcards: &'a [v1::WildcardAlias],
    /// Names of combos and aliases that cannot be used, and why.
    pub broken: &'a [(&'a str, String)],
    pub outlets: &'a Outlets,
}

struct Names<'a> {
    /// By name, with their ids.
    combos: HashMap<&'a str, (&'a str, &'a v1::Combo)>,
    aliases: &'a BTreeMap<&'a str, &'a v1::ModelAlias>,
    /// Names that cannot be followed, and why; following any other name ends.
    endless: HashMap<&'a str, String>,
    table: &'a Table,
    running: &'a Combos,
    outlets: &'a Outlets,
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
    given: &Given<'_>,
    table: &Table,
    running: &Combos,
    errors: &mut Vec<ResourceError>,
) -> (HashMap<String, Named>, Wildcards) {
    let names = Names::new(given, table, running, errors);
    let mut compiled = HashMap::new();
    for name in given.aliases.keys().copied().chain(names.endless.keys().copied()) {
        compiled.insert(name.to_owned(), names.resolve(name).unwrap_or_else(Named::from));
    }
    for (name, (id, _)) in &names.combos {
        let named = names.resolve(name).unwrap_or_else(|failure| {
            // what is endless is reported already
            if let Failure::Broken(reason) = &failure
                && !names.endless.contains_key(name)
            {
                report(
                    errors,
                    ResourceKind::Combo,
                    id,
                    Fault::new(Code::Invalid, reason.clone()),
                );
            }
            Named::from(failure)
        });
        compiled.insert((*name).to_owned(), named);
    }
    let wildcards = given.wildcards.iter().map(|alias| {
        let named = names.resolve(&alias.target).unwrap_or_else(Named::from);
        (Pattern::new(&alias.pattern), named)
    });
    let wildcards = Wildcards::new(wildcards);
    (compiled, wildcards)
}

// === impl Names ===

impl<'a> Names<'a> {
    fn new(
        given: &'a Given<'a>,
        table: &'a Table,
        running: &'a Combos,
        errors: &mut Vec<ResourceError>,
    ) -> Self {
        let by_name = |enabled: bool| {
            let combos = given
                .combos
                .iter()
                .filter(move |(_, combo)| combo.enabled == enabled);
            combos.map(|(id, combo)| (combo.name.as_str(), (*id, *combo)))
        };
        let broken = given.broken.iter().map(|(name, reason)| (*name, reason.clone()));
        let mut names = Self {
            combos: by_name(false).chain(by_name(true)).collect(),
            aliases: given.aliases,
            endless: broken.collect(),
            table,
            running,
            outlets: given.outlets,
        };
        let combos = given.combos.iter().map(|(id, combo)| (*id, *combo));
        let aliases = given.aliases.iter().map(|(id, alias)| (*id, *alias));
        for issue in proto::validate::names(combos.filter(|(_, combo)| combo.enabled), aliases) {
            let id = issue.resource.id.as_str();
            let name = match issue.resource.kind() {
                ResourceKind::Combo => given.combos.get(id).map(|combo| combo.name.as_str()),
                _ => given.aliases.get_key_value(id).map(|(alias, _)| *alias),
            };
            names
                .endless
                .extend(name.map(|name| (name, issue.message.clone())));
            errors.push(issue.into());
        }
        names
    }

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
            // the name stays taken, or it would come to mean something else
            if !combo.enabled {
                return Err(Failure::Nowhere(ResolveError::switched_off(name)));
            }
            return self.members(id, combo, growth);
        }
        // an alias of a combo is that combo, with its deadline and its name in the records
        if let Some(alias) = self.aliases.get(name) {
            return self.grow(&alias.target, growth);
        }
        let routes = self.table.direct(name).map_err(Failure::Nowhere)?;
        Ok(Node::of(
            routes.into_iter().map(|route| growth.add(route)).collect(),
        ))
    }

    /// Connections come and go, and that is what the other members are for.
    fn members(&self, id: &str, combo: &v1::Combo, growth: &mut Growth) -> Result<Node, Failure> {
        let running = self.running.running(id);
        running.retain(|model| combo.members.iter().any(|member| member.model == model));
        let mut description = describe(id, combo, running.clone())?;
        description.outlet = self.outlets.of_combo(id);
        let description = Arc::new(description);
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
        asks_the_failing: combo.asks_the_failing,
        outlet: None,
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
        outlet: description.outlet.clone(),
    }
}

//! From a plan to the order in which its accounts are tried: what the decision depends on is gathered, and decided on
//! elsewhere, by pure functions over what was gathered.
//!
//! A decision is taken once per request, before the first attempt. What changes while the request runs is looked at
//! again before each attempt, and can only rule accounts out.

use super::plan::Plan;
use crate::routing::health::Standing;
use crate::routing::{Choice, Combo, Connection, Cooling, Member, Node, Resolution, Route};
use decision::{Account, Decision, Entry, Group, LeadsTo, Target, UNKNOWN_PRICE, Verdict};
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// What a request does to the rotations it takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Takes its turn.
    Advance,
    /// Only looks whose turn it would be.
    Peek,
}

/// Which account comes when, and why.
pub struct Chosen {
    /// As it is recorded.
    pub decision: Decision,
    /// Route and connection by position, in the order in which they are tried.
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub route: usize,
    pub connection: usize,
}

/// Turns a tree of routes into groups of a decision.
struct Gathering<'a> {
    resolution: &'a Resolution,
    /// Some group draws.
    draws: bool,
    /// Some group inside another one has turns.
    rotates: bool,
}

/// Two clocks at one moment: cooldowns are kept in one, and told in the other.
#[derive(Clone, Copy)]
struct Clocks {
    monotonic: Instant,
    unix_ms: u64,
}

/// Decides. `session` is the hash of the caller's conversation, empty for none.
pub fn choose(plan: &Plan, choice: &Choice, session: &[u8], rotation: Rotation) -> Chosen {
    let clocks = Clocks::now();
    let mut gathering = Gathering {
        resolution: &plan.resolution,
        draws: false,
        rotates: false,
    };
    let root = gathering.root(rotation);
    let strategy = choice.account_strategy;
    let mut several = false;
    let targets = plan
        .resolution
        .routes()
        .iter()
        .enumerate()
        .map(|(position, route)| {
            let accounts = &route.provider.connections;
            several |= accounts.len() > 1;
            let turn = (strategy == "round-robin" && accounts.len() > 1)
                .then(|| route.provider.turn.load(Ordering::Relaxed));
            Target {
                provider: route.provider.id.to_string(),
                model: route.model.to_string(),
                verdict: plan
                    .verdict(position)
                    .unwrap_or_else(|| breaker(plan, route))
                    .into(),
                turn,
                preference: plan.preference(route),
                accounts: accounts
                    .iter()
                    .map(|connection| account(plan, route, connection, strategy, clocks))
                    .collect(),
            }
        });
    let targets: Vec<Target> = targets.collect();
    let draws = gathering.draws || several && matches!(strategy, "random" | "p2c");
    let rotates = gathering.rotates || targets.iter().any(|target| target.turn.is_some());
    let mut decision = Decision {
        root: Some(root),
        targets,
        account_strategy: strategy.to_owned(),
        seed: draws.then(rand::random),
        sticky_limit: (strategy == "round-robin").then_some(choice.sticky_limit),
        session: session.to_vec(),
        ..Decision::default()
    };
    if rotates && rotation == Rotation::Advance {
        take_turns(&mut decision, &plan.resolution);
    }
    // what is gathered here is complete; should it ever not be, the order of the configuration still answers
    if let Err(error) = decision::record(&mut decision) {
        tracing::error!(%error, "a decision could not be made: the order of the configuration is used");
        decision.order = in_order(&decision);
    }
    let steps = decision
        .order
        .iter()
        .filter_map(|number| decision::locate(&decision, *number));
    let steps = steps
        .map(|(route, connection)| Step { route, connection })
        .collect();
    Chosen { decision, steps }
}

// === impl Gathering ===

impl Gathering<'_> {
    fn root(&mut self, rotation: Rotation) -> Group {
        match self.resolution.root() {
            Node::Route(position) => priority(std::iter::once(*position)),
            Node::Chain(positions) => priority(positions.iter().copied()),
            Node::Combo { combo, members } => self.combo(combo, members, rotation),
        }
    }

    fn combo(&mut self, combo: &Combo, members: &[Member], rotation: Rotation) -> Group {
        self.draws |= matches!(combo.strategy, "weighted" | "random");
        let turn = (combo.strategy == "round-robin").then(|| match rotation {
            Rotation::Advance => combo.take_turn(),
            Rotation::Peek => combo.next_turn(),
        });
        Group {
            name: combo.name.to_string(),
            strategy: combo.strategy.to_owned(),
            turn,
            entries: members.iter().map(|member| self.entry(combo, member)).collect(),
        }
    }

    fn entry(&mut self, combo: &Combo, member: &Member) -> Entry {
        let leads_to = match &member.node {
            Node::Route(position) => LeadsTo::Target(index(*position)),
            Node::Chain(positions) => LeadsTo::Group(priority(positions.iter().copied())),
            Node::Combo { combo, members } => {
                self.rotates |= combo.strategy == "round-robin";
                LeadsTo::Group(self.combo(combo, members, Rotation::Peek))
            }
        };
        let price = || {
            member
                .node
                .price(self.resolution.routes())
                .unwrap_or(UNKNOWN_PRICE)
        };
        Entry {
            weight: (combo.strategy == "weighted").then_some(member.weight),
            uses: (combo.strategy == "least-used").then(|| member.seat.uses()),
            price: (combo.strategy == "cost-optimized").then(price),
            leads_to: Some(leads_to),
        }
    }
}

// === impl Clocks ===

impl Clocks {
    fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Self {
            monotonic: Instant::now(),
            unix_ms: u64::try_from(since.as_millis()).unwrap_or(0),
        }
    }

    fn unix_ms_at(self, instant: Instant) -> u64 {
        let ahead = instant.saturating_duration_since(self.monotonic).as_millis();
        self.unix_ms.saturating_add(u64::try_from(ahead).unwrap_or(0))
    }
}

fn account(plan: &Plan, route: &Route, connection: &Connection, strategy: &str, clocks: Clocks) -> Account {
    let cooling = plan.cooling(connection, route);
    let verdict = match cooling {
        _ if !plan.may_use(connection) => Verdict::NotPermitted,
        Some(Cooling { limited: true, .. }) => Verdict::RateLimited,
        Some(_) => Verdict::Resting,
        None => Verdict::Eligible,
    };
    let facts = matches!(strategy, "p2c" | "least-used").then(|| connection.account.facts());
    Account {
        connection_id: connection.id.to_string(),
        verdict: verdict.into(),
        until_ms: cooling.map_or(0, |cooling| clocks.unix_ms_at(cooling.until)),
        in_flight: facts.map(|facts| facts.in_flight),
        last_used_ms: facts.map(|facts| facts.last_used_ms),
        failures: facts.map(|facts| facts.failures),
    }
}

fn breaker(plan: &Plan, route: &Route) -> Verdict {
    match route.provider.breaker.standing() {
        Standing::Closed => Verdict::Eligible,
        Standing::Open { .. } if plan.asks_the_failing() => Verdict::Eligible,
        Standing::Open { .. } => Verdict::BreakerOpen,
        Standing::HalfOpen => Verdict::Probe,
    }
}

/// Takes a turn in the rotations that the request goes through on its way to its first target, and in no others. One
/// that every third request goes through would otherwise move on by three each time, and might never leave its place.
fn take_turns(gathered: &mut Decision, resolution: &Resolution) {
    if let Some(first) = first_target(gathered)
        && let Some(root) = &mut gathered.root
    {
        take_inner_turns(root, resolution.root(), first);
    }
    let Some(first) = first_target(gathered).filter(|first| gathered.targets[*first].turn.is_some()) else {
        return;
    };
    let provider = &resolution.routes()[first].provider;
    let turn = provider.turn.fetch_add(1, Ordering::Relaxed);
    // once per request, however many models of the provider it may go to
    let same = gathered.targets.iter_mut();
    same.filter(|target| *target.provider == *provider.id)
        .for_each(|target| target.turn = Some(turn));
}

/// Of the combos inside `group`, whose own turn is taken.
fn take_inner_turns(group: &mut Group, node: &Node, first: usize) {
    let Node::Combo { members, .. } = node else { return };
    for (entry, member) in group.entries.iter_mut().zip(members) {
        let (Some(LeadsTo::Group(inner)), Node::Combo { combo, .. }) = (&mut entry.leads_to, &member.node)
        else {
            continue;
        };
        if !member.node.positions().contains(&first) {
            continue;
        }
        inner.turn = inner.turn.map(|_| combo.take_turn());
        take_inner_turns(inner, &member.node, first);
    }
}

fn first_target(gathered: &Decision) -> Option<usize> {
    let order = decision::decide(gathered).ok()?;
    decision::locate(gathered, *order.first()?).map(|(target, _)| target)
}

fn priority(positions: impl Iterator<Item = usize>) -> Group {
    let entry = |position| Entry {
        leads_to: Some(LeadsTo::Target(index(position))),
        ..Entry::default()
    };
    Group {
        strategy: "priority".to_owned(),
        entries: positions.map(entry).collect(),
        ..Group::default()
    }
}

fn in_order(decision: &Decision) -> Vec<u32> {
    let accounts = decision.targets.iter().flat_map(|target| {
        let open = decision::is_open(target.verdict);
        target
            .accounts
            .iter()
            .map(move |account| open && decision::is_open(account.verdict))
    });
    (0..)
        .zip(accounts)
        .filter(|(_, open)| *open)
        .map(|(number, _)| number)
        .collect()
}

fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

//! What a model name stands for, as a tree: a route, a route and what stands in for it, or a combo of those.
//!
//! Routes are listed once, in the order of the configuration, and the tree refers to them by position: a combo that
//! reaches a model twice still has one candidate for it. A tree is made when the configuration arrives and shared by
//! all requests; what changes while they run is behind [`Seat`] and [`Combo::take_turn`].

use super::outlet::Outlet;
use super::running::{Gate, Running};
use super::table::Provider;
use llm::Picture;
use llm::pricing::Tariff;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a model name stands for: at least one route.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// The client wrote the model itself, not a name that someone gave to it. What [`Route::is_called`] so is that
    /// model; other routes stand in for it.
    pub direct: bool,
    tree: Arc<Tree>,
}

/// One place a request may go: a provider and the provider's own model id.
#[derive(Debug, Clone)]
pub struct Route {
    pub provider: Arc<Provider>,
    pub model: Arc<str>,
    /// If anybody knows.
    /// Without what makes some of its pictures dearer than others.
    pub tariff: Tariff,
}

#[derive(Debug)]
pub enum Node {
    /// By its position in [`Resolution::routes`].
    Route(usize),
    /// A route, and those that stand in for it when it fails, in this order.
    Chain(Vec<usize>),
    Combo {
        combo: Arc<Combo>,
        /// At least one, in the order of the configuration.
        members: Vec<Member>,
    },
}

#[derive(Debug)]
pub struct Member {
    pub weight: f64,
    pub seat: Arc<Seat>,
    pub node: Node,
}

/// A named list of models, and how one of them is chosen.
#[derive(Debug)]
pub struct Combo {
    /// Of the resource; the name may change.
    pub id: Arc<str>,
    pub name: Arc<str>,
    /// One of [`proto::validate::STRATEGIES`].
    pub strategy: &'static str,
    /// How long the search for an answer may take; a running stream is not cut.
    pub timeout: Option<Duration>,
    /// On the same account; absent: once, when nothing else is left.
    pub max_retries: Option<u32>,
    pub retry_delay: Duration,
    pub track_metrics: bool,
    /// Members that are known to fail are asked all the same, but for those at a limit.
    pub asks_the_failing: bool,
    /// A proxy for what comes through this combo.
    pub(super) outlet: Option<Outlet>,
    pub(super) running: Arc<Running>,
}

/// The place of a member in its combo: what its successes are counted by, and what it admits.
#[derive(Debug)]
pub struct Seat {
    /// The combo's name.
    pub combo: Arc<str>,
    /// As the combo writes it.
    pub model: Arc<str>,
    pub track_metrics: bool,
    pub(super) uses: Arc<AtomicU64>,
    /// Only a round-robin combo keeps its members from taking too much at a time.
    pub gate: Option<Gate>,
    /// The combo's.
    pub(super) outlet: Option<Outlet>,
}

#[derive(Debug)]
struct Tree {
    root: Node,
    routes: Vec<Route>,
    /// Of each route: the seats it is under, the outermost first.
    seats: Vec<Vec<Arc<Seat>>>,
}

// === impl Resolution ===

impl Resolution {
    /// Of a model as the client wrote it, and what stands in for it. At least one route.
    pub(super) fn of_model(routes: Vec<Route>) -> Self {
        Self::of_routes(true, routes)
    }

    /// Of a name that somebody gave to a model.
    pub(super) fn of_name(routes: Vec<Route>) -> Self {
        Self::of_routes(false, routes)
    }

    fn of_routes(direct: bool, routes: Vec<Route>) -> Self {
        let root = Node::of((0..routes.len()).collect());
        let seats = vec![Vec::new(); routes.len()];
        Self::of_tree(direct, root, routes, seats)
    }

    /// `seats` has one entry per route.
    pub(super) fn of_tree(direct: bool, root: Node, routes: Vec<Route>, seats: Vec<Vec<Arc<Seat>>>) -> Self {
        Self {
            direct,
            tree: Arc::new(Tree { root, routes, seats }),
        }
    }

    pub fn root(&self) -> &Node {
        &self.tree.root
    }

    /// Every route once, in the order of the configuration.
    pub fn routes(&self) -> &[Route] {
        &self.tree.routes
    }

    /// The seats that a route is under, the outermost first: all of them were used when it answers.
    pub fn seats(&self, route: usize) -> &[Arc<Seat>] {
        self.tree.seats.get(route).map_or(&[], Vec::as_slice)
    }

    /// The combo that the name stands for, if it is one.
    pub fn combo(&self) -> Option<&Arc<Combo>> {
        match self.root() {
            Node::Combo { combo, .. } => Some(combo),
            Node::Route(_) | Node::Chain(_) => None,
        }
    }
}

// === impl Route ===

impl Route {
    pub(super) fn new(provider: &Arc<Provider>, model: &str) -> Self {
        Self {
            provider: provider.clone(),
            model: model.into(),
            tariff: provider.tariff(model),
        }
    }

    /// What it costs at a moment, in milliseconds since 1970, when such pictures are made.
    pub fn tariff_of(&self, picture: &Picture, at_ms: i64) -> Tariff {
        let mut tariff = self.provider.tariff_at(&self.model, at_ms);
        if *picture != Picture::default() {
            tariff.units.image = self.provider.price_of_picture(&self.model, picture);
        }
        tariff
    }

    /// As clients write it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.provider.prefix, self.model)
    }

    /// With or without a provider before it, this is how clients write this route.
    pub fn is_called(&self, written: &str) -> bool {
        let Some(provider) = written.strip_suffix(&*self.model) else {
            return false;
        };
        let qualifies = |word: &str| provider.strip_suffix('/') == Some(word);
        provider.is_empty() || qualifies(&self.provider.prefix) || qualifies(&self.provider.id)
    }

    pub fn is(&self, other: &Self) -> bool {
        self.provider.id == other.provider.id && self.model == other.model
    }
}

// === impl Node ===

impl Node {
    pub(super) fn of(chain: Vec<usize>) -> Self {
        match chain[..] {
            [position] => Self::Route(position),
            _ => Self::Chain(chain),
        }
    }

    /// The positions of all routes below, in order; one may occur more than once.
    pub fn positions(&self) -> Vec<usize> {
        let mut positions = Vec::new();
        self.collect(&mut positions);
        positions
    }

    fn collect(&self, positions: &mut Vec<usize>) {
        match self {
            Self::Route(position) => positions.push(*position),
            Self::Chain(chain) => positions.extend(chain),
            Self::Combo { members, .. } => {
                members.iter().for_each(|member| member.node.collect(positions));
            }
        }
    }

    /// Nano-USD per million tokens of input of the cheapest route below; of a chain it is the first, because the others only stand in.
    pub fn price(&self, routes: &[Route]) -> Option<u64> {
        let of = |position: &usize| routes.get(*position)?.tariff.tokens.map(|price| price.input);
        match self {
            Self::Route(position) => of(position),
            Self::Chain(chain) => chain.first().and_then(of),
            Self::Combo { members, .. } => members
                .iter()
                .filter_map(|member| member.node.price(routes))
                .min(),
        }
    }
}

// === impl Combo ===

impl Combo {
    /// How many requests came before this one. Once per request: the next one gets the next number.
    pub fn take_turn(&self) -> u64 {
        self.running.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// The turn that the next request would get.
    pub fn next_turn(&self) -> u64 {
        self.running.turn.load(Ordering::Relaxed)
    }
}

// === impl Seat ===

impl Seat {
    /// Requests that this member answered in this combo since the process started.
    pub fn uses(&self) -> u64 {
        self.uses.load(Ordering::Relaxed)
    }

    pub fn succeeded(&self) {
        self.uses.fetch_add(1, Ordering::Relaxed);
    }
}

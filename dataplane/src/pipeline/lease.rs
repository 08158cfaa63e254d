//! The use of one account, from the moment a call is sent until its stream has ended. Whatever the call holds while it
//! runs is in here and is given back when it is dropped.

use super::Gateway;
use crate::routing::health::{InFlight, Permit, Probe};
use crate::routing::{Connection, Outlet, Penalty, Route, Seat, Slot, blames_provider};
use crate::trace::TraceHeaders;
use llm::UpstreamError;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

pub struct Lease {
    pub connection: Arc<Connection>,
    pub route: Route,
    pub started: Instant,
    /// What the provider is told of the trace that the call is part of.
    pub trace: TraceHeaders,
    /// The places in combos that the account is used for.
    seats: Vec<Arc<Seat>>,
    /// This call finds out whether the provider is back; without a verdict, the next one may.
    probe: Option<Probe>,
    _held: Held,
}

/// What admits a call.
#[derive(Default)]
pub struct Held {
    pub slots: Vec<Slot>,
    pub permit: Option<Permit>,
    pub in_flight: Option<InFlight>,
}

// === impl Lease ===

impl Lease {
    pub fn new(
        connection: &Arc<Connection>,
        route: &Route,
        seats: &[Arc<Seat>],
        probe: Option<Probe>,
        mut held: Held,
    ) -> Self {
        held.in_flight = Some(connection.account.begin(&route.model));
        Self {
            connection: connection.clone(),
            route: route.clone(),
            started: Instant::now(),
            trace: TraceHeaders::new(),
            seats: seats.to_vec(),
            probe,
            _held: held,
        }
    }

    /// Draws the consequences of a failure for everything that the call went through.
    pub fn fail(&self, gateway: &Gateway, error: &UpstreamError) -> Penalty {
        let profile = gateway.routing.profile(self.connection.oauth);
        let penalty = Penalty::of(error, &profile);
        let is_news = self.connection.account.punish(&self.route.model, penalty, error);
        if blames_provider(error) && (is_news || self.tells_of_provider()) {
            self.route.provider.breaker.failed(&profile, self.started);
        }
        gateway.tally.failed(&self.seats);
        penalty
    }

    /// Many calls that fail together at one account are one failure, as long as another account of the provider has
    /// not been heard: it may answer them all.
    fn tells_of_provider(&self) -> bool {
        let rests = |connection: &Arc<Connection>| connection.account.cooling(&self.route.model).is_some();
        self.probe.is_some() || self.route.provider.connections.iter().all(rests)
    }

    /// The answer is complete, so far as the provider is concerned.
    pub fn succeed(&self, gateway: &Gateway) {
        self.connection.account.forgive(&self.route.model, self.started);
        self.route.provider.breaker.succeeded(self.started);
        for seat in &self.seats {
            seat.succeeded();
        }
        gateway.tally.succeeded(&self.seats, self.took());
    }

    pub fn outlet(&self) -> Option<&Outlet> {
        self.connection.outlet(&self.seats)
    }

    pub fn took(&self) -> Duration {
        self.started.elapsed()
    }
}

//! The configuration as requests see it, and what is known about the health of accounts.
//!
//! A [`Table`] is immutable: a request loads one and keeps it to the end, so it never sees two revisions. Only
//! `sync` stores a new one. [`Health`] outlives tables, because a cooldown must survive a configuration change.

mod access;
mod cache;
mod chain;
mod choice;
mod compile;
mod custom_model;
pub mod health;
mod limits;
mod listing;
mod names;
mod origins;
mod outlet;
mod penalty;
mod policy;
mod renewal;
mod resilience;
mod resolve;
mod running;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod wildcard;

pub use access::{Globs, Scopes};
pub use cache::{CacheRules, SimilarityRule};
pub use choice::{Choice, Hedging};
pub use custom_model::CustomModel;
pub use health::{Cooling, Health};
pub use limits::{Counted, KeyBudget, KeyRate, Limits};
pub use listing::ListedModel;
pub use origins::Origins;
pub use outlet::Outlet;
pub use penalty::{Penalty, blames_provider};
pub use policy::{Judgement, Policies};
pub use renewal::{NotRenewed, Renewals};
pub use resilience::{Profile, Resilience};
pub use resolve::ResolveError;
pub use running::{Combos, Gate, Slot};
pub use table::{AccessToken, ApiKey, Connection, Provider, Table};
pub use tree::{Combo, Member, Node, Resolution, Route, Seat};

use arc_swap::ArcSwapOption;
use runtime::service_account::Grants;
use std::sync::Arc;

/// A handle on the running configuration; clones share it.
#[derive(Clone, Default)]
pub struct Routing {
    table: Arc<ArcSwapOption<Table>>,
    health: Arc<Health>,
    combos: Arc<Combos>,
    renewals: Arc<Renewals>,
    grants: Arc<Grants>,
}

// === impl Routing ===

impl Routing {
    /// The running configuration; `None` until the first snapshot was applied.
    pub fn load(&self) -> Option<Arc<Table>> {
        self.table.load_full()
    }

    /// Whether any account is read to the end for clients that have left. Asked for every request.
    pub fn drains(&self) -> bool {
        self.table.load().as_ref().is_some_and(|table| table.drains)
    }

    /// Replaces the running configuration. Requests in flight keep the one they loaded.
    pub fn store(&self, table: Table) {
        self.combos.retain(|combo| table.has_combo(combo));
        let before = self.table.swap(Some(Arc::new(table)));
        if let (Some(before), Some(after)) = (before, self.load()) {
            forgive_renewed(&before, &after);
        }
        self.renewals.table_changed();
        self.health.tidy();
    }

    /// What combos remember from table to table.
    pub fn combos(&self) -> &Combos {
        &self.combos
    }

    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// What is asked about tokens that end.
    pub fn renewals(&self) -> &Arc<Renewals> {
        &self.renewals
    }

    /// Rights to tokens, which outlive tables: a token is not asked for anew because a name was changed.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// How failures of an account count now, rather than when a request began.
    pub fn profile(&self, oauth: bool) -> Profile {
        let table = self.table.load();
        let resilience = table
            .as_ref()
            .map(|table| *table.resilience())
            .unwrap_or_default();
        *resilience.profile(oauth)
    }
}

/// What a provider held against the old token of an account says nothing about the new one.
fn forgive_renewed(before: &Table, after: &Table) {
    for connection in after.signed_in() {
        let old = before.connection(&connection.id).and_then(|old| old.token);
        let is_newer = old.is_some_and(|old| connection.is_newer_than(old.generation));
        if is_newer && connection.account.rests_for_its_credential() {
            connection.account.clear();
        }
    }
}

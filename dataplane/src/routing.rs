//! The configuration as requests see it, and what is known about the health of accounts.
//!
//! A [`Table`] is immutable: a request loads one and keeps it to the end, so it never sees two revisions. Only
//! `sync` stores a new one. [`Health`] outlives tables, because a cooldown must survive a configuration change.

mod access;
mod compile;
mod health;
mod listing;
mod names;
mod penalty;
mod resolve;
mod running;
mod table;
#[cfg(test)]
mod tests;
mod tree;

pub use access::{Globs, Scopes};
pub use health::{Cooling, Health};
pub use listing::ListedModel;
pub use penalty::Penalty;
pub use resolve::ResolveError;
pub use running::{Combos, Gate, Slot};
pub use table::{ApiKey, Connection, Provider, Table};
pub use tree::{Combo, Member, Node, Resolution, Route, Seat};

use arc_swap::ArcSwapOption;
use std::sync::Arc;

/// A handle on the running configuration; clones share it.
#[derive(Clone, Default)]
pub struct Routing {
    table: Arc<ArcSwapOption<Table>>,
    health: Arc<Health>,
    combos: Arc<Combos>,
}

// === impl Routing ===

impl Routing {
    /// The running configuration; `None` until the first snapshot was applied.
    pub fn load(&self) -> Option<Arc<Table>> {
        self.table.load_full()
    }

    /// Replaces the running configuration. Requests in flight keep the one they loaded.
    pub fn store(&self, table: Table) {
        self.health.retain(|connection| table.has_connection(connection));
        self.combos.retain(|combo| table.has_combo(combo));
        self.table.store(Some(Arc::new(table)));
    }

    /// What combos remember from table to table.
    pub fn combos(&self) -> &Combos {
        &self.combos
    }

    pub fn health(&self) -> &Health {
        &self.health
    }
}

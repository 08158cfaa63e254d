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
mod table;
#[cfg(test)]
mod tests;

pub use access::{Globs, Scopes};
pub use health::{Cooling, Health};
pub use listing::ListedModel;
pub use penalty::Penalty;
pub use resolve::{Resolution, ResolveError};
pub use table::{ApiKey, Combo, Connection, Provider, Route, Table};

use arc_swap::ArcSwapOption;
use std::sync::Arc;

/// A handle on the running configuration; clones share it.
#[derive(Clone, Default)]
pub struct Routing {
    table: Arc<ArcSwapOption<Table>>,
    health: Arc<Health>,
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
        self.table.store(Some(Arc::new(table)));
    }

    pub fn health(&self) -> &Health {
        &self.health
    }
}

//! What is known while running, and outlives the configuration: which accounts rest, which providers fail, whose
//! turn it is.
//!
//! Compiled connections and providers hold their part of it, so a request looks nothing up. What one data plane
//! finds out, the others hear through the state store within a fraction of a second; without the store each one
//! knows what it found itself.

mod account;
mod breaker;
mod exchange;
mod limiter;
mod outbox;
mod punishment;
#[cfg(test)]
mod tests;

pub use account::{Account, Facts, InFlight};
pub use breaker::{Breaker, PROBE_LEASE, Probe, Standing};
pub use exchange::exchange;
pub use limiter::{Full, Limiter, Limits, Load, Permit};
pub use punishment::Cooling;

use outbox::{Note, Outbox};
use parking_lot::{Mutex, RwLock};
use state::Subject;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// More than any installation has; what an account bears is divided by it.
const MAX_DATA_PLANES: u32 = 10_000;

/// Everything that runs, by the ids of the configuration.
pub struct Health {
    /// By connection id.
    accounts: Shelf<Account>,
    /// By provider id.
    breakers: Shelf<Breaker>,
    /// By provider id: how many requests have chosen among its accounts.
    turns: Shelf<AtomicU64>,
    /// How many data planes share the limits of an account.
    data_planes: Arc<AtomicU32>,
    outbox: Arc<Outbox>,
    /// What the fleet knows not to be fine, for what is configured later.
    known: Mutex<HashMap<Subject, Note>>,
}

/// One kind of state, by id.
struct Shelf<T>(RwLock<HashMap<String, Arc<T>>>);

// === impl Health ===

impl Health {
    /// The account of a connection.
    pub fn account(&self, provider: &str, connection: &str) -> Arc<Account> {
        self.accounts.get(connection, || {
            let sharers = self.data_planes.clone();
            let account = Account::new(provider, connection, sharers, self.outbox.clone());
            for (subject, note) in self.known.lock().iter() {
                match subject {
                    Subject::Connection { connection: of, .. } if of == connection => {
                        account.hear(None, *note)
                    }
                    Subject::Model {
                        connection: of,
                        model,
                        ..
                    } if of == connection => account.hear(Some(model), *note),
                    _ => {}
                }
            }
            account
        })
    }

    pub fn breaker(&self, provider: &str) -> Arc<Breaker> {
        self.breakers.get(provider, || {
            let breaker = Breaker::new(provider, self.outbox.clone());
            let subject = Subject::Provider {
                provider: provider.to_owned(),
            };
            if let Some(note) = self.known.lock().get(&subject) {
                breaker.hear(*note);
            }
            breaker
        })
    }

    /// How many requests have chosen among a provider's accounts.
    pub fn turn(&self, provider: &str) -> Arc<AtomicU64> {
        self.turns.get(provider, AtomicU64::default)
    }

    pub fn data_planes(&self) -> u32 {
        self.data_planes.load(Ordering::Relaxed)
    }

    /// How many data planes are ready, this one included.
    pub fn set_data_planes(&self, ready: u32) {
        self.data_planes
            .store(ready.clamp(1, MAX_DATA_PLANES), Ordering::Relaxed);
    }

    /// An operator's command: forget what is held against one connection, or against all and their providers.
    pub fn clear(&self, connection: Option<&str>) {
        match connection {
            Some(connection) => {
                if let Some(account) = self.accounts.find(connection) {
                    account.clear();
                }
            }
            None => {
                self.accounts.all().iter().for_each(|account| account.clear());
                self.breakers.all().iter().for_each(|breaker| breaker.reset());
            }
        }
    }

    /// Forgets what no configuration and no request holds any more.
    pub fn tidy(&self) {
        self.accounts.tidy();
        self.breakers.tidy();
        self.turns.tidy();
    }
}

impl Default for Health {
    fn default() -> Self {
        Self {
            accounts: Shelf::default(),
            breakers: Shelf::default(),
            turns: Shelf::default(),
            data_planes: Arc::new(AtomicU32::new(1)),
            outbox: Arc::default(),
            known: Mutex::default(),
        }
    }
}

// === impl Shelf ===

impl<T> Shelf<T> {
    fn find(&self, id: &str) -> Option<Arc<T>> {
        self.0.read().get(id).cloned()
    }

    fn get(&self, id: &str, new: impl FnOnce() -> T) -> Arc<T> {
        if let Some(found) = self.find(id) {
            return found;
        }
        let mut all = self.0.write();
        all.entry(id.to_owned())
            .or_insert_with(|| Arc::new(new()))
            .clone()
    }

    fn all(&self) -> Vec<Arc<T>> {
        self.0.read().values().cloned().collect()
    }

    fn tidy(&self) {
        self.0.write().retain(|_, held| Arc::strong_count(held) > 1);
    }
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

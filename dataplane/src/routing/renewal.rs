//! Access tokens that end. Control planes renew them; here it is asked for, once for all requests that want it, and
//! waited for until the newer token has arrived as configuration.
//!
//! A request keeps the configuration it began with, but for this: of an account whose token ended it uses the newer
//! one, for the older one is good for nothing.

use super::{Connection, Routing};
use chrono::Utc;
use parking_lot::Mutex;
use proto::v1::{RenewToken, TokenRenewal};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

/// Longer than this nobody waits, and after it the question may be asked again.
const PATIENCE: Duration = Duration::from_secs(10);
/// A token that ends sooner is renewed while it still is good. Requests do not wait for that.
const ENDS_SOON_MS: i64 = 5 * 60 * 1000;
/// One that has less than this left may end on the way.
const ENDED_MS: i64 = 2 * 1000;

/// Why there is no token to call with.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotRenewed {
    #[error("the account has to be signed in to again")]
    SignInAgain,
    #[error("the token of the account ended, and no control plane renewed it in time")]
    Late,
    #[error("the token of the account ended: {0}")]
    Refused(String),
}

/// What was asked and what came of it.
#[derive(Debug, Default)]
pub struct Renewals {
    /// By connection.
    asked: Mutex<HashMap<Arc<str>, Asked>>,
    /// For whoever talks to a control plane.
    waiting: Mutex<VecDeque<(Arc<str>, u64)>>,
    queued: Notify,
    /// A table was stored, or a control plane refused.
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct Asked {
    generation: u64,
    at: Instant,
    refusal: Option<String>,
}

enum Standing {
    Good,
    EndsSoon,
    Ended,
}

// === impl Routing ===

impl Routing {
    /// The account as it can be called now: with its newest token, if the one it came with has ended.
    pub async fn with_good_token(&self, connection: &Arc<Connection>) -> Result<Arc<Connection>, NotRenewed> {
        match standing(connection) {
            Standing::Good => Ok(connection.clone()),
            Standing::EndsSoon => {
                let generation = generation(connection);
                if self.newer(connection, generation).is_none() {
                    self.renewals().ask(&connection.id, generation);
                }
                Ok(connection.clone())
            }
            Standing::Ended => Box::pin(self.renewed(connection)).await,
        }
    }

    /// The same account with a newer token than it has.
    pub async fn renewed(&self, connection: &Arc<Connection>) -> Result<Arc<Connection>, NotRenewed> {
        let generation = generation(connection);
        if let Some(newer) = self.newer(connection, generation) {
            return Ok(newer);
        }
        if !connection.token.is_some_and(|token| token.renewable) {
            return Err(NotRenewed::SignInAgain);
        }
        let renewals = self.renewals();
        let mut changed = renewals.changed.subscribe();
        renewals.ask(&connection.id, generation);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(newer) = self.newer(connection, generation) {
                return Ok(newer);
            }
            if let Some(refusal) = renewals.refusal(&connection.id, generation) {
                return Err(NotRenewed::Refused(refusal));
            }
            match timeout_at(deadline, changed.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(NotRenewed::Late),
            }
        }
    }

    fn newer(&self, connection: &Connection, generation: u64) -> Option<Arc<Connection>> {
        let table = self.load()?;
        let newest = table.connection(&connection.id)?;
        newest.is_newer_than(generation).then(|| newest.clone())
    }
}

// === impl Renewals ===

impl Renewals {
    /// The next question for a control plane. Nothing is lost when this is dropped before it returns.
    pub async fn next(&self) -> RenewToken {
        loop {
            let queued = self.queued.notified();
            let first = self.waiting.lock().pop_front();
            match first {
                Some((connection_id, generation)) if self.is_awaited(&connection_id, generation) => {
                    return RenewToken {
                        connection_id: connection_id.to_string(),
                        generation,
                    };
                }
                Some(_) => {}
                None => queued.await,
            }
        }
    }

    /// What a control plane says. A token that was renewed comes as configuration.
    pub fn heard(&self, renewal: TokenRenewal) {
        if renewal.renewed {
            return;
        }
        if let Some(asked) = self.asked.lock().get_mut(renewal.connection_id.as_str())
            && asked.generation == renewal.generation
        {
            asked.refusal = Some(renewal.error);
        }
        self.changed.send_replace(());
    }

    pub(super) fn table_changed(&self) {
        self.changed.send_replace(());
    }

    /// Once for everybody who asks while an answer may come.
    fn ask(&self, connection: &Arc<str>, generation: u64) {
        let mut asked = self.asked.lock();
        asked.retain(|_, asked| asked.is_recent());
        if asked
            .get(connection)
            .is_some_and(|asked| asked.generation == generation)
        {
            return;
        }
        let question = Asked {
            generation,
            at: Instant::now(),
            refusal: None,
        };
        asked.insert(connection.clone(), question);
        self.waiting.lock().push_back((connection.clone(), generation));
        self.queued.notify_one();
    }

    fn refusal(&self, connection: &str, generation: u64) -> Option<String> {
        let asked = self.asked.lock();
        let asked = asked
            .get(connection)
            .filter(|asked| asked.generation == generation)?;
        asked.refusal.clone()
    }

    fn is_awaited(&self, connection: &str, generation: u64) -> bool {
        let asked = self.asked.lock();
        asked
            .get(connection)
            .is_some_and(|asked| asked.generation == generation && asked.is_recent())
    }
}

// === impl Asked ===

impl Asked {
    fn is_recent(&self) -> bool {
        self.at.elapsed() < PATIENCE
    }
}

fn generation(connection: &Connection) -> u64 {
    connection.token.map_or(0, |token| token.generation)
}

fn standing(connection: &Connection) -> Standing {
    let Some(expires_at_ms) = connection.token.and_then(|token| token.expires_at_ms) else {
        return Standing::Good;
    };
    match expires_at_ms - Utc::now().timestamp_millis() {
        left if left <= ENDED_MS => Standing::Ended,
        left if left <= ENDS_SOON_MS => Standing::EndsSoon,
        _ => Standing::Good,
    }
}

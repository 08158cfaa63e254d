//! A request that a client sends again under the same name is carried out once.
//!
//! Duplicates inside this process wait for the first of them. The first asks the state store whether another data
//! plane has it already, and then either carries it out under a lease, or waits for that one's answer. An answer is
//! remembered for a window after it was complete. An attempt that fails lets exactly one of those that wait try.
//!
//! Without the state store, duplicates on this data plane are still told apart from others; those that reach several
//! data planes are carried out by each.

use super::MAX_REPLAY_BYTES;
use super::flight::{Flights, Follow, Lead, Seat};
use super::vault::Vault;
use moka::sync::Cache;
use proto::v1::StoredAnswer;
use state::{EntryKey, StateStore, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio::time::{MissedTickBehavior, interval_at, sleep};
use uuid::Uuid;

/// After a data plane was killed, another may go on with its requests after this.
const LEASE: Duration = Duration::from_secs(10);
const RENEWAL: Duration = Duration::from_secs(3);
/// How often the answer of another data plane is asked for, first and at last.
const FIRST_POLL: Duration = Duration::from_millis(50);
const LAST_POLL: Duration = Duration::from_millis(500);
/// The store failed so many times in a row: whoever waited for another data plane goes on alone.
const MAX_FAILURES: u32 = 3;
/// What is remembered here, beside what the store remembers.
const MAX_ANSWERED: u64 = 10_000;
const MAX_ANSWERED_BYTES: u64 = 64 << 20;

const PURPOSE: &str = "replay";

pub struct Idempotency {
    store: Arc<dyn StateStore>,
    vault: Vault,
    window: Duration,
    running: Flights<Arc<StoredAnswer>>,
    answered: Cache<EntryKey, Arc<StoredAnswer>>,
}

/// What is to be done about a request.
pub enum Turn {
    /// It is to be carried out.
    Run(Claim),
    /// It was.
    Replay(Arc<StoredAnswer>),
}

/// What the first look at a request tells.
pub enum Begun {
    Turn(Turn),
    /// It is being carried out.
    Wait(Wait),
}

/// For whoever carries the same request out.
pub enum Wait {
    Here {
        idempotency: Arc<Idempotency>,
        key: EntryKey,
        follow: Follow<Arc<StoredAnswer>>,
    },
    Elsewhere(Claim),
}

/// A request that this data plane carries out for all that sent it. Dropped without an answer, another may try.
pub struct Claim {
    idempotency: Arc<Idempotency>,
    key: EntryKey,
    lead: Option<Lead<Arc<StoredAnswer>>>,
    /// Absent when the store knows nothing of it.
    lease: Option<Lease>,
}

/// What the store was told, or is about to be.
struct Lease {
    holder: String,
    /// Once it was granted, or may have been.
    renewing: Option<JoinHandle<()>>,
}

/// What the store says to a claim.
enum Word {
    Granted,
    Answered(Arc<StoredAnswer>),
    /// By another data plane.
    Held,
    /// The claim may still have arrived.
    Nothing,
}

// === impl Idempotency ===

impl Idempotency {
    pub fn new(store: Arc<dyn StateStore>, vault: Vault, window: Duration) -> Arc<Self> {
        let answered = Cache::builder()
            .max_capacity(MAX_ANSWERED_BYTES)
            // an entry weighs enough for either bound to hold
            .weigher(|_, answer: &Arc<StoredAnswer>| {
                let least = MAX_ANSWERED_BYTES / MAX_ANSWERED;
                u32::try_from(least.max(answer.body.len() as u64)).unwrap_or(u32::MAX)
            })
            .time_to_live(window)
            .build();
        Arc::new(Self {
            store,
            vault,
            window,
            running: Flights::default(),
            answered,
        })
    }

    /// Whose turn it is, as far as one question to the store tells.
    pub async fn begin(self: &Arc<Self>, key: EntryKey) -> Begun {
        let seat = self.running.enter(&key);
        if let Some(answer) = self.answered.get(&key) {
            return Begun::Turn(Turn::Replay(answer));
        }
        let lead = match seat {
            Seat::Lead(lead) => lead,
            Seat::Follow(follow) => {
                return Begun::Wait(Wait::Here {
                    idempotency: self.clone(),
                    key,
                    follow,
                });
            }
        };
        let mut claim = Claim::new(self, key, lead);
        match claim.ask().await {
            Word::Held => Begun::Wait(Wait::Elsewhere(claim)),
            Word::Answered(answer) => Begun::Turn(Turn::Replay(claim.learn(answer))),
            // whoever is first does not wait for a store that is slow
            Word::Granted | Word::Nothing => Begun::Turn(Turn::Run(claim.held())),
        }
    }

    pub fn window(&self) -> Duration {
        self.window
    }

    /// Requests that are known now.
    pub fn len(&self) -> usize {
        self.answered.run_pending_tasks();
        self.running.len() + usize::try_from(self.answered.entry_count()).unwrap_or(usize::MAX)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

// === impl Wait ===

impl Wait {
    /// Takes as long as whoever carries the request out.
    pub async fn turn(self) -> Turn {
        let mut wait = self;
        loop {
            let (idempotency, key) = match wait {
                Self::Elsewhere(claim) => return claim.turn().await,
                Self::Here {
                    idempotency,
                    key,
                    follow,
                } => match follow.landing().await {
                    Some(answer) => return Turn::Replay(answer),
                    None => (idempotency, key),
                },
            };
            match idempotency.begin(key).await {
                Begun::Turn(turn) => return turn,
                Begun::Wait(next) => wait = next,
            }
        }
    }
}

// === impl Claim ===

impl Claim {
    /// Made before the store is asked: whoever stops waiting for its word gives up what it may have granted.
    fn new(idempotency: &Arc<Idempotency>, key: EntryKey, lead: Lead<Arc<StoredAnswer>>) -> Self {
        Self {
            idempotency: idempotency.clone(),
            key,
            lead: Some(lead),
            lease: Some(Lease {
                holder: Uuid::now_v7().to_string(),
                renewing: None,
            }),
        }
    }

    async fn ask(&mut self) -> Word {
        let Idempotency { store, vault, .. } = &*self.idempotency;
        let Some(lease) = &self.lease else {
            return Word::Nothing;
        };
        let sealed = match store.claim_request(&self.key, &lease.holder, LEASE).await {
            Ok(state::Claim::Granted) => return Word::Granted,
            Ok(state::Claim::Held { .. }) => return Word::Held,
            Ok(state::Claim::Answered(sealed)) => sealed,
            Err(error) => {
                tracing::debug!(%error, "duplicates on other data planes are not noticed");
                // one that was not asked was not told anything
                if matches!(error, StoreError::Away) {
                    self.lease = None;
                }
                return Word::Nothing;
            }
        };
        match vault.open(PURPOSE, &self.key, &sealed) {
            Some(answer) => Word::Answered(Arc::new(answer)),
            None => {
                tracing::warn!(
                    "a remembered answer does not open: do all data planes have the same CLUSTER_SECRET?"
                );
                self.lease = None;
                Word::Nothing
            }
        }
    }

    /// Asks until the request is ours or answered.
    async fn turn(mut self) -> Turn {
        let (mut pause, mut failures) = (FIRST_POLL, 0);
        loop {
            sleep(pause).await;
            pause = (pause * 3 / 2).min(LAST_POLL);
            match self.ask().await {
                Word::Granted => return Turn::Run(self.held()),
                Word::Answered(answer) => return Turn::Replay(self.learn(answer)),
                Word::Held => failures = 0,
                Word::Nothing => failures += 1,
            }
            if failures == MAX_FAILURES || self.lease.is_none() {
                return Turn::Run(self.held());
            }
        }
    }

    /// Holds on to what was granted, or may have been.
    fn held(mut self) -> Self {
        if let Some(lease) = &mut self.lease {
            let renewing = renew(
                self.idempotency.store.clone(),
                self.key.clone(),
                lease.holder.clone(),
            );
            lease.renewing = Some(tokio::spawn(renewing));
        }
        self
    }

    /// Another data plane's answer goes to all that wait for it here.
    fn learn(mut self, answer: Arc<StoredAnswer>) -> Arc<StoredAnswer> {
        self.lease = None;
        if let Some(lead) = self.lead.take() {
            lead.land(answer.clone());
        }
        answer
    }

    /// Hands the answer to all that wait for it, here and elsewhere. When this returns, whoever sends the request
    /// again gets it, to whichever data plane.
    pub async fn answer(mut self, answer: StoredAnswer) {
        let Idempotency {
            store,
            vault,
            window,
            answered,
            ..
        } = &*self.idempotency;
        let fits = answer.body.len() <= MAX_REPLAY_BYTES;
        let lease = self.lease.take();
        let sealed = lease
            .as_ref()
            .filter(|_| fits)
            .map(|_| vault.seal(PURPOSE, &self.key, &answer));
        let answer = Arc::new(answer);
        if fits {
            answered.insert(self.key.clone(), answer.clone());
        }
        if let Some(lead) = self.lead.take() {
            lead.land(answer);
        }
        let Some(lease) = lease else { return };
        lease.stop();
        let told = match sealed {
            Some(sealed) => {
                store
                    .answer_claim(&self.key, &lease.holder, sealed, *window)
                    .await
            }
            None => store.release_claim(&self.key, &lease.holder).await,
        };
        match told {
            Ok(true) => {}
            Ok(false) => tracing::debug!("a request took longer than its lease, and was not renewed"),
            Err(error) => tracing::debug!(%error, "other data planes do not learn of an answer"),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        lease.stop();
        let (store, key) = (self.idempotency.store.clone(), self.key.clone());
        let release = async move {
            if let Err(error) = store.release_claim(&key, &lease.holder).await {
                tracing::debug!(%error, "a request that failed is free only when its lease ends");
            }
        };
        // none is there when the process ends, and then the lease ends by itself
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(release);
        }
    }
}

// === impl Lease ===

impl Lease {
    fn stop(&self) {
        if let Some(renewing) = &self.renewing {
            renewing.abort();
        }
    }
}

/// Until the claim is no longer the holder's.
async fn renew(store: Arc<dyn StateStore>, key: EntryKey, holder: String) {
    let mut ticks = interval_at(Instant::now() + RENEWAL, RENEWAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match store.renew_claim(&key, &holder, LEASE).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::debug!(%error, "the lease of a request is not renewed"),
        }
    }
}

#[cfg(test)]
mod tests;

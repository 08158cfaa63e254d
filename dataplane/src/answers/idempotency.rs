//! A request that a client sends again under the same name is carried out once.
//!
//! Duplicates inside this process wait for the first of them. The first asks the state store whether another data
//! plane has it already, and then either carries it out under a lease, or waits for that one's answer. An answer is
//! remembered for a window after it was complete. An attempt that fails lets exactly one of those that wait try.
//!
//! Without the state store, duplicates on this data plane are still told apart from others; those that reach several
//! data planes are carried out by each.

use super::MAX_REPLAY_BYTES;
use super::flight::{Flights, Lead, Seat};
use super::vault::Vault;
use moka::sync::Cache;
use proto::v1::StoredAnswer;
use state::{EntryKey, StateStore};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio::time::{MissedTickBehavior, interval_at, sleep};
use uuid::Uuid;

/// After a data plane was killed, another may go on with its requests after this.
const LEASE: Duration = Duration::from_secs(30);
const RENEWAL: Duration = Duration::from_secs(10);
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

/// A request that this data plane carries out for all that sent it. Dropped without an answer, another may try.
pub struct Claim {
    idempotency: Arc<Idempotency>,
    key: EntryKey,
    lead: Option<Lead<Arc<StoredAnswer>>>,
    /// Absent when the store knows nothing of it.
    lease: Option<Lease>,
}

/// What the store was told.
struct Lease {
    holder: String,
    renewing: JoinHandle<()>,
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

    /// Whose turn it is. Takes as long as whoever carries the same request out.
    pub async fn begin(self: &Arc<Self>, key: EntryKey, store_down: bool) -> Turn {
        loop {
            let seat = self.running.enter(&key);
            if let Some(answer) = self.answered.get(&key) {
                return Turn::Replay(answer);
            }
            match seat {
                Seat::Follow(follow) => {
                    if let Some(answer) = follow.landing().await {
                        return Turn::Replay(answer);
                    }
                }
                Seat::Lead(lead) if store_down => return Turn::Run(self.claim(key, lead, None)),
                Seat::Lead(lead) => return self.ask(key, lead).await,
            }
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

    /// Asks the store until the request is ours or answered.
    async fn ask(self: &Arc<Self>, key: EntryKey, lead: Lead<Arc<StoredAnswer>>) -> Turn {
        let holder = Uuid::now_v7().to_string();
        let (mut pause, mut failures) = (FIRST_POLL, 0);
        loop {
            match self.store.claim_request(&key, &holder, LEASE).await {
                Ok(state::Claim::Granted) => return Turn::Run(self.claim(key, lead, Some(holder))),
                Ok(state::Claim::Answered(sealed)) => {
                    let Some(answer) = self.vault.open(PURPOSE, &key, &sealed) else {
                        tracing::warn!(
                            "a remembered answer does not open: do all data planes have the same CLUSTER_SECRET?"
                        );
                        return Turn::Run(self.claim(key, lead, None));
                    };
                    let answer = Arc::new(answer);
                    lead.land(answer.clone());
                    return Turn::Replay(answer);
                }
                Ok(state::Claim::Held { .. }) => failures = 0,
                Err(error) => {
                    failures += 1;
                    // the one that is first does not wait for a store that is slow; the claim may still have arrived
                    if pause == FIRST_POLL || failures == MAX_FAILURES {
                        tracing::debug!(%error, "duplicates on other data planes are not noticed");
                        return Turn::Run(self.claim(key, lead, Some(holder)));
                    }
                }
            }
            sleep(pause).await;
            pause = (pause * 3 / 2).min(LAST_POLL);
        }
    }

    fn claim(
        self: &Arc<Self>,
        key: EntryKey,
        lead: Lead<Arc<StoredAnswer>>,
        holder: Option<String>,
    ) -> Claim {
        let lease = holder.map(|holder| {
            let renewing = tokio::spawn(renew(self.store.clone(), key.clone(), holder.clone()));
            Lease { holder, renewing }
        });
        Claim {
            idempotency: self.clone(),
            key,
            lead: Some(lead),
            lease,
        }
    }
}

// === impl Claim ===

impl Claim {
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
        lease.renewing.abort();
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
        lease.renewing.abort();
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

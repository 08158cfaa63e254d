//! Lets requests of limited API keys in, and settles each of them once.
//!
//! The state store decides, for all data planes together. While it does not answer, each data plane goes by itself:
//! it admits its share of every limit, a quarter more than exact, and of a budget a fiftieth of what was left of it.
//! Whether the store is asked at all is up to its guard, which lets nobody wait for a store that is away.
//!
//! Invariant: whatever was admitted, or may have been, is settled by the drop of its [`Pass`].

mod denials;
mod outbox;
mod share;

use self::denials::Denials;
use self::outbox::Outbox;
use self::share::Share;
use parking_lot::Mutex;
use state::{Admission, Rate, Refund, Renewal, Ruling, Settlement, StateStore, StoreError, Verdict};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::join;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How long a request counts as running without a word from its data plane.
pub const LEASE: Duration = Duration::from_secs(90);
const RENEW: Duration = Duration::from_secs(30);
/// A connection that broke says so at once, and then there is time to ask again on another one.
const AT_ONCE: Duration = Duration::from_millis(5);

pub struct Admissions {
    store: Arc<dyn StateStore>,
    share: Share,
    denials: Denials,
    outbox: Outbox,
    /// The key of every request that is admitted here.
    running: Mutex<HashMap<Arc<str>, Arc<str>>>,
}

/// What was decided about a request, and by whom.
pub struct Decided {
    pub ruling: Ruling,
    /// Without the state store, as far as this data plane's share goes.
    pub by_share: bool,
}

/// A request that may have been admitted. Settled when it is dropped.
pub struct Pass {
    admissions: Arc<Admissions>,
    key: Arc<str>,
    request: Arc<str>,
    /// What was taken of the rates that count tokens.
    tokens: Vec<Rate>,
    used_tokens: u64,
    cost_nano: u64,
    denied: bool,
}

// === impl Admissions ===

impl Admissions {
    pub fn new(store: Arc<dyn StateStore>) -> Self {
        Self {
            store,
            share: Share::default(),
            denials: Denials::default(),
            outbox: Outbox::default(),
            running: Mutex::default(),
        }
    }

    /// Asks for a request that `pass` was made for. Never fails, and never waits longer than the store's deadline.
    pub async fn admit(&self, asked: &Admission, data_planes: u32) -> Decided {
        if let Some(ruling) = self.denials.recall(asked, Instant::now()) {
            return Decided {
                ruling,
                by_share: false,
            };
        }
        match self.ask(asked).await {
            Ok(ruling) => {
                self.denials.note(asked, &ruling, Instant::now());
                self.share.note(asked, &ruling);
                Decided {
                    ruling,
                    by_share: false,
                }
            }
            Err(error) => {
                tracing::debug!(%error, "a request is admitted by this data plane alone");
                Decided {
                    ruling: self.share.admit(asked, data_planes),
                    by_share: true,
                }
            }
        }
    }

    /// Settles what ended in an earlier life of this process.
    pub fn settle_late(&self, settlements: impl IntoIterator<Item = Settlement>) {
        settlements
            .into_iter()
            .for_each(|settlement| self.outbox.push(settlement));
    }

    /// The client of a request has left, and the provider is not done: its place among those of its key is free from
    /// here on, and what it reserved stays reserved. A request without limits is not known here.
    pub async fn leave(&self, request: &str) {
        let Some((request, key)) = self.running.lock().remove_entry(request) else {
            return;
        };
        let left = [Renewal { key, request }];
        self.share.end_leases(&left);
        if let Err(error) = self.store.end_leases(&left).await {
            tracing::debug!(%error, "the place of a client that left is free only when its lease ends");
        }
    }

    /// Settles and renews. Cancel `stop` when no request can end any more.
    pub async fn run(&self, stop: CancellationToken) {
        join!(self.outbox.settle(&*self.store, &stop), self.renew(&stop));
    }

    /// Under the same name it does not matter whether the first question was heard.
    async fn ask(&self, asked: &Admission) -> Result<Ruling, StoreError> {
        let since = Instant::now();
        match self.store.admit(asked).await {
            Err(StoreError::Failed(_)) if since.elapsed() < AT_ONCE => self.store.admit(asked).await,
            answer => answer,
        }
    }

    async fn renew(&self, stop: &CancellationToken) {
        let mut ticks = interval(RENEW);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            let renewal = |(request, key): (&Arc<str>, &Arc<str>)| Renewal {
                key: key.clone(),
                request: request.clone(),
            };
            let renewals: Vec<_> = self.running.lock().iter().map(renewal).collect();
            if let Err(error) = self.store.renew(&renewals, LEASE).await {
                tracing::debug!(%error, "running requests are not renewed: their leases may end before them");
            }
            self.share.renew(&renewals, LEASE);
        }
    }
}

// === impl Pass ===

impl Pass {
    /// To be made before the question is asked: whoever stops waiting for the answer must settle too.
    pub fn new(
        admissions: &Arc<Admissions>,
        asked: &Admission,
        counts_tokens: impl Fn(&Rate) -> bool,
    ) -> Self {
        let (key, request) = (asked.key.clone(), asked.request.clone());
        admissions.running.lock().insert(request.clone(), key.clone());
        Self {
            admissions: admissions.clone(),
            key,
            request,
            tokens: asked
                .rates
                .iter()
                .filter(|rate| counts_tokens(rate))
                .cloned()
                .collect(),
            used_tokens: 0,
            cost_nano: 0,
            denied: false,
        }
    }

    pub fn decided(&mut self, verdict: Verdict) {
        self.denied = matches!(verdict, Verdict::Denied { .. });
    }

    /// What the request has come to. The last call counts.
    pub fn used(&mut self, tokens: u64, cost_nano: u64) {
        (self.used_tokens, self.cost_nano) = (tokens, cost_nano);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.admissions.running.lock().remove(&self.request);
        if self.denied {
            return;
        }
        let used = i64::try_from(self.used_tokens).unwrap_or(i64::MAX);
        let refund = |rate: Rate| Refund {
            units: i64::try_from(rate.units).unwrap_or(i64::MAX).saturating_sub(used),
            rate: rate.name,
            limit: rate.limit,
            window: rate.window,
        };
        let settlement = Settlement {
            key: self.key.clone(),
            request: self.request.clone(),
            cost_nano: self.cost_nano,
            refunds: std::mem::take(&mut self.tokens).into_iter().map(refund).collect(),
        };
        self.admissions.share.settle(&settlement);
        self.admissions.outbox.push(settlement);
    }
}

//! Whether a provider as a whole is worth asking.
//!
//! ```text
//! closed ──failures in a row──▶ open ──reset time──▶ half-open ──the probe answers──▶ closed
//!                                 ▲                      │
//!                                 └──────any failure─────┘
//! ```
//!
//! Half-open lets one request of the whole fleet through. Its claim ends with its guard, and with a lease should
//! the process die, so a probe that never comes back holds up nobody.

use super::outbox::{Note, Outbox, Released};
use crate::routing::resilience::Profile;
use parking_lot::Mutex;
use state::{StateStore, Subject};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// After which a probe that nobody has heard of no longer counts.
pub const PROBE_LEASE: Duration = Duration::from_secs(60);

/// How long another data plane's claim is believed without asking again.
const ELSEWHERE: Duration = Duration::from_secs(1);

pub struct Breaker {
    provider: Arc<str>,
    /// Whether `state` is anything but closed without failures, readable without the lock.
    troubled: AtomicBool,
    state: Mutex<State>,
    outbox: Arc<Outbox>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Closed,
    Open {
        until: Instant,
    },
    /// The reset time is over and nobody has proved yet that the provider is back.
    HalfOpen,
}

/// The right to ask a provider whose breaker is half-open. Dropped without a verdict, the next one may try.
pub struct Probe {
    breaker: Arc<Breaker>,
    /// Absent when it was lost to another data plane.
    holder: Option<String>,
}

enum State {
    Closed {
        failures: u32,
        /// Absent when it was never open.
        since: Option<Instant>,
    },
    Open {
        until: Instant,
        failures: u32,
        claim: Option<Claim>,
    },
}

struct Claim {
    until: Instant,
    /// Absent when another data plane probes.
    holder: Option<String>,
}

// === impl Breaker ===

impl Breaker {
    pub(super) fn new(provider: &str, outbox: Arc<Outbox>) -> Self {
        Self {
            provider: provider.into(),
            troubled: AtomicBool::new(false),
            state: Mutex::new(State::Closed {
                failures: 0,
                since: None,
            }),
            outbox,
        }
    }

    pub fn standing(&self) -> Standing {
        if !self.troubled.load(Ordering::Acquire) {
            return Standing::Closed;
        }
        match &*self.state.lock() {
            State::Closed { .. } => Standing::Closed,
            State::Open { until, .. } if *until > Instant::now() => Standing::Open { until: *until },
            State::Open { .. } => Standing::HalfOpen,
        }
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        match &*self.state.lock() {
            State::Closed { failures, .. } | State::Open { failures, .. } => *failures,
        }
    }

    /// A call that began at `started` failed by the provider's fault: a network error, a timeout, a 5xx. One that
    /// began before the breaker opened or closed last is old news: hundreds may hang when a provider goes down, and
    /// they end when it may long be back.
    pub fn failed(&self, profile: &Profile, started: Instant) {
        let mut state = self.state.lock();
        let failures = match &mut *state {
            State::Closed { since, .. } if since.is_some_and(|since| started < since) => return,
            State::Closed { failures, .. } => {
                *failures = failures.saturating_add(1);
                self.troubled.store(true, Ordering::Release);
                if *failures < profile.breaker_threshold {
                    return;
                }
                *failures
            }
            State::Open { until, .. } if started < *until => return,
            State::Open { failures, .. } => failures.saturating_add(1),
        };
        let until = Instant::now() + profile.breaker_reset;
        *state = State::Open {
            until,
            failures,
            claim: None,
        };
        self.outbox.note(self.subject(), Note::Open { until, failures });
    }

    /// A call that began at `started` was answered, to the end.
    pub fn succeeded(&self, started: Instant) {
        if !self.troubled.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.state.lock();
        match &*state {
            State::Closed { since, .. } => {
                let since = *since;
                self.close(&mut state, since);
            }
            State::Open { until, .. } if started < *until => {}
            State::Open { .. } => {
                self.close(&mut state, Some(Instant::now()));
                self.outbox.note(self.subject(), Note::Fine);
            }
        }
    }

    /// The right to probe, if the breaker is half-open and nobody in the fleet has it. Without the state store,
    /// one per data plane.
    pub async fn claim_probe(self: &Arc<Self>, store: &dyn StateStore) -> Option<Probe> {
        let probe = self.claim_here()?;
        let holder = probe.holder.as_deref()?;
        match store.claim_probe(&self.provider, holder, PROBE_LEASE).await {
            Ok(true) | Err(_) => Some(probe),
            Ok(false) => {
                probe.lose();
                None
            }
        }
    }

    /// An operator's command: as if nothing had happened, here and on the other data planes.
    pub fn reset(&self) {
        let mut state = self.state.lock();
        let was_open = matches!(*state, State::Open { .. });
        self.close(&mut state, Some(Instant::now()));
        if was_open {
            self.outbox.note(self.subject(), Note::Fine);
        }
    }

    /// What another data plane found.
    pub(super) fn hear(&self, note: Note) {
        let mut state = self.state.lock();
        match (note, &mut *state) {
            (Note::Open { until, failures }, State::Closed { .. }) => {
                *state = State::Open {
                    until,
                    failures,
                    claim: None,
                };
                self.troubled.store(true, Ordering::Release);
            }
            (
                Note::Open { until, failures },
                State::Open {
                    until: mine,
                    failures: counted,
                    ..
                },
            ) => {
                // one that is over says nothing about a later one, or about who probes
                if until > Instant::now() {
                    *mine = until.max(*mine);
                    *counted = failures.max(*counted);
                }
            }
            (Note::Fine | Note::Resting { .. }, _) => self.close(&mut state, Some(Instant::now())),
        }
    }

    /// Keeps it open if the fleet has it so, or does not know yet.
    pub(super) fn keep(&self, stays: impl Fn(&Subject) -> bool) {
        let mut state = self.state.lock();
        if matches!(*state, State::Open { .. }) && !stays(&self.subject()) {
            self.close(&mut state, Some(Instant::now()));
        }
    }

    /// Tells the fleet again that it is open.
    pub(super) fn repeat(&self) {
        if let State::Open { until, failures, .. } = *self.state.lock() {
            self.outbox.note(self.subject(), Note::Open { until, failures });
        }
    }

    fn claim_here(self: &Arc<Self>) -> Option<Probe> {
        let now = Instant::now();
        let mut state = self.state.lock();
        let State::Open { until, claim, .. } = &mut *state else {
            return None;
        };
        if *until > now || claim.as_ref().is_some_and(|claim| claim.until > now) {
            return None;
        }
        let holder = Uuid::now_v7().to_string();
        *claim = Some(Claim {
            until: now + PROBE_LEASE,
            holder: Some(holder.clone()),
        });
        Some(Probe {
            breaker: self.clone(),
            holder: Some(holder),
        })
    }

    fn subject(&self) -> Subject {
        Subject::Provider {
            provider: self.provider.to_string(),
        }
    }

    fn close(&self, state: &mut State, since: Option<Instant>) {
        *state = State::Closed { failures: 0, since };
        self.troubled.store(false, Ordering::Release);
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("provider", &self.provider)
            .field("standing", &self.standing())
            .finish_non_exhaustive()
    }
}

// === impl Probe ===

impl Probe {
    /// Another data plane has the right.
    fn lose(mut self) {
        self.holder = None;
        if let State::Open { claim, .. } = &mut *self.breaker.state.lock() {
            *claim = Some(Claim {
                until: Instant::now() + ELSEWHERE,
                holder: None,
            });
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let Some(holder) = self.holder.take() else {
            return;
        };
        if let State::Open { claim, .. } = &mut *self.breaker.state.lock()
            && claim
                .as_ref()
                .is_some_and(|claim| claim.holder.as_ref() == Some(&holder))
        {
            *claim = None;
        }
        let provider = self.breaker.provider.to_string();
        self.breaker.outbox.release(Released { provider, holder });
    }
}

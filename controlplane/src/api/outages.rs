//! What is kept out of routing now, as data planes told each other through the state store.
//!
//! Ending an outage is a note in the same place: every data plane hears of it within moments.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde::Serialize;
use sqlx::PgPool;
use state::{Standing, StateStore, StoreError, Subject, Transition};
use utoipa::ToSchema;

use crate::http::Stamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Scope {
    Model,
    Connection,
    ProviderBreaker,
}

/// One thing that is not fine.
#[derive(Clone, Debug)]
pub(super) struct Outage {
    subject: Subject,
    pub reason: String,
    /// None of a breaker that waits for a probe.
    pub left: Duration,
    pub since_ms: i64,
    /// How many rests in a row this is, or how many failures opened the breaker.
    pub count: u32,
}

/// Everything that is not fine.
#[derive(Debug, Default)]
pub(super) struct Outages(Vec<Outage>);

/// A model that rests on one connection.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LockoutView {
    provider: String,
    connection_id: String,
    model: String,
    reason: String,
    remaining_ms: u64,
}

/// The circuit breaker of one provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BreakerView {
    /// The provider's id.
    pub name: String,
    #[serde(flatten)]
    pub standing: BreakerStanding,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BreakerStanding {
    pub state: BreakerState,
    /// Consecutive failures that opened it.
    pub failure_count: u32,
    /// Unix milliseconds.
    pub last_failure_time: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum BreakerState {
    Closed,
    Open,
    /// One request at a time finds out whether the provider is back.
    HalfOpen,
}

// === impl Outages ===

impl Outages {
    pub(super) async fn read(store: &dyn StateStore) -> Result<Self, StoreError> {
        let transitions = store.health_since(0).await?.transitions;
        Ok(Self(transitions.into_iter().filter_map(Outage::of).collect()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Outage> {
        self.0.iter()
    }

    /// The cooldown of a connection as a whole.
    pub(super) fn of_connection(&self, id: &str) -> Option<&Outage> {
        self.iter().find(
            |outage| matches!(&outage.subject, Subject::Connection { connection, .. } if connection == id),
        )
    }

    pub(super) fn lockouts(&self) -> Vec<LockoutView> {
        let view = |outage: &Outage| match &outage.subject {
            Subject::Model {
                provider,
                connection,
                model,
            } => Some(LockoutView {
                provider: provider.clone(),
                connection_id: connection.clone(),
                model: model.clone(),
                reason: outage.reason.clone(),
                remaining_ms: outage.remaining_ms(),
            }),
            Subject::Connection { .. } | Subject::Provider { .. } => None,
        };
        self.iter().filter_map(view).collect()
    }

    /// Those of `providers`, and whichever are open besides.
    pub(super) fn breakers(&self, mut providers: Vec<String>) -> Vec<BreakerView> {
        let broken = self
            .iter()
            .filter(|outage| outage.scope() == Scope::ProviderBreaker);
        providers.extend(broken.map(|outage| outage.provider().to_owned()));
        providers.sort_unstable();
        providers.dedup();
        let view = |name: String| BreakerView {
            standing: self.breaker(&name),
            name,
        };
        providers.into_iter().map(view).collect()
    }

    fn breaker(&self, provider: &str) -> BreakerStanding {
        let broken = self
            .iter()
            .find(|outage| outage.scope() == Scope::ProviderBreaker && outage.provider() == provider);
        match broken {
            None => BreakerStanding {
                state: BreakerState::Closed,
                failure_count: 0,
                last_failure_time: None,
            },
            Some(outage) => BreakerStanding {
                state: if outage.left.is_zero() {
                    BreakerState::HalfOpen
                } else {
                    BreakerState::Open
                },
                failure_count: outage.count,
                last_failure_time: Some(outage.since_ms),
            },
        }
    }

    /// Only those that `chosen` says.
    pub(super) fn retain(&mut self, chosen: impl FnMut(&Outage) -> bool) {
        self.0.retain(chosen);
    }

    pub(super) fn count(&self, scope: Scope) -> usize {
        self.iter().filter(|outage| outage.scope() == scope).count()
    }

    /// Declares everything in here fine.
    pub(super) async fn end(self, store: &dyn StateStore) -> Result<(), StoreError> {
        let fine = |outage: Outage| Transition::new(outage.subject, Standing::Fine);
        let transitions: Vec<Transition> = self.0.into_iter().map(fine).collect();
        if transitions.is_empty() {
            return Ok(());
        }
        store.note_health(&transitions).await
    }
}

// === impl Outage ===

impl Outage {
    fn of(transition: Transition) -> Option<Self> {
        let (reason, left, count) = match transition.standing {
            Standing::Fine => return None,
            Standing::Resting { left, .. } if left.is_zero() => return None,
            Standing::Resting {
                left, level, reason, ..
            } => (reason, left, level),
            Standing::Open { left, failures } => {
                let reason = format!("the provider failed {failures} times in a row");
                (reason, left, failures)
            }
        };
        Some(Self {
            subject: transition.subject,
            reason,
            left,
            since_ms: transition.since_ms,
            count,
        })
    }

    pub(super) fn scope(&self) -> Scope {
        match self.subject {
            Subject::Model { .. } => Scope::Model,
            Subject::Connection { .. } => Scope::Connection,
            Subject::Provider { .. } => Scope::ProviderBreaker,
        }
    }

    pub(super) fn provider(&self) -> &str {
        match &self.subject {
            Subject::Model { provider, .. }
            | Subject::Connection { provider, .. }
            | Subject::Provider { provider } => provider,
        }
    }

    pub(super) fn connection(&self) -> Option<&str> {
        match &self.subject {
            Subject::Model { connection, .. } | Subject::Connection { connection, .. } => Some(connection),
            Subject::Provider { .. } => None,
        }
    }

    pub(super) fn model(&self) -> Option<&str> {
        match &self.subject {
            Subject::Model { model, .. } => Some(model),
            Subject::Connection { .. } | Subject::Provider { .. } => None,
        }
    }

    pub(super) fn remaining_ms(&self) -> u64 {
        u64::try_from(self.left.as_millis()).unwrap_or(u64::MAX)
    }

    /// When it ends by itself, by this process's clock.
    pub(super) fn until(&self) -> Option<Stamp> {
        let left = TimeDelta::from_std(self.left).ok()?;
        Utc::now().checked_add_signed(left).map(Stamp)
    }
}

/// Providers that some enabled connection belongs to.
pub(super) async fn providers_in_use(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!("select distinct provider from provider_connection where is_active order by provider")
        .fetch_all(pool)
        .await
}

//! Whether a request fits into the limits of its API key: asked once, as soon as it is known where it may go, and
//! whatever it will be answered with. One that costs nothing, because it was answered before, counts among the
//! requests all the same; what it reserved beside that is given back. About a key without limits nobody is asked.

mod allowance;
mod denied;
mod estimate;

pub use self::allowance::Allowance;
pub use self::denied::Denied;

use self::estimate::Estimate;
use super::Gateway;
use super::plan::Plan;
use super::record::Record;
use crate::admission::{Decided, LEASE};
use crate::error::GatewayError;
use crate::routing::{ApiKey, Counted, Limits, Table};
use chrono::{DateTime, Utc};
use llm::Ask;
use state::{Admission, Budget, Rate, Verdict};

/// Lets the request in, or says why not. What it may cost stays reserved until the record ends.
pub async fn admitted(
    gateway: &Gateway,
    table: &Table,
    plan: &Plan,
    ask: &Ask,
    record: &mut Record,
) -> Result<(), GatewayError> {
    let Some((key, limits)) = plan.key().and_then(|key| Some((key, key.limits.as_ref()?))) else {
        return Ok(());
    };
    let estimate = Estimate::of(plan, ask, limits, record.started_at_ms());
    let asked = admission(key, limits, table, &estimate, record);
    let counts_tokens = |rate: &Rate| limits.counted(&rate.name) == Some(Counted::Tokens);
    record.reserves(&asked, counts_tokens);
    gateway.spool.written().await;
    let data_planes = gateway.routing.health().data_planes();
    let Decided { ruling, by_share } = Box::pin(gateway.admissions.admit(&asked, data_planes)).await;
    let verdict = ruling.verdict;
    let denied = match verdict {
        Verdict::Admitted | Verdict::Repeated => None,
        Verdict::Denied { by, retry_after } => {
            Some(Denied::of(limits, &asked, &ruling, by, retry_after, by_share))
        }
    };
    record.admitted(verdict, Allowance::of(limits, &ruling));
    denied.map_or(Ok(()), |denied| Err(denied.into()))
}

fn admission(
    key: &ApiKey,
    limits: &Limits,
    table: &Table,
    estimate: &Estimate,
    record: &Record,
) -> Admission {
    let rate = |rate: &crate::routing::KeyRate| Rate {
        name: rate.name.clone(),
        limit: rate.limit,
        window: rate.window,
        units: match rate.counted {
            Counted::Requests => 1,
            Counted::Tokens => estimate.tokens,
        },
    };
    // the ledger sums up by when requests began
    let began = DateTime::from_timestamp_millis(record.started_at_ms()).unwrap_or_else(Utc::now);
    let budget = |budget: &crate::routing::KeyBudget| {
        let period = budget.calendar.period(began, table.budget_zone());
        Budget {
            period: period.name.into(),
            limit_nano: budget.limit_nano,
            ends_at_ms: period.ends_at.timestamp_millis(),
        }
    };
    Admission {
        key: key.id.clone(),
        request: record.request_id().into(),
        lease: LEASE,
        concurrency: limits.concurrency,
        rates: limits.rates.iter().map(rate).collect(),
        budgets: limits.budgets.iter().map(budget).collect(),
        cost_nano: estimate.cost_nano,
    }
}

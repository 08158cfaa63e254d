//! Admission in Redis: five keys for each API key, all of them in one slot, and one script for each step.

use super::{RedisStore, milliseconds, within};
use crate::StoreError;
use crate::admission::{
    Admission, BudgetStanding, Limit, RateStanding, Renewal, Ruling, Settled, Settlement, Spending, Verdict,
};
use futures::future::try_join_all;
use redis::{Script, ScriptInvocation};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

static ADMIT: LazyLock<Script> = LazyLock::new(|| script(include_str!("admit.lua")));
static SETTLE: LazyLock<Script> = LazyLock::new(|| script(include_str!("settle.lua")));
static RAISE: LazyLock<Script> = LazyLock::new(|| script(include_str!("raise_spending.lua")));
static SPENDING: LazyLock<Script> = LazyLock::new(|| script(include_str!("spending.lua")));
static RENEW: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("renew.lua")));
static END_LEASES: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("end_leases.lua")));

/// Before what is said of each rate and each budget.
const HEAD: usize = 4;

/// What a request waits for, and no longer than this store's deadline.
pub(super) async fn admit(store: &RedisStore, asked: &Admission) -> Result<Ruling, StoreError> {
    let mut call = prepare(&ADMIT, store, &asked.key);
    call.arg(&*asked.request)
        .arg(milliseconds(asked.lease))
        .arg(asked.concurrency.unwrap_or(0))
        .arg(asked.cost_nano)
        .arg(asked.budgets.len())
        .arg(asked.rates.len());
    for budget in &asked.budgets {
        call.arg(&*budget.period)
            .arg(budget.limit_nano)
            .arg(budget.ends_at_ms);
    }
    for rate in &asked.rates {
        call.arg(&*rate.name)
            .arg(rate.us_per_unit())
            .arg(rate.limit)
            .arg(rate.units);
    }
    let mut connection = store.connection.clone();
    let answer: Vec<i64> = within(store.deadline, call.invoke_async(&mut connection)).await?;
    ruling(asked, &answer).ok_or_else(|| StoreError::Failed("an admission was answered in part".to_owned()))
}

/// One script for each key, all at the same time: keys may live on different servers.
pub(super) async fn settle(
    store: &RedisStore,
    settlements: &[Settlement],
) -> Result<Vec<Settled>, StoreError> {
    let calls = by_key(settlements, |settlement| &settlement.key)
        .into_iter()
        .map(|(key, positions)| {
            let mut call = prepare(&SETTLE, store, key);
            for position in &positions {
                let settlement = &settlements[*position];
                call.arg(&*settlement.request)
                    .arg(settlement.cost_nano)
                    .arg(settlement.refunds.len());
                for refund in &settlement.refunds {
                    call.arg(&*refund.rate)
                        .arg(refund.us_per_unit())
                        .arg(refund.units);
                }
            }
            async move {
                let answers: Vec<u8> = store.invoke(call).await?;
                Ok::<_, StoreError>(positions.into_iter().zip(answers).collect::<Vec<_>>())
            }
        });
    let mut settled = vec![Settled::Unknown; settlements.len()];
    for (position, answer) in try_join_all(calls).await?.into_iter().flatten() {
        settled[position] = match answer {
            1 => Settled::Running,
            2 => Settled::Lapsed,
            _ => Settled::Unknown,
        };
    }
    Ok(settled)
}

pub(super) async fn renew(
    store: &RedisStore,
    renewals: &[Renewal],
    lease: Duration,
) -> Result<(), StoreError> {
    let calls = by_key(renewals, |renewal| &renewal.key)
        .into_iter()
        .map(|(key, positions)| {
            let mut call = RENEW.key(leases(store, key));
            call.arg(milliseconds(lease));
            for position in positions {
                call.arg(&*renewals[position].request);
            }
            store.invoke::<()>(call)
        });
    try_join_all(calls).await?;
    Ok(())
}

pub(super) async fn end_leases(store: &RedisStore, requests: &[Renewal]) -> Result<(), StoreError> {
    let calls = by_key(requests, |request| &request.key)
        .into_iter()
        .map(|(key, positions)| {
            let mut call = END_LEASES.key(leases(store, key));
            for position in positions {
                call.arg(&*requests[position].request);
            }
            store.invoke::<()>(call)
        });
    try_join_all(calls).await?;
    Ok(())
}

pub(super) async fn raise_spending(store: &RedisStore, known: &[Spending]) -> Result<(), StoreError> {
    let calls = by_key(known, |spending| &spending.key)
        .into_iter()
        .map(|(key, positions)| {
            let mut call = prepare(&RAISE, store, key);
            for spending in positions.into_iter().map(|position| &known[position]) {
                call.arg(&*spending.period)
                    .arg(spending.ends_at_ms)
                    .arg(spending.spent_nano);
            }
            store.invoke::<()>(call)
        });
    try_join_all(calls).await?;
    Ok(())
}

pub(super) async fn spending(
    store: &RedisStore,
    key: &str,
    periods: &[&str],
) -> Result<Vec<BudgetStanding>, StoreError> {
    let mut call = prepare(&SPENDING, store, key);
    for period in periods {
        call.arg(*period);
    }
    let answer: Vec<i64> = store.invoke(call).await?;
    Ok(answer.chunks_exact(2).map(budget_standing).collect())
}

pub(super) async fn forget_key(store: &RedisStore, key: &str) -> Result<(), StoreError> {
    let mut connection = store.background.clone();
    let mut command = redis::cmd("DEL");
    command.arg(&keys(store, key)[..]);
    within(store.unhurried(), command.query_async(&mut connection)).await
}

fn script(text: &str) -> Script {
    Script::new(&[include_str!("admission.lua"), text].concat())
}

fn prepare<'a>(script: &'a Script, store: &RedisStore, key: &str) -> ScriptInvocation<'a> {
    let mut call = script.prepare_invoke();
    for name in keys(store, key) {
        call.key(name);
    }
    call
}

fn keys(store: &RedisStore, key: &str) -> [String; 5] {
    ["leases", "reserved", "lapsed", "rates", "budgets"].map(|name| store.key(&format!("{{k:{key}}}:{name}")))
}

fn leases(store: &RedisStore, key: &str) -> String {
    let [leases, ..] = keys(store, key);
    leases
}

/// Positions by API key.
fn by_key<T>(items: &[T], key: impl Fn(&T) -> &Arc<str>) -> BTreeMap<&str, Vec<usize>> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (position, item) in items.iter().enumerate() {
        groups.entry(key(item)).or_default().push(position);
    }
    groups
}

fn ruling(asked: &Admission, answer: &[i64]) -> Option<Ruling> {
    let [verdict, by, retry_ms, running] = *answer.first_chunk::<HEAD>()?;
    let (rates, budgets) = answer[HEAD..].split_at_checked(2 * asked.rates.len())?;
    if budgets.len() != 2 * asked.budgets.len() {
        return None;
    }
    let verdict = match verdict {
        1 => Verdict::Admitted,
        2 => Verdict::Repeated,
        _ => Verdict::Denied {
            by: Limit::numbered(usize::try_from(by).ok()?, asked.budgets.len()),
            retry_after: u64::try_from(retry_ms).ok().map(Duration::from_millis),
        },
    };
    Some(Ruling {
        verdict,
        running: u32::try_from(running).ok()?,
        rates: rates
            .chunks_exact(2)
            .map(|pair| RateStanding {
                remaining: unsigned(pair[0]),
                reset: Duration::from_millis(unsigned(pair[1])),
            })
            .collect(),
        budgets: budgets.chunks_exact(2).map(budget_standing).collect(),
    })
}

fn budget_standing(pair: &[i64]) -> BudgetStanding {
    BudgetStanding {
        spent_nano: unsigned(pair[0]),
        reserved_nano: unsigned(pair[1]),
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

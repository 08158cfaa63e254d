//! A decision for people: the strategies, everything that could have answered, and in which order it was tried.
//!
//! Numbers that a browser cannot hold are texts.

use std::collections::HashMap;

use chrono::DateTime;
use decision::{Account, Decision, Entry, Group, LeadsTo, Target, UNKNOWN_PRICE, Verdict};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::Stamp;

const NANO_USD_PER_USD: f64 = 1e9;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DecisionView {
    /// Among the accounts of one model at one provider.
    account_strategy: String,
    /// Of everything random.
    seed: Option<String>,
    sticky_limit: Option<u32>,
    /// Hash of tenant and session; absent without affinity.
    session: Option<String>,
    /// What the model name stands for.
    root: Option<GroupView>,
    /// Every account that was considered, target by target.
    candidates: Vec<CandidateView>,
    /// Numbers of candidates in the order in which they are tried.
    order: Vec<u32>,
    /// The record was too long: it has the candidates that come first, and not these many others.
    omitted_candidates: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct GroupView {
    /// Of the combo; absent for a plain model.
    name: Option<String>,
    strategy: String,
    /// How many requests came before.
    turn: Option<String>,
    entries: Vec<EntryView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DecisionEntry)]
struct EntryView {
    weight: Option<f64>,
    uses: Option<u64>,
    /// USD per million input tokens; absent when it is not known or does not matter.
    price: Option<f64>,
    /// `provider/model`.
    target: Option<String>,
    /// A combo in the combo.
    #[schema(no_recursion)]
    group: Option<GroupView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CandidateView {
    number: u32,
    provider: String,
    model: String,
    connection_id: String,
    connection_name: Option<String>,
    /// `eligible`, `probe`, or what kept it out: `resting`, `rate-limited`, `breaker-open`, `not-permitted`,
    /// `refused-by-policy`.
    verdict: &'static str,
    /// By a policy: 1 comes first; 0 = after all that are preferred.
    preference: u32,
    /// When it may be used again.
    until: Option<Stamp>,
    in_flight: Option<u32>,
    last_used: Option<Stamp>,
    /// Of its recent requests, the share that failed: 0 to 1.
    failure_rate: Option<f64>,
    /// Its place in the order, from 0.
    rank: Option<usize>,
}

/// Whether deciding again from the record gives the same.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReplayView {
    same: bool,
    reason: Option<String>,
}

// === impl DecisionView ===

impl DecisionView {
    /// `names` are those of connections, by id.
    pub(super) fn of(decision: &Decision, names: &HashMap<String, String>) -> Self {
        let accounts = decision
            .targets
            .iter()
            .flat_map(|target| target.accounts.iter().map(move |account| (target, account)));
        let candidates = (0..)
            .zip(accounts)
            .map(|(number, (target, account))| CandidateView {
                number,
                provider: target.provider.clone(),
                model: target.model.clone(),
                connection_id: account.connection_id.clone(),
                connection_name: names.get(&account.connection_id).cloned(),
                verdict: verdict(target, account),
                preference: target.preference,
                until: stamp(Some(account.until_ms)),
                in_flight: account.in_flight,
                last_used: stamp(account.last_used_ms),
                failure_rate: account
                    .failures
                    .map(|thousandths| f64::from(thousandths) / 1_000.0),
                rank: decision.order.iter().position(|tried| *tried == number),
            });
        Self {
            account_strategy: decision.account_strategy.clone(),
            seed: decision.seed.map(|seed| seed.to_string()),
            sticky_limit: decision.sticky_limit,
            session: some_text(
                decision
                    .session
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect(),
            ),
            root: decision
                .root
                .as_ref()
                .map(|root| GroupView::of(root, &decision.targets)),
            candidates: candidates.collect(),
            order: decision.order.clone(),
            omitted_candidates: decision.omitted_accounts,
        }
    }
}

// === impl GroupView ===

impl GroupView {
    fn of(group: &Group, targets: &[Target]) -> Self {
        Self {
            name: some_text(group.name.clone()),
            strategy: group.strategy.clone(),
            turn: group.turn.map(|turn| turn.to_string()),
            entries: group
                .entries
                .iter()
                .map(|entry| EntryView::of(entry, targets))
                .collect(),
        }
    }
}

// === impl EntryView ===

impl EntryView {
    fn of(entry: &Entry, targets: &[Target]) -> Self {
        let (target, group) = match &entry.leads_to {
            Some(LeadsTo::Target(index)) => (targets.get(*index as usize), None),
            Some(LeadsTo::Group(group)) => (None, Some(GroupView::of(group, targets))),
            None => (None, None),
        };
        #[expect(clippy::cast_precision_loss, reason = "a price is shown, not charged")]
        let usd = |nano: u64| nano as f64 / NANO_USD_PER_USD;
        Self {
            weight: entry.weight,
            uses: entry.uses,
            price: entry.price.filter(|price| *price != UNKNOWN_PRICE).map(usd),
            target: target.map(|target| format!("{}/{}", target.provider, target.model)),
            group,
        }
    }
}

// === impl ReplayView ===

impl ReplayView {
    pub(super) fn of(decision: &Decision) -> Self {
        let reason = decision::replay(decision)
            .err()
            .map(|divergence| divergence.to_string());
        Self {
            same: reason.is_none(),
            reason,
        }
    }
}

/// What is said of a target as a whole is said of each of its accounts.
fn verdict(target: &Target, account: &Account) -> &'static str {
    let of_both = if target.verdict() == Verdict::Eligible {
        account.verdict()
    } else {
        target.verdict()
    };
    match of_both {
        Verdict::Eligible => "eligible",
        Verdict::Resting => "resting",
        Verdict::RateLimited => "rate-limited",
        Verdict::BreakerOpen => "breaker-open",
        Verdict::Probe => "probe",
        Verdict::NotPermitted => "not-permitted",
        Verdict::RefusedByPolicy => "refused-by-policy",
        Verdict::Unspecified => "unknown",
    }
}

/// 0 is no time.
fn stamp(millis: Option<u64>) -> Option<Stamp> {
    let millis = i64::try_from(millis.filter(|millis| *millis > 0)?).ok()?;
    DateTime::from_timestamp_millis(millis).map(Stamp)
}

fn some_text(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

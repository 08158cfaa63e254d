//! The choice among everything that could answer a request: pure, total, and the same at any later time.
//!
//! A [`Decision`] holds all that the choice depends on. [`decide`] orders its accounts by the strategies in it, and
//! nothing else: no clock, no randomness but the recorded seed, no state. A data plane fills one in per request,
//! follows its order, and records it; [`replay`] decides again and says whether the same came out.
//!
//! ```text
//! root group ──strategy──▶ entries ──▶ targets (provider + model) ──account strategy──▶ accounts
//! ```
//!
//! Only accounts with the verdict `Eligible` or `Probe` are in the order. A strategy that needs an input which is not
//! there is an error, never a guess.

mod account;
mod draw;
mod entry;
mod rendezvous;
mod replay;
mod shorten;
#[cfg(test)]
mod tests;

pub use proto::v1::{Account, Decision, Entry, Group, Target, Verdict, entry::LeadsTo};
pub use rendezvous::{session_hash, weight};
pub use replay::{Divergence, record, replay};
pub use shorten::shorten;

use draw::Draw;
use thiserror::Error;

/// The [`Entry::price`] of what nobody knows the price of.
pub const UNKNOWN_PRICE: u64 = u64::MAX;

/// Groups nest at most so deep: a combo, and combos in it.
pub const MAX_DEPTH: usize = 8;

/// The decision cannot be made, or made again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecideError {
    #[error("the decision lacks `{0}`, which its strategy needs")]
    Missing(&'static str),
    #[error("`{0}` is not a strategy")]
    Strategy(String),
    #[error("an entry leads to target {0}, and there is none")]
    Target(u32),
    #[error("groups are nested too deep")]
    Depth,
}

/// The order in which the accounts are tried: their numbers, counted through over all targets.
///
/// An account occurs once, where its target occurs first.
pub fn decide(decision: &Decision) -> Result<Vec<u32>, DecideError> {
    let mut draw = Draw::new(decision.seed);
    let mut targets = Vec::with_capacity(decision.targets.len());
    let root = decision.root.as_ref().ok_or(DecideError::Missing("root"))?;
    entry::order(root, &mut draw, 0, &mut targets)?;

    // a stable sort: what is preferred comes first, and otherwise the strategies decide
    targets.sort_by_key(|index| {
        let target = decision.targets.get(*index as usize);
        // not preferred is 0, which wraps around to the end
        target.map_or(u32::MAX, |target| target.preference.wrapping_sub(1))
    });

    let mut order = Vec::new();
    let mut seen = vec![false; decision.targets.len()];
    for index in targets {
        let position = index as usize;
        let target = decision.targets.get(position).ok_or(DecideError::Target(index))?;
        if std::mem::replace(&mut seen[position], true) || !is_open(target.verdict) {
            continue;
        }
        let first = first_account(decision, position);
        let chosen = account::order(decision, target, &mut draw)?;
        order.extend(chosen.into_iter().map(|account| first + account));
    }
    Ok(order)
}

/// The target and the account behind a number in [`Decision::order`].
pub fn locate(decision: &Decision, number: u32) -> Option<(usize, usize)> {
    let mut rest = number as usize;
    for (position, target) in decision.targets.iter().enumerate() {
        match rest.checked_sub(target.accounts.len()) {
            None => return Some((position, rest)),
            Some(beyond) => rest = beyond,
        }
    }
    None
}

/// Whether something with this verdict may be tried.
pub fn is_open(verdict: i32) -> bool {
    matches!(Verdict::try_from(verdict), Ok(Verdict::Eligible | Verdict::Probe))
}

fn first_account(decision: &Decision, target: usize) -> u32 {
    let before = decision.targets[..target]
        .iter()
        .map(|target| target.accounts.len())
        .sum::<usize>();
    u32::try_from(before).unwrap_or(u32::MAX)
}

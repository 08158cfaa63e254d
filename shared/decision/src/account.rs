//! The order of the accounts of one target.

use crate::draw::Draw;
use crate::{Account, DecideError, Decision, Target, is_open, rendezvous};

/// A failing account looks as busy as one with this many requests more.
const FAILURE_WEIGHT: u64 = 10;

/// The positions of the accounts that may be tried, in the order in which they are. Only those that may take part in
/// a rotation do, so that one that rests does not leave its turns to its neighbour.
pub(crate) fn order(decision: &Decision, target: &Target, draw: &mut Draw) -> Result<Vec<u32>, DecideError> {
    let mut open: Vec<(u32, &Account)> = (0..)
        .zip(&target.accounts)
        .filter(|(_, account)| is_open(account.verdict))
        .collect();
    if open.len() > 1 {
        arrange(decision, target, &mut open, draw)?;
        if !decision.session.is_empty() {
            stick(&decision.session, &mut open);
        }
    }
    Ok(open.into_iter().map(|(position, _)| position).collect())
}

fn arrange(
    decision: &Decision,
    target: &Target,
    open: &mut Vec<(u32, &Account)>,
    draw: &mut Draw,
) -> Result<(), DecideError> {
    match decision.account_strategy.as_str() {
        // accounts of one provider cost the same
        "fill-first" | "cost-optimized" => {}
        "round-robin" => {
            let turn = target.turn.ok_or(DecideError::Missing("turn"))?;
            let sticky = decision
                .sticky_limit
                .ok_or(DecideError::Missing("sticky_limit"))?;
            let start = turn / u64::from(sticky.max(1)) % open.len() as u64;
            open.rotate_left(usize::try_from(start).unwrap_or(0));
        }
        "random" => draw.shuffle(open)?,
        "p2c" => {
            let mut scored = Vec::with_capacity(open.len());
            for (position, account) in open.iter() {
                scored.push((score(account)?, (*position, *account)));
            }
            let first = draw.below(scored.len())?;
            let second = (first + 1 + draw.below(scored.len() - 1)?) % scored.len();
            let better = if scored[second].0 < scored[first].0 {
                second
            } else {
                first
            };
            let chosen = scored.remove(better);
            scored.sort_by_key(|(score, _)| *score);
            *open = std::iter::once(chosen)
                .chain(scored)
                .map(|(_, account)| account)
                .collect();
        }
        "least-used" => {
            let mut keyed = Vec::with_capacity(open.len());
            for (position, account) in open.iter() {
                let busy = account.in_flight.ok_or(DecideError::Missing("in_flight"))?;
                let last = account.last_used_ms.ok_or(DecideError::Missing("last_used_ms"))?;
                keyed.push(((busy, last), (*position, *account)));
            }
            keyed.sort_by_key(|(key, _)| *key);
            *open = keyed.into_iter().map(|(_, account)| account).collect();
        }
        other => return Err(DecideError::Strategy(other.to_owned())),
    }
    Ok(())
}

/// How busy an account is, in thousandths of a request.
fn score(account: &Account) -> Result<u64, DecideError> {
    let busy = account.in_flight.ok_or(DecideError::Missing("in_flight"))?;
    let failures = account.failures.ok_or(DecideError::Missing("failures"))?;
    Ok(u64::from(busy) * 1000 + u64::from(failures) * FAILURE_WEIGHT)
}

/// The account that this session belongs to comes first. It is the same on every data plane, and while it rests the
/// session belongs to the next heaviest.
fn stick(session: &[u8], open: &mut [(u32, &Account)]) {
    let heaviest =
        (0..open.len()).max_by_key(|index| rendezvous::weight(session, &open[*index].1.connection_id));
    if let Some(index) = heaviest {
        open[..=index].rotate_right(1);
    }
}

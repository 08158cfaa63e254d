//! The order of the entries of a group, by the strategy of the combo it comes from.

use crate::draw::Draw;
use crate::{DecideError, Entry, Group, LeadsTo, MAX_DEPTH};

/// Appends the targets that the group leads to, in the order in which they are tried.
pub(crate) fn order(
    group: &Group,
    draw: &mut Draw,
    depth: usize,
    targets: &mut Vec<u32>,
) -> Result<(), DecideError> {
    if depth == MAX_DEPTH {
        return Err(DecideError::Depth);
    }
    for entry in arrange(group, draw)? {
        match &entry.leads_to {
            Some(LeadsTo::Target(index)) => targets.push(*index),
            // a combo inside a combo keeps its own strategy
            Some(LeadsTo::Group(inner)) => order(inner, draw, depth + 1, targets)?,
            None => return Err(DecideError::Missing("leads_to")),
        }
    }
    Ok(())
}

fn arrange<'a>(group: &'a Group, draw: &mut Draw) -> Result<Vec<&'a Entry>, DecideError> {
    let mut entries: Vec<&Entry> = group.entries.iter().collect();
    match group.strategy.as_str() {
        "priority" => {}
        _ if entries.len() < 2 => {}
        "weighted" => {
            let first = draw_weighted(&entries, draw)?;
            let chosen = entries.remove(first);
            let mut rest = with(entries, "weight", |entry| entry.weight)?;
            rest.sort_by(|(a, _), (b, _)| b.total_cmp(a));
            return Ok(std::iter::once(chosen)
                .chain(rest.into_iter().map(|(_, entry)| entry))
                .collect());
        }
        "round-robin" => {
            let turn = group.turn.ok_or(DecideError::Missing("turn"))?;
            let start = turn % entries.len() as u64;
            entries.rotate_left(usize::try_from(start).unwrap_or(0));
        }
        "random" => draw.shuffle(&mut entries)?,
        "least-used" => return sorted(entries, "uses", |entry| entry.uses),
        // what costs nobody knows how much has the highest number and comes last
        "cost-optimized" => return sorted(entries, "price", |entry| entry.price),
        other => return Err(DecideError::Strategy(other.to_owned())),
    }
    Ok(entries)
}

/// With the probability of its share; all alike when nothing has a weight.
fn draw_weighted(entries: &[&Entry], draw: &mut Draw) -> Result<usize, DecideError> {
    let weights = entries
        .iter()
        .map(|entry| entry.weight.ok_or(DecideError::Missing("weight")))
        .collect::<Result<Vec<f64>, _>>()?;
    let total: f64 = weights.iter().filter(|weight| **weight > 0.0).sum();
    if total <= 0.0 || !total.is_finite() {
        return draw.below(entries.len());
    }
    let mut left = draw.fraction()? * total;
    let mut last = 0;
    for (index, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        last = index;
        left -= weight;
        if left < 0.0 {
            return Ok(index);
        }
    }
    // rounding may leave a little over
    Ok(last)
}

/// Ascending; ties stay in the order of the configuration.
fn sorted<'a>(
    entries: Vec<&'a Entry>,
    name: &'static str,
    key: impl Fn(&Entry) -> Option<u64>,
) -> Result<Vec<&'a Entry>, DecideError> {
    let mut keyed = with(entries, name, key)?;
    keyed.sort_by_key(|(key, _)| *key);
    Ok(keyed.into_iter().map(|(_, entry)| entry).collect())
}

fn with<'a, K>(
    entries: Vec<&'a Entry>,
    name: &'static str,
    key: impl Fn(&Entry) -> Option<K>,
) -> Result<Vec<(K, &'a Entry)>, DecideError> {
    entries
        .into_iter()
        .map(|entry| {
            key(entry)
                .map(|key| (key, entry))
                .ok_or(DecideError::Missing(name))
        })
        .collect()
}

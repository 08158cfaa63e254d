//! Making a record smaller: what was tried first stays, and the rest is counted.

use crate::replay::checksum;
use crate::{Decision, Entry, Group, LeadsTo, Target};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};

/// What a stranger may have put into the name of a model.
const TEXT_BYTES: usize = 512;

/// Where an account stands: its target, and its place there.
type Place = (usize, usize);

/// Cuts a record to at most `bytes`, if it is longer. The accounts that come first in its order stay as they are,
/// those that are left out are counted. Such a record shows what happened, and no longer replays.
pub fn shorten(decision: &mut Decision, bytes: usize) {
    if decision.encoded_len() <= bytes {
        return;
    }
    let places = places(decision);
    let ranked = ranked(decision, &places);
    let mut keep = ranked.len();
    loop {
        let mut short = keeping(decision, &places, &ranked[..keep]);
        short.omitted_accounts = Some(u32::try_from(ranked.len() - keep).unwrap_or(u32::MAX));
        short.checksum = checksum(&short);
        if short.encoded_len() <= bytes || keep == 0 {
            *decision = short;
            return;
        }
        keep /= 2;
    }
}

/// By the number of the account.
fn places(decision: &Decision) -> Vec<Place> {
    let of = |(position, target): (usize, &Target)| {
        (0..target.accounts.len()).map(move |account| (position, account))
    };
    decision.targets.iter().enumerate().flat_map(of).collect()
}

/// The numbers of all accounts: those that are tried in their order, then the others.
fn ranked(decision: &Decision, places: &[Place]) -> Vec<usize> {
    let tried = decision.order.iter().map(|number| *number as usize);
    let mut ranked: Vec<usize> = tried.filter(|number| *number < places.len()).collect();
    let seen: BTreeSet<usize> = ranked.iter().copied().collect();
    ranked.extend((0..places.len()).filter(|number| !seen.contains(number)));
    ranked
}

/// The same decision with these accounts only, under new numbers.
fn keeping(decision: &Decision, places: &[Place], kept: &[usize]) -> Decision {
    let kept: BTreeSet<usize> = kept.iter().copied().collect();
    let mut targets: Vec<Target> = Vec::new();
    let mut indices: BTreeMap<u32, u32> = BTreeMap::new();
    let mut numbers: BTreeMap<usize, u32> = BTreeMap::new();
    // numbers ascend as places do, so a target is finished when the next one begins
    for (new, number) in (0..).zip(&kept) {
        let (position, account) = places[*number];
        let whole = &decision.targets[position];
        let next = index(targets.len());
        if *indices.entry(index(position)).or_insert(next) == next {
            targets.push(without_accounts(whole));
        }
        if let Some(target) = targets.last_mut() {
            target.accounts.push(whole.accounts[account].clone());
        }
        numbers.insert(*number, new);
    }
    let order = decision.order.iter();
    Decision {
        root: decision.root.as_ref().map(|root| leading(root, &indices)),
        targets,
        account_strategy: decision.account_strategy.clone(),
        seed: decision.seed,
        sticky_limit: decision.sticky_limit,
        session: decision.session.clone(),
        order: order
            .filter_map(|number| numbers.get(&(*number as usize)).copied())
            .collect(),
        checksum: 0,
        omitted_accounts: None,
    }
}

/// Only what still leads to a target.
fn leading(group: &Group, indices: &BTreeMap<u32, u32>) -> Group {
    let entry = |entry: &Entry| {
        let leads_to = match entry.leads_to.as_ref()? {
            LeadsTo::Target(index) => LeadsTo::Target(*indices.get(index)?),
            LeadsTo::Group(inner) => {
                let inner = leading(inner, indices);
                LeadsTo::Group(Some(inner).filter(|inner| !inner.entries.is_empty())?)
            }
        };
        Some(Entry {
            leads_to: Some(leads_to),
            ..*entry
        })
    };
    Group {
        name: group.name.clone(),
        strategy: group.strategy.clone(),
        turn: group.turn,
        entries: group.entries.iter().filter_map(entry).collect(),
    }
}

fn without_accounts(target: &Target) -> Target {
    Target {
        provider: cut(&target.provider),
        model: cut(&target.model),
        verdict: target.verdict,
        turn: target.turn,
        accounts: Vec::new(),
        preference: target.preference,
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES)].to_owned()
}

fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

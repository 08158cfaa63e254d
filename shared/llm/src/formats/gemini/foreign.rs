//! Reasoning of another vendor in a conversation that goes on at this one.
//!
//! A session may hop between providers. The vendor refuses a signature it has not made, so thoughts with a wrapped
//! one, and only those, are cut out of a request that otherwise passes through untouched.

use super::object::Object;
use super::signature;
use crate::dialect::Dialect;
use memchr::memmem;
use serde_json::value::RawValue;

/// Whether it is worth looking closer; a search, no parsing.
pub fn suspected(body: &[u8]) -> bool {
    memmem::find(body, signature::FOREIGN_PREFIX.as_bytes()).is_some()
}

/// The contents without foreign thoughts; `None` when there is none or they cannot be read.
pub fn without(contents: &RawValue) -> Option<String> {
    let turns: Vec<&RawValue> = serde_json::from_str(contents.get()).ok()?;
    let mut kept: Vec<String> = Vec::with_capacity(turns.len());
    let mut changed = false;
    for turn in turns {
        match trimmed(turn) {
            None => kept.push(turn.get().to_owned()),
            Some(rest) => {
                changed = true;
                kept.extend(rest);
            }
        }
    }
    changed.then(|| format!("[{}]", kept.join(",")))
}

/// `None`: nothing foreign in it. `Some(None)`: nothing else in it, so the turn goes.
fn trimmed(turn: &RawValue) -> Option<Option<String>> {
    let parts = Object::read(turn, String::new()).ok()?.raw("parts")?;
    let all: Vec<&RawValue> = serde_json::from_str(parts.get()).ok()?;
    let own: Vec<&str> = all
        .iter()
        .filter(|part| !is_foreign(part))
        .map(|part| part.get())
        .collect();
    if own.len() == all.len() {
        return None;
    }
    if own.is_empty() {
        return Some(None);
    }
    let start = parts.get().as_ptr().addr() - turn.get().as_ptr().addr();
    let (before, after) = (&turn.get()[..start], &turn.get()[start + parts.get().len()..]);
    Some(Some(format!("{before}[{}]{after}", own.join(","))))
}

fn is_foreign(part: &RawValue) -> bool {
    let Ok(part) = Object::read(part, String::new()) else {
        return false;
    };
    let thought = part.get::<bool>("thought").ok().flatten() == Some(true);
    let signature = part.text("thoughtSignature").ok().flatten();
    thought && signature.is_some_and(|text| signature::open(&text).0.issuer != Dialect::Gemini)
}

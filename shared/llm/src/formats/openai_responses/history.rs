//! The items of a body that otherwise stays as it is.

use crate::head::Head;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What a reasoning item says about itself.
#[derive(Deserialize)]
pub struct ReasoningItem<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub encrypted_content: Option<Cow<'a, str>>,
}

/// What becomes of one reasoning item.
pub enum Fate {
    Kept,
    Dropped,
    Replaced(String),
}

/// The list of items with each reasoning item treated; `None` when nothing changes.
pub fn treat(body: &Bytes, fate: impl Fn(&RawValue, &ReasoningItem<'_>) -> Fate) -> Option<String> {
    let head = Head::read(body).ok()?;
    let items: Vec<&RawValue> = serde_json::from_str(head.get("input")?.get()).ok()?;
    let mut kept: Vec<Cow<'_, str>> = Vec::with_capacity(items.len());
    let mut changed = false;
    for item in items {
        let read = serde_json::from_str::<ReasoningItem<'_>>(item.get()).ok();
        let fate = match read.filter(|read| read.kind == "reasoning") {
            Some(read) => fate(item, &read),
            None => Fate::Kept,
        };
        changed |= !matches!(fate, Fate::Kept);
        match fate {
            Fate::Kept => kept.push(item.get().into()),
            Fate::Replaced(json) => kept.push(json.into()),
            Fate::Dropped => {}
        }
    }
    changed.then(|| format!("[{}]", kept.join(",")))
}

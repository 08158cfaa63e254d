//! References inside a schema.

use super::TooLarge;
use serde_json::{Map, Value, json};

/// What resolving may copy, in values. A hostile schema can refer to itself a thousand times.
const MAX_COPIED: usize = 100_000;
const TEXT_UNIT: usize = 64;

/// The whole schema, and the references that are being resolved on the way to the current place.
pub struct Refs {
    root: Value,
    open: Vec<String>,
    copied: usize,
}

// === impl Refs ===

impl Refs {
    pub fn new(root: Value) -> Self {
        Self {
            root,
            open: Vec::new(),
            copied: 0,
        }
    }

    /// How many references are open; hand it to [`Refs::close_to`] when the place has been left.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    pub fn close_to(&mut self, depth: usize) {
        self.open.truncate(depth);
    }

    /// Puts what a reference stands for in its place; keywords beside the reference win.
    pub fn resolve(&mut self, node: &mut Map<String, Value>) -> Result<(), TooLarge> {
        while let Some(reference) = node.remove("$ref") {
            let Value::String(reference) = reference else {
                continue;
            };
            for (keyword, value) in self.target(&reference)? {
                node.entry(keyword).or_insert(value);
            }
            self.open.push(reference);
        }
        Ok(())
    }

    fn target(&mut self, reference: &str) -> Result<Map<String, Value>, TooLarge> {
        if self.open.iter().any(|open| open == reference) {
            let name = reference.rsplit('/').next().unwrap_or(reference);
            return Ok(object(
                json!({"type": "object", "description": format!("(recursive {name})")}),
            ));
        }
        let target = match reference.strip_prefix('#') {
            Some(pointer) => self.root.pointer(&percent_decoded(pointer)),
            None => None,
        };
        let Some(target @ Value::Object(_)) = target else {
            return Ok(object(json!({"type": "object"})));
        };
        let target = object(target.clone());
        self.pay(target.values().map(size).sum())?;
        Ok(target)
    }

    /// Accounts for values that are copied.
    pub fn pay(&mut self, values: usize) -> Result<(), TooLarge> {
        self.copied = self.copied.saturating_add(values);
        if self.copied > MAX_COPIED {
            Err(TooLarge)
        } else {
            Ok(())
        }
    }
}

// === functions ===

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// In values; long texts count as several.
pub fn size(value: &Value) -> usize {
    1 + match value {
        Value::String(text) => text.len() / TEXT_UNIT,
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(members) => members.values().map(size).sum(),
        _ => 0,
    }
}

/// A reference is a fragment of an URL.
fn percent_decoded(pointer: &str) -> String {
    let (mut out, mut rest) = (Vec::with_capacity(pointer.len()), pointer.as_bytes());
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).filter(|_| *first == b'%');
        let byte = digits
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&out).into_owned()
}

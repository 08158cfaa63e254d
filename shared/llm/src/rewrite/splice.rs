//! Edits of JSON text that leave every byte they do not name.
//!
//! Values are borrowed from one body, so their place in it is known from where they lie in memory.

use crate::head::Head;
use bytes::Bytes;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::ops::Range;

/// Edits of one body, collected in any order. They never overlap: a value is replaced, or something inside it is.
pub struct Splice<'a> {
    body: &'a [u8],
    edits: Vec<(Range<usize>, String)>,
}

/// Edits of one object's members, which have to be known together: a comma belongs to two of them.
pub struct Members<'h, 'a> {
    head: &'h Head<'a>,
    set: Vec<(&'static str, String)>,
    removed: Vec<&'static str>,
}

// === impl Splice ===

impl<'a> Splice<'a> {
    pub fn new(body: &'a [u8]) -> Self {
        Self {
            body,
            edits: Vec::new(),
        }
    }

    pub fn replace(&mut self, value: &RawValue, json: String) {
        let start = self.offset(value.get().as_bytes());
        self.edits.push((start..start + value.get().len(), json));
    }

    /// Adds text after the quote that opens a string.
    pub fn begin_string(&mut self, value: &RawValue, escaped: String) {
        let start = self.offset(value.get().as_bytes()) + 1;
        self.edits.push((start..start, escaped));
    }

    /// Adds an element in front of those that an array has.
    pub fn unshift(&mut self, array: &RawValue, mut element: String) {
        let text = array.get();
        let start = self.offset(text.as_bytes()) + 1;
        if text[1..].trim_ascii_start() != "]" {
            element.push(',');
        }
        self.edits.push((start..start, element));
    }

    /// Makes a value the second element of an array of two.
    pub fn follow(&mut self, value: &RawValue, element: &str) {
        let start = self.offset(value.get().as_bytes());
        let end = start + value.get().len();
        self.edits.push((start..start, format!("[{element},")));
        self.edits.push((end..end, "]".to_owned()));
    }

    pub fn into_bytes(mut self) -> Bytes {
        self.edits.sort_by_key(|(span, _)| (span.start, span.end));
        let grown: usize = self.edits.iter().map(|(_, text)| text.len()).sum();
        let mut out = Vec::with_capacity(self.body.len() + grown);
        let mut copied = 0;
        for (span, text) in self.edits {
            out.extend_from_slice(&self.body[copied..span.start]);
            out.extend_from_slice(text.as_bytes());
            copied = span.end;
        }
        out.extend_from_slice(&self.body[copied..]);
        Bytes::from(out)
    }

    fn offset(&self, part: &[u8]) -> usize {
        part.as_ptr().addr() - self.body.as_ptr().addr()
    }
}

// === impl Members ===

impl<'h, 'a> Members<'h, 'a> {
    pub fn of(head: &'h Head<'a>) -> Self {
        Self {
            head,
            set: Vec::new(),
            removed: Vec::new(),
        }
    }

    /// Every occurrence is replaced in place; a missing member is added in front.
    pub fn set(&mut self, name: &'static str, json: String) {
        self.set.push((name, json));
    }

    pub fn remove(&mut self, name: &'static str) {
        self.removed.push(name);
    }

    pub fn finish(self, splice: &mut Splice<'_>) {
        let Self { head, set, removed } = self;
        let body = head.text();
        let base = splice.offset(body);
        let brace = body.iter().position(|byte| *byte == b'{').map_or(0, |at| at + 1);
        let is_removed = |name: &str| removed.contains(&name);

        let mut kept = false;
        let mut end = brace;
        let mut pending: Option<usize> = None;
        for (name, value) in head.members() {
            let value_start = value.get().as_ptr().addr() - body.as_ptr().addr();
            let value_end = value_start + value.get().len();
            let key_start = key_start(body, value_start);
            if is_removed(name) {
                // in front of the first member that stays there is no comma to take along
                pending = pending.or(Some(if kept { end } else { key_start }));
            } else {
                let until = if kept { end } else { key_start };
                if let Some(from) = pending.take() {
                    splice.edits.push((base + from..base + until, String::new()));
                }
                kept = true;
                if let Some((_, json)) = set.iter().find(|(set, _)| *set == name) {
                    splice.replace(value, json.clone());
                }
            }
            end = value_end;
        }
        if let Some(from) = pending {
            splice.edits.push((base + from..base + end, String::new()));
        }

        let missing = set.iter().filter(|(name, _)| head.get(name).is_none());
        let added: Vec<String> = missing.map(|(name, json)| format!("\"{name}\":{json}")).collect();
        if !added.is_empty() {
            let comma = if kept { "," } else { "" };
            let text = format!("{}{comma}", added.join(","));
            splice.edits.push((base + brace..base + brace, text));
        }
    }
}

// === functions ===

/// The elements of an array; none when the value is something else.
pub fn elements(value: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(value.get()).unwrap_or_default()
}

/// The members of an object; `None` when the value is something else.
pub fn object(value: &RawValue) -> Option<Head<'_>> {
    Head::read(value.get().as_bytes()).ok()
}

pub fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str(value.get()).ok()
}

/// Where the name of the member begins whose value begins at `value`.
fn key_start(body: &[u8], value: usize) -> usize {
    let before = |end: usize, byte: u8| body[..end].iter().rposition(|b| *b == byte).unwrap_or(0);
    // between name and value there are only white space and a colon
    let closing = before(before(value, b':'), b'"');
    let mut opening = before(closing, b'"');
    while body[..opening].iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1 {
        opening = before(opening, b'"');
    }
    opening
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn edited(body: &str, set: &[(&'static str, &str)], removed: &[&'static str]) -> String {
        let head = Head::read(body.as_bytes()).unwrap();
        let mut splice = Splice::new(body.as_bytes());
        let mut members = Members::of(&head);
        set.iter()
            .for_each(|(name, json)| members.set(name, (*json).to_owned()));
        removed.iter().for_each(|name| members.remove(name));
        members.finish(&mut splice);
        String::from_utf8(splice.into_bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_removed_member_takes_one_comma_along() {
        for (body, removed, expected) in [
            (r#"{"a":1,"b":2,"c":3}"#, &["a"][..], r#"{"b":2,"c":3}"#),
            (r#"{"a":1,"b":2,"c":3}"#, &["b"], r#"{"a":1,"c":3}"#),
            (r#"{"a":1,"b":2,"c":3}"#, &["c"], r#"{"a":1,"b":2}"#),
            (r#"{"a":1,"b":2,"c":3}"#, &["a", "b"], r#"{"c":3}"#),
            (r#"{"a":1,"b":2,"c":3}"#, &["b", "c"], r#"{"a":1}"#),
            (r#"{"a":1,"b":2,"c":3}"#, &["a", "c"], r#"{"b":2}"#),
            (r#"{ "a" : 1 , "b" : 2 }"#, &["a", "b"], "{  }"),
            (r#"{"x\"a":":","a":{"a":1}}"#, &["a"], r#"{"x\"a":":"}"#),
            (r#"{"a":1,"x\\":2,"a":3}"#, &["a"], r#"{"x\\":2}"#),
            (r#"{"b":1}"#, &["a"], r#"{"b":1}"#),
        ] {
            assert_eq!(edited(body, &[], removed), expected, "{body} without {removed:?}");
        }
    }

    #[test]
    fn members_are_set_beside_those_that_go() {
        assert_eq!(edited(r#"{"a":1}"#, &[("b", "2")], &["a"]), r#"{"b":2}"#);
        assert_eq!(
            edited(r#"{"a":1,"c":3}"#, &[("b", "2"), ("c", "4")], &["a"]),
            r#"{"b":2,"c":4}"#
        );
        assert_eq!(edited(r#" {"a":1}"#, &[("b", "2")], &[]), r#" {"b":2,"a":1}"#);
    }

    proptest! {
        #[test]
        fn what_is_left_is_what_was_there(
            members in prop::collection::vec(("[a-c\"\\\\]{1,2}", 0u8..9), 0..6),
            removed in prop::sample::subsequence(vec!["a", "b", "ab", "c"], 0..4),
        ) {
            let written: Vec<String> =
                members.iter().map(|(name, n)| format!("{} : {n}", Value::from(name.as_str()))).collect();
            let body = format!("{{{}}}", written.join(" , "));
            let edited = edited(&body, &[("new", "true")], &removed);
            let mut expected: serde_json::Map<String, Value> = serde_json::from_str(&body).unwrap();
            removed.iter().for_each(|name| drop(expected.remove(*name)));
            expected.insert("new".to_owned(), true.into());
            let left: serde_json::Map<String, Value> = serde_json::from_str(&edited).unwrap();
            prop_assert_eq!(left, expected, "{} became {}", body, edited);
        }
    }
}

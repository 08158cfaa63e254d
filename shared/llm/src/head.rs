//! The head of a request body: its top-level members in one pass, values left as text.
//!
//! This is all that routing and passthrough need. The whole body is checked to be JSON, without recursion and
//! without building values, so depth and size cost nothing but time; replacing a member splices bytes and leaves
//! every other byte of the client's body as it was.

use crate::error::DecodeError;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// The members of a JSON object in the order they were written; names may repeat.
#[derive(Debug)]
pub struct Head<'a> {
    body: &'a [u8],
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A member name, borrowed unless it contains an escape; `Cow` alone always allocates.
#[derive(Deserialize)]
pub(crate) struct Name<'a>(#[serde(borrow)] pub Cow<'a, str>);

struct MembersVisitor;

// === impl Head ===

impl<'a> Head<'a> {
    pub fn read(body: &'a [u8]) -> Result<Self, DecodeError> {
        let Members(members) = serde_json::from_slice(body).map_err(|error| match error.classify() {
            Category::Data => DecodeError::new("request body must be a JSON object"),
            _ => DecodeError::new(format!("Invalid JSON body: {error}")),
        })?;
        Ok(Self { body, members })
    }

    /// The whole body.
    pub fn text(&self) -> &'a [u8] {
        self.body
    }

    /// The value of a member; the last of several of one name counts, as in most parsers.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.members
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| *value)
    }

    /// The members in the order they were written; a name may repeat.
    pub fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.members.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// The body with members set to the given JSON texts: every occurrence of a name is replaced in place, a
    /// missing one is added in front. All other bytes stay.
    pub fn with(&self, members: &[(&str, &str)]) -> Bytes {
        let mut edits: Vec<(Range<usize>, &str)> = Vec::with_capacity(members.len());
        let mut added = String::new();
        for (name, json) in members {
            let before = edits.len();
            let found = self.members.iter().filter(|(key, _)| key == name);
            edits.extend(found.map(|(_, value)| (self.span(value), *json)));
            if edits.len() == before {
                added.push_str(&format!("\"{name}\":{json},"));
            }
        }
        edits.sort_unstable_by_key(|(span, _)| span.start);
        if self.members.is_empty() {
            added.pop();
        }

        let grown: usize = edits.iter().map(|(_, json)| json.len()).sum();
        let mut out = Vec::with_capacity(self.body.len() + added.len() + grown);
        // the object's brace may follow whitespace, but nothing else
        let brace = self.body.iter().position(|b| *b == b'{').map_or(0, |at| at + 1);
        out.extend_from_slice(&self.body[..brace]);
        out.extend_from_slice(added.as_bytes());
        let mut copied = brace;
        for (span, json) in edits {
            out.extend_from_slice(&self.body[copied..span.start]);
            out.extend_from_slice(json.as_bytes());
            copied = span.end;
        }
        out.extend_from_slice(&self.body[copied..]);
        Bytes::from(out)
    }

    /// The body without the members of one name. Values stay as they were written, the space between them does not.
    pub fn without(&self, name: &str) -> Bytes {
        let kept: Vec<_> = self.members.iter().filter(|(key, _)| key != name).collect();
        if kept.len() == self.members.len() {
            return Bytes::copy_from_slice(self.body);
        }
        let mut out = Vec::with_capacity(self.body.len());
        out.push(b'{');
        for (position, (key, value)) in kept.into_iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            let key = serde_json::Value::from(key.as_ref()).to_string();
            out.extend_from_slice(key.as_bytes());
            out.push(b':');
            out.extend_from_slice(value.get().as_bytes());
        }
        out.push(b'}');
        Bytes::from(out)
    }

    /// Where a value lies in the body it was borrowed from.
    fn span(&self, value: &RawValue) -> Range<usize> {
        let start = value.get().as_ptr().addr() - self.body.as_ptr().addr();
        start..start + value.get().len()
    }
}

// === impl Members ===

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(16);
        while let Some(Name(name)) = map.next_key()? {
            members.push((name, map.next_value()?));
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(body: &str, members: &[(&str, &str)]) -> String {
        let bytes = Head::read(body.as_bytes()).unwrap().with(members);
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn replacing_a_member_leaves_every_other_byte() {
        let body = " { \"x\" : 1.0,\n\t\"model\":  \"a\" , \"n\":12345678901234567890123, \"é\":\"\\ud83d\\ude00\" } ";
        assert_eq!(
            patched(body, &[("model", "\"b\"")]),
            body.replace("\"a\"", "\"b\"")
        );
    }

    #[test]
    fn a_member_can_be_left_out_wherever_it_stands_and_however_often() {
        for (body, without) in [
            (r#"{"model":"a","x":1.0}"#, r#"{"x":1.0}"#),
            (r#" { "x" : [1, 2] , "m\u006fdel" : "a" } "#, r#"{"x":[1, 2]}"#),
            (r#"{"model":1,"model":2}"#, "{}"),
            (r#"{ "x":{"model":1} }"#, r#"{ "x":{"model":1} }"#),
        ] {
            assert_eq!(Head::read(body.as_bytes()).unwrap().without("model"), without);
        }
    }

    #[test]
    fn a_missing_member_is_added_in_front() {
        assert_eq!(
            patched(r#"{"a":1}"#, &[("b", "2"), ("c", "3")]),
            r#"{"b":2,"c":3,"a":1}"#
        );
        assert_eq!(patched("{ }", &[("b", "2")]), r#"{"b":2 }"#);
    }

    #[test]
    fn every_duplicate_is_replaced_so_that_no_parser_can_see_the_old_value() {
        let body = r#"{"model":"a","m\u006fdel":"b","z":{"model":"c"}}"#;
        assert_eq!(
            patched(body, &[("model", "\"d\"")]),
            r#"{"model":"d","m\u006fdel":"d","z":{"model":"c"}}"#
        );
        assert_eq!(
            Head::read(body.as_bytes()).unwrap().get("model").unwrap().get(),
            "\"b\""
        );
    }

    #[test]
    fn a_body_that_is_not_one_json_object_is_refused_with_the_place() {
        let error = |body: &[u8]| Head::read(body).unwrap_err().message;
        assert_eq!(error(b"[1]"), "request body must be a JSON object");
        assert_eq!(
            error(b""),
            "Invalid JSON body: EOF while parsing a value at line 1 column 0"
        );
        assert!(error(br#"{"a":1}{"#).starts_with("Invalid JSON body: trailing characters"));
        assert!(error(br#"{"a":tru}"#).starts_with("Invalid JSON body: "));
        assert!(error(b"{\"a\":\"\xff\"}").starts_with("Invalid JSON body: "));
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!(
            r#"{{"model":"a","x":{}{}}}"#,
            "[".repeat(1_000_000),
            "]".repeat(1_000_000)
        );
        assert!(Head::read(deep.as_bytes()).is_ok());
    }
}

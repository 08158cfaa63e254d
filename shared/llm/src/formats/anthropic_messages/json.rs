//! Reading JSON without re-reading it: values stay text until somebody needs them, so that numbers, key order
//! and unknown fields survive.

use crate::error::DecodeError;
use crate::head::Head;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The members of a request that nobody has read yet.
#[derive(Debug)]
pub struct Fields<'a> {
    head: Head<'a>,
    taken: Vec<&'static str>,
}

/// The `type` of a block, a source, a tool or a choice.
#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(rename = "type", borrow, default)]
    tag: Option<Cow<'a, str>>,
}

// === impl Fields ===

impl<'a> Fields<'a> {
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            head: Head::read(body)?,
            taken: Vec::new(),
        })
    }

    /// Takes a member and reads it; `null` is the same as absent.
    pub fn take<T: Deserialize<'a>>(&mut self, name: &'static str) -> Result<Option<T>, DecodeError> {
        self.take_raw(name).map(|raw| read(raw, name)).transpose()
    }

    /// Takes a member without reading it.
    pub fn take_raw(&mut self, name: &'static str) -> Option<&'a RawValue> {
        self.taken.push(name);
        self.head.get(name).filter(|raw| raw.get() != "null")
    }

    /// What nobody took.
    pub fn rest(self) -> Result<Map<String, Value>, DecodeError> {
        let members = self.head.members().filter(|(name, _)| !self.taken.contains(name));
        members
            .map(|(name, raw)| Ok((name.to_owned(), read(raw, name)?)))
            .collect()
    }
}

// === functions ===

/// The value's `type`, or an empty string when it has none.
pub fn tag<'a>(raw: &'a RawValue) -> Result<Cow<'a, str>, serde_json::Error> {
    let tag: Tag<'a> = serde_json::from_str(raw.get())?;
    Ok(tag.tag.unwrap_or_default())
}

/// Reads one value at `path`; the error names the path and the fault, without a position inside the fragment,
/// which would mean nothing to the client.
pub fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue, path: &str) -> Result<T, DecodeError> {
    serde_json::from_str(raw.get())
        .map_err(|error| DecodeError::at(path, format!("{path}: {}", reason(&error))))
}

/// The fault alone, without its position.
pub fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// The same JSON text without whitespace between tokens; every token keeps its bytes.
pub fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if matches!(c, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            in_string = c == '"';
        }
        out.push(c);
    }
    out
}

/// Text that is known to be JSON, as a value that is written without being read again.
pub fn raw(json: String) -> Result<Box<RawValue>, serde_json::Error> {
    RawValue::from_string(json)
}

/// Refuses a string that is present but empty, which no API accepts for a name.
pub fn non_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        Err(D::Error::custom("must not be empty"))
    } else {
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compaction_keeps_every_token() {
        let text = "{ \"a b\" : [ 1.0 ,\n 12345678901234567890123 ] , \"q\\\" \" : \" \\\\\" }";
        assert_eq!(
            compact(text),
            "{\"a b\":[1.0,12345678901234567890123],\"q\\\" \":\" \\\\\"}"
        );
    }

    #[test]
    fn the_last_of_duplicate_members_counts_and_null_is_absent() {
        let mut fields = Fields::parse(br#"{"a":1,"a":2,"b":null,"c":[1.50]}"#).unwrap();
        assert_eq!(fields.take::<u64>("a").unwrap(), Some(2));
        assert_eq!(fields.take::<u64>("b").unwrap(), None);
        assert_eq!(
            Value::Object(fields.rest().unwrap()).to_string(),
            r#"{"c":[1.5]}"#
        );
    }
}

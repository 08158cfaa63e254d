//! One JSON object of a request: its members still text, and the path under which the client knows it.
//!
//! Values stay text until somebody needs them, so that numbers, key order and unknown members survive, and every
//! complaint names the exact field.

use crate::error::DecodeError;
use crate::head::Head;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;

#[derive(Debug)]
pub struct Object<'a> {
    head: Head<'a>,
    path: String,
}

// === impl Object ===

impl<'a> Object<'a> {
    /// The whole body.
    pub fn root(body: &'a [u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            head: Head::read(body)?,
            path: String::new(),
        })
    }

    pub fn read(raw: &'a RawValue, path: impl Into<String>) -> Result<Self, DecodeError> {
        let path = path.into();
        match Head::read(raw.get().as_bytes()) {
            Ok(head) => Ok(Self { head, path }),
            Err(_) => Err(fault(&path, "expected an object")),
        }
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path of a member.
    pub fn at(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// A complaint about a member.
    pub fn fault(&self, name: &str, message: impl AsRef<str>) -> DecodeError {
        fault(&self.at(name), message)
    }

    /// A member as text; `null` is the same as absent.
    pub fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.head.get(name).filter(|raw| raw.get() != "null")
    }

    pub fn get<T: Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, DecodeError> {
        let Some(raw) = self.raw(name) else {
            return Ok(None);
        };
        value(raw, &self.at(name)).map(Some)
    }

    pub fn text(&self, name: &str) -> Result<Option<String>, DecodeError> {
        self.get(name)
    }

    pub fn required_text(&self, name: &str) -> Result<String, DecodeError> {
        self.get(name)?.ok_or_else(|| self.fault(name, "is required"))
    }

    /// A whole number; `100.0` is one too, as some clients write every number as a float.
    pub fn count(&self, name: &str) -> Result<Option<u64>, DecodeError> {
        let Some(number) = self.get::<serde_json::Number>(name)? else {
            return Ok(None);
        };
        let whole = number.as_u64().or_else(|| {
            number
                .as_f64()
                .filter(|n| n.fract() == 0.0 && (0.0..9e15).contains(n))
                .map(|n| n as u64)
        });
        whole
            .map(Some)
            .ok_or_else(|| self.fault(name, "expected a whole number that is not negative"))
    }

    pub fn object(&self, name: &str) -> Result<Option<Self>, DecodeError> {
        self.raw(name)
            .map(|raw| Self::read(raw, self.at(name)))
            .transpose()
    }

    /// The items of a list with their paths; absent is empty.
    pub fn list(&self, name: &str) -> Result<Vec<(String, &'a RawValue)>, DecodeError> {
        match self.raw(name) {
            Some(raw) => items(raw, &self.at(name)),
            None => Ok(Vec::new()),
        }
    }

    /// The members that are not in `known`.
    pub fn unknown(&self, known: &[&str]) -> Result<Map<String, Value>, DecodeError> {
        self.head
            .members()
            .filter(|(name, raw)| !known.contains(name) && raw.get() != "null")
            .map(|(name, raw)| Ok((name.to_owned(), value(raw, &self.at(name))?)))
            .collect()
    }
}

// === functions ===

pub fn fault(path: &str, message: impl AsRef<str>) -> DecodeError {
    DecodeError::at(path, format!("{path}: {}", message.as_ref()))
}

pub fn items<'a>(raw: &'a RawValue, path: &str) -> Result<Vec<(String, &'a RawValue)>, DecodeError> {
    let items: Vec<&RawValue> = value(raw, path)?;
    Ok(items
        .into_iter()
        .enumerate()
        .map(|(i, item)| (format!("{path}[{i}]"), item))
        .collect())
}

pub fn value<'a, T: Deserialize<'a>>(raw: &'a RawValue, path: &str) -> Result<T, DecodeError> {
    serde_json::from_str(raw.get()).map_err(|error| fault(path, reason(&error)))
}

/// The fault alone: a position inside a fragment means nothing to the client.
fn reason(error: &serde_json::Error) -> Cow<'static, str> {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => Cow::Owned(text[..end].to_owned()),
        None => Cow::Owned(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_name_the_exact_field() {
        let root = Object::root(br#"{"a":{"b":[{"c":5}]},"n":-1,"t":3.5}"#).unwrap();
        let (path, raw) = root.object("a").unwrap().unwrap().list("b").unwrap().remove(0);
        let error = Object::read(raw, path).unwrap().text("c").unwrap_err();
        assert_eq!(error.param.as_deref(), Some("a.b[0].c"));
        assert_eq!(
            error.message,
            "a.b[0].c: invalid type: integer `5`, expected a string"
        );
        assert_eq!(root.count("n").unwrap_err().param.as_deref(), Some("n"));
        assert_eq!(root.count("t").unwrap_err().param.as_deref(), Some("t"));
    }

    #[test]
    fn a_whole_float_is_a_count_and_null_is_absent() {
        let root = Object::root(br#"{"a":100.0,"b":null,"c":[1]}"#).unwrap();
        assert_eq!(root.count("a").unwrap(), Some(100));
        assert_eq!(root.count("b").unwrap(), None);
        assert_eq!(
            Value::Object(root.unknown(&["a"]).unwrap()).to_string(),
            r#"{"c":[1]}"#
        );
    }
}

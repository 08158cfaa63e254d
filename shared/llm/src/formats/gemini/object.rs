//! Objects of a request. The API takes every name in camel case and in snake case, and, being JSON of protocol
//! buffers, whole numbers as `40.0` and as text.

use crate::error::DecodeError;
use crate::head::Head;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

#[derive(Debug)]
pub struct Object<'a> {
    head: Head<'a>,
    path: String,
}

// === impl Object ===

impl<'a> Object<'a> {
    pub fn root(body: &'a [u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            head: Head::read(body)?,
            path: String::new(),
        })
    }

    pub fn read(raw: &'a RawValue, path: String) -> Result<Self, DecodeError> {
        match Head::read(raw.get().as_bytes()) {
            Ok(head) => Ok(Self { head, path }),
            Err(_) => Err(fault(&path, "expected an object")),
        }
    }

    pub fn at(&self, name: &str) -> String {
        if self.path.is_empty() {
            return name.to_owned();
        }
        format!("{}.{name}", self.path)
    }

    /// A member by its name in camel case; `null` is the same as absent.
    pub fn raw(&self, name: &str) -> Option<&'a RawValue> {
        let mut named = self.head.members().filter(|(key, _)| is_same(key, name));
        let mut last = named.next()?.1;
        for (_, value) in named {
            last = value;
        }
        (last.get() != "null").then_some(last)
    }

    pub fn get<T: Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, DecodeError> {
        let read = |raw: &'a RawValue| serde_json::from_str(raw.get());
        let value = self.raw(name).map(read).transpose();
        value.map_err(|error| fault(&self.at(name), reason(&error)))
    }

    pub fn text(&self, name: &str) -> Result<Option<String>, DecodeError> {
        self.get(name)
    }

    /// A text that is there and not empty.
    pub fn required_text(&self, name: &str) -> Result<String, DecodeError> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| fault(&self.at(name), "is required"))
    }

    pub fn number(&self, name: &str) -> Result<Option<f64>, DecodeError> {
        let number = match self.get::<Value>(name)? {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        let number = number.filter(|number| number.is_finite());
        number
            .map(Some)
            .ok_or_else(|| fault(&self.at(name), "expected a number"))
    }

    pub fn integer(&self, name: &str) -> Result<Option<i64>, DecodeError> {
        let Some(number) = self.number(name)? else {
            return Ok(None);
        };
        // beyond 2^53 a number is not exact, and no field of the API goes there
        if number.fract() != 0.0 || number.abs() > 9e15 {
            return Err(fault(&self.at(name), "expected a whole number"));
        }
        Ok(Some(number as i64))
    }

    pub fn count(&self, name: &str) -> Result<Option<u64>, DecodeError> {
        let integer = self.integer(name)?;
        let count = integer.map(u64::try_from).transpose();
        count.map_err(|_| fault(&self.at(name), "must not be negative"))
    }

    pub fn object(&self, name: &str) -> Result<Option<Self>, DecodeError> {
        self.raw(name)
            .map(|raw| Self::read(raw, self.at(name)))
            .transpose()
    }

    /// The items of a list with their paths; one item alone stands for a list of it.
    pub fn list(&self, name: &str) -> Result<Vec<(String, &'a RawValue)>, DecodeError> {
        let Some(raw) = self.raw(name) else {
            return Ok(Vec::new());
        };
        let items = match raw.get().as_bytes().first() {
            Some(b'[') => self.get::<Vec<&RawValue>>(name)?.unwrap_or_default(),
            _ => vec![raw],
        };
        let path = self.at(name);
        let numbered = items.into_iter().enumerate();
        Ok(numbered.map(|(i, item)| (format!("{path}[{i}]"), item)).collect())
    }

    /// The members that are none of these.
    pub fn rest(&self, known: &[&str]) -> Map<String, Value> {
        let unknown = |(name, _): &(&str, &RawValue)| !known.iter().any(|known| is_same(name, known));
        let value = |(name, raw): (&str, &RawValue)| {
            let value = serde_json::from_str(raw.get()).ok()?;
            Some((name.to_owned(), value))
        };
        self.head.members().filter(unknown).filter_map(value).collect()
    }

    /// The names of the members that say something.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.head
            .members()
            .filter(|(_, raw)| raw.get() != "null")
            .map(|(name, _)| name)
    }

    pub fn value(&self) -> Value {
        Value::Object(self.rest(&[]))
    }
}

// === functions ===

pub fn fault(path: &str, what: impl AsRef<str>) -> DecodeError {
    DecodeError::at(path, format!("{path}: {}", what.as_ref()))
}

/// Whether a key is this camel case name, or the same in snake case.
pub fn is_same(key: &str, camel: &str) -> bool {
    if key == camel {
        return true;
    }
    let mut rest = key.chars();
    for c in camel.chars() {
        if c.is_ascii_uppercase() && (rest.next() != Some('_') || rest.next() != Some(c.to_ascii_lowercase()))
        {
            return false;
        }
        if !c.is_ascii_uppercase() && rest.next() != Some(c) {
            return false;
        }
    }
    rest.next().is_none()
}

/// The same JSON without whitespace between tokens; every token keeps its bytes.
pub fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let keep = |c: &char| {
        if !in_string {
            in_string = *c == '"';
            return !c.is_ascii_whitespace();
        }
        in_string = escaped || *c != '"';
        escaped = !escaped && *c == '\\';
        true
    };
    json.chars().filter(keep).collect()
}

/// The fault without its position inside a fragment the client never saw on its own.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_in_both_spellings() {
        for (key, camel, same) in [
            ("inlineData", "inlineData", true),
            ("inline_data", "inlineData", true),
            ("top_k", "topK", true),
            ("topk", "topK", false),
            ("top_k_", "topK", false),
            ("", "a", false),
            ("parameters_json_schema", "parametersJsonSchema", true),
        ] {
            assert_eq!(is_same(key, camel), same, "{key}");
        }
    }

    #[test]
    fn whole_numbers_come_in_three_spellings() {
        let object = Object::root(br#"{"a":40.0,"b":"40","c":40,"d":1.5,"e":-1}"#).unwrap();
        for name in ["a", "b", "c"] {
            assert_eq!(object.count(name).unwrap(), Some(40), "{name}");
        }
        assert_eq!(
            object.count("d").unwrap_err().message,
            "d: expected a whole number"
        );
        assert_eq!(object.count("e").unwrap_err().message, "e: must not be negative");
    }
}

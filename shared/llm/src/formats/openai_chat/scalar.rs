//! A JSON scalar of whatever type a compatible server chose for it: codes are numbers here and strings there,
//! counts are floats, ids are null. Reading never fails; an array or an object reads as nothing.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

#[derive(Debug, Clone, Default, PartialEq)]
pub enum Scalar<'a> {
    #[default]
    Nothing,
    Bool(bool),
    Count(u64),
    Number(f64),
    Text(Cow<'a, str>),
}

struct ScalarVisitor;

// === impl Scalar ===

impl<'a> Scalar<'a> {
    /// Text that is not empty.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// A whole number that is not negative, also as a float or as text.
    pub fn count(&self) -> Option<u64> {
        match self {
            Self::Count(n) => Some(*n),
            Self::Number(n) if *n >= 0.0 => Some(*n as u64),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Count(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_json_value_is_read() {
        for (json, text, count) in [
            ("null", None, None),
            ("true", None, None),
            ("7", None, Some(7)),
            ("7.0", None, Some(7)),
            ("-7", None, None),
            ("1e300", None, Some(u64::MAX)),
            ("\"7\"", Some("7"), Some(7)),
            ("\"\"", None, None),
            ("\"a\\n\"", Some("a\n"), None),
            ("[1,[2]]", None, None),
            ("{\"a\":{}}", None, None),
        ] {
            let scalar: Scalar<'_> = serde_json::from_str(json).unwrap();
            assert_eq!((scalar.text(), scalar.count()), (text, count), "{json}");
        }
    }
}

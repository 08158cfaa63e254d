//! Arguments of a call, which are an object here and the text of one in the neutral model.

use super::super::anthropic_messages::{json::compact, partial};
use crate::request::ToolArguments;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

/// What happened to arguments that were not simply an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Their text was JSON inside a JSON string.
    Unwrapped,
    /// Some other JSON value, now a member of an object.
    Wrapped,
    /// Not JSON: text that was cut off, or never was.
    Broken,
}

/// The text of what was sent, byte for byte but for white space.
pub fn text_of(raw: Option<&RawValue>) -> String {
    let Some(raw) = raw else { return "{}".to_owned() };
    let text = match serde_json::from_str::<String>(raw.get()) {
        Ok(text) => text,
        Err(_) => compact(raw.get()),
    };
    if matches!(text.trim(), "" | "null") {
        "{}".to_owned()
    } else {
        text
    }
}

/// The object to send to an upstream, where every text has to arrive somehow.
pub fn object_of(arguments: &ToolArguments) -> (Box<RawValue>, Option<Repair>) {
    repaired(arguments, |text| json!({ "raw_arguments": text }))
}

/// The object a client gets: of a call that was cut off, what can be read of it.
pub fn readable_object_of(arguments: &ToolArguments) -> Box<RawValue> {
    repaired(arguments, |text| {
        partial::object(text).unwrap_or_else(|| json!({}))
    })
    .0
}

fn repaired(arguments: &ToolArguments, broken: impl Fn(&str) -> Value) -> (Box<RawValue>, Option<Repair>) {
    let text = match arguments {
        ToolArguments::Freeform(text) => return (raw_of(&json!({ "input": text })), None),
        ToolArguments::Json(text) => text.trim(),
    };
    if text.is_empty() || text == "null" {
        return (raw_of(&json!({})), None);
    }
    let Ok(raw) = RawValue::from_string(text.to_owned()) else {
        return (raw_of(&broken(text)), Some(Repair::Broken));
    };
    if text.starts_with('{') {
        return (raw, None);
    }
    let inner = serde_json::from_str::<String>(text).ok();
    let inner = inner.filter(|inner| inner.trim_start().starts_with('{'));
    match inner.and_then(|inner| RawValue::from_string(inner).ok()) {
        Some(object) => (object, Some(Repair::Unwrapped)),
        None => (ToolArguments::wrapped(&raw), Some(Repair::Wrapped)),
    }
}

fn raw_of(value: &Value) -> Box<RawValue> {
    to_raw_value(value).expect("a JSON value always serialises")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_always_become_an_object() {
        for (text, object, repair) in [
            ("", "{}", None),
            ("null", "{}", None),
            (
                r#"{"b":1.0,"a":12345678901234567890123}"#,
                r#"{"b":1.0,"a":12345678901234567890123}"#,
                None,
            ),
            (r#""{\"a\":1}""#, r#"{"a":1}"#, Some(Repair::Unwrapped)),
            ("[1]", r#"{"value":[1]}"#, Some(Repair::Wrapped)),
            (
                r#"{"a":"x"#,
                r#"{"raw_arguments":"{\"a\":\"x"}"#,
                Some(Repair::Broken),
            ),
        ] {
            let (raw, how) = object_of(&ToolArguments::Json(text.to_owned()));
            assert_eq!((raw.get(), how), (object, repair), "{text}");
        }
        let cut = ToolArguments::Json(r#"{"a":"x"#.to_owned());
        assert_eq!(readable_object_of(&cut).get(), r#"{"a":"x"}"#);
        let free = ToolArguments::Freeform("go".to_owned());
        assert_eq!(readable_object_of(&free).get(), r#"{"input":"go"}"#);
    }

    #[test]
    fn the_text_of_an_object_keeps_its_tokens() {
        let text = |json: &str| text_of(Some(&RawValue::from_string(json.to_owned()).unwrap()));
        assert_eq!(text(r#"{ "b": 1.0, "a": "x y" }"#), r#"{"b":1.0,"a":"x y"}"#);
        assert_eq!(text(r#""{\"a\": 1}""#), r#"{"a": 1}"#);
        assert_eq!(text(r#""""#), "{}");
        assert_eq!(text_of(None), "{}");
    }
}

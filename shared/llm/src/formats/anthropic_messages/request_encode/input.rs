//! A call's arguments as the object that this API insists on.

use super::super::json::raw;
use crate::note::Notes;
use crate::request::ToolArguments;
use serde_json::Value;
use serde_json::value::RawValue;

/// An object keeps its bytes; what is not one is wrapped. `path` is where the call stands, for notes.
pub fn object(arguments: &ToolArguments, path: &str, notes: &mut Notes) -> Box<RawValue> {
    match arguments {
        ToolArguments::Json(text) => of_json(text, path, notes),
        ToolArguments::Freeform(text) => wrapped("input", &Value::from(text.as_str())),
    }
}

// === functions ===

fn of_json(text: &str, path: &str, notes: &mut Notes) -> Box<RawValue> {
    let text = text.trim();
    if text.is_empty() || text == "null" {
        return wrapped_nothing();
    }
    let Ok(json) = raw(text.to_owned()) else {
        notes.loss(path, "arguments are not JSON; sent as text");
        return wrapped("raw_arguments", &Value::from(text));
    };
    if text.starts_with('{') {
        return json;
    }
    // several servers encode the arguments twice
    let inner = serde_json::from_str::<String>(text).ok();
    if let Some(object) = inner
        .filter(|inner| inner.trim_start().starts_with('{'))
        .and_then(|inner| raw(inner).ok())
    {
        notes.info(path, "arguments were encoded twice");
        return object;
    }
    notes.info(path, "arguments are not an object; wrapped as value");
    raw(format!("{{\"value\":{text}}}")).unwrap_or_else(|_| wrapped_nothing())
}

fn wrapped(key: &str, value: &Value) -> Box<RawValue> {
    let object = Value::Object([(key.to_owned(), value.clone())].into_iter().collect());
    raw(object.to_string()).unwrap_or_else(|_| wrapped_nothing())
}

fn wrapped_nothing() -> Box<RawValue> {
    raw("{}".to_owned()).expect("an empty object is JSON")
}

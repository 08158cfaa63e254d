//! JSON Schemas as this API accepts them.
//!
//! A schema goes through verbatim unless the API would refuse it: one refused tool fails the whole request.

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Deeper than any schema a person writes; bounds the recursion on hostile ones.
const MAX_DEPTH: usize = 64;

/// Keywords that structured output does not enforce; the model reads them in the description instead.
const UNENFORCED: [&str; 13] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "minItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "pattern",
];

const COMBINATORS: [&str; 3] = ["anyOf", "oneOf", "allOf"];

/// The input schema of a tool, and words for its description when something had to be left out of the schema.
///
/// The API wants an object at the root, and neither a combinator nor a reference there.
pub fn tool_input(schema: Option<&RawValue>) -> (Cow<'_, RawValue>, Option<String>) {
    let Some(raw) = schema else {
        return (Cow::Owned(raw_of(&empty_object())), None);
    };
    let Ok(Value::Object(root)) = serde_json::from_str::<Value>(raw.get()) else {
        return (Cow::Owned(raw_of(&empty_object())), None);
    };
    let fits = root.get("type").is_some_and(|kind| kind == "object")
        && root.contains_key("properties")
        && !root.contains_key("$ref")
        && !COMBINATORS.iter().any(|key| root.contains_key(*key));
    if fits {
        return (Cow::Borrowed(raw), None);
    }
    let (fixed, hint) = object_at_root(root);
    (Cow::Owned(raw_of(&Value::Object(fixed))), hint)
}

/// The schema of a structured answer or of a strict tool: every object closed, unenforced keywords moved into descriptions.
pub fn answer(schema: &RawValue) -> Box<RawValue> {
    let Ok(mut value) = serde_json::from_str::<Value>(schema.get()) else {
        return schema.to_owned();
    };
    let before = value.clone();
    close(&mut value, MAX_DEPTH);
    if value == before {
        schema.to_owned()
    } else {
        raw_of(&value)
    }
}

// === functions ===

fn empty_object() -> Value {
    json!({"type": "object", "properties": {}})
}

fn raw_of(value: &Value) -> Box<RawValue> {
    to_raw_value(value).expect("a JSON value always serialises")
}

fn object_at_root(mut root: Map<String, Value>) -> (Map<String, Value>, Option<String>) {
    inline_root_reference(&mut root);
    let mut hint = None;
    for key in COMBINATORS {
        let Some(Value::Array(branches)) = root.shift_remove(key) else {
            continue;
        };
        if branches.iter().all(only_requires) {
            hint = Some(format!("Provide at least one of: {}", alternatives(&branches)));
        } else {
            merge(&mut root, &branches, key == "allOf");
            hint.get_or_insert_with(String::new);
        }
    }
    let mut fixed = Map::new();
    fixed.insert("type".to_owned(), json!("object"));
    fixed.insert("properties".to_owned(), json!({}));
    root.shift_remove("type");
    fixed.extend(root);
    (fixed, hint.filter(|hint| !hint.is_empty()))
}

/// `{"$ref": "#/$defs/X", "$defs": …}`, as schema generators write recursive types.
fn inline_root_reference(root: &mut Map<String, Value>) {
    let Some(Value::String(reference)) = root.shift_remove("$ref") else {
        return;
    };
    let Some(pointer) = reference.strip_prefix('#') else {
        return;
    };
    let whole = Value::Object(root.clone());
    let Some(Value::Object(target)) = whole.pointer(pointer) else {
        return;
    };
    for (key, value) in target {
        root.entry(key.clone()).or_insert_with(|| value.clone());
    }
}

fn only_requires(branch: &Value) -> bool {
    branch
        .as_object()
        .is_some_and(|branch| branch.keys().all(|key| key == "required" || key == "type"))
}

fn alternatives(branches: &[Value]) -> String {
    let required = |branch: &Value| {
        let names = branch.get("required").and_then(Value::as_array);
        let names: Vec<&str> = names.into_iter().flatten().filter_map(Value::as_str).collect();
        names.join(" and ")
    };
    branches
        .iter()
        .map(required)
        .filter(|names| !names.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Properties of all branches; required is what all branches demand, or any of them for `allOf`.
fn merge(root: &mut Map<String, Value>, branches: &[Value], every_branch_holds: bool) {
    let own = names(root.get("required"));
    let mut demanded: Option<Vec<String>> = None;
    for branch in branches {
        if let Some(properties) = branch.get("properties").and_then(Value::as_object) {
            let slot = root.entry("properties").or_insert_with(|| json!({}));
            if let Some(slot) = slot.as_object_mut() {
                for (name, schema) in properties {
                    slot.entry(name.clone()).or_insert_with(|| schema.clone());
                }
            }
        }
        let required = names(branch.get("required"));
        demanded = Some(match demanded {
            None => required,
            Some(mut so_far) if every_branch_holds => {
                so_far.extend(required);
                so_far
            }
            Some(so_far) => so_far
                .into_iter()
                .filter(|name| required.contains(name))
                .collect(),
        });
    }
    let mut all = own;
    for name in demanded.unwrap_or_default() {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    if !all.is_empty() {
        root.insert("required".to_owned(), json!(all));
    }
}

fn names(required: Option<&Value>) -> Vec<String> {
    let names = required.and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Walks by keyword, never by bare key: a property may itself be called `pattern`.
fn close(schema: &mut Value, depth: usize) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if depth == 0 {
        return;
    }
    describe_unenforced(object);
    let is_object =
        object.get("type").is_some_and(|kind| kind == "object") || object.contains_key("properties");
    if is_object {
        object.insert("additionalProperties".to_owned(), json!(false));
    }
    for key in ["properties", "$defs", "definitions"] {
        let children = object.get_mut(key).and_then(Value::as_object_mut);
        children
            .into_iter()
            .flat_map(|map| map.values_mut())
            .for_each(|child| close(child, depth - 1));
    }
    for key in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        let children = object.get_mut(key).and_then(Value::as_array_mut);
        children
            .into_iter()
            .flatten()
            .for_each(|child| close(child, depth - 1));
    }
    if let Some(items) = object.get_mut("items") {
        close(items, depth - 1);
    }
}

fn describe_unenforced(object: &mut Map<String, Value>) {
    let mut moved = Vec::new();
    for key in UNENFORCED {
        // a list must have a schema of its own to be a keyword's value here; 0 and 1 are enforced
        let enforced = key == "minItems" && object.get(key).is_some_and(|n| *n == 0 || *n == 1);
        if enforced {
            continue;
        }
        if let Some(value) = object.shift_remove(key) {
            moved.push(format!("{key}: {value}"));
        }
    }
    if moved.is_empty() {
        return;
    }
    let hint = moved.join(", ");
    let description = match object.get("description").and_then(Value::as_str) {
        Some(text) => format!("{text} ({hint})"),
        None => hint,
    };
    object.insert("description".to_owned(), Value::String(description));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(schema: &str) -> (Value, Option<String>) {
        let raw = RawValue::from_string(schema.to_owned()).unwrap();
        let (fixed, hint) = tool_input(Some(&raw));
        (serde_json::from_str(fixed.get()).unwrap(), hint)
    }

    #[test]
    fn a_fitting_schema_keeps_its_bytes() {
        let text = r#"{"type":"object", "properties":{"n":{"const":12345678901234567890123}}}"#;
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        assert_eq!(tool_input(Some(&raw)).0.get(), text);
    }

    #[test]
    fn a_tool_without_parameters_takes_an_empty_object() {
        assert_eq!(tool_input(None).0.get(), r#"{"type":"object","properties":{}}"#);
        for schema in ["{}", r#"{"type":"object"}"#, "true", "null", "[]"] {
            assert_eq!(input(schema).0, empty_object(), "{schema}");
        }
    }

    #[test]
    fn alternatives_of_required_become_words() {
        let (fixed, hint) = input(
            r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"anyOf":[{"type":"string"}]}},
                "anyOf":[{"required":["a"]},{"required":["b"]}]}"#,
        );
        assert_eq!(
            fixed,
            json!({"type":"object","properties":{"a":{"type":"string"},"b":{"anyOf":[{"type":"string"}]}}})
        );
        assert_eq!(hint.unwrap(), "Provide at least one of: a, b");
    }

    #[test]
    fn branches_of_objects_are_merged() {
        let (one, _) = input(
            r#"{"oneOf":[{"properties":{"a":{},"k":{}},"required":["a","k"]},{"properties":{"b":{}},"required":["k"]}]}"#,
        );
        assert_eq!(
            one,
            json!({"type":"object","properties":{"a":{},"k":{},"b":{}},"required":["k"]})
        );
        let (all, _) = input(
            r#"{"type":"object","allOf":[{"properties":{"a":{}},"required":["a"]},{"properties":{"b":{}},"required":["b"]}]}"#,
        );
        assert_eq!(
            all,
            json!({"type":"object","properties":{"a":{},"b":{}},"required":["a","b"]})
        );
    }

    #[test]
    fn a_reference_at_the_root_is_inlined() {
        let (fixed, _) =
            input(r##"{"$ref":"#/$defs/T","$defs":{"T":{"type":"object","properties":{"x":{}}}}}"##);
        assert_eq!(fixed["properties"], json!({"x":{}}));
        assert!(fixed.get("$ref").is_none());
    }

    #[test]
    fn answers_are_closed_and_property_names_survive() {
        let raw = RawValue::from_string(
            r#"{"type":"object","properties":{"pattern":{"type":"string","maxLength":5,"description":"p"},
                "list":{"type":"array","minItems":1,"items":{"type":"object","properties":{}}}}}"#
                .to_owned(),
        )
        .unwrap();
        let fixed: Value = serde_json::from_str(answer(&raw).get()).unwrap();
        assert_eq!(
            fixed,
            json!({
                "type":"object",
                "properties":{
                    "pattern":{"type":"string","description":"p (maxLength: 5)"},
                    "list":{"type":"array","minItems":1,"items":{"type":"object","properties":{},"additionalProperties":false}}
                },
                "additionalProperties":false
            })
        );
        assert_eq!(answer(&raw_of(&fixed)).get(), raw_of(&fixed).get(), "idempotent");
    }
}

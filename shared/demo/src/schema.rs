//! A value that satisfies a JSON Schema, for tool arguments and structured output. Always the same for the same
//! schema and hint.

use serde_json::{Map, Value, json};

/// Deep enough for any schema a person writes; a schema that refers to itself ends here.
const MAX_DEPTH: usize = 12;

/// `hint` becomes the value of free strings.
pub fn of(schema: &Value, hint: &str) -> Value {
    sample(schema, schema, hint, 0)
}

fn sample(schema: &Value, root: &Value, hint: &str, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(first) = schema.get("enum").and_then(|values| values.get(0)) {
        return first.clone();
    }
    if let Some(pointer) = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|r| r.strip_prefix('#'))
    {
        return root
            .pointer(pointer)
            .map_or(Value::Null, |target| sample(target, root, hint, depth + 1));
    }
    for branches in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(branches).and_then(|values| values.get(0)) {
            return sample(first, root, hint, depth + 1);
        }
    }
    let kind = schema
        .get("type")
        .map(|kind| kind.get(0).unwrap_or(kind))
        .and_then(Value::as_str);
    match kind {
        Some("string") => json!(hint),
        Some("integer") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("number") => schema.get("minimum").cloned().unwrap_or(json!(1.5)),
        Some("boolean") => json!(true),
        Some("array") => {
            let item = schema
                .get("items")
                .map_or(json!(hint), |items| sample(items, root, hint, depth + 1));
            json!([item])
        }
        Some("null") => Value::Null,
        _ => object(schema, root, hint, depth),
    }
}

/// Required properties; all of them where the schema does not say which are.
fn object(schema: &Value, root: &Value, hint: &str, depth: usize) -> Value {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return json!({});
    };
    let required = schema.get("required").and_then(Value::as_array);
    let wanted = |name: &String| required.is_none_or(|names| names.iter().any(|n| n.as_str() == Some(name)));
    let filled = properties
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, property)| (name.clone(), sample(property, root, hint, depth + 1)))
        .collect::<Map<_, _>>();
    Value::Object(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_properties_are_filled_and_references_followed() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"$ref": "#/$defs/days"},
                "unit": {"enum": ["celsius", "kelvin"]},
                "note": {"type": "string"},
            },
            "required": ["city", "days", "unit"],
            "$defs": {"days": {"type": "array", "items": {"type": "integer", "minimum": 2}}},
        });
        assert_eq!(
            of(&schema, "Paris"),
            json!({"city": "Paris", "days": [2], "unit": "celsius"})
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(of(&schema, "x").is_object());
    }
}

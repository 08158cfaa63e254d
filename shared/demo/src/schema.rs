//! JSON Schema: a value that satisfies one, for tool arguments and structured output, and the form vendors ask of
//! schemas they promise to follow.

use serde_json::{Map, Value, json};

/// Deep enough for any schema a person writes; a schema that refers to itself ends here.
const MAX_DEPTH: usize = 12;

/// Always the same for the same schema and hint, which becomes the value of free strings.
pub fn sample(schema: &Value, hint: &str) -> Value {
    value(schema, schema, hint, 0)
}

/// Whether every object names all it may hold, which vendors ask of a schema they enforce.
pub fn is_closed(schema: &Value) -> bool {
    match schema {
        Value::Array(items) => items.iter().all(is_closed),
        Value::Object(fields) => {
            let open = schema["type"] == "object" && schema["additionalProperties"] != false;
            !open && fields.values().all(is_closed)
        }
        _ => true,
    }
}

fn value(schema: &Value, root: &Value, hint: &str, depth: usize) -> Value {
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
            .map_or(Value::Null, |target| value(target, root, hint, depth + 1));
    }
    for branches in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(branches).and_then(|values| values.get(0)) {
            return value(first, root, hint, depth + 1);
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
                .map_or(json!(hint), |items| value(items, root, hint, depth + 1));
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
        .map(|(name, property)| (name.clone(), value(property, root, hint, depth + 1)))
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
            sample(&schema, "Paris"),
            json!({"city": "Paris", "days": [2], "unit": "celsius"})
        );
    }

    #[test]
    fn a_closed_schema_is_closed_all_the_way_down() {
        let inner = json!({"type": "object", "properties": {}});
        let outer =
            |inner| json!({"type": "object", "additionalProperties": false, "properties": {"a": inner}});
        assert!(is_closed(&outer(json!({"type": "string"}))));
        assert!(!is_closed(&outer(inner.clone())));
        assert!(!is_closed(&inner));
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(sample(&schema, "x").is_object());
    }
}

//! What the vendor asks of a schema in its own dialect, beyond the names it knows.

use serde_json::Value;

/// The schema in JSON Schema's words, or what is wrong and where.
pub fn read(schema: &Value, place: &str) -> Result<Value, String> {
    check(schema, place)?;
    Ok(lower(schema))
}

fn check(schema: &Value, place: &str) -> Result<(), String> {
    let kind = schema["type"].as_str().unwrap_or_default();
    if let Some(values) = schema["enum"].as_array() {
        if kind != "STRING" {
            return Err(format!(
                "* GenerateContentRequest.{place}.enum: only allowed for STRING type\n"
            ));
        }
        if let Some(n) = values.iter().position(|value| value == "") {
            return Err(format!(
                "* GenerateContentRequest.{place}.enum[{n}]: cannot be empty\n"
            ));
        }
    }
    if let Some(format) = schema["format"].as_str().filter(|_| kind == "STRING")
        && !matches!(format, "enum" | "date-time")
    {
        return Err(format!(
            "* GenerateContentRequest.{place}.format: only 'enum' and 'date-time' are supported for STRING type\n"
        ));
    }
    if kind == "ARRAY" && schema["items"].is_null() {
        return Err(format!(
            "* GenerateContentRequest.{place}.items: missing field.\n"
        ));
    }
    let properties = &schema["properties"];
    for (n, name) in schema["required"].as_array().into_iter().flatten().enumerate() {
        if name.as_str().is_none_or(|name| properties.get(name).is_none()) {
            return Err(format!(
                "* GenerateContentRequest.{place}.required[{n}]: property is not defined\n"
            ));
        }
    }
    for (name, property) in properties.as_object().into_iter().flatten() {
        check(property, &format!("{place}.properties[{name}]"))?;
    }
    for (n, branch) in schema["anyOf"].as_array().into_iter().flatten().enumerate() {
        check(branch, &format!("{place}.any_of[{n}]"))?;
    }
    if !schema["items"].is_null() {
        check(&schema["items"], &format!("{place}.items"))?;
    }
    Ok(())
}

fn lower(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(kind) = schema["type"].as_str() {
        schema["type"] = Value::String(kind.to_lowercase());
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for property in properties.values_mut() {
            *property = lower(property);
        }
    }
    if let Some(branches) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        for branch in branches {
            *branch = lower(branch);
        }
    }
    if let Some(items) = schema.get_mut("items") {
        *items = lower(items);
    }
    schema
}

//! JSON Schema for models that read it: only what they are known to refuse goes.

use super::{MAX_DEPTH, MAX_NODES, TooLarge};
use serde_json::{Map, Value};
use std::collections::HashSet;

pub fn trim(mut schema: Value) -> Result<Value, TooLarge> {
    let mut nodes = 0;
    walk(&mut schema, 0, &mut nodes)?;
    Ok(schema)
}

fn walk(schema: &mut Value, depth: usize, nodes: &mut usize) -> Result<(), TooLarge> {
    *nodes += 1;
    if depth > MAX_DEPTH || *nodes > MAX_NODES {
        return Err(TooLarge);
    }
    let Value::Object(schema) = schema else {
        return Ok(());
    };
    schema.retain(|keyword, _| !is_refused(keyword));
    trim_enum(schema);
    trim_required(schema);
    for (keyword, value) in schema.iter_mut() {
        match (keyword.as_str(), value) {
            ("properties" | "$defs" | "definitions" | "patternProperties", Value::Object(members)) => {
                members
                    .values_mut()
                    .try_for_each(|member| walk(member, depth + 1, nodes))?;
            }
            (
                "items"
                | "additionalProperties"
                | "not"
                | "if"
                | "then"
                | "else"
                | "contains"
                | "propertyNames",
                value,
            ) if value.is_object() => {
                walk(value, depth + 1, nodes)?;
            }
            ("items" | "prefixItems" | "anyOf" | "oneOf" | "allOf", Value::Array(members)) => {
                members
                    .iter_mut()
                    .try_for_each(|member| walk(member, depth + 1, nodes))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_refused(keyword: &str) -> bool {
    matches!(keyword, "$schema" | "$id" | "$comment") || keyword.starts_with("x-")
}

fn trim_enum(schema: &mut Map<String, Value>) {
    let Some(Value::Array(members)) = schema.get_mut("enum") else {
        return;
    };
    members.retain(|member| member.as_str() != Some(""));
    if members.is_empty() {
        schema.remove("enum");
    }
}

fn trim_required(schema: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return;
    };
    let known: HashSet<String> = properties.keys().cloned().collect();
    let Some(Value::Array(required)) = schema.get_mut("required") else {
        return;
    };
    required.retain(|name| name.as_str().is_some_and(|name| known.contains(name)));
    if required.is_empty() {
        schema.remove("required");
    }
}

//! JSON Schemas as this API takes them.
//!
//! Newer models read JSON Schema itself and only trip over a few keywords; older ones, and servers that imitate
//! the API, know the OpenAPI subset of the vendor's `Schema` type and refuse a request over a single unknown key.
//! Both walks go by the position of a keyword, never by its bare name: a property may be called `pattern`.

mod branch;
mod refs;
mod subset;
mod trim;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// How deep a schema may nest, and how many schemas it may contain once references are resolved.
const MAX_DEPTH: usize = 64;
const MAX_NODES: usize = 10_000;

/// A schema that is too deep or too big to be sent; a chain of references can make it arbitrarily big.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

/// What a model's schemas are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    JsonSchema,
    OpenApiSubset,
}

/// The schema of an answer.
pub fn answer(schema: &RawValue, language: Language) -> Result<Value, TooLarge> {
    let schema = parse(schema)?;
    match language {
        Language::JsonSchema => trim::trim(schema),
        Language::OpenApiSubset => subset::clean(schema),
    }
}

/// The schema of a tool's arguments; `None` when it takes none, which the API wants said by saying nothing.
pub fn arguments(schema: Option<&RawValue>, language: Language) -> Result<Option<Value>, TooLarge> {
    let Some(schema) = schema.filter(|schema| schema.get() != "null") else {
        return Ok(None);
    };
    let mut schema = match answer(schema, language)? {
        Value::Object(schema) => schema,
        _ => return Ok(None),
    };
    if language == Language::OpenApiSubset {
        schema = one_object(schema);
    }
    let has = |key: &str| schema.contains_key(key);
    let refers = [
        "$ref",
        "anyOf",
        "oneOf",
        "allOf",
        "additionalProperties",
        "patternProperties",
    ];
    if !has("properties") && !refers.into_iter().any(has) {
        return Ok(None);
    }
    if has("properties") && !has("type") {
        schema.insert("type".to_owned(), "object".into());
    }
    Ok(Some(Value::Object(schema)))
}

/// The types of the API's own enumeration in lower case, which is how everybody else writes them.
pub fn with_lower_case_types(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    match schema.get_mut("type") {
        Some(Value::String(name)) => name.make_ascii_lowercase(),
        Some(Value::Array(names)) => names.iter_mut().for_each(|name| {
            if let Value::String(name) = name {
                name.make_ascii_lowercase();
            }
        }),
        _ => {}
    }
    for (keyword, value) in schema.iter_mut() {
        match (keyword.as_str(), value) {
            ("properties" | "$defs" | "definitions" | "patternProperties", Value::Object(members)) => {
                members.values_mut().for_each(with_lower_case_types);
            }
            ("items" | "additionalProperties" | "not", value @ Value::Object(_)) => {
                with_lower_case_types(value)
            }
            ("items" | "anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(members)) => {
                members.iter_mut().for_each(with_lower_case_types);
            }
            _ => {}
        }
    }
}

/// The parser refuses what nests deeper than itself can go.
fn parse(schema: &RawValue) -> Result<Value, TooLarge> {
    serde_json::from_str(schema.get()).map_err(|_| TooLarge)
}

/// Arguments are one object: alternatives at the root become the object that allows any of them.
fn one_object(mut schema: Map<String, Value>) -> Map<String, Value> {
    let Some(Value::Array(branches)) = schema.remove("anyOf") else {
        return schema;
    };
    let mut required: Option<Vec<Value>> = None;
    let mut properties = Map::new();
    for branch in &branches {
        for (name, property) in branch["properties"].as_object().into_iter().flatten() {
            properties.entry(name.clone()).or_insert_with(|| property.clone());
        }
        let own = branch["required"].as_array().cloned().unwrap_or_default();
        required = Some(match required {
            None => own,
            Some(all) => all.into_iter().filter(|name| own.contains(name)).collect(),
        });
    }
    schema.insert("type".to_owned(), "object".into());
    if !properties.is_empty() {
        schema.insert("properties".to_owned(), properties.into());
    }
    if let Some(required) = required.filter(|required| !required.is_empty()) {
        schema.insert("required".to_owned(), required.into());
    }
    schema
}

#[cfg(test)]
mod tests;

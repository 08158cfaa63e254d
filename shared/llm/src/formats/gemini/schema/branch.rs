//! Combinators: `allOf`, `oneOf`, `anyOf` and lists of types, brought down to one `anyOf` or none.

use super::TooLarge;
use super::refs::{Refs, size};
use serde_json::{Map, Value, json};
use std::mem;

/// Keywords that say what a value looks like. Beside `anyOf` the API refuses them, so they go into the branches.
const STRUCTURAL: [&str; 5] = ["type", "properties", "required", "items", "enum"];

/// Resolves references and combinators of one node. Afterwards it has a scalar `type` or none, and at most an
/// `anyOf` of at least two branches, beside which nothing structural stands.
pub fn flatten(node: &mut Map<String, Value>, refs: &mut Refs) -> Result<(), TooLarge> {
    loop {
        refs.resolve(node)?;
        if let Some(Value::Array(parts)) = node.remove("allOf") {
            for part in parts {
                if let Value::Object(part) = part {
                    merge(node, part);
                    refs.resolve(node)?;
                }
            }
            continue;
        }
        if let Some(Value::Array(branches)) = node.remove("oneOf") {
            match node.get_mut("anyOf") {
                Some(Value::Array(all)) => all.extend(branches),
                _ => drop(node.insert("anyOf".to_owned(), branches.into())),
            }
        }
        if let Some(only) = node.remove("const") {
            node.insert("enum".to_owned(), json!([only]));
        }
        split_types(node);
        let Some(Value::Array(mut branches)) = node.remove("anyOf") else {
            return Ok(());
        };
        let before = branches.len();
        branches.retain(|branch| !is_null(branch));
        if branches.len() < before {
            node.insert("nullable".to_owned(), true.into());
        }
        if branches.len() > 1 {
            push_down(node, &mut branches, refs)?;
            node.insert("anyOf".to_owned(), branches.into());
            return Ok(());
        }
        if let Some(Value::Object(only)) = branches.pop() {
            merge(node, only);
        }
    }
}

/// `from` fills in what `node` does not say itself.
pub fn merge(node: &mut Map<String, Value>, from: Map<String, Value>) {
    for (keyword, value) in from {
        match (node.get_mut(&keyword), value) {
            (Some(Value::Object(own)), Value::Object(more)) if keyword == "properties" => {
                for (name, property) in more {
                    own.entry(name).or_insert(property);
                }
            }
            (Some(Value::Array(own)), Value::Array(more))
                if matches!(keyword.as_str(), "required" | "allOf") =>
            {
                for item in more {
                    if !own.contains(&item) {
                        own.push(item);
                    }
                }
            }
            (Some(_), _) => {}
            (None, value) => drop(node.insert(keyword, value)),
        }
    }
}

/// `{"type": ["string", "null"]}` says `nullable`; several real types are alternatives.
fn split_types(node: &mut Map<String, Value>) {
    let Some(Value::Array(_)) = node.get("type") else {
        return;
    };
    let Some(Value::Array(types)) = node.remove("type") else {
        return;
    };
    let mut names: Vec<String> = Vec::new();
    for name in types
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_ascii_lowercase)
    {
        if name == "null" {
            node.insert("nullable".to_owned(), true.into());
        } else if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() < 2 {
        if let Some(name) = names.pop() {
            node.insert("type".to_owned(), name.into());
        }
        return;
    }
    if node.contains_key("anyOf") {
        return;
    }
    let mut own = Map::new();
    for keyword in ["properties", "required", "items", "enum"] {
        if let Some(value) = node.remove(keyword) {
            own.insert(keyword.to_owned(), value);
        }
    }
    let branch = |name: String| {
        let fitting: &[&str] = match name.as_str() {
            "object" => &["properties", "required"],
            "array" => &["items"],
            "string" => &["enum"],
            _ => &[],
        };
        let mut branch = Map::new();
        branch.insert("type".to_owned(), name.into());
        for keyword in fitting {
            if let Some(value) = own.get(*keyword) {
                branch.insert((*keyword).to_owned(), value.clone());
            }
        }
        Value::Object(branch)
    };
    let branches: Vec<Value> = names.into_iter().map(branch).collect();
    node.insert("anyOf".to_owned(), branches.into());
}

fn push_down(node: &mut Map<String, Value>, branches: &mut [Value], refs: &mut Refs) -> Result<(), TooLarge> {
    let mut shared = Map::new();
    for keyword in STRUCTURAL {
        if let Some(value) = node.remove(keyword) {
            shared.insert(keyword.to_owned(), value);
        }
    }
    if shared.is_empty() {
        return Ok(());
    }
    let each: usize = shared.values().map(size).sum();
    refs.pay(each.saturating_mul(branches.len()))?;
    for branch in branches {
        if let Value::Object(branch) = branch {
            merge(branch, shared.clone());
        } else if *branch == Value::Bool(true) {
            *branch = Value::Object(shared.clone());
        }
    }
    Ok(())
}

fn is_null(branch: &Value) -> bool {
    branch["type"] == "null"
        || branch["type"] == "NULL"
        || branch.get("const") == Some(&Value::Null)
        || branch.get("enum") == Some(&json!([null]))
}

/// The branches of a cleaned `anyOf`: alternatives inside alternatives are simply more of them.
pub fn spliced(branches: Vec<Value>, nullable: &mut bool) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::with_capacity(branches.len());
    for mut branch in branches {
        let inner = match branch.get_mut("anyOf") {
            Some(Value::Array(inner)) => mem::take(inner),
            _ => {
                if !all.contains(&branch) {
                    all.push(branch);
                }
                continue;
            }
        };
        *nullable |= branch["nullable"] == true;
        for branch in inner {
            if !all.contains(&branch) {
                all.push(branch);
            }
        }
    }
    all
}

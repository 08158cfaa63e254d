//! The OpenAPI subset of the vendor's `Schema` type. Whatever it cannot say and a model can still read moves into
//! the description. Cleaning what is clean changes nothing.

use super::branch::{flatten, merge, spliced};
use super::refs::Refs;
use super::{MAX_DEPTH, MAX_NODES, TooLarge};
use serde_json::{Map, Number, Value, json};

type Node = Map<String, Value>;

struct Cleaner {
    refs: Refs,
    nodes: usize,
}

pub fn clean(schema: Value) -> Result<Value, TooLarge> {
    let mut cleaner = Cleaner {
        refs: Refs::new(schema.clone()),
        nodes: 0,
    };
    let cleaned = cleaner.schema(schema, 0)?;
    Ok(cleaned.unwrap_or_else(|| json!({"type": "object"})))
}

// === impl Cleaner ===

impl Cleaner {
    /// `None`: nothing can ever match, so the place itself goes.
    fn schema(&mut self, schema: Value, depth: usize) -> Result<Option<Value>, TooLarge> {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(TooLarge);
        }
        let mut node = match schema {
            Value::Object(node) => node,
            Value::Bool(false) => return Ok(None),
            _ => return Ok(Some(json!({"type": "string"}))),
        };
        let open = self.refs.depth();
        flatten(&mut node, &mut self.refs)?;
        let cleaned = match node.remove("anyOf") {
            Some(Value::Array(branches)) => self.alternatives(node, branches, depth)?,
            _ => Some(self.plain(node, depth)?),
        };
        self.refs.close_to(open);
        Ok(cleaned)
    }

    fn alternatives(
        &mut self,
        node: Node,
        branches: Vec<Value>,
        depth: usize,
    ) -> Result<Option<Value>, TooLarge> {
        let mut cleaned = Vec::with_capacity(branches.len());
        for branch in branches {
            cleaned.extend(self.schema(branch, depth + 1)?);
        }
        let mut out = Node::new();
        let mut nullable = node.get("nullable") == Some(&Value::Bool(true));
        let mut all = spliced(cleaned, &mut nullable);
        keep_texts(&node, &mut out);
        if nullable {
            out.insert("nullable".to_owned(), true.into());
        }
        match all.len() {
            0 => return Ok(None),
            1 => {
                if let Some(Value::Object(only)) = all.pop() {
                    merge(&mut out, only);
                }
            }
            _ => drop(out.insert("anyOf".to_owned(), all.into())),
        }
        Ok(Some(Value::Object(out)))
    }

    fn plain(&mut self, mut node: Node, depth: usize) -> Result<Value, TooLarge> {
        let mut out = Node::new();
        let kind = kind(&node);
        if node
            .get("type")
            .and_then(Value::as_str)
            .is_some_and(|name| name.eq_ignore_ascii_case("null"))
        {
            node.insert("nullable".to_owned(), true.into());
        }
        out.insert("type".to_owned(), kind.into());
        keep_texts(&node, &mut out);
        if allows_null(&node) {
            out.insert("nullable".to_owned(), true.into());
        }
        match kind {
            "object" => self.object(&mut node, &mut out, depth)?,
            "array" => self.array(&mut node, &mut out, depth)?,
            "string" => string(&node, &mut out),
            "integer" | "number" => number(kind, &node, &mut out),
            _ => {}
        }
        if kind != "string" {
            describe_enum(&node, &mut out);
        }
        Ok(Value::Object(out))
    }

    fn object(&mut self, node: &mut Node, out: &mut Node, depth: usize) -> Result<(), TooLarge> {
        let Some(Value::Object(properties)) = node.remove("properties") else {
            return Ok(());
        };
        let mut kept = Node::new();
        for (name, property) in properties {
            if let Some(property) = self.schema(property, depth + 1)? {
                kept.insert(name, property);
            }
        }
        for list in ["required", "propertyOrdering"] {
            let mut names = match node.remove(list) {
                Some(Value::Array(names)) => names,
                _ => continue,
            };
            names.retain(|name| name.as_str().is_some_and(|name| kept.contains_key(name)));
            let mut unique: Vec<Value> = Vec::with_capacity(names.len());
            for name in names {
                if !unique.contains(&name) {
                    unique.push(name);
                }
            }
            if !unique.is_empty() {
                out.insert(list.to_owned(), unique.into());
            }
        }
        if !kept.is_empty() {
            out.insert("properties".to_owned(), kept.into());
        }
        Ok(())
    }

    fn array(&mut self, node: &mut Node, out: &mut Node, depth: usize) -> Result<(), TooLarge> {
        let items = match (node.remove("items"), node.remove("prefixItems")) {
            (Some(Value::Array(members)), _) | (_, Some(Value::Array(members))) => {
                json!({ "anyOf": members })
            }
            (Some(items), _) => items,
            (None, _) => Value::Bool(true),
        };
        let items = self.schema(items, depth + 1)?;
        out.insert(
            "items".to_owned(),
            items.unwrap_or_else(|| json!({"type": "string"})),
        );
        keep_counts(["minItems", "maxItems"], node, out);
        Ok(())
    }
}

// === functions ===

/// The type as the node says it, else as its keywords suggest it.
fn kind(node: &Node) -> &'static str {
    let named = node.get("type").and_then(Value::as_str).unwrap_or_default();
    for kind in ["object", "array", "string", "integer", "number", "boolean"] {
        if named.eq_ignore_ascii_case(kind) {
            return kind;
        }
    }
    let has = |keyword| node.contains_key(keyword);
    if has("properties") {
        return "object";
    }
    if has("items") || has("prefixItems") {
        return "array";
    }
    let first = node.get("enum").and_then(Value::as_array);
    match first.and_then(|members| members.iter().find(|member| !member.is_null())) {
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Number(number)) if number.is_f64() => "number",
        Some(Value::Number(_)) => "integer",
        _ => "string",
    }
}

fn keep_texts(node: &Node, out: &mut Node) {
    for keyword in ["title", "description"] {
        if let Some(text @ Value::String(_)) = node.get(keyword) {
            out.insert(keyword.to_owned(), text.clone());
        }
    }
}

fn keep_counts(keywords: [&str; 2], node: &Node, out: &mut Node) {
    for keyword in keywords {
        if let Some(count) = node.get(keyword).and_then(count) {
            out.insert(keyword.to_owned(), count.into());
        }
    }
}

/// `3` or `3.0`.
fn count(value: &Value) -> Option<u64> {
    let whole =
        |number: f64| (number >= 0.0 && number.fract() == 0.0 && number < 1e15).then_some(number as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(whole))
}

fn allows_null(node: &Node) -> bool {
    let in_enum = node.get("enum").and_then(Value::as_array);
    node.get("nullable") == Some(&Value::Bool(true))
        || in_enum.is_some_and(|members| members.iter().any(Value::is_null))
}

fn describe(out: &mut Node, text: &str) {
    match out.get_mut("description") {
        Some(Value::String(own)) if own.is_empty() => own.push_str(text),
        Some(Value::String(own)) => {
            own.push_str(". ");
            own.push_str(text);
        }
        _ => drop(out.insert("description".to_owned(), text.into())),
    }
}

fn string(node: &Node, out: &mut Node) {
    if let Some(Value::Array(members)) = node.get("enum") {
        let mut kept: Vec<Value> = Vec::with_capacity(members.len());
        for member in members {
            if member.as_str().is_some_and(|text| !text.is_empty()) && !kept.contains(member) {
                kept.push(member.clone());
            }
        }
        if !kept.is_empty() {
            out.insert("enum".to_owned(), kept.into());
        }
    }
    keep_format(node, &["enum", "date-time"], out);
    keep_counts(["minLength", "maxLength"], node, out);
    if let Some(pattern @ Value::String(_)) = node.get("pattern") {
        out.insert("pattern".to_owned(), pattern.clone());
    }
}

/// The type decides what the client's code receives, so it stays and the list of values becomes text.
fn describe_enum(node: &Node, out: &mut Node) {
    let Some(Value::Array(members)) = node.get("enum") else {
        return;
    };
    let values: Vec<String> = members
        .iter()
        .filter(|member| !member.is_null())
        .map(Value::to_string)
        .collect();
    if !values.is_empty() {
        describe(out, &format!("Allowed values: {}", values.join(", ")));
    }
}

fn keep_format(node: &Node, known: &[&str], out: &mut Node) {
    match node.get("format") {
        Some(Value::String(format)) if known.contains(&format.as_str()) => {
            out.insert("format".to_owned(), format.as_str().into());
        }
        Some(Value::String(format)) if !format.is_empty() => describe(out, &format!("Format: {format}")),
        _ => {}
    }
}

fn number(kind: &str, node: &Node, out: &mut Node) {
    let formats: &[&str] = match kind {
        "integer" => &["int32", "int64"],
        _ => &["float", "double"],
    };
    keep_format(node, formats, out);
    for (bound, exclusive, step, word) in [
        ("minimum", "exclusiveMinimum", 1.0, "greater"),
        ("maximum", "exclusiveMaximum", -1.0, "less"),
    ] {
        let own = node.get(bound).filter(|value| value.is_number());
        let open = match node.get(exclusive) {
            // as JSON Schema draft 4 says it
            Some(Value::Bool(true)) => own,
            Some(value) if value.is_number() => Some(value),
            _ => None,
        };
        let Some(open) = open else {
            out.extend(own.map(|own| (bound.to_owned(), own.clone())));
            continue;
        };
        let mut limit = open.clone();
        if kind == "integer" {
            limit = next_integer(open, step);
        } else {
            describe(out, &format!("Must be {word} than {open}"));
        }
        if let Some(own) = own {
            limit = tighter(own, limit, step);
        }
        out.insert(bound.to_owned(), limit);
    }
}

fn next_integer(open: &Value, step: f64) -> Value {
    if let Some(exact) = open.as_i64().and_then(|n| n.checked_add(step as i64)) {
        return exact.into();
    }
    let limit = open.as_f64().unwrap_or_default();
    let next = if step > 0.0 { limit.floor() } else { limit.ceil() } + step;
    if next.abs() < 9e15 {
        return (next as i64).into();
    }
    Number::from_f64(next).map_or_else(|| open.clone(), Value::Number)
}

fn tighter(a: &Value, b: Value, step: f64) -> Value {
    let (x, y) = (a.as_f64().unwrap_or_default(), b.as_f64().unwrap_or_default());
    if (x - y) * step > 0.0 { a.clone() } else { b }
}

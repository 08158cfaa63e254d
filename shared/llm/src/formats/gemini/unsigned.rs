//! Calls that a client brings back without their signature, in a request that otherwise passes through untouched.
//!
//! The newest models refuse the whole request over them. The vendor's documentation says what to send instead where a
//! signature is lost; that, and only in the first call of each step since the user's last words, is put in.

use super::object::Object;
use super::signature;
use memchr::memmem;
use serde_json::value::RawValue;

const CALLS: [&[u8]; 2] = [b"functionCall", b"function_call"];

/// Whether it is worth looking closer; a search, no parsing.
pub fn suspected(body: &[u8]) -> bool {
    CALLS.iter().any(|name| memmem::find(body, name).is_some())
}

/// The contents with every such call marked; `None` when there is none or they cannot be read.
pub fn marked(contents: &RawValue) -> Option<String> {
    let turns: Vec<&RawValue> = serde_json::from_str(contents.get()).ok()?;
    let current = turns.iter().rposition(|turn| is_of_the_user(turn)).unwrap_or(0);
    let (before, step) = turns.split_at(current);
    let marked: Vec<Option<String>> = step.iter().map(|turn| marked_turn(turn)).collect();
    if marked.iter().all(Option::is_none) {
        return None;
    }
    let mut all: Vec<String> = before.iter().map(|turn| turn.get().to_owned()).collect();
    let step = step.iter().zip(marked);
    all.extend(step.map(|(turn, marked)| marked.unwrap_or_else(|| turn.get().to_owned())));
    Some(format!("[{}]", all.join(",")))
}

/// Something the user said, as opposed to what tools answered.
fn is_of_the_user(turn: &RawValue) -> bool {
    let Ok(turn) = Object::read(turn, String::new()) else {
        return false;
    };
    let role = turn.text("role").ok().flatten();
    let parts = turn.list("parts").unwrap_or_default();
    let said = |(path, part): (String, &RawValue)| {
        Object::read(part, path).is_ok_and(|part| part.raw("functionResponse").is_none())
    };
    matches!(role.as_deref(), None | Some("" | "user")) && parts.into_iter().any(said)
}

fn marked_turn(turn: &RawValue) -> Option<String> {
    let object = Object::read(turn, String::new()).ok()?;
    if object.text("role").ok().flatten().as_deref() != Some("model") {
        return None;
    }
    let parts = object.list("parts").ok()?;
    let call = parts.into_iter().find_map(|(path, raw)| {
        let part = Object::read(raw, path).ok()?;
        part.raw("functionCall").is_some().then_some((raw, part))
    });
    let (raw, part) = call?;
    let signature = part.text("thoughtSignature").ok()?;
    if signature.is_some_and(|text| !text.is_empty()) || part.names().any(is_signature) {
        return None;
    }
    let at = raw.get().as_ptr().addr() - turn.get().as_ptr().addr() + 1;
    let (before, after) = turn.get().split_at(at);
    Some(format!(
        "{before}\"thoughtSignature\":\"{}\",{after}",
        signature::UNKNOWN
    ))
}

/// An empty one is the client's to explain: two members of one name would mean anything.
fn is_signature(name: &str) -> bool {
    matches!(name, "thoughtSignature" | "thought_signature")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn marks(contents: &Value) -> Vec<(usize, usize)> {
        let raw = RawValue::from_string(contents.to_string()).unwrap();
        let marked: Value = match marked(&raw) {
            Some(text) => serde_json::from_str(&text).unwrap(),
            None => return Vec::new(),
        };
        let mut found = Vec::new();
        for (turn, content) in marked.as_array().unwrap().iter().enumerate() {
            for (at, part) in content["parts"].as_array().unwrap().iter().enumerate() {
                if part["thoughtSignature"] == signature::UNKNOWN {
                    found.push((turn, at));
                }
            }
        }
        found
    }

    #[test]
    fn the_first_call_of_each_step_since_the_users_last_words_is_marked() {
        let user = |text: &str| json!({"role": "user", "parts": [{"text": text}]});
        let call = || json!({"functionCall": {"name": "f", "args": {}}});
        let result = json!({"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]});
        let model = |parts: Vec<Value>| json!({"role": "model", "parts": parts});
        let mut signed = call();
        signed["thoughtSignature"] = json!("U0lH");
        let contents = json!([
            user("a"),
            model(vec![call()]),
            result,
            model(vec![json!({"text": "done"})]),
            user("b"),
            model(vec![json!({"text": "well"}), call(), call()]),
            result,
            model(vec![signed.clone(), call()]),
            result,
            model(vec![json!({"function_call": {"name": "f"}})]),
            result,
        ]);
        assert_eq!(marks(&contents), [(5, 1), (9, 0)]);
        assert_eq!(
            marks(&json!([user("a"), model(vec![signed, call()]), result])),
            []
        );
        assert_eq!(marks(&json!([user("a")])), []);
    }

    #[test]
    fn every_other_byte_stays() {
        let turn = r#"{ "parts" : [ {"functionCall" : {"name":"f","args":{"n":1.0}}} ],"role":"model" }"#;
        let raw = RawValue::from_string(format!("[ {turn} ]")).unwrap();
        let expected = turn.replace(
            "{\"functionCall\"",
            "{\"thoughtSignature\":\"skip_thought_signature_validator\",\"functionCall\"",
        );
        assert_eq!(marked(&raw).unwrap(), format!("[{expected}]"));
        for odd in ["{}", "[1]", r#"[{"role":"model","parts":3}]"#] {
            assert_eq!(marked(&RawValue::from_string(odd.to_owned()).unwrap()), None);
        }
    }
}

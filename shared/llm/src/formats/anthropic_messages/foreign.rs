//! Reasoning of another vendor in a conversation that goes on at this one.
//!
//! A session may hop between providers. The vendor refuses a whole request over one thinking block it has not
//! signed itself, so those, and only those, are cut out of a request that otherwise passes through untouched.

use super::json::tag;
use crate::dialect::Dialect;
use crate::envelope;
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

/// What every such block contains: no signature, or one of ours around another vendor's.
const TRACES: [&[u8]; 3] = [
    b"\"signature\":\"\"",
    b"\"signature\": \"\"",
    envelope::PREFIX.as_bytes(),
];

#[derive(Deserialize)]
struct Turn<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Reasoning {
    signature: Option<String>,
    data: Option<String>,
}

/// Whether it is worth looking closer; a search, no parsing.
pub fn suspected(body: &[u8]) -> bool {
    TRACES.iter().any(|trace| memmem::find(body, trace).is_some())
}

/// The list of messages without foreign thinking; `None` when there is none or the list cannot be read.
pub fn without(messages: &RawValue) -> Option<String> {
    let turns: Vec<&RawValue> = serde_json::from_str(messages.get()).ok()?;
    let mut kept: Vec<String> = Vec::with_capacity(turns.len());
    let mut changed = false;
    for turn in turns {
        match trimmed(turn) {
            None => kept.push(turn.get().to_owned()),
            Some(rest) => {
                changed = true;
                kept.extend(rest);
            }
        }
    }
    changed.then(|| format!("[{}]", kept.join(",")))
}

/// `None`: nothing foreign in it. `Some(None)`: nothing else in it, so the turn goes; the API joins the turns
/// around it.
fn trimmed(turn: &RawValue) -> Option<Option<String>> {
    let content = serde_json::from_str::<Turn<'_>>(turn.get()).ok()?.content?;
    let blocks: Vec<&RawValue> = serde_json::from_str(content.get()).ok()?;
    let own: Vec<&str> = blocks
        .iter()
        .filter(|block| !is_foreign(block))
        .map(|block| block.get())
        .collect();
    if own.len() == blocks.len() {
        return None;
    }
    if own.is_empty() {
        return Some(None);
    }
    let start = content.get().as_ptr().addr() - turn.get().as_ptr().addr();
    let (before, after) = (&turn.get()[..start], &turn.get()[start + content.get().len()..]);
    Some(Some(format!("{before}[{}]{after}", own.join(","))))
}

fn is_foreign(block: &RawValue) -> bool {
    let Ok("thinking" | "redacted_thinking") = tag(block).as_deref() else {
        return false;
    };
    let Ok(wire) = serde_json::from_str::<Reasoning>(block.get()) else {
        return false;
    };
    match wire.signature.or(wire.data) {
        Some(text) if !text.is_empty() => {
            envelope::open(text, Dialect::AnthropicMessages).issuer != Dialect::AnthropicMessages
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(messages: &str) -> Option<String> {
        let raw = RawValue::from_string(messages.to_owned()).unwrap();
        assert!(suspected(messages.as_bytes()), "{messages}");
        without(&raw)
    }

    #[test]
    fn only_foreign_thinking_is_cut_out_and_every_other_byte_stays() {
        let own = r#"{ "type":"thinking","thinking":"a","signature":"EqQB" }"#;
        let unsigned = r#"{"type":"thinking","thinking":"b","signature":""}"#;
        let wrapped = r#"{"type":"redacted_thinking","data":"gw1.eyJpIjoib3BlbmFpX2NoYXQiLCJwIjoiZW5jIn0"}"#;
        let text = r#"{"type":"text", "text":"c"}"#;
        let messages = format!(
            r#"[{{"role":"user","content":"gw1."}}, {{"x":1.0,"role":"assistant","content": [{own}, {unsigned},{wrapped}, {text}], "y":2}}]"#
        );
        let expected = format!(
            r#"[{{"role":"user","content":"gw1."}},{{"x":1.0,"role":"assistant","content": [{own},{text}], "y":2}}]"#
        );
        assert_eq!(cut(&messages), Some(expected));
    }

    #[test]
    fn a_turn_of_nothing_but_foreign_thinking_goes() {
        let messages = r#"[{"role":"user","content":"u"},
            {"role":"assistant","content":[{"type":"thinking","thinking":"b","signature":""}]}]"#;
        assert_eq!(
            cut(messages).as_deref(),
            Some(r#"[{"role":"user","content":"u"}]"#)
        );
    }

    #[test]
    fn a_trace_in_a_text_changes_nothing() {
        assert_eq!(
            cut(r#"[{"role":"user","content":[{"type":"text","text":"gw1.e30"}]}]"#),
            None
        );
        assert_eq!(
            cut(r#"[{"role":"user","content":"\"signature\":\"\" \"signature\":\"\"gw1."}]"#),
            None
        );
    }
}

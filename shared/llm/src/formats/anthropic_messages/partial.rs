//! What can be read of a JSON object that was cut off.

use serde_json::Value;

/// The object up to the cut: open strings and brackets are closed, and a member whose value never came is left
/// out. `None` when not even the object's brace arrived.
pub fn object(text: &str) -> Option<Value> {
    let text = text.trim_start();
    if !text.starts_with('{') {
        return None;
    }
    let cut = Cut::of(text);
    let closed = |end: usize, in_string: bool, open: &[u8]| {
        let mut json = text[..end].to_owned();
        if in_string {
            json.push('"');
        }
        json.extend(open.iter().rev().map(|byte| char::from(*byte)));
        serde_json::from_str::<Value>(&json).ok()
    };
    closed(cut.end, cut.in_string, &cut.open)
        .or_else(|| {
            cut.last_sure
                .as_ref()
                .and_then(|(end, open)| closed(*end, false, open))
        })
        .filter(Value::is_object)
}

/// The state of a reader at the end of the text.
struct Cut {
    /// Before an escape sequence that did not arrive whole.
    end: usize,
    in_string: bool,
    /// The closing brackets still owed.
    open: Vec<u8>,
    /// The last place before a comma or after an opening bracket, where closing is always valid.
    last_sure: Option<(usize, Vec<u8>)>,
}

// === impl Cut ===

impl Cut {
    fn of(text: &str) -> Self {
        let mut cut = Self {
            end: text.len(),
            in_string: false,
            open: Vec::new(),
            last_sure: None,
        };
        let mut escape: Option<usize> = None;
        for (at, byte) in text.bytes().enumerate() {
            if let Some(start) = escape {
                let length = if text.as_bytes().get(start + 1) == Some(&b'u') {
                    6
                } else {
                    2
                };
                if at + 1 == start + length {
                    escape = None;
                }
                continue;
            }
            match byte {
                b'\\' if cut.in_string => escape = Some(at),
                b'"' => cut.in_string = !cut.in_string,
                _ if cut.in_string => {}
                b'{' => cut.opened(b'}', at),
                b'[' => cut.opened(b']', at),
                b'}' | b']' => {
                    cut.open.pop();
                }
                b',' => cut.last_sure = Some((at, cut.open.clone())),
                _ => {}
            }
        }
        if let Some(start) = escape {
            cut.end = start;
        }
        cut
    }

    fn opened(&mut self, closing: u8, at: usize) {
        self.open.push(closing);
        self.last_sure = Some((at + 1, self.open.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_arrived_before_the_cut_is_kept() {
        let cases = [
            (r#"{"location": "Par"#, json!({"location": "Par"})),
            (r#"{"a":1,"b":[1,{"c":"x"#, json!({"a":1,"b":[1,{"c":"x"}]})),
            (r#"{"a":1,"b"#, json!({"a":1})),
            (r#"{"a":1,"b":"#, json!({"a":1})),
            (r#"{"a":1,"b":tr"#, json!({"a":1})),
            (r#"{"a":"x\"#, json!({"a":"x"})),
            (r#"{"a":"x\u00e"#, json!({"a":"x"})),
            (r#"{"a":"x\\"#, json!({"a":"x\\"})),
            (r#"{"a":["x",{"#, json!({"a":["x",{}]})),
            ("{", json!({})),
        ];
        for (text, expected) in cases {
            assert_eq!(object(text), Some(expected), "{text}");
        }
        for text in ["", "[1", "\"x", "nul"] {
            assert_eq!(object(text), None, "{text}");
        }
    }
}

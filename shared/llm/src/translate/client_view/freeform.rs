//! Free text out of the one string property it travels in, while it streams.

use serde_json::Value;

/// The property we ask for, and what models write instead.
const KEYS: [&str; 3] = ["input", "patch", "code"];

/// Arguments of one call, fragment by fragment.
#[derive(Debug, Clone)]
pub enum FreeformInput {
    /// Before the string: what has come so far.
    Head(String),
    /// Inside the string: an escape sequence that has not come whole.
    Text { escape: String },
    /// After the string.
    Over,
    /// Not the expected shape: everything, until the end shows what it is.
    Whole(String),
}

enum Opening {
    Incomplete,
    /// Where the text begins.
    At(usize),
    Other,
}

// === impl FreeformInput ===

impl Default for FreeformInput {
    fn default() -> Self {
        Self::Head(String::new())
    }
}

impl FreeformInput {
    /// The text that this fragment completes.
    pub fn push(&mut self, fragment: &str) -> String {
        match self {
            Self::Over => String::new(),
            Self::Whole(all) => {
                all.push_str(fragment);
                String::new()
            }
            Self::Text { .. } => self.text(fragment),
            Self::Head(head) => {
                head.push_str(fragment);
                match opening(head) {
                    Opening::Incomplete => String::new(),
                    Opening::At(start) => {
                        let rest = head.split_off(start);
                        *self = Self::Text {
                            escape: String::new(),
                        };
                        self.text(&rest)
                    }
                    Opening::Other => {
                        *self = Self::Whole(std::mem::take(head));
                        String::new()
                    }
                }
            }
        }
    }

    /// What could only be told at the end.
    pub fn finish(self) -> String {
        match self {
            Self::Head(all) | Self::Whole(all) => whole(&all),
            Self::Text { .. } | Self::Over => String::new(),
        }
    }

    fn text(&mut self, fragment: &str) -> String {
        let mut out = String::with_capacity(fragment.len());
        for c in fragment.chars() {
            let Self::Text { escape } = self else { break };
            if let Some(kept) = after_lone_surrogate(escape, c) {
                out.push(char::REPLACEMENT_CHARACTER);
                kept.clone_into(escape);
            }
            if escape.is_empty() {
                match c {
                    '"' => *self = Self::Over,
                    '\\' => escape.push(c),
                    _ => out.push(c),
                }
                continue;
            }
            escape.push(c);
            if is_complete(escape) {
                out.push(decode(escape));
                escape.clear();
            }
        }
        out
    }
}

// === functions ===

/// Reads `{"input":"`, with white space anywhere.
fn opening(head: &str) -> Opening {
    let mut rest = head.trim_start();
    for (at, expected) in ["{", "\"", ":", "\""].into_iter().enumerate() {
        if rest.is_empty() {
            return Opening::Incomplete;
        }
        let Some(after) = rest.strip_prefix(expected) else {
            return Opening::Other;
        };
        rest = after;
        if at == 1 {
            let Some((key, after)) = rest.split_once('"') else {
                return Opening::Incomplete;
            };
            if !KEYS.contains(&key) {
                return Opening::Other;
            }
            rest = after;
        }
        if at < 3 {
            rest = rest.trim_start();
        }
    }
    Opening::At(head.len() - rest.len())
}

/// A high surrogate must be followed by the escape of a low one; if it is not, what is left of the escape.
fn after_lone_surrogate(escape: &str, next: char) -> Option<&'static str> {
    match (escape.len(), next) {
        (6, '\\') | (7, 'u') => None,
        (6, _) => Some(""),
        (7, _) => Some("\\"),
        _ => None,
    }
}

fn is_complete(escape: &str) -> bool {
    match escape.as_bytes() {
        [b'\\'] => false,
        [b'\\', b'u', hex @ ..] => match hex.len() {
            0..4 => false,
            4 => !is_high_surrogate(hex),
            _ => hex.len() == 10,
        },
        _ => true,
    }
}

fn is_high_surrogate(hex: &[u8]) -> bool {
    let unit = std::str::from_utf8(hex)
        .ok()
        .and_then(|hex| u32::from_str_radix(hex, 16).ok());
    unit.is_some_and(|unit| (0xD800..0xDC00).contains(&unit))
}

fn decode(escape: &str) -> char {
    let text = serde_json::from_str::<String>(&format!("\"{escape}\""));
    text.ok()
        .and_then(|text| text.chars().next())
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// A model that ignores the wrapper wrote the text itself, or put it under a name of its own.
fn whole(all: &str) -> String {
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(all) else {
        return all.to_owned();
    };
    let named = KEYS
        .iter()
        .find_map(|key| object.get(*key))
        .and_then(Value::as_str);
    let sole = || {
        object
            .values()
            .next()
            .filter(|_| object.len() == 1)
            .and_then(Value::as_str)
    };
    match named.or_else(sole) {
        Some(text) => text.to_owned(),
        None if object.is_empty() => String::new(),
        None => all.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unwrapped(fragments: impl IntoIterator<Item = String>) -> String {
        let mut input = FreeformInput::default();
        let mut out: String = fragments
            .into_iter()
            .map(|fragment| input.push(&fragment))
            .collect();
        out.push_str(&input.finish());
        out
    }

    #[test]
    fn the_text_comes_out_however_it_was_wrapped_and_cut() {
        for (arguments, text) in [
            (
                r#"{"input":"*** Begin\n+a \u00e9\u4e2d\n*** End"}"#,
                "*** Begin\n+a é中\n*** End",
            ),
            (r#" { "code" : "a\"b\\" } "#, "a\"b\\"),
            (r#"{"input":"\ud83d\ude00 \/"}"#, "😀 /"),
            (r#"{"input":"a\ud83d b\ud83d\nc"}"#, "a\u{fffd} b\u{fffd}\nc"),
            (r#"{"input":""}"#, ""),
            (r#"{"text":"sole"}"#, "sole"),
            (r#"{"why":1,"input":"late"}"#, "late"),
            (r#"{"a":1,"b":2}"#, r#"{"a":1,"b":2}"#),
            ("*** Begin Patch", "*** Begin Patch"),
            ("{}", ""),
            ("", ""),
        ] {
            assert_eq!(unwrapped([arguments.to_owned()]), text, "{arguments}");
            assert_eq!(
                unwrapped(arguments.chars().map(String::from)),
                text,
                "{arguments}, cut"
            );
        }
    }

    #[test]
    fn a_call_that_was_cut_off_keeps_its_text() {
        assert_eq!(unwrapped([r#"{"input":"half a"#.to_owned()]), "half a");
    }

    #[test]
    fn broken_escapes_do_not_panic() {
        for arguments in [
            r#"{"input":"\q\u12"#,
            r#"{"input":"\uZZZZ\ud800\uZZZZx"#,
            r#"{"input":"\ud800\ud8"#,
            "{\"input\":\"\\u00é",
        ] {
            unwrapped(arguments.chars().map(String::from));
        }
    }
}

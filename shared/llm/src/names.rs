//! Tool names and call ids that fit a target's rules, and the way back.
//!
//! Both maps are pure functions of the text: a history that is sent again encodes to the same bytes, and a call
//! and its result always get the same id.

use crate::caps::WireName;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;

const HASH_CHARS: usize = 8;

/// The tool names that had to change, from the wire back to the client's.
#[derive(Debug, Clone, Default)]
pub struct ToolNames(BTreeMap<String, String>);

// === impl ToolNames ===

impl ToolNames {
    /// Fits a name to the rule and remembers what it was. Two names that fit to the same text stay apart.
    pub fn fit(&mut self, name: &str, rule: WireName) -> String {
        let mut wire = fit(name, rule).into_owned();
        let mut salt = name.to_owned();
        while self.0.get(&wire).is_some_and(|known| known != name) {
            salt.push('\0');
            wire = hashed(&clean(name), &salt, rule);
        }
        self.0.insert(wire.clone(), name.to_owned());
        wire
    }

    /// The client's name for a name on the wire.
    pub fn restore<'a>(&'a self, wire: &'a str) -> &'a str {
        self.0.get(wire).map_or(wire, String::as_str)
    }

    /// Whether any name differs on the wire.
    pub fn changed(&self) -> bool {
        self.0.iter().any(|(wire, name)| wire != name)
    }
}

// === functions ===

/// The text itself when it fits, else its legal characters with a hash of all of it.
pub fn fit(text: &str, rule: WireName) -> Cow<'_, str> {
    if fits(text, rule) {
        return Cow::Borrowed(text);
    }
    let cleaned = clean(text);
    match rule {
        // a name whose only fault is a character keeps its shape: models read names
        WireName::UpTo(most) if (1..=most).contains(&cleaned.len()) && cleaned.len() == text.len() => {
            Cow::Owned(cleaned)
        }
        WireName::Identifier(most) if !text.is_empty() && cleaned.len() == text.len() => {
            let cleaned = as_identifier(&cleaned);
            match cleaned.len() <= most {
                true => Cow::Owned(cleaned),
                false => Cow::Owned(hashed(&cleaned, text, rule)),
            }
        }
        _ => Cow::Owned(hashed(&cleaned, text, rule)),
    }
}

/// An id is compared, never read, so that one which had to change always carries the hash.
pub fn fit_id(id: &str, rule: WireName) -> Cow<'_, str> {
    if fits(id, rule) {
        Cow::Borrowed(id)
    } else {
        Cow::Owned(hashed(&clean(id), id, rule))
    }
}

fn fits(text: &str, rule: WireName) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric();
    match rule {
        WireName::UpTo(most) => {
            (1..=most).contains(&text.len()) && text.bytes().all(|b| plain(b) || b == b'_' || b == b'-')
        }
        WireName::Exactly(length) => text.len() == length && text.bytes().all(plain),
        WireName::Identifier(most) => {
            let starts = |b: u8| b.is_ascii_alphabetic() || b == b'_';
            (1..=most).contains(&text.len())
                && text.bytes().next().is_some_and(starts)
                && text.bytes().all(|b| plain(b) || b"_.:-".contains(&b))
        }
    }
}

fn clean(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

/// Legal characters, but a digit or a dash may not come first.
fn as_identifier(cleaned: &str) -> String {
    match cleaned.bytes().next() {
        Some(b) if b.is_ascii_alphabetic() || b == b'_' => cleaned.to_owned(),
        _ => format!("_{cleaned}"),
    }
}

fn hashed(cleaned: &str, source: &str, rule: WireName) -> String {
    let digest = Sha256::digest(source.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    match rule {
        WireName::UpTo(most) => {
            let kept = cleaned.len().min(most.saturating_sub(HASH_CHARS + 1));
            format!("{}_{}", &cleaned[..kept], &hex[..HASH_CHARS])
        }
        WireName::Identifier(most) => {
            let cleaned = as_identifier(cleaned);
            let kept = cleaned.len().min(most.saturating_sub(HASH_CHARS + 1));
            format!("{}_{}", &cleaned[..kept], &hex[..HASH_CHARS])
        }
        WireName::Exactly(length) => hex.chars().cycle().take(length).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_legal_name_is_not_touched() {
        assert!(matches!(
            fit("get_weather-2", WireName::UpTo(64)),
            Cow::Borrowed("get_weather-2")
        ));
    }

    #[test]
    fn illegal_characters_become_underscores_and_come_back() {
        let mut names = ToolNames::default();
        assert_eq!(
            names.fit("mcp.server/tool", WireName::UpTo(64)),
            "mcp_server_tool"
        );
        assert_eq!(names.restore("mcp_server_tool"), "mcp.server/tool");
        assert_eq!(names.restore("unknown"), "unknown");
    }

    #[test]
    fn names_that_would_collide_stay_apart() {
        let mut names = ToolNames::default();
        let (a, b) = (
            names.fit("a.b", WireName::UpTo(64)),
            names.fit("a/b", WireName::UpTo(64)),
        );
        assert_ne!(a, b);
        assert_eq!((names.restore(&a), names.restore(&b)), ("a.b", "a/b"));
    }

    proptest! {
        #[test]
        fn every_text_fits_after_fitting(text in ".{0,200}", long in any::<bool>()) {
            for rule in [WireName::UpTo(if long { 128 } else { 64 }), WireName::Exactly(9), WireName::Identifier(64)] {
                prop_assert!(fits(&fit(&text, rule), rule));
                prop_assert!(fits(&fit_id(&text, rule), rule));
            }
        }
    }
}

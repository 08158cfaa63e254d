//! Takes secrets out of a body that is kept for people to read.
//!
//! The text is looked at as it is written and not as a JSON document: of a stream there is none, of a long body only the
//! beginning, and in the arguments of a tool call a document is inside a string, its quotes behind backslashes. So a
//! member is found by its quotes, whatever stands around it, and a value that does not end is taken out to the end.

/// Members whose values nobody is to read; upper and lower case are the same.
const SECRETS: [&str; 10] = [
    "api_key",
    "apikey",
    "api-key",
    "authorization",
    "x-api-key",
    "access_token",
    "refresh_token",
    "password",
    "secret",
    "token",
];
const LONGEST: usize = 13;
const REDACTED: &str = "[redacted]";
const BEARER: &str = "bearer";
/// Of a quote in JSON inside of strings, seven times over.
const MOST_BACKSLASHES: usize = 128;

/// A text as it is read, byte by byte; what is copied is copied at the borders of characters.
struct Scan<'a> {
    text: &'a str,
    at: usize,
    out: String,
    /// Characters that still fit.
    room: usize,
}

/// The text without its secrets, as many characters of it as `most`, and whether that was all.
pub fn redacted(text: &str, most: usize) -> (String, bool) {
    let mut scan = Scan {
        text,
        at: 0,
        out: String::with_capacity(text.len().min(most)),
        room: most,
    };
    let mut fits = true;
    while fits && scan.at < text.len() {
        fits = match scan.secret() {
            Some(secret) => scan.replace(secret),
            None => scan.copy_one(),
        };
    }
    (scan.out, fits)
}

/// Up to where it is written as it is, what is written then, and where the text goes on.
struct Secret {
    from: usize,
    instead: String,
    until: usize,
}

// === impl Scan ===

impl Scan<'_> {
    fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    fn write(&mut self, text: &str) -> bool {
        match text.char_indices().nth(self.room) {
            Some((cut, _)) => {
                self.out.push_str(&text[..cut]);
                self.room = 0;
                false
            }
            None => {
                self.out.push_str(text);
                self.room -= text.chars().count();
                true
            }
        }
    }

    fn copy_one(&mut self) -> bool {
        let length = self.text[self.at..].chars().next().map_or(1, char::len_utf8);
        let (text, from) = (self.text, self.at);
        self.at += length;
        self.write(&text[from..self.at])
    }

    fn replace(&mut self, secret: Secret) -> bool {
        let (text, from) = (self.text, self.at);
        self.at = secret.until;
        self.write(&text[from..secret.from]) && self.write(&secret.instead)
    }

    /// What begins here, if it is a secret.
    fn secret(&self) -> Option<Secret> {
        match self.bytes()[self.at] {
            b'"' | b'\\' => self.member(),
            b'b' | b'B' => self.bearer(),
            _ => None,
        }
    }

    fn member(&self) -> Option<Secret> {
        let depth = quote(self.bytes(), self.at)?;
        let name = self.at + depth + 1;
        let behind = name
            + self.bytes()[name..]
                .iter()
                .take(LONGEST)
                .take_while(|byte| is_of_name(**byte))
                .count();
        let is_secret = SECRETS
            .iter()
            .any(|secret| self.text[name..behind].eq_ignore_ascii_case(secret));
        if !is_secret || quote(self.bytes(), behind) != Some(depth) {
            return None;
        }
        let colon = self.blank(behind + depth + 1);
        if self.bytes().get(colon) != Some(&b':') {
            return None;
        }
        let from = self.blank(colon + 1);
        let rest = self.bytes().get(from..).unwrap_or_default();
        if rest.starts_with(b"null") {
            return None;
        }
        let until = match (rest.first(), quote(self.bytes(), from)) {
            (_, Some(depth)) => self.string_end(from + depth + 1, depth),
            (Some(b'{' | b'['), _) => self.nested_end(from, depth),
            _ => {
                from + rest
                    .iter()
                    .take_while(|byte| !b",}]\"\\\r\n".contains(byte))
                    .count()
            }
        };
        let quoted = &self.text[self.at..name];
        Some(Secret {
            from,
            instead: format!("{quoted}{REDACTED}{quoted}"),
            until,
        })
    }

    /// `Bearer` and what follows it, as in a header.
    fn bearer(&self) -> Option<Secret> {
        let word = self.bytes().get(self.at..self.at + BEARER.len())?;
        let begins = match &self.bytes()[..self.at] {
            // white space inside a string
            [] | [.., b'\\', b'n' | b'r' | b't'] => true,
            [.., before] => !before.is_ascii_alphanumeric(),
        };
        if !begins || !word.eq_ignore_ascii_case(BEARER.as_bytes()) {
            return None;
        }
        let behind = self.at + BEARER.len();
        let from = self.blank(behind);
        let rest = &self.bytes()[from..];
        // some writers of JSON escape a slash
        let is_escape = |at: usize| rest[at] == b'\\' && rest.get(at + 1) == Some(&b'/');
        let length = (0..rest.len())
            .take_while(|at| is_of_token(rest[*at]) || is_escape(*at))
            .count();
        (from > behind && length > 0).then(|| Secret {
            from,
            instead: REDACTED.to_owned(),
            until: from + length,
        })
    }

    /// Behind white space, which inside a string is written in letters.
    fn blank(&self, mut from: usize) -> usize {
        loop {
            let rest = self.bytes().get(from..).unwrap_or_default();
            let backslashes = backslashes(rest);
            from += match rest.get(backslashes) {
                Some(b'n' | b'r' | b't') if backslashes > 0 => backslashes + 1,
                Some(byte) if backslashes == 0 && byte.is_ascii_whitespace() => 1,
                _ => return from,
            };
        }
    }

    /// Behind the quote that ends a string whose quotes have so many backslashes.
    fn string_end(&self, from: usize, depth: usize) -> usize {
        let mut backslashes = 0;
        for (at, byte) in self.bytes().iter().enumerate().skip(from) {
            match byte {
                b'\\' => backslashes += 1,
                b'"' if ends(backslashes, depth) => return at + 1,
                _ => backslashes = 0,
            }
        }
        self.text.len()
    }

    /// Behind the bracket that closes the one at `from`.
    fn nested_end(&self, from: usize, depth: usize) -> usize {
        let (mut open, mut at) = (0_usize, from);
        while let Some(byte) = self.bytes().get(at) {
            match byte {
                b'{' | b'[' => open += 1,
                b'}' | b']' => open -= 1,
                b'"' | b'\\' => {
                    at = match quote(self.bytes(), at) {
                        Some(found) if found == depth => self.string_end(at + depth + 1, depth),
                        _ => at + 1,
                    };
                    continue;
                }
                _ => {}
            }
            at += 1;
            if open == 0 {
                return at;
            }
        }
        self.text.len()
    }
}

/// How many backslashes a quote has that begins here, if one does: none, or as many as JSON inside strings gives it.
fn quote(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let backslashes = backslashes(rest);
    (rest.get(backslashes) == Some(&b'"') && (backslashes + 1).is_power_of_two()).then_some(backslashes)
}

/// How many there are at the beginning, up to more than any document has: a long run must not be counted anew at each
/// of its bytes.
fn backslashes(bytes: &[u8]) -> usize {
    let run = bytes.iter().take(MOST_BACKSLASHES);
    run.take_while(|byte| **byte == b'\\').count()
}

/// Whether a quote behind so many backslashes ends a string whose own quotes have `depth`: what is before those is
/// written in backslashes that stand for backslashes.
fn ends(backslashes: usize, depth: usize) -> bool {
    (backslashes + 1) % (2 * (depth + 1)) == depth + 1
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b'-'
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=|:%".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn values_of_secret_members_and_bearer_tokens_are_taken_out() {
        let table = [
            (r#"{"api_key":"sk-1"}"#, r#"{"api_key":"[redacted]"}"#),
            (
                r#"{"apiKey" : "sk-1","b":2}"#,
                r#"{"apiKey" : "[redacted]","b":2}"#,
            ),
            (r#"{"API-KEY":"a\"b\\"}"#, r#"{"API-KEY":"[redacted]"}"#),
            (
                r#"{"Authorization":"Basic eA=="}"#,
                r#"{"Authorization":"[redacted]"}"#,
            ),
            (r#"{"x-api-key":"k"}"#, r#"{"x-api-key":"[redacted]"}"#),
            (
                r#"{"text":"use this:\nBearer sk-1 here"}"#,
                r#"{"text":"use this:\nBearer [redacted] here"}"#,
            ),
            (
                r#"{"text":"Bearer ab\/cd+e, Bearer 1|xyz"}"#,
                r#"{"text":"Bearer [redacted], Bearer [redacted]"}"#,
            ),
            (
                r#"{"a":"{\"b\":\"{\\\"token\\\":\\n \\\"t\\\"}\"}"}"#,
                r#"{"a":"{\"b\":\"{\\\"token\\\":\\n \\\"[redacted]\\\"}\"}"}"#,
            ),
            (
                r#"{"access_token":"a","refresh_token":"r"}"#,
                r#"{"access_token":"[redacted]","refresh_token":"[redacted]"}"#,
            ),
            (
                r#"[{"a":[{"PassWord":"p"}]}]"#,
                r#"[{"a":[{"PassWord":"[redacted]"}]}]"#,
            ),
            (
                r#"{"secret":{"a":"}","b":["x"]},"c":1}"#,
                r#"{"secret":"[redacted]","c":1}"#,
            ),
            (r#"{"token":[1,"]",{"a":2}]}"#, r#"{"token":"[redacted]"}"#),
            (r#"{"token":123,"c":true}"#, r#"{"token":"[redacted]","c":true}"#),
            (r#"{"token": -1.5e3}"#, r#"{"token": "[redacted]"}"#),
            (
                r#"{"password":null,"secret":""}"#,
                r#"{"password":null,"secret":"[redacted]"}"#,
            ),
            // a document inside a string, and one inside that
            (
                r#"{"arguments":"{\"password\":\"p\\\"q\",\"n\":1}"}"#,
                r#"{"arguments":"{\"password\":\"[redacted]\",\"n\":1}"}"#,
            ),
            (
                r#""{\\\"token\\\": \\\"t\\\"}""#,
                r#""{\\\"token\\\": \\\"[redacted]\\\"}""#,
            ),
            (
                r#"{"a":"{\"token\":\n  \"t\"}"}"#,
                r#"{"a":"{\"token\":\n  \"[redacted]\"}"}"#,
            ),
            (
                r#"{"a":"{\"secret\":{\"x\":\"y\"}}"}"#,
                r#"{"a":"{\"secret\":\"[redacted]\"}"}"#,
            ),
            // what was cut off
            (r#"{"a":1,"password":"half"#, r#"{"a":1,"password":"[redacted]""#),
            (r#"{"secret":{"a":"b""#, r#"{"secret":"[redacted]""#),
            (r#"{"secret":"#, r#"{"secret":"[redacted]""#),
            // anywhere
            (
                "data: {\"token\":\"t\"}\n\ndata: [DONE]\n\n",
                "data: {\"token\":\"[redacted]\"}\n\ndata: [DONE]\n\n",
            ),
            (
                "curl -H 'Authorization: Bearer sk-a.b_c'",
                "curl -H 'Authorization: Bearer [redacted]'",
            ),
            (
                r#"{"content":"bearer  eyJ.x"}"#,
                r#"{"content":"bearer  [redacted]"}"#,
            ),
            ("BEARER abc", "BEARER [redacted]"),
            // what only looks like it
            (
                r#"{"max_tokens":5,"tokens":2,"password_hint":"x"}"#,
                r#"{"max_tokens":5,"tokens":2,"password_hint":"x"}"#,
            ),
            (
                r#"{"role":"password","content":"the token"}"#,
                r#"{"role":"password","content":"the token"}"#,
            ),
            (r#"["token","password"]"#, r#"["token","password"]"#),
            ("a forbearer of", "a forbearer of"),
            ("bearer", "bearer"),
            ("Wie weit ist der Mond? 🌙", "Wie weit ist der Mond? 🌙"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(redacted(text, 8192), (expected.to_owned(), true), "{text}");
        }
    }

    #[test]
    fn what_is_cut_off_ends_between_characters_and_says_so() {
        assert_eq!(redacted("äöü", 3), ("äöü".to_owned(), true));
        assert_eq!(redacted("äöü", 2), ("äö".to_owned(), false));
        assert_eq!(
            redacted(r#"{"token":"t"}"#, 14),
            (r#"{"token":"[red"#.to_owned(), false)
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~äß\"\\\\]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let name = prop_oneof![3 => "[a-z\"\\\\]{1,6}", 1 => Just("token".to_owned()), 1 => Just("Api_Key".to_owned())];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((name, inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// The same by way of the document.
    fn expected(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(expected),
            Value::Object(members) => {
                for (name, value) in members {
                    match SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret)) && !value.is_null() {
                        true => *value = json!(REDACTED),
                        false => expected(value),
                    }
                }
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn a_document_comes_out_as_if_it_had_been_read(value in any_json()) {
            let text = value.to_string();
            prop_assume!(!text.to_lowercase().contains("bearer"));
            let (found, is_whole) = redacted(&text, usize::MAX);
            let mut value = value;
            expected(&mut value);
            prop_assert!(is_whole);
            prop_assert_eq!(serde_json::from_str::<Value>(&found).unwrap(), value);
        }

        #[test]
        fn no_text_is_too_strange(text in any::<String>(), quotes in "[\"\\\\{}:,a-z\\[\\]]{0,60}", most in 0..80_usize) {
            let text = format!("{text}\"token\":{quotes}{text}");
            let (found, _) = redacted(&text, most);
            prop_assert!(found.chars().count() <= most);
        }
    }
}

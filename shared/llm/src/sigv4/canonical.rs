//! The one form of a request that both sides hash.

use super::{Signable, hex};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

pub fn request(request: &Signable<'_>, headers: &[(&str, &str)]) -> String {
    let values: String = joined(headers)
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    format!(
        "{}\n{}\n{}\n{values}\n{}\n{}",
        request.method,
        path(request.path),
        query(request.query),
        names(headers),
        hex(&Sha256::digest(request.payload)),
    )
}

/// Which headers are signed.
pub fn names(headers: &[(&str, &str)]) -> String {
    let names: Vec<String> = joined(headers).into_keys().collect();
    names.join(";")
}

/// By name in lower case; values without white space around them, and one space where there was any; those of the same
/// name one after another.
fn joined(headers: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        let known = all.entry(name.to_ascii_lowercase());
        known
            .and_modify(|known| known.push_str(&format!(",{value}")))
            .or_insert(value);
    }
    all
}

/// Without empty segments and dots, each segment encoded, whether it was before or not.
fn path(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let mut out = String::new();
    for segment in &kept {
        out.push('/');
        encode(segment.as_bytes(), &mut out);
    }
    let is_open = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    if kept.is_empty() || is_open {
        out.push('/');
    }
    out
}

/// Names and values, encoded anew, in their order.
fn query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encoded(name), encoded(value))
        })
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode(&decoded(text.as_bytes()), &mut out);
    out
}

/// Everything but what RFC 3986 reserves for nobody.
fn encode(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(*byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// Percent-encoding undone; what is none stays as it is.
fn decoded(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    while let [first, rest @ ..] = bytes {
        let escaped = match bytes {
            [b'%', high, low, ..] => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                bytes = &bytes[3..];
            }
            None => {
                out.push(*first);
                bytes = rest;
            }
        }
    }
    out
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

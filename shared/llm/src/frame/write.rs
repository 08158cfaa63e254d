//! Writing frames whose JSON survives every line splitter.
//!
//! Several SDKs split a stream's text at U+2028, U+2029, U+0085, VT or FF, not only at line ends. JSON may escape
//! any character inside a string, so everything the gateway encodes itself escapes those. (VT and FF are control
//! characters, which JSON escapes anyway.)

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use std::io::{self, Write};

/// Compact JSON without any character that some client takes for a line end.
struct OneLine(CompactFormatter);

// === impl OneLine ===

impl Formatter for OneLine {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_escaped(writer, fragment)
    }

    fn write_raw_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_escaped(writer, fragment)
    }
}

// === functions ===

/// One frame: an optional `event:` line, the value as one `data:` line, a blank line.
pub fn write_event(out: &mut Vec<u8>, event: Option<&str>, data: &impl Serialize) {
    if let Some(event) = event {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(event.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    write_json(out, data);
    out.extend_from_slice(b"\n\n");
}

/// One line of newline-delimited JSON.
pub fn write_line(out: &mut Vec<u8>, value: &impl Serialize) {
    write_json(out, value);
    out.push(b'\n');
}

/// One comment frame, which clients ignore.
pub fn write_comment(out: &mut Vec<u8>, comment: &str) {
    out.extend_from_slice(b": ");
    out.extend_from_slice(comment.as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// Compact JSON on one line.
pub fn write_json(out: &mut Vec<u8>, value: &impl Serialize) {
    let before = out.len();
    let mut serializer = Serializer::with_formatter(&mut *out, OneLine(CompactFormatter));
    if value.serialize(&mut serializer).is_err() {
        // only a map with keys that are not strings gets here; half a value must not reach the wire
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

fn write_escaped<W: ?Sized + Write>(writer: &mut W, mut rest: &str) -> io::Result<()> {
    while let Some((at, length, escape)) = next_line_end(rest) {
        writer.write_all(&rest.as_bytes()[..at])?;
        writer.write_all(escape)?;
        rest = &rest[at + length..];
    }
    writer.write_all(rest.as_bytes())
}

/// The next character that must be escaped: where, how long, and as what.
fn next_line_end(text: &str) -> Option<(usize, usize, &'static [u8])> {
    let bytes = text.as_bytes();
    memchr::memchr2_iter(0xC2, 0xE2, bytes).find_map(|at| match bytes[at..] {
        [0xC2, 0x85, ..] => Some((at, 2, br"\u0085".as_slice())),
        [0xE2, 0x80, 0xA8, ..] => Some((at, 3, br"\u2028")),
        [0xE2, 0x80, 0xA9, ..] => Some((at, 3, br"\u2029")),
        _ => None,
    })
}

//! Newline-delimited JSON: a document per line, where server-sent events have frames.

use super::Frame;
use super::text;
use std::borrow::Cow;

/// The search for line ends. Only `\n` ends a line: a `\r` before it is white space, as JSON has it.
#[derive(Debug, Clone, Copy, Default)]
pub struct LineScan;

// === functions ===

pub(super) fn end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes).map(|at| at + 1)
}

/// Reads one line; a blank one says nothing.
pub(super) fn parse(raw: &[u8]) -> Option<Frame<'_>> {
    let line = raw.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(raw).trim_ascii();
    (!line.is_empty()).then(|| Frame::Data {
        event: None,
        data: text(Cow::Borrowed(line)),
    })
}

/// Whether a body is several documents on several lines, which no JSON document is.
pub fn is_lines(body: &[u8]) -> bool {
    let Some(first) = end(body) else { return false };
    let (first, rest) = body.split_at(first);
    !rest.trim_ascii().is_empty() && serde_json::from_slice::<serde::de::IgnoredAny>(first).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::Framer;
    use super::*;
    use crate::frame::{FrameTooLong, MAX_FRAME_BYTES};
    use proptest::prelude::*;

    fn lines<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let (mut framer, mut lines) = (Framer::lines(), Vec::new());
        let mut each = |frame: Frame<'_>| match frame {
            Frame::Data { event: None, data } => lines.push(data.into_owned()),
            other => lines.push(format!("not a line: {other:?}")),
        };
        for chunk in chunks {
            framer.push(chunk, &mut each).unwrap();
        }
        framer.finish(each);
        lines
    }

    #[test]
    fn lines_are_cut_at_newlines_and_nowhere_else() {
        for (bytes, expected) in [
            ("{\"a\":1}\n{\"b\":2}\n", vec!["{\"a\":1}", "{\"b\":2}"]),
            ("{\"a\":1}\r\n\r\n\n {\"b\":2} ", vec!["{\"a\":1}", "{\"b\":2}"]),
            ("\u{feff}{}\n", vec!["{}"]),
            ("{\"a\":\"\u{2028}\u{85}\"}\n", vec!["{\"a\":\"\u{2028}\u{85}\"}"]),
            ("data: x\n: y\n", vec!["data: x", ": y"]),
            ("\n\n", vec![]),
        ] {
            assert_eq!(lines([bytes.as_bytes()]), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut framer = Framer::lines();
        assert_eq!(framer.push(&vec![b'x'; MAX_FRAME_BYTES], |_| {}), Ok(()));
        assert_eq!(framer.push(b"x", |_| {}), Err(FrameTooLong));
    }

    #[test]
    fn one_document_over_several_lines_is_not_a_document_per_line() {
        for (body, expected) in [
            ("{\"a\":1}\n{\"b\":2}\n", true),
            ("{\"a\":1}\n", false),
            ("{\n\"a\":1\n}\n", false),
            ("{\"a\":1}", false),
            ("", false),
        ] {
            assert_eq!(is_lines(body.as_bytes()), expected, "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_lines(text in "[{}\"é你🌍\r\n ]{0,40}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let bytes = text.as_bytes();
            let whole = lines([bytes]);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            prop_assert_eq!(&lines(cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]])), &whole);
            prop_assert_eq!(&lines(bytes.chunks(1)), &whole);
        }
    }
}

//! Where frames end: after a blank line, or after a line that is bare JSON.

use std::iter;

/// A resumable search for frame ends; it never needs to see a byte twice.
#[derive(Debug, Clone, Copy)]
pub struct FrameScan {
    at: At,
    /// Nothing of the current frame has been seen.
    fresh: bool,
    /// The current frame's first line begins with `{`, so it is the whole frame.
    bare: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    LineStart,
    InLine,
    /// After the `\r` of a line with content; a `\n` still belongs to it.
    AfterCr,
    /// After the `\r` of a blank line; a `\n` still belongs to it.
    AfterBlankCr,
}

// === impl FrameScan ===

impl Default for FrameScan {
    fn default() -> Self {
        Self {
            at: At::LineStart,
            fresh: true,
            bare: false,
        }
    }
}

impl FrameScan {
    /// The length of the prefix of `bytes` that completes the current frame, or `None` when more is needed; then
    /// the next call goes on with the bytes that follow. May be 0, when the last byte seen already ended it.
    pub fn next_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut i = 0;
        loop {
            let byte = *bytes.get(i)?;
            match self.at {
                At::AfterBlankCr => return self.end(i + usize::from(byte == b'\n')),
                At::AfterCr => {
                    i += usize::from(byte == b'\n');
                    self.at = At::LineStart;
                    if self.bare {
                        return self.end(i);
                    }
                }
                At::LineStart => {
                    i += 1;
                    match byte {
                        b'\n' => return self.end(i),
                        b'\r' => self.at = At::AfterBlankCr,
                        _ => {
                            self.bare = self.fresh && byte == b'{';
                            self.fresh = false;
                            self.at = At::InLine;
                        }
                    }
                }
                At::InLine => {
                    let found = i + memchr::memchr2(b'\n', b'\r', &bytes[i..])?;
                    i = found + 1;
                    if bytes[found] == b'\r' {
                        self.at = At::AfterCr;
                        continue;
                    }
                    self.at = At::LineStart;
                    if self.bare {
                        return self.end(i);
                    }
                }
            }
        }
    }

    fn end(&mut self, length: usize) -> Option<usize> {
        *self = Self::default();
        Some(length)
    }
}

// === functions ===

/// The lines of a frame without their ends, whichever of `\n`, `\r\n` and `\r` ends them.
pub(super) fn lines(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(end) = memchr::memchr2(b'\n', b'\r', rest) else {
            return Some(std::mem::take(&mut rest));
        };
        let line = &rest[..end];
        let crlf = rest[end] == b'\r' && rest.get(end + 1) == Some(&b'\n');
        rest = &rest[end + 1 + usize::from(crlf)..];
        Some(line)
    })
}

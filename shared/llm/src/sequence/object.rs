//! Whether the text so far is one complete JSON object, without parsing it again for every fragment.

#[derive(Debug, Clone, Copy, Default)]
pub struct ObjectScan {
    depth: u32,
    in_string: bool,
    escaped: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Before,
    Inside,
    Complete,
    /// Not an object, or something follows it.
    Never,
}

// === impl ObjectScan ===

impl ObjectScan {
    pub fn push(&mut self, text: &str) {
        for byte in text.bytes() {
            self.step(byte);
        }
    }

    pub fn complete(&self) -> bool {
        self.state == State::Complete
    }

    fn step(&mut self, byte: u8) {
        match self.state {
            State::Never => {}
            State::Before | State::Complete if byte.is_ascii_whitespace() => {}
            State::Before if byte == b'{' => {
                self.state = State::Inside;
                self.depth = 1;
            }
            State::Before | State::Complete => self.state = State::Never,
            State::Inside if self.in_string => {
                self.in_string = self.escaped || byte != b'"';
                self.escaped = !self.escaped && byte == b'\\';
            }
            State::Inside => self.step_inside(byte),
        }
    }

    fn step_inside(&mut self, byte: u8) {
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.state = State::Complete;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_complete_at_its_last_brace() {
        let text = r#" {"a":"}\"{","b":[{}]} "#;
        for end in 0..=text.len() {
            let mut scan = ObjectScan::default();
            scan.push(&text[..end]);
            assert_eq!(scan.complete(), end >= text.len() - 1, "{}", &text[..end]);
        }
    }

    #[test]
    fn other_values_are_never_complete_objects() {
        for text in ["", "null", "[]", "\"{}\"", "{}{}", "{} x"] {
            let mut scan = ObjectScan::default();
            scan.push(text);
            assert!(!scan.complete(), "{text}");
        }
    }
}

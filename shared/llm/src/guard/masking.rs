//! Personal data replaced in a text, whether the text is whole or arrives in pieces.
//!
//! Of a text that is still arriving only that is held back which may be the beginning of something: where the pieces
//! are cut changes nothing about what comes out.

use super::personal::{Forms, Next, Personal};

/// A text on its way.
#[derive(Debug, Clone)]
pub struct Masking {
    forms: &'static Forms,
    held: String,
    /// The last byte in front of what is held: a number inside a longer one is not found.
    before: Option<u8>,
}

/// The text without personal data, or `None` when there is none; `found` gets each kind once.
pub fn redacted(forms: &'static Forms, text: &str, found: &mut Vec<Personal>) -> Option<String> {
    if let Next::Open(_) = forms.next(text, 0, None, true) {
        return None;
    }
    Some(Masking::new(forms).read(text.to_owned(), true, found))
}

// === impl Masking ===

impl Masking {
    pub fn new(forms: &'static Forms) -> Self {
        Self {
            forms,
            held: String::new(),
            before: None,
        }
    }

    /// What is certain now that this piece is there.
    pub fn push(&mut self, piece: &str, found: &mut Vec<Personal>) -> String {
        let mut text = std::mem::take(&mut self.held);
        text.push_str(piece);
        self.read(text, false, found)
    }

    /// Nothing more comes: what was held back.
    pub fn finish(&mut self, found: &mut Vec<Personal>) -> String {
        let text = std::mem::take(&mut self.held);
        self.read(text, true, found)
    }

    /// What is certain in front of the first find, if this piece holds or completes one; `Err` with it then.
    pub fn push_until_found(
        &mut self,
        piece: Option<&str>,
        found: &mut Vec<Personal>,
    ) -> Result<String, String> {
        let mut text = std::mem::take(&mut self.held);
        text.push_str(piece.unwrap_or_default());
        match self.forms.next(&text, 0, self.before, piece.is_none()) {
            Next::Match { place, form } => {
                note(found, form.kind);
                text.truncate(place.start);
                Err(text)
            }
            Next::Open(at) => Ok(self.hold(text, at)),
        }
    }

    fn read(&mut self, text: String, complete: bool, found: &mut Vec<Personal>) -> String {
        let (mut masked, mut from) = (String::new(), 0);
        loop {
            match self.forms.next(&text, from, self.before, complete) {
                Next::Match { place, form } => {
                    note(found, form.kind);
                    masked.push_str(&text[from..place.start]);
                    masked.push_str(form.label);
                    from = place.end;
                }
                Next::Open(at) if from == 0 => return self.hold(text, at),
                Next::Open(at) => {
                    masked.push_str(&text[from..at]);
                    self.hold(text, at);
                    return masked;
                }
            }
        }
    }

    /// Keeps the text from there on; returns what is in front of it.
    fn hold(&mut self, mut text: String, at: usize) -> String {
        self.held = text.split_off(at);
        self.before = text.as_bytes().last().copied().or(self.before);
        text
    }
}

// === functions ===

fn note(found: &mut Vec<Personal>, kind: Personal) {
    if !found.contains(&kind) {
        found.push(kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The pieces that come out, and what is said to be in them.
    fn masked<'a>(pieces: impl IntoIterator<Item = &'a str>) -> (Vec<String>, Vec<Personal>) {
        let (mut masking, mut found) = (Masking::new(Forms::in_replies()), Vec::new());
        let mut out: Vec<String> = pieces
            .into_iter()
            .map(|piece| masking.push(piece, &mut found))
            .collect();
        out.push(masking.finish(&mut found));
        (out, found)
    }

    fn up_to_the_first_find<'a>(pieces: impl IntoIterator<Item = &'a str>) -> (String, Vec<Personal>) {
        let (mut masking, mut found) = (Masking::new(Forms::in_replies()), Vec::new());
        let mut text = String::new();
        for piece in pieces.into_iter().map(Some).chain([None]) {
            match masking.push_until_found(piece, &mut found) {
                Ok(certain) => text.push_str(&certain),
                Err(last) => return (text + &last, found),
            }
        }
        (text, found)
    }

    #[test]
    fn only_what_may_become_something_waits() {
        for (pieces, out) in [
            (&["Hello, wor", "ld! "][..], &["Hello, ", "world! ", ""][..]),
            (&["é", "ü…"], &["é", "ü…", ""]),
            (
                &["write ana@mail.exa", "mple now"],
                &["write ", "[EMAIL_REDACTED] ", "now"],
            ),
            (&["ssn 078-05-", "1120"], &["ssn ", "", "[SSN_REDACTED]"]),
            // with one digit more it is no card
            (
                &["4", "111 1111 1111 1111", "2"],
                &["", "", "4111 ", "1111 1111 11112"],
            ),
        ] {
            assert_eq!(masked(pieces.iter().copied()).0, out, "{pieces:?}");
        }
    }

    #[test]
    fn what_waits_has_a_longest_length() {
        for text in [
            "a".repeat(100_000),
            "sk-".to_owned() + &"a".repeat(100_000),
            "a.".repeat(50_000),
        ] {
            let mut masking = Masking::new(Forms::in_replies());
            masking.push(&format!("x@{text}"), &mut Vec::new());
            masking.push(&text, &mut Vec::new());
            assert!(masking.held.len() < 1024, "{}", masking.held.len());
        }
    }

    fn texts() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[a-z ]{0,6}",
            2 => "[0-9]{1,4}",
            2 => "[-. /()+@_]",
            1 => "[éü…🌍]",
            1 => Just("ana@mail.example".to_owned()),
            1 => Just("078-05-1120".to_owned()),
            1 => Just("4111 1111-11111111".to_owned()),
            1 => Just("(11) 98765-4321".to_owned()),
            1 => Just("12.345.678/0001-95".to_owned()),
            1 => Just("AKIAIOSFODNN7EXAMPLE".to_owned()),
            1 => Just("sk_live_4eC39HqLyjWDarjtT1zdp7dc".to_owned()),
            1 => Just("192.168.0.254".to_owned()),
        ];
        prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
    }

    fn cut<'a>(text: &'a str, cuts: &[prop::sample::Index]) -> Vec<&'a str> {
        let mut borders: Vec<usize> = text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .collect();
        let mut at: Vec<usize> = cuts.iter().map(|cut| borders[cut.index(borders.len())]).collect();
        borders.clear();
        at.extend([0, text.len()]);
        at.sort_unstable();
        at.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn where_a_text_is_cut_changes_nothing(
            text in texts(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut found = Vec::new();
            let whole = redacted(Forms::in_replies(), &text, &mut found).unwrap_or_else(|| text.clone());
            let letters = text.char_indices().map(|(at, letter)| &text[at..at + letter.len_utf8()]);
            for pieces in [cut(&text, &cuts), letters.collect()] {
                let (out, seen) = masked(pieces.iter().copied());
                prop_assert_eq!((out.concat(), seen), (whole.clone(), found.clone()), "{:?}", pieces);
                let (before, seen) = up_to_the_first_find(pieces);
                prop_assert!(text.starts_with(&before) && whole.starts_with(&before));
                prop_assert_eq!(seen.first(), found.first());
                prop_assert_eq!(before == text, found.is_empty());
            }
        }
    }
}

//! What an embedding overlooks, and an answer depends on.
//!
//! To a vector of a text "5 miles" and "5 kilometres" are nearly the same, and so are a question and its negation, the
//! payer and the paid, or two words that the model does not know. So two questions have to agree, letter by letter and
//! in this order, in their numbers with what is counted, names, negations and opposites, in what they quote, in all
//! signs, in writing without capitals, and in whatever follows a colon or a line break, because that is not the
//! question but what it is about; and the words they share have to come in the same order. Where they do not, the
//! provider is asked: a miss costs a call, a wrong answer costs trust.
//!
//! Only hashes leave here, so that what is stored beside a vector has no words in it.

mod words;

use self::words::{is_number_word, is_opener, is_turning, is_weak};

/// A word weighs less the more of them there are: up to so many, a threshold is taken as it is.
const SHORT: f64 = 8.0;

/// Of longer texts the rest has to be the same word for word.
const MAX_CONTENT: usize = 64;

const CONTEXT: &str = "omniroute 2026 particulars of questions";

/// Of one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Particulars {
    /// Everything that has to be the same, in order.
    exact: [u8; 16],
    /// How many there are of any kind.
    words: u16,
    /// Those that carry the meaning, in the order they have.
    content: Box<[u32]>,
}

/// One piece of a text.
#[derive(Debug, Clone, Copy)]
enum Token<'a> {
    Word(&'a str),
    /// With its decimal point and the signs that group it.
    Number(&'a str),
    Sign(char),
    /// Between quotation marks.
    Quoted(&'a str),
    /// The rest of the text.
    Material(&'a str),
    /// A sentence ends.
    Stop,
}

// === impl Particulars ===

impl Particulars {
    pub fn of(text: &str) -> Self {
        let (mut exact, mut content) = (Parts::default(), Vec::new());
        let (mut words, mut begins, mut counted) = (0_usize, true, false);
        for token in Tokens(text.trim()) {
            // what is counted belongs to its number
            let is_counted = std::mem::take(&mut counted);
            match token {
                Token::Word(word) => {
                    words += 1;
                    let begins = std::mem::take(&mut begins);
                    let (stem, is_negated) = stem(word);
                    if is_negated {
                        exact.add("not");
                    }
                    if is_counted || is_particular(word, &stem, begins) || content.len() == MAX_CONTENT {
                        exact.add(&stem);
                    }
                    counted = is_number_word(&stem);
                    if !is_weak(&stem) && content.len() < MAX_CONTENT {
                        content.push(short_hash(&stem));
                    }
                }
                Token::Number(number) => {
                    words += 1;
                    (begins, counted) = (false, true);
                    exact.add(number);
                }
                Token::Sign(sign) => exact.add(sign.encode_utf8(&mut [0; 4])),
                Token::Quoted(text) | Token::Material(text) => {
                    let all: Vec<_> = text.split_whitespace().collect();
                    words += all.len();
                    begins = false;
                    exact.add(&all.join(" "));
                }
                Token::Stop => begins = true,
            }
        }
        Self {
            exact: exact.hash(),
            words: u16::try_from(words).unwrap_or(u16::MAX),
            content: content.into(),
        }
    }

    /// Nothing tells the two apart that a vector does not see. What they have in common has to come in the same order:
    /// else whoever did something may have suffered it.
    pub fn agree(&self, other: &Self) -> bool {
        self.exact == other.exact && self.shared(other).eq(other.shared(self))
    }

    /// The words that are there once, and once in the other text.
    fn shared(&self, other: &Self) -> impl Iterator<Item = u32> {
        let once = |words: &[u32], word: u32| words.iter().filter(|other| **other == word).count() == 1;
        let is_shared = move |word: &u32| once(&self.content, *word) && once(&other.content, *word);
        self.content.iter().copied().filter(is_shared)
    }

    /// How alike the two have to be, where `threshold` is asked for: of what may be missing, the longer text leaves
    /// less to each of its words.
    pub fn threshold(&self, other: &Self, threshold: f64) -> f64 {
        let words = f64::from(self.words.max(other.words));
        1.0 - (1.0 - threshold) * (SHORT / words).min(1.0)
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.exact.to_vec();
        bytes.extend(self.words.to_le_bytes());
        bytes.push(u8::try_from(self.content.len()).unwrap_or(u8::MAX));
        bytes.extend(self.content.iter().flat_map(|word| word.to_le_bytes()));
        bytes
    }

    /// What was written down, and what follows it.
    pub fn from_bytes(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (exact, rest) = bytes.split_first_chunk()?;
        let (words, rest) = rest.split_first_chunk()?;
        let (count, rest) = rest.split_first()?;
        let (content, rest) = rest.split_at_checked(usize::from(*count) * size_of::<u32>())?;
        let (content, _) = content.as_chunks();
        let read = Self {
            exact: *exact,
            words: u16::from_le_bytes(*words),
            content: content.iter().map(|word| u32::from_le_bytes(*word)).collect(),
        };
        Some((read, rest))
    }

    pub fn size(&self) -> usize {
        size_of_val(&*self.content)
    }
}

/// Texts that are kept apart by their lengths.
struct Parts(blake3::Hasher);

// === impl Parts ===

impl Default for Parts {
    fn default() -> Self {
        Self(blake3::Hasher::new_derive_key(CONTEXT))
    }
}

impl Parts {
    fn add(&mut self, part: &str) {
        self.0
            .update(&(part.len() as u64).to_le_bytes())
            .update(part.as_bytes());
    }

    fn hash<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.0.finalize_xof().fill(&mut out);
        out
    }
}

/// The pieces of a text, one after the other.
struct Tokens<'a>(&'a str);

// === impl Tokens ===

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.0;
            let first = rest.chars().next()?;
            let after = &rest[first.len_utf8()..];
            if first.is_numeric() {
                return Some(Token::Number(self.take(number_len(rest))));
            }
            if first.is_alphabetic() {
                let word = self.take(word_len(rest));
                return Some(Token::Word(word));
            }
            self.0 = after;
            match first {
                ':' | '\n' if !after.trim().is_empty() => {
                    self.0 = "";
                    return Some(Token::Material(after));
                }
                '.' if after.starts_with(char::is_numeric) => return Some(Token::Sign(first)),
                '.' | '!' | '?' | '…' => return Some(Token::Stop),
                '"' | '“' | '”' | '„' | '«' | '»' | '‘' | '`' | '\'' => {
                    let Some((quoted, rest)) = quoted(first, after) else {
                        return Some(Token::Sign(first));
                    };
                    self.0 = rest;
                    return Some(Token::Quoted(quoted));
                }
                ',' | ';' | ':' => {}
                space if space.is_whitespace() => {}
                sign => return Some(Token::Sign(sign)),
            }
        }
    }
}

impl<'a> Tokens<'a> {
    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }
}

// === functions ===

/// Digits, signs between digits, and what may be a factorial.
fn number_len(text: &str) -> usize {
    let mut len = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        let joins = matches!(char, '.' | ',' | ':' | '/' | '\'')
            && chars.peek().is_some_and(|(_, next)| next.is_numeric());
        if !char.is_numeric() && !joins && char != '!' {
            break;
        }
        len = at + char.len_utf8();
    }
    len
}

/// What is between a quotation mark and the next, and what follows. An apostrophe opens where a word begins and closes
/// where one ends.
fn quoted(mark: char, text: &str) -> Option<(&str, &str)> {
    const MARKS: [char; 6] = ['"', '“', '”', '«', '»', '`'];
    let is_single = matches!(mark, '\'' | '‘');
    if is_single && !text.starts_with(char::is_alphanumeric) {
        return None;
    }
    let closes = |(at, char): &(usize, char)| match is_single {
        true => {
            let after = text[at + char.len_utf8()..].chars().next();
            matches!(char, '\'' | '’') && !after.is_some_and(char::is_alphanumeric)
        }
        false => MARKS.contains(char),
    };
    let (end, last) = text.char_indices().find(closes)?;
    Some((&text[..end], &text[end + last.len_utf8()..]))
}

/// Letters and digits, and apostrophes and hyphens between letters.
fn word_len(text: &str) -> usize {
    let mut len = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        let joins = matches!(char, '\'' | '’' | '-')
            && len > 0
            && chars.peek().is_some_and(|(_, next)| next.is_alphabetic());
        if !char.is_alphanumeric() && !joins {
            break;
        }
        len = at + char.len_utf8();
    }
    len
}

/// A word in small letters, without the ending of the plural or the genitive; and whether it ends with a negation.
fn stem(word: &str) -> (String, bool) {
    let lower = word.to_lowercase().replace('’', "'");
    if let Some(negated) = lower.strip_suffix("n't") {
        return (negated.to_owned(), true);
    }
    let stem = lower.split_once('\'').map_or(lower.as_str(), |(stem, _)| stem);
    let plural = stem
        .strip_suffix('s')
        .filter(|rest| rest.len() > 2 && !rest.ends_with(['s', 'u', 'i']));
    (plural.unwrap_or(stem).to_owned(), false)
}

fn is_particular(word: &str, stem: &str, begins: bool) -> bool {
    let is_name = word.chars().any(char::is_uppercase) && stem != "i";
    let opens = begins && is_opener(stem) && !word.chars().skip(1).any(char::is_uppercase);
    // what has letters without a case, or digits, is not a word that there are others for
    let is_plain = |char: char| char.is_lowercase() || char.is_uppercase() || !char.is_alphanumeric();
    // `x` is not `y`
    let is_letter = word.chars().nth(1).is_none() && !matches!(stem, "a" | "i");
    is_name && !opens || is_letter || !word.chars().all(is_plain) || is_turning(stem) || is_number_word(stem)
}

fn short_hash(word: &str) -> u32 {
    let mut parts = Parts::default();
    parts.add(word);
    u32::from_le_bytes(parts.hash())
}

#[cfg(test)]
mod tests;

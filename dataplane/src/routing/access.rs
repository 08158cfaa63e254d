//! What a gateway API key may do: scopes and model patterns.

/// The scopes a key carries. Unknown words grant nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes {
    pub inference: bool,
}

/// Model patterns of one key; `*` matches any run of characters, everything else is literal, both ends are
/// anchored: `openai/*` never matches `openaix/gpt`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Globs(Vec<String>);

// === impl Scopes ===

impl Scopes {
    pub fn parse<S: AsRef<str>>(words: &[S]) -> Self {
        Self {
            inference: words.iter().any(|word| word.as_ref() == "inference"),
        }
    }
}

// === impl Globs ===

impl Globs {
    pub fn new(patterns: Vec<String>) -> Self {
        Self(patterns)
    }

    /// No pattern means no restriction.
    pub fn is_unrestricted(&self) -> bool {
        self.0.is_empty()
    }

    pub fn matches(&self, name: &str) -> bool {
        self.is_unrestricted() || self.0.iter().any(|pattern| glob(pattern, &[name]))
    }

    /// Like `matches` for `prefix/name`, without building that string.
    pub fn matches_qualified(&self, prefix: &str, name: &str) -> bool {
        self.is_unrestricted() || self.0.iter().any(|pattern| glob(pattern, &[prefix, "/", name]))
    }

    /// Whether the name itself, not a wildcard that happens to cover it, was granted.
    pub fn names(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern == name)
    }
}

/// Greedy matching with one point of return; linear in practice, quadratic at worst, never exponential.
/// The name comes in pieces that are read as if they were joined.
fn glob(pattern: &str, name: &[&str]) -> bool {
    let pattern = pattern.as_bytes();
    let len: usize = name.iter().map(|piece| piece.len()).sum();
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < len {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, n));
            p += 1;
        } else if pattern.get(p).copied() == byte_at(name, n) {
            (p, n) = (p + 1, n + 1);
        } else if let Some((star_p, star_n)) = star {
            star = Some((star_p, star_n + 1));
            (p, n) = (star_p + 1, star_n + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

fn byte_at(pieces: &[&str], mut index: usize) -> Option<u8> {
    for piece in pieces {
        if let Some(byte) = piece.as_bytes().get(index) {
            return Some(*byte);
        }
        index -= piece.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(patterns: &[&str]) -> Globs {
        Globs::new(patterns.iter().map(|&p| p.to_owned()).collect())
    }

    #[test]
    fn a_pattern_is_anchored_and_literal_but_for_the_star() {
        let table = [
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("openai/*", "openai/gpt-4o", true),
            ("openai/*", "openai/", true),
            ("openai/*", "openai", false),
            ("openai/*", "openaix/gpt-4o", false),
            ("gpt-4.1", "gpt-4x1", false),
            ("*mini", "openai/gpt-4o-mini", true),
            ("*/gpt-*-mini", "openai/gpt-4o-mini", true),
            ("*/gpt-*-mini", "openai/gpt-4o", false),
            ("a*a", "a", false),
            ("*", "", true),
            ("", "x", false),
            ("**x**", "x", true),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(globs(&[pattern]).matches(name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn no_pattern_restricts_nothing() {
        assert!(Globs::default().matches("anything"));
    }

    #[test]
    fn a_qualified_name_matches_as_if_it_were_joined() {
        let globs = globs(&["openai/gpt-*"]);
        assert!(globs.matches_qualified("openai", "gpt-4o"));
        assert!(!globs.matches_qualified("openai", "o3"));
        assert!(!globs.matches_qualified("openaix", "gpt-4o"));
    }

    #[test]
    fn only_the_name_itself_counts_as_named() {
        let globs = globs(&["smart", "fast*"]);
        assert!(globs.names("smart"));
        assert!(!globs.names("fast"));
    }

    proptest::proptest! {
        #[test]
        fn pieces_match_like_the_joined_name(pattern in "[ab*/]{0,8}", prefix in "[ab]{0,4}", name in "[ab/]{0,6}") {
            let joined = format!("{prefix}/{name}");
            proptest::prop_assert_eq!(
                globs(&[&pattern]).matches(&joined),
                globs(&[&pattern]).matches_qualified(&prefix, &name)
            );
        }
    }
}

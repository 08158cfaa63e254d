//! Patterns for model names as operators write them: `*` is any text, `?` one character, everything else is literal,
//! case does not matter, and both ends are anchored.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<char>);

// === impl Pattern ===

impl Pattern {
    pub fn new(text: &str) -> Self {
        Self(folded(text))
    }

    pub fn matches(&self, name: &str) -> bool {
        self.matches_folded(&folded(name))
    }

    /// Like `matches`, for one name and many patterns. Greedy matching with one point of return: quadratic at worst.
    pub fn matches_folded(&self, name: &[char]) -> bool {
        let Self(pattern) = self;
        let (mut p, mut n) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            match pattern.get(p) {
                Some('*') => {
                    star = Some((p, n));
                    p += 1;
                    continue;
                }
                Some('?') => (p, n) = (p + 1, n + 1),
                Some(literal) if *literal == name[n] => (p, n) = (p + 1, n + 1),
                _ => {
                    let Some((star_p, star_n)) = star else {
                        return false;
                    };
                    star = Some((star_p, star_n + 1));
                    (p, n) = (star_p + 1, star_n + 1);
                }
            }
        }
        pattern[p..].iter().all(|left| *left == '*')
    }

    /// How much a pattern says: the one that says most wins.
    pub fn specificity(&self) -> i64 {
        let of = |c: &char| match c {
            '*' => -50,
            '?' => -5,
            _ => 10,
        };
        let length = i64::try_from(self.0.len()).unwrap_or(i64::MAX);
        self.0.iter().map(of).sum::<i64>().saturating_add(length)
    }

    /// It was written for names with a provider before the slash.
    pub fn has_slash(&self) -> bool {
        self.0.contains(&'/')
    }
}

/// A name as patterns see it.
pub fn folded(name: &str) -> Vec<char> {
    name.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pattern_is_anchored_and_literal_but_for_its_two_signs() {
        let table = [
            ("gpt-4o", "GPT-4O", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("GPT-4*", "gpt-4o-mini", true),
            ("gpt-?", "gpt-5", true),
            ("gpt-?", "gpt-55", false),
            ("gpt-?", "gpt-", false),
            ("?", "é", true),
            ("*-latest", "claude-latest", true),
            ("*-latest", "claude-latest-2", false),
            ("a.c", "abc", false),
            ("openai/*", "openaix/gpt", false),
            ("*", "openai/gpt", true),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
            ("*a*b*", "xaxbx", true),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(
                Pattern::new(pattern).matches(name),
                expected,
                "{pattern} on {name}"
            );
        }
    }

    #[test]
    fn specificity_is_ten_per_literal_less_fifty_and_five_plus_the_length() {
        let table = [("gpt", 33), ("gpt-*", -5), ("gpt-?", 40), ("*", -49), ("", 0)];
        for (pattern, expected) in table {
            assert_eq!(Pattern::new(pattern).specificity(), expected, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn a_name_matches_itself_and_whatever_is_made_of_it_by_signs(name in "[a-z/.-]{1,12}", cut in 0usize..12) {
            let cut = cut.min(name.len() - 1);
            prop_assert!(Pattern::new(&name).matches(&name));
            let open_ended = format!("{}*", &name[..cut]);
            prop_assert!(Pattern::new(&open_ended).matches(&name), "{open_ended} on {name}");
            let one_unknown = format!("{}?{}", &name[..cut], &name[cut + 1..]);
            prop_assert!(Pattern::new(&one_unknown).matches(&name), "{one_unknown} on {name}");
        }

        #[test]
        fn any_pattern_answers_for_any_name(pattern in "[ab*?]{0,12}", name in "[ab]{0,24}") {
            Pattern::new(&pattern).matches(&name);
        }
    }
}

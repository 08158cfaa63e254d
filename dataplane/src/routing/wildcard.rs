//! Aliases for whole families of names: the most specific pattern that matches a name says what it stands for.
//!
//! One hop: a target is a combo, an alias or a model, and never another wildcard's business.

use super::table::Named;
use proto::pattern::{Pattern, folded};

/// The most specific first, and of those the one that was written first.
#[derive(Default)]
pub(super) struct Wildcards(Vec<Wildcard>);

struct Wildcard {
    pattern: Pattern,
    named: Named,
}

// === impl Wildcards ===

impl Wildcards {
    pub fn new(aliases: impl Iterator<Item = (Pattern, Named)>) -> Self {
        let mut wildcards: Vec<Wildcard> = aliases
            .map(|(pattern, named)| Wildcard { pattern, named })
            .collect();
        wildcards.sort_by_key(|wildcard| std::cmp::Reverse(wildcard.pattern.specificity()));
        Self(wildcards)
    }

    /// What `name` stands for. Where a provider `answers` to the name, only a pattern that has a provider in it
    /// applies: `*` is for names that nobody knows, and must not take `openai/gpt-4o` from OpenAI.
    pub fn find(&self, name: &str, answers: bool) -> Option<&Named> {
        if self.0.is_empty() {
            return None;
        }
        let name = folded(name);
        self.0
            .iter()
            .filter(|wildcard| !answers || wildcard.pattern.has_slash())
            .find(|wildcard| wildcard.pattern.matches_folded(&name))
            .map(|wildcard| &wildcard.named)
    }
}

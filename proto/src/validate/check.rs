//! Collects issues about one resource.

use std::ops::RangeInclusive;

use super::URL_CHARS;
use crate::{
    Issue, Rule,
    v1::{ResourceKey, ResourceKind},
};

pub(super) struct Check {
    key: ResourceKey,
    pub(super) issues: Vec<Issue>,
}

// === impl Check ===

impl Check {
    pub(super) fn new(kind: ResourceKind, id: &str) -> Self {
        Self {
            key: ResourceKey {
                kind: kind.into(),
                id: id.to_owned(),
            },
            issues: Vec::new(),
        }
    }

    pub(super) fn that(&mut self, holds: bool, field: &str, expectation: &str) {
        if !holds {
            self.report(field, expectation.to_owned());
        }
    }

    /// In characters, as a person counts them.
    pub(super) fn length(&mut self, field: &str, text: &str, range: RangeInclusive<usize>) {
        let (min, max) = (range.start(), range.end());
        if !range.contains(&text.chars().count()) {
            self.report(field, format!("must have {min} to {max} characters"));
        }
    }

    pub(super) fn count(&mut self, field: &str, count: usize, max: usize) {
        if count > max {
            self.report(field, format!("must have at most {max} entries"));
        }
    }

    pub(super) fn one_of(&mut self, field: &str, value: &str, known: &[&str]) {
        if !known.contains(&value) {
            self.report(field, format!("must be one of {}", known.join(", ")));
        }
    }

    /// ASCII letters, digits and `also`.
    pub(super) fn characters(&mut self, field: &str, text: &str, also: &str) {
        if !text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || also.contains(c))
        {
            self.report(field, format!("may have letters, digits and {also} only"));
        }
    }

    /// Only the form. Whether the address may be called is decided where it is called, after DNS.
    pub(super) fn address(&mut self, field: &str, address: &str) {
        let rest = address
            .strip_prefix("https://")
            .or_else(|| address.strip_prefix("http://"));
        let authority = rest
            .and_then(|rest| rest.split(['/', '?', '#']).next())
            .unwrap_or_default();
        let odd = |c: char| c.is_whitespace() || c.is_control();
        self.that(!authority.is_empty(), field, "must be an http or https address");
        self.that(
            !authority.contains('@'),
            field,
            "must not carry a user name or password",
        );
        self.that(!address.ends_with('/'), field, "must not end with a slash");
        self.that(!address.contains(odd), field, "must not contain white space");
        self.that(address.len() <= URL_CHARS, field, "is too long");
    }

    fn report(&mut self, field: &str, message: String) {
        self.issues.push(Issue {
            resource: self.key.clone(),
            field: field.to_owned(),
            rule: Rule::Value,
            message,
        });
    }
}

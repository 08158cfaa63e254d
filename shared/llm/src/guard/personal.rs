//! Personal data by its form: what has the form of a card number is taken for one.

use regex::Regex;
use std::borrow::Cow;
use std::sync::LazyLock;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personal {
    Email,
    /// Brazil's number of a company.
    Cnpj,
    /// Brazil's number of a person.
    Cpf,
    Card,
    /// A telephone number as Brazil writes it.
    Phone,
    /// A social security number of the United States.
    Ssn,
}

/// In the order they are looked for: the longer forms first, since a shorter one may be a part of them.
const FORMS: [(Personal, &str, &str); 6] = [
    (
        Personal::Email,
        "[EMAIL_REDACTED]",
        r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}",
    ),
    (
        Personal::Cnpj,
        "[CNPJ_REDACTED]",
        r"\b[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}\b",
    ),
    (
        Personal::Cpf,
        "[CPF_REDACTED]",
        r"\b[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b",
    ),
    (
        Personal::Card,
        "[CARD_REDACTED]",
        r"\b[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}\b",
    ),
    (
        Personal::Phone,
        "[PHONE_REDACTED]",
        r"(?:\+55[ -]?)?(?:\([0-9]{2}\)|\b[0-9]{2})[ -]?9?[0-9]{4}-[0-9]{4}\b",
    ),
    (Personal::Ssn, "[SSN_REDACTED]", r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b"),
];

static REGEXES: LazyLock<[Regex; 6]> =
    LazyLock::new(|| FORMS.map(|(_, _, regex)| Regex::new(regex).expect("a test builds the same patterns")));

// === impl Personal ===

impl Personal {
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Cnpj => "cnpj",
            Self::Cpf => "cpf",
            Self::Card => "card",
            Self::Phone => "phone",
            Self::Ssn => "ssn",
        }
    }
}

/// The text without personal data, or `None` when there is none; `found` gets each kind once.
pub fn redact(text: &str, found: &mut Vec<Personal>) -> Option<String> {
    let mut redacted: Option<String> = None;
    for ((kind, label, _), regex) in FORMS.iter().zip(REGEXES.iter()) {
        let current = redacted.as_deref().unwrap_or(text);
        if let Cow::Owned(replaced) = regex.replace_all(current, regex::NoExpand(label)) {
            redacted = Some(replaced);
            if !found.contains(kind) {
                found.push(*kind);
            }
        }
    }
    redacted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_becomes_its_label() {
        for (text, expected, kind) in [
            (
                "to ana.b+c@mail.example.com!",
                "to [EMAIL_REDACTED]!",
                Personal::Email,
            ),
            ("CPF 123.456.789-09.", "CPF [CPF_REDACTED].", Personal::Cpf),
            ("12.345.678/0001-95", "[CNPJ_REDACTED]", Personal::Cnpj),
            ("4111 1111 1111 1111", "[CARD_REDACTED]", Personal::Card),
            ("x 4111111111111111 y", "x [CARD_REDACTED] y", Personal::Card),
            ("call (11) 98765-4321", "call [PHONE_REDACTED]", Personal::Phone),
            ("+55 11 8765-4321", "[PHONE_REDACTED]", Personal::Phone),
            ("ssn 078-05-1120", "ssn [SSN_REDACTED]", Personal::Ssn),
        ] {
            let mut found = Vec::new();
            assert_eq!(redact(text, &mut found).as_deref(), Some(expected), "{text}");
            assert_eq!(found, [kind], "{text}");
        }
    }

    #[test]
    fn what_only_looks_similar_stays() {
        for text in [
            "",
            "a@b",
            "1732472951123",
            "41111111111111112",
            "2026-11-24",
            "10.0.0.1",
            "$1",
        ] {
            let mut found = Vec::new();
            assert_eq!((redact(text, &mut found), found), (None, vec![]), "{text}");
        }
    }
}

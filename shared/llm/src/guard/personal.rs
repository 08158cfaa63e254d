//! Personal data and secrets by their form: what has the form of a card number is taken for one.
//!
//! A form is looked for byte by byte, by a machine that says at every byte whether what it has read is one, may
//! become one, or never will. So the same machine reads a text that is complete and one that is still arriving.

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind};
use std::ops::Range;
use std::sync::LazyLock;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personal {
    Email,
    /// Brazil's number of a company.
    Cnpj,
    /// Brazil's number of a person.
    Cpf,
    Card,
    /// A telephone number as Brazil or, in replies, North America writes it.
    Phone,
    /// A social security number of the United States.
    Ssn,
    IpAddress,
    /// An access key id of Amazon's.
    AwsKey,
    /// A secret that says by its first letters that it is one.
    ApiKey,
}

pub struct Form {
    pub kind: Personal,
    /// What is put in its place.
    pub label: &'static str,
    regex: &'static str,
}

/// Forms that are looked for together. Where several begin at one place, the first of the list counts.
pub struct Forms {
    forms: &'static [Form],
    machine: dense::DFA<Vec<u32>>,
}

/// What comes next in a text.
pub enum Next {
    Match {
        place: Range<usize>,
        form: &'static Form,
    },
    /// Nothing up to here, where something may begin that the text does not hold the end of; or the end.
    Open(usize),
}

/// What begins at one place.
enum Verdict {
    Nothing,
    Match(usize, &'static Form),
    Undecided,
}

// Every form has a longest length, so that a text that is still arriving is held back by no more than that; and all
// are of ASCII, so that no letter of another alphabet is ever cut.
const EMAIL: Form = form(
    Personal::Email,
    "[EMAIL_REDACTED]",
    r"\b{start-half}[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,63}",
);
const CNPJ: Form = form(
    Personal::Cnpj,
    "[CNPJ_REDACTED]",
    r"\b[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}\b",
);
const CPF: Form = form(
    Personal::Cpf,
    "[CPF_REDACTED]",
    r"\b[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b",
);
const CARD: &str = r"\b[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}\b";
const PHONE: Form = form(
    Personal::Phone,
    "[PHONE_REDACTED]",
    r"(?:\+55[ -]?)?(?:\([0-9]{2}\)|\b[0-9]{2})[ -]?9?[0-9]{4}-[0-9]{4}\b",
);
/// Only with its separators: ten digits alone are as often a time.
const PHONE_US: Form = form(
    Personal::Phone,
    "[PHONE_REDACTED]",
    r"(?:\+?\b1[-. ]?)?(?:\([0-9]{3}\) ?|\b[0-9]{3}[-. ])[0-9]{3}[-. ][0-9]{4}\b",
);
const SSN: Form = form(Personal::Ssn, "[SSN_REDACTED]", r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b");
const IP_ADDRESS: Form = form(
    Personal::IpAddress,
    "[IP_REDACTED]",
    r"\b(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\b",
);
const AWS_KEY: Form = form(
    Personal::AwsKey,
    "[AWS_KEY_REDACTED]",
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
);
/// The long run without a separator tells a secret from an identifier of a program.
const API_KEY: Form = form(
    Personal::ApiKey,
    "[API_KEY_REDACTED]",
    r"\b(?:sk-[A-Za-z0-9_-]{32,256}|(?i:sk|pk|api|key|token)[_-](?:[A-Za-z0-9]{1,16}[_-]){0,2}[A-Za-z0-9]{20,256})",
);

/// The longer forms first, since a shorter one may be a part of them.
const ASKED: [Form; 6] = [
    EMAIL,
    CNPJ,
    CPF,
    form(Personal::Card, "[CARD_REDACTED]", CARD),
    PHONE,
    SSN,
];
const ANSWERED: [Form; 10] = [
    EMAIL,
    API_KEY,
    AWS_KEY,
    CNPJ,
    CPF,
    form(Personal::Card, "[CC_REDACTED]", CARD),
    PHONE,
    PHONE_US,
    SSN,
    IP_ADDRESS,
];

static IN_REQUESTS: LazyLock<Forms> = LazyLock::new(|| Forms::new(&ASKED));
static IN_REPLIES: LazyLock<Forms> = LazyLock::new(|| Forms::new(&ANSWERED));

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
            Self::IpAddress => "ip_address",
            Self::AwsKey => "aws_key",
            Self::ApiKey => "api_key",
        }
    }
}

// === impl Forms ===

impl Forms {
    pub fn in_requests() -> &'static Self {
        &IN_REQUESTS
    }

    pub fn in_replies() -> &'static Self {
        &IN_REPLIES
    }

    fn new(forms: &'static [Form]) -> Self {
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .match_kind(MatchKind::LeftmostFirst);
        let regexes: Vec<&str> = forms.iter().map(|form| form.regex).collect();
        let machine = dense::Builder::new()
            .configure(config)
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .build_many(&regexes)
            .expect("a test builds the same machine");
        Self { forms, machine }
    }

    /// The first match that begins at `from` or later; `before` is the byte in front of the text, `complete` says
    /// that nothing comes behind it.
    pub fn next(&self, text: &str, from: usize, before: Option<u8>, complete: bool) -> Next {
        let bytes = text.as_bytes();
        for at in from..bytes.len() {
            let before = at.checked_sub(1).map(|at| bytes[at]).or(before);
            match self.begins(&bytes[at..], before, complete) {
                Verdict::Nothing => {}
                Verdict::Match(length, form) => {
                    let place = at..at + length;
                    return Next::Match { place, form };
                }
                Verdict::Undecided => return Next::Open(at),
            }
        }
        Next::Open(bytes.len())
    }

    fn begins(&self, text: &[u8], before: Option<u8>, complete: bool) -> Verdict {
        let start = start::Config::new().anchored(Anchored::Yes).look_behind(before);
        let Ok(mut state) = self.machine.start_state(&start) else {
            return Verdict::Nothing;
        };
        let mut verdict = Verdict::Nothing;
        // the machine says at the byte behind a match that there was one
        for (at, byte) in text.iter().enumerate() {
            state = self.machine.next_state(state, *byte);
            if self.machine.is_match_state(state) {
                verdict = self.matched(state, at);
            } else if self.machine.is_dead_state(state) {
                return verdict;
            }
        }
        if !complete {
            return Verdict::Undecided;
        }
        state = self.machine.next_eoi_state(state);
        if self.machine.is_match_state(state) {
            verdict = self.matched(state, text.len());
        }
        verdict
    }

    fn matched(&self, state: StateID, length: usize) -> Verdict {
        let form = self.machine.match_pattern(state, 0).as_usize();
        Verdict::Match(length, &self.forms[form])
    }
}

impl std::fmt::Debug for Forms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = self.forms.iter().map(|form| form.kind);
        f.debug_list().entries(kinds).finish()
    }
}

// === functions ===

const fn form(kind: Personal, label: &'static str, regex: &'static str) -> Form {
    Form { kind, label, regex }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::masking::redacted;
    use proptest::prelude::*;
    use regex::bytes::RegexBuilder;

    fn redact(forms: &'static Forms, text: &str) -> (String, Vec<Personal>) {
        let mut found = Vec::new();
        let text = redacted(forms, text, &mut found).unwrap_or_else(|| text.to_owned());
        (text, found)
    }

    #[test]
    fn every_form_becomes_its_label() {
        for (text, expected, kind) in [
            (
                "to ana.b+c@mail.example.com!",
                "to [EMAIL_REDACTED]!",
                Personal::Email,
            ),
            ("é:ana@mail.example.", "é:[EMAIL_REDACTED].", Personal::Email),
            ("CPF 123.456.789-09.", "CPF [CPF_REDACTED].", Personal::Cpf),
            ("12.345.678/0001-95", "[CNPJ_REDACTED]", Personal::Cnpj),
            ("4111 1111 1111 1111", "[CARD_REDACTED]", Personal::Card),
            ("x 4111111111111111 y", "x [CARD_REDACTED] y", Personal::Card),
            ("call (11) 98765-4321", "call [PHONE_REDACTED]", Personal::Phone),
            ("+55 11 8765-4321", "[PHONE_REDACTED]", Personal::Phone),
            ("ssn 078-05-1120", "ssn [SSN_REDACTED]", Personal::Ssn),
        ] {
            assert_eq!(
                redact(Forms::in_requests(), text),
                (expected.to_owned(), vec![kind]),
                "{text}"
            );
            let expected = expected.replace("CARD", "CC");
            assert_eq!(
                redact(Forms::in_replies(), text),
                (expected, vec![kind]),
                "{text}"
            );
        }
    }

    #[test]
    fn replies_are_searched_for_secrets_and_addresses_too() {
        for (text, expected, kind) in [
            ("at 10.0.0.1:80", "at [IP_REDACTED]:80", Personal::IpAddress),
            ("AKIAIOSFODNN7EXAMPLE", "[AWS_KEY_REDACTED]", Personal::AwsKey),
            (
                "key sk_live_4eC39HqLyjWDarjtT1zdp7dc",
                "key [API_KEY_REDACTED]",
                Personal::ApiKey,
            ),
            (
                "sk-ant-api03-R2D2_x-aaaaaaaaaaaaaaaaaaaa-bbbb",
                "[API_KEY_REDACTED]",
                Personal::ApiKey,
            ),
            (
                "TOKEN_0123456789abcdef0123",
                "[API_KEY_REDACTED]",
                Personal::ApiKey,
            ),
            ("(415) 555-2671", "[PHONE_REDACTED]", Personal::Phone),
            ("+1 415-555-2671", "[PHONE_REDACTED]", Personal::Phone),
        ] {
            assert_eq!(
                redact(Forms::in_replies(), text),
                (expected.to_owned(), vec![kind]),
                "{text}"
            );
            assert_eq!(redact(Forms::in_requests(), text).1, [], "{text}");
        }
    }

    #[test]
    fn what_only_looks_similar_stays() {
        for text in [
            "",
            "a@b",
            "1732472951123",
            "4155552671",
            "41111111111111112",
            "2026-11-24",
            "256.1.1.1",
            "1.2.3",
            "key_derivation_function_name",
            "api-reference",
            "sk-folding-cube-container",
            "$1",
        ] {
            assert_eq!(redact(Forms::in_replies(), text), (text.to_owned(), vec![]));
        }
    }

    proptest! {
        /// The machine finds what an ordinary search finds.
        #[test]
        fn a_search_for_all_forms_at_once_says_the_same(
            pieces in prop::collection::vec(
                prop_oneof![
                    "[0-9]{1,4}", "[-. /()+@é]", "[a-z]{1,3}", Just("sk_".to_owned()), Just("AKIA".to_owned()),
                    Just("a@b.co".to_owned()), "[0-9]{3}\\.[0-9]{3}", Just("4111 1111 1111 1111".to_owned()),
                    Just("078-05-1120".to_owned()), Just("10.0.0.1".to_owned()), "[A-Za-z0-9]{16,22}",
                ],
                0..8,
            ),
        ) {
            let text = pieces.concat();
            for forms in [Forms::in_requests(), Forms::in_replies()] {
                let all: Vec<String> = forms.forms.iter().map(|form| format!("(?:{})", form.regex)).collect();
                let search = RegexBuilder::new(&all.join("|")).unicode(false).build().unwrap();
                let mut expected = Vec::new();
                let mut from = 0;
                for found in search.find_iter(text.as_bytes()) {
                    expected.push(found.range());
                }
                let mut places = Vec::new();
                while let Next::Match { place, .. } = forms.next(&text, from, None, true) {
                    from = place.end;
                    places.push(place);
                }
                prop_assert_eq!(places, expected, "{:?}", text);
            }
        }
    }
}

//! Events hold text that strangers chose; a record has a largest size.

use prost::Message;
use proto::v1::UsageEvent;
use std::borrow::Cow;

/// What a client or a provider may put into one field of an event.
pub(super) const TEXT_BYTES: usize = 512;
pub(super) const ATTEMPTS: usize = 32;
/// A request can lose the same thing in each of a thousand messages.
pub(super) const NOTES: usize = 32;
/// Why a request went where it went is worth so much; of a combo of everything with accounts by the hundred only the
/// accounts that come first are.
pub(super) const DECISION_BYTES: usize = 24 * 1024;

/// An event that fits into a record: itself, or what is left of it when it was cut.
pub(super) fn bounded(event: &UsageEvent) -> Cow<'_, UsageEvent> {
    if fits(event) {
        return Cow::Borrowed(event);
    }
    let mut event = event.clone();
    cut(&mut event);
    Cow::Owned(event)
}

fn fits(event: &UsageEvent) -> bool {
    let is_short = |text: &String| text.len() <= TEXT_BYTES;
    let texts = [
        &event.request_id,
        &event.client_request_id,
        &event.key_id,
        &event.key_name,
        &event.endpoint,
        &event.client_dialect,
        &event.upstream_dialect,
        &event.model_requested,
        &event.model_served,
        &event.provider,
        &event.connection_id,
        &event.combo,
        &event.outcome,
        &event.error_code,
        &event.finish_reason,
    ];
    let are_attempts_short = event.attempts.iter().all(|attempt| {
        let texts = [
            &attempt.connection_id,
            &attempt.provider,
            &attempt.model,
            &attempt.outcome,
        ];
        texts.into_iter().all(is_short)
    });
    let mut notes = event.translation_notes.iter();
    let are_notes_short = notes.all(|note| is_short(&note.field) && is_short(&note.detail));
    let decision = event.decision.as_ref();
    texts.into_iter().all(is_short)
        && event.attempts.len() <= ATTEMPTS
        && are_attempts_short
        && event.translation_notes.len() <= NOTES
        && are_notes_short
        && decision.is_none_or(|decision| decision.encoded_len() <= DECISION_BYTES)
}

fn cut(event: &mut UsageEvent) {
    let texts = [
        &mut event.request_id,
        &mut event.client_request_id,
        &mut event.key_id,
        &mut event.key_name,
        &mut event.endpoint,
        &mut event.client_dialect,
        &mut event.upstream_dialect,
        &mut event.model_requested,
        &mut event.model_served,
        &mut event.provider,
        &mut event.connection_id,
        &mut event.combo,
        &mut event.outcome,
        &mut event.error_code,
        &mut event.finish_reason,
    ];
    texts.into_iter().for_each(shorten);
    event.attempts.truncate(ATTEMPTS);
    event.translation_notes.truncate(NOTES);
    for note in &mut event.translation_notes {
        shorten(&mut note.field);
        shorten(&mut note.detail);
    }
    if let Some(decision) = &mut event.decision {
        decision::shorten(decision, DECISION_BYTES);
    }
    for attempt in &mut event.attempts {
        [
            &mut attempt.connection_id,
            &mut attempt.provider,
            &mut attempt.model,
            &mut attempt.outcome,
        ]
        .into_iter()
        .for_each(shorten);
    }
}

fn shorten(text: &mut String) {
    text.truncate(text.floor_char_boundary(TEXT_BYTES));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::v1::{Account, Decision, Entry, Group, Target, TranslationNote, Verdict, entry::LeadsTo};

    #[test]
    fn of_many_notes_the_first_are_kept() {
        let note = |number: usize| TranslationNote {
            field: format!("messages[{number}]"),
            detail: "x".repeat(2 * TEXT_BYTES),
            ..TranslationNote::default()
        };
        let event = UsageEvent {
            translation_notes: (0..1_000).map(note).collect(),
            ..UsageEvent::default()
        };
        let kept = bounded(&event).into_owned().translation_notes;
        assert_eq!(kept.len(), NOTES);
        assert_eq!(
            (kept[31].field.as_str(), kept[31].detail.len()),
            ("messages[31]", TEXT_BYTES)
        );
    }

    #[test]
    fn a_decision_among_more_than_fits_is_kept_in_part() {
        let account = |number: u32| Account {
            connection_id: format!("connection-{number}"),
            verdict: Verdict::Eligible.into(),
            ..Account::default()
        };
        let entry = Entry {
            leads_to: Some(LeadsTo::Target(0)),
            ..Entry::default()
        };
        let mut decision = Decision {
            root: Some(Group {
                strategy: "priority".to_owned(),
                entries: vec![entry],
                ..Group::default()
            }),
            targets: vec![Target {
                verdict: Verdict::Eligible.into(),
                accounts: (0..3_000).map(account).collect(),
                ..Target::default()
            }],
            account_strategy: "fill-first".to_owned(),
            ..Decision::default()
        };
        decision::record(&mut decision).unwrap();
        let event = UsageEvent {
            decision: Some(decision),
            ..UsageEvent::default()
        };
        let kept = bounded(&event).into_owned().decision.unwrap();
        assert!(kept.encoded_len() <= DECISION_BYTES);
        let accounts = &kept.targets[0].accounts;
        assert_eq!(accounts[0].connection_id, "connection-0");
        assert_eq!(kept.omitted_accounts, Some(3_000 - accounts.len() as u32));
        assert!(decision::replay(&kept).is_err());
    }
}

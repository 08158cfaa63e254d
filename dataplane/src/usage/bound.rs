//! Events hold text that strangers chose; a record has a largest size.

use proto::v1::UsageEvent;

/// What a client or a provider may put into one field of an event.
pub(super) const TEXT_BYTES: usize = 512;
pub(super) const ATTEMPTS: usize = 32;
/// Why a request went where it went is worth so much; of a combo of everything with accounts by the hundred only the
/// accounts that come first are.
pub(super) const DECISION_BYTES: usize = 24 * 1024;

/// Cuts an event to what is bound to fit into a record.
pub(super) fn bound(event: &mut UsageEvent) {
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
    texts.into_iter().for_each(cut);
    event.attempts.truncate(ATTEMPTS);
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
        .for_each(cut);
    }
}

fn cut(text: &mut String) {
    text.truncate(text.floor_char_boundary(TEXT_BYTES));
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;
    use proto::v1::{Account, Decision, Entry, Group, Target, Verdict, entry::LeadsTo};

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
        let mut event = UsageEvent {
            decision: Some(decision),
            ..UsageEvent::default()
        };
        bound(&mut event);
        let kept = event.decision.unwrap();
        assert!(kept.encoded_len() <= DECISION_BYTES);
        let accounts = &kept.targets[0].accounts;
        assert_eq!(accounts[0].connection_id, "connection-0");
        assert_eq!(kept.omitted_accounts, Some(3_000 - accounts.len() as u32));
        assert!(decision::replay(&kept).is_err());
    }
}

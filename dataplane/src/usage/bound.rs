//! Events hold text that strangers chose; a record has a largest size.

use prost::Message;
use proto::v1::UsageEvent;

/// What a client or a provider may put into one field of an event.
pub(super) const TEXT_BYTES: usize = 512;
pub(super) const ATTEMPTS: usize = 32;
/// Why a request went where it went is worth so much; a combo of everything with accounts by the hundred is not.
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
    event
        .decision
        .take_if(|decision| decision.encoded_len() > DECISION_BYTES);
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

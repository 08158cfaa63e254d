//! Which conversations are going on: a fingerprint each, never a word of what is said.

use std::time::Duration;

/// How long a conversation is remembered after its last request.
pub const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);
/// More than this are not remembered; those that were idle longest go first.
pub const MAX_SESSIONS: usize = 10_000;

/// Requests of one conversation since the last report. Its identity is tenant and session together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionUse {
    /// The id of the API key, empty for none.
    pub tenant: String,
    /// The fingerprint, 16 hexadecimal digits.
    pub session: String,
    pub connection: String,
    pub provider: String,
    pub model: String,
    pub requests: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    pub tenant: String,
    pub session: String,
    /// What served the last request.
    pub connection: String,
    pub provider: String,
    pub model: String,
    /// Unix time by the store's clock, as the next.
    pub created_ms: i64,
    pub last_active_ms: i64,
    pub requests: u64,
}

/// The order in which they are listed: the last active first.
pub(crate) fn sort(sessions: &mut [Session]) {
    sessions.sort_by(|a, b| {
        let active = b.last_active_ms.cmp(&a.last_active_ms);
        active.then_with(|| (&a.tenant, &a.session).cmp(&(&b.tenant, &b.session)))
    });
}

//! Which conversation a request belongs to. Its client may say so; otherwise it is told by what stays the same from
//! turn to turn, which takes reading the request in full and is done only where it changes something.

use super::plan::Plan;
use crate::routing::Table;
use http::HeaderMap;
use llm::Ask;
use state::SessionUse;

/// What clients call their conversation by; the first one that is there counts.
const HEADERS: [&str; 2] = ["x-omniroute-session", "x-session-id"];
/// A longer word is no id.
const MAX_WORD: usize = 256;

/// A conversation of one caller: two callers that use the same word have two.
pub struct Session([u8; 8]);

// === impl Session ===

impl Session {
    /// Absent when nobody says which one, and nothing asks for it.
    pub fn of(table: &Table, plan: &Plan, headers: &HeaderMap, ask: &Ask) -> Option<Self> {
        let said = HEADERS.iter().find_map(|name| headers.get(*name)?.to_str().ok());
        let said = said.filter(|word| !word.is_empty() && word.len() <= MAX_WORD);
        let hash = |word: &str| Self(decision::session_hash(plan.tenant(), word));
        match said {
            Some(word) => Some(hash(word)),
            None if table.choice().session_affinity => ask.conversation().as_deref().map(hash),
            None => None,
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// One request of it, answered by this connection.
    pub fn answered_by(&self, plan: &Plan, connection: &str, provider: &str, model: &str) -> SessionUse {
        SessionUse {
            tenant: plan.tenant().to_owned(),
            session: format!("{:016x}", u64::from_be_bytes(self.0)),
            connection: connection.to_owned(),
            provider: provider.to_owned(),
            model: model.to_owned(),
            requests: 1,
        }
    }
}

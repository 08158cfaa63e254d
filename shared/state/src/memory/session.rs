//! Conversations of a single process.

use crate::session::{MAX_SESSIONS, SESSION_IDLE, Session, SessionUse, sort};
use std::collections::{BTreeMap, HashMap};

#[derive(Debug, Default)]
pub(super) struct Sessions {
    held: HashMap<Id, Held>,
    /// By their last use, the longest idle first.
    by_use: BTreeMap<u64, Id>,
    uses: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Id {
    tenant: String,
    session: String,
}

#[derive(Debug)]
struct Held {
    last_use: u64,
    session: Session,
}

// === impl Sessions ===

impl Sessions {
    pub(super) fn touch(&mut self, uses: &[SessionUse], now: i64) {
        self.forget(now);
        for used in uses {
            self.touch_one(used, now);
        }
        while self.held.len() > MAX_SESSIONS {
            self.drop_idlest();
        }
    }

    pub(super) fn list(&mut self, now: i64) -> Vec<Session> {
        self.forget(now);
        let mut sessions: Vec<_> = self.held.values().map(|held| held.session.clone()).collect();
        sort(&mut sessions);
        sessions
    }

    fn touch_one(&mut self, used: &SessionUse, now: i64) {
        self.uses += 1;
        let id = Id {
            tenant: used.tenant.clone(),
            session: used.session.clone(),
        };
        let before = self.held.remove(&id);
        if let Some(before) = &before {
            self.by_use.remove(&before.last_use);
        }
        let (created_ms, requests) =
            before.map_or((now, 0), |held| (held.session.created_ms, held.session.requests));
        let session = Session {
            tenant: used.tenant.clone(),
            session: used.session.clone(),
            connection: used.connection.clone(),
            provider: used.provider.clone(),
            model: used.model.clone(),
            created_ms,
            last_active_ms: now,
            requests: requests.saturating_add(used.requests),
        };
        self.by_use.insert(self.uses, id.clone());
        let last_use = self.uses;
        self.held.insert(id, Held { last_use, session });
    }

    fn forget(&mut self, now: i64) {
        let idle = i64::try_from(SESSION_IDLE.as_millis()).unwrap_or(i64::MAX);
        while let Some(id) = self.by_use.values().next() {
            let active = self
                .held
                .get(id)
                .map_or(i64::MIN, |held| held.session.last_active_ms);
            if active > now - idle {
                return;
            }
            self.drop_idlest();
        }
    }

    fn drop_idlest(&mut self) {
        if let Some((_, id)) = self.by_use.pop_first() {
            self.held.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(session: &str) -> SessionUse {
        SessionUse {
            session: session.to_owned(),
            requests: 1,
            ..SessionUse::default()
        }
    }

    #[test]
    fn an_idle_session_is_forgotten_and_starts_anew() {
        let idle = i64::try_from(SESSION_IDLE.as_millis()).unwrap();
        let mut sessions = Sessions::default();
        sessions.touch(&[used("a"), used("b")], 0);
        sessions.touch(&[used("b")], 1);
        assert_eq!(sessions.list(idle - 1).len(), 2);
        let left = sessions.list(idle);
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].session.as_str(), left[0].requests), ("b", 2));
        sessions.touch(&[used("a")], idle);
        assert_eq!(sessions.list(idle)[0].created_ms, idle);
        assert_eq!(sessions.by_use.len(), sessions.held.len());
    }
}

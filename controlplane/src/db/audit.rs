//! Who did what: the audit trail.

use std::{fmt, net::IpAddr, sync::Arc};

use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

/// On whose authority something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Somebody who is logged in, by username.
    Account(Arc<str>),
    /// A gateway API key with the scope `manage` or `read`.
    Key(Uuid),
    /// A management token.
    Token(Uuid),
    /// The program itself, at start or in a background task.
    System,
    Anonymous,
}

/// Where an action came from, as its audit row tells it.
#[derive(Clone, Debug)]
pub struct Origin {
    pub actor: Actor,
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
}

/// How an audited action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Success,
    Failed,
    Denied,
}

/// One row of the audit trail. `details` must never hold a secret.
#[derive(Clone, Debug)]
pub struct Audit {
    /// `subject.verb`, for example `apiKey.created`.
    pub action: &'static str,
    pub outcome: Outcome,
    /// Kind and id of the thing acted on.
    pub target: Option<(&'static str, String)>,
    pub details: Value,
}

// === impl Actor ===

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(username) => f.write_str(username),
            Self::Key(id) => write!(f, "key:{id}"),
            Self::Token(id) => write!(f, "token:{id}"),
            Self::System => f.write_str("system"),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}

// === impl Origin ===

impl Origin {
    /// The program acting on its own.
    pub fn system() -> Self {
        Self {
            actor: Actor::System,
            ip: None,
            user_agent: None,
            request_id: None,
        }
    }
}

// === impl Outcome ===

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Denied => "denied",
        }
    }
}

// === impl Audit ===

impl Audit {
    /// A success without details.
    pub fn of(action: &'static str) -> Self {
        Self {
            action,
            outcome: Outcome::Success,
            target: None,
            details: Value::Object(serde_json::Map::new()),
        }
    }

    pub fn target(mut self, kind: &'static str, id: impl fmt::Display) -> Self {
        self.target = Some((kind, id.to_string()));
        self
    }

    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    pub fn details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}

pub(super) async fn insert(
    executor: impl PgExecutor<'_>,
    origin: &Origin,
    audit: Audit,
    revision: Option<i64>,
) -> Result<(), sqlx::Error> {
    let (target_kind, target_id) = audit.target.unzip();
    sqlx::query!(
        "insert into audit_log
             (action, actor, status, ip, user_agent, target_kind, target_id, details, request_id, revision)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        audit.action,
        origin.actor.to_string(),
        audit.outcome.as_str(),
        origin.ip.map(|ip| ip.to_string()),
        origin.user_agent,
        target_kind,
        target_id,
        audit.details,
        origin.request_id,
        revision,
    )
    .execute(executor)
    .await?;
    Ok(())
}

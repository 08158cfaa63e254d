//! What a request's credentials amount to: a session, a key, a token, or nothing.

use axum::http::{HeaderValue, header, request::Parts};
use chrono::Utc;
use runtime::crypto;
use sqlx::PgPool;
use uuid::Uuid;

use super::client;
use crate::{
    account::{Account, Role},
    api::Ctx,
    error::ApiError,
    http::edge::{AnswerHeaders, X_DEGRADED},
    session::{self, Session},
};

/// What every management token starts with.
pub const TOKEN_PREFIX: &str = "omt_";

/// What the stored settings say about who must prove themselves.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// Somebody has a password. `INITIAL_PASSWORD` is another matter.
    pub has_password: bool,
    pub require_login: bool,
    /// What somebody said about whether the installation is set up, if anybody did.
    setup_complete: Option<bool>,
}

/// An account as a session's owner is looked up.
pub(super) struct Known {
    account: Account,
    session_epoch: i32,
}

pub(super) enum Standing {
    Account(Account),
    Key {
        id: Uuid,
        scopes: Vec<String>,
    },
    Token {
        id: Uuid,
        scopes: Vec<String>,
    },
    /// Login is switched off.
    Open,
    Nobody(ApiError),
}

/// What a caller may do at one path.
pub(super) struct Authority {
    pub role: Role,
    /// Somebody at the dashboard rather than a program.
    pub is_person: bool,
    pub account: Option<Account>,
}

/// Why a caller has no authority at all at a path.
pub(super) enum Shortfall {
    /// Nobody known calls.
    Credential(ApiError),
    /// A program that may do nothing there.
    Scope,
}

// === impl Access ===

impl Access {
    pub async fn stored(pool: &PgPool) -> Result<Self, ApiError> {
        Ok(Self::load(pool, None).await?.0)
    }

    /// Also finds whose session it is, while the account is active.
    pub(super) async fn load(
        pool: &PgPool,
        session: Option<&Session>,
    ) -> Result<(Self, Option<Known>), ApiError> {
        let row = sqlx::query!(
            r#"select exists (select from account where password_hash is not null) as "has_password!",
                      (select value from setting where key = 'requireLogin') as require_login,
                      (select value from setting where key = 'setupComplete') as setup_complete,
                      account.id as "id?", account.username as "username?", account.role as "role?",
                      account.session_epoch as "session_epoch?"
               from (select) as always left join account on account.id = $1 and account.is_active"#,
            session.map(|session| session.account),
        )
        .fetch_one(pool)
        .await?;
        let access = Self {
            has_password: row.has_password,
            // Anything but an explicit `false` asks for a login.
            require_login: row.require_login != Some(serde_json::Value::Bool(false)),
            setup_complete: row.setup_complete.and_then(|stored| stored.as_bool()),
        };
        let known = match (row.id, row.username, row.role, row.session_epoch) {
            (Some(id), Some(username), Some(role), Some(session_epoch)) => {
                let role =
                    Role::named(&role).ok_or_else(|| ApiError::internal("an account has an unknown role"))?;
                let username = username.into();
                Some(Known {
                    account: Account { id, username, role },
                    session_epoch,
                })
            }
            _ => None,
        };
        Ok((access, known))
    }

    /// There is a password to log in with, stored or given at boot.
    pub fn can_log_in(&self, ctx: &Ctx) -> bool {
        self.has_password || ctx.config.initial_password.is_some()
    }

    /// Nobody need be led through the first steps. Without a word about it, a password is enough.
    pub fn is_set_up(&self, ctx: &Ctx) -> bool {
        self.can_log_in(ctx) && self.setup_complete.unwrap_or(true)
    }
}

// === impl Standing ===

impl Standing {
    /// What it amounts to at `path`.
    pub(super) fn authority(self, path: &str) -> Result<Authority, Shortfall> {
        let program = |role| Authority {
            role,
            is_person: false,
            account: None,
        };
        match self {
            Self::Account(account) => Ok(Authority {
                role: account.role,
                is_person: true,
                account: Some(account),
            }),
            Self::Open => Ok(Authority {
                role: Role::Owner,
                is_person: true,
                account: None,
            }),
            Self::Key { scopes, .. } => {
                let holds = |wanted| scopes.iter().any(|scope| scope == wanted);
                match (holds("manage"), holds("read")) {
                    (true, _) => Ok(program(Role::Admin)),
                    _ if area(path) == "cloud" && holds("cloud") => Ok(program(Role::Operator)),
                    (false, true) => Ok(program(Role::Viewer)),
                    (false, false) => Err(Shortfall::Scope),
                }
            }
            Self::Token { scopes, .. } => {
                let holds = |verb| scopes.iter().any(|scope| grants(scope, area(path), verb));
                match (holds("write"), holds("read")) {
                    (true, _) => Ok(program(Role::Admin)),
                    (false, true) => Ok(program(Role::Viewer)),
                    (false, false) => Err(Shortfall::Scope),
                }
            }
            Self::Nobody(error) => Err(Shortfall::Credential(error)),
        }
    }
}

// === impl Authority ===

impl Authority {
    /// An administrator at the dashboard.
    pub(super) fn is_admin(&self) -> bool {
        self.is_person && self.role >= Role::Admin
    }

    /// Why it is not enough.
    pub(super) fn falls_short_of(&self, role: Role, path: &str) -> String {
        match self.is_person {
            true => format!("your role is `{}`, and this takes `{role}`", self.role),
            false => format!(
                "this key or token may only look: it takes the scope `manage` or `{}:write`",
                area(path)
            ),
        }
    }
}

/// The part of the API that a path belongs to: its first segment.
fn area(path: &str) -> &str {
    // the log of requests, not of processes
    if path == "/api/logs/export" {
        return "usage";
    }
    path.trim_start_matches("/api/")
        .split('/')
        .next()
        .unwrap_or_default()
}

/// Whether a token's scope lets it do `verb` in an area. Who may write may read.
fn grants(scope: &str, area: &str, verb: &str) -> bool {
    scope
        .split_once(':')
        .is_some_and(|(of, may)| (of == "*" || of == area) && (may == verb || may == "write"))
}

/// Whether `scope` is `{area}:read` or `{area}:write` with an area that exists, or `*`.
pub fn scope_is_well_formed(scope: &str, mut areas: impl Iterator<Item: AsRef<str>>) -> bool {
    scope.split_once(':').is_some_and(|(area, verb)| {
        ["read", "write"].contains(&verb) && (area == "*" || areas.any(|known| known.as_ref() == area))
    })
}

/// A request that sends a key stands by that key alone, whatever cookie the browser attaches.
pub(super) async fn standing(parts: &Parts, ctx: &Ctx) -> Result<Standing, ApiError> {
    if let Some(authorization) = parts.headers.get(header::AUTHORIZATION) {
        return bearer(authorization, ctx).await;
    }
    let session = ctx.sessions.read(&parts.headers);
    let (access, known) = Access::load(ctx.db.pool(), session.as_ref()).await?;
    if let Some((_, account)) = live_session(parts, ctx, session, known).await {
        return Ok(Standing::Account(account));
    }
    // Checked at use and not only when it was switched off: the listener may have been opened up since.
    if !access.require_login && ctx.config.may_be_open(ctx.listen) {
        return Ok(Standing::Open);
    }
    Ok(Standing::Nobody(match session::token(&parts.headers) {
        _ if !access.can_log_in(ctx) => ApiError::SetupNeeded,
        Some(_) => ApiError::SessionEnded,
        None => ApiError::NoCredential,
    }))
}

async fn bearer(authorization: &HeaderValue, ctx: &Ctx) -> Result<Standing, ApiError> {
    let text = authorization.to_str().unwrap_or_default();
    let Some((scheme, credential)) = text.split_once(' ') else {
        return Ok(Standing::Nobody(ApiError::NoCredential));
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Standing::Nobody(ApiError::NoCredential));
    }
    let credential = credential.trim();
    let hash = crypto::hash_key(ctx.config.api_key_secret.expose().as_bytes(), credential);
    if credential.starts_with(TOKEN_PREFIX) {
        return token(&hash, ctx).await;
    }
    let row = sqlx::query!(
        "select id, scopes from api_key
         where key_hash = $1 and is_active and (expires_at is null or expires_at > now())",
        &hash[..],
    )
    .fetch_optional(ctx.db.pool())
    .await?;
    Ok(
        row.map_or(Standing::Nobody(ApiError::NoCredential), |row| Standing::Key {
            id: row.id,
            scopes: row.scopes,
        }),
    )
}

/// Also notes, to the minute, that the token is in use.
async fn token(hash: &[u8; 32], ctx: &Ctx) -> Result<Standing, ApiError> {
    let row = sqlx::query!(
        r#"select id, scopes, last_used_at is null or last_used_at < now() - interval '1 minute' as "stale!"
           from management_token where token_hash = $1 and (expires_at is null or expires_at > now())"#,
        &hash[..],
    )
    .fetch_optional(ctx.db.pool())
    .await?;
    let Some(row) = row else {
        return Ok(Standing::Nobody(ApiError::NoCredential));
    };
    if row.stale {
        sqlx::query!(
            "update management_token set last_used_at = now() where id = $1",
            row.id
        )
        .execute(ctx.db.pool())
        .await?;
    }
    Ok(Standing::Token {
        id: row.id,
        scopes: row.scopes,
    })
}

/// The caller's session and account, if nobody has ended it. Renews its cookie in its last week.
///
/// When the state store does not answer, a logged-out token counts as live until the store is back: an outage of
/// Redis must not lock the administrator out. The session epoch, in Postgres, still ends sessions; the answer says
/// what was skipped.
pub(super) async fn live_session(
    parts: &Parts,
    ctx: &Ctx,
    session: Option<Session>,
    known: Option<Known>,
) -> Option<(Session, Account)> {
    let (session, known) = session.zip(known)?;
    if session.ver != known.session_epoch {
        return None;
    }
    let headers = parts.extensions.get::<AnswerHeaders>();
    match ctx.store.session_revoked(&session.jti).await {
        Ok(true) => return None,
        Ok(false) => {}
        Err(error) => {
            tracing::debug!(%error, "cannot ask for revoked sessions");
            if let Some(headers) = headers {
                headers.add(X_DEGRADED, HeaderValue::from_static("session-revocation"));
            }
        }
    }
    let now = Utc::now().timestamp();
    if let Some(headers) = headers.filter(|_| session.wants_renewal(now)) {
        let renewed = Session::start(&known.account, known.session_epoch, now);
        match ctx.sessions.cookie(&renewed, client(parts).https) {
            Ok(cookie) => headers.add(header::SET_COOKIE, cookie),
            Err(error) => tracing::error!(%error, "cannot renew a session"),
        }
    }
    Some((session, known.account))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokens_scope_names_an_area_and_a_verb() {
        for (scope, path, read, write) in [
            ("*:read", "/api/keys", true, false),
            ("*:write", "/api/keys/1", true, true),
            ("keys:read", "/api/keys", true, false),
            ("keys:write", "/api/keys/1/regenerate", true, true),
            ("keys:write", "/api/combos", false, false),
            ("keys:write", "/api/keysmith", false, false),
            ("keys", "/api/keys", false, false),
        ] {
            let area = area(path);
            assert_eq!(
                (grants(scope, area, "read"), grants(scope, area, "write")),
                (read, write),
                "{scope} at {path}"
            );
        }
    }

    #[test]
    fn a_scope_is_checked_against_the_areas_there_are() {
        let areas = ["keys", "usage"];
        for (scope, good) in [
            ("keys:read", true),
            ("usage:write", true),
            ("*:write", true),
            ("secrets:read", false),
            ("keys:delete", false),
            ("keys", false),
            ("", false),
        ] {
            assert_eq!(scope_is_well_formed(scope, areas.iter()), good, "{scope}");
        }
    }
}

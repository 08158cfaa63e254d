//! The login: whether it is required, and the passwords of accounts.
//!
//! Whoever gives an account a new password, or switches the login off, proves first that they know the password that
//! is there. Proving takes tens of milliseconds of hashing, so it comes before the transaction that writes; what it was
//! proven for is asked once more inside it.

use axum::http::HeaderValue;
use chrono::Utc;
use runtime::secret::Secret;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::{
    account::{self, Account, Role},
    api::Ctx,
    error::{ApiError, Violation},
    http::Access,
    session::Session,
};

/// Whose password: the account's, or the first account's where login is switched off or not yet possible.
#[derive(Clone, Copy, Debug)]
pub struct Whose(pub Option<Uuid>);

/// A change of the login, as a request asks for it.
#[derive(Debug)]
pub struct Change<'a> {
    pub require_login: Option<bool>,
    pub password: Option<&'a Secret<String>>,
    /// What the request calls the new password.
    pub field: &'static str,
    pub current: Option<&'a Secret<String>>,
}

/// A change that may be written.
#[derive(Debug)]
pub struct Permitted {
    whose: Whose,
    require_login: Option<bool>,
    hash: Option<String>,
    /// Nobody had a password, so nobody proved one.
    is_first: bool,
    may_open: bool,
}

/// A change that was written.
#[derive(Debug)]
pub struct Changed {
    /// Whose password it was, and the epoch of their sessions from now on.
    pub password_of: Option<Relogged>,
    /// Whether a login was required, and is.
    pub require_login: (bool, bool),
}

/// Somebody whose sessions ended.
#[derive(Debug)]
pub struct Relogged {
    pub account: Account,
    epoch: i32,
}

// === impl Change ===

impl Change<'_> {
    /// Refuses a change that the caller may not make.
    pub async fn permit(self, ctx: &Ctx, access: Access, whose: Whose) -> Result<Permitted, ApiError> {
        if let Some(password) = self.password {
            check_length(ctx, self.field, password)?;
        }
        let opens = self.require_login == Some(false) && access.require_login;
        if opens && !ctx.config.may_be_open(ctx.listen) {
            return Err(ApiError::conflict(
                "login stays on while other machines can reach this listener: \
                 listen on 127.0.0.1, or start with ALLOW_OPEN_DASHBOARD=true",
            ));
        }
        let is_first = !access.can_log_in(ctx);
        if !is_first && (self.password.is_some() || opens) {
            prove(ctx, whose, self.current).await?;
        }
        let hash = match self.password {
            Some(password) => Some(ctx.passwords.hash(password).await?),
            None => None,
        };
        Ok(Permitted {
            whose,
            require_login: self.require_login,
            hash,
            is_first,
            may_open: opens,
        })
    }
}

// === impl Permitted ===

impl Permitted {
    pub async fn write(self, conn: &mut PgConnection) -> Result<Changed, ApiError> {
        let row = sqlx::query!(
            r#"select exists (select from account where password_hash is not null) as "has_password!",
                      coalesce((select value from setting where key = 'requireLogin') <> 'false', true)
                          as "require_login!""#
        )
        .fetch_one(&mut *conn)
        .await?;
        if self.is_first && row.has_password {
            return Err(ApiError::NoCredential);
        }
        let required = self.require_login.unwrap_or(row.require_login);
        if row.require_login && !required && !self.may_open {
            return Err(ApiError::conflict(
                "login was switched on in the meantime: read the settings again",
            ));
        }
        if let Some(require_login) = self.require_login {
            sqlx::query!(
                "insert into setting (key, value) values ('requireLogin', $1)
                 on conflict (key) do update set value = excluded.value",
                Value::Bool(require_login),
            )
            .execute(&mut *conn)
            .await?;
        }
        let password_of = match &self.hash {
            Some(hash) => Some(set(conn, self.whose, hash).await?),
            None => None,
        };
        Ok(Changed {
            password_of,
            require_login: (row.require_login, required),
        })
    }
}

// === impl Changed ===

impl Changed {
    /// For the audit trail.
    pub fn details(&self) -> Value {
        let (from, to) = self.require_login;
        json!({ "passwordChanged": self.password_of.is_some(), "requireLogin": { "from": from, "to": to } })
    }
}

// === impl Relogged ===

impl Relogged {
    /// The cookie of a new session, so that whoever changed their own password stays logged in.
    pub fn cookie(&self, ctx: &Ctx, https: bool) -> Result<HeaderValue, ApiError> {
        let session = Session::start(&self.account, self.epoch, Utc::now().timestamp());
        ctx.sessions.cookie(&session, https).map_err(ApiError::internal)
    }
}

/// Refuses unless `given` is the account's password. An account that has none proves nothing.
pub async fn prove(ctx: &Ctx, whose: Whose, given: Option<&Secret<String>>) -> Result<(), ApiError> {
    let stored = sqlx::query!(
        "select username, password_hash from account where id = $1 or ($1 is null and username = $2)",
        whose.0,
        account::FIRST,
    )
    .fetch_one(ctx.db.pool())
    .await?;
    let has_password = stored.password_hash.is_some()
        || (stored.username == account::FIRST && ctx.config.initial_password.is_some());
    if !has_password {
        return Ok(());
    }
    let Some(given) = given else {
        return Err(ApiError::Invalid(vec![Violation::missing("currentPassword")]));
    };
    match is_password_of(ctx, &stored.username, stored.password_hash.as_deref(), given).await? {
        true => Ok(()),
        false => Err(ApiError::WrongPassword),
    }
}

/// Whether `given` is the password of an account. `INITIAL_PASSWORD` is the first account's until it has one.
pub async fn is_password_of(
    ctx: &Ctx,
    username: &str,
    hash: Option<&str>,
    given: &Secret<String>,
) -> Result<bool, ApiError> {
    match (hash, &ctx.config.initial_password) {
        (Some(hash), _) => Ok(ctx.passwords.verify(given, hash).await?),
        (None, Some(initial)) if username == account::FIRST => Ok(equal(given.expose(), initial.expose())),
        (None, _) => Ok(false),
    }
}

/// Refuses a password that is too short for this installation; `field` is what the request calls it.
pub fn check_length(ctx: &Ctx, field: &str, password: &Secret<String>) -> Result<(), ApiError> {
    let min = ctx.config.min_password_length;
    if password.expose().chars().count() < min {
        return Err(ApiError::invalid(
            field,
            format!("must have at least {min} characters"),
        ));
    }
    Ok(())
}

/// Stores a password and ends the account's sessions.
pub async fn set(conn: &mut PgConnection, whose: Whose, hash: &str) -> Result<Relogged, ApiError> {
    let row = sqlx::query!(
        "update account
         set password_hash = $3, password_updated_at = now(), session_epoch = session_epoch + 1
         where id = $1 or ($1 is null and username = $2)
         returning id, username, role, session_epoch",
        whose.0,
        account::FIRST,
        hash,
    )
    .fetch_one(conn)
    .await?;
    let role = Role::named(&row.role).ok_or_else(|| ApiError::internal("an account has an unknown role"))?;
    Ok(Relogged {
        account: Account {
            id: row.id,
            username: row.username.into(),
            role,
        },
        epoch: row.session_epoch,
    })
}

/// Compares digests, so that neither content nor length shows in the time it takes.
fn equal(given: &str, expected: &str) -> bool {
    Sha256::digest(given.as_bytes())
        .ct_eq(&Sha256::digest(expected.as_bytes()))
        .into()
}

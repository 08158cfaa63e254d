//! An account's own password: proving that one knows it, and changing it.

use runtime::secret::Secret;
use sqlx::PgConnection;
use uuid::Uuid;

use super::is_password_of;
use crate::{
    account::{self, Account, Role},
    api::Ctx,
    error::{ApiError, Violation},
};

/// Whose password: the account's, or the first account's where login is switched off or not yet possible.
#[derive(Clone, Copy, Debug)]
pub struct Whose(pub Option<Uuid>);

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

/// Refuses a password that is too short for this installation.
pub fn check_length(ctx: &Ctx, password: &Secret<String>) -> Result<(), ApiError> {
    let min = ctx.config.min_password_length;
    if password.expose().chars().count() < min {
        return Err(ApiError::invalid(
            "password",
            format!("must have at least {min} characters"),
        ));
    }
    Ok(())
}

/// Stores a password and ends the account's sessions. The account, and its session epoch from now on.
pub async fn set(conn: &mut PgConnection, whose: Whose, hash: &str) -> Result<(Account, i32), ApiError> {
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
    let account = Account {
        id: row.id,
        username: row.username.into(),
        role,
    };
    Ok((account, row.session_epoch))
}

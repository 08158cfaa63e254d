//! Letting somebody in whom an identity provider vouches for.
//!
//! Somebody is known by what never changes of them, the provider's subject, and never by a name: a name at the provider
//! that is an account's here gives no way into that account.

use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{has_an_owner, is_plain};
use crate::{
    account::{Account, Role},
    api::Ctx,
    db::{Audit, Origin},
    error::ApiError,
    oidc::Identity,
};

/// Who is in.
pub struct Entry {
    pub account: Account,
    pub session_epoch: i32,
    /// It was their first time.
    pub is_new: bool,
}

struct Row {
    id: Uuid,
    username: String,
    role: String,
    is_active: bool,
    session_epoch: i32,
}

/// The account of `identity`, made at the first login, with the role that the provider's word gives now. None when it
/// is switched off. The last owner stays one, whatever the provider says.
pub async fn enter(
    ctx: &Ctx,
    origin: &Origin,
    identity: &Identity,
    role: Role,
) -> Result<Option<Entry>, ApiError> {
    let known = find(ctx, &identity.subject).await?;
    if known.as_ref().is_some_and(|row| !row.is_active) {
        return Ok(None);
    }
    let row = match known {
        Some(row) if row.role == role.as_str() => row,
        Some(row) => follow(ctx, origin, row, role).await?,
        None => return create(ctx, origin, identity, role).await.map(Some),
    };
    sqlx::query!("update account set last_login_at = now() where id = $1", row.id)
        .execute(ctx.db.pool())
        .await?;
    let role = Role::named(&row.role).ok_or_else(|| ApiError::internal("an account has an unknown role"))?;
    Ok(Some(Entry {
        account: Account {
            id: row.id,
            username: row.username.into(),
            role,
        },
        session_epoch: row.session_epoch,
        is_new: false,
    }))
}

async fn find(ctx: &Ctx, subject: &str) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select id, username, role, is_active, session_epoch from account where oidc_subject = $1",
        subject
    )
    .fetch_optional(ctx.db.pool())
    .await
}

async fn follow(ctx: &Ctx, origin: &Origin, before: Row, role: Role) -> Result<Row, ApiError> {
    let mut tx = ctx.db.config_tx(origin).await?;
    sqlx::query!(
        "update account set role = $2 where id = $1",
        before.id,
        role.as_str()
    )
    .execute(tx.conn())
    .await?;
    if !has_an_owner(tx.conn()).await? {
        tracing::warn!(
            account = before.username,
            "the last owner stays one, whatever the identity provider says"
        );
        return Ok(before);
    }
    let audit = Audit::of("account.updated").target("account", before.id).details(
        json!({ "username": before.username, "role": { "from": before.role, "to": role }, "by": "oidc" }),
    );
    tx.commit(audit, ()).await?;
    Ok(Row {
        role: role.as_str().to_owned(),
        ..before
    })
}

async fn create(ctx: &Ctx, origin: &Origin, identity: &Identity, role: Role) -> Result<Entry, ApiError> {
    let id = Uuid::now_v7();
    let mut tx = ctx.db.config_tx(origin).await?;
    let username = free_name(tx.conn(), &identity.names, id).await?;
    let session_epoch = sqlx::query_scalar!(
        "insert into account (id, username, role, email, oidc_subject, last_login_at)
         values ($1, $2, $3, $4, $5, now())
         returning session_epoch",
        id,
        username,
        role.as_str(),
        identity.email,
        identity.subject,
    )
    .fetch_one(tx.conn())
    .await?;
    let audit = Audit::of("account.created")
        .target("account", id)
        .details(json!({ "username": username, "role": role, "by": "oidc" }));
    tx.commit(audit, ()).await?;
    Ok(Entry {
        account: Account {
            id,
            username: username.into(),
            role,
        },
        session_epoch,
        is_new: true,
    })
}

/// The first of `names` that nobody has, else one of its own.
async fn free_name(conn: &mut PgConnection, names: &[String], id: Uuid) -> Result<String, sqlx::Error> {
    let usable = names.iter().filter(|name| is_plain(name));
    for name in usable {
        let taken = sqlx::query_scalar!(
            r#"select exists (select from account where username = $1) as "taken!""#,
            name
        )
        .fetch_one(&mut *conn)
        .await?;
        if !taken {
            return Ok(name.clone());
        }
    }
    Ok(format!("oidc-{}", id.simple()))
}

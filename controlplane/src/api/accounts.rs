//! Accounts of the people who run the gateway.
//!
//! `GET POST /api/accounts` · `PATCH DELETE /api/accounts/{id}` — an owner (an administrator may look) ·
//! `GET PATCH /api/accounts/me` — anybody who is logged in.
//!
//! There is always an owner who can log in: the last one can be neither demoted, deactivated nor deleted. A username
//! never changes, for the audit trail names people by it.

mod entry;

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use runtime::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, PgExecutor};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    account::Role,
    api::Ctx,
    db::Audit,
    error::ApiError,
    http::{
        Admin, Body, Json as JsonBody, Owner, Person, Stamp, Violations, Wait, WaitQuery, uuid_or_missing,
    },
    login::{self, Whose},
};

pub use self::entry::{Entry, enter};

const WHAT: &str = "account";

struct Row {
    id: Uuid,
    username: String,
    role: String,
    email: Option<String>,
    has_password: bool,
    by_oidc: bool,
    is_active: bool,
    last_login_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AccountView {
    id: Uuid,
    username: String,
    #[schema(value_type = Role)]
    role: String,
    email: Option<String>,
    has_password: bool,
    /// Logs in by OpenID Connect; the role follows the identity provider at every login.
    by_oidc: bool,
    is_active: bool,
    last_login_at: Option<Stamp>,
    created_at: Stamp,
}

#[derive(Debug, Serialize, ToSchema)]
struct AccountList {
    accounts: Vec<AccountView>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = AccountCreate)]
struct CreateBody {
    /// Letters, digits and `._@-`; never changes.
    username: String,
    role: Role,
    #[schema(value_type = String)]
    password: Secret<String>,
    email: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = AccountUpdate)]
struct UpdateBody {
    role: Option<Role>,
    /// An inactive account cannot log in, and its sessions end.
    is_active: Option<bool>,
    /// A new password; ends the account's sessions.
    #[schema(value_type = Option<String>)]
    password: Option<Secret<String>>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = OwnPassword)]
struct PasswordBody {
    #[schema(value_type = Option<String>)]
    current_password: Option<Secret<String>>,
    #[schema(value_type = String)]
    password: Secret<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountDone)]
struct Done {
    success: bool,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(me, change_password))
        .routes(routes!(update, delete))
}

// === impl Row ===

impl Row {
    fn view(self) -> AccountView {
        AccountView {
            id: self.id,
            username: self.username,
            role: self.role,
            email: self.email,
            has_password: self.has_password,
            by_oidc: self.by_oidc,
            is_active: self.is_active,
            last_login_at: self.last_login_at.map(Stamp),
            created_at: Stamp(self.created_at),
        }
    }
}

// === impl CreateBody ===

impl Body for CreateBody {
    const REQUIRED: &'static [&'static str] = &["username", "role", "password"];

    fn check(&self, violations: &mut Violations) {
        if !is_plain(&self.username) {
            violations.add("username", "must have 1 to 100 letters, digits and ._@-");
        }
        violations.length("password", self.password.expose(), 1..=200);
        if let Some(email) = &self.email {
            violations.length("email", email, 3..=200);
        }
    }
}

// === impl UpdateBody ===

impl Body for UpdateBody {
    const READ_ONLY: &'static [&'static str] = &[
        "id",
        "username",
        "email",
        "hasPassword",
        "byOidc",
        "lastLoginAt",
        "createdAt",
    ];

    fn check(&self, violations: &mut Violations) {
        if self.role.is_none() && self.is_active.is_none() && self.password.is_none() {
            violations.add("", "there is nothing to change: send role, isActive or password");
        }
        if let Some(password) = &self.password {
            violations.length("password", password.expose(), 1..=200);
        }
    }
}

// === impl PasswordBody ===

impl Body for PasswordBody {
    const REQUIRED: &'static [&'static str] = &["password"];

    fn check(&self, violations: &mut Violations) {
        violations.length("password", self.password.expose(), 1..=200);
    }
}

/// Everybody who may log in, the oldest first.
#[utoipa::path(get, path = "/api/accounts", tag = "accounts", responses((status = 200, body = AccountList)))]
async fn list(State(ctx): State<Ctx>, _: Admin) -> Result<Json<AccountList>, ApiError> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id, username, role, email, password_hash is not null as "has_password!",
                  oidc_subject is not null as "by_oidc!", is_active, last_login_at, created_at
           from account order by created_at, id limit 5000"#
    )
    .fetch_all(ctx.db.pool())
    .await?;
    Ok(Json(AccountList {
        accounts: rows.into_iter().map(Row::view).collect(),
    }))
}

/// Lets somebody in.
#[utoipa::path(post, path = "/api/accounts", tag = "accounts", request_body = CreateBody, params(WaitQuery),
    responses((status = 201, body = AccountView), (status = 400), (status = 403), (status = 409)))]
async fn create(
    State(ctx): State<Ctx>,
    owner: Owner,
    wait: Wait,
    JsonBody(body): JsonBody<CreateBody>,
) -> Result<Response, ApiError> {
    login::check_length(&ctx, "password", &body.password)?;
    let hash = ctx.passwords.hash(&body.password).await?;
    let id = Uuid::now_v7();
    let mut tx = ctx.db.config_tx(&owner.origin).await?;
    let made = sqlx::query!(
        "insert into account (id, username, role, email, password_hash, password_updated_at)
         values ($1, $2, $3, $4, $5, now()) on conflict do nothing",
        id,
        body.username,
        body.role.as_str(),
        body.email,
        hash,
    )
    .execute(tx.conn())
    .await?;
    if made.rows_affected() == 0 {
        return Err(ApiError::conflict(format!(
            "there is an account `{}` already",
            body.username
        )));
    }
    let view = find(&mut *tx.conn(), &id.to_string()).await?.view();
    let audit = Audit::of("account.created")
        .target("account", id)
        .details(json!({ "username": body.username, "role": body.role }));
    let committed = tx.commit(audit, view).await?;
    Ok(wait.answer(StatusCode::CREATED, committed).await)
}

/// Changes somebody's role, password, or whether they may log in.
#[utoipa::path(patch, path = "/api/accounts/{id}", tag = "accounts", request_body = UpdateBody, params(WaitQuery),
    responses((status = 200, body = AccountView), (status = 400), (status = 403), (status = 404), (status = 409)))]
async fn update(
    State(ctx): State<Ctx>,
    owner: Owner,
    Path(id): Path<String>,
    wait: Wait,
    JsonBody(body): JsonBody<UpdateBody>,
) -> Result<Response, ApiError> {
    let hash = match &body.password {
        Some(given) => {
            login::check_length(&ctx, "password", given)?;
            Some(ctx.passwords.hash(given).await?)
        }
        None => None,
    };
    let mut tx = ctx.db.config_tx(&owner.origin).await?;
    let before = find(&mut *tx.conn(), &id).await?;
    let role = body.role.map_or(before.role.as_str(), |role| role.as_str());
    let is_active = body.is_active.unwrap_or(before.is_active);
    sqlx::query!(
        "update account
         set role = $2, is_active = $3, password_hash = coalesce($4, password_hash),
             password_updated_at = case when $4::text is null then password_updated_at else now() end,
             session_epoch = session_epoch + case when $4::text is null and $3 then 0 else 1 end
         where id = $1",
        before.id,
        role,
        is_active,
        hash,
    )
    .execute(tx.conn())
    .await?;
    keep_an_owner(tx.conn()).await?;
    let view = find(&mut *tx.conn(), &id).await?.view();
    let audit = Audit::of("account.updated")
        .target("account", before.id)
        .details(json!({
            "username": before.username,
            "role": { "from": before.role, "to": view.role },
            "isActive": { "from": before.is_active, "to": view.is_active },
            "passwordChanged": hash.is_some(),
        }));
    let committed = tx.commit(audit, view).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// Ends an account and its sessions.
#[utoipa::path(delete, path = "/api/accounts/{id}", tag = "accounts", params(WaitQuery),
    responses((status = 200, body = Done), (status = 403), (status = 404), (status = 409)))]
async fn delete(
    State(ctx): State<Ctx>,
    owner: Owner,
    Path(id): Path<String>,
    wait: Wait,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&owner.origin).await?;
    let row = find(&mut *tx.conn(), &id).await?;
    sqlx::query!("delete from account where id = $1", row.id)
        .execute(tx.conn())
        .await?;
    keep_an_owner(tx.conn()).await?;
    let audit = Audit::of("account.deleted")
        .target("account", row.id)
        .details(json!({ "username": row.username, "role": row.role }));
    let committed = tx.commit(audit, Done { success: true }).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// The caller's own account.
#[utoipa::path(get, path = "/api/accounts/me", tag = "accounts",
    responses((status = 200, body = AccountView), (status = 404, description = "login is switched off")))]
async fn me(State(ctx): State<Ctx>, person: Person) -> Result<Json<AccountView>, ApiError> {
    let id = person.account.map(|account| account.id.to_string());
    let row = find(ctx.db.pool(), id.as_deref().unwrap_or("me")).await?;
    Ok(Json(row.view()))
}

/// Changes the caller's own password. Their other sessions end.
#[utoipa::path(patch, path = "/api/accounts/me", tag = "accounts", request_body = PasswordBody, params(WaitQuery),
    responses((status = 200, body = Done), (status = 400), (status = 401), (status = 403)))]
async fn change_password(
    State(ctx): State<Ctx>,
    person: Person,
    wait: Wait,
    JsonBody(body): JsonBody<PasswordBody>,
) -> Result<Response, ApiError> {
    let whose = Whose(person.account.map(|account| account.id));
    login::check_length(&ctx, "password", &body.password)?;
    login::prove(&ctx, whose, body.current_password.as_ref()).await?;
    let hash = ctx.passwords.hash(&body.password).await?;
    let mut tx = ctx.db.config_tx(&person.origin).await?;
    let relogged = login::set(tx.conn(), whose, &hash).await?;
    let audit = Audit::of("auth.password.changed").target("account", relogged.account.id);
    let committed = tx.commit(audit, Done { success: true }).await?;

    let cookie = relogged.cookie(&ctx, person.client.https)?;
    Ok((
        [(header::SET_COOKIE, cookie)],
        wait.answer(StatusCode::OK, committed).await,
    )
        .into_response())
}

async fn find(executor: impl PgExecutor<'_>, id: &str) -> Result<Row, ApiError> {
    let uuid = uuid_or_missing(WHAT, id)?;
    sqlx::query_as!(
        Row,
        r#"select id, username, role, email, password_hash is not null as "has_password!",
                  oidc_subject is not null as "by_oidc!", is_active, last_login_at, created_at
           from account where id = $1"#,
        uuid
    )
    .fetch_optional(executor)
    .await?
    .ok_or_else(|| ApiError::not_found(WHAT, id))
}

fn is_plain(username: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c);
    (1..=100).contains(&username.len()) && username.chars().all(plain)
}

/// Refuses a change after which nobody could undo it.
async fn keep_an_owner(conn: &mut PgConnection) -> Result<(), ApiError> {
    match has_an_owner(conn).await? {
        true => Ok(()),
        false => Err(ApiError::conflict(
            "nobody would be left who may manage accounts: make somebody else an owner first",
        )),
    }
}

/// Whether an owner can log in.
async fn has_an_owner(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from account where role = 'owner' and is_active
                          and (password_hash is not null or oidc_subject is not null)) as "left!""#
    )
    .fetch_one(conn)
    .await
}

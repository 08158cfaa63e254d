//! The login itself: whether it is required, and the caller's own password.
//!
//! `GET /api/settings/require-login` — anybody, for the login page.
//! `PUT | PATCH | POST /api/settings/require-login` — a session; before the first password, anybody on the machine
//! itself.

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, header},
    response::Response,
};
use chrono::Utc;
use runtime::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    account::Account,
    api::{
        Ctx,
        auth::password::{self, Whose},
    },
    db::{Audit, Committed, Origin},
    error::ApiError,
    http::{Access, Admin, Body, Json as JsonBody, SameSite, Violations, Visitor, Wait},
    session::Session,
};

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RequireLoginView {
    require_login: bool,
    has_password: bool,
    setup_complete: bool,
    /// No password exists yet: one may be set from the machine itself.
    bootstrap: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RequireLoginBody {
    require_login: Option<bool>,
    #[schema(value_type = Option<String>)]
    password: Option<Secret<String>>,
    /// Needed to change the password or to switch login off, once a password exists.
    #[schema(value_type = Option<String>)]
    current_password: Option<Secret<String>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RequireLoginDone)]
struct Done {
    success: bool,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(read, change))
}

// === impl RequireLoginBody ===

impl Body for RequireLoginBody {
    const READ_ONLY: &'static [&'static str] = &["hasPassword", "setupComplete", "bootstrap"];

    fn check(&self, violations: &mut Violations) {
        if self.require_login.is_none() && self.password.is_none() {
            violations.add("", "there is nothing to change: send requireLogin or password");
        }
        if let Some(password) = &self.password {
            violations.length("password", password.expose(), 1..=200);
        }
    }
}

/// Whether a login is required and possible.
#[utoipa::path(get, path = "/api/settings/require-login", tag = "auth",
    responses((status = 200, body = RequireLoginView)))]
async fn read(State(ctx): State<Ctx>, visitor: Visitor) -> Json<RequireLoginView> {
    let has_password = visitor.access.can_log_in(&ctx);
    Json(RequireLoginView {
        require_login: visitor.access.require_login,
        has_password,
        setup_complete: has_password,
        bootstrap: !has_password,
    })
}

/// Sets the password or switches login on or off. Ends every other session when the password changes.
#[utoipa::path(method(put, patch, post), path = "/api/settings/require-login", tag = "auth",
    request_body = RequireLoginBody, responses((status = 200, body = Done), (status = 401), (status = 409)))]
async fn change(
    State(ctx): State<Ctx>,
    visitor: Visitor,
    authority: Authority,
    wait: Wait,
    JsonBody(body): JsonBody<RequireLoginBody>,
) -> Result<Response, ApiError> {
    if let Some(password) = &body.password {
        password::check_length(&ctx, password)?;
    }
    let opens = body.require_login == Some(false);
    if opens && !ctx.config.may_be_open(ctx.listen) {
        return Err(ApiError::conflict(
            "login stays on while other machines can reach this listener: \
             listen on 127.0.0.1, or start with ALLOW_OPEN_DASHBOARD=true",
        ));
    }
    if visitor.access.can_log_in(&ctx) && (body.password.is_some() || opens) {
        password::prove(&ctx, authority.whose, body.current_password.as_ref()).await?;
    }

    let committed = store(&ctx, &authority, visitor.access, &body).await?;
    let relogged = committed.value;
    let done = Committed {
        revision: committed.revision,
        value: Done { success: true },
    };
    let mut response = wait.answer(StatusCode::OK, done).await;
    if let Some((account, epoch)) = relogged {
        let session = Session::start(&account, epoch, Utc::now().timestamp());
        let cookie = ctx
            .sessions
            .cookie(&session, visitor.client.https)
            .map_err(ApiError::internal)?;
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// A session, or a caller on this machine while there is no password at all.
struct Authority {
    origin: Origin,
    whose: Whose,
}

impl FromRequestParts<Ctx> for Authority {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let visitor = Visitor::from_request_parts(parts, ctx).await?;
        if visitor.access.can_log_in(ctx) || !visitor.client.local {
            let admin = Admin::from_request_parts(parts, ctx).await?;
            let whose = Whose(admin.account.map(|account| account.id));
            return Ok(Self {
                origin: admin.origin,
                whose,
            });
        }
        SameSite::from_request_parts(parts, ctx).await?;
        Ok(Self {
            origin: visitor.origin,
            whose: Whose(None),
        })
    }
}

/// Writes the change; the value is whose password it was, and their session epoch after it.
async fn store(
    ctx: &Ctx,
    authority: &Authority,
    before: Access,
    body: &RequireLoginBody,
) -> Result<Committed<Option<(Account, i32)>>, ApiError> {
    let hash = match &body.password {
        Some(password) => Some(ctx.passwords.hash(password).await?),
        None => None,
    };
    let mut tx = ctx.db.config_tx(&authority.origin).await?;
    // Nobody proved a current password, so there must still be none.
    if !before.can_log_in(ctx) {
        let has_password = sqlx::query_scalar!(
            r#"select exists (select from account where password_hash is not null) as "has_password!""#
        )
        .fetch_one(tx.conn())
        .await?;
        if has_password {
            return Err(ApiError::NoCredential);
        }
    }
    let relogged = match &hash {
        Some(hash) => Some(password::set(tx.conn(), authority.whose, hash).await?),
        None => None,
    };
    if let Some(require_login) = body.require_login {
        sqlx::query!(
            "insert into setting (key, value) values ('requireLogin', $1)
             on conflict (key) do update set value = excluded.value",
            Value::Bool(require_login),
        )
        .execute(tx.conn())
        .await?;
    }
    let action = if hash.is_some() {
        "auth.password.changed"
    } else {
        "settings.requireLogin.changed"
    };
    let details = json!({
        "passwordChanged": hash.is_some(),
        "requireLogin": { "from": before.require_login, "to": body.require_login.unwrap_or(before.require_login) },
    });
    Ok(tx.commit(Audit::of(action).details(details), relogged).await?)
}

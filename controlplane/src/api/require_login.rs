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
use runtime::secret::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::Ctx,
    db::{Audit, Origin},
    error::ApiError,
    http::{Admin, Body, Json as JsonBody, SameSite, Violations, Visitor, Wait},
    login::{Change, Whose},
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
        setup_complete: visitor.access.is_set_up(&ctx),
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
    let change = Change {
        require_login: body.require_login,
        password: body.password.as_ref(),
        field: "password",
        current: body.current_password.as_ref(),
    };
    let permitted = change.permit(&ctx, visitor.access, authority.whose).await?;
    let mut tx = ctx.db.config_tx(&authority.origin).await?;
    let changed = permitted.write(tx.conn()).await?;
    let action = if changed.password_of.is_some() {
        "auth.password.changed"
    } else {
        "settings.requireLogin.changed"
    };
    let audit = Audit::of(action).details(changed.details());
    let committed = tx.commit(audit, Done { success: true }).await?;

    let mut response = wait.answer(StatusCode::OK, committed).await;
    if let Some(relogged) = &changed.password_of {
        let cookie = relogged.cookie(&ctx, visitor.client.https)?;
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

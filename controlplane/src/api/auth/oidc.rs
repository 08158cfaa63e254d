//! Login by OpenID Connect.
//!
//! `GET /api/auth/oidc/login` sends a browser to the identity provider, `GET /api/auth/oidc/callback` takes it back.
//!
//! What a login remembers meanwhile is in a sealed cookie, so any replica can take the browser back. A login that
//! fails ends at the sign-in page, which says why.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use chrono::{Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use subtle::ConstantTimeEq;
use utoipa::IntoParams;

use crate::{
    api::{Ctx, accounts},
    db::{Actor, Audit, Origin, Outcome},
    error::ApiError,
    http::{Query, Visitor},
    oidc::{self, Flow},
    session::{self, Session},
    vault::Cell,
};

const COOKIE: &str = "oidc_flow";
const PATH: &str = "/api/auth/oidc";
const SIGN_IN: &str = "/dashboard/login";
/// To sign in at the identity provider.
const PATIENCE: Duration = Duration::minutes(10);
const CELL: Cell<'static> = Cell {
    table: "cookie",
    column: COOKIE,
    id: "",
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Returned {
    code: Option<String>,
    state: Option<String>,
    /// The identity provider's reason to let nobody in.
    error: Option<String>,
}

/// What the cookie holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    flow: Flow,
    /// Unix seconds.
    until: i64,
}

/// Why somebody is not let in, as the sign-in page is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// The identity provider said no, or they did.
    Denied,
    /// They were away too long, or never left from here.
    Expired,
    /// No role here is theirs.
    NoRole,
    /// Their account here is switched off.
    Inactive,
    /// The identity provider cannot be reached or believed.
    Provider,
}

// === impl Refusal ===

impl Refusal {
    fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::NoRole => "no-role",
            Self::Inactive => "inactive",
            Self::Provider => "provider",
        }
    }
}

/// Sends the browser to the identity provider.
#[utoipa::path(get, path = "/api/auth/oidc/login", tag = "auth",
    responses((status = 303, description = "to the identity provider"), (status = 404, description = "OIDC_ISSUER is not set")))]
pub async fn login(State(ctx): State<Ctx>, visitor: Visitor) -> Result<Response, ApiError> {
    if ctx.config.oidc.issuer.is_none() {
        return Err(ApiError::UnknownPath);
    }
    match oidc::begin(&ctx.egress, &ctx.config.oidc).await {
        Ok((url, flow)) => {
            let until = (Utc::now() + PATIENCE).timestamp();
            let cookie = cookie(&ctx, &Kept { flow, until }, visitor.client.https)?;
            Ok(([(header::SET_COOKIE, cookie)], Redirect::to(url.as_str())).into_response())
        }
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "nobody can log in by OpenID Connect");
            Ok(refused(visitor.client.https, Refusal::Provider))
        }
    }
}

/// Takes the browser back, logs its user in, and sends it to the dashboard.
#[utoipa::path(get, path = "/api/auth/oidc/callback", tag = "auth", params(Returned),
    responses((status = 303, description = "to the dashboard, or to the sign-in page with `failed`")))]
pub async fn callback(
    State(ctx): State<Ctx>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(returned): Query<Returned>,
) -> Result<Response, ApiError> {
    if ctx.config.oidc.issuer.is_none() {
        return Err(ApiError::UnknownPath);
    }
    let https = visitor.client.https;
    let mut origin = visitor.origin;
    match admit(&ctx, &origin, &headers, returned).await? {
        Ok(entry) => {
            origin.actor = Actor::Account(entry.account.username.clone());
            let audit = Audit::of("auth.login.success")
                .details(json!({ "by": "oidc", "role": entry.account.role, "isNew": entry.is_new }));
            ctx.db.record(&origin, audit).await?;
            let session = Session::start(&entry.account, entry.session_epoch, Utc::now().timestamp());
            let cookie = ctx.sessions.cookie(&session, https).map_err(ApiError::internal)?;
            let mut response = Redirect::to("/dashboard/").into_response();
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response.headers_mut().append(header::SET_COOKIE, forget(https));
            Ok(response)
        }
        Err(refusal) => {
            let audit = Audit::of("auth.login.failed")
                .outcome(Outcome::Failed)
                .details(json!({ "by": "oidc", "reason": refusal.as_str() }));
            ctx.db.record(&origin, audit).await?;
            Ok(refused(https, refusal))
        }
    }
}

async fn admit(
    ctx: &Ctx,
    origin: &Origin,
    headers: &HeaderMap,
    returned: Returned,
) -> Result<Result<accounts::Entry, Refusal>, ApiError> {
    let (Some(kept), Some(state)) = (kept(ctx, headers), returned.state) else {
        return Ok(Err(Refusal::Expired));
    };
    if kept.until < Utc::now().timestamp() || !bool::from(kept.flow.state.as_bytes().ct_eq(state.as_bytes()))
    {
        return Ok(Err(Refusal::Expired));
    }
    let (None, Some(code)) = (returned.error, returned.code) else {
        return Ok(Err(Refusal::Denied));
    };
    let identity = match oidc::finish(&ctx.egress, &ctx.config.oidc, &kept.flow, &code).await {
        Ok(identity) => identity,
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "somebody could not log in by OpenID Connect");
            return Ok(Err(Refusal::Provider));
        }
    };
    let Some(role) = identity.role else {
        return Ok(Err(Refusal::NoRole));
    };
    let entry = accounts::enter(ctx, origin, &identity, role).await?;
    Ok(entry.ok_or(Refusal::Inactive))
}

fn cookie(ctx: &Ctx, kept: &Kept, https: bool) -> Result<HeaderValue, ApiError> {
    let text = serde_json::to_string(kept).map_err(ApiError::internal)?;
    let sealed = BASE64.encode(ctx.vault.seal(CELL, &text));
    Ok(session::set_cookie(
        COOKIE,
        &sealed,
        PATH,
        PATIENCE.num_seconds(),
        https,
    ))
}

fn kept(ctx: &Ctx, headers: &HeaderMap) -> Option<Kept> {
    let sealed = BASE64.decode(session::cookie_value(headers, COOKIE)?).ok()?;
    let text = ctx.vault.open(CELL, &sealed).ok()?;
    serde_json::from_str(text.expose()).ok()
}

fn forget(https: bool) -> HeaderValue {
    session::set_cookie(COOKIE, "", PATH, 0, https)
}

fn refused(https: bool, refusal: Refusal) -> Response {
    let location = format!("{SIGN_IN}?failed={}", refusal.as_str());
    ([(header::SET_COOKIE, forget(https))], Redirect::to(&location)).into_response()
}

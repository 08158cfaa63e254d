//! Logging in and out.
//!
//! `POST /api/auth/login` · `POST /api/auth/logout` · `GET /api/auth/status` · `GET /api/auth/oidc/login` ·
//! `GET /api/auth/oidc/callback` — all open to anybody.
//!
//! Five wrong passwords from one address inside 15 minutes lock that address out for 15 minutes; 50 from
//! everywhere slow everybody down to one attempt per 5 seconds, so that changing addresses does not help. While an
//! address is locked, nothing is hashed for it. With `bruteForceProtection` off, nobody is locked and nothing is counted.

mod oidc;

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use chrono::{TimeZone, Utc};
use parking_lot::Mutex;
use runtime::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use state::LoginStanding;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    account::{self, Account, Role},
    api::Ctx,
    db::{Actor, Audit, Outcome},
    error::ApiError,
    http::{Body, Json as JsonBody, Query, SameSite, Stamp, Violations, Visitor},
    login::is_password_of,
    session::Session,
};

const WINDOW: Duration = Duration::from_secs(15 * 60);
const FAILURES_PER_ADDRESS: u32 = 5;
const FAILURES_OVERALL: u32 = 50;
const EVERYBODY: &str = "login:*";
/// Between two attempts while [`EVERYBODY`] is slowed down.
const SLOW_INTERVAL: Duration = Duration::from_secs(5);

/// When this replica let the last attempt through while everybody was slowed down.
#[derive(Clone, Debug, Default)]
pub struct SlowLane(Arc<Mutex<Option<Instant>>>);

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoginBody {
    /// Whose password it is; the first account's without it.
    username: Option<String>,
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    password: Secret<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionDone)]
struct Done {
    success: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StatusView {
    authenticated: bool,
    /// Who is logged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<WhoView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Stamp>,
    require_login: bool,
    /// What one may log in with besides a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    single_sign_on: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionAccount)]
struct WhoView {
    username: String,
    role: Role,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LogoutQuery {
    /// End every session, not only this one.
    #[serde(default)]
    all: bool,
}

/// An account that may log in.
struct Stored {
    id: Uuid,
    username: String,
    role: String,
    password_hash: Option<String>,
    session_epoch: i32,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(login))
        .routes(routes!(logout))
        .routes(routes!(status))
        .routes(routes!(oidc::login))
        .routes(routes!(oidc::callback))
}

// === impl LoginBody ===

impl Body for LoginBody {
    const REQUIRED: &'static [&'static str] = &["password"];

    fn check(&self, violations: &mut Violations) {
        if let Some(username) = &self.username {
            violations.length("username", username, 1..=100);
        }
        violations.length("password", self.password.expose(), 1..=200);
    }
}

// === impl Stored ===

impl Stored {
    fn account(&self) -> Result<Account, ApiError> {
        let role =
            Role::named(&self.role).ok_or_else(|| ApiError::internal("an account has an unknown role"))?;
        Ok(Account {
            id: self.id,
            username: self.username.as_str().into(),
            role,
        })
    }
}

// === impl SlowLane ===

impl SlowLane {
    fn pass(&self) -> Result<(), Duration> {
        let now = Instant::now();
        let mut last = self.0.lock();
        if let Some(at) = *last
            && now.duration_since(at) < SLOW_INTERVAL
        {
            return Err(SLOW_INTERVAL - now.duration_since(at));
        }
        *last = Some(now);
        Ok(())
    }
}

/// Exchanges the administrator's password for a session cookie.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", request_body = LoginBody,
    responses((status = 200, body = Done), (status = 401), (status = 403), (status = 429)))]
async fn login(
    State(ctx): State<Ctx>,
    visitor: Visitor,
    JsonBody(body): JsonBody<LoginBody>,
) -> Result<Response, ApiError> {
    let address = identity(visitor.client.ip);
    let is_guarded = sql::is_guarded(ctx.db.pool()).await?;
    if is_guarded && let Err(locked) = guard(&ctx, &address).await {
        ctx.db
            .record(
                &visitor.origin,
                Audit::of("auth.login.locked").outcome(Outcome::Denied),
            )
            .await?;
        return Err(locked);
    }
    if !visitor.access.can_log_in(&ctx) {
        let audit = Audit::of("auth.login.setup_required").outcome(Outcome::Denied);
        ctx.db.record(&visitor.origin, audit).await?;
        return Err(ApiError::SetupNeeded);
    }
    let username = body.username.as_deref().unwrap_or(account::FIRST);
    let stored = sql::find_active(ctx.db.pool(), username).await?;
    let known = stored.as_ref().map(|stored| stored.username.clone());
    let Some(stored) = proven(&ctx, stored, &body.password).await? else {
        if is_guarded {
            count_failure(&ctx, &address).await;
        }
        // a known name only: some type their password there
        let audit = Audit::of("auth.login.failed")
            .outcome(Outcome::Failed)
            .details(json!({ "username": known }));
        ctx.db.record(&visitor.origin, audit).await?;
        return Err(ApiError::WrongPassword);
    };

    if stored.password_hash.is_none() {
        let hash = ctx.passwords.hash(&body.password).await?;
        sql::keep_first_hash(ctx.db.pool(), stored.id, &hash).await?;
    }
    sql::note_login(ctx.db.pool(), stored.id).await?;
    let account = stored.account()?;
    if let Err(error) = ctx.store.login_clear(&address).await {
        tracing::debug!(%error, "cannot clear the failed logins of an address");
    }
    let mut origin = visitor.origin;
    origin.actor = Actor::Account(account.username.clone());
    ctx.db.record(&origin, Audit::of("auth.login.success")).await?;

    let session = Session::start(&account, stored.session_epoch, Utc::now().timestamp());
    let cookie = ctx
        .sessions
        .cookie(&session, visitor.client.https)
        .map_err(ApiError::internal)?;
    Ok(([(header::SET_COOKIE, cookie)], Json(Done { success: true })).into_response())
}

/// Ends the caller's session. Always succeeds.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", params(LogoutQuery),
    responses((status = 200, body = Done)))]
async fn logout(
    State(ctx): State<Ctx>,
    visitor: Visitor,
    _: SameSite,
    Query(query): Query<LogoutQuery>,
) -> Result<Response, ApiError> {
    if let (Some(session), Some(account)) = (&visitor.session, &visitor.account) {
        // a new epoch ends every session, this one too, and needs no state store
        if query.all {
            sqlx::query!(
                "update account set session_epoch = session_epoch + 1 where id = $1",
                account.id
            )
            .execute(ctx.db.pool())
            .await?;
        } else {
            let remaining = u64::try_from(session.exp - Utc::now().timestamp()).unwrap_or_default();
            let remaining = Duration::from_secs(remaining.max(1));
            ctx.store.revoke_session(&session.jti, remaining).await?;
        }
        let audit = Audit::of("auth.logout").details(json!({ "all": query.all }));
        ctx.db.record(&visitor.origin, audit).await?;
    }
    let cookie = ctx.sessions.clear_cookie(visitor.client.https);
    Ok(([(header::SET_COOKIE, cookie)], Json(Done { success: true })).into_response())
}

/// Whether the caller is logged in.
#[utoipa::path(get, path = "/api/auth/status", tag = "auth", responses((status = 200, body = StatusView)))]
async fn status(State(ctx): State<Ctx>, visitor: Visitor) -> Json<StatusView> {
    let expires_at = visitor
        .session
        .as_ref()
        .and_then(|session| Utc.timestamp_opt(session.exp, 0).single());
    Json(StatusView {
        authenticated: visitor.session.is_some(),
        account: visitor.account.map(|account| WhoView {
            username: account.username.to_string(),
            role: account.role,
        }),
        expires_at: expires_at.map(Stamp),
        require_login: visitor.access.require_login,
        single_sign_on: ctx
            .config
            .oidc
            .issuer
            .is_some()
            .then(|| ctx.config.oidc.name.clone()),
    })
}

fn identity(ip: Option<IpAddr>) -> String {
    identity_of(ip.map(|ip| ip.to_string()))
}

fn identity_of(address: Option<String>) -> String {
    address.map_or_else(
        || "login:unknown".to_owned(),
        |address| format!("login:{address}"),
    )
}

/// Without the state store the shared counters are blind; the local rate limit and the cap on hashing remain.
async fn guard(ctx: &Ctx, address: &str) -> Result<(), ApiError> {
    match ctx.store.login_standing(address).await {
        Ok(LoginStanding::Locked { until_in }) => {
            return Err(ApiError::LoginLocked {
                retry_after: until_in,
            });
        }
        Ok(LoginStanding::Open { .. }) => {}
        Err(error) => tracing::debug!(%error, "cannot ask for the failed logins of an address"),
    }
    match ctx.store.login_standing(EVERYBODY).await {
        Ok(LoginStanding::Locked { .. }) => ctx
            .slow_lane
            .pass()
            .map_err(|retry_after| ApiError::LoginLocked { retry_after }),
        Ok(LoginStanding::Open { .. }) => Ok(()),
        Err(error) => {
            tracing::debug!(%error, "cannot ask for the failed logins of everybody");
            Ok(())
        }
    }
}

/// Who may not try now, and for how long. Candidates are the addresses whose failures are on record inside the window:
/// nobody else can be locked. While everybody is slowed down, that is among them.
pub(super) async fn locked(ctx: &Ctx) -> Result<Vec<(String, Duration)>, ApiError> {
    if !sql::is_guarded(ctx.db.pool()).await? {
        return Ok(Vec::new());
    }
    let addresses = sql::failed_inside(ctx.db.pool(), WINDOW).await?;
    let mut identities = vec![EVERYBODY.to_owned()];
    identities.extend(addresses.into_iter().map(identity_of));
    let mut locked = Vec::new();
    for identity in identities {
        if let LoginStanding::Locked { until_in } = ctx.store.login_standing(&identity).await? {
            locked.push((identity, until_in));
        }
    }
    Ok(locked)
}

async fn count_failure(ctx: &Ctx, address: &str) {
    for (identity, max) in [(address, FAILURES_PER_ADDRESS), (EVERYBODY, FAILURES_OVERALL)] {
        if let Err(error) = ctx.store.login_failure(identity, WINDOW, max).await {
            tracing::debug!(%error, "cannot count a failed login");
        }
    }
}

/// The account, if the password is its own. An unknown name takes as long as a wrong password.
async fn proven(
    ctx: &Ctx,
    stored: Option<Stored>,
    given: &Secret<String>,
) -> Result<Option<Stored>, ApiError> {
    let Some(stored) = stored else {
        ctx.passwords.hash(given).await?;
        return Ok(None);
    };
    let right = is_password_of(ctx, &stored.username, stored.password_hash.as_deref(), given).await?;
    Ok(right.then_some(stored))
}

mod sql {
    use std::time::Duration;

    use sqlx::PgPool;
    use uuid::Uuid;

    /// More than can fail inside one window before everybody is slowed down.
    const NEWEST: i64 = 1_000;

    use super::Stored;

    /// Anything but an explicit `false` guards.
    pub(super) async fn is_guarded(pool: &PgPool) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar!(
            r#"select coalesce((select value from setting where key = 'bruteForceProtection') <> 'false', true)
                   as "is_guarded!""#
        )
        .fetch_one(pool)
        .await
    }

    pub(super) async fn find_active(pool: &PgPool, username: &str) -> Result<Option<Stored>, sqlx::Error> {
        sqlx::query_as!(
            Stored,
            "select id, username, role, password_hash, session_epoch from account
             where username = $1 and is_active",
            username
        )
        .fetch_optional(pool)
        .await
    }

    pub(super) async fn note_login(pool: &PgPool, id: Uuid) -> Result<(), sqlx::Error> {
        sqlx::query!("update account set last_login_at = now() where id = $1", id)
            .execute(pool)
            .await?;
        Ok(())
    }

    /// Another replica may have been first; its hash stays.
    pub(super) async fn keep_first_hash(pool: &PgPool, id: Uuid, hash: &str) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update account set password_hash = $2, password_updated_at = now()
             where id = $1 and password_hash is null",
            id,
            hash
        )
        .execute(pool)
        .await?;
        Ok(())
    }

    /// Addresses from which a login failed, each once.
    pub(super) async fn failed_inside(
        pool: &PgPool,
        window: Duration,
    ) -> Result<Vec<Option<String>>, sqlx::Error> {
        sqlx::query_scalar!(
            "select distinct ip
             from (select ip, at from audit_log where action = 'auth.login.failed' order by id desc limit $1) as newest
             where at > now() - make_interval(secs => $2)
             order by ip",
            NEWEST,
            window.as_secs_f64(),
        )
        .fetch_all(pool)
        .await
    }
}

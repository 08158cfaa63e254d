//! Who calls: the authorisation of an endpoint is the extractor in its handler's signature.

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, Method, header, request::Parts},
};
use chrono::Utc;
use runtime::crypto;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    api::Ctx,
    db::{Actor, Audit, Origin, Outcome},
    error::ApiError,
    http::{
        Client,
        edge::{AnswerHeaders, RequestId, X_DEGRADED},
        origin,
    },
    session::{self, Session},
};

/// Anybody. Knows whether the caller has a valid session.
pub struct Visitor {
    pub origin: Origin,
    pub session: Option<Session>,
    pub access: Access,
    pub client: Client,
}

/// A session, or an API key with the scope `manage`.
pub struct Operator {
    pub origin: Origin,
    /// A person at the dashboard rather than a key: may do what only a person may.
    pub is_admin: bool,
}

/// As [`Operator`], or an API key with the scope `read`.
pub struct Reader {
    pub origin: Origin,
}

/// A session; keys are refused.
pub struct Admin {
    pub origin: Origin,
}

/// What the stored settings say about who must prove themselves.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// A hash is stored. `INITIAL_PASSWORD` is another matter.
    pub has_password: bool,
    pub session_epoch: i32,
    pub require_login: bool,
}

/// What a request's credentials amount to.
enum Standing {
    Session,
    Key {
        id: Uuid,
        scopes: Vec<String>,
    },
    /// Login is switched off.
    Open,
    Nobody(ApiError),
}

// === impl Access ===

impl Access {
    pub async fn load(pool: &PgPool) -> Result<Self, ApiError> {
        let row = sqlx::query!(
            r#"select password_hash is not null as "has_password!", session_epoch,
                      (select value from setting where key = 'requireLogin') as require_login
               from admin_account"#
        )
        .fetch_one(pool)
        .await?;
        Ok(Self {
            has_password: row.has_password,
            session_epoch: row.session_epoch,
            // Anything but an explicit `false` asks for a login.
            require_login: row.require_login != Some(serde_json::Value::Bool(false)),
        })
    }

    /// There is a password to log in with, stored or given at boot.
    pub fn can_log_in(&self, ctx: &Ctx) -> bool {
        self.has_password || ctx.config.initial_password.is_some()
    }
}

// === impl Visitor ===

impl FromRequestParts<Ctx> for Visitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let access = Access::load(ctx.db.pool()).await?;
        let session = live_session(parts, ctx, access).await;
        let mut origin = anonymous_origin(parts);
        if session.is_some() {
            origin.actor = Actor::Admin;
        }
        Ok(Self {
            origin,
            session,
            access,
            client: client(parts),
        })
    }
}

// === impl Operator ===

impl FromRequestParts<Ctx> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let (origin, standing) = authenticate(parts, ctx).await?;
        let is_admin = match standing {
            Standing::Session | Standing::Open => true,
            Standing::Key { scopes, .. } if has(&scopes, "manage") => false,
            Standing::Key { .. } => {
                return Err(deny(parts, ctx, &origin, "the key lacks the scope `manage`").await);
            }
            Standing::Nobody(error) => return Err(error),
        };
        Ok(Self { origin, is_admin })
    }
}

// === impl Reader ===

impl FromRequestParts<Ctx> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let (origin, standing) = authenticate(parts, ctx).await?;
        match standing {
            Standing::Session | Standing::Open => Ok(Self { origin }),
            Standing::Key { scopes, .. } if has(&scopes, "manage") || has(&scopes, "read") => {
                Ok(Self { origin })
            }
            Standing::Key { .. } => Err(deny(parts, ctx, &origin, "the key lacks the scope `read`").await),
            Standing::Nobody(error) => Err(error),
        }
    }
}

// === impl Admin ===

impl FromRequestParts<Ctx> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let (origin, standing) = authenticate(parts, ctx).await?;
        match standing {
            Standing::Session | Standing::Open => Ok(Self { origin }),
            Standing::Key { .. } => Err(deny(parts, ctx, &origin, "log in: a key may not do this").await),
            Standing::Nobody(error) => Err(error),
        }
    }
}

/// The origin of a request whose credentials nobody has looked at.
pub(super) fn anonymous_origin(parts: &Parts) -> Origin {
    let user_agent = parts
        .headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok());
    Origin {
        actor: Actor::Anonymous,
        ip: client(parts).ip,
        user_agent: user_agent.map(|text| text.chars().take(256).collect()),
        request_id: parts.extensions.get::<RequestId>().map(|id| id.0.to_string()),
    }
}

fn client(parts: &Parts) -> Client {
    parts.extensions.get::<Client>().copied().unwrap_or(Client {
        ip: None,
        local: false,
        https: false,
    })
}

fn has(scopes: &[String], scope: &str) -> bool {
    scopes.iter().any(|one| one == scope)
}

/// Reads the credentials, and refuses a write that a browser makes for another site.
async fn authenticate(parts: &Parts, ctx: &Ctx) -> Result<(Origin, Standing), ApiError> {
    let standing = standing(parts, ctx).await?;
    let writes = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let mut origin = anonymous_origin(parts);
    match &standing {
        Standing::Session => {
            origin.actor = Actor::Admin;
            if writes {
                origin::check(parts, ctx, true).await?;
            }
        }
        Standing::Open if writes => origin::check(parts, ctx, false).await?,
        Standing::Key { id, .. } => origin.actor = Actor::Key(*id),
        Standing::Open | Standing::Nobody(_) => {}
    }
    Ok((origin, standing))
}

/// A request that sends a key stands by that key alone, whatever cookie the browser attaches.
async fn standing(parts: &Parts, ctx: &Ctx) -> Result<Standing, ApiError> {
    let access = Access::load(ctx.db.pool()).await?;
    if let Some(authorization) = parts.headers.get(header::AUTHORIZATION) {
        return key(authorization, ctx).await;
    }
    if live_session(parts, ctx, access).await.is_some() {
        return Ok(Standing::Session);
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

async fn key(authorization: &HeaderValue, ctx: &Ctx) -> Result<Standing, ApiError> {
    let text = authorization.to_str().unwrap_or_default();
    let Some((scheme, key)) = text.split_once(' ') else {
        return Ok(Standing::Nobody(ApiError::NoCredential));
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Standing::Nobody(ApiError::NoCredential));
    }
    let hash = crypto::hash_key(ctx.config.api_key_secret.expose().as_bytes(), key.trim());
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

/// The caller's session, if nobody has ended it. Renews its cookie in its last week.
///
/// When the state store does not answer, a logged-out token counts as live until the store is back: an outage of
/// Redis must not lock the administrator out. The session epoch, in Postgres, still ends sessions; the answer says
/// what was skipped.
async fn live_session(parts: &Parts, ctx: &Ctx, access: Access) -> Option<Session> {
    let session = ctx.sessions.read(&parts.headers)?;
    if session.ver != access.session_epoch {
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
        let renewed = Session::start(access.session_epoch, now);
        match ctx.sessions.cookie(&renewed, client(parts).https) {
            Ok(cookie) => headers.add(header::SET_COOKIE, cookie),
            Err(error) => tracing::error!(%error, "cannot renew a session"),
        }
    }
    Some(session)
}

/// Records a refused privileged action. The refusal stands whether or not it can be written down.
async fn deny(parts: &Parts, ctx: &Ctx, origin: &Origin, why: &'static str) -> ApiError {
    let audit = Audit::of("auth.denied")
        .outcome(Outcome::Denied)
        .target("path", parts.uri.path());
    if let Err(error) = ctx.db.record(origin, audit).await {
        tracing::warn!(%error, "cannot record a denied action");
    }
    ApiError::Forbidden(why)
}

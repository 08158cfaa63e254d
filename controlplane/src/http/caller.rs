//! Who calls: the authorisation of an endpoint is the extractor in its handler's signature.
//!
//! | extractor | an account with this role or a higher one | a key or a token |
//! |---|---|---|
//! | [`Visitor`] | anybody | anybody |
//! | [`Person`] | viewer | refused |
//! | [`Reader`] | viewer | a key with `read` or `manage`, a token that reads the area |
//! | [`Operator`] | operator | a key with `manage`, at `/api/cloud` one with `cloud`; a token that writes the area |
//! | [`AdminOrKey`] | admin | the same |
//! | [`Admin`] | admin | refused |
//! | [`Owner`] | owner | refused |

mod standing;

use axum::{
    extract::FromRequestParts,
    http::{Method, header, request::Parts},
};

use self::standing::{Authority, Shortfall, Standing, live_session, standing};
use crate::{
    account::{Account, Role},
    api::Ctx,
    db::{Actor, Audit, Origin, Outcome},
    error::ApiError,
    http::{Client, edge::RequestId, origin},
    session::Session,
};

pub use self::standing::{Access, TOKEN_PREFIX, scope_is_well_formed};

/// Anybody. Knows whether the caller has a valid session.
pub struct Visitor {
    pub origin: Origin,
    pub session: Option<Session>,
    /// Whose session it is.
    pub account: Option<Account>,
    pub access: Access,
    pub client: Client,
}

/// Somebody at the dashboard, whatever their role. `account` is none where login is switched off.
pub struct Person {
    pub origin: Origin,
    pub account: Option<Account>,
    pub client: Client,
}

/// May look.
pub struct Reader {
    pub origin: Origin,
    /// Would pass as [`AdminOrKey`].
    pub decides: bool,
}

/// May run the gateway.
pub struct Operator {
    pub origin: Origin,
    /// An administrator at the dashboard rather than a program: may do what only such a person may.
    pub is_admin: bool,
}

/// May decide who gets in, also from a program.
pub struct AdminOrKey {
    pub origin: Origin,
    /// As [`Operator::is_admin`].
    pub is_admin: bool,
    /// None for a program, and where login is switched off.
    pub account: Option<Account>,
}

/// May decide who gets in; keys and tokens are refused.
pub struct Admin {
    pub origin: Origin,
    pub account: Option<Account>,
}

/// May decide who is who; keys and tokens are refused.
pub struct Owner {
    pub origin: Origin,
    pub account: Option<Account>,
}

/// Who turned out to call.
struct Caller {
    origin: Origin,
    authority: Authority,
}

// === impl Visitor ===

impl FromRequestParts<Ctx> for Visitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let session = ctx.sessions.read(&parts.headers);
        let (access, known) = Access::load(ctx.db.pool(), session.as_ref()).await?;
        let live = live_session(parts, ctx, session, known).await;
        let mut origin = anonymous_origin(parts);
        if let Some((_, account)) = &live {
            origin.actor = Actor::Account(account.username.clone());
        }
        let (session, account) = live.unzip();
        Ok(Self {
            origin,
            session,
            account,
            access,
            client: client(parts),
        })
    }
}

// === impl Person ===

impl FromRequestParts<Ctx> for Person {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let Caller { origin, authority } = person(parts, ctx, Role::Viewer).await?;
        let account = authority.account;
        Ok(Self {
            origin,
            account,
            client: client(parts),
        })
    }
}

// === impl Reader ===

impl FromRequestParts<Ctx> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let Caller { origin, authority } = caller(parts, ctx, Role::Viewer).await?;
        let decides = authority.role >= Role::Admin;
        Ok(Self { origin, decides })
    }
}

// === impl Operator ===

impl FromRequestParts<Ctx> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let Caller { origin, authority } = caller(parts, ctx, Role::Operator).await?;
        let is_admin = authority.is_admin();
        Ok(Self { origin, is_admin })
    }
}

// === impl AdminOrKey ===

impl FromRequestParts<Ctx> for AdminOrKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let Caller { origin, authority } = caller(parts, ctx, Role::Admin).await?;
        Ok(Self {
            origin,
            is_admin: authority.is_admin(),
            account: authority.account,
        })
    }
}

impl AdminOrKey {
    /// Refuses a program what takes a person. Needs a connection: an open transaction must be dropped before.
    pub async fn deny(&self, ctx: &Ctx, path: &str, why: String) -> ApiError {
        deny(path, ctx, &self.origin, why).await
    }
}

// === impl Admin ===

impl FromRequestParts<Ctx> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let Caller { origin, authority } = person(parts, ctx, Role::Admin).await?;
        let account = authority.account;
        Ok(Self { origin, account })
    }
}

// === impl Owner ===

impl FromRequestParts<Ctx> for Owner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let Caller { origin, authority } = person(parts, ctx, Role::Owner).await?;
        let account = authority.account;
        Ok(Self { origin, account })
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

/// The caller, when somebody at the dashboard whose role is at least `role`.
async fn person(parts: &Parts, ctx: &Ctx, role: Role) -> Result<Caller, ApiError> {
    let caller = caller(parts, ctx, role).await?;
    if caller.authority.is_person {
        return Ok(caller);
    }
    let why = "log in: neither a key nor a token may do this".to_owned();
    Err(deny(parts.uri.path(), ctx, &caller.origin, why).await)
}

/// The caller, when their authority here is at least `role`'s. Refuses a write that a browser makes for another site.
async fn caller(parts: &Parts, ctx: &Ctx, role: Role) -> Result<Caller, ApiError> {
    let standing = standing(parts, ctx).await?;
    let writes = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let mut origin = anonymous_origin(parts);
    match &standing {
        Standing::Account(account) => {
            origin.actor = Actor::Account(account.username.clone());
            if writes {
                origin::check(parts, ctx, true).await?;
            }
        }
        Standing::Open if writes => origin::check(parts, ctx, false).await?,
        Standing::Key { id, .. } => origin.actor = Actor::Key(*id),
        Standing::Token { id, .. } => origin.actor = Actor::Token(*id),
        Standing::Open | Standing::Nobody(_) => {}
    }
    match standing.authority(parts.uri.path()) {
        Ok(authority) if authority.role >= role => Ok(Caller { origin, authority }),
        Ok(authority) => {
            let why = authority.falls_short_of(role, parts.uri.path());
            Err(deny(parts.uri.path(), ctx, &origin, why).await)
        }
        Err(Shortfall::Credential(error)) => Err(error),
        Err(Shortfall::Scope) => {
            let why =
                "the key or token has no scope for this: `read` lets a key look, `manage` change".to_owned();
            Err(deny(parts.uri.path(), ctx, &origin, why).await)
        }
    }
}

/// Records a refused privileged action. The refusal stands whether or not it can be written down.
async fn deny(path: &str, ctx: &Ctx, origin: &Origin, why: String) -> ApiError {
    let audit = Audit::of("auth.denied")
        .outcome(Outcome::Denied)
        .target("path", path);
    if let Err(error) = ctx.db.record(origin, audit).await {
        tracing::warn!(%error, "cannot record a denied action");
    }
    ApiError::Forbidden(why.into())
}

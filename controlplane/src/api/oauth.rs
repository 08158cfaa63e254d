//! Signing in to providers: accounts instead of API keys.
//!
//! `GET /api/oauth/providers` · `GET /api/oauth/{provider}/authorize` · `POST /api/oauth/{provider}/exchange` ·
//! `GET /api/oauth/{provider}/device-code` · `POST /api/oauth/{provider}/poll`, and the paths by which tools are
//! connected that speak a protocol of their own: see [`elsewhere`]
//!
//! Only a person may sign in, not a key. State, verifier and device code stay here; what was signed in to becomes a
//! connection, and no answer has a token in it.

mod code;
mod device;
mod elsewhere;
mod origin;

use axum::{
    Json,
    extract::{Path, State},
    routing::any,
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    api::Ctx,
    db::{Audit, Committed, Origin, Outcome},
    error::ApiError,
    http::{Admin, uuid_or_missing},
    oauth::{self, Account, Endpoint, Flow, Kind, OAuthError, Provider, Spec, Status, Tokens},
    proxies,
};

const WHAT: &str = "connection";

#[derive(Debug, Serialize, ToSchema)]
struct OAuthProviderList {
    providers: Vec<OAuthProviderView>,
}

/// A provider that accounts are signed in to, or that people ask for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OAuthProviderView {
    id: &'static str,
    name: &'static str,
    /// `code`: a page of the provider's and back; `device`: a code that is typed in there; null: not offered.
    flow: Option<&'static str>,
    /// The operator has a client there, so that accounts can be signed in to.
    configured: bool,
    /// What names the client.
    setting: String,
    /// Where the provider sends people, if not to `/callback` here.
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_uri: Option<String>,
    /// What to do where it is not offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    instead: Option<&'static str>,
}

/// An account was signed in to.
#[derive(Debug, Serialize, ToSchema)]
struct SignedIn {
    success: bool,
    connection: SignedInConnection,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SignedInConnection {
    id: Uuid,
    provider: &'static str,
    email: Option<String>,
    display_name: Option<String>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(providers))
        .routes(routes!(code::authorize))
        .routes(routes!(code::exchange))
        .routes(routes!(device::start))
        .routes(routes!(device::poll))
        .merge(elsewhere::router())
        .route("/api/oauth/{provider}/{action}", any(unknown_action))
}

/// Where accounts can be signed in to.
#[utoipa::path(get, path = "/api/oauth/providers", tag = "oauth", responses((status = 200, body = OAuthProviderList)))]
async fn providers(State(ctx): State<Ctx>, _: Admin) -> Json<OAuthProviderList> {
    let clients = &ctx.config.oauth;
    let view = |spec: &Spec| {
        let provider = Provider::find(spec.id, clients).ok();
        OAuthProviderView {
            id: spec.id,
            name: spec.name,
            flow: spec.kind(clients).map(|kind| match kind {
                Kind::Code => "code",
                Kind::Device => "device",
            }),
            configured: provider.is_some(),
            setting: spec.client_setting(),
            redirect_uri: provider
                .and_then(|provider| provider.redirect_uri)
                .map(String::from),
            instead: spec.instead(),
        }
    };
    let own = oauth::configured_besides(clients);
    Json(OAuthProviderList {
        providers: oauth::listed().iter().chain(&own).map(view).collect(),
    })
}

async fn unknown_action(_: Admin, Path((provider, action)): Path<(String, String)>) -> ApiError {
    match Spec::find(&provider) {
        Ok(spec) => ApiError::invalid("action", format!("{} has no action `{action}`", spec.id)),
        Err(error) => error.into(),
    }
}

async fn endpoint<'a>(
    ctx: &'a Ctx,
    provider: &'a Provider,
    connection: Option<Uuid>,
) -> Result<Endpoint<'a>, ApiError> {
    Ok(Endpoint {
        provider,
        egress: &ctx.egress,
        proxy: proxies::usable_for(ctx, connection, provider.id).await?,
    })
}

/// The connection whose account signs in again, if one was named.
async fn again(ctx: &Ctx, provider: &Provider, named: Option<&str>) -> Result<Option<Uuid>, ApiError> {
    let Some(id) = named else { return Ok(None) };
    let uuid = uuid_or_missing(WHAT, id)?;
    let found = sqlx::query_scalar!(
        "select id from provider_connection where id = $1 and provider = $2 and auth_type = 'oauth'",
        uuid,
        provider.id,
    )
    .fetch_optional(ctx.db.pool())
    .await?;
    found.map(Some).ok_or_else(|| ApiError::not_found(WHAT, id))
}

async fn record_start(ctx: &Ctx, origin: &Origin, provider: &Provider, flow: Uuid) -> Result<(), ApiError> {
    let audit = Audit::of("oauth.flow.started")
        .target("provider", provider.id)
        .details(json!({ "flowId": flow }));
    Ok(ctx.db.record(origin, audit).await?)
}

/// Ends a flow that came to nothing, and gives the error back.
async fn fail(ctx: &Ctx, origin: &Origin, flow: &Flow, error: ApiError) -> ApiError {
    let (status, reason) = match &error {
        ApiError::OAuth(error @ OAuthError::Refused { error: reason, .. }) => {
            (Status::of(error), reason.clone())
        }
        other => (Status::Failed, other.kind().code.to_owned()),
    };
    let audit = Audit::of("oauth.flow.failed")
        .outcome(Outcome::Failed)
        .target("provider", &flow.provider)
        .details(json!({ "flowId": flow.id, "reason": reason }));
    let ended = async {
        flow.end(ctx.db.pool(), status, None).await?;
        ctx.db.record(origin, audit).await
    };
    if let Err(error) = ended.await {
        tracing::warn!(%error, "cannot write down that a sign-in failed");
    }
    error
}

/// Turns tokens into a connection, and ends the flow with it.
async fn complete(
    ctx: &Ctx,
    origin: &Origin,
    provider: &Provider,
    flow: &Flow,
    tokens: &Tokens,
) -> Result<Committed<SignedIn>, ApiError> {
    let endpoint = endpoint(ctx, provider, flow.connection_id).await?;
    // the account works without a name
    let userinfo = endpoint
        .userinfo(&tokens.access_token)
        .await
        .unwrap_or_else(|error| {
            tracing::warn!(provider = provider.id, %error, "a provider does not say who signed in");
            None
        });
    let account = Account::of(tokens, userinfo.as_ref());
    let mut tx = ctx.db.config_tx(origin).await?;
    let saved = oauth::save(
        tx.conn(),
        &ctx.vault,
        provider.id,
        &account,
        flow.connection_id,
        tokens,
    )
    .await?;
    flow.end(&mut *tx.conn(), Status::Completed, Some(saved.id))
        .await?;
    let action = if saved.created {
        "oauth.connection.created"
    } else {
        "oauth.connection.updated"
    };
    let audit = Audit::of(action)
        .target(WHAT, saved.id)
        .details(json!({ "provider": provider.id, "email": saved.email, "flowId": flow.id }));
    let answer = SignedIn {
        success: true,
        connection: SignedInConnection {
            id: saved.id,
            provider: provider.id,
            email: saved.email,
            display_name: saved.display_name,
        },
    };
    Ok(tx.commit(audit, answer).await?)
}

/// As [`complete`]; a flow that comes to nothing ends, too.
async fn finish(
    ctx: &Ctx,
    origin: &Origin,
    provider: &Provider,
    flow: &Flow,
    tokens: &Tokens,
) -> Result<Committed<SignedIn>, ApiError> {
    match complete(ctx, origin, provider, flow, tokens).await {
        Ok(committed) => Ok(committed),
        Err(error) => Err(fail(ctx, origin, flow, error).await),
    }
}

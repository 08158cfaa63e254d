//! The device flow: whoever signs in types a code into the provider's page, and this control plane asks until that is
//! done, no more often than the provider wants.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{SignedIn, SignedInConnection, again, endpoint, fail, finish, record_start};
use crate::{
    api::Ctx,
    db::Committed,
    error::{ApiError, Violation},
    http::{
        Admin, Body, Json as JsonBody, Query, SameSite, Stamp, Violations, Wait, WaitQuery, uuid_or_missing,
    },
    oauth::{Flow, Kind, OAuthError, Polled, Provider, Turn, interval_s, pkce},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeviceQuery {
    /// The connection whose account signs in again.
    #[serde(rename = "connectionId")]
    connection_id: Option<String>,
}

/// In the words of RFC 8628, as older clients read them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OAuthDevice)]
pub struct DeviceView {
    #[serde(rename = "flowId")]
    flow_id: Uuid,
    /// A handle: the provider's stays here.
    device_code: Uuid,
    /// What to type in.
    user_code: String,
    /// Where.
    verification_uri: String,
    /// The same with the code in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_uri_complete: Option<String>,
    /// Seconds.
    expires_in: i64,
    /// Seconds between two polls.
    interval: i32,
    #[serde(rename = "expiresAt")]
    expires_at: Stamp,
    /// Always `server`: the verifier stays here.
    #[serde(rename = "codeVerifier")]
    code_verifier: &'static str,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = OAuthPoll)]
pub struct PollBody {
    flow_id: Option<String>,
    /// The same by its older name.
    device_code: Option<String>,
    /// Accepted and not believed: the flow has it.
    #[expect(dead_code, reason = "older clients send it")]
    code_verifier: Option<String>,
    #[expect(dead_code, reason = "older clients send it")]
    #[schema(value_type = Option<Object>)]
    extra_data: Option<Value>,
}

/// How a sign-in stands.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OAuthPolled)]
pub struct PollView {
    success: bool,
    /// It makes sense to ask again.
    pending: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<SignedInConnection>,
    /// In the words of RFC 8628 section 3.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<String>,
    /// Seconds until it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<i32>,
}

// === impl PollBody ===

impl Body for PollBody {
    fn check(&self, _: &mut Violations) {}
}

// === impl PollView ===

impl PollView {
    fn pending(error: &str, retry_after: i32) -> Self {
        Self {
            pending: true,
            error: Some(error.to_owned()),
            retry_after: Some(retry_after),
            ..Self::default()
        }
    }
}

impl From<SignedIn> for PollView {
    fn from(signed_in: SignedIn) -> Self {
        Self {
            success: true,
            connection: Some(signed_in.connection),
            ..Self::default()
        }
    }
}

/// Begins to sign in: what to type in, and where.
#[utoipa::path(get, path = "/api/oauth/{provider}/device-code", tag = "oauth", params(DeviceQuery),
    responses((status = 200, body = DeviceView), (status = 400), (status = 404), (status = 409), (status = 502)))]
pub(super) async fn start(
    State(ctx): State<Ctx>,
    admin: Admin,
    _: SameSite,
    Path(id): Path<String>,
    Query(query): Query<DeviceQuery>,
) -> Result<Json<DeviceView>, ApiError> {
    let provider = Provider::find(&id, &ctx.config.oauth)?;
    only_devices(&provider)?;
    let connection = again(&ctx, &provider, query.connection_id.as_deref()).await?;
    let (verifier, challenge) = provider.device_pkce.then(pkce).unzip();
    let endpoint = endpoint(&ctx, &provider, connection).await?;
    let device = endpoint.start_device(challenge.as_deref()).await?;
    let by = admin.origin.actor.to_string();
    let (pool, verifier) = (ctx.db.pool(), verifier.as_deref());
    let started = Flow::start_device(pool, &ctx.vault, &provider, &device, verifier, connection, &by).await?;
    record_start(&ctx, &admin.origin, &provider, started.id).await?;
    Ok(Json(DeviceView {
        flow_id: started.id,
        device_code: started.id,
        interval: interval_s(&device),
        user_code: device.user_code,
        verification_uri: device.verification_uri,
        verification_uri_complete: device.verification_uri_complete,
        expires_in: device.expires_in,
        expires_at: Stamp(started.expires_at),
        code_verifier: "server",
    }))
}

/// Asks whether somebody has decided. Too early, nobody is asked.
#[utoipa::path(post, path = "/api/oauth/{provider}/poll", tag = "oauth", request_body = PollBody, params(WaitQuery),
    responses((status = 200, body = PollView), (status = 400), (status = 404), (status = 409), (status = 410),
        (status = 502)))]
pub(super) async fn poll(
    State(ctx): State<Ctx>,
    admin: Admin,
    wait: Wait,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<PollBody>,
) -> Result<Response, ApiError> {
    let provider = Provider::find(&id, &ctx.config.oauth)?;
    only_devices(&provider)?;
    let handle = body.flow_id.or(body.device_code);
    let handle = handle.ok_or_else(|| ApiError::Invalid(vec![Violation::missing("flowId")]))?;
    let handle = uuid_or_missing("sign-in", &handle)?;
    let flow = match Flow::turn(ctx.db.pool(), provider.id, handle).await? {
        Turn::Now(flow) => flow,
        Turn::Wait { seconds } => {
            return Ok(Json(PollView::pending("authorization_pending", seconds)).into_response());
        }
    };
    let polled = async {
        let endpoint = endpoint(&ctx, &provider, flow.connection_id).await?;
        let verifier = flow.verifier(&ctx.vault)?;
        let device_code = flow.device_code(&ctx.vault)?;
        let verifier = verifier.as_ref().map(|verifier| verifier.expose().as_str());
        endpoint.poll(device_code.expose(), verifier).await
    };
    let view = match polled.await {
        Ok(Polled::Granted(tokens)) => {
            let Committed { revision, value } =
                finish(&ctx, &admin.origin, &provider, &flow, &tokens).await?;
            let value = PollView::from(value);
            return Ok(wait.answer(StatusCode::OK, Committed { revision, value }).await);
        }
        Ok(Polled::Pending) => {
            PollView::pending("authorization_pending", flow.wait(ctx.db.pool(), false).await?)
        }
        Ok(Polled::SlowDown) => PollView::pending("slow_down", flow.wait(ctx.db.pool(), true).await?),
        Err(ApiError::OAuth(OAuthError::Refused { error, description })) => {
            let refusal = OAuthError::Refused {
                error: error.clone(),
                description: description.clone(),
            };
            fail(&ctx, &admin.origin, &flow, refusal.into()).await;
            PollView {
                error: Some(error),
                error_description: description,
                ..PollView::default()
            }
        }
        // the provider may be back in a moment, and the code still good
        Err(error) => {
            flow.wait(ctx.db.pool(), false).await?;
            return Err(error);
        }
    };
    Ok(Json(view).into_response())
}

fn only_devices(provider: &Provider) -> Result<(), ApiError> {
    match provider.kind {
        Kind::Device => Ok(()),
        Kind::Code => {
            let text = "is signed in to at a page of its own: GET /api/oauth/{provider}/authorize";
            Err(ApiError::invalid("provider", text))
        }
    }
}

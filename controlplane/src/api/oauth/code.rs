//! The authorization code flow: to the provider's page and back.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use runtime::secret::Secret;
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    SignedIn, again, endpoint, fail, finish,
    origin::{CALLBACK, OwnOrigin},
    record_start,
};
use crate::{
    api::Ctx,
    error::{ApiError, Violation},
    http::{Admin, Body, Json as JsonBody, Query, SameSite, Stamp, Violations, Wait, WaitQuery},
    oauth::{Flow, Kind, OAuthError, Provider, Started},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuthorizeQuery {
    /// Where the provider sends people back to: `/callback` here, unless told otherwise.
    redirect_uri: Option<String>,
    /// The connection whose account signs in again.
    #[serde(rename = "connectionId")]
    connection_id: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OAuthAuthorization)]
pub struct Authorization {
    flow_id: Uuid,
    /// Where to send whoever signs in.
    auth_url: String,
    /// Comes back with the code, and is used once.
    state: String,
    /// Always `server`: the verifier stays here.
    code_verifier: &'static str,
    code_challenge: String,
    redirect_uri: String,
    flow_type: &'static str,
    callback_path: &'static str,
    /// `popup`: the page comes back here by itself; `paste`: whoever signs in copies the code or the address.
    completion: &'static str,
    expires_at: Stamp,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = OAuthExchange)]
pub struct ExchangeBody {
    /// May have the state behind a `#`.
    #[schema(value_type = Option<String>)]
    code: Option<Secret<String>>,
    state: Option<String>,
    /// The whole address that the provider sent the browser to, instead of both.
    #[schema(value_type = Option<String>)]
    callback_url: Option<Secret<String>>,
    flow_id: Option<Uuid>,
    /// Accepted and not believed: the flow knows it.
    #[expect(dead_code, reason = "older clients send it")]
    redirect_uri: Option<String>,
    /// Accepted and not believed: the flow has it.
    #[expect(dead_code, reason = "older clients send it")]
    code_verifier: Option<String>,
}

/// What came back from the provider's page.
struct Returned {
    state: String,
    outcome: Result<Secret<String>, OAuthError>,
}

// === impl ExchangeBody ===

impl Body for ExchangeBody {
    fn check(&self, violations: &mut Violations) {
        if self.code.is_none() && self.callback_url.is_none() {
            violations.add("code", "is required, or callbackUrl");
        }
    }
}

impl ExchangeBody {
    fn read(&self) -> Result<Returned, ApiError> {
        if let Some(url) = &self.callback_url {
            return Returned::of_address(url.expose().trim());
        }
        let text = self.code.as_ref().map_or("", |code| code.expose().trim());
        let (code, appended) = text.split_once('#').unwrap_or((text, ""));
        let state = self.state.as_deref().unwrap_or(appended).trim();
        if code.is_empty() || state.is_empty() {
            let field = if code.is_empty() { "code" } else { "state" };
            return Err(ApiError::Invalid(vec![Violation::missing(field)]));
        }
        Ok(Returned {
            state: state.to_owned(),
            outcome: Ok(Secret::new(code.to_owned())),
        })
    }
}

// === impl Returned ===

impl Returned {
    fn of_address(text: &str) -> Result<Self, ApiError> {
        let url = Url::parse(text).map_err(|_| {
            ApiError::invalid("callbackUrl", "must be the whole address from the address bar")
        })?;
        let find = |wanted: &str| {
            let mut pairs = url.query_pairs().filter(|(name, _)| name == wanted);
            pairs.next().map(|(_, value)| value.into_owned())
        };
        let missing = |what: &str| ApiError::invalid("callbackUrl", format!("has no `{what}`"));
        let state = find("state").ok_or_else(|| missing("state"))?;
        let outcome = match (find("error"), find("code")) {
            (Some(error), _) => Err(OAuthError::Refused {
                error: error.chars().take(100).collect(),
                description: find("error_description").map(|text| text.chars().take(300).collect()),
            }),
            (None, Some(code)) => Ok(Secret::new(code)),
            (None, None) => return Err(missing("code")),
        };
        Ok(Self { state, outcome })
    }
}

/// Begins to sign in: where to send people, and what they bring back.
#[utoipa::path(get, path = "/api/oauth/{provider}/authorize", tag = "oauth", params(AuthorizeQuery),
    responses((status = 200, body = Authorization), (status = 400), (status = 404), (status = 409)))]
pub(super) async fn authorize(
    State(ctx): State<Ctx>,
    admin: Admin,
    _: SameSite,
    own: OwnOrigin,
    Path(id): Path<String>,
    Query(query): Query<AuthorizeQuery>,
) -> Result<Json<Authorization>, ApiError> {
    let provider = Provider::find(&id, &ctx.config.oauth)?;
    let page = match (provider.kind, &provider.authorize_url) {
        (Kind::Code, Some(page)) => page,
        _ => {
            let text = "is signed in to by a device code: GET /api/oauth/{provider}/device-code";
            return Err(ApiError::invalid("provider", text));
        }
    };
    let (redirect, is_ours) = own.redirect(&provider, query.redirect_uri.as_deref())?;
    let connection = again(&ctx, &provider, query.connection_id.as_deref()).await?;
    let by = admin.origin.actor.to_string();
    let pool = ctx.db.pool();
    let started = Flow::start_code(pool, &ctx.vault, &provider, redirect.as_str(), connection, &by).await?;
    record_start(&ctx, &admin.origin, &provider, started.id).await?;
    Ok(Json(Authorization {
        flow_id: started.id,
        auth_url: address(page, &provider, &redirect, &started),
        state: started.state,
        code_verifier: "server",
        code_challenge: started.challenge,
        redirect_uri: redirect.into(),
        flow_type: "authorization_code_pkce",
        callback_path: CALLBACK,
        completion: if is_ours { "popup" } else { "paste" },
        expires_at: Stamp(started.expires_at),
    }))
}

/// Ends it: what the provider's page gave becomes a connection.
#[utoipa::path(post, path = "/api/oauth/{provider}/exchange", tag = "oauth", request_body = ExchangeBody,
    params(WaitQuery), responses((status = 200, body = SignedIn), (status = 400), (status = 404), (status = 409),
        (status = 410), (status = 502)))]
pub(super) async fn exchange(
    State(ctx): State<Ctx>,
    admin: Admin,
    wait: Wait,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<ExchangeBody>,
) -> Result<Response, ApiError> {
    let provider = Provider::find(&id, &ctx.config.oauth)?;
    let Returned { state, outcome } = body.read()?;
    let flow = Flow::take(ctx.db.pool(), provider.id, &state, body.flow_id).await?;
    let exchanged = async {
        let code = outcome?;
        let verifier = flow.verifier(&ctx.vault)?.ok_or(OAuthError::Over)?;
        let redirect_uri = flow.redirect_uri.as_deref().unwrap_or_default();
        let endpoint = endpoint(&ctx, &provider, flow.connection_id).await?;
        endpoint
            .exchange(code.expose(), verifier.expose(), redirect_uri)
            .await
    };
    match exchanged.await {
        Ok(tokens) => {
            let committed = finish(&ctx, &admin.origin, &provider, &flow, &tokens).await?;
            Ok(wait.answer(StatusCode::OK, committed).await)
        }
        Err(error) => Err(fail(&ctx, &admin.origin, &flow, error).await),
    }
}

/// RFC 6749 section 4.1.1. Spaces become `%20`: not everybody reads a plus as one.
fn address(page: &Url, provider: &Provider, redirect: &Url, started: &Started) -> String {
    let mut url = page.clone();
    {
        let mut query = url.query_pairs_mut();
        query
            .extend_pairs(provider.parameters)
            .append_pair("response_type", "code")
            .append_pair("client_id", &provider.client_id)
            .append_pair("redirect_uri", redirect.as_str())
            .append_pair("state", &started.state)
            .append_pair("code_challenge", &started.challenge)
            .append_pair("code_challenge_method", "S256");
        if !provider.scopes.is_empty() {
            query.append_pair("scope", &provider.scopes);
        }
    }
    url.as_str().replace('+', "%20")
}

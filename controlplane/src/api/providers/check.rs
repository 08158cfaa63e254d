//! Asking providers: testing stored credentials, trying unsaved ones, listing models.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::{TimeDelta, Utc};
use futures::{StreamExt, stream};
use llm::{
    provider::{Endpoint, ProviderSpec, Whereabouts},
    providers,
};
use runtime::{secret::Secret, service_account::ServiceAccount};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    ListQuery,
    row::{self, Row},
    row_of,
};
use crate::{
    api::{Ctx, guard},
    db::{Audit, Outcome},
    error::ApiError,
    http::{Body, Json as JsonBody, Operator, Query, SameSite, Stamp, Violations, one_of},
    oauth::RenewalError,
    probe::{self, Check, Diagnosis, Finding, Model, Target},
    proxies,
    vault::Cell,
};

const BATCH_CONCURRENCY: usize = 4;
const BATCH_DEADLINE: Duration = Duration::from_secs(120);
/// A token that ends sooner is renewed before it is tried.
const TOKEN_ENDS_SOON: TimeDelta = TimeDelta::minutes(5);
const RENEWAL: Duration = Duration::from_secs(20);
const MODES: [&str; 6] = ["provider", "oauth", "free", "apikey", "compatible", "all"];

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestView {
    valid: bool,
    error: Option<String>,
    /// Whether a token was renewed on the way.
    refreshed: bool,
    diagnosis: Diagnosis,
    latency_ms: u64,
    status_code: Option<u16>,
    tested_at: Stamp,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TestQuery {
    /// Who calls the provider: `cp`, this control plane.
    via: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ModelsQuery {
    /// Add what the provider sent, unchanged.
    #[serde(default)]
    raw: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelList {
    provider: String,
    connection_id: Uuid,
    models: Vec<Model>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = CredentialCheck)]
pub struct ValidateBody {
    provider: String,
    #[schema(value_type = String)]
    api_key: Secret<String>,
    base_url: Option<String>,
    /// Of a provider that has regions.
    region: Option<String>,
    /// Of a provider that has projects; that of the credential when absent.
    project: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CredentialVerdict)]
pub struct ValidateView {
    valid: bool,
    error: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BatchBody {
    /// `provider`, `oauth`, `free`, `apikey`, `compatible` or `all`.
    mode: String,
    /// With mode `provider`.
    provider_id: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchResult {
    provider: String,
    connection_id: Uuid,
    connection_name: Option<String>,
    auth_type: String,
    #[serde(flatten)]
    test: TestView,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchView {
    mode: String,
    provider_id: Option<String>,
    results: Vec<BatchResult>,
    tested_at: Stamp,
    summary: BatchSummary,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct BatchSummary {
    total: usize,
    passed: usize,
    failed: usize,
}

// === impl ValidateBody ===

impl Body for ValidateBody {
    const REQUIRED: &'static [&'static str] = &["provider", "apiKey"];

    fn check(&self, violations: &mut Violations) {
        violations.length("provider", &self.provider, 1..=100);
        violations.length("apiKey", self.api_key.expose(), 1..=10_000);
    }
}

// === impl BatchBody ===

impl Body for BatchBody {
    const REQUIRED: &'static [&'static str] = &["mode"];

    fn check(&self, violations: &mut Violations) {
        violations.one_of("mode", &self.mode, &MODES);
        if self.mode == "provider" && self.provider_id.is_none() {
            violations.add("providerId", "is required with mode `provider`");
        }
    }
}

/// Tries a stored credential at its provider and remembers the result.
#[utoipa::path(post, path = "/api/providers/{id}/test", tag = "providers", params(TestQuery),
    responses((status = 200, body = TestView), (status = 404)))]
pub(super) async fn test(
    State(ctx): State<Ctx>,
    operator: Operator,
    Path(id): Path<String>,
    Query(query): Query<TestQuery>,
) -> Result<Json<TestView>, ApiError> {
    if let Some(via) = &query.via {
        one_of("via", via, &["cp"])?;
    }
    let row = row_of(&ctx, &id).await?;
    Ok(Json(run(&ctx, &operator, &row).await?))
}

/// Lists the models that a connection's provider offers.
#[utoipa::path(get, path = "/api/providers/{id}/models", tag = "providers", params(ModelsQuery),
    responses((status = 200, body = ModelList), (status = 400), (status = 404), (status = 409), (status = 422),
        (status = 502), (status = 504)))]
pub(super) async fn models(
    State(ctx): State<Ctx>,
    operator: Operator,
    _: SameSite,
    Path(id): Path<String>,
    Query(query): Query<ModelsQuery>,
) -> Result<Json<ModelList>, ApiError> {
    let row = row_of(&ctx, &id).await?;
    let target = target_of(&ctx, &row).await?;
    let models = match probe::list_models(&ctx.egress, &target, query.raw).await {
        Ok(models) => models,
        Err(error) => return Err(guard::recorded(&ctx, &operator.origin, error).await),
    };
    Ok(Json(ModelList {
        provider: row.provider,
        connection_id: row.id,
        models,
    }))
}

/// Tries a credential without storing it.
#[utoipa::path(post, path = "/api/providers/validate", tag = "providers", request_body = ValidateBody,
    responses((status = 200, body = ValidateView), (status = 400), (status = 404), (status = 422)))]
pub(super) async fn validate(
    State(ctx): State<Ctx>,
    operator: Operator,
    JsonBody(body): JsonBody<ValidateBody>,
) -> Result<Json<ValidateView>, ApiError> {
    let place = place(&ctx, &body.provider).await?;
    let said = Said {
        base_url: body.base_url.as_deref(),
        region: body.region.as_deref().unwrap_or_default(),
        project: body.project.as_deref().unwrap_or_default(),
    };
    let endpoint = place.endpoint(said, &body.api_key);
    let target = Target {
        spec: place.spec,
        endpoint: endpoint.map_err(|error| ApiError::invalid("apiKey", error))?,
        credential: body.api_key,
        oauth: false,
        model: None,
        allow_private: ctx.config.allow_private_provider_urls || place.allow_private_address,
        proxy: proxies::usable_for(&ctx, None, &place.id).await?,
    };
    let check = probe::check(&ctx.egress, &target).await;
    let valid = check.finding.is_valid();
    let audit = Audit::of("provider.validated")
        .target("provider", &body.provider)
        .outcome(if valid { Outcome::Success } else { Outcome::Failed });
    ctx.db.record(&operator.origin, audit).await?;
    if let Finding::Blocked(why) = check.finding {
        return Err(guard::recorded(&ctx, &operator.origin, ApiError::UrlBlocked(why)).await);
    }
    Ok(Json(ValidateView {
        valid,
        error: check.finding.error(),
    }))
}

/// Tests all active connections of a kind.
#[utoipa::path(post, path = "/api/providers/test-batch", tag = "providers", request_body = BatchBody,
    responses((status = 200, body = BatchView), (status = 400)))]
pub(super) async fn test_batch(
    State(ctx): State<Ctx>,
    operator: Operator,
    JsonBody(body): JsonBody<BatchBody>,
) -> Result<Json<BatchView>, ApiError> {
    let every = ListQuery {
        provider: None,
        auth_type: None,
        is_active: Some(true),
        limit: None,
        offset: None,
    };
    let rows = row::list(ctx.db.pool(), &every, 5000).await?;
    let chosen = rows.into_iter().filter(|row| body.includes(row));

    let runs = stream::iter(chosen).map(|row| {
        let (ctx, operator) = (&ctx, &operator);
        async move {
            let test = run(ctx, operator, &row).await?;
            let Row {
                provider,
                id,
                name,
                auth_type,
                ..
            } = row;
            Ok::<_, ApiError>(BatchResult {
                provider,
                connection_id: id,
                connection_name: name,
                auth_type,
                test,
            })
        }
    });
    let runs = runs
        .buffer_unordered(BATCH_CONCURRENCY)
        .take_until(tokio::time::sleep(BATCH_DEADLINE));
    let results = runs
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let passed = results.iter().filter(|result| result.test.valid).count();
    let summary = BatchSummary {
        total: results.len(),
        passed,
        failed: results.len() - passed,
    };
    Ok(Json(BatchView {
        mode: body.mode,
        provider_id: body.provider_id,
        results,
        tested_at: Stamp::now(),
        summary,
    }))
}

impl BatchBody {
    fn includes(&self, row: &Row) -> bool {
        let is_node = row.provider_specific_data.get("prefix").is_some();
        match self.mode.as_str() {
            "provider" => self.provider_id.as_deref() == Some(&row.provider),
            "compatible" => is_node,
            "apikey" => row.auth_type == "apikey" && !is_node,
            "oauth" | "free" => row.auth_type == "oauth",
            _ => true,
        }
    }
}

async fn run(ctx: &Ctx, operator: &Operator, row: &Row) -> Result<TestView, ApiError> {
    let fresh = match renewed(ctx, row).await? {
        Ok(fresh) => fresh,
        Err(error) => return not_renewed(ctx, operator, row, &error).await,
    };
    let refreshed = fresh.is_some();
    let row = fresh.as_ref().unwrap_or(row);
    let check = match target_of(ctx, row).await {
        Ok(target) => probe::check(&ctx.egress, &target).await,
        Err(ApiError::NoUsableCredential(why)) => return unusable(ctx, operator, row, why).await,
        Err(error) => return Err(error),
    };
    if let Finding::Blocked(why) = &check.finding {
        guard::recorded(ctx, &operator.origin, ApiError::UrlBlocked(why.clone())).await;
    }
    let diagnosis = check.diagnosis();
    let error = check.finding.error();
    remember(ctx, operator, row, error.as_deref(), &diagnosis).await?;
    let Check { status, finding, .. } = &check;
    Ok(TestView {
        valid: finding.is_valid(),
        error,
        refreshed,
        latency_ms: check.latency_ms(),
        status_code: *status,
        diagnosis,
        tested_at: Stamp::now(),
    })
}

/// The row with a newer token, where the one that it has is about to end.
async fn renewed(ctx: &Ctx, row: &Row) -> Result<Result<Option<Row>, RenewalError>, ApiError> {
    let soon = Utc::now() + TOKEN_ENDS_SOON;
    if !row.has_refresh_token || row.token_expires_at.is_none_or(|at| at > soon) {
        return Ok(Ok(None));
    }
    let generation = row.token_generation.cast_unsigned();
    match ctx.renewals.renew(row.id, generation, RENEWAL).await {
        Ok(()) => Ok(Ok(row::find(ctx.db.pool(), row.id).await?)),
        Err(RenewalError::Database(error)) => Err(error.into()),
        Err(error) => Ok(Err(error)),
    }
}

async fn not_renewed(
    ctx: &Ctx,
    operator: &Operator,
    row: &Row,
    error: &RenewalError,
) -> Result<TestView, ApiError> {
    let kind = match error {
        RenewalError::SignInAgain => "reauth_required",
        _ => "token_refresh_failed",
    };
    let diagnosis = Diagnosis {
        r#type: kind,
        source: "oauth",
        message: error.to_string(),
        code: None,
    };
    untried(ctx, operator, row, diagnosis).await
}

async fn unusable(ctx: &Ctx, operator: &Operator, row: &Row, why: String) -> Result<TestView, ApiError> {
    let kind = if row.api_key.is_some() || row.access_token.is_some() {
        "decrypt_failed"
    } else {
        "auth_missing"
    };
    let diagnosis = Diagnosis {
        r#type: kind,
        source: "local",
        message: why,
        code: None,
    };
    untried(ctx, operator, row, diagnosis).await
}

/// The provider was not asked.
async fn untried(
    ctx: &Ctx,
    operator: &Operator,
    row: &Row,
    diagnosis: Diagnosis,
) -> Result<TestView, ApiError> {
    let why = diagnosis.message.clone();
    remember(ctx, operator, row, Some(&why), &diagnosis).await?;
    Ok(TestView {
        valid: false,
        error: Some(why),
        refreshed: false,
        diagnosis,
        latency_ms: 0,
        status_code: None,
        tested_at: Stamp::now(),
    })
}

/// The result is an observation, no configuration: it makes no revision.
async fn remember(
    ctx: &Ctx,
    operator: &Operator,
    row: &Row,
    error: Option<&str>,
    diagnosis: &Diagnosis,
) -> Result<(), ApiError> {
    sqlx::query!(
        "update provider_connection
         set test_status = case when $2::text is null then 'active' else 'error' end, last_tested = now(),
             last_error = $2, last_error_type = case when $2::text is null then null else $3 end,
             last_error_source = case when $2::text is null then null else $4 end,
             last_error_at = case when $2::text is null then null else now() end,
             error_code = case when $2::text is null then null else $5 end
         where id = $1",
        row.id,
        error,
        diagnosis.r#type,
        diagnosis.source,
        diagnosis.code,
    )
    .execute(ctx.db.pool())
    .await?;
    let audit = Audit::of("provider.connection.tested")
        .target(super::WHAT, row.id)
        .outcome(if error.is_none() {
            Outcome::Success
        } else {
            Outcome::Failed
        })
        .details(json!({ "diagnosis": diagnosis.r#type }));
    Ok(ctx.db.record(&operator.origin, audit).await?)
}

/// Where and how a provider is called, before a connection has its say.
struct Place {
    id: String,
    spec: &'static ProviderSpec,
    /// Empty: as the registry has it.
    base_url: String,
    api_version: String,
    allow_private_address: bool,
}

/// What a connection has to say about it.
struct Said<'a> {
    base_url: Option<&'a str>,
    region: &'a str,
    project: &'a str,
}

// === impl Place ===

impl Place {
    /// Where a credential is tried. A project that nobody named is the one that the credential was made in.
    fn endpoint(&self, said: Said<'_>, credential: &Secret<String>) -> Result<Endpoint, String> {
        let account = self.spec.takes_project() && ServiceAccount::is_meant(credential.expose());
        let account = account
            .then(|| ServiceAccount::read(credential.expose()))
            .transpose()
            .map_err(|error| error.to_string())?;
        let own = account.as_ref().and_then(ServiceAccount::project);
        let whereabouts = Whereabouts {
            base_url: said.base_url.unwrap_or(&self.base_url),
            region: said.region,
            project: Some(said.project)
                .filter(|project| !project.is_empty())
                .or(own)
                .unwrap_or_default(),
            api_version: &self.api_version,
        };
        Endpoint::of(self.spec, whereabouts).map_err(|error| error.to_string())
    }
}

async fn place(ctx: &Ctx, provider: &str) -> Result<Place, ApiError> {
    if let Some(spec) = providers::find(provider) {
        return Ok(Place {
            id: spec.id.to_owned(),
            spec,
            base_url: String::new(),
            api_version: String::new(),
            allow_private_address: false,
        });
    }
    let node = sqlx::query!(
        "select type, api_type, base_url, api_version, allow_private_address from provider_node where id = $1",
        provider
    )
    .fetch_optional(ctx.db.pool())
    .await?
    .ok_or_else(|| ApiError::not_found("provider node", provider))?;
    let spec = providers::compatible(&node.r#type, node.api_type.as_deref().unwrap_or_default())
        .ok_or_else(|| ApiError::NoModelListing(format!("nodes of type {} cannot be called", node.r#type)))?;
    Ok(Place {
        id: provider.to_owned(),
        spec,
        base_url: node.base_url,
        api_version: node.api_version.unwrap_or_default(),
        allow_private_address: node.allow_private_address,
    })
}

async fn target_of(ctx: &Ctx, row: &Row) -> Result<Target, ApiError> {
    let place = place(ctx, &row.provider).await?;
    let unusable = |why: &str| ApiError::NoUsableCredential(why.to_owned());
    let id = row.id.to_string();
    let stored = match row.is_oauth() {
        true => (row.access_token.as_deref(), Cell::connection_access_token(&id)),
        false => (row.api_key.as_deref(), Cell::connection_api_key(&id)),
    };
    let credential = match stored {
        (Some(sealed), cell) => ctx
            .vault
            .open(cell, sealed)
            .map_err(|error| unusable(&error.to_string()))?,
        (None, _) if row.is_oauth() => return Err(unusable("nobody has signed in: sign in again")),
        (None, _) if place.spec.keyless => Secret::new(String::new()),
        (None, _) => return Err(unusable("the connection has no API key")),
    };
    let said = Said {
        base_url: row.base_url(),
        region: row.said("region"),
        project: row.said("project"),
    };
    Ok(Target {
        spec: place.spec,
        endpoint: place
            .endpoint(said, &credential)
            .map_err(|error| unusable(&error))?,
        credential,
        oauth: row.is_oauth(),
        model: row.default_model.clone(),
        allow_private: ctx.config.allow_private_provider_urls || row.allow_private_address,
        proxy: proxies::usable_for(ctx, Some(row.id), &row.provider).await?,
    })
}

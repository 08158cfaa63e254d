//! `POST /api/provider-nodes/validate`: tries an address and a key without storing them.

use axum::{Json, extract::State};
use llm::provider::{Endpoint, Whereabouts};
use proto::validate::{NODE_TYPES as TYPES, api_types};
use runtime::secret::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    address::{check_address, normalise},
    body::{check_api_type, check_api_version},
    callable,
};
use crate::{
    api::{Ctx, guard},
    db::{Audit, Outcome},
    error::{ApiError, Violation},
    http::{Body, Json as JsonBody, Operator, Violations},
    probe::{self, Finding, Target},
    proxies,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = NodeCheck)]
pub(super) struct ValidateBody {
    base_url: String,
    /// May be missing or empty for a type whose servers ask for no credential.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    api_key: Option<Secret<String>>,
    r#type: Option<String>,
    /// `chat` when absent; for `openai-compatible` and `azure-compatible` only.
    api_type: Option<String>,
    api_version: Option<String>,
    /// Of `bedrock-compatible`: what requests are signed for.
    region: Option<String>,
    allow_private_address: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NodeVerdict)]
pub(super) struct ValidateView {
    valid: bool,
    error: Option<String>,
    /// `invalid_key`, `no_models_endpoint` or `unreachable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

// === impl ValidateBody ===

impl Body for ValidateBody {
    const REQUIRED: &'static [&'static str] = &["baseUrl"];

    fn check(&self, violations: &mut Violations) {
        if let Some(key) = &self.api_key {
            violations.length("apiKey", key.expose(), 0..=10_000);
        }
        let r#type = self.r#type.as_deref().unwrap_or(TYPES[0]);
        violations.one_of("type", r#type, &TYPES);
        if self.api_type.is_some() {
            check_api_type(violations, r#type, self.api_type.as_deref());
        }
        check_api_version(violations, r#type, self.api_version.as_deref());
    }
}

/// Tries an address and a key without storing them.
#[utoipa::path(post, path = "/api/provider-nodes/validate", tag = "providers", request_body = ValidateBody,
    responses((status = 200, body = ValidateView), (status = 400), (status = 422)))]
pub(super) async fn validate(
    State(ctx): State<Ctx>,
    operator: Operator,
    JsonBody(body): JsonBody<ValidateBody>,
) -> Result<Json<ValidateView>, ApiError> {
    let r#type = body.r#type.as_deref().unwrap_or(TYPES[0]);
    let api_type = body
        .api_type
        .as_deref()
        .or_else(|| api_types(r#type).first().copied());
    let spec = callable(r#type, api_type)?;
    let credential = match body.api_key {
        Some(key) if spec.keyless || !key.expose().is_empty() => key,
        None if spec.keyless => Secret::new(String::new()),
        Some(_) => return Err(ApiError::invalid("apiKey", "must have 1 to 10000 characters")),
        None => return Err(ApiError::Invalid(vec![Violation::missing("apiKey")])),
    };
    let base_url = normalise(spec, &body.base_url);
    let allow_private = body.allow_private_address.unwrap_or(false);
    check_address(&ctx, &operator, &base_url, allow_private).await?;
    let target = Target {
        spec,
        endpoint: Endpoint::of(
            spec,
            Whereabouts {
                base_url: &base_url,
                region: body.region.as_deref().unwrap_or_default(),
                project: "",
                api_version: body.api_version.as_deref().unwrap_or_default(),
            },
        )
        .map_err(|error| ApiError::invalid("region", error.to_string()))?,
        credential,
        oauth: false,
        model: None,
        allow_private: ctx.config.allow_private_provider_urls || allow_private,
        proxy: proxies::usable_for(&ctx, None, "").await?,
    };
    let check = probe::check(&ctx.egress, &target).await;
    let valid = check.finding.is_valid();
    let audit = Audit::of("provider.validated")
        .target("node", r#type)
        .outcome(if valid { Outcome::Success } else { Outcome::Failed });
    ctx.db.record(&operator.origin, audit).await?;
    let reason = match check.finding {
        Finding::Accepted | Finding::RateLimited => None,
        Finding::Refused => Some("invalid_key"),
        Finding::Unverifiable => Some("no_models_endpoint"),
        Finding::Unavailable | Finding::Unreachable(_) => Some("unreachable"),
        Finding::Blocked(why) => {
            return Err(guard::recorded(&ctx, &operator.origin, ApiError::UrlBlocked(why)).await);
        }
    };
    Ok(Json(ValidateView {
        valid,
        error: check.finding.error(),
        reason,
    }))
}

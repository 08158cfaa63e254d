//! The instructions that data planes put in front of those of every request.
//!
//! `GET PUT PATCH /api/settings/system-prompt`

use axum::{Json, extract::State, http::StatusCode, response::Response};
use proto::validate::PROMPT_CHARS;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgExecutor;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::Ctx,
    db::Audit,
    error::ApiError,
    http::{Body, Json as JsonBody, Operator, Reader, Violations, Wait, WaitQuery},
};

/// As stored, and as shown.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default)]
struct SystemPromptView {
    enabled: bool,
    prompt: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SystemPromptBody {
    /// Off keeps the prompt for later.
    enabled: Option<bool>,
    /// At most 50000 characters; empty adds nothing to requests.
    prompt: Option<String>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(read, change))
}

// === impl SystemPromptBody ===

impl Body for SystemPromptBody {
    fn check(&self, violations: &mut Violations) {
        if let Some(prompt) = &self.prompt {
            violations.length("prompt", prompt, 0..=PROMPT_CHARS);
        }
        if self.enabled.is_none() && self.prompt.is_none() {
            violations.add("", "there is nothing to change: send prompt or enabled");
        }
    }
}

/// The prompt and whether it is in use.
#[utoipa::path(get, path = "/api/settings/system-prompt", tag = "settings",
    responses((status = 200, body = SystemPromptView)))]
async fn read(State(ctx): State<Ctx>, _: Reader) -> Result<Json<SystemPromptView>, ApiError> {
    Ok(Json(stored(ctx.db.pool()).await?))
}

/// Changes what the body names.
#[utoipa::path(method(put, patch), path = "/api/settings/system-prompt", tag = "settings",
    request_body = SystemPromptBody, params(WaitQuery),
    responses((status = 200, body = SystemPromptView), (status = 400)))]
async fn change(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(body): JsonBody<SystemPromptBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let before = stored(&mut *tx.conn()).await?;
    let after = SystemPromptView {
        enabled: body.enabled.unwrap_or(before.enabled),
        prompt: body.prompt.unwrap_or(before.prompt),
    };
    sqlx::query!(
        "insert into setting (key, value) values ('systemPrompt', $1)
         on conflict (key) do update set value = excluded.value",
        json!(after),
    )
    .execute(&mut *tx.conn())
    .await?;
    // the text may hold what is not for everybody who reads the audit log; the hash tells two texts apart
    let details = json!({
        "enabled": after.enabled,
        "length": after.prompt.chars().count(),
        "sha256": fingerprint(&after.prompt),
    });
    let audit = Audit::of("settings.systemPrompt.updated").details(details);
    Ok(wait.answer(StatusCode::OK, tx.commit(audit, after).await?).await)
}

async fn stored(executor: impl PgExecutor<'_>) -> Result<SystemPromptView, sqlx::Error> {
    let value = sqlx::query_scalar!("select value from setting where key = 'systemPrompt'")
        .fetch_optional(executor)
        .await?;
    Ok(value
        .and_then(|value| serde_json::from_value(value).ok())
        .unwrap_or_default())
}

fn fingerprint(prompt: &str) -> String {
    let digest = Sha256::digest(prompt.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

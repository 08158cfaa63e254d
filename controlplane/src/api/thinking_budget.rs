//! How much models may think, over what clients ask for.
//!
//! `GET PUT PATCH /api/settings/thinking-budget`

use axum::{Json, extract::State, http::StatusCode, response::Response};
use proto::validate::{EFFORT_LEVELS, MAX_THINKING_BUDGET, THINKING_MODES};
use serde::{Deserialize, Serialize};
use serde_json::json;
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(default, rename_all = "camelCase")]
struct ThinkingBudgetView {
    mode: String,
    custom_budget: u32,
    effort_level: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ThinkingBudgetBody {
    /// `passthrough`: as clients say. `auto`: as providers do by themselves. `custom`: `customBudget`. `adaptive`:
    /// by `effortLevel`, and more for requests that look harder.
    mode: Option<String>,
    /// Tokens, 0 to 131072; 0 is no thinking.
    #[schema(value_type = Option<u32>)]
    custom_budget: Option<Tokens>,
    /// `none`, `low`, `medium`, `high`
    effort_level: Option<String>,
}

/// A number, or a text that is one.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Written")]
struct Tokens(u32);

#[derive(Deserialize)]
#[serde(untagged, expecting = "must be a whole number")]
enum Written {
    Number(u32),
    Text(String),
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(read, change))
}

// === impl ThinkingBudgetView ===

impl Default for ThinkingBudgetView {
    fn default() -> Self {
        Self {
            mode: "passthrough".to_owned(),
            custom_budget: 10_240,
            effort_level: "medium".to_owned(),
        }
    }
}

// === impl ThinkingBudgetBody ===

impl Body for ThinkingBudgetBody {
    fn check(&self, violations: &mut Violations) {
        if let Some(mode) = &self.mode {
            violations.one_of("mode", mode, &THINKING_MODES);
        }
        if let Some(Tokens(budget)) = self.custom_budget {
            violations.range("customBudget", budget, 0..=MAX_THINKING_BUDGET);
        }
        if let Some(level) = &self.effort_level {
            violations.one_of("effortLevel", level, &EFFORT_LEVELS);
        }
        if self.mode.is_none() && self.custom_budget.is_none() && self.effort_level.is_none() {
            violations.add(
                "",
                "there is nothing to change: send mode, customBudget or effortLevel",
            );
        }
    }
}

// === impl Tokens ===

impl TryFrom<Written> for Tokens {
    type Error = std::num::ParseIntError;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        match written {
            Written::Number(number) => Ok(Self(number)),
            Written::Text(text) => text.trim().parse().map(Self),
        }
    }
}

/// The limit on thinking.
#[utoipa::path(get, path = "/api/settings/thinking-budget", tag = "settings",
    responses((status = 200, body = ThinkingBudgetView)))]
async fn read(State(ctx): State<Ctx>, _: Reader) -> Result<Json<ThinkingBudgetView>, ApiError> {
    Ok(Json(stored(ctx.db.pool()).await?))
}

/// Changes what the body names.
#[utoipa::path(method(put, patch), path = "/api/settings/thinking-budget", tag = "settings",
    request_body = ThinkingBudgetBody, params(WaitQuery),
    responses((status = 200, body = ThinkingBudgetView), (status = 400)))]
async fn change(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(body): JsonBody<ThinkingBudgetBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let before = stored(&mut *tx.conn()).await?;
    let after = ThinkingBudgetView {
        mode: body.mode.unwrap_or_else(|| before.mode.clone()),
        custom_budget: body
            .custom_budget
            .map_or(before.custom_budget, |Tokens(budget)| budget),
        effort_level: body.effort_level.unwrap_or_else(|| before.effort_level.clone()),
    };
    sqlx::query!(
        "insert into setting (key, value) values ('thinkingBudget', $1)
         on conflict (key) do update set value = excluded.value",
        json!(after),
    )
    .execute(&mut *tx.conn())
    .await?;
    let audit = Audit::of("settings.thinkingBudget.updated").details(json!({ "from": before, "to": after }));
    Ok(wait.answer(StatusCode::OK, tx.commit(audit, after).await?).await)
}

async fn stored(executor: impl PgExecutor<'_>) -> Result<ThinkingBudgetView, sqlx::Error> {
    let value = sqlx::query_scalar!("select value from setting where key = 'thinkingBudget'")
        .fetch_optional(executor)
        .await?;
    Ok(value
        .and_then(|value| serde_json::from_value(value).ok())
        .unwrap_or_default())
}

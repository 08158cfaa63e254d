//! Whether the members of a combo answer.
//!
//! `POST /api/combos/test`
//!
//! Data planes make the calls, for only they are where requests are: with their accounts, past API keys, cache and
//! accounting.

use std::time::{Duration, Instant};

use axum::{Json, extract::State};
use futures::{StreamExt, stream};
use proto::v1::{Probe, Probed, probed};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgPool;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::Ctx,
    combo_config::{Cascade, ComboConfig, ComboDefaults},
    db::{Audit, Outcome},
    error::ApiError,
    http::{Body, Json as JsonBody, Operator, Stamp, Violations},
    publish::AskError,
};

const WHAT: &str = "combo";
/// Members at a time.
const AT_ONCE: usize = 4;
/// While no `healthCheckTimeoutMs` says how long.
const PROBE_TIMEOUT: Duration = Duration::from_secs(15);
/// For a data plane to tell of its probe, beyond the time of the probe.
const ANSWER: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ComboTestBody)]
struct TestBody {
    combo_name: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ComboTestView)]
struct TestView {
    combo_name: String,
    strategy: String,
    /// The first member that answers.
    resolved_by: Option<String>,
    /// In the order of the members.
    results: Vec<ResultView>,
    tested_at: Stamp,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ComboTestResult)]
struct ResultView {
    model: String,
    /// `ok` or `error`.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    latency_ms: u32,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(test))
}

// === impl TestBody ===

impl Body for TestBody {
    const REQUIRED: &'static [&'static str] = &["comboName"];

    fn check(&self, violations: &mut Violations) {
        violations.length("comboName", &self.combo_name, 1..=100);
    }
}

// === impl ResultView ===

impl ResultView {
    fn of(model: String, answer: probed::Answer) -> Self {
        Self {
            model,
            status: if answer.ok { "ok" } else { "error" },
            status_code: Some(answer.http_status).filter(|status| *status > 0),
            error: Some(answer.error).filter(|error| !error.is_empty()),
            latency_ms: answer.latency_ms,
        }
    }

    fn failed(model: String, error: &AskError, after: Duration) -> Self {
        Self {
            model,
            status: "error",
            status_code: None,
            error: Some(error.to_string()),
            latency_ms: u32::try_from(after.as_millis()).unwrap_or(u32::MAX),
        }
    }

    fn is_ok(&self) -> bool {
        self.status == "ok"
    }
}

/// Sends every member of a combo a tiny request.
#[utoipa::path(post, path = "/api/combos/test", tag = "combos", request_body = TestBody,
    responses((status = 200, body = TestView), (status = 400), (status = 404), (status = 503)))]
async fn test(
    State(ctx): State<Ctx>,
    operator: Operator,
    JsonBody(body): JsonBody<TestBody>,
) -> Result<Json<TestView>, ApiError> {
    let combo = sqlx::query!(
        r#"select c.id, c.strategy, c.config, array(select m.model from combo_member m where m.combo_id = c.id
                                          order by m.position) as "models!"
           from combo c where c.name = $1"#,
        body.combo_name,
    )
    .fetch_optional(ctx.db.pool())
    .await?
    .ok_or_else(|| ApiError::not_found(WHAT, &body.combo_name))?;
    if combo.models.is_empty() {
        return Err(ApiError::invalid("comboName", "names a combo without members"));
    }

    let patience = patience(ctx.db.pool(), combo.config, &combo.models).await?;
    let probes = combo.models.into_iter().map(|model| probe(&ctx, model, patience));
    let results: Vec<Result<ResultView, AskError>> = stream::iter(probes).buffered(AT_ONCE).collect().await;
    let results: Vec<ResultView> = results.into_iter().collect::<Result<_, _>>()?;
    let resolved_by = results
        .iter()
        .find(|result| result.is_ok())
        .map(|result| result.model.clone());

    let answering = results.iter().filter(|result| result.is_ok()).count();
    let outcome = if resolved_by.is_some() {
        Outcome::Success
    } else {
        Outcome::Failed
    };
    let audit = Audit::of("combo.tested")
        .target(WHAT, combo.id)
        .outcome(outcome)
        .details(json!({ "name": body.combo_name, "members": results.len(), "answering": answering }));
    ctx.db.record(&operator.origin, audit).await?;
    Ok(Json(TestView {
        combo_name: body.combo_name,
        strategy: combo.strategy,
        resolved_by,
        results,
        tested_at: Stamp::now(),
    }))
}

/// That nobody is there to ask is about the whole test, everything else about this member.
async fn probe(ctx: &Ctx, model: String, patience: Duration) -> Result<ResultView, AskError> {
    let started = Instant::now();
    let question = Probe {
        models: vec![model.clone()],
        timeout_ms: u32::try_from(patience.as_millis()).unwrap_or(u32::MAX),
    };
    match ctx.fleet.probe(question, patience + ANSWER).await {
        Ok(Probed { answers }) => {
            let answer = answers.into_iter().next().unwrap_or_default();
            Ok(ResultView::of(model, answer))
        }
        Err(error @ (AskError::Nobody | AskError::Database)) => Err(error),
        Err(error) => Ok(ResultView::failed(model, &error, started.elapsed())),
    }
}

/// How long a member may take. Configuration that cannot be read says nothing.
async fn patience(pool: &PgPool, own: Value, members: &[String]) -> Result<Duration, sqlx::Error> {
    let mut cascade = Cascade::default();
    let settings =
        sqlx::query!("select key, value from setting where key in ('comboDefaults', 'providerOverrides')")
            .fetch_all(pool)
            .await?;
    for row in settings {
        match row.key.as_str() {
            "comboDefaults" => {
                let defaults = ComboDefaults::from_stored(&row.value);
                cascade.defaults = defaults.unwrap_or_default().config;
            }
            _ => cascade.overrides = serde_json::from_value(row.value).unwrap_or_default(),
        }
    }
    let nodes = sqlx::query!("select prefix, id from provider_node")
        .fetch_all(pool)
        .await?;
    cascade.prefixes = nodes.into_iter().map(|row| (row.prefix, row.id)).collect();
    let own: ComboConfig = serde_json::from_value(own).unwrap_or_default();
    let said = cascade.over(own, members.iter().map(String::as_str));
    let millis = said.health_check_timeout_ms.map(u64::from);
    Ok(millis.map_or(PROBE_TIMEOUT, Duration::from_millis))
}

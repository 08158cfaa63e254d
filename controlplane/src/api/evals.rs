//! Suites of questions, and how well models answer them.
//!
//! `GET POST /api/evals` · `GET PUT DELETE /api/evals/{suiteId}` · `GET DELETE /api/evals/runs/{runId}`
//!
//! Answers come with the request, or a data plane asks for them as it asks for anything: with the gateway's accounts,
//! past API keys, budgets and caches. A run is a row from its first moment, so that any replica can tell how far it is.

mod grade;
mod run;
mod suite;
mod view;

use std::{collections::HashMap, time::Duration};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::{
    run::{Answers, Plan, Target},
    suite::Suite,
    view::RunView,
};
use crate::{
    api::Ctx,
    db::Audit,
    error::ApiError,
    http::{Body, Json as JsonBody, Operator, Query, Reader, Violations, Wait, WaitQuery, uuid_or_missing},
};

const WHAT: &str = "suite";
const RUN: &str = "run";
const ID_CHARS: usize = 100;
const MODEL_CHARS: usize = 300;
const OUTPUT_CHARS: usize = 200_000;
/// How long a client waits for a run before it is told to come back.
const INLINE: Duration = Duration::from_secs(120);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `full`: with the answers that are expected, the last runs, and what can be asked.
    view: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RunQuery {
    /// Answer at once with the id of the run.
    #[serde(default)]
    r#async: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = EvalRunBody)]
struct RunBody {
    suite_id: String,
    /// Answers by id of the case. Without them, the cases are asked.
    outputs: Option<HashMap<String, String>>,
    /// Who is asked; without it, the model that each case names.
    target: Option<Target>,
    /// Who is asked beside it.
    compare_target: Option<Target>,
    /// Ask with the rights of this API key. Nothing is charged to it.
    api_key_id: Option<String>,
    /// The model that grades the cases whose strategy is `judge`.
    judge: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EvalRunStarted)]
struct Started {
    run_id: Uuid,
    /// Of the target to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    compare_run_id: Option<Uuid>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EvalRunCancelled)]
struct Cancelled {
    success: bool,
    /// Was running until now.
    cancelled: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EvalSuiteDeleted)]
struct Deleted {
    success: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = EvalSuites)]
enum Suites {
    List(Vec<suite::SuiteView>),
    Full(FullView),
}

/// With `view=full`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EvalOverview)]
struct FullView {
    suites: Vec<suite::SuiteView>,
    recent_runs: Vec<view::RunView>,
    /// The last run of each suite with each target.
    scorecard: Vec<view::Score>,
    /// What a suite can be run with.
    targets: Vec<view::TargetView>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list, start))
        .routes(routes!(read, write, delete))
        .routes(routes!(read_run, cancel))
}

// === impl RunBody ===

impl Body for RunBody {
    const REQUIRED: &'static [&'static str] = &["suiteId"];

    fn check(&self, violations: &mut Violations) {
        violations.length("suiteId", &self.suite_id, 1..=ID_CHARS);
        if self.outputs.is_some() && (self.target.is_some() || self.compare_target.is_some()) {
            violations.add("outputs", "leave nobody to ask: send outputs or a target");
        }
        for (id, output) in self.outputs.iter().flatten() {
            violations.length(&format!("outputs.{id}"), output, 0..=OUTPUT_CHARS);
        }
        for (field, target) in [("target", &self.target), ("compareTarget", &self.compare_target)] {
            if let Some(target) = target {
                target.check(field, violations);
            }
        }
        if let Some(judge) = &self.judge {
            violations.length("judge", judge, 1..=MODEL_CHARS);
        }
    }
}

/// The suites, without the answers that are expected.
#[utoipa::path(get, path = "/api/evals", tag = "evals", params(ListQuery),
    responses((status = 200, body = Suites), (status = 400)))]
async fn list(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<ListQuery>,
) -> Result<Json<Suites>, ApiError> {
    let suites = suite::all(ctx.db.pool()).await?;
    match query.view.as_deref() {
        None => {
            let suites: Vec<_> = suites.into_iter().map(Suite::without_answers).collect();
            Ok(Json(Suites::List(suites)))
        }
        Some("full") => {
            let suites: Vec<_> = suites.into_iter().map(Suite::view).collect();
            Ok(Json(Suites::Full(FullView {
                suites,
                recent_runs: view::recent(ctx.db.pool()).await?,
                scorecard: view::scorecard(ctx.db.pool()).await?,
                targets: view::targets(ctx.db.pool()).await?,
            })))
        }
        Some(_) => Err(ApiError::invalid("view", "must be `full`")),
    }
}

/// Runs a suite, over answers that are sent or that are asked for.
#[utoipa::path(post, path = "/api/evals", tag = "evals", request_body = RunBody, params(RunQuery),
    responses((status = 200, body = RunView), (status = 202, body = Started), (status = 400), (status = 404),
        (status = 503)))]
async fn start(
    State(ctx): State<Ctx>,
    operator: Operator,
    Query(query): Query<RunQuery>,
    JsonBody(body): JsonBody<RunBody>,
) -> Result<Response, ApiError> {
    let suite = suite::find(ctx.db.pool(), &body.suite_id)
        .await?
        .ok_or_else(|| ApiError::not_found(WHAT, &body.suite_id))?;
    let group = body.compare_target.as_ref().map(|_| Uuid::now_v7());
    let key = api_key(&ctx, body.api_key_id).await?;
    let answers = match body.outputs {
        Some(outputs) => Answers::Given(outputs),
        None => Answers::Asked(run::resolve(&ctx, &suite, body.target.unwrap_or_default(), "target").await?),
    };
    let plan = |answers: Answers| Plan {
        id: Uuid::now_v7(),
        suite: suite.clone(),
        answers,
        group,
        judge: body.judge.clone(),
        api_key_id: key.clone().unwrap_or_default(),
        origin: operator.origin.clone(),
    };
    let first = plan(answers);
    let second = match body.compare_target {
        Some(target) => Some(plan(Answers::Asked(
            run::resolve(&ctx, &suite, target, "compareTarget").await?,
        ))),
        None => None,
    };
    first.check()?;
    let started = Started {
        run_id: first.id,
        compare_run_id: second.as_ref().map(|plan| plan.id),
    };
    let mut running = vec![run::spawn(&ctx, first).await?];
    if let Some(second) = second {
        running.push(run::spawn(&ctx, second).await?);
    }
    if query.r#async {
        return Ok((StatusCode::ACCEPTED, Json(started)).into_response());
    }
    // a client that leaves does not end the run: its row says how far it is
    let until = Instant::now() + INLINE;
    for handle in running {
        match timeout_at(until, handle).await {
            Ok(Ok(outcome)) => outcome?,
            Ok(Err(error)) => return Err(ApiError::internal(error)),
            Err(_) => return Ok((StatusCode::ACCEPTED, Json(started)).into_response()),
        }
    }
    let run = view::find(ctx.db.pool(), started.run_id).await?;
    let mut answer = json!(run);
    if let Some(other) = started.compare_run_id {
        answer["compare"] = json!(view::find(ctx.db.pool(), other).await?);
    }
    Ok(Json(answer).into_response())
}

/// A whole suite.
#[utoipa::path(get, path = "/api/evals/{suiteId}", tag = "evals", params(("suiteId" = String, Path)),
    responses((status = 200, body = suite::SuiteView), (status = 404)))]
async fn read(
    State(ctx): State<Ctx>,
    _: Reader,
    Path(id): Path<String>,
) -> Result<Json<suite::SuiteView>, ApiError> {
    let suite = suite::find(ctx.db.pool(), &id).await?;
    let suite = suite.ok_or_else(|| ApiError::not_found(WHAT, &id))?;
    Ok(Json(suite.view()))
}

/// Makes a suite, or replaces one with all its cases.
#[utoipa::path(put, path = "/api/evals/{suiteId}", tag = "evals", params(("suiteId" = String, Path), WaitQuery),
    request_body = suite::SuiteBody,
    responses((status = 200, body = suite::SuiteView), (status = 201, body = suite::SuiteView), (status = 400)))]
async fn write(
    State(ctx): State<Ctx>,
    operator: Operator,
    Path(id): Path<String>,
    wait: Wait,
    JsonBody(body): JsonBody<suite::SuiteBody>,
) -> Result<Response, ApiError> {
    suite::check_id("suiteId", &id)?;
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let is_new = suite::save(tx.conn(), &id, &body).await?;
    let saved = suite::find_in(tx.conn(), &id).await?;
    let saved = saved.ok_or_else(|| ApiError::not_found(WHAT, &id))?;
    let action = if is_new {
        "eval.suite.created"
    } else {
        "eval.suite.updated"
    };
    let audit = Audit::of(action)
        .target(WHAT, &id)
        .details(json!({ "cases": saved.cases.len() }));
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(wait.answer(status, tx.commit(audit, saved.view()).await?).await)
}

/// Removes a suite of one's own. What it found out stays.
#[utoipa::path(delete, path = "/api/evals/{suiteId}", tag = "evals", params(("suiteId" = String, Path), WaitQuery),
    responses((status = 200, body = Deleted), (status = 404), (status = 409)))]
async fn delete(
    State(ctx): State<Ctx>,
    operator: Operator,
    Path(id): Path<String>,
    wait: Wait,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    match suite::delete(tx.conn(), &id).await? {
        None => return Err(ApiError::not_found(WHAT, &id)),
        Some(false) => return Err(ApiError::conflict("the suites that come with the gateway stay")),
        Some(true) => {}
    }
    let audit = Audit::of("eval.suite.deleted").target(WHAT, &id);
    let committed = tx.commit(audit, Deleted { success: true }).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// How far a run is, and what it found so far.
#[utoipa::path(get, path = "/api/evals/runs/{runId}", tag = "evals", params(("runId" = String, Path)),
    responses((status = 200, body = RunView), (status = 404)))]
async fn read_run(
    State(ctx): State<Ctx>,
    _: Reader,
    Path(id): Path<String>,
) -> Result<Json<RunView>, ApiError> {
    let uuid = uuid_or_missing(RUN, &id)?;
    let run = view::find(ctx.db.pool(), uuid).await?;
    run.map(Json).ok_or_else(|| ApiError::not_found(RUN, &id))
}

/// Ends a run, wherever it is carried out, after the cases that are being asked.
#[utoipa::path(delete, path = "/api/evals/runs/{runId}", tag = "evals", params(("runId" = String, Path)),
    responses((status = 200, body = Cancelled), (status = 404)))]
async fn cancel(
    State(ctx): State<Ctx>,
    operator: Operator,
    Path(id): Path<String>,
) -> Result<Json<Cancelled>, ApiError> {
    let uuid = uuid_or_missing(RUN, &id)?;
    let cancelled = run::cancel(ctx.db.pool(), uuid).await?;
    if cancelled {
        let audit = Audit::of("eval.run.cancelled").target(RUN, uuid);
        ctx.db.record(&operator.origin, audit).await?;
    } else if view::find(ctx.db.pool(), uuid).await?.is_none() {
        return Err(ApiError::not_found(RUN, &id));
    }
    Ok(Json(Cancelled {
        success: true,
        cancelled,
    }))
}

async fn api_key(ctx: &Ctx, id: Option<String>) -> Result<Option<String>, ApiError> {
    const KEY: &str = "API key";
    let Some(id) = id else { return Ok(None) };
    let uuid = uuid_or_missing(KEY, &id)?;
    let found = sqlx::query_scalar!("select id from api_key where id = $1", uuid)
        .fetch_optional(ctx.db.pool())
        .await?;
    found
        .map(|id| Some(id.to_string()))
        .ok_or_else(|| ApiError::not_found(KEY, id))
}

/// An object with what is not null.
fn compact(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let entries = entries.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(
        entries
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<Map<_, _>>(),
    )
}

//! Carrying out a run.
//!
//! Cases are asked a few at a time, each through whatever data plane is least busy. What is found is written down case
//! by case; whoever finds then that the run was cancelled asks for no more.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use llm::Dialect;
use proto::v1::Ask;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::task::JoinHandle;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    MODEL_CHARS, RUN, compact,
    grade::{self, Verdict},
    suite::{Case, Suite},
};
use crate::{
    api::Ctx,
    db::{Audit, Origin},
    error::ApiError,
    http::Violations,
};

/// Cases at a time.
const AT_ONCE: usize = 4;
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// For a data plane to tell of it.
const SLACK: Duration = Duration::from_secs(5);
/// Of an answer that is kept.
const KEPT_CHARS: usize = 4_000;

const TARGETS: [&str; 3] = ["suite-default", "model", "combo"];

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EvalTarget)]
pub struct Target {
    /// `suite-default`: the model that each case names; `model`; or `combo`.
    r#type: String,
    /// A model as clients write it, or id or name of a combo.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// Where answers come from.
pub enum Answers {
    Given(HashMap<String, String>),
    Asked(Asked),
}

/// Whom the cases are put to.
pub struct Asked {
    target: Target,
    /// Absent: the model that each case names.
    model: Option<String>,
}

pub struct Plan {
    pub id: Uuid,
    pub suite: Suite,
    pub answers: Answers,
    pub group: Option<Uuid>,
    pub judge: Option<String>,
    /// Empty for none.
    pub api_key_id: String,
    pub origin: Origin,
}

/// What came of a case.
struct Outcome {
    passed: bool,
    details: Value,
    error: Option<String>,
}

// === impl Target ===

impl Default for Target {
    fn default() -> Self {
        Self {
            r#type: TARGETS[0].to_owned(),
            id: None,
        }
    }
}

impl Target {
    pub fn check(&self, field: &str, violations: &mut Violations) {
        violations.one_of(&format!("{field}.type"), &self.r#type, &TARGETS);
        let field = format!("{field}.id");
        match &self.id {
            None if self.r#type != TARGETS[0] => violations.add(field, "is required"),
            Some(id) => violations.length(&field, id, 1..=MODEL_CHARS),
            None => {}
        }
    }
}

/// Whom a target stands for.
pub async fn resolve(ctx: &Ctx, suite: &Suite, target: Target, field: &str) -> Result<Asked, ApiError> {
    let model = match (target.r#type.as_str(), target.id.as_deref()) {
        ("model", Some(model)) => Some(model.to_owned()),
        ("combo", Some(id)) => {
            let uuid = Uuid::parse_str(id).ok();
            let name = sqlx::query_scalar!("select name from combo where id = $1 or name = $2", uuid, id)
                .fetch_optional(ctx.db.pool())
                .await?;
            Some(name.ok_or_else(|| ApiError::not_found("combo", id))?)
        }
        _ => {
            if suite.cases.iter().any(|case| case.model.is_none()) {
                let text = "is required: there are cases in this suite that name no model";
                return Err(ApiError::invalid(field, text));
            }
            None
        }
    };
    Ok(Asked { target, model })
}

// === impl Plan ===

impl Plan {
    /// A run that cannot judge is refused before it is started.
    pub fn check(&self) -> Result<(), ApiError> {
        let judged = |case: &Case| {
            let expected = case.expected.as_ref();
            expected.is_some_and(|expected| expected.strategy == "judge")
        };
        match self.judge.is_none() && self.suite.cases.iter().any(judged) {
            true => Err(ApiError::invalid(
                "judge",
                "is required: there are cases in this suite for a judge",
            )),
            false => Ok(()),
        }
    }

    fn target(&self) -> Value {
        match &self.answers {
            Answers::Given(_) => json!({ "type": "outputs" }),
            Answers::Asked(asked) => json!(asked.target),
        }
    }

    async fn outcome(&self, ctx: &Ctx, case: &Case) -> Result<Outcome, ApiError> {
        let answer = match &self.answers {
            Answers::Given(outputs) => Ok(outputs.get(&case.id).cloned().unwrap_or_default()),
            Answers::Asked(asked) => {
                let model = asked
                    .model
                    .as_deref()
                    .or(case.model.as_deref())
                    .unwrap_or_default();
                let mut body = json!({ "messages": case.input.messages });
                if let Some(max_tokens) = case.input.max_tokens {
                    body["max_tokens"] = max_tokens.into();
                }
                self.ask(ctx, model, body).await?
            }
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Ok(Outcome::failed(error)),
        };
        let Some(expected) = &case.expected else {
            return Ok(Outcome::failed("nothing is expected".to_owned()));
        };
        let verdict = match grade::grade(expected, &answer) {
            Ok(Verdict::Passed(passed)) => Ok(passed),
            Ok(Verdict::Judge) => {
                let judge = self.judge.as_deref().unwrap_or_default();
                let body = json!({ "messages": grade::question(&expected.value, &answer) });
                let reply = self.ask(ctx, judge, body).await?;
                reply.and_then(|reply| grade::ruling(&reply))
            }
            Err(problem) => Err(problem),
        };
        let kept: String = answer.chars().take(KEPT_CHARS).collect();
        Ok(Outcome {
            passed: verdict.as_ref().is_ok_and(|passed| *passed),
            details: json!({ "strategy": expected.strategy, "expected": expected.value, "actual": kept }),
            error: verdict.err(),
        })
    }

    /// The text of an answer. That nobody is there to ask ends the run; everything else is about this case.
    async fn ask(&self, ctx: &Ctx, model: &str, mut body: Value) -> Result<Result<String, String>, ApiError> {
        use crate::publish::AskError;
        body["model"] = model.into();
        let question = Ask {
            dialect: Dialect::OpenAiChat.name().to_owned(),
            model: model.to_owned(),
            body: body.to_string().into(),
            timeout_ms: u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX),
            api_key_id: self.api_key_id.clone(),
        };
        let asked = match ctx.fleet.question(question, PATIENCE + SLACK).await {
            Ok(asked) => asked,
            Err(error @ (AskError::Nobody | AskError::Database)) => return Err(error.into()),
            Err(error) => return Ok(Err(error.to_string())),
        };
        if !asked.ok {
            return Ok(Err(asked.error));
        }
        let reply: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let text = reply["choices"][0]["message"]["content"].as_str();
        Ok(text
            .map(str::to_owned)
            .ok_or_else(|| "the answer has no text".to_owned()))
    }
}

// === impl Outcome ===

impl Outcome {
    fn failed(error: String) -> Self {
        Self {
            passed: false,
            details: json!({}),
            error: Some(error),
        }
    }

    fn result(self, case: &Case, took: Duration) -> Value {
        compact([
            ("caseId", case.id.clone().into()),
            ("caseName", case.name.clone().into()),
            ("passed", self.passed.into()),
            (
                "durationMs",
                u64::try_from(took.as_millis()).unwrap_or(u64::MAX).into(),
            ),
            ("details", self.details),
            ("error", self.error.into()),
        ])
    }
}

/// Writes the run down and starts it. The handle ends with the run.
pub async fn spawn(ctx: &Ctx, plan: Plan) -> Result<JoinHandle<Result<(), ApiError>>, ApiError> {
    sqlx::query!(
        "insert into eval_run (id, suite_id, suite_name, target, group_id, actor, total)
         values ($1, $2, $3, $4, $5, $6, $7)",
        plan.id,
        plan.suite.id,
        plan.suite.name,
        plan.target(),
        plan.group,
        plan.origin.actor.to_string(),
        i32::try_from(plan.suite.cases.len()).unwrap_or(i32::MAX),
    )
    .execute(ctx.db.pool())
    .await?;
    let ctx = ctx.clone();
    Ok(tokio::spawn(async move {
        let drain = ctx.drain.clone();
        let outcome = drain.run_until_cancelled(carry_out(&ctx, &plan)).await;
        match outcome {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => {
                // nobody is left to ask: what was found stays, and the run is over
                cancel(ctx.db.pool(), plan.id).await?;
                Err(error)
            }
            None => {
                cancel(ctx.db.pool(), plan.id).await?;
                Err(ApiError::Draining)
            }
        }
    }))
}

async fn carry_out(ctx: &Ctx, plan: &Plan) -> Result<(), ApiError> {
    let cases = plan.suite.cases.iter().enumerate();
    let cases: Vec<_> = cases
        .map(|(position, case)| put(ctx, plan, position, case))
        .collect();
    let mut running = stream::iter(cases).buffer_unordered(AT_ONCE);
    let mut found: Vec<(usize, Value)> = Vec::new();
    while let Some(ended) = running.next().await {
        found.push(ended?);
        found.sort_by_key(|(position, _)| *position);
        let results: Vec<&Value> = found.iter().map(|(_, result)| result).collect();
        if !write(ctx.db.pool(), plan, &results).await? {
            return Ok(());
        }
    }
    let summary = sqlx::query!(
        "update eval_run set finished_at = now() where id = $1 and cancelled_at is null
         returning total, passed, failed, pass_rate",
        plan.id
    )
    .fetch_optional(ctx.db.pool())
    .await?;
    if let Some(summary) = summary {
        let details = json!({
            "suiteId": plan.suite.id, "target": plan.target(), "total": summary.total, "passed": summary.passed,
            "failed": summary.failed, "passRate": summary.pass_rate,
        });
        let audit = Audit::of("eval.run").target(RUN, plan.id).details(details);
        ctx.db.record(&plan.origin, audit).await?;
    }
    Ok(())
}

/// One case: its position, and what is written down of it.
async fn put(ctx: &Ctx, plan: &Plan, position: usize, case: &Case) -> Result<(usize, Value), ApiError> {
    let began = Instant::now();
    let outcome = plan.outcome(ctx, case).await?;
    Ok((position, outcome.result(case, began.elapsed())))
}

/// Whether the run goes on.
async fn write(pool: &PgPool, plan: &Plan, results: &[&Value]) -> Result<bool, sqlx::Error> {
    let passed = results.iter().filter(|result| result["passed"] == true).count();
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let cases = plan.suite.cases.len().max(1);
    let rate = (passed * 200 + cases) / (cases * 2);
    let written = sqlx::query!(
        "update eval_run set results = $2, passed = $3, failed = $4, pass_rate = $5, touched_at = now()
         where id = $1 and cancelled_at is null",
        plan.id,
        json!(results),
        number(passed),
        number(results.len() - passed),
        number(rate),
    )
    .execute(pool)
    .await?;
    Ok(written.rows_affected() > 0)
}

/// Whether it was running until now.
pub async fn cancel(pool: &PgPool, id: Uuid) -> Result<bool, sqlx::Error> {
    let cancelled = sqlx::query!(
        "update eval_run set cancelled_at = now() where id = $1 and finished_at is null and cancelled_at is null",
        id
    )
    .execute(pool)
    .await?;
    Ok(cancelled.rows_affected() > 0)
}

//! Budgets of API keys: what each may spend in a day, a week and a month.
//!
//! `GET POST PUT DELETE /api/usage/budget`
//!
//! Periods are those of `settings.budgetTimezone`. What was spent is what the ledger says; data planes enforce the
//! limits by counters in the state store, which are never below it for long.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::Utc;
use runtime::period::Calendar;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::PgExecutor;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    api::Ctx,
    db::Audit,
    error::ApiError,
    http::{
        AdminOrKey, Body, Json as JsonBody, Patch, Query, Reader, Stamp, Violations, Wait, WaitQuery,
        uuid_or_missing,
    },
    spending::{Periods, Spent, raise, spent},
};

const WHAT: &str = "API key";
const MAX_USD: f64 = 1_000_000.0;
const NANO: f64 = 1e9;
const PERIODS: [&str; 3] = ["daily", "weekly", "monthly"];
const DEFAULT_WARNING: f64 = 0.8;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
struct BudgetQuery {
    /// One key; without it, all that have a budget.
    api_key_id: Option<String>,
    /// The same as `apiKeyId`.
    key_id: Option<String>,
    /// With `true`, also keys without a budget.
    all: Option<bool>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
struct KeyQuery {
    api_key_id: Option<String>,
    /// The same as `apiKeyId`.
    key_id: Option<String>,
}

/// Names a key once, as `apiKeyId` or `keyId`, and at least one limit: by its own name, or as `limit` of a `period`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = BudgetSet)]
struct BudgetBody {
    api_key_id: Option<String>,
    key_id: Option<String>,
    /// USD. `null` removes the limit; what is absent stays.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    daily_limit_usd: Patch<f64>,
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    weekly_limit_usd: Patch<f64>,
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    monthly_limit_usd: Patch<f64>,
    /// USD, for `period`.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    limit: Patch<f64>,
    /// `daily`, `weekly`, `monthly`
    period: Option<String>,
    /// From which part on clients are warned: 0 to 1, or percent above 1.
    warning_threshold: Option<f64>,
}

/// USD; 0 where there is no limit.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LimitsView {
    daily_limit_usd: f64,
    weekly_limit_usd: f64,
    monthly_limit_usd: f64,
    /// 0 to 1.
    warning_threshold: f64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BudgetCheck)]
struct CheckView {
    allowed: bool,
    /// Why not, as clients read it.
    reason: Option<String>,
    daily_used: f64,
    daily_limit: f64,
    warning_reached: bool,
}

/// Amounts are USD. The last five fields are about the limit that is met first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BudgetStatus {
    api_key_id: Uuid,
    api_key_name: String,
    daily_total: f64,
    weekly_total: f64,
    monthly_total: f64,
    /// Requests that reached a provider, in the longest of the periods.
    total_entries: i64,
    budget: LimitsView,
    budget_check: CheckView,
    limit: Option<f64>,
    period: Option<&'static str>,
    used: Option<f64>,
    remaining: Option<f64>,
    reset_at: Option<Stamp>,
}

#[derive(Debug, Serialize, ToSchema)]
struct BudgetList {
    budgets: Vec<BudgetStatus>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BudgetRemoved)]
struct Removed {
    removed: bool,
}

#[derive(Clone, Debug)]
struct Row {
    key_id: Uuid,
    key_name: String,
    daily_limit_nano: Option<i64>,
    weekly_limit_nano: Option<i64>,
    monthly_limit_nano: Option<i64>,
    warning_threshold: Option<f64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = BudgetAnswer)]
enum Answer {
    List(BudgetList),
    One(Box<BudgetStatus>),
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(read, set, remove))
}

// === impl BudgetBody ===

impl Body for BudgetBody {
    fn check(&self, violations: &mut Violations) {
        match (&self.api_key_id, &self.key_id) {
            (Some(_), Some(_)) => violations.add("keyId", "must not be there beside apiKeyId"),
            (None, None) => violations.add("apiKeyId", "must name an API key"),
            _ => {}
        }
        let limits = [
            ("dailyLimitUsd", &self.daily_limit_usd),
            ("weeklyLimitUsd", &self.weekly_limit_usd),
            ("monthlyLimitUsd", &self.monthly_limit_usd),
            ("limit", &self.limit),
        ];
        if limits.iter().all(|(_, limit)| limit.is_keep()) {
            violations.add("", "must name at least one limit");
        }
        for (field, limit) in limits {
            if let Some(usd) = limit.set()
                && !(nano(*usd) > 0 && *usd <= MAX_USD)
            {
                violations.add(field, "must be more than 0 and at most 1000000 USD");
            }
        }
        match (&self.period, self.limit.is_keep()) {
            (Some(period), false) => violations.one_of("period", period, &PERIODS),
            (Some(_), true) => violations.add("limit", "must be there beside period"),
            (None, false) => violations.add("period", "must be there beside limit"),
            (None, true) => {}
        }
        if let Some(threshold) = self.warning_threshold {
            violations.range("warningThreshold", threshold, 0.0..=100.0);
        }
    }
}

impl BudgetBody {
    fn key(&self) -> &str {
        let named = self.api_key_id.as_deref().or(self.key_id.as_deref());
        named.unwrap_or_default()
    }

    fn over(&self, before: &Row) -> Row {
        let limit = |calendar: Calendar, own: Patch<f64>, before: Option<i64>| {
            let named = self.period.as_deref() == Some(calendar.name());
            let patch = if named { self.limit } else { own };
            match patch {
                Patch::Keep => before,
                Patch::Clear => None,
                Patch::Set(usd) => Some(nano(usd)),
            }
        };
        Row {
            daily_limit_nano: limit(Calendar::Daily, self.daily_limit_usd, before.daily_limit_nano),
            weekly_limit_nano: limit(Calendar::Weekly, self.weekly_limit_usd, before.weekly_limit_nano),
            monthly_limit_nano: limit(
                Calendar::Monthly,
                self.monthly_limit_usd,
                before.monthly_limit_nano,
            ),
            // the page of the first version sent percent
            warning_threshold: self
                .warning_threshold
                .map(|part| if part > 1.0 { part / 100.0 } else { part })
                .or(before.warning_threshold),
            ..before.clone()
        }
    }
}

// === impl Row ===

impl Row {
    fn limits(&self) -> [(Calendar, Option<i64>); 3] {
        [
            (Calendar::Daily, self.daily_limit_nano),
            (Calendar::Weekly, self.weekly_limit_nano),
            (Calendar::Monthly, self.monthly_limit_nano),
        ]
    }

    fn has_limit(&self) -> bool {
        self.limits().iter().any(|(_, limit)| limit.is_some())
    }

    fn view(&self) -> LimitsView {
        let limit = |nano: Option<i64>| nano.map_or(0.0, usd);
        LimitsView {
            daily_limit_usd: limit(self.daily_limit_nano),
            weekly_limit_usd: limit(self.weekly_limit_nano),
            monthly_limit_usd: limit(self.monthly_limit_nano),
            warning_threshold: self.warning_threshold.unwrap_or(DEFAULT_WARNING),
        }
    }

    fn status(self, spent: &Spent, periods: &Periods) -> BudgetStatus {
        let limits = self.limits();
        let used = |calendar: Calendar| spent.of(calendar);
        let over = limits
            .iter()
            .find(|(calendar, limit)| limit.is_some_and(|limit| used(*calendar) >= limit));
        let reason = over.map(|(calendar, limit)| {
            format!(
                "{} budget exceeded: {} / {}",
                capitalised(calendar.name()),
                llm::pricing::usd(used(*calendar).unsigned_abs(), 4),
                llm::pricing::usd(limit.unwrap_or_default().unsigned_abs(), 2)
            )
        });
        let view = self.view();
        let warning = |(calendar, limit): &(Calendar, Option<i64>)| {
            limit.is_some_and(|limit| used(*calendar) as f64 >= limit as f64 * view.warning_threshold)
        };
        let tightest = limits
            .iter()
            .filter_map(|(calendar, limit)| Some((*calendar, (*limit)?)))
            .min_by_key(|(calendar, limit)| limit - used(*calendar));
        BudgetStatus {
            api_key_id: self.key_id,
            daily_total: usd(used(Calendar::Daily)),
            weekly_total: usd(used(Calendar::Weekly)),
            monthly_total: usd(used(Calendar::Monthly)),
            total_entries: spent.requests,
            budget: view,
            budget_check: CheckView {
                allowed: reason.is_none(),
                reason,
                daily_used: usd(used(Calendar::Daily)),
                daily_limit: view.daily_limit_usd,
                warning_reached: limits.iter().any(warning),
            },
            limit: tightest.map(|(_, limit)| usd(limit)),
            period: tightest.map(|(calendar, _)| calendar.name()),
            used: tightest.map(|(calendar, _)| usd(used(calendar))),
            remaining: tightest.map(|(calendar, limit)| usd((limit - used(calendar)).max(0))),
            reset_at: tightest.map(|(calendar, _)| Stamp(periods.of(calendar).ends_at)),
            api_key_name: self.key_name,
        }
    }
}

/// How budgets stand: of one key, or as a list.
#[utoipa::path(get, path = "/api/usage/budget", tag = "usage", params(BudgetQuery),
    responses((status = 200, body = Answer), (status = 404)))]
async fn read(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<BudgetQuery>,
) -> Result<Json<Answer>, ApiError> {
    let pool = ctx.db.pool();
    let periods = Periods::load(pool, Utc::now()).await?;
    if let Some(id) = query.api_key_id.or(query.key_id) {
        let row = find(pool, &id).await?;
        let spent = spent(pool, &periods, &[row.key_id]).await?;
        let status = row
            .clone()
            .status(&spent.get(&row.key_id).copied().unwrap_or_default(), &periods);
        return Ok(Json(Answer::One(Box::new(status))));
    }
    let rows = sqlx::query_as!(
        Row,
        r#"select api_key.id as key_id, api_key.name as key_name, daily_limit_nano as "daily_limit_nano?",
                  weekly_limit_nano as "weekly_limit_nano?", monthly_limit_nano as "monthly_limit_nano?",
                  warning_threshold as "warning_threshold?"
           from api_key left join budget on budget.api_key_id = api_key.id
           where $1 or budget.api_key_id is not null
           order by api_key.created_at, api_key.id limit 5000"#,
        query.all.unwrap_or(false),
    )
    .fetch_all(pool)
    .await?;
    let keys: Vec<Uuid> = rows.iter().map(|row| row.key_id).collect();
    let spent = spent(pool, &periods, &keys).await?;
    let status = |row: Row| {
        let of_key = spent.get(&row.key_id).copied().unwrap_or_default();
        row.status(&of_key, &periods)
    };
    Ok(Json(Answer::List(BudgetList {
        budgets: rows.into_iter().map(status).collect(),
    })))
}

/// Sets what the body names of a key's budget.
#[utoipa::path(method(post, put), path = "/api/usage/budget", tag = "usage", request_body = BudgetBody,
    params(WaitQuery),
    responses((status = 200, body = HashMap<String, Value>, description = "the budget, in the form it was sent in"),
        (status = 400), (status = 404)))]
async fn set(
    State(ctx): State<Ctx>,
    admin: AdminOrKey,
    wait: Wait,
    JsonBody(body): JsonBody<BudgetBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&admin.origin).await?;
    let before = find(&mut *tx.conn(), body.key()).await?;
    let after = body.over(&before);
    if !after.has_limit() {
        return Err(ApiError::invalid(
            "",
            "would leave no limit: use DELETE to remove the budget",
        ));
    }
    sqlx::query!(
        "insert into budget (api_key_id, daily_limit_nano, weekly_limit_nano, monthly_limit_nano, warning_threshold)
         values ($1, $2, $3, $4, $5)
         on conflict (api_key_id) do update
         set daily_limit_nano = excluded.daily_limit_nano, weekly_limit_nano = excluded.weekly_limit_nano,
             monthly_limit_nano = excluded.monthly_limit_nano, warning_threshold = excluded.warning_threshold",
        after.key_id,
        after.daily_limit_nano,
        after.weekly_limit_nano,
        after.monthly_limit_nano,
        after.warning_threshold.unwrap_or(DEFAULT_WARNING),
    )
    .execute(tx.conn())
    .await?;
    let audit = Audit::of("budget.set")
        .target("key", after.key_id)
        .details(json!({ "from": before.view(), "to": after.view() }));
    let committed = tx.commit(audit, answer(&body, &after)?).await?;
    // what the key spent before it had a budget counts from its first request on
    let (pool, store) = (ctx.db.pool(), Arc::clone(&ctx.store));
    if let Err(error) = raise(pool, &*store, Some(after.key_id)).await {
        tracing::debug!(%error, "what a key has spent so far counts a little later");
    }
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// Ends a budget: from now on the key may spend what it likes.
#[utoipa::path(delete, path = "/api/usage/budget", tag = "usage", params(KeyQuery, WaitQuery),
    responses((status = 200, body = Removed), (status = 400), (status = 404)))]
async fn remove(
    State(ctx): State<Ctx>,
    admin: AdminOrKey,
    wait: Wait,
    Query(query): Query<KeyQuery>,
) -> Result<Response, ApiError> {
    let Some(id) = query.api_key_id.or(query.key_id) else {
        return Err(ApiError::invalid("apiKeyId", "must name an API key"));
    };
    let mut tx = ctx.db.config_tx(&admin.origin).await?;
    let row = find(&mut *tx.conn(), &id).await?;
    if !row.has_limit() {
        return Ok(Json(Removed { removed: false }).into_response());
    }
    sqlx::query!("delete from budget where api_key_id = $1", row.key_id)
        .execute(tx.conn())
        .await?;
    let audit = Audit::of("budget.removed")
        .target("key", row.key_id)
        .details(json!({ "from": row.view() }));
    let committed = tx.commit(audit, Removed { removed: true }).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// What is set now, and what the body said where it used the short form.
fn answer(body: &BudgetBody, after: &Row) -> Result<Value, ApiError> {
    let mut answer = Map::new();
    answer.insert("success".to_owned(), true.into());
    answer.insert("apiKeyId".to_owned(), json!(after.key_id));
    if let Value::Object(limits) = serde_json::to_value(after.view()).map_err(ApiError::internal)? {
        answer.extend(limits);
    }
    if let Some(period) = &body.period {
        answer.insert("keyId".to_owned(), json!(after.key_id));
        answer.insert("limit".to_owned(), json!(body.limit.set()));
        answer.insert("period".to_owned(), json!(period));
    }
    Ok(Value::Object(answer))
}

async fn find(executor: impl PgExecutor<'_>, id: &str) -> Result<Row, ApiError> {
    let uuid = uuid_or_missing(WHAT, id)?;
    let row = sqlx::query_as!(
        Row,
        r#"select api_key.id as key_id, api_key.name as key_name, daily_limit_nano as "daily_limit_nano?",
                  weekly_limit_nano as "weekly_limit_nano?", monthly_limit_nano as "monthly_limit_nano?",
                  warning_threshold as "warning_threshold?"
           from api_key left join budget on budget.api_key_id = api_key.id where api_key.id = $1"#,
        uuid,
    )
    .fetch_optional(executor)
    .await?;
    row.ok_or_else(|| ApiError::not_found(WHAT, id))
}

fn nano(usd: f64) -> i64 {
    (usd * NANO).round() as i64
}

fn usd(nano: i64) -> f64 {
    nano as f64 / NANO
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

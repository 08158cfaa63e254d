//! What models cost from a moment on, and what they cost before.
//!
//! `GET PUT DELETE /api/pricing/periods`
//!
//! A period begins at a moment and ends with the next one of its model. It comes before what `/api/pricing` says for all
//! times, and before the built-in list where it says something. Data planes know all periods and price each request by
//! the moment at which it began, so a change needs nobody to be there when it begins. What was accounted before keeps
//! its cost; `POST /api/pricing/reprice` shows and books what an earlier beginning would have changed.

use std::collections::HashMap;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use llm::{
    pricing::{
        PriceOverride,
        dated::{self, Period, Periods},
    },
    providers,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::names::Names;
use crate::{
    api::Ctx,
    db::Audit,
    error::{ApiError, Violation},
    http::{Body, Json as JsonBody, Operator, Query, Reader, Stamp, Violations, Wait, WaitQuery},
};

const MODEL_CHARS: usize = 300;
const MAX_USD: f64 = 100_000.0;
const NANO_PER_USD: f64 = 1e9;
const UNKNOWN_PROVIDER: &str = "is no provider and no provider node";

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PeriodQuery {
    /// Id or alias of a provider, or id or prefix of a provider node; without it, of all.
    provider: Option<String>,
    /// One model of the provider; without it, all of them.
    model: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct RemoveQuery {
    provider: String,
    model: String,
    effective_from: DateTime<Utc>,
}

/// USD per million tokens, 0 to 100000. What is left out is as in the built-in list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = PricePeriodBody)]
struct PeriodBody {
    /// Id or alias of a provider, or id or prefix of a provider node.
    provider: String,
    /// As the provider calls it.
    model: String,
    /// The first moment of this price, in the past or to come.
    effective_from: DateTime<Utc>,
    #[serde(flatten)]
    price: PriceFields,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = PricePeriodAmounts)]
struct PriceFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<f64>,
    /// Tokens read from the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cached: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reasoning: Option<f64>,
    /// Tokens written to the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_creation: Option<f64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PricePeriod)]
struct PeriodView {
    /// As clients write it.
    provider: String,
    model: String,
    effective_from: Stamp,
    /// What is said, without what is as in the list.
    #[serde(flatten)]
    price: PriceFields,
}

/// One that the built-in list knows to have ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FormerPrice)]
struct FormerView {
    provider: &'static str,
    model: &'static str,
    /// The first moment of the price in the list.
    effective_until: Stamp,
    #[serde(flatten)]
    price: PriceFields,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PricePeriods)]
struct PeriodsView {
    /// By provider and model, in the order of time.
    periods: Vec<PeriodView>,
    former: Vec<FormerView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PricePeriodRemoved)]
struct RemovedView {
    removed: bool,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list, put, remove))
}

// === impl PeriodBody ===

impl Body for PeriodBody {
    fn check(&self, violations: &mut Violations) {
        violations.length("model", &self.model, 1..=MODEL_CHARS);
        let price = &self.price;
        let amounts = [
            ("input", price.input),
            ("output", price.output),
            ("cached", price.cached),
            ("reasoning", price.reasoning),
            ("cache_creation", price.cache_creation),
        ];
        for (field, amount) in amounts {
            if let Some(usd) = amount {
                violations.range(field, usd, 0.0..=MAX_USD);
            }
        }
        if amounts.iter().all(|(_, amount)| amount.is_none()) {
            violations.add("input", "must be there, or another amount");
        }
    }
}

// === impl PriceFields ===

impl PriceFields {
    fn of(price: &PriceOverride) -> Self {
        let usd = |nano: Option<u64>| nano.map(|nano| nano as f64 / NANO_PER_USD);
        Self {
            input: usd(price.input),
            output: usd(price.output),
            cached: usd(price.cached),
            reasoning: usd(price.reasoning),
            cache_creation: usd(price.cache_creation),
        }
    }

    /// To the nearest nano-USD; amounts are checked to be within bounds where that is exact.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 100,000 USD are at most 10^14 nano-USD"
    )]
    fn stored(self) -> PriceOverride {
        let nano = |usd: Option<f64>| usd.map(|usd| (usd * NANO_PER_USD).round() as u64);
        PriceOverride {
            input: nano(self.input),
            output: nano(self.output),
            cached: nano(self.cached),
            reasoning: nano(self.reasoning),
            cache_creation: nano(self.cache_creation),
            ..PriceOverride::default()
        }
    }
}

/// All periods, and what the built-in list knows of earlier prices.
#[utoipa::path(get, path = "/api/pricing/periods", tag = "pricing", params(PeriodQuery),
    responses((status = 200, body = PeriodsView), (status = 400)))]
async fn list(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<PeriodQuery>,
) -> Result<Json<PeriodsView>, ApiError> {
    let mut conn = ctx.db.pool().acquire().await?;
    let names = Names::load(&mut conn).await?;
    let provider = query.provider.as_deref().map(|name| known(&names, name));
    let provider = provider.transpose()?;
    let is_meant = |id: &str, model: &str| {
        provider.as_deref().is_none_or(|provider| provider == id)
            && query.model.as_deref().is_none_or(|asked| asked == model)
    };
    let mut periods = Vec::new();
    for (id, models) in load(&mut conn).await? {
        for (model, of_model) in models {
            if !is_meant(&id, &model) {
                continue;
            }
            periods.extend(of_model.into_iter().map(|period| PeriodView {
                provider: called(&names, &id),
                model: model.clone(),
                effective_from: Stamp(DateTime::from_timestamp_millis(period.from_ms).unwrap_or_default()),
                price: PriceFields::of(&period.price),
            }));
        }
    }
    periods.sort_by(|a, b| {
        let key = |view: &PeriodView| (view.provider.clone(), view.model.clone(), view.effective_from.0);
        key(a).cmp(&key(b))
    });
    let former = dated::former().filter(|(id, model, ..)| is_meant(id, model));
    let former = former.map(|(provider, model, until_ms, price)| FormerView {
        provider,
        model,
        effective_until: Stamp(DateTime::from_timestamp_millis(until_ms).unwrap_or_default()),
        price: PriceFields::of(&PriceOverride {
            input: Some(price.input),
            output: Some(price.output),
            cached: Some(price.cached),
            reasoning: Some(price.reasoning),
            cache_creation: Some(price.cache_creation),
            ..PriceOverride::default()
        }),
    });
    Ok(Json(PeriodsView {
        periods,
        former: former.collect(),
    }))
}

/// Says what a model costs from a moment on; what was said from that moment on before is replaced.
#[utoipa::path(put, path = "/api/pricing/periods", tag = "pricing", request_body = PeriodBody, params(WaitQuery),
    responses((status = 200, body = PeriodView), (status = 400)))]
async fn put(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(body): JsonBody<PeriodBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let names = Names::load(tx.conn()).await?;
    let provider = known(&names, &body.provider)?;
    let called = called(&names, &provider);
    let price = body.price.stored();
    let from_ms = body.effective_from.timestamp_millis();
    let listed = dated::listed_at(&provider, &called, &body.model, from_ms);
    if price.over(listed.as_ref()).tokens.is_none() {
        let text = "needs both input and output: there is no built-in price to go by";
        return Err(ApiError::invalid("input", text));
    }
    let effective_from = DateTime::from_timestamp_millis(from_ms).unwrap_or_default();
    sqlx::query!(
        "insert into price_period (provider, model, effective_from, input, output, cached, reasoning, cache_creation)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (provider, model, effective_from) do update
         set input = excluded.input, output = excluded.output, cached = excluded.cached,
             reasoning = excluded.reasoning, cache_creation = excluded.cache_creation",
        provider,
        body.model,
        effective_from,
        price.input.map(u64::cast_signed),
        price.output.map(u64::cast_signed),
        price.cached.map(u64::cast_signed),
        price.reasoning.map(u64::cast_signed),
        price.cache_creation.map(u64::cast_signed),
    )
    .execute(tx.conn())
    .await?;
    let view = PeriodView {
        provider: called,
        model: body.model,
        effective_from: Stamp(effective_from),
        price: PriceFields::of(&price),
    };
    let audit = Audit::of("pricing.period.set").details(json!(view));
    let committed = tx.commit(audit, view).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// Takes back what was said from a moment on: the price before it goes on.
#[utoipa::path(delete, path = "/api/pricing/periods", tag = "pricing", params(RemoveQuery, WaitQuery),
    responses((status = 200, body = RemovedView), (status = 400)))]
async fn remove(
    State(ctx): State<Ctx>,
    operator: Operator,
    Query(query): Query<RemoveQuery>,
    wait: Wait,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let names = Names::load(tx.conn()).await?;
    let provider = known(&names, &query.provider)?;
    let removed = sqlx::query!(
        "delete from price_period where provider = $1 and model = $2 and effective_from = $3",
        provider,
        query.model,
        query.effective_from,
    )
    .execute(tx.conn())
    .await?;
    if removed.rows_affected() == 0 {
        return Ok(Json(RemovedView { removed: false }).into_response());
    }
    let details = json!({
        "provider": called(&names, &provider), "model": query.model, "effectiveFrom": Stamp(query.effective_from),
    });
    let audit = Audit::of("pricing.period.removed").details(details);
    let committed = tx.commit(audit, RemovedView { removed: true }).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// All periods, by the provider's id.
pub async fn load(conn: &mut PgConnection) -> Result<HashMap<String, Periods>, sqlx::Error> {
    let rows = sqlx::query!(
        "select provider, model, effective_from, input, output, cached, reasoning, cache_creation from price_period
         order by provider, model, effective_from"
    )
    .fetch_all(conn)
    .await?;
    let amount = |stored: Option<i64>| stored.and_then(|nano| u64::try_from(nano).ok());
    let mut periods: HashMap<String, Periods> = HashMap::new();
    for row in rows {
        let of_model = periods
            .entry(row.provider)
            .or_default()
            .entry(row.model)
            .or_default();
        of_model.push(Period {
            from_ms: row.effective_from.timestamp_millis(),
            price: PriceOverride {
                input: amount(row.input),
                output: amount(row.output),
                cached: amount(row.cached),
                reasoning: amount(row.reasoning),
                cache_creation: amount(row.cache_creation),
                ..PriceOverride::default()
            },
        });
    }
    Ok(periods)
}

/// The id of a provider by any of its names.
pub fn known(names: &Names, name: &str) -> Result<String, ApiError> {
    let unknown = || ApiError::Invalid(vec![Violation::new("provider", UNKNOWN_PROVIDER)]);
    names.provider_id(name).ok_or_else(unknown)
}

/// What clients write before the slash.
pub fn called(names: &Names, provider: &str) -> String {
    let node = || names.nodes.iter().find(|(_, id)| *id == provider);
    match providers::find(provider) {
        Some(spec) => spec.alias.to_owned(),
        None => node().map_or(provider, |(prefix, _)| prefix).to_owned(),
    }
}

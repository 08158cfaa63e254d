//! What models cost: the built-in list, and what an operator says instead. In USD per million tokens; per picture, minute
//! of a recording, million characters and search where that is what a provider charges for.
//!
//! `GET PATCH PUT DELETE /api/pricing` · `GET /api/pricing/defaults` · `GET /api/pricing/models`
//!
//! A change counts from the next request on; `/api/pricing/periods` has prices that begin at some moment, and come before
//! these. What was accounted before keeps the cost it was stored with.

mod body;
mod models;
mod stored;

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use llm::{
    pricing::{self, Price, PriceOverride, Tariff},
    providers,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{
    body::{FIELDS, PricingBody, fields, usd},
    stored::{Override, Prices, write},
};
use super::names::Names;
use crate::{
    api::Ctx,
    db::{Audit, Committed},
    error::{ApiError, Violation},
    http::{Json as JsonBody, Operator, Query, Reader, Violations, Wait, WaitQuery},
};

const UNKNOWN_PROVIDER: &str = "is no provider and no provider node";

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PricingQuery {
    /// Say of each amount whether it is built in or an operator's.
    source: Option<bool>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ResetQuery {
    /// Id or alias of a provider, or id or prefix of a provider node; without it, of all.
    provider: Option<String>,
    /// One model of the provider; without it, all of them.
    model: Option<String>,
}

/// By what clients write before the slash, then by model.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(transparent)]
struct Pricing(BTreeMap<String, BTreeMap<String, Value>>);

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(show, update, reset))
        .routes(routes!(defaults))
        .routes(routes!(models::models))
}

/// What models cost: the built-in list under what operators say, field by field.
#[utoipa::path(get, path = "/api/pricing", tag = "pricing", params(PricingQuery),
    responses((status = 200, body = Pricing)))]
async fn show(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<PricingQuery>,
) -> Result<Json<Pricing>, ApiError> {
    let mut conn = ctx.db.pool().acquire().await?;
    let prices = Prices::load(&mut conn).await?;
    Ok(Json(prices.merged(query.source.unwrap_or(false))))
}

/// Sets amounts, and leaves those that are not named.
#[utoipa::path(method(patch, put), path = "/api/pricing", tag = "pricing", request_body = PricingBody,
    params(WaitQuery), responses((status = 200, body = Pricing), (status = 400)))]
async fn update(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(body): JsonBody<PricingBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let prices = Prices::load(tx.conn()).await?;
    let changed = changed(&prices, &body)?;
    let mut details = Map::new();
    for Override {
        provider,
        model,
        price,
    } in &changed
    {
        write(tx.conn(), provider, model, price).await?;
        let from = stored(&prices.own(provider, model));
        details.insert(
            format!("{}/{model}", prices.called(provider)),
            json!({ "from": from, "to": stored(price) }),
        );
    }
    let answer = Prices::load(tx.conn()).await?.merged(false);
    let audit = Audit::of("pricing.updated").details(Value::Object(details));
    let committed: Committed<Pricing> = tx.commit(audit, answer).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// Goes back to the built-in prices: of one model, of one provider, or of all.
#[utoipa::path(delete, path = "/api/pricing", tag = "pricing", params(ResetQuery, WaitQuery),
    responses((status = 200, body = Pricing), (status = 400)))]
async fn reset(
    State(ctx): State<Ctx>,
    operator: Operator,
    Query(query): Query<ResetQuery>,
    wait: Wait,
) -> Result<Response, ApiError> {
    if query.provider.is_none() && query.model.is_some() {
        let missing = Violation::new(
            "provider",
            "must be given with a model: the model is one of that provider",
        );
        return Err(ApiError::Invalid(vec![missing]));
    }
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let names = Names::load(tx.conn()).await?;
    let provider = query.provider.as_deref().map(|name| {
        let unknown = || ApiError::Invalid(vec![Violation::new("provider", UNKNOWN_PROVIDER)]);
        names.provider_id(name).ok_or_else(unknown)
    });
    let provider = provider.transpose()?;
    let removed = sqlx::query!(
        "delete from price_override
         where ($1::text is null or provider = $1) and ($2::text is null or model = $2)
         returning provider, model",
        provider,
        query.model,
    )
    .fetch_all(tx.conn())
    .await?;
    let prices = Prices::load(tx.conn()).await?;
    let answer = prices.merged(false);
    if removed.is_empty() {
        return Ok(Json(answer).into_response());
    }
    let removed: Vec<String> = removed
        .into_iter()
        .map(|row| format!("{}/{}", prices.called(&row.provider), row.model))
        .collect();
    let audit = Audit::of("pricing.reset").details(json!({ "models": removed }));
    let committed = tx.commit(audit, answer).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// The built-in list alone.
#[utoipa::path(get, path = "/api/pricing/defaults", tag = "pricing", responses((status = 200, body = Pricing)))]
async fn defaults(_: Reader) -> Json<Pricing> {
    Json(listed(false))
}

/// The rows that a body makes, complete, each once.
fn changed(prices: &Prices, body: &PricingBody) -> Result<Vec<Override>, ApiError> {
    let mut violations = Violations::default();
    let mut changed: Vec<Override> = Vec::new();
    for (name, models) in &body.0 {
        let Some(provider) = prices.names.provider_id(name) else {
            violations.add(name, UNKNOWN_PROVIDER);
            continue;
        };
        for (model, says) in models {
            let path = format!("{name}.{model}");
            if changed
                .iter()
                .any(|row| row.provider == provider && row.model == *model)
            {
                violations.add(path, "is there twice, under two names of the provider");
                continue;
            }
            let price = says.over(prices.own(&provider, model));
            let listed = pricing::find(&provider, &prices.called(&provider), model);
            if price.is_incomplete(listed) {
                violations.add(
                    path,
                    "needs both input and output: there is no built-in price to go by",
                );
                continue;
            }
            changed.push(Override {
                provider: provider.clone(),
                model: model.clone(),
                price,
            });
        }
    }
    violations.into_result()?;
    Ok(changed)
}

fn listed(source: bool) -> Pricing {
    let mut pricing = Pricing::default();
    for (provider, model, price) in pricing::list() {
        let called = providers::find(provider).map_or(provider, |spec| spec.alias);
        let models = pricing.0.entry(called.to_owned()).or_default();
        models.insert(model.to_owned(), shown(price, None, source));
    }
    pricing
}

/// As clients see it, with or without where each amount is from.
fn shown(price: &Tariff, own: Option<&PriceOverride>, source: bool) -> Value {
    let tokens = |of: fn(&Price) -> u64| price.tokens.as_ref().map(of);
    let whole = PriceOverride {
        input: tokens(|price| price.input),
        output: tokens(|price| price.output),
        cached: tokens(|price| price.cached),
        reasoning: tokens(|price| price.reasoning),
        cache_creation: tokens(|price| price.cache_creation),
        units: price.units,
    };
    let own = own.map(fields).unwrap_or_default();
    let amounts = FIELDS.iter().zip(fields(&whole)).zip(own);
    let said = amounts.filter_map(|((field, nano), own)| {
        let value = usd(nano?);
        let value = match (source, own) {
            (false, _) => value,
            (true, Some(_)) => json!({ "value": value, "source": "override" }),
            (true, None) => json!({ "value": value, "source": "default" }),
        };
        Some(((*field).to_owned(), value))
    });
    Value::Object(said.collect())
}

/// What a row says, for the audit log.
fn stored(price: &PriceOverride) -> Value {
    let fields = FIELDS.iter().zip(fields(price));
    let said = fields.filter_map(|(field, nano)| Some(((*field).to_owned(), usd(nano?))));
    Value::Object(said.collect())
}

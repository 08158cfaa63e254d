//! What models cost: the built-in list, and what an operator says instead. In USD per million tokens; per picture, minute
//! of a recording, million characters and search where that is what a provider charges for.
//!
//! `GET PATCH PUT DELETE /api/pricing` · `GET /api/pricing/defaults` · `GET /api/pricing/models`
//!
//! A change counts from the next request on; `/api/pricing/periods` has prices that begin at some moment, and come before
//! these. What was accounted before keeps the cost it was stored with.

use std::collections::{BTreeMap, HashMap};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::Utc;
use llm::{
    pricing::{self, Price, PriceOverride, Tariff, UnitPrice, dated::Periods},
    provider::{AuthType, ProviderSpec},
    providers,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{names::Names, price_periods};
use crate::{
    api::Ctx,
    db::{Audit, Committed},
    error::{ApiError, Violation},
    http::{Body, Json as JsonBody, Operator, Patch, Query, Reader, Violations, Wait, WaitQuery},
};

const MODEL_CHARS: usize = 300;
const MAX_USD: f64 = 100_000.0;
const NANO_PER_USD: u64 = 1_000_000_000;
const FIELDS: [&str; 9] = [
    "input",
    "output",
    "cached",
    "reasoning",
    "cache_creation",
    "image",
    "audio_minute",
    "characters",
    "search",
];

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

/// Amounts by provider and model. Clients name a provider as they call its models, or by its id.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(transparent)]
struct PricingBody(BTreeMap<String, BTreeMap<String, PriceBody>>);

/// USD per million tokens, or as each field says; 0 to 100000. `null` goes back to the built-in amount. Pictures may
/// cost by what they are like: behind the model comes the quality, the size, or both, as in `dall-e-3#hd#1792x1024`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PriceBody {
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    input: Patch<f64>,
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    output: Patch<f64>,
    /// Tokens read from the provider's cache.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    cached: Patch<f64>,
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    reasoning: Patch<f64>,
    /// Tokens written to the provider's cache.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    cache_creation: Patch<f64>,
    /// For one picture. Of what has a price like this and those below, tokens are not charged beside it.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    image: Patch<f64>,
    /// For a minute of a recording that is transcribed or translated.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    audio_minute: Patch<f64>,
    /// For a million characters that are read out.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    characters: Patch<f64>,
    /// For one search of a reranker, as its provider counts them.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    search: Patch<f64>,
}

/// By what clients write before the slash, then by model.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(transparent)]
struct Pricing(BTreeMap<String, BTreeMap<String, Value>>);

#[derive(Debug, Serialize, ToSchema)]
struct PricedProvider {
    id: String,
    alias: String,
    name: String,
    /// `apikey` or `oauth`.
    #[serde(rename = "authType")]
    auth_type: &'static str,
    /// The dialect its servers speak.
    format: &'static str,
    models: Vec<PricedModel>,
    #[serde(rename = "modelCount")]
    model_count: usize,
}

#[derive(Debug, Serialize, ToSchema)]
struct PricedModel {
    id: String,
    name: String,
    /// An operator added it by hand.
    custom: bool,
}

/// A row of `price_override`.
#[derive(Clone)]
struct Override {
    provider: String,
    model: String,
    price: PriceOverride,
}

/// Both sources of prices, by what providers are called.
struct Prices {
    names: Names,
    overrides: Vec<Override>,
    /// What is said from some moment on, by the provider's id.
    periods: HashMap<String, Periods>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(show, update, reset))
        .routes(routes!(defaults))
        .routes(routes!(models))
}

// === impl PricingBody ===

impl Body for PricingBody {
    fn check(&self, violations: &mut Violations) {
        if self.0.values().all(BTreeMap::is_empty) {
            violations.add("", "must name at least one model of a provider");
        }
        for (provider, models) in &self.0 {
            for (model, price) in models {
                let path = format!("{provider}.{model}");
                violations.length(&path, model, 1..=MODEL_CHARS);
                for (field, amount) in FIELDS.iter().zip(price.amounts()) {
                    if let Some(usd) = amount.set() {
                        violations.range(&format!("{path}.{field}"), *usd, 0.0..=MAX_USD);
                    }
                }
            }
        }
    }
}

// === impl PriceBody ===

impl PriceBody {
    /// In the order of [`FIELDS`].
    fn amounts(&self) -> [Patch<f64>; 9] {
        [
            self.input,
            self.output,
            self.cached,
            self.reasoning,
            self.cache_creation,
            self.image,
            self.audio_minute,
            self.characters,
            self.search,
        ]
    }

    fn over(&self, before: PriceOverride) -> PriceOverride {
        let over = |amount: Patch<f64>, before: Option<u64>| match amount {
            Patch::Keep => before,
            Patch::Clear => None,
            Patch::Set(usd) => Some(nano(usd)),
        };
        PriceOverride {
            input: over(self.input, before.input),
            output: over(self.output, before.output),
            cached: over(self.cached, before.cached),
            reasoning: over(self.reasoning, before.reasoning),
            cache_creation: over(self.cache_creation, before.cache_creation),
            units: UnitPrice {
                image: over(self.image, before.units.image),
                audio_minute: over(self.audio_minute, before.units.audio_minute),
                characters: over(self.characters, before.units.characters),
                search: over(self.search, before.units.search),
            },
        }
    }
}

// === impl PricedProvider ===

impl PricedProvider {
    fn of(spec: &ProviderSpec) -> Self {
        let chat = spec.models.iter().map(|model| (model.id, model.name));
        let beside = spec.services.iter().flat_map(|service| service.models);
        let models = chat
            .chain(beside.map(|id| (*id, *id)))
            .map(|(id, name)| PricedModel {
                id: id.to_owned(),
                name: name.to_owned(),
                custom: false,
            });
        let models: Vec<PricedModel> = models.collect();
        Self {
            id: spec.id.to_owned(),
            alias: spec.alias.to_owned(),
            name: spec.name.to_owned(),
            auth_type: match spec.auth_type {
                AuthType::ApiKey => "apikey",
                AuthType::OAuth => "oauth",
            },
            format: spec.dialect.name(),
            model_count: models.len(),
            models,
        }
    }
}

// === impl Prices ===

impl Prices {
    async fn load(conn: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let names = Names::load(conn).await?;
        let rows = sqlx::query!(
            "select provider, model, input, output, cached, reasoning, cache_creation, image, audio_minute,
                    characters, search
             from price_override
             order by provider, model"
        )
        .fetch_all(&mut *conn)
        .await?;
        let periods = price_periods::load(conn).await?;
        let overrides = rows.into_iter().map(|row| Override {
            provider: row.provider,
            model: row.model,
            price: PriceOverride {
                input: amount(row.input),
                output: amount(row.output),
                cached: amount(row.cached),
                reasoning: amount(row.reasoning),
                cache_creation: amount(row.cache_creation),
                units: UnitPrice {
                    image: amount(row.image),
                    audio_minute: amount(row.audio_minute),
                    characters: amount(row.characters),
                    search: amount(row.search),
                },
            },
        });
        Ok(Self {
            names,
            overrides: overrides.collect(),
            periods,
        })
    }

    /// What operators say now: of a model that is in a period, what that says.
    fn in_force(&self) -> Vec<Override> {
        let now_ms = Utc::now().timestamp_millis();
        let mut in_force: Vec<Override> = self.overrides.clone();
        for (provider, models) in &self.periods {
            for (model, periods) in models {
                let Some(period) = periods.iter().rfind(|period| period.from_ms <= now_ms) else {
                    continue;
                };
                let is_meant = |row: &Override| row.provider == *provider && row.model == *model;
                let always = in_force.iter().find(|row| is_meant(row));
                // only what tokens cost changes from period to period
                let units = always.map(|row| row.price.units).unwrap_or_default();
                in_force.retain(|row| !is_meant(row));
                in_force.push(Override {
                    provider: provider.clone(),
                    model: model.clone(),
                    price: PriceOverride {
                        units,
                        ..period.price
                    },
                });
            }
        }
        in_force
    }

    /// The list under what operators say.
    fn merged(&self, source: bool) -> Pricing {
        let mut pricing = listed(source);
        for Override {
            provider,
            model,
            price,
        } in &self.in_force()
        {
            let called = self.called(provider);
            let listed = pricing::find(provider, &called, model);
            let over = price.over(listed);
            // what nobody can charge is not a price; it was refused when it was written
            if over.is_unknown() {
                continue;
            }
            let shown = shown(&over, Some(price), source);
            pricing.0.entry(called).or_default().insert(model.clone(), shown);
        }
        pricing
    }

    /// What clients write before the slash.
    fn called(&self, provider: &str) -> String {
        let node = || self.names.nodes.iter().find(|(_, id)| *id == provider);
        match providers::find(provider) {
            Some(spec) => spec.alias.to_owned(),
            None => node().map_or(provider, |(prefix, _)| prefix).to_owned(),
        }
    }

    fn own(&self, provider: &str, model: &str) -> PriceOverride {
        let own = |row: &&Override| row.provider == provider && row.model == model;
        self.overrides
            .iter()
            .find(own)
            .map(|row| row.price)
            .unwrap_or_default()
    }
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

/// Models that can have a price, by what clients write before the slash.
#[utoipa::path(get, path = "/api/pricing/models", tag = "pricing",
    responses((status = 200, body = std::collections::HashMap<String, PricedProvider>)))]
async fn models(
    State(ctx): State<Ctx>,
    _: Reader,
) -> Result<Json<BTreeMap<String, PricedProvider>>, ApiError> {
    let nodes = sqlx::query!("select id, prefix, name, type, api_type from provider_node")
        .fetch_all(ctx.db.pool())
        .await?;
    let added =
        sqlx::query!("select provider, model, name, source from custom_model order by provider, model")
            .fetch_all(ctx.db.pool())
            .await?;
    let built_in = providers::ALL.iter().copied().map(PricedProvider::of);
    let own = nodes.into_iter().filter_map(|node| {
        let spec = providers::compatible(&node.r#type, node.api_type.as_deref().unwrap_or_default())?;
        let own = PricedProvider {
            id: node.id,
            alias: node.prefix,
            name: node.name,
            ..PricedProvider::of(spec)
        };
        Some(own)
    });
    let mut providers: BTreeMap<String, PricedProvider> = built_in
        .chain(own)
        .map(|provider| (provider.alias.clone(), provider))
        .collect();
    for model in added {
        let mut known = providers.values_mut();
        let Some(provider) = known.find(|provider| provider.id == model.provider) else {
            continue;
        };
        if provider.models.iter().any(|known| known.id == model.model) {
            continue;
        }
        provider.models.push(PricedModel {
            id: model.model,
            name: model.name,
            custom: model.source != "imported",
        });
        provider.model_count = provider.models.len();
    }
    Ok(Json(providers))
}

const UNKNOWN_PROVIDER: &str = "is no provider and no provider node";

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

/// A row that says nothing is none.
async fn write(
    conn: &mut PgConnection,
    provider: &str,
    model: &str,
    price: &PriceOverride,
) -> Result<(), sqlx::Error> {
    if *price == PriceOverride::default() {
        sqlx::query!(
            "delete from price_override where provider = $1 and model = $2",
            provider,
            model
        )
        .execute(conn)
        .await?;
        return Ok(());
    }
    sqlx::query!(
        "insert into price_override (provider, model, input, output, cached, reasoning, cache_creation, image,
                                     audio_minute, characters, search)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         on conflict (provider, model) do update
         set input = excluded.input, output = excluded.output, cached = excluded.cached,
             reasoning = excluded.reasoning, cache_creation = excluded.cache_creation, image = excluded.image,
             audio_minute = excluded.audio_minute, characters = excluded.characters, search = excluded.search",
        provider,
        model,
        price.input.map(u64::cast_signed),
        price.output.map(u64::cast_signed),
        price.cached.map(u64::cast_signed),
        price.reasoning.map(u64::cast_signed),
        price.cache_creation.map(u64::cast_signed),
        price.units.image.map(u64::cast_signed),
        price.units.audio_minute.map(u64::cast_signed),
        price.units.characters.map(u64::cast_signed),
        price.units.search.map(u64::cast_signed),
    )
    .execute(conn)
    .await?;
    Ok(())
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

/// In the order of [`FIELDS`].
fn fields(price: &PriceOverride) -> [Option<u64>; 9] {
    [
        price.input,
        price.output,
        price.cached,
        price.reasoning,
        price.cache_creation,
        price.units.image,
        price.units.audio_minute,
        price.units.characters,
        price.units.search,
    ]
}

fn amount(stored: Option<i64>) -> Option<u64> {
    stored.and_then(|nano| u64::try_from(nano).ok())
}

/// To the nearest nano-USD; amounts are checked to be within bounds where that is exact.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 to 100,000 USD are at most 10^14 nano-USD"
)]
fn nano(usd: f64) -> u64 {
    (usd * NANO_PER_USD as f64).round() as u64
}

/// Without a fraction where there is none.
fn usd(nano: u64) -> Value {
    if nano.is_multiple_of(NANO_PER_USD) {
        return json!(nano / NANO_PER_USD);
    }
    json!(nano as f64 / NANO_PER_USD as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_survive_the_way_to_integers_and_back() {
        for text in ["0", "15", "0.15", "0.0375", "7.5", "100000", "0.000000001"] {
            let written: f64 = text.parse().unwrap();
            assert_eq!(
                usd(nano(written)).to_string().parse::<f64>().unwrap(),
                written,
                "{text}"
            );
        }
        assert_eq!(usd(15 * NANO_PER_USD).to_string(), "15");
    }
}

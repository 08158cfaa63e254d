//! Pricing anew what was used before: what it would change, and the booking of that.
//!
//! `GET POST /api/pricing/reprice`
//!
//! Each request is worth what its tokens cost at its own time by the prices that are known now. The difference to what
//! was billed, and to what was booked before, becomes a row of its own (`usage_adjustment`); what was billed is never
//! written anew, and doing it twice books nothing the second time. Only requests that are still in the log can be priced.
//! It goes on day by day, each booked whole: where it is interrupted, doing it again books the rest. Budgets count what
//! was billed.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use llm::pricing::{
    Overrides, Price, PriceOverride,
    dated::{self, Periods},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    names::Names,
    price_periods::{self, called, known},
};
use crate::{
    api::Ctx,
    db::Audit,
    error::ApiError,
    http::{Body, Json as JsonBody, Operator, Reader, Stamp, Violations},
};

const MAX_DAYS: i64 = 400;
const SHOWN: i64 = 100;
const NANO: f64 = 1e-9;
/// Attempts at one day, when those who store usage are in the way.
const ATTEMPTS: usize = 5;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = RepriceBody)]
struct RepriceBody {
    /// Of requests that began from then on.
    from: DateTime<Utc>,
    /// And before then.
    to: DateTime<Utc>,
    /// Id or alias of a provider, or id or prefix of a provider node; without it, of all.
    provider: Option<String>,
    /// As the provider calls it; without it, all.
    model: Option<String>,
    /// Whether to say only what would change; so it is unless this is `false`.
    #[serde(default = "yes")]
    dry_run: bool,
}

/// USD.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Repriced)]
struct RepricedView {
    /// Under which this is booked; absent for a dry run.
    id: Option<Uuid>,
    dry_run: bool,
    #[serde(flatten)]
    total: Change,
    /// Those whose price changes, the largest change first.
    models: Vec<ModelChange>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PriceChange)]
struct Change {
    /// That were looked at.
    requests: i64,
    /// Of them, those whose price changes.
    changed: i64,
    /// What was billed for all of them.
    billed: f64,
    /// By how much that was changed before.
    adjusted: f64,
    /// By how much it changes now.
    delta: f64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ModelPriceChange)]
struct ModelChange {
    /// As clients write it.
    provider: String,
    model: String,
    #[serde(flatten)]
    change: Change,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Repricing)]
struct RunView {
    id: Uuid,
    at: Stamp,
    actor: String,
    from: Stamp,
    to: Stamp,
    provider: Option<String>,
    model: Option<String>,
    /// Whose price changed.
    requests: i64,
    /// USD.
    delta: f64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Repricings)]
struct RunsView {
    /// The newest hundred.
    runs: Vec<RunView>,
}

/// What tokens of one model cost in one stretch of time, as columns.
#[derive(Default)]
struct Rates {
    provider: Vec<String>,
    model: Vec<String>,
    from: Vec<DateTime<Utc>>,
    to: Vec<DateTime<Utc>>,
    input: Vec<i64>,
    cached: Vec<i64>,
    cache_creation: Vec<i64>,
    cache_creation_1h: Vec<i64>,
    output: Vec<i64>,
    reasoning: Vec<i64>,
}

/// In nano-USD.
#[derive(Clone, Copy, Default)]
struct Booked {
    requests: i64,
    changed: i64,
    billed: i64,
    adjusted: i64,
    delta: i64,
}

fn yes() -> bool {
    true
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(runs, reprice))
}

// === impl RepriceBody ===

impl Body for RepriceBody {
    fn check(&self, violations: &mut Violations) {
        if self.from >= self.to {
            violations.add("to", "must be after `from`");
        }
        if self.to > Utc::now() {
            violations.add(
                "to",
                "must not be in the future: what is to come is priced by /api/pricing/periods",
            );
        }
        if self.to - self.from > TimeDelta::days(MAX_DAYS) {
            violations.add("from", format!("must be at most {MAX_DAYS} days before `to`"));
        }
    }
}

// === impl Booked ===

impl Booked {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.changed += other.changed;
        self.billed += other.billed;
        self.adjusted += other.adjusted;
        self.delta += other.delta;
    }

    fn view(self) -> Change {
        let usd = |nano: i64| nano as f64 * NANO;
        Change {
            requests: self.requests,
            changed: self.changed,
            billed: usd(self.billed),
            adjusted: usd(self.adjusted),
            delta: usd(self.delta),
        }
    }
}

// === impl Rates ===

impl Rates {
    fn push(&mut self, (provider, model): (&str, &str), from_ms: i64, to_ms: i64, price: &Price) {
        let moment = |ms| DateTime::from_timestamp_millis(ms).unwrap_or_default();
        let amount = |nano: u64| i64::try_from(nano).unwrap_or(i64::MAX);
        self.provider.push(provider.to_owned());
        self.model.push(model.to_owned());
        self.from.push(moment(from_ms));
        self.to.push(moment(to_ms));
        self.input.push(amount(price.input));
        self.cached.push(amount(price.cached));
        self.cache_creation.push(amount(price.cache_creation));
        self.cache_creation_1h.push(amount(price.cache_creation_1h()));
        self.output.push(amount(price.output));
        self.reasoning.push(amount(price.reasoning));
    }
}

/// What was priced anew, the newest first.
#[utoipa::path(get, path = "/api/pricing/reprice", tag = "pricing", responses((status = 200, body = RunsView)))]
async fn runs(State(ctx): State<Ctx>, _: Reader) -> Result<Json<RunsView>, ApiError> {
    let rows = sqlx::query!(
        "select id, at, actor, from_at, to_at, provider, model, requests, delta_nano from repricing
         order by at desc limit $1",
        SHOWN,
    )
    .fetch_all(ctx.db.pool())
    .await?;
    let runs = rows.into_iter().map(|row| RunView {
        id: row.id,
        at: Stamp(row.at),
        actor: row.actor,
        from: Stamp(row.from_at),
        to: Stamp(row.to_at),
        provider: row.provider,
        model: row.model,
        requests: row.requests,
        delta: row.delta_nano as f64 * NANO,
    });
    Ok(Json(RunsView { runs: runs.collect() }))
}

/// Says what the prices that are known now would change of what was billed, and books it where `dryRun` is `false`.
#[utoipa::path(post, path = "/api/pricing/reprice", tag = "pricing", request_body = RepriceBody,
    responses((status = 200, body = RepricedView), (status = 400)))]
async fn reprice(
    State(ctx): State<Ctx>,
    operator: Operator,
    JsonBody(body): JsonBody<RepriceBody>,
) -> Result<Json<RepricedView>, ApiError> {
    let pool = ctx.db.pool();
    let mut conn = pool.acquire().await?;
    let names = Names::load(&mut conn).await?;
    let provider = body.provider.as_deref().map(|name| known(&names, name));
    let provider = provider.transpose()?;
    let rates = rates(&mut conn, &names, &body, provider.as_deref()).await?;
    let id = (!body.dry_run).then(Uuid::now_v7);
    if let Some(id) = id {
        sqlx::query!(
            "insert into repricing (id, actor, from_at, to_at, provider, model) values ($1, $2, $3, $4, $5, $6)",
            id,
            operator.origin.actor.to_string(),
            body.from,
            body.to,
            provider,
            body.model,
        )
        .execute(&mut *conn)
        .await?;
    }
    drop(conn);

    let mut booked: BTreeMap<(String, String), Booked> = BTreeMap::new();
    for (from, to) in days(body.from, body.to) {
        for (subject, change) in day(pool, &rates, from, to, id).await? {
            booked.entry(subject).or_default().add(change);
        }
    }
    let mut total = Booked::default();
    booked.values().for_each(|change| total.add(*change));
    if let Some(id) = id {
        let details = json!({
            "id": id, "from": Stamp(body.from), "to": Stamp(body.to), "provider": body.provider, "model": body.model,
            "requests": total.changed, "deltaNano": total.delta,
        });
        ctx.db
            .record(&operator.origin, Audit::of("pricing.repriced").details(details))
            .await?;
    }
    let mut models: Vec<_> = booked
        .into_iter()
        .filter(|(_, change)| change.changed > 0)
        .collect();
    models.sort_by_key(|(_, change)| std::cmp::Reverse(change.delta.unsigned_abs()));
    let models = models.into_iter().map(|((provider, model), change)| ModelChange {
        provider: called(&names, &provider),
        model,
        change: change.view(),
    });
    Ok(Json(RepricedView {
        id,
        dry_run: body.dry_run,
        total: total.view(),
        models: models.collect(),
    }))
}

/// What everything that was used cost, in stretches in which its price stayed the same. What nobody knows the price of is
/// left out: it stays as it was billed.
async fn rates(
    conn: &mut PgConnection,
    names: &Names,
    body: &RepriceBody,
    provider: Option<&str>,
) -> Result<Rates, sqlx::Error> {
    let periods = price_periods::load(conn).await?;
    let mut overrides: BTreeMap<String, Overrides> = BTreeMap::new();
    let rows = sqlx::query!(
        "select provider, model, input, output, cached, reasoning, cache_creation from price_override"
    )
    .fetch_all(&mut *conn)
    .await?;
    let amount = |stored: Option<i64>| stored.and_then(|nano| u64::try_from(nano).ok());
    for row in rows {
        let price = PriceOverride {
            input: amount(row.input),
            output: amount(row.output),
            cached: amount(row.cached),
            reasoning: amount(row.reasoning),
            cache_creation: amount(row.cache_creation),
            ..PriceOverride::default()
        };
        overrides
            .entry(row.provider)
            .or_default()
            .insert(row.model, price);
    }
    let used = sqlx::query!(
        "select provider, model from usage_hour
         where hour >= date_trunc('hour', $1::timestamptz, 'UTC') and hour < $2 and reached > 0
           and ($3::text is null or provider = $3) and ($4::text is null or model = $4)
         group by 1, 2",
        body.from,
        body.to,
        provider,
        body.model,
    )
    .fetch_all(conn)
    .await?;

    let (first, last) = (body.from.timestamp_millis(), body.to.timestamp_millis());
    let (no_overrides, no_periods) = (Overrides::new(), Periods::new());
    let mut rates = Rates::default();
    for used in &used {
        let (id, model) = (used.provider.as_str(), used.model.as_str());
        let alias = called(names, id);
        let own = overrides.get(id).unwrap_or(&no_overrides);
        let of_provider = periods.get(id).unwrap_or(&no_periods);
        let inner = dated::changes(of_provider, id, &alias, model);
        let inner = inner
            .into_iter()
            .filter(|change| (first + 1..last).contains(change));
        let ends: Vec<i64> = inner.chain([last]).collect();
        let mut from_ms = first;
        for to_ms in ends {
            let tariff = dated::find_at(own, of_provider, id, &alias, model, from_ms);
            if let Some(price) = tariff.tokens {
                rates.push((id, model), from_ms, to_ms, &price);
            }
            from_ms = to_ms;
        }
    }
    Ok(rates)
}

/// One day: what changes, by provider and model. Booked where there is something to book it under.
async fn day(
    pool: &PgPool,
    rates: &Rates,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    booked_as: Option<Uuid>,
) -> Result<Vec<((String, String), Booked)>, sqlx::Error> {
    let mut attempt = 1;
    loop {
        match try_day(pool, rates, from, to, booked_as).await {
            Err(error) if crate::ingest::is_transient(&error) && attempt < ATTEMPTS => attempt += 1,
            answer => return answer,
        }
    }
}

async fn try_day(
    pool: &PgPool,
    rates: &Rates,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    booked_as: Option<Uuid>,
) -> Result<Vec<((String, String), Booked)>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    // two at a time would both book the same difference
    sqlx::query!("select pg_advisory_xact_lock(hashtext('repricing'))")
        .execute(&mut *tx)
        .await?;
    let rows = sqlx::query!(
        r#"with rate as (
               select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::bigint[],
                                    $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $13::bigint[])
                   as rate (provider, model, starts, ends, input, cached, cache_creation, output, reasoning,
                            cache_creation_1h)),
           earlier as (
               select request_id, sum(delta_nano)::bigint as nano from usage_adjustment
               where started_at >= $10 and started_at < $11 group by request_id),
           worth as materialized (
               select u.request_id, u.started_at, u.key_id, u.connection_id, rate.provider, rate.model,
                      coalesce(u.cost_nano, 0) as billed, coalesce(earlier.nano, 0) as adjusted,
                      -- to the nearest, rounded once, as data planes do
                      div(u.input_uncached::numeric * rate.input + u.input_cache_read::numeric * rate.cached
                          + (u.input_cache_write - u.input_cache_write_1h)::numeric * rate.cache_creation
                          + u.input_cache_write_1h::numeric * rate.cache_creation_1h
                          + u.output_visible::numeric * rate.output + u.output_reasoning::numeric * rate.reasoning
                          + 500000, 1000000)::bigint - coalesce(u.cost_nano, 0) - coalesce(earlier.nano, 0) as delta
               from usage_event u
               join rate on rate.provider = u.provider and rate.model = coalesce(u.model_served, u.model_requested)
                        and u.started_at >= rate.starts and u.started_at < rate.ends
               left join earlier on earlier.request_id = u.request_id
               where u.started_at >= $10 and u.started_at < $11 and u.reached_provider
                 -- what is priced by the unit has no periods
                 and u.images = 0 and u.audio_ms = 0 and u.characters = 0 and u.searches = 0),
           booked as (
               insert into usage_adjustment (request_id, repricing_id, started_at, key_id, provider, model, delta_nano)
               select request_id, $12::uuid, started_at, key_id, provider, model, delta
               from worth where delta <> 0 and $12 is not null),
           hours as (
               update usage_hour h set adjusted_nano = h.adjusted_nano + changed.delta
               from (select date_trunc('hour', started_at, 'UTC') as hour,
                            coalesce(key_id, '00000000-0000-0000-0000-000000000000') as key_id, provider, model,
                            coalesce(connection_id, '00000000-0000-0000-0000-000000000000') as connection_id,
                            sum(delta) as delta
                     from worth where delta <> 0 and $12 is not null group by 1, 2, 3, 4, 5) changed
               where h.hour = changed.hour and h.key_id = changed.key_id and h.provider = changed.provider
                 and h.model = changed.model and h.connection_id = changed.connection_id),
           marks as (
               insert into usage_stale (hour)
               select distinct date_trunc('hour', started_at, 'UTC') from worth where delta <> 0 and $12 is not null),
           run as (
               update repricing
               set requests = requests + (select count(*) from worth where delta <> 0),
                   delta_nano = delta_nano + (select coalesce(sum(delta), 0) from worth)
               where id = $12)
           select provider as "provider!", model as "model!", count(*) as "requests!",
                  count(*) filter (where delta <> 0) as "changed!", sum(billed)::bigint as "billed!",
                  sum(adjusted)::bigint as "adjusted!", sum(delta)::bigint as "delta!"
           from worth group by 1, 2"#,
        &rates.provider,
        &rates.model,
        &rates.from,
        &rates.to,
        &rates.input,
        &rates.cached,
        &rates.cache_creation,
        &rates.output,
        &rates.reasoning,
        from,
        to,
        booked_as,
        &rates.cache_creation_1h,
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let changes = rows.into_iter().map(|row| {
        let change = Booked {
            requests: row.requests,
            changed: row.changed,
            billed: row.billed,
            adjusted: row.adjusted,
            delta: row.delta,
        };
        ((row.provider, row.model), change)
    });
    Ok(changes.collect())
}

/// The days (UTC) of a stretch of time, the first and the last cut to it.
fn days(from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let day = TimeDelta::days(1);
    let mut days = Vec::new();
    let mut start = from;
    while start < to {
        let midnight = start.duration_trunc(day).unwrap_or(start) + day;
        days.push((start, midnight.min(to)));
        start = midnight;
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_of_time_is_its_days_without_a_gap() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (from, to) = (at("2026-03-01T10:00:00Z"), at("2026-03-03T01:00:00Z"));
        let midnights = [at("2026-03-02T00:00:00Z"), at("2026-03-03T00:00:00Z")];
        let expected = [
            (from, midnights[0]),
            (midnights[0], midnights[1]),
            (midnights[1], to),
        ];
        assert_eq!(days(from, to), expected);
        assert!(days(to, from).is_empty());
    }
}

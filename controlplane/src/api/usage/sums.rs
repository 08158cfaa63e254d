//! Which part of the sums a question is about, what is found there, and how a sum looks.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, TimeZone, Utc};
use runtime::period::Tz;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    api::Ctx,
    error::ApiError,
    http::{Stamp, one_of},
    rollup::Grains,
};

const RANGES: [&str; 6] = ["1d", "7d", "30d", "90d", "ytd", "all"];
const NANO_PER_USD: f64 = 1e9;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct SumQuery {
    /// `1d`, `7d`, `30d`, `90d`, `ytd` (since the first of January, UTC) or `all`.
    range: Option<String>,
    /// Instead of a range; to the hour.
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    provider: Option<String>,
    model: Option<String>,
    api_key_id: Option<Uuid>,
}

/// From, inclusive, to, exclusive; open where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

/// Requests that reached a provider, or were answered without one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sum {
    pub requests: i64,
    /// Of them, those that did not end well.
    pub errors: i64,
    /// Of them, those that were answered from the cache, or like the request that they repeat.
    pub given_again: i64,
    /// All input, what the provider's cache read and wrote included.
    pub prompt_tokens: i64,
    pub cache_read_tokens: i64,
    pub cache_creation_tokens: i64,
    /// All output, reasoning included.
    pub completion_tokens: i64,
    pub reasoning_tokens: i64,
    /// USD, of those whose price is known.
    #[schema(value_type = f64)]
    pub cost: Usd,
    /// USD by which pricing anew changed that afterwards, up or down; it is not in the cost.
    #[schema(value_type = f64)]
    pub adjustment: Usd,
    /// How many have no price, and are not in the cost.
    pub unpriced_requests: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Stamp>,
}

/// Nano-USD, so that a sum is exact in whatever order it is made; told in USD.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usd(i64);

/// What an answer tells apart; the rest is added up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Apart {
    pub days: bool,
    pub models: bool,
    /// And the provider.
    pub accounts: bool,
    pub keys: bool,
}

/// What was used, of what is told apart.
pub struct Used {
    pub date: Option<NaiveDate>,
    /// Empty where it is not told apart; and so the next.
    pub provider: String,
    pub model: String,
    connection_id: Uuid,
    account: Option<String>,
    key_id: Uuid,
    key_name: Option<String>,
    requests: i64,
    errors: i64,
    given_again: i64,
    unpriced: i64,
    input_uncached: i64,
    input_cache_read: i64,
    input_cache_write: i64,
    output_visible: i64,
    output_reasoning: i64,
    cost_nano: i64,
    adjusted_nano: i64,
    last_at: DateTime<Utc>,
}

/// Whose usage is summed up: all of it where nothing is said.
#[derive(Debug, Clone, Copy, Default)]
pub struct Of<'a> {
    pub provider: Option<&'a str>,
    pub model: Option<&'a str>,
    pub key: Option<Uuid>,
}

/// The shortest tables that tell enough apart.
struct Source<'a> {
    day_kind: &'static str,
    hour_kind: Option<&'static str>,
    hours: &'a [DateTime<Utc>],
    /// From `usage_hour`.
    exact: Vec<DateTime<Utc>>,
}

// === impl Source ===

impl<'a> Source<'a> {
    fn of(grains: &'a Grains, models: bool, keys: bool) -> Self {
        let (day_kind, hour_kind) = match (models, keys) {
            (true, true) => ("day", None),
            (_, false) => ("day_models", Some("hour_models")),
            (false, true) => ("day_keys", Some("hour_keys")),
        };
        // hours are not kept with everything told apart but where they are stored first
        let (hours, exact) = match hour_kind {
            Some(_) => (grains.hours.as_slice(), grains.stale.clone()),
            None => (&[][..], [grains.hours.as_slice(), &grains.stale].concat()),
        };
        Self {
            day_kind,
            hour_kind,
            hours,
            exact,
        }
    }
}

// === impl SumQuery ===

impl SumQuery {
    /// The name of the range, and what it is now.
    pub fn span(&self, otherwise: &'static str) -> Result<(String, Span), ApiError> {
        if self.from.is_some() || self.to.is_some() {
            if self.range.is_some() {
                return Err(ApiError::invalid("range", "goes without `from` and `to`"));
            }
            if self.from.zip(self.to).is_some_and(|(from, to)| from >= to) {
                return Err(ApiError::invalid("to", "must be after `from`"));
            }
            let span = Span {
                from: self.from,
                to: self.to,
            };
            return Ok(("custom".to_owned(), span));
        }
        let range = self.range.as_deref().unwrap_or(otherwise);
        one_of("range", range, &RANGES)?;
        Ok((range.to_owned(), Span::named(range, Utc::now())))
    }

    pub fn of(&self) -> Of<'_> {
        Of {
            provider: self.provider.as_deref(),
            model: self.model.as_deref(),
            key: self.api_key_id,
        }
    }
}

// === impl Span ===

impl Span {
    fn named(range: &str, now: DateTime<Utc>) -> Self {
        let days = |days| Some(now - TimeDelta::days(days));
        let from = match range {
            "1d" => days(1),
            "7d" => days(7),
            "30d" => days(30),
            "90d" => days(90),
            "ytd" => Utc.with_ymd_and_hms(now.year(), 1, 1, 0, 0, 0).single(),
            _ => None,
        };
        Self { from, to: None }
    }
}

// === impl Sum ===

impl Sum {
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.given_again += other.given_again;
        self.prompt_tokens += other.prompt_tokens;
        self.cache_read_tokens += other.cache_read_tokens;
        self.cache_creation_tokens += other.cache_creation_tokens;
        self.completion_tokens += other.completion_tokens;
        self.reasoning_tokens += other.reasoning_tokens;
        self.cost.0 += other.cost.0;
        self.adjustment.0 += other.adjustment.0;
        self.unpriced_requests += other.unpriced_requests;
        self.last_used = self.last_used.max(other.last_used);
    }

    pub fn tokens(&self) -> i64 {
        self.prompt_tokens + self.completion_tokens
    }
}

// === impl Usd ===

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(usd(self.0))
    }
}

/// From what the database counts in.
pub fn usd(nano: i64) -> f64 {
    nano as f64 / NANO_PER_USD
}

/// Tokens of each model on each day.
pub async fn tokens_by_day(
    ctx: &Ctx,
    grains: &Grains,
    of: Of<'_>,
    zone: Tz,
) -> Result<Vec<(NaiveDate, String, i64)>, ApiError> {
    let source = Source::of(grains, true, of.key.is_some());
    let rows = sqlx::query!(
        r#"with parts as (
               select at, key_id, provider, model, input_uncached, input_cache_read, input_cache_write, output_visible,
                      output_reasoning
               from usage_sum where kind = $1 and at = any($2)
               union all
               select at, key_id, provider, model, input_uncached, input_cache_read, input_cache_write, output_visible,
                      output_reasoning
               from usage_sum where kind = $3 and at = any($4)
               union all
               select hour, key_id, provider, model, input_uncached, input_cache_read, input_cache_write,
                      output_visible, output_reasoning
               from usage_hour where hour = any($5))
           select (at at time zone $9)::date as "date!", model as "model!",
                  sum(input_uncached + input_cache_read + input_cache_write + output_visible + output_reasoning)::bigint
                  as "tokens!"
           from parts
           where ($6::text is null or provider = $6) and ($7::text is null or model = $7)
             and ($8::uuid is null or key_id = $8)
           group by 1, 2"#,
        source.day_kind,
        &grains.days,
        source.hour_kind,
        source.hours,
        &source.exact,
        of.provider,
        of.model,
        of.key,
        zone.name(),
    )
    .fetch_all(ctx.db.pool())
    .await?;
    let rows = rows.into_iter().map(|row| (row.date, row.model, row.tokens));
    Ok(rows.collect())
}

/// The sums of what `grains` say, added up to what is asked for. From the shortest table that tells enough apart: one row
/// for all keys of a model in an hour or a day is a hundredth of one for each of them.
pub async fn used(
    ctx: &Ctx,
    grains: &Grains,
    of: Of<'_>,
    apart: Apart,
    zone: Tz,
) -> Result<Vec<Used>, ApiError> {
    let of_models = apart.models || apart.accounts || of.provider.is_some() || of.model.is_some();
    let source = Source::of(grains, of_models, apart.keys || of.key.is_some());
    let used = sqlx::query_as!(
        Used,
        r#"with parts as (
               select at, key_id, provider, model, connection_id, key_name, requests, errors, given_again, unpriced,
                      input_uncached, input_cache_read, input_cache_write, output_visible, output_reasoning,
                      cost_nano, adjusted_nano, last_at
               from usage_sum where kind = $1 and at = any($2)
               union all
               select at, key_id, provider, model, connection_id, key_name, requests, errors, given_again, unpriced,
                      input_uncached, input_cache_read, input_cache_write, output_visible, output_reasoning,
                      cost_nano, adjusted_nano, last_at
               from usage_sum where kind = $3 and at = any($4)
               union all
               select hour, key_id, provider, model, connection_id, key_name, requests, errors, given_again, unpriced,
                      input_uncached, input_cache_read, input_cache_write, output_visible, output_reasoning,
                      cost_nano, adjusted_nano, last_at
               from usage_hour where hour = any($5)),
           used as (
               select case when $10 then (at at time zone $9)::date end as date,
                      case when $12 then provider else '' end as provider,
                      case when $11 then model else '' end as model,
                      case when $12 then connection_id else '00000000-0000-0000-0000-000000000000' end as connection_id,
                      case when $13 then key_id else '00000000-0000-0000-0000-000000000000' end as key_id,
                      max(key_name) as key_name, sum(requests)::bigint as requests, sum(errors)::bigint as errors,
                      sum(given_again)::bigint as given_again, sum(unpriced)::bigint as unpriced,
                      sum(input_uncached)::bigint as input_uncached,
                      sum(input_cache_read)::bigint as input_cache_read,
                      sum(input_cache_write)::bigint as input_cache_write,
                      sum(output_visible)::bigint as output_visible,
                      sum(output_reasoning)::bigint as output_reasoning, sum(cost_nano)::bigint as cost_nano,
                      sum(adjusted_nano)::bigint as adjusted_nano, max(last_at) as last_at
               from parts
               where ($6::text is null or provider = $6) and ($7::text is null or model = $7)
                 and ($8::uuid is null or key_id = $8)
               group by 1, 2, 3, 4, 5)
           select date, used.provider as "provider!", model as "model!", connection_id as "connection_id!",
                  c.name as "account?", key_id as "key_id!", key_name, requests as "requests!", errors as "errors!",
                  given_again as "given_again!", unpriced as "unpriced!", input_uncached as "input_uncached!",
                  input_cache_read as "input_cache_read!", input_cache_write as "input_cache_write!",
                  output_visible as "output_visible!", output_reasoning as "output_reasoning!",
                  cost_nano as "cost_nano!", adjusted_nano as "adjusted_nano!", last_at as "last_at!"
           from used left join provider_connection c on c.id = connection_id
           order by date, used.provider, model, connection_id, key_id"#,
        source.day_kind,
        &grains.days,
        source.hour_kind,
        source.hours,
        &source.exact,
        of.provider,
        of.model,
        of.key,
        zone.name(),
        apart.days,
        apart.models,
        apart.accounts,
        apart.keys,
    )
    .fetch_all(ctx.db.pool())
    .await?;
    Ok(used)
}

// === impl Used ===

impl Used {
    pub fn connection(&self) -> Option<(Uuid, String)> {
        let id = self.connection_id;
        // one that was deleted has no name any more
        let name = || self.account.clone().unwrap_or_else(|| short(id));
        (!id.is_nil()).then(|| (id, name()))
    }

    /// Who used a gateway that asks for no key is called `local`.
    pub fn key(&self) -> (Option<Uuid>, String) {
        match self.key_id {
            id if id.is_nil() => (None, "local".to_owned()),
            id => (Some(id), self.key_name.clone().unwrap_or_else(|| short(id))),
        }
    }

    pub fn sum(&self) -> Sum {
        Sum {
            requests: self.requests,
            errors: self.errors,
            given_again: self.given_again,
            prompt_tokens: self.input_uncached + self.input_cache_read + self.input_cache_write,
            cache_read_tokens: self.input_cache_read,
            cache_creation_tokens: self.input_cache_write,
            completion_tokens: self.output_visible + self.output_reasoning,
            reasoning_tokens: self.output_reasoning,
            cost: Usd(self.cost_nano),
            adjustment: Usd(self.adjusted_nano),
            unpriced_requests: self.unpriced,
            last_used: Some(Stamp(self.last_at)),
        }
    }
}

fn short(id: Uuid) -> String {
    id.to_string().chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> SumQuery {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_range_is_so_many_days_up_to_now() {
        let now = Utc.with_ymd_and_hms(2026, 3, 5, 12, 0, 0).unwrap();
        let from = |range| Span::named(range, now).from.map(|from| from.to_rfc3339());
        assert_eq!(from("7d").as_deref(), Some("2026-02-26T12:00:00+00:00"));
        assert_eq!(from("ytd").as_deref(), Some("2026-01-01T00:00:00+00:00"));
        assert_eq!(from("all"), None);
    }

    #[test]
    fn a_span_is_named_or_given_and_not_both() {
        assert_eq!(query("{}").span("30d").unwrap().0, "30d");
        let given = query(r#"{"from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z"}"#);
        assert_eq!(given.span("all").unwrap().0, "custom");
        for refused in [
            r#"{"range":"2d"}"#,
            r#"{"range":"7d","from":"2026-01-01T00:00:00Z"}"#,
            r#"{"from":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z"}"#,
        ] {
            assert!(query(refused).span("all").is_err(), "{refused}");
        }
    }
}

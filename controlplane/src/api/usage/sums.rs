//! Which part of the sums a question is about, what is found there, and how a sum looks.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, TimeZone, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    api::Ctx,
    error::ApiError,
    http::{Stamp, one_of},
};

const RANGES: [&str; 6] = ["1d", "7d", "30d", "90d", "ytd", "all"];
const NANO: f64 = 1e-9;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct SumQuery {
    /// `1d`, `7d`, `30d`, `90d`, `ytd` (since the first of January, UTC) or `all`.
    range: Option<String>,
    /// Instead of a range; to the hour.
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub api_key_id: Option<Uuid>,
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
    pub cost: f64,
    /// How many have no price, and are not in the cost.
    pub unpriced_requests: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Stamp>,
}

/// What was used of one model, through one account, by one key.
pub struct Used {
    /// Where days are told apart.
    pub date: Option<NaiveDate>,
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
    last_at: DateTime<Utc>,
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
        self.cost += other.cost;
        self.unpriced_requests += other.unpriced_requests;
        self.last_used = self.last_used.max(other.last_used);
    }

    pub fn tokens(&self) -> i64 {
        self.prompt_tokens + self.completion_tokens
    }
}

/// From what the database counts in.
pub fn usd(nano: i64) -> f64 {
    nano as f64 * NANO
}

/// With the days of a time zone told apart, or all of them together.
pub async fn used(
    ctx: &Ctx,
    query: &SumQuery,
    span: Span,
    zone: Option<&str>,
) -> Result<Vec<Used>, ApiError> {
    let used = sqlx::query_as!(
        Used,
        r#"select case when $6::text is not null then (u.hour at time zone $6)::date end as date,
                  u.provider, u.model, u.connection_id, c.name as "account?", u.key_id, max(u.key_name) as key_name,
                  sum(u.requests)::bigint as "requests!", sum(u.errors)::bigint as "errors!",
                  sum(u.given_again)::bigint as "given_again!", sum(u.unpriced)::bigint as "unpriced!",
                  sum(u.input_uncached)::bigint as "input_uncached!",
                  sum(u.input_cache_read)::bigint as "input_cache_read!",
                  sum(u.input_cache_write)::bigint as "input_cache_write!",
                  sum(u.output_visible)::bigint as "output_visible!",
                  sum(u.output_reasoning)::bigint as "output_reasoning!",
                  sum(u.cost_nano)::bigint as "cost_nano!", max(u.last_at) as "last_at!"
           from usage_hour u left join provider_connection c on c.id = u.connection_id
           where ($1::timestamptz is null or u.hour >= date_trunc('hour', $1, 'UTC'))
             and ($2::timestamptz is null or u.hour < $2)
             and ($3::text is null or u.provider = $3) and ($4::text is null or u.model = $4)
             and ($5::uuid is null or u.key_id = $5)
           group by 1, u.provider, u.model, u.connection_id, c.name, u.key_id"#,
        span.from,
        span.to,
        query.provider,
        query.model,
        query.api_key_id,
        zone,
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
            cost: usd(self.cost_nano),
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

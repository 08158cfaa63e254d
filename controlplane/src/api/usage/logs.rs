//! The request log: what clients asked and what it took.
//!
//! `GET /api/usage/logs` — one line per request · `GET /api/usage/request-logs`, `GET /api/usage/call-logs` — the same
//! as objects · `GET /api/usage/call-logs/{id}` — one of them. Newest first, page by page, with the same filters.
//! Requests of keys with `noLog` are in none of them, here and in the other logs; what they cost is counted all the same.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderName, HeaderValue},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json as SqlJson;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{part::contains, sums::usd};
use crate::{
    api::{Ctx, attempt::Attempt},
    error::ApiError,
    http::{Query, Reader, Stamp, one_of},
};

const X_NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");
const FORMATS: [&str; 2] = ["text", "json"];
/// Of every request that is accounted.
const METHOD: &str = "POST";

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LogQuery {
    /// 1 to 1000, 200 when absent.
    limit: Option<i64>,
    /// `text` or `json`.
    format: Option<String>,
    /// Only older requests than this one; from `X-Next-Cursor`.
    cursor: Option<String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    /// `ok` (answered with 2xx, and whole), `error` (anything else), or a status code.
    status: Option<String>,
    /// Part of the model, asked for or answering; upper and lower case are the same, here and below.
    model: Option<String>,
    /// Part of the provider's id.
    provider: Option<String>,
    /// Part of the connection's name.
    account: Option<String>,
    /// Part of the API key's name, or its id.
    #[serde(rename = "apiKey")]
    api_key: Option<String>,
    /// Anything: only requests to combos.
    combo: Option<String>,
    /// Part of the model, the path, the account, the provider, the key, the combo or the error, or the status.
    search: Option<String>,
}

/// What is looked for, as the database is asked for it.
#[derive(Debug, Default)]
struct Filter {
    id: Option<Uuid>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    is_ok: Option<bool>,
    status: Option<i32>,
    model: Option<String>,
    provider: Option<String>,
    account: Option<String>,
    api_key: Option<String>,
    is_combo: bool,
    search: Option<String>,
}

/// Tokens in disjoint classes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TokensView {
    /// All input: uncached, read from and written to the provider's cache.
    r#in: i64,
    /// All output, reasoning included.
    out: i64,
    cache_read: i64,
    cache_creation: i64,
    reasoning: i64,
}

/// What was used that providers do not count in tokens; what there was none of is left out.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UnitsView {
    /// Pictures made.
    #[serde(skip_serializing_if = "is_zero")]
    images: i64,
    /// Milliseconds of a recording that was listened to.
    #[serde(skip_serializing_if = "is_zero")]
    audio_ms: i64,
    /// Characters read out.
    #[serde(skip_serializing_if = "is_zero")]
    characters: i64,
    /// Searches of a reranker, as its provider counts them.
    #[serde(skip_serializing_if = "is_zero")]
    searches: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RequestView {
    id: Uuid,
    timestamp: Stamp,
    /// What the client saw as `X-Request-Id`.
    request_id: String,
    method: &'static str,
    path: String,
    /// What the client got; 499 = it left first.
    status: i32,
    outcome: String,
    error: Option<String>,
    model: Option<String>,
    requested_model: String,
    provider: Option<String>,
    connection_id: Option<Uuid>,
    account: Option<String>,
    api_key_id: Option<Uuid>,
    api_key_name: Option<String>,
    combo_name: Option<String>,
    source_format: String,
    target_format: Option<String>,
    stream: bool,
    /// Milliseconds.
    duration: i32,
    /// Milliseconds to the first event; absent when none came.
    ttft: Option<i32>,
    tokens: TokensView,
    units: UnitsView,
    /// USD; absent where nobody knows the price.
    cost: Option<f64>,
    /// Whether tokens and units are `provider_reported`, `counted`, `estimated`, or `none` were used.
    evidence: String,
    finish_reason: Option<String>,
    /// `provider`; `cache`; or `replay` for the answer to an earlier request of the same name. Absent when there was
    /// no answer.
    served_from: Option<String>,
    data_plane_id: String,
    config_revision: i64,
    attempts: Vec<Attempt>,
    /// Bodies are not kept; and so the next.
    has_request_body: bool,
    has_response_body: bool,
}

/// Where a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    started_at: DateTime<Utc>,
    request_id: Uuid,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(logs))
        .routes(routes!(request_logs))
        .routes(routes!(call_logs))
        .routes(routes!(call_log))
}

/// As `format` asks for it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = RequestLogEntry)]
enum Entry {
    Line(String),
    Request(Box<RequestView>),
}

// === impl LogQuery ===

impl LogQuery {
    fn filter(&self) -> Result<Filter, ApiError> {
        let part = |text: &Option<String>| contains(text.as_deref());
        let (is_ok, status) = match self.status.as_deref() {
            None | Some("") => (None, None),
            Some("ok") => (Some(true), None),
            Some("error") => (Some(false), None),
            Some(code) => match code.parse().ok().filter(|code| (100..600).contains(code)) {
                Some(code) => (None, Some(code)),
                None => return Err(ApiError::invalid("status", "must be ok, error or a status code")),
            },
        };
        Ok(Filter {
            id: None,
            from: self.from,
            to: self.to,
            is_ok,
            status,
            model: part(&self.model),
            provider: part(&self.provider),
            account: part(&self.account),
            api_key: part(&self.api_key),
            is_combo: self.combo.as_deref().is_some_and(|combo| !combo.is_empty()),
            search: part(&self.search),
        })
    }
}

// === impl Cursor ===

impl Cursor {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let parsed = text.split_once('_').and_then(|(micros, id)| {
            let started_at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
            Some(Self {
                started_at,
                request_id: Uuid::parse_str(id).ok()?,
            })
        });
        parsed
            .ok_or_else(|| ApiError::invalid("cursor", "is not one of ours: use the value of X-Next-Cursor"))
    }

    fn render(self) -> String {
        format!("{}_{}", self.started_at.timestamp_micros(), self.request_id)
    }
}

// === impl RequestView ===

impl RequestView {
    /// `dd-MM-yyyy HH:mm:ss | model | PROVIDER | account | tokensIn | tokensOut | status`
    fn line(&self) -> String {
        let or_dash = |text: Option<&str>| text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned();
        let model = self.model.as_deref().or(Some(&self.requested_model));
        [
            self.timestamp.0.format("%d-%m-%Y %H:%M:%S").to_string(),
            or_dash(model),
            or_dash(self.provider.as_deref()).to_uppercase(),
            or_dash(self.account.as_deref()),
            self.tokens.r#in.to_string(),
            self.tokens.out.to_string(),
            self.status.to_string(),
        ]
        .join(" | ")
    }
}

/// Lines of text, unless `format=json` asks for objects.
#[utoipa::path(get, path = "/api/usage/logs", tag = "usage", params(LogQuery),
    responses((status = 200, body = Vec<Entry>, headers(("x-next-cursor" = Option<String>, description = "the `cursor` of the next page"))), (status = 400)))]
async fn logs(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<LogQuery>,
) -> Result<Response, ApiError> {
    page(&ctx, &query, "text").await
}

/// Objects, unless `format=text` asks for lines.
#[utoipa::path(get, path = "/api/usage/request-logs", tag = "usage", params(LogQuery),
    responses((status = 200, body = Vec<Entry>, headers(("x-next-cursor" = Option<String>, description = "the `cursor` of the next page"))), (status = 400)))]
async fn request_logs(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<LogQuery>,
) -> Result<Response, ApiError> {
    page(&ctx, &query, "json").await
}

/// Objects, as `request-logs`.
#[utoipa::path(get, path = "/api/usage/call-logs", tag = "usage", params(LogQuery),
    responses((status = 200, body = Vec<Entry>, headers(("x-next-cursor" = Option<String>, description = "the `cursor` of the next page"))), (status = 400)))]
async fn call_logs(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<LogQuery>,
) -> Result<Response, ApiError> {
    page(&ctx, &query, "json").await
}

/// One request, by the `id` that it has in the log.
#[utoipa::path(get, path = "/api/usage/call-logs/{id}", tag = "usage", params(("id" = String, Path)),
    responses((status = 200, body = RequestView), (status = 404)))]
async fn call_log(
    State(ctx): State<Ctx>,
    _: Reader,
    Path(id): Path<String>,
) -> Result<Json<RequestView>, ApiError> {
    let unknown = || ApiError::not_found("request", &id);
    let filter = Filter {
        id: Some(Uuid::parse_str(&id).map_err(|_| unknown())?),
        ..Filter::default()
    };
    let (rows, _) = read(&ctx, 1, None, &filter).await?;
    rows.into_iter().next().map(Json).ok_or_else(unknown)
}

async fn page(ctx: &Ctx, query: &LogQuery, default_format: &str) -> Result<Response, ApiError> {
    let limit = query.limit.unwrap_or(200);
    if !(1..=1000).contains(&limit) {
        return Err(ApiError::invalid("limit", "must be 1 to 1000"));
    }
    let format = query.format.as_deref().unwrap_or(default_format);
    one_of("format", format, &FORMATS)?;
    let cursor = query.cursor.as_deref().map(Cursor::parse).transpose()?;

    let (rows, next) = read(ctx, limit, cursor, &query.filter()?).await?;
    let entry = |row: RequestView| match format {
        "text" => Entry::Line(row.line()),
        _ => Entry::Request(Box::new(row)),
    };
    let entries: Vec<Entry> = rows.into_iter().map(entry).collect();
    let mut response = Json(entries).into_response();
    if let Some(next) = next {
        let value = HeaderValue::from_str(&next.render()).expect("digits, an underscore and a UUID");
        response.headers_mut().insert(X_NEXT_CURSOR, value);
    }
    Ok(response)
}

async fn read(
    ctx: &Ctx,
    limit: i64,
    cursor: Option<Cursor>,
    filter: &Filter,
) -> Result<(Vec<RequestView>, Option<Cursor>), ApiError> {
    let rows = sqlx::query!(
        r#"select u.request_id, u.client_request_id, u.started_at, u.duration_ms, u.ttft_ms, u.key_id, u.key_name,
                  u.endpoint, u.client_dialect, u.upstream_dialect, u.model_requested, u.model_served, u.provider,
                  u.connection_id, c.name as "account?", u.combo, u.stream, u.http_status, u.outcome, u.error_code,
                  u.input_uncached, u.input_cache_read, u.input_cache_write, u.output_visible, u.output_reasoning,
                  u.finish_reason, u.data_plane_id, u.config_revision, u.attempts as "attempts: SqlJson<Vec<Attempt>>", u.served_from, u.cost_nano,
                  u.evidence, u.images, u.audio_ms, u.characters, u.searches
           from usage_event u left join provider_connection c on c.id = u.connection_id
           where u.no_log is not true
             and ($1::timestamptz is null or (u.started_at, u.request_id) < ($1, $2))
             and ($4::uuid is null or u.request_id = $4)
             and ($5::timestamptz is null or u.started_at >= $5)
             and ($6::timestamptz is null or u.started_at < $6)
             and ($7::bool is null or (u.http_status between 200 and 299 and u.outcome = 'ok') = $7)
             and ($8::int is null or u.http_status = $8)
             and ($9::text is null or u.model_served ilike $9 or u.model_requested ilike $9)
             and ($10::text is null or u.provider ilike $10)
             and ($11::text is null or c.name ilike $11)
             and ($12::text is null or u.key_name ilike $12 or u.key_id::text ilike $12)
             and (not $13 or u.combo is not null)
             and ($14::text is null or u.model_served ilike $14 or u.model_requested ilike $14
                  or u.endpoint ilike $14 or c.name ilike $14 or u.provider ilike $14 or u.key_name ilike $14
                  or u.combo ilike $14 or u.error_code ilike $14 or u.client_request_id ilike $14
                  or u.http_status::text ilike $14)
           order by u.started_at desc, u.request_id desc limit $3"#,
        cursor.map(|cursor| cursor.started_at),
        cursor.map(|cursor| cursor.request_id),
        limit,
        filter.id,
        filter.from,
        filter.to,
        filter.is_ok,
        filter.status,
        filter.model,
        filter.provider,
        filter.account,
        filter.api_key,
        filter.is_combo,
        filter.search,
    )
    .fetch_all(ctx.db.pool())
    .await?;

    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
    let last = rows.last().map(|row| Cursor {
        started_at: row.started_at,
        request_id: row.request_id,
    });
    let views = rows.into_iter().map(|row| RequestView {
        id: row.request_id,
        timestamp: Stamp(row.started_at),
        request_id: row.client_request_id,
        method: METHOD,
        path: row.endpoint,
        status: row.http_status,
        outcome: row.outcome,
        error: row.error_code,
        model: row.model_served,
        requested_model: row.model_requested,
        provider: row.provider,
        connection_id: row.connection_id,
        account: row.account,
        api_key_id: row.key_id,
        api_key_name: row.key_name,
        combo_name: row.combo,
        source_format: row.client_dialect,
        target_format: row.upstream_dialect,
        stream: row.stream,
        duration: row.duration_ms,
        ttft: (row.ttft_ms > 0).then_some(row.ttft_ms),
        tokens: TokensView {
            r#in: row.input_uncached + row.input_cache_read + row.input_cache_write,
            out: row.output_visible + row.output_reasoning,
            cache_read: row.input_cache_read,
            cache_creation: row.input_cache_write,
            reasoning: row.output_reasoning,
        },
        units: UnitsView {
            images: row.images,
            audio_ms: row.audio_ms,
            characters: row.characters,
            searches: row.searches,
        },
        cost: row.cost_nano.map(usd),
        evidence: row.evidence,
        finish_reason: row.finish_reason,
        served_from: row.served_from,
        data_plane_id: row.data_plane_id,
        config_revision: row.config_revision,
        attempts: row.attempts.0,
        has_request_body: false,
        has_response_body: false,
    });
    Ok((views.collect(), last.filter(|_| is_full)))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &i64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_a_foreign_one_is_refused() {
        let now = DateTime::from_timestamp_micros(Utc::now().timestamp_micros()).unwrap();
        let cursor = Cursor {
            started_at: now,
            request_id: Uuid::now_v7(),
        };
        assert_eq!(Cursor::parse(&cursor.render()).unwrap(), cursor);
        for foreign in ["", "1", "x_y", "1_2"] {
            assert!(Cursor::parse(foreign).is_err(), "{foreign}");
        }
    }
}

//! The request log: what clients asked and what it took.
//!
//! `GET /api/usage/logs` — one line per request · `GET /api/usage/request-logs`, `GET /api/usage/call-logs` — the same
//! as objects · `GET /api/usage/call-logs/{id}` — one of them, with its bodies where they are kept. Newest first, page by
//! page, with the same filters; and with these as a file (`GET /api/logs/export`) and as it grows
//! (`GET /api/usage/stream`).
//! Requests of keys with `noLog` are in none of them, here and in the other logs; what they cost is counted all the same.

mod export;
mod find;
mod stream;
mod wanted;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderName, HeaderValue},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::{
    find::{Filter, read},
    wanted::{Found, Wanted},
};
use crate::{
    api::{Ctx, attempt::Attempt},
    bodies::Kept,
    db::{Audit, Origin},
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
    /// USD by which pricing anew changed that afterwards; absent where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    adjustment: Option<f64>,
    /// Whether tokens and units are `provider_reported`, `counted`, `estimated`, or `none` were used.
    evidence: String,
    finish_reason: Option<String>,
    /// `provider`; `cache`; or `replay` for the answer to an earlier request of the same name. Absent when there was
    /// no answer.
    served_from: Option<String>,
    data_plane_id: String,
    config_revision: i64,
    attempts: Vec<Attempt>,
    /// What the client sent is kept, and can be read with this one request.
    has_request_body: bool,
    /// And so is what it got.
    has_response_body: bool,
}

/// One request with what is kept of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RequestDetail {
    #[serde(flatten)]
    request: RequestView,
    /// What the client sent: a JSON document as it is, other text as a string, and of what was too long
    /// `{_truncated, _originalSize, _preview}`, its size in bytes and its beginning. Null when it is not kept, is not
    /// asked for, or is not for this caller: it takes the role `admin`, or a key or token that may change things.
    #[schema(value_type = Value)]
    request_body: Option<Value>,
    /// What the client got, likewise; of a stream the bytes as they were sent.
    #[schema(value_type = Value)]
    response_body: Option<Value>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DetailQuery {
    /// `false`: without the bodies. Reading those is on record.
    bodies: Option<bool>,
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
        .routes(routes!(export::export))
        .routes(routes!(stream::stream))
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
    /// None when nothing there is can be meant.
    async fn filter(&self, pool: &PgPool) -> Result<Option<Filter>, ApiError> {
        let mut wanted = Wanted {
            combo: self.combo.as_deref().is_some_and(|combo| !combo.is_empty()),
            ..Wanted::default()
        };
        match self.status.as_deref() {
            None | Some("") => {}
            Some("ok") => wanted.is_ok = true,
            Some("error") => wanted.failed = true,
            Some(code) => match code.parse().ok().filter(|code| (100..600).contains(code)) {
                Some(code) => wanted.status = Some(code),
                None => return Err(ApiError::invalid("status", "must be ok, error or a status code")),
            },
        }
        for (part, kinds, slot) in [
            (&self.model, "m", &mut wanted.model),
            (&self.provider, "p", &mut wanted.provider),
            (&self.account, "c", &mut wanted.account),
            (&self.api_key, "ki", &mut wanted.key),
            (&self.search, "mucpkbes", &mut wanted.search),
        ] {
            let Some(part) = part.as_deref().filter(|part| !part.is_empty()) else {
                continue;
            };
            *slot = Found::of(pool, part, kinds).await?;
            if slot.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(Filter {
            ids: None,
            from: self.from,
            to: self.to,
            wanted,
        }))
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

/// One request, by the `id` that it has in the log, with what is kept of what the client sent and got.
#[utoipa::path(get, path = "/api/usage/call-logs/{id}", tag = "usage", params(("id" = String, Path), DetailQuery),
    responses((status = 200, body = RequestDetail), (status = 404)))]
async fn call_log(
    State(ctx): State<Ctx>,
    reader: Reader,
    Path(id): Path<String>,
    Query(query): Query<DetailQuery>,
) -> Result<Json<RequestDetail>, ApiError> {
    let unknown = || ApiError::not_found("request", &id);
    let filter = Filter {
        ids: Some(vec![Uuid::parse_str(&id).map_err(|_| unknown())?]),
        ..Filter::default()
    };
    let (rows, _) = read(&ctx, 1, None, &filter).await?;
    let request = rows.into_iter().next().ok_or_else(unknown)?;
    let is_kept = request.has_request_body || request.has_response_body;
    let is_wanted = reader.decides && query.bodies.unwrap_or(true);
    let kept = match is_kept && is_wanted {
        true => bodies(&ctx, &reader.origin, request.id).await?,
        false => Kept::default(),
    };
    Ok(Json(RequestDetail {
        request,
        request_body: kept.request,
        response_body: kept.response,
    }))
}

/// Whoever reads what somebody else sent is on record before they see it.
async fn bodies(ctx: &Ctx, origin: &Origin, id: Uuid) -> Result<Kept, ApiError> {
    let audit = Audit::of("usage.body.read").target("request", id);
    ctx.db.record(origin, audit).await?;
    Ok(ctx.bodies.find(id).await?.unwrap_or_default())
}

async fn page(ctx: &Ctx, query: &LogQuery, default_format: &str) -> Result<Response, ApiError> {
    let limit = query.limit.unwrap_or(200);
    if !(1..=1000).contains(&limit) {
        return Err(ApiError::invalid("limit", "must be 1 to 1000"));
    }
    let format = query.format.as_deref().unwrap_or(default_format);
    one_of("format", format, &FORMATS)?;
    let cursor = query.cursor.as_deref().map(Cursor::parse).transpose()?;

    let (rows, next) = match query.filter(ctx.db.pool()).await? {
        Some(filter) => read(ctx, limit, cursor, &filter).await?,
        None => (Vec::new(), None),
    };
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

//! `GET /api/logs/export` — the requests of the last hours as one file, with the filters of the log.
//!
//! It is made page by page, as fast as it is taken: whoever reads slowly, or leaves, holds no connection to the database
//! and no more than a page in memory. What is accounted after the beginning is not in it.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, header},
    response::Response,
};
use chrono::{SecondsFormat, TimeDelta, Utc};
use futures::{Stream, stream};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::{Cursor, LogQuery, RequestView, find::Filter, read};
use crate::{
    api::Ctx,
    db::Audit,
    error::ApiError,
    http::{Query, Reader, Violations, one_of},
};

const HOURS: std::ops::RangeInclusive<u32> = 1..=168;
const FORMATS: [&str; 2] = ["json", "csv"];
/// Rows that are in memory at a time.
const PAGE: i64 = 500;

const COLUMNS: [&str; 32] = [
    "timestamp",
    "id",
    "requestId",
    "method",
    "path",
    "status",
    "outcome",
    "error",
    "requestedModel",
    "model",
    "provider",
    "account",
    "connectionId",
    "apiKeyName",
    "apiKeyId",
    "comboName",
    "sourceFormat",
    "targetFormat",
    "stream",
    "durationMs",
    "ttftMs",
    "tokensIn",
    "tokensOut",
    "cacheRead",
    "cacheCreation",
    "reasoning",
    "cost",
    "evidence",
    "finishReason",
    "servedFrom",
    "attempts",
    "dataPlaneId",
];

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// 1 to 168: so far back. 24 when absent.
    hours: Option<u32>,
    /// `json`, an array of what `/api/usage/call-logs` has, or `csv`, a table of it. `json` when absent.
    format: Option<String>,
    /// As in `/api/usage/call-logs`, and so the next.
    status: Option<String>,
    model: Option<String>,
    provider: Option<String>,
    account: Option<String>,
    #[serde(rename = "apiKey")]
    api_key: Option<String>,
    combo: Option<String>,
    search: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

/// What is still to be written.
struct Rest {
    ctx: Ctx,
    filter: Option<Filter>,
    format: Format,
    next: Next,
}

enum Next {
    Begin,
    After(Cursor),
    End,
}

// === impl Format ===

impl Format {
    fn media_type(self) -> HeaderValue {
        match self {
            Self::Json => HeaderValue::from_static("application/json"),
            Self::Csv => HeaderValue::from_static("text/csv; charset=utf-8"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }
}

/// Requests of the last hours, the newest first, as a file. On record, for it leaves the gateway.
#[utoipa::path(get, path = "/api/logs/export", tag = "usage", params(ExportQuery),
    responses((status = 200, content((Vec<RequestView> = "application/json"), (String = "text/csv"))), (status = 400)))]
pub async fn export(
    State(ctx): State<Ctx>,
    reader: Reader,
    Query(query): Query<ExportQuery>,
) -> Result<Response, ApiError> {
    let hours = query.hours.unwrap_or(24);
    let mut violations = Violations::default();
    violations.range("hours", hours, HOURS);
    violations.into_result()?;
    let format = query.format.as_deref().unwrap_or("json");
    one_of("format", format, &FORMATS)?;
    let format = match format {
        "csv" => Format::Csv,
        _ => Format::Json,
    };
    let now = Utc::now();
    let said = json!({ "hours": hours, "format": format.name(), "status": query.status, "model": query.model,
        "provider": query.provider, "account": query.account, "apiKey": query.api_key, "combo": query.combo,
        "search": query.search });
    let filter = LogQuery {
        limit: None,
        format: None,
        cursor: None,
        from: Some(now - TimeDelta::hours(hours.into())),
        to: Some(now),
        status: query.status,
        model: query.model,
        provider: query.provider,
        account: query.account,
        api_key: query.api_key,
        combo: query.combo,
        search: query.search,
    };
    let filter = filter.filter(ctx.db.pool()).await?;
    ctx.db
        .record(&reader.origin, Audit::of("usage.exported").details(said))
        .await?;
    let name = format!(
        "attachment; filename=\"omniroute-requests-{}.{}\"",
        now.format("%Y-%m-%dT%H-%M-%S"),
        format.name(),
    );
    let rest = Rest {
        ctx,
        filter,
        format,
        next: Next::Begin,
    };
    let mut response = Response::new(Body::from_stream(rest.pages()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, format.media_type());
    let name = HeaderValue::try_from(name).map_err(ApiError::internal)?;
    headers.insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

// === impl Rest ===

impl Rest {
    /// An error breaks the answer off, so that nobody takes a part for the whole.
    fn pages(self) -> impl Stream<Item = Result<Bytes, ApiError>> + Send {
        stream::try_unfold(self, Self::page)
    }

    async fn page(mut self) -> Result<Option<(Bytes, Self)>, ApiError> {
        let (is_first, cursor) = match self.next {
            Next::Begin => (true, None),
            Next::After(cursor) => (false, Some(cursor)),
            Next::End => return Ok(None),
        };
        let (rows, next) = match &self.filter {
            Some(filter) => read(&self.ctx, PAGE, cursor, filter).await?,
            None => (Vec::new(), None),
        };
        let text = match self.format {
            Format::Json => json_of(&rows, is_first, next.is_none())?,
            Format::Csv => csv_of(&rows, is_first),
        };
        self.next = next.map_or(Next::End, Next::After);
        Ok(Some((text.into(), self)))
    }
}

/// A part of an array.
fn json_of(rows: &[RequestView], is_first: bool, is_last: bool) -> Result<String, ApiError> {
    let mut text = String::from(if is_first { "[" } else { "" });
    for (number, row) in rows.iter().enumerate() {
        if number > 0 || !is_first {
            text.push(',');
        }
        text.push('\n');
        text.push_str(&serde_json::to_string(row).map_err(ApiError::internal)?);
    }
    if is_last {
        text.push_str("\n]\n");
    }
    Ok(text)
}

/// As in RFC 4180.
fn csv_of(rows: &[RequestView], is_first: bool) -> String {
    let mut text = String::new();
    if is_first {
        line(&mut text, COLUMNS.map(str::to_owned));
    }
    for row in rows {
        line(&mut text, cells(row));
    }
    text
}

fn line(text: &mut String, cells: [String; COLUMNS.len()]) {
    text.push_str(&cells.join(","));
    text.push_str("\r\n");
}

fn cells(row: &RequestView) -> [String; COLUMNS.len()] {
    let optional = |text: &Option<String>| cell(text.as_deref().unwrap_or_default());
    let shown = |value: Option<String>| value.unwrap_or_default();
    let tokens = &row.tokens;
    [
        row.timestamp.0.to_rfc3339_opts(SecondsFormat::Millis, true),
        row.id.to_string(),
        cell(&row.request_id),
        row.method.to_owned(),
        cell(&row.path),
        row.status.to_string(),
        cell(&row.outcome),
        optional(&row.error),
        cell(&row.requested_model),
        optional(&row.model),
        optional(&row.provider),
        optional(&row.account),
        shown(row.connection_id.map(|id| id.to_string())),
        optional(&row.api_key_name),
        shown(row.api_key_id.map(|id| id.to_string())),
        optional(&row.combo_name),
        cell(&row.source_format),
        optional(&row.target_format),
        row.stream.to_string(),
        row.duration.to_string(),
        shown(row.ttft.map(|ms| ms.to_string())),
        tokens.r#in.to_string(),
        tokens.out.to_string(),
        tokens.cache_read.to_string(),
        tokens.cache_creation.to_string(),
        tokens.reasoning.to_string(),
        shown(row.cost.map(|cost| cost.to_string())),
        cell(&row.evidence),
        optional(&row.finish_reason),
        optional(&row.served_from),
        row.attempts.len().to_string(),
        cell(&row.data_plane_id),
    ]
}

/// A text that a stranger may have chosen. What a spreadsheet would take for a formula gets an apostrophe in front, by
/// which spreadsheets know text: <https://owasp.org/www-community/attacks/CSV_Injection>.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let guard = if is_formula { "'" } else { "" };
    if !is_formula && !text.contains([',', '"', '\r', '\n']) {
        return text.to_owned();
    }
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_is_no_formula() {
        for (text, expected) in [
            ("", ""),
            ("openai/gpt-4o", "openai/gpt-4o"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-2", "\"'-2\""),
            ("@sum", "\"'@sum\""),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("=cmd|\"/c\"", "\"'=cmd|\"\"/c\"\"\""),
        ] {
            assert_eq!(cell(text), expected, "{text:?}");
        }
    }
}

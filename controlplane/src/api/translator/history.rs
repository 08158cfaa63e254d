//! What was tried: what became what, who answered, how long it took. Never the text.

use llm::Dialect;
use proto::v1::Asked;
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::http::Stamp;

/// Events that are remembered.
pub const KEPT: i64 = 200;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TranslatorEvent)]
pub struct Event {
    timestamp: Stamp,
    /// `translate` or `send`.
    kind: String,
    source_format: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_format: Option<String>,
    /// As it was asked for.
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    /// `ok` or `error`.
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<i32>,
}

// === impl Event ===

impl Event {
    pub fn new(kind: &str, source: Dialect, model: &str) -> Self {
        Self {
            timestamp: Stamp::now(),
            kind: kind.to_owned(),
            source_format: source.name().to_owned(),
            target_format: None,
            model: model.to_owned(),
            provider: None,
            status: "ok".to_owned(),
            status_code: None,
            latency_ms: None,
        }
    }

    pub fn to(self, target: Dialect) -> Self {
        Self {
            target_format: Some(target.name().to_owned()),
            ..self
        }
    }

    pub fn answered(self, asked: &Asked) -> Self {
        Self {
            provider: Some(asked.provider.clone()).filter(|provider| !provider.is_empty()),
            status: if asked.ok { "ok" } else { "error" }.to_owned(),
            status_code: i32::try_from(asked.http_status).ok().filter(|status| *status > 0),
            latency_ms: i32::try_from(asked.latency_ms).ok(),
            ..self
        }
    }
}

/// The oldest are forgotten.
pub async fn remember(pool: &PgPool, event: Event) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with written as (
             insert into translator_event
                 (at, kind, source_format, target_format, model, provider, status, status_code, latency_ms)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id)
         delete from translator_event where id <= (select id from written) - $10",
        event.timestamp.0,
        event.kind,
        event.source_format,
        event.target_format,
        event.model,
        event.provider,
        event.status,
        event.status_code,
        event.latency_ms,
        KEPT,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Newest first, and how many there are.
pub async fn newest(pool: &PgPool, limit: i64) -> Result<(Vec<Event>, i64), sqlx::Error> {
    let rows = sqlx::query!(
        r#"select at, kind, source_format, target_format, model, provider, status, status_code, latency_ms,
                  count(*) over () as "total!"
           from translator_event order by id desc limit $1"#,
        limit,
    )
    .fetch_all(pool)
    .await?;
    let total = rows.first().map_or(0, |row| row.total);
    let event = rows.into_iter().map(|row| Event {
        timestamp: Stamp(row.at),
        kind: row.kind,
        source_format: row.source_format,
        target_format: row.target_format,
        model: row.model,
        provider: row.provider,
        status: row.status,
        status_code: row.status_code,
        latency_ms: row.latency_ms,
    });
    Ok((event.collect(), total))
}

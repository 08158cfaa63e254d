//! Which way calls to providers went out: a view of the attempts in the request log.
//!
//! `GET DELETE /api/usage/proxy-logs`
//!
//! Clearing hides what is older. The rows are the ledger's, and stay.

use axum::{Json, extract::State};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::types::Json as SqlJson;
use url::Url;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::part::contains;
use crate::{
    api::{
        Ctx,
        attempt::{Attempt, ProxyHop},
    },
    db::Audit,
    error::ApiError,
    http::{Operator, Query, Reader, Stamp, one_of},
};

const STATUSES: [&str; 3] = ["ok", "error", "timeout"];
const TYPES: [&str; 3] = ["http", "https", "socks5"];
const LEVELS: [&str; 5] = ["global", "provider", "combo", "key", "direct"];
const CLEARED: &str = "proxyLogClearedAt";

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ProxyLogQuery {
    /// `ok`, `error` or `timeout`
    status: Option<String>,
    /// Of the proxy: `http`, `https` or `socks5`.
    r#type: Option<String>,
    /// The provider's id.
    provider: Option<String>,
    /// Whose proxy: `global`, `provider`, `combo`, `key` (a connection's); `direct`: none.
    level: Option<String>,
    /// Part of the provider, the model, the account, the proxy or the address behind it, or what went wrong.
    search: Option<String>,
    /// 1 to 1000, 300 when absent.
    limit: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProxyCall {
    id: String,
    timestamp: Stamp,
    /// `ok`, `error` or `timeout`
    status: &'static str,
    /// Absent for a call that went out directly, or through what the environment of the data plane names.
    proxy: Option<ProxyAddress>,
    /// `global`, `provider`, `combo`, `key` or `direct`
    level: String,
    /// Whose proxy it is at that level.
    level_id: Option<String>,
    provider: String,
    /// What was called through the proxy.
    target_url: Option<String>,
    /// Not known for single calls: `POST /api/settings/proxy/test` asks for it.
    public_ip: Option<String>,
    /// To the provider's answer.
    latency_ms: u32,
    error: Option<String>,
    connection_id: Option<Uuid>,
    combo_id: Option<Uuid>,
    account: Option<String>,
    /// Always `null`: calls are made as this program makes them.
    tls_fingerprint: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ProxyAddress {
    r#type: String,
    host: String,
    port: u16,
}

#[derive(Debug, Serialize, ToSchema)]
struct ProxyLogCleared {
    cleared: bool,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list, clear))
}

// === impl ProxyAddress ===

impl ProxyAddress {
    /// None for the empty address of a proxy that cannot be used.
    fn of(hop: &ProxyHop) -> Option<Self> {
        let url = Url::parse(&hop.url).ok()?;
        Some(Self {
            r#type: url.scheme().to_owned(),
            host: url.host_str()?.to_owned(),
            port: url.port_or_known_default()?,
        })
    }
}

/// Calls to providers, the newest first.
#[utoipa::path(get, path = "/api/usage/proxy-logs", tag = "usage", params(ProxyLogQuery),
    responses((status = 200, body = Vec<ProxyCall>), (status = 400)))]
async fn list(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<ProxyLogQuery>,
) -> Result<Json<Vec<ProxyCall>>, ApiError> {
    for (field, value, allowed) in [
        ("status", &query.status, &STATUSES[..]),
        ("type", &query.r#type, &TYPES[..]),
        ("level", &query.level, &LEVELS[..]),
    ] {
        if let Some(value) = value {
            one_of(field, value, allowed)?;
        }
    }
    let limit = query.limit.unwrap_or(300);
    if !(1..=1000).contains(&limit) {
        return Err(ApiError::invalid("limit", "must be 1 to 1000"));
    }
    let is_direct = query.level.as_deref() == Some("direct");
    let level = query.level.as_deref().filter(|_| !is_direct).map(stored_level);
    // few rows have a proxy, and an index knows them
    let is_proxied = level.is_some() || query.r#type.is_some();
    let rows = sqlx::query!(
        r#"select u.request_id, u.started_at, u.combo is not null as "is_combo!", k.id as "combo_id?",
                  a.number as "number!", a.attempt as "attempt!: SqlJson<Attempt>", c.id as "connection_id?",
                  c.name as "account?"
           from usage_event u
           cross join lateral jsonb_array_elements(u.attempts) with ordinality as a (attempt, number)
           left join provider_connection c on c.id::text = a.attempt ->> 'connectionId'
           left join combo k on k.name = u.combo
           where u.no_log is not true
             and u.started_at > coalesce((select (value #>> '{}')::timestamptz from setting where key = $1), '-infinity')
             and (not $2 or jsonb_path_exists(u.attempts, '$[*].proxy'))
             and (not $3 or a.attempt -> 'proxy' is null)
             and ($4::text is null or a.attempt #>> '{proxy,level}' = $4)
             and ($5::text is null or a.attempt #>> '{proxy,url}' like $5 || '://%')
             and ($6::text is null or a.attempt ->> 'provider' = $6)
             and ($7::text is null
                  or $7 = case a.attempt ->> 'outcome' when 'ok' then 'ok' when 'timeout' then 'timeout' else 'error' end)
             and ($8::text is null or a.attempt ->> 'provider' ilike $8 or a.attempt ->> 'model' ilike $8
                  or a.attempt ->> 'outcome' ilike $8 or c.name ilike $8 or a.attempt #>> '{proxy,url}' ilike $8
                  or a.attempt #>> '{proxy,upstream}' ilike $8)
           order by u.started_at desc, u.request_id desc, a.number desc limit $9"#,
        CLEARED,
        is_proxied,
        is_direct,
        level,
        query.r#type,
        query.provider,
        query.status,
        contains(query.search.as_deref()),
        limit,
    )
    .fetch_all(ctx.db.pool())
    .await?;
    let calls = rows.into_iter().map(|row| {
        let SqlJson(attempt) = row.attempt;
        let hop = attempt.proxy.as_ref();
        ProxyCall {
            id: format!("{}.{}", row.request_id, row.number),
            timestamp: Stamp(row.started_at + Duration::milliseconds(attempt.started_after_ms.into())),
            status: status(&attempt.outcome),
            proxy: hop.and_then(ProxyAddress::of),
            level: hop.map_or("direct", |hop| shown_level(&hop.level)).to_owned(),
            level_id: hop
                .map(|hop| hop.target.clone())
                .filter(|target| !target.is_empty()),
            target_url: hop.map(|hop| hop.upstream.clone()),
            public_ip: None,
            latency_ms: attempt.duration_ms,
            error: (attempt.outcome != "ok").then(|| attempt.outcome.clone()),
            provider: attempt.provider,
            connection_id: row.connection_id,
            combo_id: row.combo_id,
            account: row.account,
            tls_fingerprint: None,
        }
    });
    Ok(Json(calls.collect()))
}

/// Begins the log anew. Nothing of the usage is lost.
#[utoipa::path(delete, path = "/api/usage/proxy-logs", tag = "usage",
    responses((status = 200, body = ProxyLogCleared)))]
async fn clear(State(ctx): State<Ctx>, operator: Operator) -> Result<Json<ProxyLogCleared>, ApiError> {
    let now: DateTime<Utc> = Utc::now();
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    sqlx::query!(
        "insert into setting (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value",
        CLEARED,
        Value::String(now.to_rfc3339()),
    )
    .execute(tx.conn())
    .await?;
    let audit = Audit::of("usage.proxyLogs.cleared").details(json!({ "before": Stamp(now) }));
    tx.commit(audit, ()).await?;
    Ok(Json(ProxyLogCleared { cleared: true }))
}

fn status(outcome: &str) -> &'static str {
    match outcome {
        "ok" => STATUSES[0],
        "timeout" => STATUSES[2],
        _ => STATUSES[1],
    }
}

/// The reference calls an account's level `key`.
fn stored_level(shown: &str) -> &str {
    if shown == "key" { "connection" } else { shown }
}

fn shown_level(stored: &str) -> &str {
    if stored == "connection" { "key" } else { stored }
}

//! Sums over a stretch of time, by everything that one may want to know.
//!
//! `GET /api/usage/history`

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::sums::{Apart, Sum, SumQuery, Usd, Used, usd, used};
use crate::{
    api::Ctx,
    error::ApiError,
    http::{Query, Reader},
    rollup::{Grains, day_zone},
};

const MINUTES: i64 = 10;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HistoryView {
    total_requests: i64,
    total_prompt_tokens: i64,
    total_completion_tokens: i64,
    /// USD, of requests whose price is known.
    #[schema(value_type = f64)]
    total_cost: Usd,
    /// USD by which pricing anew changed that afterwards, up or down; it is not in the cost.
    #[schema(value_type = f64)]
    total_adjustment: Usd,
    /// How many have no price, and are not in the cost.
    unpriced_requests: i64,
    by_provider: BTreeMap<String, Sum>,
    /// By `model (provider)`.
    by_model: BTreeMap<String, ModelSum>,
    /// By `model (provider - account)`.
    by_account: BTreeMap<String, AccountSum>,
    /// By `name (id)`.
    by_api_key: BTreeMap<String, KeySum>,
    /// By minute, oldest first; the last one is not over yet.
    last10_minutes: Vec<MinuteView>,
    pending: PendingView,
    /// The same as a list.
    active_requests: Vec<ActiveView>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ModelSum {
    #[serde(flatten)]
    sum: Sum,
    raw_model: String,
    provider: String,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AccountSum {
    #[serde(flatten)]
    sum: Sum,
    raw_model: String,
    provider: String,
    connection_id: Uuid,
    account_name: String,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeySum {
    #[serde(flatten)]
    sum: Sum,
    api_key_id: Option<Uuid>,
    api_key_name: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MinuteView {
    requests: i64,
    prompt_tokens: i64,
    completion_tokens: i64,
    cost: f64,
}

/// Calls that providers are working on now, as data planes said some seconds ago at most.
#[derive(Debug, Default, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PendingView {
    /// By `model (provider)`.
    by_model: BTreeMap<String, i64>,
    /// By the connection's id, and in it by `model (provider)`.
    by_account: BTreeMap<String, BTreeMap<String, i64>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ActiveView {
    model: String,
    provider: String,
    /// The connection's name; empty when there is none any more.
    account: String,
    connection_id: String,
    count: i64,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(history))
}

/// What was used, by provider, model, account and API key.
#[utoipa::path(get, path = "/api/usage/history", tag = "usage", params(SumQuery),
    responses((status = 200, body = HistoryView), (status = 400)))]
async fn history(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<SumQuery>,
) -> Result<Json<HistoryView>, ApiError> {
    let (_, span) = query.span("all")?;
    let zone = day_zone(ctx.db.pool()).await?;
    let grains = Grains::of(ctx.db.pool(), span.from, span.to, zone).await?;
    let accounts = Apart {
        models: true,
        accounts: true,
        ..Apart::default()
    };
    let keys = Apart {
        keys: true,
        ..Apart::default()
    };
    let of_accounts = used(&ctx, &grains, query.of(), accounts, zone).await?;
    let of_keys = used(&ctx, &grains, query.of(), keys, zone).await?;
    let last10_minutes = last_minutes(&ctx, Utc::now()).await?;
    let (pending, active_requests) = running(&ctx).await?;

    let mut total = Sum::default();
    let mut by_provider: BTreeMap<String, Sum> = BTreeMap::new();
    let mut by_model: BTreeMap<String, ModelSum> = BTreeMap::new();
    let mut by_account: BTreeMap<String, AccountSum> = BTreeMap::new();
    for used in of_accounts {
        let (sum, connection) = (used.sum(), used.connection());
        let Used { provider, model, .. } = used;
        total.add(&sum);
        by_provider.entry(provider.clone()).or_default().add(&sum);
        let of_model = by_model.entry(format!("{model} ({provider})")).or_default();
        of_model.sum.add(&sum);
        of_model.raw_model.clone_from(&model);
        of_model.provider.clone_from(&provider);
        if let Some((connection, account)) = connection {
            let of_account = by_account
                .entry(format!("{model} ({provider} - {account})"))
                .or_default();
            of_account.sum.add(&sum);
            of_account.raw_model = model;
            of_account.provider = provider;
            of_account.connection_id = connection;
            of_account.account_name = account;
        }
    }
    let by_api_key = of_keys.into_iter().map(|used| {
        let (id, name) = used.key();
        let label = id.map_or_else(|| name.clone(), |id| format!("{name} ({id})"));
        let sum = KeySum {
            sum: used.sum(),
            api_key_id: id,
            api_key_name: name,
        };
        (label, sum)
    });
    Ok(Json(HistoryView {
        total_requests: total.requests,
        total_prompt_tokens: total.prompt_tokens,
        total_completion_tokens: total.completion_tokens,
        total_cost: total.cost,
        total_adjustment: total.adjustment,
        unpriced_requests: total.unpriced_requests,
        by_provider,
        by_model,
        by_account,
        by_api_key: by_api_key.collect(),
        last10_minutes,
        pending,
        active_requests,
    }))
}

async fn last_minutes(ctx: &Ctx, now: DateTime<Utc>) -> Result<Vec<MinuteView>, ApiError> {
    let minute = TimeDelta::minutes(1);
    let this = now.duration_trunc(minute).unwrap_or(now);
    let first = this - minute * i32::try_from(MINUTES - 1).unwrap_or(0);
    let rows = sqlx::query!(
        r#"select minute, sum(requests)::bigint as "requests!", sum(input_tokens)::bigint as "input!",
                  sum(output_tokens)::bigint as "output!", sum(cost_nano)::bigint as "cost_nano!"
           from usage_minute where minute >= $1 group by minute"#,
        first,
    )
    .fetch_all(ctx.db.pool())
    .await?;
    let mut minutes = vec![MinuteView::default(); MINUTES.unsigned_abs() as usize];
    for row in rows {
        let position = usize::try_from((row.minute - first).num_minutes()).ok();
        if let Some(view) = position.and_then(|position| minutes.get_mut(position)) {
            *view = MinuteView {
                requests: row.requests,
                prompt_tokens: row.input,
                completion_tokens: row.output,
                cost: usd(row.cost_nano),
            };
        }
    }
    Ok(minutes)
}

/// What data planes say is under way.
async fn running(ctx: &Ctx) -> Result<(PendingView, Vec<ActiveView>), ApiError> {
    let calls = ctx.fleet.pending().await?;
    let ids: Vec<Uuid> = calls
        .iter()
        .filter_map(|call| call.connection_id.parse().ok())
        .collect();
    let names = sqlx::query!(
        "select id, name from provider_connection where id = any($1)",
        &ids
    )
    .fetch_all(ctx.db.pool())
    .await?;
    let names: BTreeMap<String, String> = names
        .into_iter()
        .filter_map(|row| Some((row.id.to_string(), row.name?)))
        .collect();
    let mut pending = PendingView::default();
    for call in &calls {
        let model = format!("{} ({})", call.model, call.provider);
        *pending.by_model.entry(model.clone()).or_default() += call.calls;
        let account = pending.by_account.entry(call.connection_id.clone()).or_default();
        *account.entry(model).or_default() += call.calls;
    }
    let active = calls.into_iter().map(|call| ActiveView {
        account: names.get(&call.connection_id).cloned().unwrap_or_default(),
        model: call.model,
        provider: call.provider,
        connection_id: call.connection_id,
        count: call.calls,
    });
    Ok((pending, active.collect()))
}

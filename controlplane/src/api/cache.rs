//! Answers that are given again: how often, and an end to it.
//!
//! `GET DELETE /api/cache` · `GET DELETE /api/cache/stats`
//!
//! Nothing is deleted by going through it: the configuration steps to another generation, of which no answer is, and
//! data planes find none from the moment they run it.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, PgExecutor};
use state::CacheStats;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::Ctx,
    db::{Audit, Committed},
    error::ApiError,
    http::{Operator, Query, Reader, Wait, WaitQuery, one_of},
};

const SCOPES: [&str; 3] = ["all", "semantic", "idempotency"];
/// Where the generations are kept.
const SEMANTIC: &str = "cacheGeneration";
const IDEMPOTENCY: &str = "idempotencyGeneration";

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CacheView {
    semantic_cache: SemanticView,
    idempotency: IdempotencyView,
}

/// Answers to questions that are asked again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SemanticView {
    /// Answers in the memory of data planes, one in several counted several times.
    memory_size: u64,
    memory_max_size: u64,
    /// Answers in the state store.
    db_size: u64,
    /// 0 to 1, since the cache was cleared last.
    hit_rate: f64,
    memory_entries: u64,
    db_entries: u64,
    hits: u64,
    /// Of these, answers to a similar question.
    semantic_hits: u64,
    misses: u64,
    /// Of answers that no provider had to give.
    tokens_saved: u64,
}

/// Answers to requests that are sent again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct IdempotencyView {
    /// Requests that run under a name of their client's, or were answered just now.
    active_keys: u64,
    /// How long an answer is remembered; 0 while no data plane says.
    window_ms: u64,
}

/// The memory of data planes alone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MemoryView {
    size: u64,
    max_size: u64,
    hits: u64,
    misses: u64,
    evictions: u64,
    /// 0 to 100.
    hit_rate: f64,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
struct ClearQuery {
    /// `all`, which is meant when it is absent; `semantic`: answers to questions; `idempotency`: answers to requests
    /// that are sent again.
    scope: Option<String>,
    /// Refused, as the next two: a scope is cleared as a whole.
    model: Option<String>,
    signature: Option<String>,
    stale_ms: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ClearedView {
    ok: bool,
    /// Always 0: what has expired is removed by itself.
    expired_removed: u64,
    cleared: Cleared,
}

/// How much there was; absent while the state store does not answer.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Cleared {
    semantic: Option<u64>,
    idempotency: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CacheForgotten)]
struct Forgotten {
    success: bool,
    message: &'static str,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(read, clear))
        .routes(routes!(stats, forget))
}

// === impl CacheView ===

impl From<CacheStats> for CacheView {
    fn from(stats: CacheStats) -> Self {
        let CacheStats {
            counts,
            stored,
            holdings,
        } = stats;
        Self {
            semantic_cache: SemanticView {
                memory_size: holdings.entries,
                memory_max_size: holdings.max_entries,
                db_size: stored,
                hit_rate: rate(counts.hits, counts.misses),
                memory_entries: holdings.entries,
                db_entries: stored,
                hits: counts.hits,
                semantic_hits: counts.similar_hits,
                misses: counts.misses,
                tokens_saved: counts.tokens_saved,
            },
            idempotency: IdempotencyView {
                active_keys: holdings.idempotency_keys,
                window_ms: holdings.idempotency_window_ms,
            },
        }
    }
}

// === impl MemoryView ===

impl From<CacheStats> for MemoryView {
    fn from(CacheStats { counts, holdings, .. }: CacheStats) -> Self {
        Self {
            size: holdings.entries,
            max_size: holdings.max_entries,
            hits: counts.hits,
            misses: counts.misses,
            evictions: counts.evictions,
            hit_rate: 100.0 * rate(counts.hits, counts.misses),
        }
    }
}

// === impl ClearQuery ===

impl ClearQuery {
    fn scope(&self) -> Result<&str, ApiError> {
        for (field, given) in [
            ("model", &self.model),
            ("signature", &self.signature),
            ("staleMs", &self.stale_ms),
        ] {
            if given.is_some() {
                let problem =
                    "cannot be chosen by: a scope is cleared as a whole, at once and on every data plane";
                return Err(ApiError::invalid(field, problem));
            }
        }
        let scope = self.scope.as_deref().unwrap_or(SCOPES[0]);
        one_of("scope", scope, &SCOPES)?;
        Ok(scope)
    }
}

/// What was given again, and what is there to be.
#[utoipa::path(get, path = "/api/cache", tag = "cache", responses((status = 200, body = CacheView), (status = 503)))]
async fn read(State(ctx): State<Ctx>, _: Reader) -> Result<Json<CacheView>, ApiError> {
    Ok(Json(current(&ctx).await?.into()))
}

/// Forgets every answer of a scope, on every data plane. Answers when they have, or after a while.
#[utoipa::path(delete, path = "/api/cache", tag = "cache", params(ClearQuery, WaitQuery),
    responses((status = 200, body = ClearedView), (status = 400)))]
async fn clear(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    Query(query): Query<ClearQuery>,
) -> Result<Response, ApiError> {
    let Committed { revision, value } = step(&ctx, &operator, query.scope()?).await?;
    let value = ClearedView {
        ok: true,
        expired_removed: 0,
        cleared: value,
    };
    let committed = Committed { revision, value };
    Ok(wait.always().answer(StatusCode::OK, committed).await)
}

/// The memory of data planes: how much of it is used, and how often it held the answer.
#[utoipa::path(get, path = "/api/cache/stats", tag = "cache",
    responses((status = 200, body = MemoryView), (status = 503)))]
async fn stats(State(ctx): State<Ctx>, _: Reader) -> Result<Json<MemoryView>, ApiError> {
    Ok(Json(current(&ctx).await?.into()))
}

/// Forgets every answer to a question, and begins to count anew.
#[utoipa::path(delete, path = "/api/cache/stats", tag = "cache", params(WaitQuery),
    responses((status = 200, body = Forgotten)))]
async fn forget(State(ctx): State<Ctx>, operator: Operator, wait: Wait) -> Result<Response, ApiError> {
    let Committed { revision, .. } = step(&ctx, &operator, "semantic").await?;
    let value = Forgotten {
        success: true,
        message: "the cache is empty, and counts from zero",
    };
    let committed = Committed { revision, value };
    Ok(wait.always().answer(StatusCode::OK, committed).await)
}

/// Goes to the next generation of a scope.
async fn step(ctx: &Ctx, operator: &Operator, scope: &str) -> Result<Committed<Cleared>, ApiError> {
    // how much there was is worth knowing, and no reason to keep it
    let before = current(ctx)
        .await
        .inspect_err(|error| tracing::warn!(?error, "how much is cleared is not known"))
        .ok();
    let is_in = |one| scope == SCOPES[0] || scope == one;
    let mut cleared = Cleared::default();
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    if is_in("semantic") {
        next_generation(tx.conn(), SEMANTIC).await?;
        cleared.semantic = before.map(|stats| stats.stored);
    }
    if is_in("idempotency") {
        next_generation(tx.conn(), IDEMPOTENCY).await?;
        cleared.idempotency = before.map(|stats| stats.holdings.idempotency_keys);
    }
    let audit = Audit::of("cache.cleared").details(json!({ "scope": scope, "cleared": cleared }));
    Ok(tx.commit(audit, cleared).await?)
}

async fn current(ctx: &Ctx) -> Result<CacheStats, ApiError> {
    let generation = generation(ctx.db.pool()).await?;
    Ok(ctx.store.cache_stats(generation).await?)
}

async fn generation(executor: impl PgExecutor<'_>) -> Result<u64, sqlx::Error> {
    let value = sqlx::query_scalar!("select value from setting where key = $1", SEMANTIC)
        .fetch_optional(executor)
        .await?;
    Ok(value.and_then(|value| value.as_u64()).unwrap_or_default())
}

/// Later than every one before, also than those that a restored database has forgotten: milliseconds since 1970.
async fn next_generation(conn: &mut PgConnection, key: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into setting (key, value)
         values ($1, to_jsonb((extract(epoch from clock_timestamp()) * 1000)::bigint))
         on conflict (key) do update set value =
             to_jsonb(greatest((setting.value #>> '{}')::bigint + 1, (excluded.value #>> '{}')::bigint))",
        key,
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn rate(hits: u64, misses: u64) -> f64 {
    match hits + misses {
        0 => 0.0,
        all => hits as f64 / all as f64,
    }
}

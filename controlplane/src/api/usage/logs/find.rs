//! A page of the log: what it takes to find it among millions of requests.

use chrono::{DateTime, Utc};
use sqlx::{PgPool, types::Json as SqlJson};
use uuid::Uuid;

use super::{Cursor, METHOD, RequestView, TokensView, UnitsView, wanted::Wanted};
use crate::{
    api::{Ctx, attempt::Attempt, usage::sums::usd},
    error::ApiError,
    http::Stamp,
};

/// So many of the newest requests are looked at one by one, before an index is asked for what is rare.
const NEWEST: i64 = 20_000;
/// So many times that are looked at one by one at most.
const AT_MOST: i64 = 8;
/// So many times further back goes each step.
const FURTHER: i64 = 20;
/// A step further back than this goes to the end.
const MANY: i64 = 1_000_000;
/// Of so many it is counted which filter is the rarest.
const SAMPLE: i64 = 2_000;
/// Filters that an index is asked for; the others are looked at in what it finds.
const RAREST: usize = 2;

/// What is looked for, as the database is asked for it.
#[derive(Debug, Default)]
pub struct Filter {
    /// Only these.
    pub ids: Option<Vec<Uuid>>,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
    pub wanted: Wanted,
}

/// A page, and where it ended if it is full.
pub async fn read(
    ctx: &Ctx,
    limit: i64,
    cursor: Option<Cursor>,
    filter: &Filter,
) -> Result<(Vec<RequestView>, Option<Cursor>), ApiError> {
    let (mut rows, next) = search(ctx, limit, cursor, filter).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let held = ctx.bodies.held(&ids).await?;
    for row in &mut rows {
        let has = held.get(&row.id).copied().unwrap_or_default();
        (row.has_request_body, row.has_response_body) = (has.request, has.response);
    }
    Ok((rows, next))
}

/// It goes back in time, by more and more requests at a step. What is common is soon found among the newest, looked at
/// one by one. Where that would take too many, the index is asked for the filters that fewest requests pass.
async fn search(
    ctx: &Ctx,
    limit: i64,
    cursor: Option<Cursor>,
    filter: &Filter,
) -> Result<(Vec<RequestView>, Option<Cursor>), ApiError> {
    let pool = ctx.db.pool();
    if filter.ids.is_some() {
        let rows = rows(pool, limit, cursor, (None, None), filter, &[]).await?;
        return Ok(page_of(rows, limit));
    }
    let terms = filter.wanted.terms();
    let is_plain = terms.is_empty();
    let mut terms = Some(terms);
    let mut indexed = Vec::new();
    let mut look_at = if is_plain && !filter.wanted.is_ok {
        limit
    } else {
        NEWEST
    };
    let mut found = Vec::new();
    let mut older_than = None;
    loop {
        let cut = match look_at > MANY {
            true => None,
            false => nth_newest(pool, look_at, cursor, filter).await?,
        };
        let missing = limit - i64::try_from(found.len()).unwrap_or(limit);
        found.extend(rows(pool, missing, cursor, (cut, older_than), filter, &indexed).await?);
        let count = i64::try_from(found.len()).unwrap_or(limit);
        if count >= limit || cut.is_none() {
            return Ok(page_of(found, limit));
        }
        older_than = cut;
        // as many as a page takes, and half as many again, if it goes on like this
        let enough = look_at * limit * 3 / (2 * count.max(1));
        if is_plain {
            look_at *= FURTHER;
        } else if indexed.is_empty() && enough <= NEWEST * AT_MOST {
            look_at = enough;
        } else {
            if let Some(terms) = terms.take() {
                indexed = rarest(pool, terms).await?;
            }
            look_at *= FURTHER;
        }
    }
}

/// When the request began that has so many newer ones; none when there are not that many.
async fn nth_newest(
    pool: &PgPool,
    n: i64,
    cursor: Option<Cursor>,
    filter: &Filter,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "select started_at from usage_event
         where ($1::timestamptz is null or (started_at, request_id) < ($1, $2))
           and ($3::timestamptz is null or started_at >= $3) and ($4::timestamptz is null or started_at < $4)
         order by started_at desc, request_id desc offset $5 limit 1",
        cursor.map(|cursor| cursor.started_at),
        cursor.map(|cursor| cursor.request_id),
        filter.from,
        filter.to,
        n,
    )
    .fetch_optional(pool)
    .await
}

/// The filters that fewest of the newest requests pass.
async fn rarest(pool: &PgPool, mut terms: Vec<Vec<String>>) -> Result<Vec<Vec<String>>, sqlx::Error> {
    if terms.len() <= RAREST {
        return Ok(terms);
    }
    let numbered = terms.iter().enumerate().flat_map(|(number, terms)| {
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        terms.iter().map(move |term| (number, term.clone()))
    });
    let (numbers, words): (Vec<i32>, Vec<String>) = numbered.unzip();
    let counted = sqlx::query!(
        r#"with newest as (
               select request_id, usage_terms(model_requested, model_served, provider, connection_id, key_id, key_name,
                                              combo, endpoint, http_status, outcome, error_code) as terms
               from usage_event order by started_at desc, request_id desc limit $3)
           select number as "number!", count(distinct request_id) as "count!"
           from newest cross join lateral unnest(terms) as one (term)
           join unnest($1::int[], $2::text[]) as wanted (number, term) on wanted.term = one.term
           group by number"#,
        &numbers,
        &words,
        SAMPLE,
    )
    .fetch_all(pool)
    .await?;
    let mut counts = vec![0; terms.len()];
    for row in counted {
        if let Some(count) = usize::try_from(row.number)
            .ok()
            .and_then(|number| counts.get_mut(number))
        {
            *count = row.count;
        }
    }
    let mut order: Vec<usize> = (0..terms.len()).collect();
    order.sort_by_key(|number| counts[*number]);
    Ok(order
        .into_iter()
        .take(RAREST)
        .map(|number| std::mem::take(&mut terms[number]))
        .collect())
}

/// The newest that pass, of those that began in a stretch of time: from, and before. An index is asked for `indexed`;
/// everything else is looked at row by row.
async fn rows(
    pool: &PgPool,
    limit: i64,
    cursor: Option<Cursor>,
    (from, before): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    filter: &Filter,
    indexed: &[Vec<String>],
) -> Result<Vec<RequestView>, sqlx::Error> {
    let wanted = &filter.wanted;
    let none = Vec::new();
    let term = |number: usize| indexed.get(number).unwrap_or(&none).as_slice();
    let search = wanted.search.as_ref();
    let mut tx = pool.begin().await?;
    // planned for what is asked: a general plan would ask no index for anything
    sqlx::query!("select set_config('plan_cache_mode', 'force_custom_plan', true)")
        .fetch_one(&mut *tx)
        .await?;
    let rows = sqlx::query!(
        r#"select u.request_id, u.client_request_id, u.started_at, u.duration_ms, u.ttft_ms, u.key_id, u.key_name,
                  u.endpoint, u.client_dialect, u.upstream_dialect, u.model_requested, u.model_served, u.provider,
                  u.connection_id, c.name as "account?", u.combo, u.stream, u.http_status, u.outcome, u.error_code,
                  u.input_uncached, u.input_cache_read, u.input_cache_write, u.output_visible, u.output_reasoning,
                  u.finish_reason, u.data_plane_id, u.config_revision, u.attempts as "attempts: SqlJson<Vec<Attempt>>", u.served_from, u.cost_nano,
                  u.evidence, u.images, u.audio_ms, u.characters, u.searches,
                  (select sum(a.delta_nano)::bigint from usage_adjustment a where a.request_id = u.request_id)
                      as adjusted_nano
           from (
               select e.* from usage_event e
               where e.no_log is not true
                 and ($1::timestamptz is null or (e.started_at, e.request_id) < ($1, $2))
                 and ($4::uuid[] is null or e.request_id = any($4))
                 and ($5::timestamptz is null or e.started_at >= $5)
                 and ($6::timestamptz is null or e.started_at < $6)
                 and ($7::timestamptz is null or e.started_at >= $7)
                 and ($8::timestamptz is null or e.started_at < $8)
                 and ($9::text[] = '{}' or usage_terms(
                     e.model_requested, e.model_served, e.provider, e.connection_id, e.key_id, e.key_name, e.combo,
                     e.endpoint, e.http_status, e.outcome, e.error_code) && $9)
                 and ($10::text[] = '{}' or usage_terms(
                     e.model_requested, e.model_served, e.provider, e.connection_id, e.key_id, e.key_name, e.combo,
                     e.endpoint, e.http_status, e.outcome, e.error_code) && $10)
                 and (not $11 or (e.http_status between 200 and 299 and e.outcome = 'ok'))
                 and (not $12 or e.http_status not between 200 and 299 or e.outcome <> 'ok')
                 and ($13::int is null or e.http_status = $13)
                 and (not $14 or e.combo is not null)
                 and ($15::text[] is null or e.model_served = any($15) or e.model_requested = any($15))
                 and ($16::text[] is null or e.provider = any($16))
                 and ($17::uuid[] is null or e.connection_id = any($17))
                 and ($18::text[] is null or e.key_name = any($18) or e.key_id = any($19))
                 and ($20::text[] is null or e.model_served = any($20) or e.model_requested = any($20)
                      or e.endpoint = any($21) or e.connection_id = any($22) or e.provider = any($23)
                      or e.key_name = any($24) or e.combo = any($25) or e.error_code = any($26)
                      or e.http_status = any($27))
               -- not as the index has it: what was found by terms would be looked for by time again
               order by e.started_at + interval '0' desc, e.request_id desc limit $3) u
           left join provider_connection c on c.id = u.connection_id
           order by u.started_at desc, u.request_id desc"#,
        cursor.map(|cursor| cursor.started_at),
        cursor.map(|cursor| cursor.request_id),
        limit,
        filter.ids.as_deref(),
        filter.from,
        filter.to,
        from,
        before,
        term(0),
        term(1),
        wanted.is_ok,
        wanted.failed,
        wanted.status,
        wanted.combo,
        wanted.model.as_ref().map(|found| found.models.as_slice()),
        wanted.provider.as_ref().map(|found| found.providers.as_slice()),
        wanted.account.as_ref().map(|found| found.accounts.as_slice()),
        wanted.key.as_ref().map(|found| found.key_names.as_slice()),
        wanted.key.as_ref().map(|found| found.key_ids.as_slice()),
        search.map(|found| found.models.as_slice()),
        search.map(|found| found.endpoints.as_slice()),
        search.map(|found| found.accounts.as_slice()),
        search.map(|found| found.providers.as_slice()),
        search.map(|found| found.key_names.as_slice()),
        search.map(|found| found.combos.as_slice()),
        search.map(|found| found.errors.as_slice()),
        search.map(|found| found.statuses.as_slice()),
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
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
        adjustment: row.adjusted_nano.map(usd),
        evidence: row.evidence,
        finish_reason: row.finish_reason,
        served_from: row.served_from,
        data_plane_id: row.data_plane_id,
        config_revision: row.config_revision,
        attempts: row.attempts.0,
        has_request_body: false,
        has_response_body: false,
    });
    Ok(views.collect())
}

/// With where it ended, if there may be more.
fn page_of(rows: Vec<RequestView>, limit: i64) -> (Vec<RequestView>, Option<Cursor>) {
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
    let last = rows.last().filter(|_| is_full).map(|row| Cursor {
        started_at: row.timestamp.0,
        request_id: row.id,
    });
    (rows, last)
}

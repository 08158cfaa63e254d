//! Events as columns, and the one statement that stores them.
//!
//! Texts were chosen by strangers: a zero byte, which Postgres cannot hold, becomes the replacement character.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use prost::Message;
use proto::v1::{
    Attempt, TranslationNote, translation_note,
    usage_event::{Evidence, Phase},
};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::batch::Event;

/// How far from now a day may be to get a table for what began on it: what is older is dropped soon, and clocks that
/// are further ahead are wrong. The rest has a table of its own.
const DAYS_BACK: i64 = 400;
const DAYS_AHEAD: i64 = 2;

/// Makes sure that the days of these events have tables. Where one cannot be made now, the rest takes them.
pub(super) async fn make_room(
    conn: &mut PgConnection,
    events: &[Event],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let sensible = now - TimeDelta::days(DAYS_BACK)..now + TimeDelta::days(DAYS_AHEAD);
    let days: BTreeSet<NaiveDate> = events
        .iter()
        .filter_map(|event| DateTime::from_timestamp_millis(event.event.started_at_ms))
        .filter(|at| sensible.contains(at))
        .map(|at| at.date_naive())
        .collect();
    let days: Vec<NaiveDate> = days.into_iter().collect();
    sqlx::query_scalar!(
        "select usage_partition(day) from unnest($1::date[]) as day",
        &days
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// Inserts events in the order they have, and adds them to what their keys have spent and to the sums of their hours
/// and minutes. One that is there already, from a spool that started over, is left alone and counts nowhere.
pub(super) async fn insert(
    conn: &mut PgConnection,
    spool_id: Uuid,
    data_plane_id: &str,
    events: &[Event],
) -> Result<(), sqlx::Error> {
    let texts = |of: fn(&Event) -> &str| events.iter().map(|event| text(of(event))).collect::<Vec<_>>();
    let optional = |of: fn(&Event) -> &str| {
        let value = |event| Some(text(of(event))).filter(|text| !text.is_empty());
        events.iter().map(value).collect::<Vec<_>>()
    };
    let ids = |of: fn(&Event) -> &str| {
        events
            .iter()
            .map(|event| Uuid::try_parse(of(event)).ok())
            .collect::<Vec<_>>()
    };
    let ints = |of: fn(&Event) -> u32| events.iter().map(|event| int(of(event))).collect::<Vec<_>>();
    let bigints = |of: fn(&Event) -> u64| events.iter().map(|event| bigint(of(event))).collect::<Vec<_>>();
    let bools = |of: fn(&Event) -> bool| events.iter().map(of).collect::<Vec<_>>();

    let request_ids: Vec<Uuid> = events.iter().map(|event| event.request_id).collect();
    let started: Vec<i64> = events.iter().map(|event| event.event.started_at_ms).collect();
    let attempts: Vec<Value> = events
        .iter()
        .map(|event| event.event.attempts.iter().map(describe).collect())
        .collect();
    let notes: Vec<Option<Value>> = events
        .iter()
        .map(|event| noted(&event.event.translation_notes))
        .collect();
    let decisions: Vec<Option<Vec<u8>>> = events
        .iter()
        .map(|event| event.event.decision.as_ref().map(Message::encode_to_vec))
        .collect();
    let costs: Vec<Option<i64>> = events.iter().map(|event| event.event.cost_nano).collect();
    sqlx::query!(
        r#"with stored as (
           insert into usage_event
               (spool_id, data_plane_id, request_id, seq, client_request_id, phase, started_at, duration_ms, ttft_ms,
                key_id, key_name, endpoint, client_dialect, upstream_dialect, model_requested, model_served, provider,
                connection_id, combo, stream, http_status, outcome, error_code, input_uncached, input_cache_read,
                input_cache_write, output_visible, output_reasoning, evidence, finish_reason, config_revision,
                attempts, translation_notes, reached_provider, decision, served_from, cost_nano,
                input_cache_write_1h, images, audio_ms, characters, searches, no_log)
           select $1, $2, request_id, seq, client_request_id, phase,
                  timestamptz 'epoch' + started_at_ms * interval '1 millisecond', duration_ms, ttft_ms,
                  key_id, key_name, endpoint, client_dialect, upstream_dialect, model_requested, model_served, provider,
                  connection_id, combo, stream, http_status, outcome, error_code, input_uncached, input_cache_read,
                  input_cache_write, output_visible, output_reasoning, evidence, finish_reason, config_revision,
                  attempts, translation_notes, reached_provider, decision, served_from, cost_nano,
                  input_cache_write_1h, images, audio_ms, characters, searches,
                  -- as the key is now: a row stays what it was when somebody changes their mind
                  nullif(exists (select from api_key k where k.id = key_id and k.no_log), false)
           from unnest($3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::int[], $9::int[],
                       $10::uuid[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
                       $17::text[], $18::uuid[], $19::text[], $20::bool[], $21::int[], $22::text[], $23::text[],
                       $24::bigint[], $25::bigint[], $26::bigint[], $27::bigint[], $28::bigint[], $29::text[],
                       $30::text[], $31::bigint[], $32::jsonb[], $33::jsonb[], $34::bool[], $35::bytea[], $36::text[],
                       $37::bigint[], $38::bigint[], $39::bigint[], $40::bigint[], $41::bigint[], $42::bigint[])
                as event (request_id, seq, client_request_id, phase, started_at_ms, duration_ms, ttft_ms,
                          key_id, key_name, endpoint, client_dialect, upstream_dialect, model_requested, model_served,
                          provider, connection_id, combo, stream, http_status, outcome, error_code,
                          input_uncached, input_cache_read, input_cache_write, output_visible, output_reasoning,
                          evidence, finish_reason, config_revision, attempts, translation_notes, reached_provider,
                          decision, served_from, cost_nano, input_cache_write_1h, images, audio_ms, characters,
                          searches)
           on conflict do nothing
           returning key_id, key_name, started_at, provider, coalesce(model_served, model_requested) as model,
                     connection_id, outcome, served_from, reached_provider, cost_nano, input_uncached,
                     input_cache_read, input_cache_write, output_visible, output_reasoning, duration_ms, ttft_ms,
                     stream, phase, attempts,
                     usage_terms(model_requested, model_served, provider, connection_id, key_id, key_name, combo,
                                 endpoint, http_status, outcome, error_code) as terms),
           -- most are known: only a new one, and the first of a day, is written
           found_by as (
           insert into usage_term (term, last_on)
           select distinct one.term, current_date
           from stored cross join lateral unnest(terms) as one (term)
           where not exists (select from usage_term known where known.term = one.term
                             and known.last_on >= current_date)
           order by one.term
           on conflict (term) do update set last_on = excluded.last_on),
           -- each in one order, so that two batches do not wait for each other in a circle
           spent as (
           insert into spending (key_id, quarter, cost_nano, requests)
           select key_id, date_bin('15 minutes', started_at, 'epoch') as quarter, sum(coalesce(cost_nano, 0)), count(*)
           from stored
           where key_id is not null and reached_provider
           group by key_id, quarter
           order by key_id, quarter
           on conflict (key_id, quarter) do update
           set cost_nano = spending.cost_nano + excluded.cost_nano,
               requests = spending.requests + excluded.requests),
           -- nobody asks for older ones
           forgotten as (delete from usage_minute where minute < now() - interval '1 hour'),
           -- how long each part took, as sketches
           took as (
           insert into usage_latency (grain, slot, provider, phase, bucket, n, sum_ms)
           select 'slot', date_bin('10 seconds', started_at, 'epoch') as slot, coalesce(provider, '') as by, part.phase,
                  latency_bucket(part.took) as bucket, count(*), sum(part.took)
           from stored
           cross join lateral (
               values ('', case when stream and ttft_ms > 0 then ttft_ms else duration_ms end),
                      ('resolve', (attempts -> 0 ->> 'startedAfterMs')::int),
                      ('connect', (attempts -> 0 ->> 'durationMs')::int),
                      ('stream', case when stream and ttft_ms > 0 then duration_ms - ttft_ms end)
           ) part (phase, took)
           where reached_provider and stored.phase = 'final' and part.took is not null
           group by slot, by, part.phase, bucket
           order by slot, by, part.phase, bucket
           on conflict (grain, slot, provider, phase, bucket) do update
           set n = usage_latency.n + excluded.n, sum_ms = usage_latency.sum_ms + excluded.sum_ms),
           counted as (select * from stored where reached_provider or served_from is not null),
           -- the sums of these are out of date from here on
           changed as (
           insert into usage_stale (hour) select distinct date_trunc('hour', started_at, 'UTC') from counted),
           hours as (
           insert into usage_hour
               (hour, key_id, provider, model, connection_id, key_name, requests, errors, given_again, unpriced,
                input_uncached, input_cache_read, input_cache_write, output_visible, output_reasoning, cost_nano,
                last_at, reached, reached_ok, duration_ms)
           select date_trunc('hour', started_at, 'UTC') as hour,
                  coalesce(key_id, '00000000-0000-0000-0000-000000000000') as key, coalesce(provider, '') as by,
                  model, coalesce(connection_id, '00000000-0000-0000-0000-000000000000') as connection,
                  (array_agg(key_name order by started_at desc))[1], count(*),
                  count(*) filter (where outcome <> 'ok'),
                  count(*) filter (where served_from in ('cache', 'replay')),
                  count(*) filter (where cost_nano is null), sum(input_uncached), sum(input_cache_read),
                  sum(input_cache_write), sum(output_visible), sum(output_reasoning), sum(coalesce(cost_nano, 0)),
                  max(started_at), count(*) filter (where reached_provider),
                  count(*) filter (where reached_provider and outcome = 'ok'),
                  coalesce(sum(duration_ms::bigint) filter (where reached_provider), 0)
           from counted
           group by hour, key, by, model, connection
           order by hour, key, by, model, connection
           on conflict (hour, key_id, provider, model, connection_id) do update
           set key_name = excluded.key_name,
               requests = usage_hour.requests + excluded.requests,
               errors = usage_hour.errors + excluded.errors,
               given_again = usage_hour.given_again + excluded.given_again,
               unpriced = usage_hour.unpriced + excluded.unpriced,
               input_uncached = usage_hour.input_uncached + excluded.input_uncached,
               input_cache_read = usage_hour.input_cache_read + excluded.input_cache_read,
               input_cache_write = usage_hour.input_cache_write + excluded.input_cache_write,
               output_visible = usage_hour.output_visible + excluded.output_visible,
               output_reasoning = usage_hour.output_reasoning + excluded.output_reasoning,
               cost_nano = usage_hour.cost_nano + excluded.cost_nano,
               last_at = greatest(usage_hour.last_at, excluded.last_at),
               reached = usage_hour.reached + excluded.reached,
               reached_ok = usage_hour.reached_ok + excluded.reached_ok,
               duration_ms = usage_hour.duration_ms + excluded.duration_ms)
           insert into usage_minute (minute, data_plane_id, requests, input_tokens, output_tokens, cost_nano)
           select date_trunc('minute', started_at) as minute, $2, count(*),
                  sum(input_uncached + input_cache_read + input_cache_write),
                  sum(output_visible + output_reasoning), sum(coalesce(cost_nano, 0))
           from counted
           group by minute
           order by minute
           on conflict (minute, data_plane_id) do update
           set requests = usage_minute.requests + excluded.requests,
               input_tokens = usage_minute.input_tokens + excluded.input_tokens,
               output_tokens = usage_minute.output_tokens + excluded.output_tokens,
               cost_nano = usage_minute.cost_nano + excluded.cost_nano"#,
        spool_id,
        data_plane_id,
        &request_ids,
        &bigints(|event| event.event.seq),
        &texts(|event| &event.event.client_request_id),
        &texts(|event| phase(event.event.phase())),
        &started,
        &ints(|event| event.event.duration_ms),
        &ints(|event| event.event.ttft_ms),
        &ids(|event| &event.event.key_id) as &[Option<Uuid>],
        &optional(|event| &event.event.key_name) as &[Option<String>],
        &texts(|event| &event.event.endpoint),
        &texts(|event| &event.event.client_dialect),
        &optional(|event| &event.event.upstream_dialect) as &[Option<String>],
        &texts(|event| &event.event.model_requested),
        &optional(|event| &event.event.model_served) as &[Option<String>],
        &optional(|event| &event.event.provider) as &[Option<String>],
        &ids(|event| &event.event.connection_id) as &[Option<Uuid>],
        &optional(|event| &event.event.combo) as &[Option<String>],
        &bools(|event| event.event.stream),
        &ints(|event| event.event.http_status),
        &texts(|event| &event.event.outcome),
        &optional(|event| &event.event.error_code) as &[Option<String>],
        &bigints(|event| event.event.input_uncached),
        &bigints(|event| event.event.input_cache_read),
        &bigints(|event| event.event.input_cache_write),
        &bigints(|event| event.event.output_visible),
        &bigints(|event| event.event.output_reasoning),
        &texts(|event| evidence(event.event.evidence())),
        &optional(|event| &event.event.finish_reason) as &[Option<String>],
        &bigints(|event| event.event.config_revision),
        &attempts,
        &notes as &[Option<Value>],
        &bools(|event| event.event.reached_provider),
        &decisions as &[Option<Vec<u8>>],
        &optional(|event| &event.event.served_from) as &[Option<String>],
        &costs as &[Option<i64>],
        &bigints(|event| event.event.input_cache_write_1h),
        &bigints(|event| event.event.images),
        &bigints(|event| event.event.audio_ms),
        &bigints(|event| event.event.characters),
        &bigints(|event| event.event.searches),
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn describe(attempt: &Attempt) -> Value {
    let mut described = json!({
        "connectionId": text(&attempt.connection_id),
        "provider": text(&attempt.provider),
        "model": text(&attempt.model),
        "httpStatus": attempt.http_status,
        "outcome": text(&attempt.outcome),
        "durationMs": attempt.duration_ms,
        "startedAfterMs": attempt.started_after_ms,
        "hedge": attempt.hedge,
    });
    // most go out directly, and a word about that in every row is much
    if let Some(hop) = &attempt.proxy {
        described["proxy"] = json!({
            "level": text(&hop.level),
            "target": text(&hop.target),
            "url": text(&hop.url),
            "upstream": text(&hop.upstream),
        });
    }
    described
}

/// Of most requests there is nothing to say.
fn noted(notes: &[TranslationNote]) -> Option<Value> {
    let described = notes.iter().map(|note| {
        json!({
            "severity": severity(note.severity()),
            "field": text(&note.field),
            "detail": text(&note.detail),
        })
    });
    (!notes.is_empty()).then(|| described.collect())
}

fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Lost => "lost",
        Phase::Final | Phase::Unspecified => "final",
    }
}

fn severity(severity: translation_note::Severity) -> &'static str {
    match severity {
        translation_note::Severity::Info | translation_note::Severity::Unspecified => "info",
        translation_note::Severity::Loss => "loss",
        translation_note::Severity::Synth => "synth",
    }
}

fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::ProviderReported => "provider_reported",
        Evidence::Counted => "counted",
        Evidence::Estimated => "estimated",
        Evidence::None | Evidence::Unspecified => "none",
    }
}

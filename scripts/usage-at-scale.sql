-- Fills the log of requests and the sums: `rows` requests over `days` days up to now, of the accounts and API keys there
-- are (scripts/usage-at-scale makes them first).
--
-- Fifty models of ten providers; few keys ask much and most ask little, and each for eight models; most requests in the
-- afternoon. One in twenty-five fails. One model, one key, one status and one error are so rare that they are a few
-- requests among all: they are what makes a log slow.
\set ON_ERROR_STOP on
set synchronous_commit = off;
set client_min_messages = warning;
set maintenance_work_mem = '512MB';
select setseed(0.42);

create temporary table account as
select id, provider, row_number() over (partition by provider order by created_at) - 1 as number from provider_connection
where name ~ '-[12]$';
create temporary table client as
select id, name, row_number() over (order by created_at, id) - 1 as number from api_key where name like 'key-%';
create temporary table provider as
select provider as id, row_number() over (order by provider) - 1 as number from account group by provider;

create function pg_temp.fill_day(day date, amount int) returns void language plpgsql as $$
declare
    name    text := 'usage_event_' || to_char(day, 'YYYYMMDD');
    starts  timestamptz := day::timestamp at time zone 'UTC';
begin
    execute format('drop table if exists %I', name);
    execute format('create table %I (like usage_event including defaults)', name);
    execute format($sql$
        insert into %I
            (request_id, spool_id, seq, data_plane_id, client_request_id, phase, started_at, duration_ms, ttft_ms,
             key_id, key_name, endpoint, client_dialect, upstream_dialect, model_requested, model_served, provider,
             connection_id, combo, stream, http_status, outcome, error_code, input_uncached, input_cache_read,
             input_cache_write, output_visible, output_reasoning, evidence, finish_reason, config_revision, attempts,
             reached_provider, cost_nano, served_from)
        select r.id, '00000000-0000-7000-8000-000000000000', r.n, 'dp-' || r.n %% 4, r.id::text, 'final', r.at,
               400 + (8000 * r.c ^ 3)::int, 100 + (900 * r.c)::int, k.id, k.name,
               case when r.d < 0.7 then '/v1/chat/completions' when r.d < 0.9 then '/v1/messages' else '/v1/responses' end,
               case when r.d < 0.7 then 'openai_chat' when r.d < 0.9 then 'anthropic' else 'openai_responses' end,
               'openai_chat',
               case when r.e < 0.2 then 'team-' || r.k %% 5 else p.id || '/model-' || r.model end,
               case when r.n = 77 then 'rare-model' else 'model-' || r.model end, p.id, a.id,
               case when r.e < 0.2 then 'team-' || r.k %% 5 end, r.d < 0.6, r.status,
               case when r.status = 200 then 'ok' when r.status = 499 then 'client_closed' else 'upstream_error' end,
               case when r.n = 78 then 'rare_error' when r.status >= 500 then 'upstream_error'
                    when r.status = 429 then 'rate_limited' when r.status = 400 then 'invalid_request' end,
               (3000 * r.a ^ 2)::int, (2000 * r.b ^ 4)::int, 0, (800 * r.c)::int, (300 * r.a ^ 4)::int,
               'provider_reported', 'stop', 1 + r.n / 1000,
               jsonb_build_array(jsonb_build_object(
                   'connectionId', a.id, 'provider', p.id, 'model', 'model-' || r.model, 'httpStatus', r.status,
                   'outcome', case when r.status = 200 then 'ok' else 'http_error' end, 'durationMs', 100 + (900 * r.c)::int,
                   'startedAfterMs', 1 + (4 * r.a)::int, 'hedge', false)),
               true, (3000 * r.a ^ 2)::bigint * 2500 + (800 * r.c)::bigint * 10000, 'provider'
        from (select gen_random_uuid() as id, n, a, b, c, d, e, at, model, provider,
                     case when n = 79 then 199 else k end as k,
                     case when n = 80 then 418 when f < 0.96 then 200 when f < 0.98 then 429 when f < 0.987 then 500
                          when f < 0.992 then 502 when f < 0.997 then 499 else 400 end as status
              from (select *, model %% 10 as provider
                    from (select n, random() as a, random() as b, random() as c, random() as d, random() as e,
                                 random() as f, k,
                                 %L::timestamptz + interval '1 day' * least((t1 + t2 + t3) / 3 + 0.1, 0.999999) as at,
                                 (k * 7 + 13 * floor(8 * g * g)::int) %% 50 as model
                          from (select n, floor(199 * random() ^ 2.5)::int as k, random() as g, random() as t1,
                                       random() as t2, random() as t3
                                from generate_series(1, %s) as n) drawn) placed) modelled) r
        join client k on k.number = r.k
        join provider p on p.number = r.provider
        join account a on a.provider = p.id and a.number = (r.n %% 3 = 0)::int
        where r.at < now()
        order by r.at
    $sql$, name, starts, amount);
    execute format('alter table usage_event attach partition %I for values from (%L) to (%L)', name, starts,
                   starts + interval '1 day');
end
$$;

select format('select pg_temp.fill_day(%L, %s); select count(*) as %I from usage_event_%s',
              day::date, :rows / :days, 'requests of ' || day::date, to_char(day, 'YYYYMMDD'))
from generate_series((now() at time zone 'UTC')::date - (:days - 1), (now() at time zone 'UTC')::date, interval '1 day') as day
\gexec

insert into usage_hour
    (hour, key_id, provider, model, connection_id, key_name, requests, errors, given_again, unpriced, input_uncached,
     input_cache_read, input_cache_write, output_visible, output_reasoning, cost_nano, last_at, reached, reached_ok,
     duration_ms)
select date_trunc('hour', started_at, 'UTC'), key_id, provider, model_served, connection_id, max(key_name), count(*),
       count(*) filter (where outcome <> 'ok'), 0, 0, sum(input_uncached), sum(input_cache_read),
       sum(input_cache_write), sum(output_visible), sum(output_reasoning), sum(cost_nano), max(started_at), count(*),
       count(*) filter (where outcome = 'ok'), sum(duration_ms)
from usage_event group by 1, 2, 3, 4, 5
on conflict do nothing;

insert into spending (key_id, quarter, cost_nano, requests)
select key_id, date_bin('15 minutes', started_at, 'epoch'), sum(cost_nano), count(*) from usage_event group by 1, 2
on conflict do nothing;

insert into usage_term
select term, max((started_at at time zone 'UTC')::date)
from usage_event, unnest(usage_terms(
    model_requested, model_served, provider, connection_id, key_id, key_name, combo, endpoint, http_status, outcome,
    error_code)) as term
group by term
on conflict do nothing;

insert into usage_latency
select case when started_at >= date_trunc('hour', now() - interval '1 hour', 'UTC') then 'slot'
            when started_at >= date_trunc('day', now() - interval '2 days', 'UTC') then 'hour' else 'day' end as grain,
       case when started_at >= date_trunc('hour', now() - interval '1 hour', 'UTC')
            then date_bin('10 seconds', started_at, 'epoch')
            when started_at >= date_trunc('day', now() - interval '2 days', 'UTC')
            then date_trunc('hour', started_at, 'UTC') else date_trunc('day', started_at, 'UTC') end,
       provider, part.phase, latency_bucket(took), count(*), sum(took)
from usage_event
cross join lateral (
    values ('', case when stream and ttft_ms > 0 then ttft_ms else duration_ms end),
           ('resolve', (attempts -> 0 ->> 'startedAfterMs')::int),
           ('connect', (attempts -> 0 ->> 'durationMs')::int),
           ('stream', case when stream and ttft_ms > 0 then duration_ms - ttft_ms end)
) part (phase, took)
where reached_provider and took is not null and (part.phase = '' or started_at > now() - interval '2 days')
group by 1, 2, 3, 4, 5
on conflict do nothing;

insert into usage_stale (hour) select distinct hour from usage_hour;
vacuum analyze;

-- Sums of sums. `usage_hour` has a row for whatever key, model and account met in an hour: exact, and too many rows for a
-- picture of a month. A job adds them up further, and never by adding to what is there: it makes the sums of an hour or
-- a day anew. Whoever stores requests says which hours changed, in the same transaction, so a reader knows which sums
-- are not to be used yet and takes `usage_hour` for those.

alter table usage_hour
    add column reached      bigint not null default 0,     -- of the requests, those that reached a provider
    add column reached_ok   bigint not null default 0,     -- of them, those that ended well
    add column duration_ms  bigint not null default 0,     -- of them, together
    add column adjusted_nano bigint not null default 0;    -- what was priced anew, beside what was billed; nano-USD

update usage_hour h
set reached = e.reached, reached_ok = e.reached_ok, duration_ms = e.duration_ms
from (select date_trunc('hour', started_at, 'UTC') as hour,
             coalesce(key_id, '00000000-0000-0000-0000-000000000000') as key_id, coalesce(provider, '') as provider,
             coalesce(model_served, model_requested) as model,
             coalesce(connection_id, '00000000-0000-0000-0000-000000000000') as connection_id,
             count(*) as reached, count(*) filter (where outcome = 'ok') as reached_ok,
             sum(duration_ms::bigint) as duration_ms
      from usage_event where reached_provider group by 1, 2, 3, 4, 5) e
where h.hour = e.hour and h.key_id = e.key_id and h.provider = e.provider and h.model = e.model
  and h.connection_id = e.connection_id;

-- Hours that changed since their sums were made; a row for each batch, so that those who store do not meet.
create table usage_stale (
    id    bigint generated always as identity primary key,
    hour  timestamptz not null
);
create index usage_stale_hour on usage_stale (hour);

-- Days of the time zone that budgets are counted in, on which something was used.
create table usage_day (
    day       date primary key,
    zone      text not null,
    is_built  bool not null                                -- its sums are there
);

create table usage_sum (
    -- of an hour or a day, without keys or with nothing but keys, or of a day with everything
    kind                text not null constraint usage_sum_kind
                        check (kind in ('hour_models', 'hour_keys', 'day_models', 'day_keys', 'day')),
    at                  timestamptz not null,              -- the hour, or when the day begins
    key_id              uuid not null,
    provider            text not null,
    model               text not null,
    connection_id       uuid not null,
    key_name            text,
    requests            bigint not null,
    errors              bigint not null,
    given_again         bigint not null,
    unpriced            bigint not null,
    input_uncached      bigint not null,
    input_cache_read    bigint not null,
    input_cache_write   bigint not null,
    output_visible      bigint not null,
    output_reasoning    bigint not null,
    cost_nano           bigint not null,
    adjusted_nano       bigint not null,
    reached             bigint not null,
    reached_ok          bigint not null,
    duration_ms         bigint not null,
    last_at             timestamptz not null,
    primary key (kind, at, key_id, provider, model, connection_id)
);

-- Adds up some of `usage_hour` under another time, without what is told not to be told apart.
create function usage_sum_add(kind text, under timestamptz, hours timestamptz[], by_key bool, by_model bool)
returns void language sql as $$
    insert into usage_sum
    select $1, coalesce($2, hour),
           case when $4 then key_id else '00000000-0000-0000-0000-000000000000' end,
           case when $5 then provider else '' end, case when $5 then model else '' end,
           case when $5 then connection_id else '00000000-0000-0000-0000-000000000000' end,
           case when $4 then (array_agg(key_name order by last_at desc))[1] end,
           sum(requests), sum(errors), sum(given_again), sum(unpriced), sum(input_uncached), sum(input_cache_read),
           sum(input_cache_write), sum(output_visible), sum(output_reasoning), sum(cost_nano), sum(adjusted_nano),
           sum(reached), sum(reached_ok), sum(duration_ms), max(last_at)
    from usage_hour
    where hour = any($3)
    group by 1, 2, 3, 4, 5, 6
$$;

insert into usage_stale (hour) select distinct hour from usage_hour;

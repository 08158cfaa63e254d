-- What was used, added up. Kept by the transaction that stores the events, so the sums never differ from the log.

-- By hour and by everything that is asked for. Nothing is written as '' and as the nil UUID, so that it can be part
-- of a key.
create table usage_hour (
    hour                timestamptz not null,
    key_id              uuid not null,
    provider            text not null,
    model               text not null,                     -- that answered, or that was asked for
    connection_id       uuid not null,
    key_name            text,                              -- as it was called last
    requests            bigint not null,                   -- that reached a provider, or were answered without one
    errors              bigint not null,                   -- of them, those that did not end well
    given_again         bigint not null,                   -- of them, those answered from the cache or replayed
    unpriced            bigint not null,                   -- of them, those whose price nobody knows
    input_uncached      bigint not null,
    input_cache_read    bigint not null,
    input_cache_write   bigint not null,
    output_visible      bigint not null,
    output_reasoning    bigint not null,
    cost_nano           bigint not null,                   -- nano-USD
    last_at             timestamptz not null,
    primary key (hour, key_id, provider, model, connection_id)
);

-- By minute, for the last few of them; each data plane has a row of its own, so that none waits for another.
create table usage_minute (
    minute         timestamptz not null,
    data_plane_id  text not null,
    requests       bigint not null,
    input_tokens   bigint not null,
    output_tokens  bigint not null,
    cost_nano      bigint not null,
    primary key (minute, data_plane_id)
);

insert into usage_hour
select date_trunc('hour', started_at, 'UTC'),
       coalesce(key_id, '00000000-0000-0000-0000-000000000000'), coalesce(provider, ''),
       coalesce(model_served, model_requested),
       coalesce(connection_id, '00000000-0000-0000-0000-000000000000'),
       (array_agg(key_name order by started_at desc))[1],
       count(*), count(*) filter (where outcome <> 'ok'), count(*) filter (where served_from in ('cache', 'replay')),
       count(*) filter (where cost_nano is null),
       sum(input_uncached), sum(input_cache_read), sum(input_cache_write), sum(output_visible), sum(output_reasoning),
       coalesce(sum(cost_nano), 0), max(started_at)
from usage_event
where reached_provider or served_from is not null
group by 1, 2, 3, 4, 5;

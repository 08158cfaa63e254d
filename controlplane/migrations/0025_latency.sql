-- How long requests took, as a sketch that any percentile can be read from: how many were in each of many ranges, every
-- range two per cent wide (DDSketch with an error of one per cent). Sketches of two data planes, or of two hours, are
-- merged by adding up. Ten seconds at first; hours and days after a while.

create function latency_bucket(ms bigint) returns smallint language sql immutable parallel safe as $$
    select case when ms < 1 then 0 else 1 + ceil(ln(ms::double precision) / ln(1.02)) end::smallint
$$;

create table usage_latency (
    grain     text not null constraint usage_latency_grain check (grain in ('slot', 'hour', 'day')),
    slot      timestamptz not null,
    provider  text not null,
    phase     text not null,                               -- '' = until the answer began
    bucket    smallint not null,                           -- latency_bucket
    n         bigint not null,
    sum_ms    bigint not null,
    primary key (grain, slot, provider, phase, bucket)
);

insert into usage_latency
select 'hour', date_trunc('hour', started_at, 'UTC'), coalesce(provider, ''), part.phase, latency_bucket(took), count(*),
       sum(took)
from usage_event
cross join lateral (
    values ('', case when stream and ttft_ms > 0 then ttft_ms else duration_ms end),
           ('resolve', (attempts -> 0 ->> 'startedAfterMs')::int),
           ('connect', (attempts -> 0 ->> 'durationMs')::int),
           ('stream', case when stream and ttft_ms > 0 then duration_ms - ttft_ms end)
) part (phase, took)
where reached_provider and usage_event.phase = 'final' and took is not null
  -- nobody asks for more of it by the hour; the days of a month fill up from here
  and started_at > now() - interval '2 days'
group by 1, 2, 3, 4, 5;

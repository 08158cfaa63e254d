-- Prices from a moment on, and what pricing anew changed.

create table price_period (
    provider        text not null,                         -- as in price_override
    model           text not null,
    effective_from  timestamptz not null,                  -- until the next one of the same model
    input           bigint,                                -- nano-USD per million tokens; null = as in the list
    output          bigint,
    cached          bigint,
    reasoning       bigint,
    cache_creation  bigint,
    updated_at      timestamptz not null default date_trunc('milliseconds', now()),
    primary key (provider, model, effective_from)
);
create trigger touch before update on price_period for each row execute function touch_updated_at();

-- Each time that something was priced anew.
create table repricing (
    id          uuid primary key,
    at          timestamptz not null default now(),
    actor       text not null,
    from_at     timestamptz not null,
    to_at       timestamptz not null,
    provider    text,                                      -- null = all
    model       text,
    requests    bigint not null default 0,                 -- whose price changed
    delta_nano  bigint not null default 0
);
create index repricing_newest on repricing (at desc);

-- By how much the price of a request changed afterwards. What was billed stays in usage_event; the two add up to what it
-- is worth. These are the ledger's, and stay when the log has been dropped.
create table usage_adjustment (
    request_id    uuid not null,
    repricing_id  uuid not null references repricing,
    started_at    timestamptz not null,
    key_id        uuid,
    provider      text not null,
    model         text not null,
    delta_nano    bigint not null,
    primary key (request_id, repricing_id)
);
create index usage_adjustment_time on usage_adjustment (started_at);

-- of what was written to a provider's cache, what is kept for an hour: its price is another
alter table usage_event add column input_cache_write_1h bigint not null default 0;

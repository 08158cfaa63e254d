-- What a key may send and spend, and what it has spent.

alter table api_key
    add column rpm          int    constraint api_key_rpm_positive check (rpm > 0),          -- null = any
    add column tpm          bigint constraint api_key_tpm_positive check (tpm > 0),
    add column concurrency  int    constraint api_key_concurrency_positive check (concurrency > 0);

create table budget (
    api_key_id          uuid primary key references api_key on delete cascade,
    daily_limit_nano    bigint constraint budget_daily_positive check (daily_limit_nano > 0),   -- nano-USD, null = none
    weekly_limit_nano   bigint constraint budget_weekly_positive check (weekly_limit_nano > 0),
    monthly_limit_nano  bigint constraint budget_monthly_positive check (monthly_limit_nano > 0),
    warning_threshold   double precision not null default 0.8 constraint budget_warning_is_a_share
                        check (warning_threshold between 0 and 1),
    updated_at          timestamptz not null default date_trunc('milliseconds', now()),
    constraint budget_limits_something
        check (coalesce(daily_limit_nano, weekly_limit_nano, monthly_limit_nano) is not null)
);
create trigger touch before update on budget for each row execute function touch_updated_at();

-- Nano-USD; null where nobody knows the price.
alter table usage_event add column cost_nano bigint;

-- What each key spent, in quarters of an hour: days begin at one of these in every time zone. Kept by the
-- transaction that stores the events, so the two never differ.
create table spending (
    key_id     uuid not null,
    quarter    timestamptz not null,
    cost_nano  bigint not null,
    requests   bigint not null,                            -- that reached a provider
    primary key (key_id, quarter)
);

-- A copy of the configuration at the operator's own cloud endpoint: whether it is kept, and how that goes.
create table cloud_sync (
    one              bool primary key default true check (one),
    enabled          bool not null default false,
    initialized_at   timestamptz,                          -- since when it is also kept up without being asked
    next_run_at      timestamptz not null default now(),   -- not later; a change of the configuration comes before
    claimed_until    timestamptz,                          -- a control plane is at it; it may have died
    pushed_revision  bigint not null default 0,            -- the configuration that the copy is of
    last_sync_at     timestamptz,                          -- the last success
    last_error       text,                                 -- why the last run failed; null when it did not
    last_error_at    timestamptz
);
insert into cloud_sync default values;

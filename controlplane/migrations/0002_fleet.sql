-- The data planes a control plane has heard of, and what they run.

create table data_plane (
    id                text primary key,
    incarnation       uuid not null,
    build_version     text not null,
    address           text not null,
    state             text not null,                       -- starting, ready, degraded, draining, gone
    applied_epoch     uuid,
    applied_revision  bigint not null default 0,
    rejected_revision bigint,                              -- the last revision it refused
    errors            jsonb not null default '[]',         -- resource errors of the running or refused revision
    inflight          int not null default 0,
    spool_bytes       bigint not null default 0,
    spool_dropped     bigint not null default 0,
    store_degraded    bool not null default false,
    connected_to      uuid,                                -- the control plane replica that holds its stream
    first_seen        timestamptz not null default now(),
    last_seen         timestamptz not null default now()
);

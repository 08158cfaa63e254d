-- Usage. One transaction per batch advances the spool's cursor and inserts its events, so the effect of a
-- batch is exactly once however often it is sent. The cursor is the deduplication: events need no unique index
-- on their sequence.

create table usage_cursor (
    spool_id       uuid primary key,
    data_plane_id  text not null,
    last_seq       bigint not null default 0,
    seen_at        timestamptz not null default now()
);

create table usage_gap (
    id         bigint generated always as identity primary key,
    spool_id   uuid not null,
    from_seq   bigint not null,
    to_seq     bigint not null,
    noticed_at timestamptz not null default now()
);

create table usage_quarantine (
    id         bigint generated always as identity primary key,
    spool_id   uuid not null,
    first_seq  bigint not null,
    last_seq   bigint not null,
    reason     text not null,
    payload    bytea not null,
    noticed_at timestamptz not null default now()
);

create table usage_event (
    request_id          uuid not null primary key,         -- the data plane's own id of the request
    spool_id            uuid not null,
    seq                 bigint not null,
    data_plane_id       text not null,
    client_request_id   text not null,
    phase               text not null,                     -- final, lost
    started_at          timestamptz not null,
    duration_ms         int not null,
    ttft_ms             int not null,
    key_id              uuid,
    key_name            text,
    endpoint            text not null,
    client_dialect      text not null,
    upstream_dialect    text,
    model_requested     text not null,
    model_served        text,
    provider            text,
    connection_id       uuid,
    combo               text,
    stream              bool not null,
    http_status         int not null,
    outcome             text not null,
    error_code          text,
    input_uncached      bigint not null,
    input_cache_read    bigint not null,
    input_cache_write   bigint not null,
    output_visible      bigint not null,
    output_reasoning    bigint not null,
    evidence            text not null,
    finish_reason       text,
    config_revision     bigint not null,
    attempts            jsonb not null,
    translation_losses  int not null,
    reached_provider    bool not null
);
-- the request log, newest first
create index usage_event_newest on usage_event (started_at desc, request_id desc);

-- Configuration. One row per thing a user edits; the publisher turns rows into resources.
--
-- Every write goes through ConfigTx, which bumps config_head, writes audit_log and notifies in the same
-- transaction. updated_at is the optimistic-concurrency token of the management API, in whole milliseconds.

create table cluster_meta (
    one         bool primary key default true check (one),
    cluster_id  text not null                              -- 16 hex digits, shown as machineId
);

create table config_head (
    one       bool primary key default true check (one),
    epoch     uuid   not null,                             -- new on every restore: separates lineages
    revision  bigint not null                              -- a row, not a sequence: its lock makes revision order commit order
);

create table admin_account (
    id                   int primary key default 1 check (id = 1),
    password_hash        text,                             -- argon2id PHC string; null until first run is done
    password_updated_at  timestamptz,
    session_epoch        int not null default 1            -- bumping it ends every session
);

create table setting (
    key         text primary key,
    value       jsonb not null,
    updated_at  timestamptz not null default date_trunc('milliseconds', now())
);

create table provider_node (
    id          text primary key,                          -- doubles as the provider id of its connections
    type        text not null constraint provider_node_type_known
                check (type in ('openai-compatible', 'anthropic-compatible', 'gemini-compatible', 'ollama-compatible')),
    name        text not null,
    prefix      text not null constraint provider_node_prefix_key unique,
    api_type    text constraint provider_node_api_type_known check (api_type in ('chat', 'responses')),
    base_url    text not null,
    allow_private_address bool not null default false,     -- an administrator allowed a private or loopback address
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default date_trunc('milliseconds', now())
);

create table provider_connection (
    id                         uuid primary key,
    provider                   text not null,              -- registry id or provider_node.id
    auth_type                  text not null constraint provider_connection_auth_type_known
                               check (auth_type in ('apikey', 'oauth')),
    name                       text,
    email                      text,
    display_name               text,
    priority                   int  not null,              -- 1..n inside its provider, dense
    global_priority            int,
    is_active                  bool not null default true,
    api_key                    bytea,                      -- sealed under the storage key, AAD provider_connection|api_key|id
    api_key_hint               text,                       -- mask for display
    default_model              text,
    provider_specific_data     jsonb not null default '{}', -- never a secret
    allow_private_address      bool not null default false, -- an administrator allowed a private or loopback address
    test_status                text not null default 'unknown' constraint provider_connection_test_status_known
                               check (test_status in ('unknown', 'active', 'error', 'expired')),
    last_tested                timestamptz,
    last_error                 text,
    last_error_type            text,
    last_error_source          text,
    last_error_at              timestamptz,
    error_code                 text,
    rate_limit_protection      bool,                       -- null = by auth type
    health_check_interval_min  int,                        -- null = 60, 0 = off
    created_at                 timestamptz not null default now(),
    updated_at                 timestamptz not null default date_trunc('milliseconds', now())
);
-- the upsert key of API-key connections
create unique index provider_connection_apikey_name_key
    on provider_connection (provider, name) where auth_type = 'apikey';
-- listing and renumbering one provider's connections in order
create index provider_connection_order on provider_connection (provider, priority);

create table model_alias (
    alias       text primary key,
    target      text not null,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default date_trunc('milliseconds', now())
);

create table combo (
    id          uuid primary key,
    name        text not null constraint combo_name_key unique,
    strategy    text not null constraint combo_strategy_known check
                (strategy in ('priority', 'weighted', 'round-robin', 'random', 'least-used', 'cost-optimized')),
    is_active   bool not null default true,
    config      jsonb not null default '{}',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default date_trunc('milliseconds', now())
);

create table combo_member (
    combo_id  uuid not null references combo on delete cascade,
    position  int  not null,
    model     text not null,
    weight    double precision not null default 0,
    primary key (combo_id, position)
);

create table api_key (
    id                   uuid primary key,
    name                 text not null,
    key_hash             bytea not null constraint api_key_hash_key unique,  -- HMAC-SHA256 under the pepper
    key_prefix           text not null,                    -- first 8 characters, for the mask
    key_last4            text not null,
    cluster_id           text not null,
    scopes               text[] not null default '{inference}',
    allowed_models       text[] not null default '{}',
    allowed_connections  uuid[] not null default '{}',
    rate_limits          jsonb,
    is_active            bool not null default true,
    no_log               bool not null default false,
    expires_at           timestamptz,
    last_used_at         timestamptz,
    created_at           timestamptz not null default now(),
    updated_at           timestamptz not null default date_trunc('milliseconds', now())
);

create table audit_log (
    id           bigint generated always as identity primary key,
    at           timestamptz not null default now(),
    action       text not null,                            -- e.g. apiKey.created
    actor        text not null,                            -- admin, key:<id>, system, anonymous
    status       text not null constraint audit_log_status_known
                 check (status in ('success', 'failed', 'denied')),
    ip           text,
    user_agent   text,
    target_kind  text,
    target_id    text,
    details      jsonb not null default '{}',              -- never a secret
    request_id   text,
    revision     bigint                                    -- the configuration revision it made, if any
);
-- the newest entries of one action or one actor
create index audit_log_action on audit_log (action, id desc);
create index audit_log_actor on audit_log (actor, id desc);

-- Two updates inside one millisecond must not share an ETag, and no statement may forget to move it.
create function touch_updated_at() returns trigger language plpgsql as $$
begin
    new.updated_at := greatest(date_trunc('milliseconds', clock_timestamp()),
                               old.updated_at + interval '1 millisecond');
    return new;
end $$;
create trigger touch before update on setting             for each row execute function touch_updated_at();
create trigger touch before update on provider_node       for each row execute function touch_updated_at();
create trigger touch before update on provider_connection for each row execute function touch_updated_at();
create trigger touch before update on model_alias         for each row execute function touch_updated_at();
create trigger touch before update on combo               for each row execute function touch_updated_at();
create trigger touch before update on api_key             for each row execute function touch_updated_at();

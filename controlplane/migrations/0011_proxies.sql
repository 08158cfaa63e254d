-- What calls to providers go through: of a connection, of a combo for what comes through it, of a provider, or of all.

create table proxy_config (
    level       text not null constraint proxy_level check (level in ('global', 'provider', 'combo', 'connection')),
    target_id   text not null,                             -- '' = global; provider or node id; uuid of the others
    type        text not null constraint proxy_type check (type in ('http', 'https', 'socks5')),
    host        text not null,
    port        int not null constraint proxy_port check (port between 1 and 65535),
    username    text,
    password    bytea,                                     -- sealed
    -- what a proxy is for takes it along when it goes
    combo_id        uuid generated always as (case level when 'combo' then target_id::uuid end) stored
                    references combo (id) on delete cascade,
    connection_id   uuid generated always as (case level when 'connection' then target_id::uuid end) stored
                    references provider_connection (id) on delete cascade,
    created_at  timestamptz not null default date_trunc('milliseconds', now()),
    updated_at  timestamptz not null default date_trunc('milliseconds', now()),
    primary key (level, target_id),
    constraint proxy_target check ((level = 'global') = (target_id = ''))
);

create index proxy_of_combo on proxy_config (combo_id) where combo_id is not null;
create index proxy_of_connection on proxy_config (connection_id) where connection_id is not null;

create trigger touch before update on proxy_config for each row execute function touch_updated_at();

-- What an operator says models cost, over the built-in price list.

create table price_override (
    provider        text not null,                         -- registry id or provider_node.id
    model           text not null,                         -- the provider's own id
    input           bigint,                                -- nano-USD per million tokens; null = as in the list
    output          bigint,
    cached          bigint,
    reasoning       bigint,
    cache_creation  bigint,
    updated_at      timestamptz not null default date_trunc('milliseconds', now()),
    primary key (provider, model)
);

create trigger touch before update on price_override for each row execute function touch_updated_at();

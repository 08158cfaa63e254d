-- What decides between the places a request could go, beside combos and aliases.

create table policy (
    id          uuid primary key,
    name        text not null constraint policy_name_key unique,
    type        text not null constraint policy_type_known check (type in ('routing', 'access', 'budget')),
    enabled     bool not null default true,
    priority    int  not null default 100,                 -- lower first
    conditions  jsonb not null default '{}',               -- absent = any; see crate::policy
    actions     jsonb not null,                            -- those of its type only
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default date_trunc('milliseconds', now())
);

create table fallback_chain (
    model       text primary key,
    chain       jsonb not null,                            -- [{provider, priority, enabled}], in the order of priority
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default date_trunc('milliseconds', now())
);

create trigger touch before update on policy         for each row execute function touch_updated_at();
create trigger touch before update on fallback_chain for each row execute function touch_updated_at();

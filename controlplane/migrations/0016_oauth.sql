-- Accounts that somebody signs in to, and the signing in.
--
-- Tokens are sealed like API keys, AAD provider_connection|column|id. One control plane renews them at a time: it
-- claims the row, calls the provider without holding a database connection, and stores what it got under the
-- generation it started from. A refresh token that may be used once is so used once.
alter table provider_connection
    add column account               text,                 -- who signed in, as the provider tells accounts apart
    add column access_token          bytea,
    add column refresh_token         bytea,
    add column token_type            text,
    add column scope                 text,
    add column token_expires_at      timestamptz,          -- null = the provider did not say
    add column token_generation      bigint not null default 0, -- grows with every token that is stored
    add column renewal_claimed_until timestamptz,          -- a control plane is renewing; it may have died
    add column last_health_check_at  timestamptz;
-- the upsert key of OAuth connections
create unique index provider_connection_oauth_account_key
    on provider_connection (provider, account) where auth_type = 'oauth';

-- One attempt to sign in. Secrets are wiped when it ends; the rest stays for a day, so that a state that comes twice
-- is told from one that was never given out.
create table oauth_flow (
    id             uuid primary key,
    provider       text not null,
    flow           text not null constraint oauth_flow_flow_known check (flow in ('code', 'device')),
    state_hash     bytea constraint oauth_flow_state_key unique, -- of an authorization code flow
    verifier       bytea,                                  -- sealed, AAD oauth_flow|verifier|id
    device_code    bytea,                                  -- sealed, AAD oauth_flow|device_code|id
    redirect_uri   text,
    connection_id  uuid,                                   -- the account to sign in to again; then, the one it became
    interval_s     int not null default 5,                 -- between two polls
    poll_at        timestamptz not null default now(),     -- not earlier
    created_by     text not null,
    status         text not null default 'created' constraint oauth_flow_status_known
                   check (status in ('created', 'authorized', 'completed', 'denied', 'expired', 'failed')),
    expires_at     timestamptz not null,
    created_at     timestamptz not null default now()
);
create index oauth_flow_created_at on oauth_flow (created_at);

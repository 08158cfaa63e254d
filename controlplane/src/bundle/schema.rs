//! The tables of a bundle.

/// Those without which a file is no database of this gateway, of either version.
pub const REQUIRED: [&str; 4] = ["provider_connections", "provider_nodes", "combos", "api_keys"];

/// As the first version made them; `omniroute_…` is ours, and it ignores it.
pub const TABLES: &str = "
create table provider_connections (
    id text primary key, provider text not null, auth_type text, name text, email text, priority integer default 0,
    is_active integer default 1, access_token text, refresh_token text, expires_at text, token_expires_at text,
    scope text, project_id text, test_status text, error_code text, last_error text, last_error_at text,
    last_error_type text, last_error_source text, backoff_level integer default 0, rate_limited_until text,
    health_check_interval integer, last_health_check_at text, last_tested text, api_key text, id_token text,
    provider_specific_data text, expires_in integer, display_name text, global_priority integer, default_model text,
    token_type text, consecutive_use_count integer default 0, rate_limit_protection integer default 0,
    created_at text not null, updated_at text not null,
    omniroute_allow_private_address integer, omniroute_has_credential integer
);
create table provider_nodes (
    id text primary key, type text not null, name text not null, prefix text, api_type text, base_url text,
    created_at text not null, updated_at text not null,
    omniroute_allow_private_address integer, omniroute_api_version text
);
create table key_value (
    namespace text not null, key text not null, value text not null, primary key (namespace, key)
);
create table combos (
    id text primary key, name text not null unique, data text not null, created_at text not null,
    updated_at text not null
);
create table api_keys (
    id text primary key, name text not null, key text not null unique, machine_id text,
    allowed_models text default '[]', no_log integer default 0, created_at text not null,
    omniroute_key text, omniroute_key_prefix text, omniroute_key_last4 text, omniroute_scopes text,
    omniroute_allowed_connections text, omniroute_rate_limits text, omniroute_rpm integer, omniroute_tpm integer,
    omniroute_concurrency integer, omniroute_is_active integer, omniroute_expires_at text,
    omniroute_last_used_at text
);
create table db_meta (key text primary key, value text);
create table usage_history (
    id integer primary key autoincrement, provider text, model text, connection_id text, api_key_id text,
    api_key_name text, tokens_input integer default 0, tokens_output integer default 0,
    tokens_cache_read integer default 0, tokens_cache_creation integer default 0, tokens_reasoning integer default 0,
    status text, timestamp text not null
);
create index idx_uh_timestamp on usage_history (timestamp);
create table call_logs (
    id text primary key, timestamp text not null, method text, path text, status integer, model text, provider text,
    account text, connection_id text, duration integer default 0, tokens_in integer default 0,
    tokens_out integer default 0, source_format text, target_format text, api_key_id text, api_key_name text,
    combo_name text, request_body text, response_body text, error text
);
create index idx_cl_timestamp on call_logs (timestamp);
create table proxy_logs (
    id text primary key, timestamp text not null, status text, proxy_type text, proxy_host text, proxy_port integer,
    level text, level_id text, provider text, target_url text, public_ip text, latency_ms integer default 0,
    error text, connection_id text, combo_id text, account text, tls_fingerprint integer default 0
);
create table domain_fallback_chains (model text primary key, chain text not null);
create table domain_budgets (
    api_key_id text primary key, daily_limit_usd real not null, monthly_limit_usd real default 0,
    warning_threshold real default 0.8,
    omniroute_weekly_limit_usd real
);
create table domain_cost_history (
    id integer primary key autoincrement, api_key_id text not null, cost real not null, timestamp integer not null
);
create table domain_lockout_state (identifier text primary key, attempts text not null, locked_until integer);
create table domain_circuit_breakers (
    name text primary key, state text not null default 'CLOSED', failure_count integer default 0,
    last_failure_time integer, options text
);
create table semantic_cache (
    id text primary key, signature text not null unique, model text not null, prompt_hash text not null,
    response text not null, tokens_saved integer default 0, hit_count integer default 0, created_at text not null,
    expires_at text not null
);
create table audit_log (
    id integer primary key autoincrement, timestamp text not null default (datetime('now')), action text not null,
    actor text not null default 'system', target text, details text, ip_address text
);
create table _omniroute_migrations (
    version text primary key, name text not null, applied_at text not null default (datetime('now'))
);
create table omniroute_policies (id text primary key, data text not null);
create table omniroute_price_periods (id text primary key, data text not null);
create table omniroute_ip_filter (id text primary key, data text not null);
create table omniroute_eval_suites (id text primary key, data text not null);
create table omniroute_bundle (key text primary key, value text not null);
";

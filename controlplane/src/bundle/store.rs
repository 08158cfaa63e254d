//! What a bundle says, made the configuration of this installation.
//!
//! Rows that are there already are changed and not made anew, so that what a bundle knows nothing about stays with
//! them. A row whose name another one takes goes first, for two may never have the same.

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{
    contents::{Combo, Connection, Contents, Credential, Key, PricePeriod, Proxy},
    field_key::hex,
    load::is_portable,
};
use crate::{
    proxies,
    vault::{self, Cell, Vault},
};

/// The rows that have secrets, sealed as they are kept here.
#[derive(Debug)]
pub struct Sealed {
    connections: Value,
    keys: Value,
    proxies: Value,
}

// === impl Sealed ===

impl Sealed {
    /// `keeps_keys`: a copy of whole API keys is kept, `API_KEY_REVEAL`.
    pub fn of(contents: &Contents, vault: &Vault, keeps_keys: bool) -> Self {
        let connections = contents.connections.iter().map(|row| connection(row, vault));
        let keys = contents.keys.iter().map(|key| api_key(key, vault, keeps_keys));
        let proxies = contents.proxies.iter().map(|row| proxy(row, vault));
        Self {
            connections: connections.collect(),
            keys: keys.collect(),
            proxies: proxies.collect(),
        }
    }
}

/// Makes `contents` all there is. On the connection of an open write of configuration.
pub async fn store(conn: &mut PgConnection, contents: &Contents, sealed: Sealed) -> Result<(), sqlx::Error> {
    nodes(conn, contents).await?;
    connections(conn, sealed.connections).await?;
    models(conn, contents).await?;
    combos(conn, &contents.combos).await?;
    keys(conn, &contents.keys, sealed.keys).await?;
    proxies(conn, sealed.proxies).await?;
    settings(conn, contents).await?;
    routing(conn, contents).await?;
    ip_filter(conn, contents).await?;
    suites(conn, contents).await
}

async fn nodes(conn: &mut PgConnection, contents: &Contents) -> Result<(), sqlx::Error> {
    let rows = json!(contents.nodes);
    sqlx::query!(
        "delete from provider_node as old
         where not exists (select from jsonb_to_recordset($1) as new (id text, prefix text)
                           where new.id = old.id and new.prefix = old.prefix)",
        rows,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into provider_node (id, type, name, prefix, api_type, base_url, api_version, allow_private_address,
                                    created_at)
         select id, type, name, prefix, api_type, base_url, api_version, allow_private_address, created_at
         from jsonb_to_recordset($1) as new (id text, type text, name text, prefix text, api_type text, base_url text,
                                             api_version text, allow_private_address bool, created_at timestamptz)
         on conflict (id) do update set
             type = excluded.type, name = excluded.name, api_type = excluded.api_type, base_url = excluded.base_url,
             api_version = excluded.api_version, allow_private_address = excluded.allow_private_address",
        rows,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn connections(conn: &mut PgConnection, rows: Value) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from provider_connection as old
         where not exists (select from jsonb_to_recordset($1) as new (id uuid, provider text, name text)
                           where new.id = old.id and new.provider = old.provider
                             and new.name is not distinct from old.name)",
        rows,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into provider_connection
             (id, provider, auth_type, name, email, display_name, priority, global_priority, is_active, api_key,
              api_key_hint, default_model, provider_specific_data, allow_private_address, test_status, last_tested,
              last_error, last_error_type, last_error_source, last_error_at, error_code, rate_limit_protection,
              health_check_interval_min, created_at)
         select id, provider, auth_type, name, email, display_name, priority, global_priority, is_active,
                api_key, api_key_hint, default_model, provider_specific_data, allow_private_address, test_status,
                last_tested, last_error, last_error_type, last_error_source, last_error_at, error_code,
                rate_limit_protection, health_check_interval_min, created_at
         from jsonb_to_recordset($1) as new
              (id uuid, provider text, auth_type text, name text, email text, display_name text, priority int,
               global_priority int, is_active bool, api_key bytea, api_key_hint text, default_model text,
               provider_specific_data jsonb, allow_private_address bool, test_status text, last_tested timestamptz,
               last_error text, last_error_type text, last_error_source text, last_error_at timestamptz,
               error_code text, rate_limit_protection bool, health_check_interval_min int, created_at timestamptz)
         on conflict (id) do update set
             auth_type = excluded.auth_type, email = excluded.email, display_name = excluded.display_name,
             priority = excluded.priority, global_priority = excluded.global_priority,
             is_active = excluded.is_active, api_key = excluded.api_key, api_key_hint = excluded.api_key_hint,
             default_model = excluded.default_model, provider_specific_data = excluded.provider_specific_data,
             allow_private_address = excluded.allow_private_address, test_status = excluded.test_status,
             last_tested = excluded.last_tested, last_error = excluded.last_error,
             last_error_type = excluded.last_error_type, last_error_source = excluded.last_error_source,
             last_error_at = excluded.last_error_at, error_code = excluded.error_code,
             rate_limit_protection = excluded.rate_limit_protection,
             health_check_interval_min = excluded.health_check_interval_min",
        rows,
    )
    .execute(&mut *conn)
    .await?;
    // tokens of accounts stay where they are and are in no bundle: without any there is nothing to call with
    sqlx::query!(
        "update provider_connection set is_active = false
         where auth_type = 'oauth' and is_active and coalesce(api_key, access_token, refresh_token) is null"
    )
    .execute(&mut *conn)
    .await?;
    // priorities of one provider are always 1..n
    sqlx::query!(
        "update provider_connection as c set priority = wanted.place::int
         from (select id, row_number() over (partition by provider order by priority, created_at, id) as place
               from provider_connection) as wanted
         where c.id = wanted.id and c.priority <> wanted.place"
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn models(conn: &mut PgConnection, contents: &Contents) -> Result<(), sqlx::Error> {
    let aliases = json!(contents.aliases);
    sqlx::query!(
        "delete from model_alias as old
         where not exists (select from jsonb_to_recordset($1) as new (alias text) where new.alias = old.alias)",
        aliases,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into model_alias (alias, target)
         select alias, target from jsonb_to_recordset($1) as new (alias text, target text)
         on conflict (alias) do update set target = excluded.target",
        aliases,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("delete from custom_model")
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "insert into custom_model (provider, model, name, source, type, context_window)
         select distinct on (provider, model) provider, model, name, source, type, context_window
         from jsonb_to_recordset($1) as new (provider text, model text, name text, source text, type text,
                                             context_window int)
         order by provider, model",
        json!(contents.custom_models),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("delete from price_override")
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "insert into price_override (provider, model, input, output, cached, reasoning, cache_creation, image,
                                     audio_minute, characters, search)
         select distinct on (provider, model) provider, model, input, output, cached, reasoning, cache_creation, image,
                audio_minute, characters, search
         from jsonb_to_recordset($1) as new (provider text, model text, input bigint, output bigint, cached bigint,
                                             reasoning bigint, cache_creation bigint, image bigint,
                                             audio_minute bigint, characters bigint, search bigint)
         order by provider, model",
        json!(contents.prices),
    )
    .execute(&mut *conn)
    .await?;
    price_periods(conn, contents.price_periods.as_deref()).await
}

async fn price_periods(conn: &mut PgConnection, periods: Option<&[PricePeriod]>) -> Result<(), sqlx::Error> {
    let Some(periods) = periods else {
        return Ok(());
    };
    sqlx::query!("delete from price_period")
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "insert into price_period (provider, model, effective_from, input, output, cached, reasoning, cache_creation)
         select distinct on (provider, model, effective_from)
                provider, model, effective_from, input, output, cached, reasoning, cache_creation
         from jsonb_to_recordset($1) as new (provider text, model text, effective_from timestamptz, input bigint,
                                             output bigint, cached bigint, reasoning bigint, cache_creation bigint)
         order by provider, model, effective_from",
        json!(periods),
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn combos(conn: &mut PgConnection, combos: &[Combo]) -> Result<(), sqlx::Error> {
    let rows = json!(combos);
    sqlx::query!(
        "delete from combo as old
         where not exists (select from jsonb_to_recordset($1) as new (id uuid, name text)
                           where new.id = old.id and new.name = old.name)",
        rows,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into combo (id, name, strategy, is_active, config, created_at)
         select id, name, strategy, is_active, config, created_at
         from jsonb_to_recordset($1) as new (id uuid, name text, strategy text, is_active bool, config jsonb,
                                             created_at timestamptz)
         on conflict (id) do update set strategy = excluded.strategy, is_active = excluded.is_active,
             config = excluded.config",
        rows,
    )
    .execute(&mut *conn)
    .await?;
    let members: Value = combos
        .iter()
        .flat_map(|combo| {
            let members = combo.members.iter().zip(1..);
            members.map(|(member, position)| {
                json!({ "combo_id": combo.id, "position": position, "model": member.model,
                        "weight": member.weight })
            })
        })
        .collect();
    sqlx::query!("delete from combo_member")
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "insert into combo_member (combo_id, position, model, weight)
         select combo_id, position, model, weight
         from jsonb_to_recordset($1) as new (combo_id uuid, position int, model text, weight float8)",
        members,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn keys(conn: &mut PgConnection, keys: &[Key], rows: Value) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from api_key as old
         where not exists (select from jsonb_to_recordset($1) as new (id uuid, key_hash bytea)
                           where new.id = old.id and new.key_hash = old.key_hash)",
        rows,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into api_key (id, name, key_hash, key_sealed, key_prefix, key_last4, cluster_id, scopes,
                              allowed_models, allowed_connections, rate_limits, rpm, tpm, concurrency, is_active,
                              no_log, expires_at, last_used_at, created_at)
         select id, name, key_hash, key_sealed, key_prefix, key_last4, cluster_id, scopes, allowed_models,
                allowed_connections, nullif(rate_limits, 'null'), rpm, tpm, concurrency, is_active, no_log,
                expires_at, last_used_at, created_at
         from jsonb_to_recordset($1) as new
              (id uuid, name text, key_hash bytea, key_sealed bytea, key_prefix text, key_last4 text,
               cluster_id text, scopes text[], allowed_models text[], allowed_connections uuid[], rate_limits jsonb,
               rpm int, tpm bigint, concurrency int, is_active bool, no_log bool, expires_at timestamptz,
               last_used_at timestamptz, created_at timestamptz)
         on conflict (id) do update set
             name = excluded.name, key_sealed = excluded.key_sealed, key_prefix = excluded.key_prefix,
             key_last4 = excluded.key_last4, cluster_id = excluded.cluster_id, scopes = excluded.scopes,
             allowed_models = excluded.allowed_models, allowed_connections = excluded.allowed_connections,
             rate_limits = excluded.rate_limits, rpm = excluded.rpm, tpm = excluded.tpm,
             concurrency = excluded.concurrency, is_active = excluded.is_active, no_log = excluded.no_log,
             expires_at = excluded.expires_at,
             last_used_at = greatest(api_key.last_used_at, excluded.last_used_at)",
        rows,
    )
    .execute(&mut *conn)
    .await?;
    let budgets: Value = keys
        .iter()
        .filter_map(|key| {
            let mut budget = json!(key.budget?);
            budget["api_key_id"] = json!(key.id);
            Some(budget)
        })
        .collect();
    sqlx::query!("delete from budget").execute(&mut *conn).await?;
    sqlx::query!(
        "insert into budget (api_key_id, daily_limit_nano, weekly_limit_nano, monthly_limit_nano, warning_threshold)
         select api_key_id, daily_limit_nano, weekly_limit_nano, monthly_limit_nano, warning_threshold
         from jsonb_to_recordset($1) as new (api_key_id uuid, daily_limit_nano bigint, weekly_limit_nano bigint,
                                             monthly_limit_nano bigint, warning_threshold float8)",
        budgets,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn proxies(conn: &mut PgConnection, rows: Value) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from proxy_config")
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "insert into proxy_config (level, target_id, type, host, port, username, password)
         select distinct on (level, target_id) level, target_id, type, host, port, username, password
         from jsonb_to_recordset($1) as new (level text, target_id text, type text, host text, port int,
                                             username text, password bytea)
         order by level, target_id",
        rows,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn settings(conn: &mut PgConnection, contents: &Contents) -> Result<(), sqlx::Error> {
    let stored = sqlx::query_scalar!("select key from setting")
        .fetch_all(&mut *conn)
        .await?;
    let kept = |key: &String| contents.settings.iter().any(|setting| setting.key == *key);
    let gone: Vec<String> = stored
        .into_iter()
        .filter(|key| is_portable(key) && !kept(key))
        .collect();
    sqlx::query!("delete from setting where key = any($1)", &gone)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "insert into setting (key, value)
         select key, value from jsonb_to_recordset($1) as new (key text, value jsonb)
         on conflict (key) do update set value = excluded.value where setting.value <> excluded.value",
        json!(contents.settings),
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn routing(conn: &mut PgConnection, contents: &Contents) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from fallback_chain")
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "insert into fallback_chain (model, chain)
         select model, chain from jsonb_to_recordset($1) as new (model text, chain jsonb)",
        json!(contents.chains),
    )
    .execute(&mut *conn)
    .await?;
    let Some(policies) = &contents.policies else {
        return Ok(());
    };
    let rows = json!(policies);
    sqlx::query!(
        "delete from policy as old
         where not exists (select from jsonb_to_recordset($1) as new (id uuid, name text)
                           where new.id = old.id and new.name = old.name)",
        rows,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into policy (id, name, type, enabled, priority, conditions, actions)
         select id, name, type, enabled, priority, conditions, actions
         from jsonb_to_recordset($1) as new (id uuid, name text, type text, enabled bool, priority int,
                                             conditions jsonb, actions jsonb)
         on conflict (id) do update set type = excluded.type, enabled = excluded.enabled,
             priority = excluded.priority, conditions = excluded.conditions, actions = excluded.actions",
        rows,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn ip_filter(conn: &mut PgConnection, contents: &Contents) -> Result<(), sqlx::Error> {
    let Some(filter) = &contents.ip_filter else {
        return Ok(());
    };
    sqlx::query!(
        "update ip_filter_state set enabled = $1, mode = $2",
        filter.enabled,
        filter.mode
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("delete from ip_filter_entry")
        .execute(&mut *conn)
        .await?;
    for (list, entries) in [("black", &filter.blacklist), ("white", &filter.whitelist)] {
        sqlx::query!(
            "insert into ip_filter_entry (list, entry) select $1, entry from unnest($2::text[]) as entry
             on conflict do nothing",
            list,
            entries
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Those that come with the program stay as they are.
async fn suites(conn: &mut PgConnection, contents: &Contents) -> Result<(), sqlx::Error> {
    let Some(suites) = &contents.suites else {
        return Ok(());
    };
    sqlx::query!("delete from eval_suite where not builtin")
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "insert into eval_suite (id, name, description)
         select id, name, description from jsonb_to_recordset($1) as new (id text, name text, description text)
         on conflict (id) do nothing",
        json!(suites),
    )
    .execute(&mut *conn)
    .await?;
    let cases: Value = suites
        .iter()
        .flat_map(|suite| {
            let cases = suite.cases.iter().zip(1..);
            cases.map(|(case, position)| {
                let mut row = json!(case);
                row["suite_id"] = json!(suite.id);
                row["position"] = json!(position);
                row
            })
        })
        .collect();
    sqlx::query!(
        "insert into eval_case (suite_id, id, position, name, model, input, expected, tags)
         select suite_id, id, position, name, model, input, expected, tags
         from jsonb_to_recordset($1) as new (suite_id text, id text, position int, name text, model text,
                                             input jsonb, expected jsonb, tags text[])
         where suite_id in (select s.id from eval_suite s where not s.builtin)
         on conflict (suite_id, id) do nothing",
        cases,
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn connection(row: &Connection, vault: &Vault) -> Value {
    let id = row.id.to_string();
    let seal = |plain: &str| vault.seal(Cell::connection_api_key(&id), plain);
    let hint = match &row.credential {
        Credential::Open(plain) => Some(vault::mask(plain.expose())),
        Credential::Sealed(_) => Some(vault::mask("")),
        Credential::Absent | Credential::Lost => None,
    };
    let mut value = json!(row);
    value["api_key"] = bytes(stored(&row.credential, seal));
    value["api_key_hint"] = json!(hint);
    value
}

fn api_key(key: &Key, vault: &Vault, keeps_keys: bool) -> Value {
    let id = key.id.to_string();
    let seal = |plain: &str| vault.seal(Cell::api_key(&id), plain);
    let copy = match keeps_keys {
        true => stored(&key.whole, seal),
        false => None,
    };
    let mut value = json!(key);
    value["key_hash"] = bytes(Some(key.key_hash.clone()));
    value["key_sealed"] = bytes(copy);
    value
}

fn proxy(row: &Proxy, vault: &Vault) -> Value {
    let id = proxies::id(&row.level, &row.target_id);
    let seal = |plain: &str| vault.seal(Cell::proxy_password(&id), plain);
    let mut value = json!(row);
    value["password"] = bytes(stored(&row.password, seal));
    value
}

fn stored(credential: &Credential, seal: impl FnOnce(&str) -> Vec<u8>) -> Option<Vec<u8>> {
    match credential {
        Credential::Open(plain) => Some(seal(plain.expose())),
        Credential::Sealed(bytes) => Some(bytes.clone()),
        Credential::Absent | Credential::Lost => None,
    }
}

/// As Postgres reads `bytea` from a text.
fn bytes(value: Option<Vec<u8>>) -> Value {
    value.map_or(Value::Null, |value| format!("\\x{}", hex(&value)).into())
}

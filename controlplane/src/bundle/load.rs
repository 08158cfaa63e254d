//! From the rows of this installation to what a bundle says.

use std::collections::HashMap;

use runtime::secret::Secret;
use sqlx::{PgConnection, types::Json as SqlJson};
use uuid::Uuid;

use super::contents::{
    Alias, Budget, Case, Chain, Combo, Connection, Contents, Credential, CustomModel, IpFilter, Key, Member,
    Node, Policy, Price, PricePeriod, Proxy, Setting, Suite,
};
use crate::{
    proxies,
    vault::{Cell, Vault, VaultError},
};

/// Settings that belong to this installation and to no bundle: who must log in and how often they may try, whether it is
/// set up, and which generation of the caches counts. An older generation would give old answers again.
const OWN_SETTINGS: [&str; 5] = [
    "requireLogin",
    "bruteForceProtection",
    "setupComplete",
    "cacheGeneration",
    "idempotencyGeneration",
];

pub fn is_portable(setting: &str) -> bool {
    let lower = setting.to_lowercase();
    let names_a_secret = ["password", "secret", "token"]
        .iter()
        .any(|word| lower.contains(word));
    !OWN_SETTINGS.contains(&setting) && !names_a_secret
}

/// Everything, as `conn` sees it: in one transaction, so that it belongs together.
pub async fn load(conn: &mut PgConnection, vault: &Vault) -> Result<Contents, sqlx::Error> {
    let ip_filter = sqlx::query_as!(
        IpFilter,
        r#"select enabled, mode,
                  array(select entry from ip_filter_entry where list = 'black' order by entry) as "blacklist!",
                  array(select entry from ip_filter_entry where list = 'white' order by entry) as "whitelist!"
           from ip_filter_state"#
    )
    .fetch_one(&mut *conn)
    .await?;
    let policies = sqlx::query_as!(
        Policy,
        "select id, name, type, enabled, priority, conditions, actions from policy order by priority, name"
    )
    .fetch_all(&mut *conn)
    .await?;
    let price_periods = sqlx::query_as!(
        PricePeriod,
        "select provider, model, effective_from, input, output, cached, reasoning, cache_creation
         from price_period order by provider, model, effective_from"
    )
    .fetch_all(&mut *conn)
    .await?;
    Ok(Contents {
        nodes: nodes(conn).await?,
        connections: connections(conn, vault).await?,
        aliases: sqlx::query_as!(Alias, "select alias, target from model_alias order by alias")
            .fetch_all(&mut *conn)
            .await?,
        custom_models: sqlx::query_as!(
            CustomModel,
            "select provider, model, name, source, type, context_window from custom_model order by provider, model"
        )
        .fetch_all(&mut *conn)
        .await?,
        combos: combos(conn).await?,
        keys: keys(conn, vault).await?,
        prices: sqlx::query_as!(
            Price,
            "select provider, model, input, output, cached, reasoning, cache_creation, image, audio_minute,
                    characters, search
             from price_override order by provider, model"
        )
        .fetch_all(&mut *conn)
        .await?,
        proxies: proxies(conn, vault).await?,
        settings: settings(conn).await?,
        chains: sqlx::query_as!(Chain, "select model, chain from fallback_chain order by model")
            .fetch_all(&mut *conn)
            .await?,
        policies: Some(policies),
        price_periods: Some(price_periods),
        ip_filter: Some(ip_filter),
        suites: Some(suites(conn).await?),
    })
}

async fn nodes(conn: &mut PgConnection) -> Result<Vec<Node>, sqlx::Error> {
    sqlx::query_as!(
        Node,
        "select id, type, name, prefix, api_type, base_url, api_version, allow_private_address, created_at, updated_at
         from provider_node order by id"
    )
    .fetch_all(conn)
    .await
}

async fn connections(conn: &mut PgConnection, vault: &Vault) -> Result<Vec<Connection>, sqlx::Error> {
    let rows = sqlx::query!(
        "select id, provider, auth_type, name, email, display_name, priority, global_priority, is_active, api_key,
                default_model, provider_specific_data, allow_private_address, test_status, last_tested, last_error,
                last_error_type, last_error_source, last_error_at, error_code, rate_limit_protection,
                health_check_interval_min, created_at, updated_at
         from provider_connection order by provider, priority, id"
    )
    .fetch_all(conn)
    .await?;
    let connections = rows.into_iter().map(|row| {
        let id = row.id.to_string();
        Connection {
            credential: credential(row.api_key, |sealed| {
                vault.open(Cell::connection_api_key(&id), sealed)
            }),
            id: row.id,
            provider: row.provider,
            auth_type: row.auth_type,
            name: row.name,
            email: row.email,
            display_name: row.display_name,
            priority: row.priority,
            global_priority: row.global_priority,
            is_active: row.is_active,
            default_model: row.default_model,
            provider_specific_data: row.provider_specific_data,
            allow_private_address: row.allow_private_address,
            test_status: row.test_status,
            last_tested: row.last_tested,
            last_error: row.last_error,
            last_error_type: row.last_error_type,
            last_error_source: row.last_error_source,
            last_error_at: row.last_error_at,
            error_code: row.error_code,
            rate_limit_protection: row.rate_limit_protection,
            health_check_interval_min: row.health_check_interval_min,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    });
    Ok(connections.collect())
}

async fn combos(conn: &mut PgConnection) -> Result<Vec<Combo>, sqlx::Error> {
    let members =
        sqlx::query!("select combo_id, model, weight from combo_member order by combo_id, position")
            .fetch_all(&mut *conn)
            .await?;
    let mut by_combo: HashMap<Uuid, Vec<Member>> = HashMap::new();
    for row in members {
        by_combo.entry(row.combo_id).or_default().push(Member {
            model: row.model,
            weight: row.weight,
        });
    }
    let rows = sqlx::query!(
        "select id, name, strategy, is_active, config, created_at, updated_at from combo order by name"
    )
    .fetch_all(conn)
    .await?;
    let combos = rows.into_iter().map(|row| Combo {
        members: by_combo.remove(&row.id).unwrap_or_default(),
        id: row.id,
        name: row.name,
        strategy: row.strategy,
        is_active: row.is_active,
        config: row.config,
        created_at: row.created_at,
        updated_at: row.updated_at,
    });
    Ok(combos.collect())
}

async fn keys(conn: &mut PgConnection, vault: &Vault) -> Result<Vec<Key>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id, name, key_hash, key_sealed, key_prefix, key_last4, cluster_id, scopes, allowed_models,
                  allowed_connections, rate_limits, rpm, tpm, concurrency, is_active, no_log, expires_at,
                  last_used_at, created_at, daily_limit_nano as "daily_limit_nano?",
                  weekly_limit_nano as "weekly_limit_nano?", monthly_limit_nano as "monthly_limit_nano?",
                  warning_threshold as "warning_threshold?"
           from api_key left join budget on budget.api_key_id = api_key.id
           order by created_at, id"#
    )
    .fetch_all(conn)
    .await?;
    let keys = rows.into_iter().map(|row| {
        let id = row.id.to_string();
        Key {
            whole: credential(row.key_sealed, |sealed| vault.open(Cell::api_key(&id), sealed)),
            budget: row.warning_threshold.map(|warning_threshold| Budget {
                daily_limit_nano: row.daily_limit_nano,
                weekly_limit_nano: row.weekly_limit_nano,
                monthly_limit_nano: row.monthly_limit_nano,
                warning_threshold,
            }),
            id: row.id,
            name: row.name,
            key_hash: row.key_hash,
            key_prefix: row.key_prefix,
            key_last4: row.key_last4,
            cluster_id: row.cluster_id,
            scopes: row.scopes,
            allowed_models: row.allowed_models,
            allowed_connections: row.allowed_connections,
            rate_limits: row.rate_limits,
            rpm: row.rpm,
            tpm: row.tpm,
            concurrency: row.concurrency,
            is_active: row.is_active,
            no_log: row.no_log,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            created_at: row.created_at,
        }
    });
    Ok(keys.collect())
}

async fn proxies(conn: &mut PgConnection, vault: &Vault) -> Result<Vec<Proxy>, sqlx::Error> {
    let rows = sqlx::query!(
        "select level, target_id, type, host, port, username, password from proxy_config order by level, target_id"
    )
    .fetch_all(conn)
    .await?;
    let proxies = rows.into_iter().map(|row| {
        let id = proxies::id(&row.level, &row.target_id);
        Proxy {
            password: credential(row.password, |sealed| {
                vault.open(Cell::proxy_password(&id), sealed)
            }),
            level: row.level,
            target_id: row.target_id,
            r#type: row.r#type,
            host: row.host,
            port: row.port,
            username: row.username,
        }
    });
    Ok(proxies.collect())
}

async fn settings(conn: &mut PgConnection) -> Result<Vec<Setting>, sqlx::Error> {
    let rows = sqlx::query_as!(Setting, "select key, value from setting order by key")
        .fetch_all(conn)
        .await?;
    Ok(rows
        .into_iter()
        .filter(|setting| is_portable(&setting.key))
        .collect())
}

async fn suites(conn: &mut PgConnection) -> Result<Vec<Suite>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id, name, description,
                  (select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'name', c.name, 'model', c.model,
                                                                'input', c.input, 'expected', c.expected,
                                                                'tags', c.tags) order by c.position), '[]')
                   from eval_case c where c.suite_id = eval_suite.id) as "cases!: SqlJson<Vec<Case>>"
           from eval_suite where not builtin order by id"#
    )
    .fetch_all(conn)
    .await?;
    let suites = rows.into_iter().map(|row| Suite {
        id: row.id,
        name: row.name,
        description: row.description,
        cases: row.cases.0,
    });
    Ok(suites.collect())
}

fn credential(
    stored: Option<Vec<u8>>,
    open: impl FnOnce(&[u8]) -> Result<Secret<String>, VaultError>,
) -> Credential {
    let Some(sealed) = stored else {
        return Credential::Absent;
    };
    match open(&sealed) {
        Ok(plain) => Credential::Open(plain),
        Err(VaultError) => Credential::Sealed(sealed),
    }
}

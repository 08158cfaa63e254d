//! What is copied: connections, the operator's own endpoints, names, combos and gateway keys.
//!
//! Credentials are opened here and sealed anew, under the key that only the two ends have; of a gateway key goes its
//! hash. So whoever keeps the copy can read none of them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::seal::SyncKey;
use crate::{
    http::Stamp,
    vault::{Cell, Vault, VaultError},
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// Grows when the shape of this changes in a way that matters to a reader.
    version: u32,
    cluster_id: String,
    /// The configuration that this is.
    #[serde(rename = "configRevision")]
    pub revision: i64,
    providers: Vec<Connection>,
    provider_nodes: Vec<Node>,
    model_aliases: BTreeMap<String, String>,
    combos: Vec<Combo>,
    api_keys: Vec<ApiKey>,
}

/// Its secrets are sealed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Connection {
    id: Uuid,
    provider: String,
    auth_type: String,
    name: Option<String>,
    email: Option<String>,
    priority: i32,
    global_priority: Option<i32>,
    is_active: bool,
    default_model: Option<String>,
    provider_specific_data: Value,
    api_key: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
    expires_at: Option<Stamp>,
    updated_at: Stamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    id: String,
    r#type: String,
    name: String,
    prefix: String,
    api_type: Option<String>,
    base_url: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Combo {
    id: Uuid,
    name: String,
    strategy: String,
    is_active: bool,
    config: Value,
    models: Vec<Member>,
}

#[derive(Debug, Serialize)]
struct Member {
    model: String,
    weight: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiKey {
    id: Uuid,
    name: String,
    /// HMAC-SHA256 under `API_KEY_SECRET`, hexadecimal.
    hash: String,
    scopes: Vec<String>,
    allowed_models: Vec<String>,
    is_active: bool,
    expires_at: Option<Stamp>,
}

// === impl Contents ===

impl Contents {
    /// Read in the one transaction that `conn` is in, so that its parts belong together.
    pub async fn load(
        conn: &mut PgConnection,
        cluster_id: &str,
        vault: &Vault,
        key: &SyncKey,
    ) -> Result<Self, LoadError> {
        Ok(Self {
            version: 1,
            cluster_id: cluster_id.to_owned(),
            revision: sqlx::query_scalar!("select revision from config_head")
                .fetch_one(&mut *conn)
                .await?,
            providers: connections(conn, vault, key).await?,
            provider_nodes: nodes(conn).await?,
            model_aliases: aliases(conn).await?,
            combos: combos(conn).await?,
            api_keys: api_keys(conn).await?,
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

async fn connections(
    conn: &mut PgConnection,
    vault: &Vault,
    key: &SyncKey,
) -> Result<Vec<Connection>, LoadError> {
    let rows = sqlx::query!(
        "select id, provider, auth_type, name, email, priority, global_priority, is_active, default_model,
                provider_specific_data, api_key, access_token, refresh_token, token_expires_at, updated_at
         from provider_connection order by provider, priority, id"
    )
    .fetch_all(conn)
    .await?;
    let connections = rows.into_iter().map(|row| {
        let id = row.id.to_string();
        let reseal = |cell: Cell<'_>, stored: Option<Vec<u8>>| {
            let opened = stored.map(|stored| vault.open(cell, &stored)).transpose()?;
            Ok::<_, VaultError>(opened.map(|secret| key.seal(&id, cell.column, secret.expose())))
        };
        Ok(Connection {
            api_key: reseal(Cell::connection_api_key(&id), row.api_key)?,
            access_token: reseal(Cell::connection_access_token(&id), row.access_token)?,
            refresh_token: reseal(Cell::connection_refresh_token(&id), row.refresh_token)?,
            id: row.id,
            provider: row.provider,
            auth_type: row.auth_type,
            name: row.name,
            email: row.email,
            priority: row.priority,
            global_priority: row.global_priority,
            is_active: row.is_active,
            default_model: row.default_model,
            provider_specific_data: row.provider_specific_data,
            expires_at: row.token_expires_at.map(Stamp),
            updated_at: Stamp(row.updated_at),
        })
    });
    connections.collect()
}

async fn nodes(conn: &mut PgConnection) -> Result<Vec<Node>, sqlx::Error> {
    sqlx::query_as!(
        Node,
        r#"select id, type as "type", name, prefix, api_type, base_url from provider_node order by prefix"#
    )
    .fetch_all(conn)
    .await
}

async fn aliases(conn: &mut PgConnection) -> Result<BTreeMap<String, String>, sqlx::Error> {
    let rows = sqlx::query!("select alias, target from model_alias")
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.alias, row.target)).collect())
}

async fn combos(conn: &mut PgConnection) -> Result<Vec<Combo>, sqlx::Error> {
    let mut members: BTreeMap<Uuid, Vec<Member>> = BTreeMap::new();
    let rows = sqlx::query!("select combo_id, model, weight from combo_member order by combo_id, position")
        .fetch_all(&mut *conn)
        .await?;
    for row in rows {
        let (model, weight) = (row.model, row.weight);
        members
            .entry(row.combo_id)
            .or_default()
            .push(Member { model, weight });
    }
    let rows = sqlx::query!("select id, name, strategy, is_active, config from combo order by name")
        .fetch_all(conn)
        .await?;
    let combos = rows.into_iter().map(|row| Combo {
        models: members.remove(&row.id).unwrap_or_default(),
        id: row.id,
        name: row.name,
        strategy: row.strategy,
        is_active: row.is_active,
        config: row.config,
    });
    Ok(combos.collect())
}

async fn api_keys(conn: &mut PgConnection) -> Result<Vec<ApiKey>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id, name, encode(key_hash, 'hex') as "hash!", scopes, allowed_models, is_active, expires_at
           from api_key order by created_at, id"#
    )
    .fetch_all(conn)
    .await?;
    let keys = rows.into_iter().map(|row| ApiKey {
        id: row.id,
        name: row.name,
        hash: row.hash,
        scopes: row.scopes,
        allowed_models: row.allowed_models,
        is_active: row.is_active,
        expires_at: row.expires_at.map(Stamp),
    });
    Ok(keys.collect())
}

//! The stored proxies, and which of them a call to a provider goes through.
//!
//! A proxy that cannot be used is an error and never the same as none: what is meant to go through it must not go
//! out beside it.

use runtime::{
    egress::{Proxy, ProxyError, ProxyScheme},
    secret::Secret,
};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::{
    api::Ctx,
    error::ApiError,
    vault::{Cell, Vault, VaultError},
};

/// A row of `proxy_config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredProxy {
    /// `global`, `provider`, `combo` or `connection`.
    pub level: String,
    /// Empty for `global`.
    pub target_id: String,
    pub r#type: String,
    pub host: String,
    pub port: i32,
    pub username: Option<String>,
    /// Sealed.
    pub password: Option<Vec<u8>>,
}

// === impl StoredProxy ===

impl StoredProxy {
    /// What it is called wherever it needs one name: in seals and in the configuration of data planes.
    pub fn id(&self) -> String {
        id(&self.level, &self.target_id)
    }

    pub fn open_password(&self, vault: &Vault) -> Result<Option<Secret<String>>, VaultError> {
        let id = self.id();
        let sealed = self.password.as_deref();
        sealed
            .map(|sealed| vault.open(Cell::proxy_password(&id), sealed))
            .transpose()
    }

    /// Ready to be called through.
    pub fn usable(&self, vault: &Vault) -> Result<Proxy, ApiError> {
        let unusable = |why: &dyn std::fmt::Display| {
            let text = format!("the proxy {} cannot be used: {why}", self.id());
            ApiError::NoUsableCredential(text)
        };
        let password = self.open_password(vault).map_err(|error| unusable(&error))?;
        let password = password.as_ref().map_or("", |password| password.expose());
        let port = u16::try_from(self.port).unwrap_or_default();
        let user = self.username.as_deref().unwrap_or_default();
        ProxyScheme::named(&self.r#type)
            .ok_or(ProxyError::Scheme)
            .and_then(|scheme| Proxy::new(scheme, &self.host, port, user, password))
            .map_err(|error| unusable(&error))
    }
}

pub fn id(level: &str, target: &str) -> String {
    match target {
        "" => level.to_owned(),
        target => format!("{level}/{target}"),
    }
}

/// What calls of a connection go through, or those to a provider that has none yet, and at which level that was said.
/// A combo's proxy is not among them: it depends on the request.
pub async fn of_connection(
    executor: impl PgExecutor<'_>,
    connection: Option<Uuid>,
    provider: &str,
) -> Result<Option<StoredProxy>, sqlx::Error> {
    sqlx::query_as!(
        StoredProxy,
        "select level, target_id, type, host, port, username, password from proxy_config
         where level = 'global' or (level = 'provider' and target_id = $2)
            or (level = 'connection' and target_id = $1::text)
         order by array_position(array['connection', 'provider', 'global'], level) limit 1",
        connection.map(|id| id.to_string()),
        provider,
    )
    .fetch_optional(executor)
    .await
}

/// The same, ready to be called through.
pub async fn usable_for(
    ctx: &Ctx,
    connection: Option<Uuid>,
    provider: &str,
) -> Result<Option<Proxy>, ApiError> {
    let stored = of_connection(ctx.db.pool(), connection, provider).await?;
    stored.map(|stored| stored.usable(&ctx.vault)).transpose()
}

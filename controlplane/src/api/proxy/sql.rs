//! Proxies as rows, and what they are for.

use sqlx::{PgConnection, PgExecutor};

use super::body::join;
use crate::{
    api::names::Names,
    error::{ApiError, Violation},
    http::{one_of, uuid_or_missing},
    proxies::{self, StoredProxy},
};

const LEVELS: [&str; 5] = ["global", "provider", "combo", "key", "connection"];

/// Where a proxy is configured: something that exists.
#[derive(Debug)]
pub struct Place {
    /// As stored.
    pub level: &'static str,
    /// Empty for `global`.
    pub target: String,
}

// === impl Place ===

impl Place {
    pub fn id(&self) -> String {
        proxies::id(self.level, &self.target)
    }

    /// `field` names in the answer what is wrong.
    pub async fn find(
        conn: &mut PgConnection,
        field: &str,
        level: &str,
        id: Option<&str>,
    ) -> Result<Self, ApiError> {
        one_of("level", level, &LEVELS)?;
        if level == "global" {
            let target = String::new();
            return Ok(Self {
                level: "global",
                target,
            });
        }
        let id = id.map(str::trim).filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| ApiError::Invalid(vec![missing(field)]))?;
        match level {
            "provider" => {
                let target = Names::load(conn).await?.provider_id(id);
                let target = target.ok_or_else(|| ApiError::not_found("provider", id))?;
                Ok(Self {
                    level: "provider",
                    target,
                })
            }
            "combo" => {
                let uuid = uuid_or_missing("combo", id)?;
                let found = sqlx::query_scalar!("select id from combo where id = $1", uuid)
                    .fetch_optional(conn)
                    .await?;
                let found = found.ok_or_else(|| ApiError::not_found("combo", id))?;
                Ok(Self {
                    level: "combo",
                    target: found.to_string(),
                })
            }
            _ => {
                let uuid = uuid_or_missing("connection", id)?;
                let found = sqlx::query_scalar!("select id from provider_connection where id = $1", uuid)
                    .fetch_optional(conn)
                    .await?;
                let found = found.ok_or_else(|| ApiError::not_found("connection", id))?;
                Ok(Self {
                    level: "connection",
                    target: found.to_string(),
                })
            }
        }
    }
}

fn missing(field: &str) -> Violation {
    match field {
        "id" => Violation::missing("id"),
        "proxy" => Violation::missing("id"),
        field => Violation::missing(join(field, "id")),
    }
}

pub async fn all(executor: impl PgExecutor<'_>) -> Result<Vec<StoredProxy>, sqlx::Error> {
    sqlx::query_as!(
        StoredProxy,
        "select level, target_id, type, host, port, username, password from proxy_config order by level, target_id"
    )
    .fetch_all(executor)
    .await
}

pub async fn find(executor: impl PgExecutor<'_>, place: &Place) -> Result<Option<StoredProxy>, sqlx::Error> {
    sqlx::query_as!(
        StoredProxy,
        "select level, target_id, type, host, port, username, password from proxy_config
         where level = $1 and target_id = $2",
        place.level,
        place.target,
    )
    .fetch_optional(executor)
    .await
}

pub async fn save(conn: &mut PgConnection, proxy: &StoredProxy) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into proxy_config (level, target_id, type, host, port, username, password)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (level, target_id) do update set
             type = excluded.type, host = excluded.host, port = excluded.port, username = excluded.username,
             password = excluded.password",
        proxy.level,
        proxy.target_id,
        proxy.r#type,
        proxy.host,
        proxy.port,
        proxy.username,
        proxy.password,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The host of the removed one.
pub async fn delete(conn: &mut PgConnection, place: &Place) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "delete from proxy_config where level = $1 and target_id = $2 returning host",
        place.level,
        place.target,
    )
    .fetch_optional(conn)
    .await
}

/// Off until somebody switches it on.
pub async fn allows_socks(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let stored = sqlx::query_scalar!("select value from setting where key = 'enableSocks5Proxy'")
        .fetch_optional(conn)
        .await?;
    Ok(stored.is_some_and(|value| value == true))
}

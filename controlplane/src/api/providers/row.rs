//! The rows of connections, their order, and how a row looks from outside.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::{ConnectionView, ListQuery};
use crate::http::Stamp;

#[derive(Clone, Debug)]
pub struct Row {
    pub id: Uuid,
    pub provider: String,
    pub auth_type: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub priority: i32,
    pub global_priority: Option<i32>,
    pub is_active: bool,
    /// Sealed.
    pub api_key: Option<Vec<u8>>,
    pub api_key_hint: Option<String>,
    /// Sealed.
    pub access_token: Option<Vec<u8>>,
    pub has_refresh_token: bool,
    pub token_type: Option<String>,
    pub scope: Option<String>,
    pub token_expires_at: Option<DateTime<Utc>>,
    pub token_generation: i64,
    pub last_health_check_at: Option<DateTime<Utc>>,
    pub default_model: Option<String>,
    pub provider_specific_data: Value,
    pub allow_private_address: bool,
    pub test_status: String,
    pub last_tested: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
    pub last_error_type: Option<String>,
    pub last_error_source: Option<String>,
    pub last_error_at: Option<DateTime<Utc>>,
    pub error_code: Option<String>,
    pub rate_limit_protection: Option<bool>,
    pub health_check_interval_min: Option<i32>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

// === impl Row ===

impl Row {
    pub fn view(self) -> ConnectionView {
        ConnectionView {
            id: self.id,
            provider: self.provider,
            auth_type: self.auth_type,
            name: self.name,
            email: self.email,
            display_name: self.display_name,
            priority: self.priority,
            global_priority: self.global_priority,
            default_model: self.default_model,
            is_active: self.is_active,
            test_status: self.test_status,
            last_tested: self.last_tested.map(Stamp),
            last_error: self.last_error,
            last_error_at: self.last_error_at.map(Stamp),
            last_error_type: self.last_error_type,
            last_error_source: self.last_error_source,
            error_code: self.error_code,
            rate_limit_protection: self.rate_limit_protection.unwrap_or(false),
            health_check_interval: self.health_check_interval_min.unwrap_or(60),
            allow_private_address: self.allow_private_address,
            provider_specific_data: match self.provider_specific_data {
                Value::Object(data) => data,
                _ => Map::new(),
            },
            has_api_key: self.api_key.is_some(),
            masked_api_key: self.api_key_hint,
            has_access_token: self.access_token.is_some(),
            has_refresh_token: self.has_refresh_token,
            token_type: self.token_type,
            scope: self.scope,
            expires_at: self.token_expires_at.map(Stamp),
            last_health_check_at: self.last_health_check_at.map(Stamp),
            created_at: Stamp(self.created_at),
            updated_at: Stamp(self.updated_at),
        }
    }

    pub fn is_oauth(&self) -> bool {
        self.auth_type == "oauth"
    }

    /// A text of `provider_specific_data`; empty where it says nothing.
    pub fn said(&self, name: &str) -> &str {
        let said = self.provider_specific_data.get(name);
        said.and_then(Value::as_str).unwrap_or_default()
    }

    /// The address of its own, if it has one.
    pub fn base_url(&self) -> Option<&str> {
        self.provider_specific_data.get("baseUrl")?.as_str()
    }
}

pub async fn find(executor: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id, provider, auth_type, name, email, display_name, priority, global_priority, is_active, api_key,
                api_key_hint, access_token, refresh_token is not null as "has_refresh_token!", token_type, scope,
                token_expires_at, token_generation, last_health_check_at, default_model, provider_specific_data, allow_private_address, test_status, last_tested,
                last_error, last_error_type, last_error_source, last_error_at, error_code, rate_limit_protection,
                health_check_interval_min, created_at, updated_at
         from provider_connection where id = $1"#,
        id,
    )
    .fetch_optional(executor)
    .await
}

/// One page of the rows that match, best first.
pub async fn list(
    executor: impl PgExecutor<'_>,
    query: &ListQuery,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id, provider, auth_type, name, email, display_name, priority, global_priority, is_active, api_key,
                api_key_hint, access_token, refresh_token is not null as "has_refresh_token!", token_type, scope,
                token_expires_at, token_generation, last_health_check_at, default_model, provider_specific_data, allow_private_address, test_status, last_tested,
                last_error, last_error_type, last_error_source, last_error_at, error_code, rate_limit_protection,
                health_check_interval_min, created_at, updated_at
         from provider_connection
         where ($1::text is null or provider = $1) and ($2::text is null or auth_type = $2)
           and ($3::bool is null or is_active = $3)
         order by priority, updated_at desc, id
         limit $4 offset $5"#,
        query.provider,
        query.auth_type,
        query.is_active,
        limit,
        query.offset.unwrap_or(0),
    )
    .fetch_all(executor)
    .await
}

/// How many rows match.
pub async fn count(executor: impl PgExecutor<'_>, query: &ListQuery) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from provider_connection
           where ($1::text is null or provider = $1) and ($2::text is null or auth_type = $2)
             and ($3::bool is null or is_active = $3)"#,
        query.provider,
        query.auth_type,
        query.is_active,
    )
    .fetch_one(executor)
    .await
}

/// The connection that a create of this provider and name would overwrite.
pub async fn find_named(
    conn: &mut PgConnection,
    provider: &str,
    name: &str,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select id from provider_connection where provider = $1 and name = $2 and auth_type = 'apikey'",
        provider,
        name,
    )
    .fetch_optional(conn)
    .await
}

/// Writes every column that an operator can change. Inserts the row when its id is new; a new row goes last.
pub async fn save(conn: &mut PgConnection, row: &Row) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into provider_connection
             (id, provider, auth_type, name, priority, global_priority, is_active, api_key, api_key_hint,
              default_model, provider_specific_data, allow_private_address, rate_limit_protection,
              health_check_interval_min)
         values ($1, $2, $3, $4,
                 (select count(*) + 1 from provider_connection where provider = $2)::int,
                 $5, $6, $7, $8, $9, $10, $11, $12, $13)
         on conflict (id) do update set
             name = excluded.name, global_priority = excluded.global_priority, is_active = excluded.is_active,
             api_key = excluded.api_key, api_key_hint = excluded.api_key_hint,
             default_model = excluded.default_model, provider_specific_data = excluded.provider_specific_data,
             allow_private_address = excluded.allow_private_address,
             rate_limit_protection = excluded.rate_limit_protection,
             health_check_interval_min = excluded.health_check_interval_min",
        row.id,
        row.provider,
        row.auth_type,
        row.name,
        row.global_priority,
        row.is_active,
        row.api_key,
        row.api_key_hint,
        row.default_model,
        row.provider_specific_data,
        row.allow_private_address,
        row.rate_limit_protection,
        row.health_check_interval_min,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Numbers a provider's connections 1..n, with `moved` at its wanted place if it has one.
pub async fn renumber(
    conn: &mut PgConnection,
    provider: &str,
    moved: Option<(Uuid, i32)>,
) -> Result<(), sqlx::Error> {
    let mut order = sqlx::query_scalar!(
        "select id from provider_connection where provider = $1 order by priority, updated_at desc, id",
        provider,
    )
    .fetch_all(&mut *conn)
    .await?;
    if let Some((id, place)) = moved {
        order.retain(|one| *one != id);
        let index = usize::try_from(place - 1).unwrap_or(0).min(order.len());
        order.insert(index, id);
    }
    sqlx::query!(
        "update provider_connection as c set priority = wanted.place::int
         from unnest($1::uuid[]) with ordinality as wanted (id, place)
         where c.id = wanted.id and c.priority <> wanted.place",
        &order,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets what tests and requests found out about a connection.
pub async fn clear_health(conn: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update provider_connection
         set test_status = 'unknown', last_tested = null, last_error = null, last_error_type = null,
             last_error_source = null, last_error_at = null, error_code = null
         where id = $1",
        id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

//! Policies as rows.

use serde_json::json;
use sqlx::{PgConnection, PgExecutor, types::Json as SqlJson};
use uuid::Uuid;

use super::Row;
use crate::policy::{Actions, Conditions};

pub async fn all(executor: impl PgExecutor<'_>) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id, name, type, enabled, priority, conditions as "conditions: SqlJson<Conditions>",
                  actions as "actions: SqlJson<Actions>", created_at, updated_at
           from policy order by priority, name"#
    )
    .fetch_all(executor)
    .await
}

pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id, name, type, enabled, priority, conditions as "conditions: SqlJson<Conditions>",
                  actions as "actions: SqlJson<Actions>", created_at, updated_at
           from policy where id = $1"#,
        id,
    )
    .fetch_optional(conn)
    .await
}

pub async fn save(conn: &mut PgConnection, row: &Row) -> Result<Row, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"insert into policy (id, name, type, enabled, priority, conditions, actions)
           values ($1, $2, $3, $4, $5, $6, $7)
           on conflict (id) do update set name = excluded.name, type = excluded.type, enabled = excluded.enabled,
               priority = excluded.priority, conditions = excluded.conditions, actions = excluded.actions
           returning id, name, type, enabled, priority, conditions as "conditions: SqlJson<Conditions>",
                     actions as "actions: SqlJson<Actions>", created_at, updated_at"#,
        row.id,
        row.name,
        row.r#type,
        row.enabled,
        row.priority,
        json!(row.conditions.0),
        json!(row.actions.0),
    )
    .fetch_one(conn)
    .await
}

pub async fn forget(conn: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from policy where id = $1", id)
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn is_name_taken(conn: &mut PgConnection, row: &Row) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from policy where name = $1 and id <> $2) as "taken!""#,
        row.name,
        row.id,
    )
    .fetch_one(conn)
    .await
}

/// Those of the keys that do not exist.
pub async fn unknown_keys(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select id as "id!" from unnest($1::uuid[]) as given (id)
           where not exists (select from api_key where api_key.id = given.id)"#,
        ids,
    )
    .fetch_all(conn)
    .await
}

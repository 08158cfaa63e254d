//! Combos as rows, and the rows that name them.

use serde_json::Value;
use sqlx::{PgConnection, types::Json as SqlJson};
use uuid::Uuid;

use super::{Member, Row};
use crate::combo_config::{ComboConfig, ComboDefaults};

pub async fn all(conn: &mut PgConnection) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select c.id, c.name, c.strategy, c.is_active, c.config as "config: SqlJson<ComboConfig>",
                  (select coalesce(jsonb_agg(case when m.weight = 0 then to_jsonb(m.model)
                                                  else jsonb_build_object('model', m.model, 'weight', m.weight)
                                             end order by m.position), '[]')
                   from combo_member m where m.combo_id = c.id) as "members!: SqlJson<Vec<Member>>",
                  c.created_at, c.updated_at
           from combo c order by c.name"#
    )
    .fetch_all(conn)
    .await
}

pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select c.id, c.name, c.strategy, c.is_active, c.config as "config: SqlJson<ComboConfig>",
                  (select coalesce(jsonb_agg(case when m.weight = 0 then to_jsonb(m.model)
                                                  else jsonb_build_object('model', m.model, 'weight', m.weight)
                                             end order by m.position), '[]')
                   from combo_member m where m.combo_id = c.id) as "members!: SqlJson<Vec<Member>>",
                  c.created_at, c.updated_at
           from combo c where c.id = $1"#,
        id,
    )
    .fetch_optional(conn)
    .await
}

pub async fn save(conn: &mut PgConnection, row: &Row) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into combo (id, name, strategy, is_active, config) values ($1, $2, $3, $4, $5)
         on conflict (id) do update set name = excluded.name, strategy = excluded.strategy,
             is_active = excluded.is_active, config = excluded.config",
        row.id,
        row.name,
        row.strategy,
        row.is_active,
        serde_json::to_value(&row.config.0).unwrap_or(Value::Null),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("delete from combo_member where combo_id = $1", row.id)
        .execute(&mut *conn)
        .await?;
    let models: Vec<String> = row.models();
    let weights: Vec<f64> = row.members.iter().map(Member::weight).collect();
    sqlx::query!(
        "insert into combo_member (combo_id, position, model, weight)
         select $1, m.position::int, m.model, m.weight
         from unnest($2::text[], $3::float8[]) with ordinality as m (model, weight, position)",
        row.id,
        &models,
        &weights,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What leads to `name`, as `combo:<name>`, `alias:<name>` and `wildcard:<pattern>`.
pub async fn references(conn: &mut PgConnection, name: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select 'combo:' || c.name as "reference!" from combo c
               where exists (select from combo_member m where m.combo_id = c.id and m.model = $1)
           union all
           select 'alias:' || alias from model_alias where target = $1
           union all
           select 'wildcard:' || (w ->> 'pattern')
               from setting, jsonb_array_elements(value) as w
               where key = 'wildcardAliases' and w ->> 'target' = $1
           order by 1"#,
        name,
    )
    .fetch_all(conn)
    .await
}

/// Makes everything that names `from` name `to`, and says what that was: [`references`], and the policies.
pub async fn rename(conn: &mut PgConnection, from: &str, to: &str) -> Result<Vec<String>, sqlx::Error> {
    let mut renamed = references(&mut *conn, from).await?;
    sqlx::query!("update combo_member set model = $2 where model = $1", from, to)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("update model_alias set target = $2 where target = $1", from, to)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "update setting
         set value = (select jsonb_agg(case when w ->> 'target' = $1
                                            then jsonb_set(w, '{target}', to_jsonb($2::text)) else w
                                       end order by position)
                      from jsonb_array_elements(value) with ordinality as t (w, position))
         where key = 'wildcardAliases' and value @> jsonb_build_array(jsonb_build_object('target', $1::text))",
        from,
        to,
    )
    .execute(&mut *conn)
    .await?;
    let policies = sqlx::query_scalar!(
        r#"update policy
           set conditions = case when conditions ->> 'model_pattern' = $1
                                 then jsonb_set(conditions, '{model_pattern}', to_jsonb($2::text)) else conditions
                            end,
               actions = case when actions -> 'block_model' @> to_jsonb($1::text)
                              then jsonb_set(actions, '{block_model}',
                                  (select jsonb_agg(case when m = to_jsonb($1::text) then to_jsonb($2::text) else m end
                                                    order by position)
                                   from jsonb_array_elements(actions -> 'block_model') with ordinality as t (m, position)))
                              else actions
                         end
           where conditions ->> 'model_pattern' = $1 or actions -> 'block_model' @> to_jsonb($1::text)
           returning 'policy:' || name as "reference!""#,
        from,
        to,
    )
    .fetch_all(conn)
    .await?;
    renamed.extend(policies);
    renamed.sort();
    Ok(renamed)
}

/// Deletes a combo and everything that leads to it. A policy that names it is a rule that may outlive it.
pub async fn forget(conn: &mut PgConnection, id: Uuid, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from combo_member where model = $1", name)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("delete from model_alias where target = $1", name)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "update setting
         set value = (select coalesce(jsonb_agg(w order by position), '[]')
                      from jsonb_array_elements(value) with ordinality as t (w, position)
                      where w ->> 'target' <> $1)
         where key = 'wildcardAliases' and value @> jsonb_build_array(jsonb_build_object('target', $1::text))",
        name,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("delete from combo where id = $1", id)
        .execute(conn)
        .await?;
    Ok(())
}

/// What new combos begin with and all combos fall back to.
pub async fn defaults(conn: &mut PgConnection) -> Result<ComboDefaults, sqlx::Error> {
    let stored = sqlx::query_scalar!("select value from setting where key = 'comboDefaults'")
        .fetch_optional(conn)
        .await?;
    Ok(stored
        .and_then(|stored| ComboDefaults::from_stored(&stored).ok())
        .unwrap_or_default())
}

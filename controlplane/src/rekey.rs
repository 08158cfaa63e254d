//! Another storage key: what is sealed under the old one is sealed anew, all of it or nothing.
//!
//! Control planes hold the key in memory, so none may run meanwhile. Data planes may: what they have was sealed for the
//! way. A value that opens under the new key already is left alone, so that a run that was cut off can be repeated.

use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};
use thiserror::Error;

use crate::{
    db::{Audit, Db, Origin},
    proxies,
    vault::{Cell, Vault},
};

#[derive(Debug, Error)]
pub enum RekeyError {
    #[error(
        "{table}.{column} of {id} opens under neither key: is the old key the one that was used until now?"
    )]
    Sealed {
        table: &'static str,
        column: &'static str,
        id: String,
    },
    #[error("the database does not do it")]
    Database(#[from] sqlx::Error),
}

/// Returns how many values were sealed anew.
pub async fn rekey(db: &Db, old: &Vault, new: &Vault) -> Result<usize, RekeyError> {
    let mut tx = db.config_tx(&Origin::system()).await?;
    let mut count = 0;
    for cell in columns() {
        count += column(tx.conn(), cell, old, new).await?;
    }
    count += passwords_of_proxies(tx.conn(), old, new).await?;
    count += keys_of_bodies(tx.conn(), old, new).await?;
    let audit = Audit::of("system.storageKey.rotated").details(json!({ "values": count }));
    tx.commit(audit, ()).await?;
    Ok(count)
}

/// Every sealed column of a table whose rows have an id, as the cell of no row.
fn columns() -> [Cell<'static>; 6] {
    [
        Cell::connection_api_key(""),
        Cell::connection_access_token(""),
        Cell::connection_refresh_token(""),
        Cell::oauth_flow_verifier(""),
        Cell::oauth_flow_device_code(""),
        Cell::api_key(""),
    ]
}

async fn column(
    conn: &mut PgConnection,
    cell: Cell<'static>,
    old: &Vault,
    new: &Vault,
) -> Result<usize, RekeyError> {
    // names of our own tables and columns, nothing that anybody typed
    let Cell { table, column, .. } = cell;
    let select = format!("select id::text, {column} from {table} where {column} is not null for update");
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(AssertSqlSafe(select))
        .fetch_all(&mut *conn)
        .await?;
    let update = format!("update {table} set {column} = $2 where id::text = $1");
    let mut count = 0;
    for (id, sealed) in rows {
        let Some(anew) = reseal(Cell { id: &id, ..cell }, &sealed, old, new)? else {
            continue;
        };
        sqlx::query(AssertSqlSafe(update.clone()))
            .bind(&id)
            .bind(anew)
            .execute(&mut *conn)
            .await?;
        count += 1;
    }
    Ok(count)
}

async fn passwords_of_proxies(
    conn: &mut PgConnection,
    old: &Vault,
    new: &Vault,
) -> Result<usize, RekeyError> {
    let rows = sqlx::query!(
        r#"select level, target_id, password as "password!" from proxy_config where password is not null for update"#
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut count = 0;
    for row in rows {
        let id = proxies::id(&row.level, &row.target_id);
        let Some(anew) = reseal(Cell::proxy_password(&id), &row.password, old, new)? else {
            continue;
        };
        sqlx::query!(
            "update proxy_config set password = $3 where level = $1 and target_id = $2",
            row.level,
            row.target_id,
            anew,
        )
        .execute(&mut *conn)
        .await?;
        count += 1;
    }
    Ok(count)
}

async fn keys_of_bodies(conn: &mut PgConnection, old: &Vault, new: &Vault) -> Result<usize, RekeyError> {
    let rows = sqlx::query!("select day, secret from usage_body_day for update")
        .fetch_all(&mut *conn)
        .await?;
    let mut count = 0;
    for row in rows {
        let id = row.day.to_string();
        let Some(anew) = reseal(Cell::bodies_of_day(&id), &row.secret, old, new)? else {
            continue;
        };
        sqlx::query!(
            "update usage_body_day set secret = $2 where day = $1",
            row.day,
            anew
        )
        .execute(&mut *conn)
        .await?;
        count += 1;
    }
    Ok(count)
}

/// None for what is sealed under the new key already.
fn reseal(cell: Cell<'_>, sealed: &[u8], old: &Vault, new: &Vault) -> Result<Option<Vec<u8>>, RekeyError> {
    if let Ok(plain) = old.open(cell, sealed) {
        return Ok(Some(new.seal(cell, plain.expose())));
    }
    match new.open(cell, sealed) {
        Ok(_) => Ok(None),
        Err(_) => Err(RekeyError::Sealed {
            table: cell.table,
            column: cell.column,
            id: cell.id.to_owned(),
        }),
    }
}

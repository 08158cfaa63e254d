//! The lists as rows.

use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgExecutor};
use utoipa::ToSchema;

/// How many entries an audit row names.
const NAMED: usize = 100;

/// What is configured, and how it is shown. Entries are in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = IpFilterLists)]
pub struct Lists {
    pub enabled: bool,
    pub mode: String,
    pub blacklist: Vec<String>,
    pub whitelist: Vec<String>,
}

// === impl Lists ===

impl Lists {
    pub async fn load(executor: impl PgExecutor<'_>) -> Result<Self, sqlx::Error> {
        sqlx::query_as!(
            Lists,
            r#"select enabled, mode,
                      array(select entry from ip_filter_entry where list = 'black' order by entry collate "C")
                          as "blacklist!",
                      array(select entry from ip_filter_entry where list = 'white' order by entry collate "C")
                          as "whitelist!"
               from ip_filter_state"#
        )
        .fetch_one(executor)
        .await
    }

    pub async fn store(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update ip_filter_state set enabled = $1, mode = $2",
            self.enabled,
            self.mode
        )
        .execute(&mut *conn)
        .await?;
        for (list, entries) in [("black", &self.blacklist), ("white", &self.whitelist)] {
            sqlx::query!(
                "delete from ip_filter_entry where list = $1 and entry <> all($2)",
                list,
                entries
            )
            .execute(&mut *conn)
            .await?;
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

    /// For the audit trail: what was, what is, and which entries came and went.
    pub fn differences(&self, after: &Self) -> Value {
        let of = |lists: &Self| {
            json!({
                "enabled": lists.enabled,
                "mode": lists.mode,
                "blacklist": lists.blacklist.len(),
                "whitelist": lists.whitelist.len(),
            })
        };
        let lists = |here: &Self, there: &Self| {
            json!({
                "blacklist": missing(&here.blacklist, &there.blacklist),
                "whitelist": missing(&here.whitelist, &there.whitelist),
            })
        };
        json!({ "from": of(self), "to": of(after), "added": lists(after, self), "removed": lists(self, after) })
    }
}

/// Entries of one list that the other, which is in order too, has not.
fn missing<'a>(here: &'a [String], there: &[String]) -> Vec<&'a String> {
    let gone = |entry: &&String| there.binary_search(entry).is_err();
    here.iter().filter(gone).take(NAMED).collect()
}

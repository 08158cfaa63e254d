//! The text of a gateway key, `sk-{cluster id, 16}-{key id, 8}-{secret, 32}`, and what is kept of it: a keyed hash, and
//! enough of its ends to recognise it.

use runtime::{crypto, secret::Secret};
use sqlx::PgConnection;
use uuid::Uuid;

/// A fresh key. Its text is shown once and then gone.
pub struct Minted {
    pub key: String,
    pub hash: [u8; 32],
    pub prefix: String,
    pub last4: String,
}

// === impl Minted ===

impl Minted {
    pub fn draw(cluster_id: &str, pepper: &Secret<String>) -> Self {
        let id = crypto::random_token(8);
        let secret = crypto::random_token(32);
        let key = format!("sk-{cluster_id}-{id}-{secret}");
        // all of it is ASCII
        Self {
            hash: crypto::hash_key(pepper.expose().as_bytes(), &key),
            prefix: key[..8].to_owned(),
            last4: key[key.len() - 4..].to_owned(),
            key,
        }
    }
}

/// A key that may ask for answers, where there is no key at all. Returns its id and its text.
pub async fn first(
    conn: &mut PgConnection,
    cluster_id: &str,
    pepper: &Secret<String>,
) -> Result<Option<(Uuid, String)>, sqlx::Error> {
    let minted = Minted::draw(cluster_id, pepper);
    let id = Uuid::now_v7();
    let made = sqlx::query!(
        "insert into api_key (id, name, key_hash, key_prefix, key_last4, cluster_id)
         select $1, 'Default', $2, $3, $4, $5 where not exists (select from api_key)",
        id,
        &minted.hash[..],
        minted.prefix,
        minted.last4,
        cluster_id,
    )
    .execute(conn)
    .await?;
    Ok((made.rows_affected() > 0).then_some((id, minted.key)))
}

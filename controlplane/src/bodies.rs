//! What clients sent and got, as far as an operator asked for it: from data planes into Postgres, and back for a reader.
//!
//! Invariant: nothing here delays the accounting of a request. Bodies come with a batch of usage and are stored after
//! it, in a transaction of their own; what cannot be stored is lost. They lie sealed under a key of their day, which is
//! itself sealed under the storage key and goes with the day.

use std::{collections::HashMap, sync::Arc};

use chrono::{NaiveDate, Utc};
use parking_lot::Mutex;
use prost::Message;
use proto::v1::{Capture, CapturedBody, Captures};
use runtime::{
    crypto::{self, OpenError, SealKey, Sealed},
    secret::Secret,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use thiserror::Error;
use uuid::Uuid;

use crate::{
    db::Db,
    vault::{Cell, Vault, VaultError},
};

const CONTEXT: &str = "omniroute controlplane bodies of a day v1";
const SECRET_LENGTH: usize = 43;
const ZSTD_LEVEL: i32 = 3;
/// Of all that comes with one batch; a data plane keeps less than this.
const MAX_UNPACKED_BYTES: usize = 16 << 20;

#[derive(Debug, Error)]
pub enum BodiesError {
    #[error("the database cannot take bodies")]
    Database(#[from] sqlx::Error),
    #[error("bodies do not open: was CLUSTER_SECRET of the data plane another?")]
    Sealed(#[from] OpenError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("bodies cannot be read: {0}")]
    Unreadable(String),
    #[error("the table of the day cannot be made now: it is in use")]
    NoRoom,
}

/// Clones share the database.
#[derive(Clone)]
pub struct Bodies(Arc<Shared>);

struct Shared {
    pool: PgPool,
    vault: Vault,
    /// Under which data planes seal: `ClusterKeys::captures`.
    wire: SealKey,
    /// The day that was stored into last: its table and its key are there.
    day: Mutex<Option<(NaiveDate, SealKey)>>,
}

/// What a request and its answer said, as JSON: a document as it is, other text as a string, what was cut as
/// `{_truncated, _originalSize, _preview}` with the size in bytes.
#[derive(Debug, Default, PartialEq)]
pub struct Kept {
    pub request: Option<Value>,
    pub response: Option<Value>,
}

/// Of which of the two something is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Has {
    pub request: bool,
    pub response: bool,
}

// === impl Bodies ===

impl Bodies {
    /// `wire` is `ClusterKeys::captures`.
    pub fn new(db: &Db, storage_encryption_key: &Secret<String>, wire: SealKey) -> Self {
        Self(Arc::new(Shared {
            pool: db.pool().clone(),
            vault: Vault::new(storage_encryption_key),
            wire,
            day: Mutex::default(),
        }))
    }

    /// Stores what came with a batch of this spool, but for requests of keys that nobody is to read about.
    pub async fn store(&self, spool_id: &str, sealed: &[u8]) -> Result<(), BodiesError> {
        let captures = self.0.unseal(spool_id, sealed)?;
        let today = Utc::now().date_naive();
        let key = self.0.key(today).await?;
        let (mut ids, mut keys, mut contents) = (Vec::new(), Vec::new(), Vec::new());
        let (mut requests, mut responses) = (Vec::new(), Vec::new());
        for capture in captures {
            let Ok(id) = Uuid::try_parse(&capture.request_id) else {
                continue;
            };
            ids.push(id);
            keys.push(Uuid::try_parse(&capture.key_id).ok());
            requests.push(capture.request.is_some());
            responses.push(capture.response.is_some());
            let packed = zstd::bulk::compress(&capture.encode_to_vec(), ZSTD_LEVEL)
                .map_err(|error| BodiesError::Unreadable(error.to_string()))?;
            contents.push(crypto::seal(&key, &place(id), &packed).to_bytes());
        }
        sqlx::query!(
            "insert into usage_body (request_id, kept_on, has_request, has_response, sealed)
             select request_id, $6, has_request, has_response, sealed
             from unnest($1::uuid[], $2::uuid[], $3::bool[], $4::bool[], $5::bytea[])
                  as body (request_id, key_id, has_request, has_response, sealed)
             where not exists (select from api_key k where k.id = body.key_id and k.no_log)
             on conflict do nothing",
            &ids,
            &keys as &[Option<Uuid>],
            &requests,
            &responses,
            &contents,
            today,
        )
        .execute(&self.0.pool)
        .await?;
        Ok(())
    }

    /// What is kept of one request; none when nothing is, or not any more.
    pub async fn find(&self, request_id: Uuid) -> Result<Option<Kept>, BodiesError> {
        let row = sqlx::query!(
            "select b.kept_on, b.sealed, d.secret
             from usage_body b join usage_body_day d on d.day = b.kept_on where b.request_id = $1 limit 1",
            request_id,
        )
        .fetch_optional(&self.0.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let key = self.0.open_key(row.kept_on, &row.secret)?;
        let sealed = Sealed::from_bytes(&row.sealed)?;
        let packed = crypto::open(&key, &place(request_id), &sealed.nonce, &sealed.ciphertext)?;
        let capture = unpack::<Capture>(&packed)?;
        Ok(Some(Kept {
            request: capture.request.map(shown),
            response: capture.response.map(shown),
        }))
    }

    /// Of which of these requests there is something to read.
    pub async fn held(&self, request_ids: &[Uuid]) -> Result<HashMap<Uuid, Has>, sqlx::Error> {
        let rows = sqlx::query!(
            "select request_id, has_request, has_response from usage_body where request_id = any($1)",
            request_ids,
        )
        .fetch_all(&self.0.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let has = Has {
                    request: row.has_request,
                    response: row.has_response,
                };
                (row.request_id, has)
            })
            .collect())
    }
}

// === impl Shared ===

impl Shared {
    fn unseal(&self, spool_id: &str, sealed: &[u8]) -> Result<Vec<Capture>, BodiesError> {
        let sealed = Sealed::from_bytes(sealed)?;
        let place = proto::captures_place(spool_id);
        let packed = crypto::open(&self.wire, place.as_bytes(), &sealed.nonce, &sealed.ciphertext)?;
        Ok(unpack::<Captures>(&packed)?.captures)
    }

    /// The key of a day, which is made with its table by whoever needs it first.
    async fn key(&self, day: NaiveDate) -> Result<SealKey, BodiesError> {
        if let Some((known, key)) = &*self.day.lock()
            && *known == day
        {
            return Ok(key.clone());
        }
        let is_there = sqlx::query_scalar!(r#"select usage_body_partition($1) as "is_there!""#, day)
            .fetch_one(&self.pool)
            .await?;
        if !is_there {
            return Err(BodiesError::NoRoom);
        }
        let fresh = crypto::random_token(SECRET_LENGTH);
        let fresh = self.vault.seal(Cell::bodies_of_day(&day.to_string()), &fresh);
        sqlx::query!(
            "insert into usage_body_day (day, secret) values ($1, $2) on conflict do nothing",
            day,
            fresh,
        )
        .execute(&self.pool)
        .await?;
        // another control plane may have been first
        let secret = sqlx::query_scalar!("select secret from usage_body_day where day = $1", day)
            .fetch_one(&self.pool)
            .await?;
        let key = self.open_key(day, &secret)?;
        *self.day.lock() = Some((day, key.clone()));
        Ok(key)
    }

    fn open_key(&self, day: NaiveDate, secret: &[u8]) -> Result<SealKey, BodiesError> {
        let secret = self.vault.open(Cell::bodies_of_day(&day.to_string()), secret)?;
        Ok(SealKey::derive(CONTEXT, secret.expose()))
    }
}

fn place(request_id: Uuid) -> Vec<u8> {
    format!("usage_body|{request_id}").into_bytes()
}

fn unpack<M: Message + Default>(packed: &[u8]) -> Result<M, BodiesError> {
    let plain = zstd::bulk::decompress(packed, MAX_UNPACKED_BYTES)
        .map_err(|error| BodiesError::Unreadable(error.to_string()))?;
    M::decode(plain.as_slice()).map_err(|error| BodiesError::Unreadable(error.to_string()))
}

fn shown(body: CapturedBody) -> Value {
    if body.truncated {
        return json!({ "_truncated": true, "_originalSize": body.original_bytes, "_preview": body.text });
    }
    serde_json::from_str(&body.text).unwrap_or(Value::String(body.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_shown_as_it_is_and_everything_else_as_text() {
        let body = |text: &str, truncated| CapturedBody {
            text: text.to_owned(),
            original_bytes: 9,
            truncated,
        };
        let cut = json!({ "_truncated": true, "_originalSize": 9, "_preview": "{\"a\"" });
        for (body, expected) in [
            (
                body(r#"{"b":1,"a":[null]}"#, false),
                json!({ "b": 1, "a": [null] }),
            ),
            (body("data: {}\n\n", false), json!("data: {}\n\n")),
            (body("", false), json!("")),
            (body("{\"a\"", true), cut),
        ] {
            assert_eq!(shown(body), expected);
        }
    }
}

//! One attempt to sign in, from the address that people are sent to until the tokens are there.
//!
//! ```text
//! created ──▶ authorized ──▶ completed        denied, failed and expired end it, too
//! ```
//!
//! `created → authorized` is one statement, so a state is used once, whoever comes first and at whichever replica.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use runtime::{crypto, secret::Secret};
use sha2::{Digest, Sha256};
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use super::{endpoint::Device, error::OAuthError, provider::Provider};
use crate::{
    error::ApiError,
    vault::{Cell, Vault, VaultError},
};

const LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// 43 letters and digits have 256 bits; a verifier may have 128 characters.
const STATE_LENGTH: usize = 43;
const VERIFIER_LENGTH: usize = 64;
const DEFAULT_INTERVAL_S: i32 = 5;
/// Nobody wants to wait longer for an answer that is there.
const MAX_INTERVAL_S: i32 = 60;
/// What a slower pace adds, RFC 8628 section 3.5.
const SLOWER_S: i32 = 5;
/// Longer than a call to a provider may take: while it runs, nobody else asks.
const POLL_S: i32 = 20;

/// A flow that was just begun.
#[derive(Debug)]
pub struct Started {
    pub id: Uuid,
    /// The provider's id before the first dot, so that the page it comes back to knows whom to tell.
    pub state: String,
    pub challenge: String,
    pub expires_at: DateTime<Utc>,
}

/// A flow that is open.
#[derive(Debug)]
pub struct Flow {
    pub id: Uuid,
    pub provider: String,
    pub redirect_uri: Option<String>,
    /// The account that signs in again.
    pub connection_id: Option<Uuid>,
    pub interval_s: i32,
    verifier: Option<Vec<u8>>,
    device_code: Option<Vec<u8>>,
}

/// How a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Completed,
    Denied,
    Expired,
    Failed,
}

/// Whether a flow may be polled now.
#[derive(Debug)]
pub enum Turn {
    Now(Flow),
    Wait { seconds: i32 },
}

// === impl Status ===

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }

    /// Of what a provider refused.
    pub fn of(error: &OAuthError) -> Self {
        match error {
            OAuthError::Refused { error, .. } if error == "access_denied" => Self::Denied,
            OAuthError::Refused { error, .. } if error == "expired_token" => Self::Expired,
            _ => Self::Failed,
        }
    }
}

// === impl Flow ===

impl Flow {
    /// Begins an authorization code flow.
    pub async fn start_code(
        pool: &PgPool,
        vault: &Vault,
        provider: &Provider,
        redirect_uri: &str,
        connection: Option<Uuid>,
        by: &str,
    ) -> Result<Started, sqlx::Error> {
        let id = Uuid::now_v7();
        let state = format!("{}.{}", provider.id, crypto::random_token(STATE_LENGTH));
        let verifier = crypto::random_token(VERIFIER_LENGTH);
        let started = Started {
            id,
            challenge: challenge(&verifier),
            expires_at: Utc::now() + LIFETIME,
            state,
        };
        forget_old(pool).await?;
        sqlx::query!(
            "insert into oauth_flow
                 (id, provider, flow, state_hash, verifier, redirect_uri, connection_id, created_by, expires_at)
             values ($1, $2, 'code', $3, $4, $5, $6, $7, $8)",
            id,
            provider.id,
            &hash(&started.state),
            vault.seal(Cell::oauth_flow_verifier(&id.to_string()), &verifier),
            redirect_uri,
            connection,
            by,
            started.expires_at,
        )
        .execute(pool)
        .await?;
        Ok(started)
    }

    /// Remembers a device flow that the provider has begun.
    pub async fn start_device(
        pool: &PgPool,
        vault: &Vault,
        provider: &Provider,
        device: &Device,
        verifier: Option<&str>,
        connection: Option<Uuid>,
        by: &str,
    ) -> Result<Started, sqlx::Error> {
        let id = Uuid::now_v7();
        let lifetime = TimeDelta::seconds(device.expires_in.clamp(1, 3600));
        let started = Started {
            id,
            state: String::new(),
            challenge: String::new(),
            expires_at: Utc::now() + lifetime,
        };
        let text = id.to_string();
        forget_old(pool).await?;
        sqlx::query!(
            "insert into oauth_flow
                 (id, provider, flow, verifier, device_code, connection_id, interval_s, created_by, expires_at)
             values ($1, $2, 'device', $3, $4, $5, $6, $7, $8)",
            id,
            provider.id,
            verifier.map(|verifier| vault.seal(Cell::oauth_flow_verifier(&text), verifier)),
            vault.seal(Cell::oauth_flow_device_code(&text), device.device_code.expose()),
            connection,
            interval_s(device),
            by,
            started.expires_at,
        )
        .execute(pool)
        .await?;
        Ok(started)
    }

    /// Takes the flow that a state belongs to. Nobody else can, ever again.
    pub async fn take(
        pool: &PgPool,
        provider: &str,
        state: &str,
        id: Option<Uuid>,
    ) -> Result<Self, ApiError> {
        let hash = hash(state);
        let found = sqlx::query!("select id, provider from oauth_flow where state_hash = $1", &hash)
            .fetch_optional(pool)
            .await?;
        let known = found.is_some_and(|row| row.provider == provider && id.is_none_or(|id| id == row.id));
        if !known {
            return Err(OAuthError::State.into());
        }
        let taken = sqlx::query_as!(
            Flow,
            "update oauth_flow set status = 'authorized'
             where state_hash = $1 and status = 'created' and expires_at > now()
             returning id, provider, redirect_uri, connection_id, interval_s, verifier, device_code",
            &hash,
        )
        .fetch_optional(pool)
        .await?;
        taken.ok_or_else(|| OAuthError::Over.into())
    }

    /// Takes the turn to ask the provider whether somebody has decided. Until it is given back with
    /// [`Flow::wait`], or for as long as a call may take, nobody else asks.
    pub async fn turn(pool: &PgPool, provider: &str, id: Uuid) -> Result<Turn, ApiError> {
        let taken = sqlx::query_as!(
            Flow,
            "update oauth_flow set poll_at = now() + $3::int * interval '1 second'
             where id = $1 and provider = $2 and flow = 'device' and status = 'created' and expires_at > now()
               and poll_at <= now()
             returning id, provider, redirect_uri, connection_id, interval_s, verifier, device_code",
            id,
            provider,
            POLL_S,
        )
        .fetch_optional(pool)
        .await?;
        if let Some(flow) = taken {
            return Ok(Turn::Now(flow));
        }
        let row = sqlx::query!(
            r#"select status = 'created' and expires_at > now() as "open!",
                      ceil(extract(epoch from poll_at - now()))::int as "seconds!"
               from oauth_flow where id = $1 and provider = $2 and flow = 'device'"#,
            id,
            provider,
        )
        .fetch_optional(pool)
        .await?;
        match row {
            None => Err(ApiError::not_found("sign-in", id)),
            Some(row) if row.open => Ok(Turn::Wait {
                seconds: row.seconds.max(1),
            }),
            Some(_) => Err(OAuthError::Over.into()),
        }
    }

    /// Gives the turn back. Says how many seconds the next one is away.
    pub async fn wait(&self, pool: &PgPool, slower: bool) -> Result<i32, sqlx::Error> {
        let slower = if slower { SLOWER_S } else { 0 };
        sqlx::query_scalar!(
            "update oauth_flow
             set interval_s = interval_s + $2, poll_at = now() + (interval_s + $2) * interval '1 second'
             where id = $1 returning interval_s",
            self.id,
            slower,
        )
        .fetch_one(pool)
        .await
    }

    /// Ends the flow and wipes its secrets. `connection` is the account it became.
    pub async fn end(
        &self,
        executor: impl PgExecutor<'_>,
        status: Status,
        connection: Option<Uuid>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update oauth_flow
             set status = $2, connection_id = coalesce($3, connection_id), verifier = null, device_code = null
             where id = $1",
            self.id,
            status.name(),
            connection,
        )
        .execute(executor)
        .await?;
        Ok(())
    }

    pub fn verifier(&self, vault: &Vault) -> Result<Option<Secret<String>>, VaultError> {
        let id = self.id.to_string();
        let sealed = self.verifier.as_deref();
        sealed
            .map(|sealed| vault.open(Cell::oauth_flow_verifier(&id), sealed))
            .transpose()
    }

    pub fn device_code(&self, vault: &Vault) -> Result<Secret<String>, VaultError> {
        let sealed = self.device_code.as_deref().unwrap_or_default();
        vault.open(Cell::oauth_flow_device_code(&self.id.to_string()), sealed)
    }
}

/// A verifier, and what is shown of it.
pub fn pkce() -> (String, String) {
    let verifier = crypto::random_token(VERIFIER_LENGTH);
    let challenge = challenge(&verifier);
    (verifier, challenge)
}

/// Seconds between two polls.
pub fn interval_s(device: &Device) -> i32 {
    device
        .interval
        .unwrap_or(DEFAULT_INTERVAL_S)
        .clamp(1, MAX_INTERVAL_S)
}

/// `S256` of RFC 7636.
fn challenge(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// Without a key: a state cannot be guessed.
fn hash(state: &str) -> Vec<u8> {
    Sha256::digest(state).to_vec()
}

async fn forget_old(pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from oauth_flow where created_at < now() - interval '1 day'")
        .execute(pool)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_the_one_of_rfc_7636() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}

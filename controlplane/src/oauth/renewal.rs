//! Access tokens end; here they are renewed, whoever asks: a sweep once a minute, a data plane that saw one end, an
//! operator who tests an account.
//!
//! Many providers take a refresh token once, and end the whole account when it comes twice. So a connection is
//! claimed in its row before the provider is called, and what comes back is stored under the generation that was
//! claimed. Whoever comes meanwhile, at any replica, waits for that outcome. No database connection is held during
//! the call, and it is never abandoned: nobody else could finish it.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use runtime::{drain::Drain, egress::Egress, secret::Secret};
use serde_json::json;
use thiserror::Error;
use tokio::{
    sync::oneshot,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Clients, Endpoint, OAuthError, Provider, Tokens, account};
use crate::{
    db::{Audit, Db, Origin, Outcome},
    error::ApiError,
    proxies,
    publish::Wake,
    vault::{Cell, Vault, VaultError},
};

const SWEEP: Duration = Duration::from_secs(60);
const AT_A_TIME: usize = 4;
/// How long the sweep waits for one account.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often whoever waits for another replica's renewal looks whether it is there.
const POLL: Duration = Duration::from_millis(200);
/// A token that is in the provider's answer is not given up because the database is away for a moment.
const STORE_TRIES: u32 = 8;
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// The provider will say the same again.
const FINAL: [&str; 4] = [
    "invalid_grant",
    "invalid_request",
    "refresh_token_reused",
    "bad_refresh_token",
];

/// Why there is no newer token. For operators.
#[derive(Debug, Error)]
pub enum RenewalError {
    #[error("there is no such account")]
    Missing,
    #[error("the account has to be signed in to again")]
    SignInAgain,
    #[error("the provider did not renew the token: {0}")]
    Failed(String),
    #[error("nobody renewed the token in time")]
    Late,
    #[error("the database does not answer")]
    Database(#[from] sqlx::Error),
}

/// A handle; clones share it.
#[derive(Clone)]
pub struct Renewals(Arc<Shared>);

pub struct Shared {
    pub db: Db,
    pub vault: Vault,
    pub egress: Arc<Egress>,
    pub clients: Clients,
    /// The new token is to be published at once.
    pub wake: Wake,
    /// Calls to providers outlive whoever asked for them.
    pub drain: Drain,
}

/// A connection that this replica renews, and nobody else meanwhile.
struct Claim {
    connection: Uuid,
    generation: i64,
    provider: String,
    refresh_token: Vec<u8>,
    was_well: bool,
}

// === impl Renewals ===

impl Renewals {
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// Returns when a token is stored that is newer than `generation`, or says why there is none.
    pub async fn renew(
        &self,
        connection: Uuid,
        generation: u64,
        patience: Duration,
    ) -> Result<(), RenewalError> {
        let deadline = Instant::now() + patience;
        loop {
            let row = sqlx::query!(
                r#"select token_generation, refresh_token is not null as "renewable!",
                          coalesce(renewal_claimed_until > now(), false) as "claimed!",
                          coalesce(last_error_type = 'token_refresh_failed'
                                   and last_error_at > now() - interval '10 seconds', false) as "failing!",
                          last_error
                   from provider_connection where id = $1 and auth_type = 'oauth'"#,
                connection,
            )
            .fetch_optional(self.0.db.pool())
            .await?
            .ok_or(RenewalError::Missing)?;
            if row.token_generation.cast_unsigned() > generation {
                return Ok(());
            }
            if !row.renewable {
                return Err(RenewalError::SignInAgain);
            }
            if !row.claimed {
                if row.failing {
                    return Err(RenewalError::Failed(row.last_error.unwrap_or_default()));
                }
                if let Some(claim) = self.claim(connection, row.token_generation).await? {
                    return self.carry_out(claim, deadline).await;
                }
            }
            if Instant::now() + POLL >= deadline {
                return Err(RenewalError::Late);
            }
            sleep(POLL).await;
        }
    }

    /// Tells the provider that nobody uses an account here any more, where it wants to know: its refresh token, or its
    /// access token if there is none. Nobody waits for that.
    pub fn revoke(&self, connection: Uuid, provider: &str, token: Vec<u8>) {
        let (this, provider) = (self.clone(), provider.to_owned());
        self.0.drain.spawn("token revocation", async move {
            if let Err(error) = this.tell_revoked(connection, &provider, &token).await {
                tracing::warn!(%connection, %error, "the token of a connection that was deleted is not revoked");
            }
        });
    }

    async fn tell_revoked(&self, connection: Uuid, provider: &str, token: &[u8]) -> Result<(), ApiError> {
        let Shared {
            db,
            vault,
            egress,
            clients,
            ..
        } = &*self.0;
        let Ok(provider) = Provider::find(provider, clients) else {
            return Ok(());
        };
        let id = connection.to_string();
        let token = vault
            .open(Cell::connection_refresh_token(&id), token)
            .or_else(|_| vault.open(Cell::connection_access_token(&id), token))?;
        let proxy = proxies::of_connection(db.pool(), None, provider.id).await?;
        let endpoint = Endpoint {
            provider: &provider,
            egress,
            proxy: proxy.map(|stored| stored.usable(vault)).transpose()?,
        };
        endpoint.revoke(&token).await
    }

    /// Renews every account whose token is about to end or was not looked at for long, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut tick = interval(SWEEP);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let sweeping = async {
            loop {
                tick.tick().await;
                if let Err(error) = self.sweep().await {
                    tracing::warn!(%error, "cannot look for tokens that end");
                }
            }
        };
        stop.run_until_cancelled(sweeping).await;
    }

    async fn sweep(&self) -> Result<(), sqlx::Error> {
        let due = sqlx::query!(
            "select id, token_generation from provider_connection
             where auth_type = 'oauth' and is_active and refresh_token is not null
               and coalesce(health_check_interval_min, 60) > 0
               and (last_health_check_at is null
                    or last_health_check_at < now() - coalesce(health_check_interval_min, 60) * interval '1 minute'
                    or token_expires_at < now() + interval '5 minutes')
             order by token_expires_at nulls last, id"
        )
        .fetch_all(self.0.db.pool())
        .await?;
        let renewing = stream::iter(due).map(|row| async move {
            let renewed = self
                .renew(row.id, row.token_generation.cast_unsigned(), PATIENCE)
                .await;
            if let Err(error) = renewed {
                tracing::warn!(connection = %row.id, %error, "a token was not renewed");
            }
        });
        renewing.buffer_unordered(AT_A_TIME).collect::<Vec<()>>().await;
        Ok(())
    }

    /// `None` when another was faster. A claim lasts longer than the call and what is done with its outcome.
    async fn claim(&self, connection: Uuid, generation: i64) -> Result<Option<Claim>, sqlx::Error> {
        sqlx::query_as!(
            Claim,
            r#"update provider_connection set renewal_claimed_until = now() + interval '40 seconds'
               where id = $1 and token_generation = $2 and refresh_token is not null
                 and (renewal_claimed_until is null or renewal_claimed_until <= now())
               returning id as connection, token_generation as generation, provider,
                         refresh_token as "refresh_token!", test_status = 'active' as "was_well!""#,
            connection,
            generation,
        )
        .fetch_optional(self.0.db.pool())
        .await
    }

    async fn carry_out(&self, claim: Claim, deadline: Instant) -> Result<(), RenewalError> {
        let (tell, told) = oneshot::channel();
        let this = self.clone();
        self.0.drain.spawn("token renewal", async move {
            let outcome = this.call_and_store(claim).await;
            // who asked may have stopped waiting
            let _ = tell.send(outcome);
        });
        tokio::select! {
            outcome = told => outcome.unwrap_or(Err(RenewalError::Late)),
            () = sleep_until(deadline) => Err(RenewalError::Late),
        }
    }

    async fn call_and_store(&self, claim: Claim) -> Result<(), RenewalError> {
        let tokens = match self.call(&claim).await {
            Ok(tokens) => tokens,
            Err(ApiError::OAuth(OAuthError::Refused { error, .. })) if FINAL.contains(&error.as_str()) => {
                self.end(&claim, &error).await?;
                return Err(RenewalError::SignInAgain);
            }
            Err(error) => {
                let why = error.message();
                self.fail(&claim, &why, error.kind().code).await?;
                return Err(RenewalError::Failed(why));
            }
        };
        let mut tries = 0;
        loop {
            match self.store(&claim, &tokens).await {
                Ok(()) => {
                    self.0.wake.wake();
                    return Ok(());
                }
                Err(error) => {
                    tries += 1;
                    tracing::error!(connection = %claim.connection, %error, tries, "a renewed token cannot be stored");
                    if tries == STORE_TRIES {
                        return Err(error.into());
                    }
                    sleep(STORE_PAUSE).await;
                }
            }
        }
    }

    async fn call(&self, claim: &Claim) -> Result<Tokens, ApiError> {
        let Shared {
            db,
            vault,
            egress,
            clients,
            ..
        } = &*self.0;
        let provider = Provider::find(&claim.provider, clients)?;
        let proxy = proxies::of_connection(db.pool(), Some(claim.connection), provider.id).await?;
        let proxy = proxy.map(|stored| stored.usable(vault)).transpose()?;
        let refresh_token = self.open(claim)?;
        let endpoint = Endpoint {
            provider: &provider,
            egress,
            proxy,
        };
        endpoint.refresh(&refresh_token).await
    }

    fn open(&self, claim: &Claim) -> Result<Secret<String>, VaultError> {
        let id = claim.connection.to_string();
        self.0
            .vault
            .open(Cell::connection_refresh_token(&id), &claim.refresh_token)
    }

    /// Unless somebody signed in meanwhile, or removed the connection.
    async fn store(&self, claim: &Claim, tokens: &Tokens) -> Result<(), sqlx::Error> {
        let mut tx = self.0.db.config_tx(&Origin::system()).await?;
        let stands = sqlx::query_scalar!(
            "select id from provider_connection where id = $1 and token_generation = $2",
            claim.connection,
            claim.generation,
        )
        .fetch_optional(tx.conn())
        .await?;
        if stands.is_none() {
            return Ok(());
        }
        account::store(tx.conn(), &self.0.vault, claim.connection, tokens).await?;
        let audit = Audit::of("oauth.token.renewed")
            .target("connection", claim.connection)
            .details(json!({ "provider": claim.provider }));
        tx.commit(audit, ()).await?;
        Ok(())
    }

    /// For now: the token that there is may still be good.
    async fn fail(&self, claim: &Claim, why: &str, code: &str) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update provider_connection
             set renewal_claimed_until = null, test_status = 'error', last_error = $3,
                 last_error_type = 'token_refresh_failed', last_error_source = 'oauth', last_error_at = now(),
                 error_code = $4
             where id = $1 and token_generation = $2",
            claim.connection,
            claim.generation,
            why,
            code,
        )
        .execute(self.0.db.pool())
        .await?;
        // once, and not every minute while it lasts
        if !claim.was_well {
            return Ok(());
        }
        let audit = Audit::of("oauth.token.failed")
            .outcome(Outcome::Failed)
            .target("connection", claim.connection)
            .details(json!({ "provider": claim.provider, "reason": code }));
        self.0.db.record(&Origin::system(), audit).await
    }

    /// For good: somebody has to sign in again.
    async fn end(&self, claim: &Claim, reason: &str) -> Result<(), sqlx::Error> {
        let mut tx = self.0.db.config_tx(&Origin::system()).await?;
        let ended = sqlx::query!(
            "update provider_connection
             set renewal_claimed_until = null, is_active = false, refresh_token = null, test_status = 'expired',
                 last_error = 'the provider renews this account no more: sign in again',
                 last_error_type = 'reauth_required', last_error_source = 'oauth', last_error_at = now(),
                 error_code = $3
             where id = $1 and token_generation = $2",
            claim.connection,
            claim.generation,
            reason,
        )
        .execute(tx.conn())
        .await?;
        if ended.rows_affected() == 0 {
            return Ok(());
        }
        let audit = Audit::of("oauth.token.ended")
            .outcome(Outcome::Failed)
            .target("connection", claim.connection)
            .details(json!({ "provider": claim.provider, "reason": reason }));
        tx.commit(audit, ()).await?;
        self.0.wake.wake();
        Ok(())
    }
}

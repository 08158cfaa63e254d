//! The database, and the only way to write configuration.
//!
//! A [`ConfigTx`] takes the row of `config_head` first and gives it back at commit, so writers of configuration
//! run one after another: a rule that spans rows (dense priorities, names unique across aliases and combos,
//! acyclic combos) may be checked and then relied on. [`ConfigTx::commit`] writes the audit row, bumps the
//! revision and notifies; dropping the transaction undoes all of it.
//!
//! An embedded Postgres has a single connection. Nothing may acquire a connection while it holds one: inside a
//! transaction every statement runs on [`ConfigTx::conn`].

mod audit;

use std::{str::FromStr, time::Duration};

use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use thiserror::Error;
use uuid::Uuid;

use crate::account;

pub use self::audit::{Actor, Audit, Origin, Outcome};

/// The channel on which a committed revision is announced. A hint only: readers poll as well.
pub const CONFIG_CHANNEL: &str = "omniroute_config";

/// How long a request waits for a connection of the pool before it is told that the database is busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

#[derive(Debug, Error)]
pub enum DbError {
    #[error("DATABASE_URL is not a Postgres address such as postgres://user:password@host:5432/name")]
    Url(#[source] sqlx::Error),
    #[error("cannot reach Postgres at DATABASE_URL: is it running, and are user and password right?")]
    Connect(#[source] sqlx::Error),
    #[error("cannot bring the database schema up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("cannot write the first rows of a new database")]
    Seed(#[source] sqlx::Error),
}

/// A handle to the database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pool: PgPool,
    cluster_id: std::sync::Arc<str>,
}

/// One open write of configuration. See the module's documentation.
pub struct ConfigTx {
    tx: sqlx::Transaction<'static, sqlx::Postgres>,
    origin: Origin,
}

/// What a committed write made: the revision that contains it, and the value the caller wants to answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed<T> {
    pub revision: u64,
    pub value: T,
}

// === impl Db ===

impl Db {
    /// Opens the database, brings its schema up to date and makes sure the rows every installation has exist.
    /// Replicas may do this at the same time.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, DbError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(DbError::Url)?
            .application_name("omniroute-controlplane");

        // On its own connection: waiting for another replica's migration must not run into the pool's limits.
        let mut conn = PgConnection::connect_with(&options)
            .await
            .map_err(DbError::Connect)?;
        MIGRATIONS.run(&mut conn).await?;
        let cluster_id = seed(&mut conn).await.map_err(DbError::Seed)?;
        conn.close().await.map_err(DbError::Connect)?;

        let mut pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT);
        if max_connections == 1 {
            // The embedded server ends when a connection ends that it still answers. A caller who hangs up must not
            // do that while the pool opens or tests one for them: there is one, and it is kept.
            pool = pool
                .min_connections(1)
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None);
        }
        let pool = pool.connect_with(options).await.map_err(DbError::Connect)?;
        Ok(Self {
            pool,
            cluster_id: cluster_id.into(),
        })
    }

    /// Ends every connection, after what it is asked at the moment.
    pub async fn close(&self) {
        // the pool itself would end one in the midst of an answer to somebody who hung up
        match self.pool.acquire().await {
            Ok(connection) => drop(connection.close().await),
            Err(error) => tracing::debug!(%error, "no connection is left to close in order"),
        }
        self.pool.close().await;
    }

    /// For reads, and for rows that are no configuration. Never while a [`ConfigTx`] is open.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The 16 hex digits that name this installation, drawn when its database was made.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query_scalar!(r#"select 1 as "one!""#)
            .fetch_one(&self.pool)
            .await?;
        Ok(())
    }

    /// Opens a write of configuration on behalf of `origin`. Waits for the writer before it.
    pub async fn config_tx(&self, origin: &Origin) -> Result<ConfigTx, sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        sqlx::query_scalar!("select revision from config_head for update")
            .fetch_one(&mut *tx)
            .await?;
        Ok(ConfigTx {
            tx,
            origin: origin.clone(),
        })
    }

    /// Records something that changed no configuration: a login, a denial, a test of a credential.
    pub async fn record(&self, origin: &Origin, audit: Audit) -> Result<(), sqlx::Error> {
        audit::insert(&self.pool, origin, audit, None).await
    }
}

// === impl ConfigTx ===

impl ConfigTx {
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Records something else that this write does, and that is looked for under a name of its own.
    pub async fn record(&mut self, audit: Audit) -> Result<(), sqlx::Error> {
        audit::insert(&mut *self.tx, &self.origin, audit, None).await
    }

    /// Makes the write visible as one revision, with its audit row, and announces it.
    pub async fn commit<T>(mut self, audit: Audit, value: T) -> Result<Committed<T>, sqlx::Error> {
        let revision =
            sqlx::query_scalar!("update config_head set revision = revision + 1 returning revision")
                .fetch_one(&mut *self.tx)
                .await?;
        audit::insert(&mut *self.tx, &self.origin, audit, Some(revision)).await?;
        sqlx::query!("select pg_notify($1, $2)", CONFIG_CHANNEL, revision.to_string())
            .execute(&mut *self.tx)
            .await?;
        self.tx.commit().await?;
        Ok(Committed {
            revision: revision.cast_unsigned(),
            value,
        })
    }
}

async fn seed(conn: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query!(
        "insert into config_head (epoch, revision) values ($1, 0) on conflict do nothing",
        Uuid::now_v7()
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into account (id, username, role)
         select $1, $2, 'owner' where not exists (select from account) on conflict do nothing",
        Uuid::now_v7(),
        account::FIRST,
    )
    .execute(&mut *conn)
    .await?;
    let cluster_id = format!("{:016x}", rand::random::<u64>());
    sqlx::query!(
        "insert into cluster_meta (cluster_id) values ($1) on conflict do nothing",
        cluster_id
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query_scalar!("select cluster_id from cluster_meta")
        .fetch_one(&mut *conn)
        .await
}

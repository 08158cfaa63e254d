//! A database per test, control planes that listen on a port of their own, data planes that follow them.

use std::{net::SocketAddr, ops::Deref, sync::Arc, time::Duration};

use controlplane::{
    db::{Audit, Db, Origin},
    ingest::Ingest,
    oauth::{self, Clients, Renewals},
    publish::{ControlPlane, Fleet, Newest, Publisher, Secrets},
    vault::Vault,
};
use dataplane::{
    control::{ControlPlanes, JoinToken},
    routing::Routing,
    sync::{Identity, Standing, Subscription, Vitals},
};
use runtime::{
    crypto::{ClusterKeys, hash_key},
    drain::Drain,
    egress::{Egress, EgressConfig, ProxyEnvironment},
    secret::Secret,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use state::{MemoryStore, StateStore};
use testkit::{service, snapshot::CLUSTER_SECRET, wait_until};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use uuid::Uuid;

pub const PEPPER: &str = "the pepper of these tests";
/// For things that take milliseconds.
pub const SOON: Duration = Duration::from_secs(10);

pub struct Database {
    pub db: Db,
    name: String,
}

pub struct Control {
    pub fleet: Fleet,
    pub newest: Newest,
    pub address: SocketAddr,
    drain: Drain,
}

pub struct Data {
    pub routing: Routing,
    pub standing: watch::Receiver<Standing>,
    stop: CancellationToken,
}

// === impl Database ===

impl Database {
    pub async fn new(max_connections: u32) -> Self {
        let name = service::prefix();
        execute(format!("create database {name}")).await;
        let server = service::postgres_url();
        let (server, _) = server.rsplit_once('/').expect("DATABASE_URL ends with /name");
        let db = Db::connect(&format!("{server}/{name}"), max_connections)
            .await
            .unwrap();
        Self { db, name }
    }

    /// Runs one statement as one revision of the configuration.
    pub async fn commit(&self, statement: &'static str) -> u64 {
        commit(&self.db, statement).await
    }

    pub async fn count(&self, table: &str) -> i64 {
        self.number(&format!("select count(*) from {table}")).await
    }

    pub async fn number(&self, query: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
            .fetch_one(self.db.pool())
            .await
            .unwrap()
    }

    /// An API key whose text is `text`, as one revision.
    pub async fn commit_key(&self, text: &str) -> u64 {
        let mut tx = self.db.config_tx(&Origin::system()).await.unwrap();
        sqlx::query(
            "insert into api_key (id, name, key_hash, key_prefix, key_last4, cluster_id) values ($1, $2, $3, '', '', '')",
        )
        .bind(Uuid::now_v7())
        .bind(text)
        .bind(hash_key(PEPPER.as_bytes(), text).as_slice())
        .execute(tx.conn())
        .await
        .unwrap();
        tx.commit(Audit::of("test.change"), ()).await.unwrap().revision
    }
}

impl Deref for Database {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop_it = execute(format!("drop database {} with (force)", self.name));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        // a runtime cannot block inside another one
        std::thread::spawn(move || runtime.block_on(drop_it))
            .join()
            .unwrap();
    }
}

// === impl Control ===

impl Control {
    pub async fn start(db: &Db) -> Self {
        Self::start_with(db, &ClusterKeys::derive(CLUSTER_SECRET)).await
    }

    pub async fn start_with(db: &Db, keys: &ClusterKeys) -> Self {
        let secrets = Secrets {
            vault: vault(),
            transport: keys.transport.clone(),
            pepper: Secret::new(PEPPER.to_owned()),
        };
        let (publisher, replica, drain) = (Publisher::new(db, secrets), Uuid::now_v7(), Drain::new());
        let newest = publisher.newest();
        let fleet = Fleet::new(db, replica, newest.clone());
        let service = ControlPlane::new(
            replica,
            keys.join_token.clone(),
            newest.clone(),
            fleet.clone(),
            Ingest::new(db),
            renewals(db, &publisher, &drain),
            drain.clone(),
        );
        drain.spawn("publisher", publisher.run(drain.token()));
        drain.spawn("fleet", fleet.clone().run(drain.token()));
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let stop = drain.token().cancelled_owned();
        let server = tonic::transport::Server::builder().add_service(service.into_service());
        drain.spawn("server", async move {
            server.serve_with_incoming_shutdown(incoming, stop).await.unwrap()
        });
        Self {
            fleet,
            newest,
            address,
            drain,
        }
    }

    pub async fn stop(self) {
        self.drain.begin();
        assert_eq!(self.drain.wait(SOON).await, Vec::<&str>::new());
    }

    /// Until everybody runs `revision`.
    pub async fn wait_applied(&self, revision: u64) {
        let applied = self.fleet.wait_applied(revision, SOON).await;
        assert_eq!(applied.acked, applied.total, "{applied:?}");
        assert!(applied.total > 0);
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.drain.begin();
    }
}

// === impl Data ===

impl Data {
    pub fn start(id: &str, address: SocketAddr) -> Self {
        Self::start_with(id, address, Arc::new(MemoryStore::default()))
    }

    pub fn start_with(id: &str, address: SocketAddr, store: Arc<dyn StateStore>) -> Self {
        let keys = ClusterKeys::derive(CLUSTER_SECRET);
        let routing = Routing::default();
        let subscription = Subscription {
            identity: Identity::new(id, Uuid::now_v7(), "127.0.0.1:0"),
            control: control_planes(address),
            routing: routing.clone(),
            store,
            keys,
            vitals: Box::new(Vitals::default),
            execute: Box::new(|_| Box::pin(std::future::ready(Ok(None)))),
        };
        let (sender, standing) = watch::channel(Standing::default());
        let stop = CancellationToken::new();
        tokio::spawn(subscription.run(sender, stop.clone()));
        Self {
            routing,
            standing,
            stop,
        }
    }

    pub fn revision(&self) -> u64 {
        self.routing.load().map_or(0, |table| table.version().revision)
    }

    pub fn knows_key(&self, text: &str) -> bool {
        self.routing.load().is_some_and(|table| table.key(text).is_some())
    }

    pub async fn wait_for(&self, what: &str, condition: impl Fn(&Standing) -> bool) -> Standing {
        let mut standing = self.standing.clone();
        let waiting = tokio::time::timeout(SOON, standing.wait_for(condition)).await;
        waiting
            .unwrap_or_else(|_| panic!("waited for {what}"))
            .unwrap()
            .clone()
    }

    pub fn stop(&self) {
        self.stop.cancel();
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub fn control_planes(address: SocketAddr) -> ControlPlanes {
    ControlPlanes::at(&format!("http://{address}"), join_token()).unwrap()
}

pub fn join_token() -> JoinToken {
    JoinToken::new(ClusterKeys::derive(CLUSTER_SECRET).join_token.expose())
}

/// Without any client of an operator's.
fn renewals(db: &Db, publisher: &Publisher, drain: &Drain) -> Renewals {
    let egress = EgressConfig {
        connect_timeout: SOON,
        allow_private: true,
        proxies: ProxyEnvironment::default(),
    };
    Renewals::new(oauth::Shared {
        db: db.clone(),
        vault: vault(),
        egress: Arc::new(Egress::new(egress).unwrap()),
        clients: Clients::default(),
        wake: publisher.wake(),
        drain: drain.clone(),
    })
}

pub fn vault() -> Vault {
    Vault::new(&Secret::new(
        "the storage key of these tests, long enough".to_owned(),
    ))
}

pub async fn commit(db: &Db, statement: &'static str) -> u64 {
    let mut tx = db.config_tx(&Origin::system()).await.unwrap();
    sqlx::query(statement).execute(tx.conn()).await.unwrap();
    tx.commit(Audit::of("test.change"), ()).await.unwrap().revision
}

/// Until a control plane has published `revision`.
pub async fn wait_published(control: &Control, revision: u64) {
    let published = async || {
        control
            .newest
            .borrow()
            .as_ref()
            .is_some_and(|p| p.version.revision >= revision)
            .then_some(())
    };
    wait_until("the revision to be published", SOON, published).await;
}

async fn execute(statement: String) {
    let mut conn = PgConnection::connect(&service::postgres_url()).await.unwrap();
    sqlx::query(AssertSqlSafe(statement))
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
}

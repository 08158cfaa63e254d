//! Starts, kills and restarts the processes of a cluster. Everything is its own: database, key prefix, ports.

use crate::client::{Client, Operator};
use sqlx::{Connection, Executor, PgConnection};
use state::RedisStore;
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use testkit::process::free_address;
use testkit::{Process, service};

const PATIENCE: Duration = Duration::from_secs(5);
const PASSWORD: &str = "the password of the tests";

pub struct Cluster {
    /// The address of its database.
    pub database: String,
    pub control: Vec<ControlPlane>,
    pub data: Vec<DataPlane>,
    redis: String,
    prefix: String,
    /// Of every control plane, besides what all need.
    settings: Vec<(String, String)>,
}

/// The addresses of two servers.
pub struct Services {
    pub postgres: String,
    pub redis: String,
}

pub struct ControlPlane {
    pub process: Process,
    http: SocketAddr,
    grpc: SocketAddr,
}

pub struct DataPlane {
    pub process: Process,
    address: SocketAddr,
    dir: TempDir,
}

// === impl Services ===

impl Services {
    /// Those that all tests use.
    pub fn shared() -> Self {
        Self {
            postgres: service::postgres_url(),
            redis: service::redis_url(),
        }
    }
}

// === impl Cluster ===

impl Cluster {
    pub async fn start(control_planes: usize, data_planes: usize) -> Self {
        Self::start_on(Services::shared(), control_planes, data_planes).await
    }

    /// With servers of the caller's own.
    pub async fn start_on(services: Services, control_planes: usize, data_planes: usize) -> Self {
        Self::start_by(services, Vec::new(), control_planes, data_planes).await
    }

    /// `settings` are names and values in the environment of control planes.
    pub async fn start_with(
        settings: Vec<(String, String)>,
        control_planes: usize,
        data_planes: usize,
    ) -> Self {
        Self::start_by(Services::shared(), settings, control_planes, data_planes).await
    }

    async fn start_by(
        Services { postgres, redis }: Services,
        settings: Vec<(String, String)>,
        control_planes: usize,
        data_planes: usize,
    ) -> Self {
        let prefix = service::prefix();
        let database = create_database(&postgres, &prefix).await;
        let mut cluster = Self {
            database,
            control: Vec::new(),
            data: Vec::new(),
            redis,
            prefix,
            settings,
        };
        for _ in 0..control_planes {
            let plane = cluster.start_control_plane(free_address(), free_address()).await;
            cluster.control.push(plane);
        }
        for _ in 0..data_planes {
            cluster.add_data_plane().await;
        }
        cluster
    }

    pub async fn add_data_plane(&mut self) {
        let plane = self
            .start_data_plane(free_address(), tempfile::tempdir().unwrap())
            .await;
        self.data.push(plane);
    }

    /// At the same addresses, as an orchestrator would.
    pub async fn restart_control_plane(&mut self, index: usize) {
        let old = self.control.remove(index);
        let (http, grpc) = (old.http, old.grpc);
        drop(old);
        let plane = self.start_control_plane(http, grpc).await;
        self.control.insert(index, plane);
    }

    /// With the same spool.
    pub async fn restart_data_plane(&mut self, index: usize) {
        let DataPlane {
            process,
            address,
            dir,
        } = self.data.remove(index);
        drop(process);
        let plane = self.start_data_plane(address, dir).await;
        self.data.insert(index, plane);
    }

    pub async fn operator(&mut self) -> Operator {
        Operator::sign_in(self.control[0].http, PASSWORD).await
    }

    /// An operator at each control plane.
    pub async fn operators(&mut self) -> Vec<Operator> {
        let mut operators = Vec::new();
        for plane in &self.control {
            operators.push(Operator::sign_in(plane.http, PASSWORD).await);
        }
        operators
    }

    /// What the planes share.
    pub async fn store(&self) -> RedisStore {
        let store = RedisStore::connect(&self.redis, &self.prefix).await.unwrap();
        store.with_deadline(PATIENCE)
    }

    /// All that Redis holds of this cluster, as bytes to be searched.
    pub fn redis_contents(&self) -> Vec<u8> {
        service::redis_contents(&self.redis, &self.prefix)
    }

    /// Everything that its processes have said.
    pub fn logs(&self) -> String {
        let control = self.control.iter().map(|plane| plane.process.log());
        let data = self.data.iter().map(|plane| plane.process.log());
        Vec::from_iter(control.chain(data)).join("\n")
    }

    /// A client of each data plane.
    pub fn clients(&self, key: &str) -> Vec<Client> {
        self.data
            .iter()
            .map(|plane| Client::new(plane.address, key))
            .collect()
    }

    async fn start_control_plane(&self, http: SocketAddr, grpc: SocketAddr) -> ControlPlane {
        let (listen, grpc_listen) = (http.to_string(), grpc.to_string());
        let arguments = ["--listen", &listen, "--grpc-listen", &grpc_listen];
        let mut environment = vec![
            ("DATABASE_URL", self.database.as_str()),
            ("REDIS_URL", &self.redis),
            ("OMNIROUTE_CONTROLPLANE__REDIS_PREFIX", &self.prefix),
            ("CLUSTER_SECRET", testkit::snapshot::CLUSTER_SECRET),
            ("JWT_SECRET", "vT3qk8ZxPw2mRb6yLs9dHf4jNc7gUa1e"),
            ("API_KEY_SECRET", "pQ5wErT7yUi9oAsD"),
            ("STORAGE_ENCRYPTION_KEY", "zX8cVb6nMq4wEr2tYu0iOp9aSd7fGh5j"),
            ("INITIAL_PASSWORD", PASSWORD),
            ("ALLOW_PRIVATE_PROVIDER_URLS", "true"),
        ];
        let settings = self.settings.iter();
        environment.extend(settings.map(|(name, value)| (name.as_str(), value.as_str())));
        let mut process = Process::start("omniroute-controlplane", &arguments, &environment);
        process.ready(http, "/readyz").await;
        ControlPlane { process, http, grpc }
    }

    async fn start_data_plane(&self, address: SocketAddr, dir: TempDir) -> DataPlane {
        let control = self
            .control
            .iter()
            .map(|plane| format!("http://{}", plane.grpc))
            .collect::<Vec<_>>()
            .join(",");
        let (listen, data_dir) = (address.to_string(), dir.path().display().to_string());
        let environment = [
            ("REDIS_URL", self.redis.as_str()),
            ("OMNIROUTE_DATAPLANE__REDIS_PREFIX", &self.prefix),
            ("CONTROL_PLANE_URL", &control),
            ("CLUSTER_SECRET", testkit::snapshot::CLUSTER_SECRET),
            ("DATA_DIR", &data_dir),
            ("ALLOW_PRIVATE_PROVIDER_URLS", "true"),
            ("OMNIROUTE_DATAPLANE__DRAIN_NOTICE_MS", "0"),
            // so that a busy machine is not taken for a Redis that is away
            ("REDIS_TIMEOUT_MS", "5000"),
        ];
        let mut process = Process::start("omniroute-dataplane", &["--listen", &listen], &environment);
        process.ready(address, "/readyz").await;
        DataPlane {
            process,
            address,
            dir,
        }
    }
}

/// A database of its own. It stays behind: the server of `make test` does not outlive the tests.
async fn create_database(server: &str, name: &str) -> String {
    let mut connection = PgConnection::connect(server).await.unwrap();
    connection
        .execute(sqlx::AssertSqlSafe(format!("create database {name}")))
        .await
        .unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

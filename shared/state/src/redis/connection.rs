//! The way to Redis, one server or a cluster: one multiplexed connection to each server, made when it is first
//! needed and made again whenever it broke.

use super::address::Address;
use super::{CONNECT_TIMEOUT, SNAPSHOT_DEADLINE};
use crate::StoreError;
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClient, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{Client, Cmd, Pipeline, RedisError, RedisFuture, Value};
use std::time::Duration;

/// After which a host that stopped acknowledging is given up. The deadlines of operations end each of them long
/// before the library would notice, so nothing else replaces a connection to a host that vanished.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(2);

/// How often a command follows a slot that moved. Waits between are in milliseconds: who asked waits 50.
const REDIRECTIONS: u32 = 4;
const MIN_REDIRECTION_WAIT: u64 = 2;
const MAX_REDIRECTION_WAIT: u64 = 50;

#[derive(Clone)]
pub(super) enum Connection {
    Server(ConnectionManager),
    Cluster(ClusterConnection),
}

// === impl Connection ===

impl Connection {
    /// Nothing need be there yet.
    pub fn to(address: Address) -> Result<Self, StoreError> {
        let unreadable = |error: RedisError| StoreError::Address(error.to_string());
        if address.cluster {
            to_cluster(address).map(Self::Cluster).map_err(unreadable)
        } else {
            to_server(address).map(Self::Server).map_err(unreadable)
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(server) => server.req_packed_command(cmd),
            Self::Cluster(cluster) => cluster.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(server) => server.req_packed_commands(pipeline, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(server) => server.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}

fn to_server(address: Address) -> Result<ConnectionManager, RedisError> {
    let nodes = address.nodes.into_iter();
    let node = nodes.map(|node| node.set_tcp_settings(tcp_settings())).next();
    let node = node.expect("an address has at least one host");
    let client = match address.certificates {
        Some(certificates) => Client::build_with_tls(node, certificates)?,
        None => Client::open(node)?,
    };
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(SNAPSHOT_DEADLINE))
        .set_max_delay(MAX_RECONNECT_DELAY);
    ConnectionManager::new_lazy_with_config(client, config)
}

fn to_cluster(address: Address) -> Result<ClusterConnection, RedisError> {
    let mut client = ClusterClient::builder(address.nodes)
        .tcp_settings(tcp_settings())
        .retries(REDIRECTIONS)
        .min_retry_wait(MIN_REDIRECTION_WAIT)
        .max_retry_wait(MAX_REDIRECTION_WAIT);
    if let Some(certificates) = address.certificates {
        client = client.certs(certificates);
    }
    let config = ClusterConfig::new()
        .set_connection_timeout(CONNECT_TIMEOUT)
        .set_response_timeout(SNAPSHOT_DEADLINE);
    Ok(client.build()?.get_pending_async_connection_with_config(config))
}

fn tcp_settings() -> TcpSettings {
    // commands are small writes on one shared connection, which must not wait for each other
    let settings = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(UNACKNOWLEDGED);
    settings
}

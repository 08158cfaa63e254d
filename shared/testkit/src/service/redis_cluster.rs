//! A Redis Cluster of three primaries.

use super::redis_server::RedisServer;
use crate::process::free_address;
use crate::wait::wait_until;
use redis::{ConnectionLike, FromRedisValue, RedisResult};
use std::time::Duration;

const PRIMARIES: usize = 3;
const SLOTS: usize = 16_384;

/// A primary waits two seconds after its start before it calls the cluster whole.
const WHOLE: Duration = Duration::from_secs(30);
/// After which a server counts as dead, in milliseconds: soon where a replica is to take its place, late where
/// nothing but a busy machine could be the reason.
const SOON_DEAD_MS: &str = "1000";
const LATE_DEAD_MS: &str = "15000";

/// Its servers are killed when it is dropped.
#[derive(Debug)]
pub struct RedisCluster {
    /// The primaries first.
    servers: Vec<RedisServer>,
}

// === impl RedisCluster ===

impl RedisCluster {
    /// Starts the servers, gives each a third of the slots, and waits until they agree.
    pub async fn start() -> Self {
        Self::start_with(PRIMARIES, LATE_DEAD_MS).await
    }

    /// With a replica of the first primary, which soon takes its place when that one dies.
    pub async fn start_with_replica() -> Self {
        let cluster = Self::start_with(PRIMARIES + 1, SOON_DEAD_MS).await;
        let [primary, .., replica] = &cluster.servers[..] else {
            unreachable!("a cluster has several servers")
        };
        let asked = async || {
            let id: String = call(&mut primary.connect().ok()?, "CLUSTER", &["MYID"]).ok()?;
            call(&mut replica.connect().ok()?, "CLUSTER", &["REPLICATE", &id]).ok()
        };
        // once: asking again starts it again
        let () = wait_until("the replica to know the primary", WHOLE, asked).await;
        let follows = async || {
            let info: String = call(&mut replica.connect().ok()?, "INFO", &["replication"]).ok()?;
            info.contains("master_link_status:up").then_some(())
        };
        wait_until("the replica to follow", WHOLE, follows).await;
        cluster
    }

    /// Until the replica has all that its primary has.
    pub async fn copied(&self) {
        let [primary, .., replica] = &self.servers[..] else {
            unreachable!("a cluster has several servers")
        };
        let copied = async || {
            let (there, here) = (
                offset(primary, "master_repl_offset"),
                offset(replica, "slave_repl_offset"),
            );
            (there? == here? && there? > 0).then_some(())
        };
        wait_until("the replica to have everything", WHOLE, copied).await;
    }

    /// As an operator writes it.
    pub fn url(&self) -> String {
        let addresses: Vec<_> = self
            .servers
            .iter()
            .map(|server| server.address().to_string())
            .collect();
        format!("redis+cluster://{}", addresses.join(","))
    }

    pub fn primaries(&mut self) -> &mut [RedisServer] {
        &mut self.servers[..PRIMARIES]
    }

    async fn start_with(count: usize, dead_ms: &str) -> Self {
        let (mut servers, mut buses) = (Vec::new(), Vec::new());
        for _ in 0..count {
            // else the bus has the port 10,000 above, which somebody may have
            let bus = free_address().port().to_string();
            let cluster = ["--cluster-enabled", "yes", "--cluster-port", &bus];
            let timeout = ["--cluster-node-timeout", dead_ms];
            servers.push(RedisServer::start_with(&[&cluster[..], &timeout].concat()).await);
            buses.push(bus);
        }
        let cluster = Self { servers };
        cluster.form(&buses).expect("new servers form a cluster");
        let whole = async || {
            let whole = cluster.servers.iter().map(|server| is_whole(server, count));
            let whole = whole.collect::<RedisResult<Vec<_>>>().ok()?;
            whole.iter().all(|whole| *whole).then_some(())
        };
        wait_until("the cluster to be whole", WHOLE, whole).await;
        cluster
    }

    fn form(&self, buses: &[String]) -> RedisResult<()> {
        let first = self.servers[0].address();
        let (ip, port) = (first.ip().to_string(), first.port().to_string());
        for (n, server) in self.servers.iter().enumerate() {
            let mut connection = server.connect()?;
            if n < PRIMARIES {
                let from = (SLOTS * n / PRIMARIES).to_string();
                let to = (SLOTS * (n + 1) / PRIMARIES - 1).to_string();
                let () = call(&mut connection, "CLUSTER", &["ADDSLOTSRANGE", &from, &to])?;
            }
            // each its own, else they have to settle who is who first
            let epoch = (n + 1).to_string();
            let () = call(&mut connection, "CLUSTER", &["SET-CONFIG-EPOCH", &epoch])?;
            if n > 0 {
                let () = call(&mut connection, "CLUSTER", &["MEET", &ip, &port, &buses[0]])?;
            }
        }
        Ok(())
    }
}

/// How much of the stream of changes a server has seen.
fn offset(server: &RedisServer, name: &str) -> Option<u64> {
    let info: String = call(&mut server.connect().ok()?, "INFO", &["replication"]).ok()?;
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line?.trim().parse().ok()
}

fn is_whole(server: &RedisServer, servers: usize) -> RedisResult<bool> {
    let info: String = call(&mut server.connect()?, "CLUSTER", &["INFO"])?;
    let says = |line: String| info.lines().any(|told| told == line);
    Ok(says("cluster_state:ok".to_owned())
        && says(format!("cluster_slots_ok:{SLOTS}"))
        && says(format!("cluster_known_nodes:{servers}")))
}

fn call<T: FromRedisValue>(
    connection: &mut impl ConnectionLike,
    name: &str,
    arguments: &[&str],
) -> RedisResult<T> {
    redis::cmd(name).arg(arguments).query(connection)
}

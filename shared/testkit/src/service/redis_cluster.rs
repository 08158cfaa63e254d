//! A Redis Cluster of three primaries.

use super::redis_server::RedisServer;
use crate::process::free_address;
use crate::wait::wait_until;
use redis::{ConnectionLike, RedisResult};
use std::time::Duration;

const PRIMARIES: usize = 3;
const SLOTS: usize = 16_384;

/// A primary waits two seconds after its start before it calls the cluster whole.
const WHOLE: Duration = Duration::from_secs(30);

/// Its servers are killed when it is dropped.
#[derive(Debug)]
pub struct RedisCluster {
    primaries: Vec<RedisServer>,
}

// === impl RedisCluster ===

impl RedisCluster {
    /// Starts the servers, gives each a third of the slots, and waits until they agree.
    pub async fn start() -> Self {
        let mut primaries = Vec::new();
        let mut buses = Vec::new();
        for _ in 0..PRIMARIES {
            // else the bus has the port 10,000 above, which somebody may have
            let bus = free_address().port().to_string();
            let arguments = ["--cluster-enabled", "yes", "--cluster-port", &bus];
            primaries.push(RedisServer::start_with(&arguments).await);
            buses.push(bus);
        }
        let cluster = Self { primaries };
        cluster.form(&buses).expect("new servers form a cluster");
        wait_until("the cluster to be whole", WHOLE, async || {
            let whole = cluster.primaries.iter().map(is_whole);
            whole
                .collect::<RedisResult<Vec<_>>>()
                .ok()?
                .iter()
                .all(|whole| *whole)
                .then_some(())
        })
        .await;
        cluster
    }

    /// As an operator writes it, with one node only: the others are found.
    pub fn url(&self) -> String {
        format!("redis+cluster://{}", self.primaries[0].address())
    }

    pub fn primaries(&mut self) -> &mut [RedisServer] {
        &mut self.primaries
    }

    fn form(&self, buses: &[String]) -> RedisResult<()> {
        let first = self.primaries[0].address();
        for (n, primary) in self.primaries.iter().enumerate() {
            let mut connection = primary.connect()?;
            let (from, to) = (SLOTS * n / PRIMARIES, SLOTS * (n + 1) / PRIMARIES - 1);
            cluster(
                &mut connection,
                &["ADDSLOTSRANGE", &from.to_string(), &to.to_string()],
            )?;
            // each its own, else they have to settle who is who first
            cluster(&mut connection, &["SET-CONFIG-EPOCH", &(n + 1).to_string()])?;
            if n > 0 {
                let (ip, port) = (first.ip().to_string(), first.port().to_string());
                cluster(&mut connection, &["MEET", &ip, &port, &buses[0]])?;
            }
        }
        Ok(())
    }
}

fn is_whole(primary: &RedisServer) -> RedisResult<bool> {
    let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut primary.connect()?)?;
    let says = |line: String| info.lines().any(|told| told == line);
    Ok(says("cluster_state:ok".to_owned())
        && says(format!("cluster_slots_ok:{SLOTS}"))
        && says(format!("cluster_known_nodes:{PRIMARIES}")))
}

fn cluster(connection: &mut impl ConnectionLike, arguments: &[&str]) -> RedisResult<()> {
    redis::cmd("CLUSTER").arg(arguments).exec(connection)
}

//! The services a test talks to, as `make test` provides them.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_server;
mod redis_cluster;
mod redis_server;

use redis::{Commands, RedisResult};
use uuid::Uuid;

#[cfg(feature = "postgres")]
pub use postgres::{Database, postgres};
#[cfg(feature = "postgres")]
pub use postgres_server::PostgresServer;
pub use redis_cluster::RedisCluster;
pub use redis_server::RedisServer;

/// A part of the Redis server that is the test's own. Its keys are deleted when it is dropped.
#[derive(Debug)]
pub struct Redis {
    pub url: String,
    /// What every key the test writes must start with.
    pub prefix: String,
}

// === impl Redis ===

impl Redis {
    fn clean(&self) -> RedisResult<()> {
        let mut connection = redis::Client::open(self.url.as_str())?.get_connection()?;
        // hash tags put a brace before the prefix
        let pattern = format!("*{}*", self.prefix);
        let keys = connection
            .scan_match(pattern)?
            .collect::<RedisResult<Vec<String>>>()?;
        if keys.is_empty() {
            return Ok(());
        }
        connection.del(keys)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // a test may have taken the server down; what it left is no reason to fail it
        let _ = self.clean();
    }
}

/// The Redis server for tests, and a prefix nobody else has.
///
/// # Panics
///
/// Without `REDIS_URL`.
pub fn redis() -> Redis {
    Redis {
        url: redis_url(),
        prefix: prefix(),
    }
}

/// Everything that a Redis server holds under a prefix, keys and values, as bytes to be searched.
///
/// # Panics
///
/// When the server does not answer.
pub fn redis_contents(url: &str, prefix: &str) -> Vec<u8> {
    let read = || -> RedisResult<Vec<u8>> {
        let mut connection = redis::Client::open(url)?.get_connection()?;
        // what is compressed cannot be searched
        redis::cmd("CONFIG")
            .arg(&["SET", "rdbcompression", "no"])
            .exec(&mut connection)?;
        let keys = connection
            .scan_match(format!("*{prefix}*"))?
            .collect::<RedisResult<Vec<String>>>()?;
        let mut contents = Vec::new();
        for key in keys {
            let value: Option<Vec<u8>> = redis::cmd("DUMP").arg(&key).query(&mut connection)?;
            contents.extend_from_slice(key.as_bytes());
            contents.extend(value.unwrap_or_default());
        }
        Ok(contents)
    };
    read().expect("the Redis server for tests answers")
}

/// The Postgres server for tests.
///
/// # Panics
///
/// Without `DATABASE_URL`: a test that silently does not run proves nothing.
pub fn postgres_url() -> String {
    from_environment("DATABASE_URL")
}

/// The Redis server for tests. Keep to a [`prefix`]: others use it at the same time.
///
/// # Panics
///
/// Without `REDIS_URL`.
pub fn redis_url() -> String {
    from_environment("REDIS_URL")
}

/// A name nobody else has, for a database or for keys.
pub fn prefix() -> String {
    format!("test_{}", Uuid::now_v7().simple())
}

fn from_environment(name: &str) -> String {
    let value = std::env::var(name);
    assert!(value.is_ok(), "{name} is not set: run this by `make test`");
    value.unwrap_or_default()
}

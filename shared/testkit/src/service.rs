//! The services a test talks to, as `make test` provides them.

use uuid::Uuid;

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

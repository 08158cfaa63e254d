//! A database per test.

use super::{postgres_url, prefix};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// An empty database, dropped with this value.
#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
}

// === impl Database ===

impl Database {
    pub fn url(&self) -> String {
        with_name(&self.server, &self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("drop database {} with (force)", self.name);
        let server = self.server.clone();
        // a runtime cannot block inside another one
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(execute(&server, statement))
        });
        // a test may have taken the server down; what it left is no reason to fail it
        let _ = dropping.join();
    }
}

/// Creates a database on the server for tests.
///
/// # Panics
///
/// Without `DATABASE_URL`, or when the server does not let us create databases.
pub async fn postgres() -> Database {
    let (server, name) = (postgres_url(), prefix());
    execute(&server, format!("create database {name}"))
        .await
        .expect("the user of DATABASE_URL may create databases");
    Database { server, name }
}

async fn execute(server: &str, statement: String) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(server).await?;
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut connection)
        .await?;
    connection.close().await
}

/// The same server and parameters, another database.
fn with_name(server: &str, name: &str) -> String {
    let (address, parameters) = server.split_once('?').unwrap_or((server, ""));
    let base = address.rsplit_once('/').map_or(address, |(base, _)| base);
    let separator = if parameters.is_empty() { "" } else { "?" };
    format!("{base}/{name}{separator}{parameters}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_changes() {
        let table = [
            ("postgres://a@h:5/dev", "postgres://a@h:5/x"),
            (
                "postgres://a@h/dev?sslmode=disable",
                "postgres://a@h/x?sslmode=disable",
            ),
        ];
        for (server, expected) in table {
            assert_eq!(with_name(server, "x"), expected);
        }
    }
}

//! Where the configuration and the usage of a single process live: a Postgres server of the operator's, or the
//! one inside this process.
//!
//! The embedded server accepts one connection at a time, listens on a socket inside the data directory, and so
//! is reachable by nobody but the owner of that directory.

use std::path::Path;

pub struct Database {
    pub url: String,
    pub max_connections: u32,
    #[cfg(feature = "embedded")]
    server: Option<pglite_oxide::PgliteServer>,
}

// === impl Database ===

impl Database {
    /// A server that the operator runs.
    pub fn external(url: String) -> Self {
        Self {
            url,
            max_connections: 10,
            #[cfg(feature = "embedded")]
            server: None,
        }
    }

    /// The server inside this process, with its files under `dir`.
    #[cfg(feature = "embedded")]
    pub fn embedded(dir: &Path) -> anyhow::Result<Self> {
        use anyhow::Context;
        std::fs::create_dir_all(dir)?;
        let socket = dir.join(".s.PGSQL.5432");
        // the limit of sun_path on Linux is 107 bytes and a terminator
        if socket.as_os_str().len() > 107 {
            anyhow::bail!(
                "the path {} is too long for a socket: choose a shorter --data-dir, or set DATABASE_URL",
                socket.display()
            );
        }
        // a killed process leaves its socket behind, and the lock on the data directory says it is gone
        match std::fs::remove_file(&socket) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let server = pglite_oxide::PgliteServer::builder()
            .path(dir.join("postgres"))
            .unix(&socket)
            .start()
            .context("the embedded Postgres did not start; set DATABASE_URL to use a server of your own")?;
        // the server's own URL has no host, which the driver refuses
        let socket_dir = [("host", dir.to_string_lossy()), ("sslmode", "disable".into())];
        let url = url::Url::parse_with_params("postgres://postgres@localhost:5432/template1", socket_dir)?;
        Ok(Self {
            url: url.into(),
            max_connections: 1,
            server: Some(server),
        })
    }

    #[cfg(not(feature = "embedded"))]
    pub fn embedded(_: &Path) -> anyhow::Result<Self> {
        anyhow::bail!("this build has no embedded Postgres: set DATABASE_URL")
    }

    /// Stops the embedded server. Every connection must be closed before.
    pub fn close(self) -> anyhow::Result<()> {
        #[cfg(feature = "embedded")]
        if let Some(server) = self.server {
            server.shutdown()?;
        }
        Ok(())
    }
}

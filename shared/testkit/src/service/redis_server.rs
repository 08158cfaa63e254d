//! A Redis server of the test's own: to be killed, paused, or made part of a cluster.

use crate::process::{Process, free_address};
use crate::wait::wait_until;
use redis::{Client, Connection, RedisResult};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;

/// In the order they are looked for.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// Generous: test machines are busy.
const START: Duration = Duration::from_secs(20);
const CONNECT: Duration = Duration::from_secs(1);

/// Killed when dropped. What it held goes with it, as with a cache that is not written to disk.
#[derive(Debug)]
pub struct RedisServer {
    address: SocketAddr,
    arguments: Vec<String>,
    process: Process,
    _scratch: TempDir,
}

// === impl RedisServer ===

impl RedisServer {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With further arguments of the program.
    ///
    /// # Panics
    ///
    /// Without Redis on the `PATH`.
    pub async fn start_with(further: &[&str]) -> Self {
        let (address, scratch) = (free_address(), tempfile::tempdir());
        let scratch = scratch.expect("the temporary directory is writable");
        let (port, directory) = (address.port().to_string(), scratch.path().to_string_lossy());
        let own = ["--bind", "127.0.0.1", "--port", &port, "--dir", &directory];
        let forgetful = ["--save", "", "--appendonly", "no"];
        let arguments = own.iter().chain(&forgetful).chain(further);
        let arguments: Vec<_> = arguments.map(|argument| (*argument).to_owned()).collect();
        let server = Self {
            address,
            process: spawn(&arguments),
            arguments,
            _scratch: scratch,
        };
        server.ready().await;
        server
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub fn connect(&self) -> RedisResult<Connection> {
        Client::open(self.url())?.get_connection_with_timeout(CONNECT)
    }

    /// Forgets everything, scripts too, as after a failover to a server that had nothing yet.
    pub fn flush(&self) -> RedisResult<()> {
        let mut connection = self.connect()?;
        redis::cmd("FLUSHALL").exec(&mut connection)?;
        redis::cmd("SCRIPT").arg("FLUSH").exec(&mut connection)
    }

    /// As a power cut would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// After [`RedisServer::kill`], at the same address and without memory.
    pub async fn restart(&mut self) {
        self.process = spawn(&self.arguments);
        self.ready().await;
    }

    /// Stops it in its tracks; [`RedisServer::resume`] lets it go on.
    pub fn pause(&self) {
        self.process.pause();
    }

    pub fn resume(&self) {
        self.process.resume();
    }

    async fn ready(&self) {
        let answers = async || {
            let mut connection = self.connect().ok()?;
            redis::cmd("PING").query::<String>(&mut connection).ok()
        };
        wait_until("Redis to answer", START, answers).await;
    }
}

fn spawn(arguments: &[String]) -> Process {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    for program in PROGRAMS {
        match Process::installed(program, &arguments) {
            Ok(process) => return process,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => unreachable!("{program} cannot be started: {error}"),
        }
    }
    unreachable!("no Redis on the PATH: install redis-server, version 7 or newer")
}

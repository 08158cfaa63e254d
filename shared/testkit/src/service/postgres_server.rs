//! A Postgres server of the test's own: to be killed, and started again with what it had promised to keep.

use crate::process::{Process, free_address};
use crate::wait::wait_until;
use sqlx::{Connection, PgConnection};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;

/// Where distributions put the programs of each version; the `PATH` seldom has them.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Postgres refuses to run as root; its packages make this user.
const USER: &str = "postgres";
/// Generous: test machines are busy.
const START: Duration = Duration::from_secs(60);

/// Killed when dropped. As Postgres is by default, but for what only the machine's own power cut would lose.
#[derive(Debug)]
pub struct PostgresServer {
    address: SocketAddr,
    arguments: Vec<String>,
    process: Process,
    _scratch: TempDir,
}

// === impl PostgresServer ===

impl PostgresServer {
    /// # Panics
    ///
    /// Without Postgres' programs on this machine.
    pub async fn start() -> Self {
        let (address, scratch) = (free_address(), tempfile::tempdir());
        let scratch = scratch.expect("the temporary directory is writable");
        let data = scratch.path().join("data");
        create(&data);
        let (port, directory) = (address.port().to_string(), data.display().to_string());
        let settings = ["listen_addresses=127.0.0.1", "fsync=off", "max_connections=100"];
        let own = ["-D", &directory, "-k", &directory, "-p", &port];
        let arguments = own
            .into_iter()
            .chain(settings.into_iter().flat_map(|set| ["-c", set]));
        let arguments: Vec<_> = arguments.map(str::to_owned).collect();
        let server = Self {
            address,
            process: spawn(&arguments),
            arguments,
            _scratch: scratch,
        };
        wait_until("Postgres to answer", START, || answer(server.url())).await;
        server
    }

    /// Of its first database.
    pub fn url(&self) -> String {
        format!("postgres://{USER}@{}/postgres", self.address)
    }

    /// As a power cut would: nobody is told, nothing is tidied up.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// After [`PostgresServer::kill`], at the same address, with all that was committed.
    pub async fn restart(&mut self) {
        let url = self.url();
        wait_until("Postgres to answer again", START, || {
            // those who served connections end a moment after it, and until then there cannot be another
            if self.process.has_ended() {
                self.process = spawn(&self.arguments);
            }
            answer(url.clone())
        })
        .await;
    }
}

/// Once the server takes connections.
async fn answer(url: String) -> Option<()> {
    let connection = PgConnection::connect(&url).await.ok()?;
    connection.close().await.ok()
}

fn create(data: &Path) {
    fs::create_dir(data).expect("the scratch directory is writable");
    // the user that Postgres runs as has to come this far
    let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o711));
    open(data.parent().expect("it was made in a directory")).expect("the scratch directory is ours");
    if is_root() {
        run(Command::new("chown").arg(USER).arg(data));
    }
    let (program, mut arguments) = command("initdb");
    let own = [
        "-D",
        &data.display().to_string(),
        "-U",
        USER,
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-sync",
    ];
    arguments.extend(own.map(str::to_owned));
    run(Command::new(program).args(arguments));
}

fn spawn(arguments: &[String]) -> Process {
    let (program, mut all) = command("postgres");
    all.extend_from_slice(arguments);
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    Process::installed(&program, &all)
        .unwrap_or_else(|error| unreachable!("{program} cannot be started: {error}"))
}

/// How a program of Postgres is called by whoever runs the tests: what to start, and what comes before its own
/// arguments.
fn command(name: &str) -> (String, Vec<String>) {
    let program = find(name).display().to_string();
    if !is_root() {
        return (program, Vec::new());
    }
    let become_user = ["--reuid", USER, "--regid", USER, "--clear-groups", "--", &program];
    ("setpriv".to_owned(), become_user.map(str::to_owned).to_vec())
}

/// In the newest version that is installed, or on the `PATH`.
fn find(name: &str) -> PathBuf {
    let versions = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let installed = versions.map(|version| version.path().join("bin").join(name));
    let newest = installed.filter(|program| program.is_file()).max();
    newest.unwrap_or_else(|| name.into())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

fn run(command: &mut Command) {
    match command.output() {
        Ok(Output { status, .. }) if status.success() => {}
        Ok(Output { stderr, .. }) => unreachable!("{command:?}: {}", String::from_utf8_lossy(&stderr)),
        Err(error) => unreachable!("{command:?}: {error}; install Postgres, version 15 or newer"),
    }
}

//! A program under test, as its operator would run it: started, asked, signalled, killed.

use crate::client::exchange;
use crate::wait::wait_until;
use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Generous: test machines are busy.
const START: Duration = Duration::from_secs(60);
/// For one probe; a program that accepts and does not answer must not outlast [`START`].
const PROBE: Duration = Duration::from_secs(1);

/// A running program. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    _scratch: TempDir,
}

// === impl Process ===

impl Process {
    /// Starts a binary of this workspace with these arguments and exactly these settings; nothing is inherited
    /// from the environment but what a program needs to run at all.
    ///
    /// # Panics
    ///
    /// When the binary has not been built.
    pub fn start(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let program = binary(name);
        Self::spawn(name, &program, arguments, environment)
            .unwrap_or_else(|error| unreachable_binary(&program, &error))
    }

    /// Starts a program of this machine, as [`Process::start`] does one of this workspace.
    pub fn installed(name: &str, arguments: &[&str]) -> io::Result<Self> {
        Self::spawn(name, Path::new(name), arguments, &[])
    }

    fn spawn(
        name: &str,
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> io::Result<Self> {
        let scratch = tempfile::tempdir().expect("the temporary directory is writable");
        let log = scratch.path().join("log");
        let out = File::create(&log).expect("the scratch directory is writable");
        let child =
            Command::new(program)
                .args(arguments)
                .env_clear()
                .envs(std::env::vars().filter(|(name, _)| {
                    matches!(name.as_str(), "PATH" | "HOME" | "TMPDIR" | "RUST_BACKTRACE")
                }))
                .envs(environment.iter().copied())
                .stdin(Stdio::null())
                .stdout(out.try_clone().expect("a file handle can be cloned"))
                .stderr(out)
                .spawn()?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
            _scratch: scratch,
        })
    }

    /// Waits until `path` at `address` answers 200.
    ///
    /// # Panics
    ///
    /// When the program ends first or takes too long, with what it logged.
    pub async fn ready(&mut self, address: SocketAddr, path: &str) {
        let started = std::time::Instant::now();
        while http_status(address, path).await != Some(200) {
            let ended = self.child.try_wait().ok().flatten();
            assert!(
                ended.is_none(),
                "{} ended with {ended:?}:\n{}",
                self.name,
                self.log()
            );
            assert!(
                started.elapsed() < START,
                "{} is not ready after {START:?}:\n{}",
                self.name,
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// As a power cut would: no handler runs.
    pub fn kill(&mut self) {
        self.signal("KILL");
        self.child.wait().ok();
    }

    /// Asks it to stop and waits for it.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        wait_until(&format!("{} to end", self.name), START, || {
            std::future::ready(self.child.try_wait().ok().flatten())
        })
        .await
    }

    /// Stops it in its tracks; [`Process::resume`] lets it go on.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    pub fn resume(&self) {
        self.signal("CONT");
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_some())
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &self.child.id().to_string()])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "cannot send SIG{signal} to {}",
            self.name
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            report(&self.name, &self.log());
        }
    }
}

#[expect(clippy::print_stderr, reason = "the test runner shows it beside the failure")]
fn report(name: &str, log: &str) {
    eprintln!("--- {name} logged:\n{log}");
}

/// A loopback address that was free a moment ago.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound listener has an address")
}

/// The status of a GET, when there is an answer at all.
pub async fn http_status(address: SocketAddr, path: &str) -> Option<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let answer = exchange(address, request.as_bytes(), PROBE).await.ok()?;
    String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
}

/// Where cargo says, which it does for binaries of the test's own package; else binaries stand beside the
/// directory of the test that runs.
fn binary(name: &str) -> PathBuf {
    if let Some(told) = std::env::var_os(format!("CARGO_BIN_EXE_{name}")) {
        return told.into();
    }
    let test = std::env::current_exe().expect("a running program has a path");
    let beside = test
        .parent()
        .and_then(Path::parent)
        .expect("tests run from target/<profile>/deps");
    beside.join(name)
}

fn unreachable_binary(program: &Path, error: &io::Error) -> ! {
    unreachable!(
        "{} cannot be started ({error}): build it with `cargo build --workspace --bins`",
        program.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn provider() -> (Process, SocketAddr) {
        let address = free_address();
        let listen = address.to_string();
        let mut process = Process::start("omniroute-demo-provider", &["--listen", &listen], &[]);
        process.ready(address, "/healthz").await;
        (process, address)
    }

    #[tokio::test]
    async fn a_program_is_started_paused_and_stopped() {
        let (mut process, address) = provider().await;
        assert_eq!(
            http_status(address, "/v1/models").await,
            Some(401),
            "no key was sent"
        );
        assert!(process.log().contains(&address.to_string()), "{}", process.log());

        process.pause();
        let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let silence = exchange(address, request, Duration::from_millis(200)).await;
        assert_eq!(silence.unwrap(), b"", "the kernel accepts, nobody answers");
        process.resume();
        process.ready(address, "/healthz").await;

        assert!(process.terminate().await.success());
        assert_eq!(http_status(address, "/healthz").await, None);
    }

    #[tokio::test]
    async fn a_killed_program_is_gone_at_once() {
        let (mut process, address) = provider().await;
        process.kill();
        assert_eq!(http_status(address, "/healthz").await, None);
    }

    #[tokio::test]
    #[should_panic(expected = "omniroute-demo-provider ended with")]
    async fn a_program_that_ends_before_it_is_ready_says_why() {
        let mut process = Process::start("omniroute-demo-provider", &["--listen", "nowhere"], &[]);
        process.ready(free_address(), "/healthz").await;
    }
}

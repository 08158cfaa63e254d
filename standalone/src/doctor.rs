//! Looks at an installation and says what is wrong with it, and what to do.

use crate::data_dir::DataDir;
use crate::settings::Settings;
use crate::welcome;
use runtime::egress::{Egress, EgressConfig, ProxyEnvironment};
use state::{RedisStore, StateStore};
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// What was found about one thing.
enum Finding {
    Good(String),
    /// Works, but someone should know.
    Notice(String),
    /// Does not work; the text ends in what to do.
    Bad(String),
}

struct Report(Vec<(&'static str, Finding)>);

/// Prints one line for each check. True when nothing is broken.
#[tokio::main]
pub async fn run(settings: Settings) -> anyhow::Result<bool> {
    let mut report = Report(Vec::new());
    report.add("settings", Finding::Good("read without errors".to_owned()));
    let running = check_data_dir(&settings.data_dir, &mut report);
    check_secrets(&settings.data_dir, &mut report);
    check_database(&settings, running, &mut report).await;
    check_store(&settings, &mut report).await;
    check_address(&settings, running, &mut report).await;
    report.print()
}

/// Whether a gateway runs on the directory.
fn check_data_dir(path: &Path, report: &mut Report) -> bool {
    if !path.exists() {
        let text = format!(
            "{} does not exist yet; the first start creates it",
            path.display()
        );
        report.add("data directory", Finding::Notice(text));
        return false;
    }
    let (finding, running) = match DataDir::open(path) {
        Ok(dir) => (Finding::Good(dir.path().display().to_string()), false),
        Err(error) if error.to_string().starts_with("another omniroute") => (
            Finding::Good(format!("{}, in use by a running gateway", path.display())),
            true,
        ),
        Err(error) => (Finding::Bad(error.to_string()), false),
    };
    report.add("data directory", finding);
    running
}

fn check_secrets(dir: &Path, report: &mut Report) {
    let file = dir.join("secrets.json");
    let finding = match fs::metadata(&file) {
        Err(_) => Finding::Notice("not made yet".to_owned()),
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => Finding::Bad(format!(
            "others may read {0}: run `chmod 600 {0}`",
            file.display()
        )),
        Ok(_) => Finding::Good(format!(
            "{}; keep a copy: credentials cannot be read without it",
            file.display()
        )),
    };
    report.add("secrets", finding);
}

async fn check_database(settings: &Settings, running: bool, report: &mut Report) {
    let Some(url) = &settings.control_plane.database_url else {
        let state = if running {
            "embedded, held by the running gateway"
        } else {
            "embedded"
        };
        report.add("database", Finding::Good(state.to_owned()));
        return;
    };
    use sqlx::Connection;
    let connecting = sqlx::PgConnection::connect(url.expose());
    let finding = match tokio::time::timeout(Duration::from_secs(5), connecting).await {
        Ok(Ok(_)) => Finding::Good("Postgres answers at DATABASE_URL".to_owned()),
        Ok(Err(error)) => Finding::Bad(format!(
            "Postgres at DATABASE_URL refuses: {error}; is it running, are user and password right?"
        )),
        Err(_) => {
            Finding::Bad("Postgres at DATABASE_URL does not answer within 5 s: is the host right?".to_owned())
        }
    };
    report.add("database", finding);
}

async fn check_store(settings: &Settings, report: &mut Report) {
    let Some(url) = &settings.control_plane.redis_url else {
        report.add("state store", Finding::Good("in memory".to_owned()));
        return;
    };
    let finding = match RedisStore::connect(url.expose(), &settings.control_plane.redis_prefix).await {
        Err(error) => Finding::Bad(error.to_string()),
        Ok(store) => match store.with_deadline(Duration::from_secs(2)).ping().await {
            Ok(took) => Finding::Good(format!("Redis answers in {} ms", took.as_millis())),
            Err(error) => Finding::Bad(format!("{error}; is Redis running at REDIS_URL?")),
        },
    };
    report.add("state store", finding);
}

async fn check_address(settings: &Settings, running: bool, report: &mut Report) {
    let address = settings.listen;
    if !running {
        let finding = match TcpListener::bind(address) {
            Ok(_) => Finding::Good(format!("{address} is free")),
            Err(error) => Finding::Bad(format!(
                "{address} cannot be used ({error}): choose another with --listen or PORT"
            )),
        };
        report.add("address", finding);
        return;
    }
    let url = format!("http://{}/readyz", welcome::local(address));
    let finding = match ready(&url).await {
        Ok(200) => Finding::Good(format!("the gateway on {address} is ready")),
        Ok(status) => Finding::Bad(format!(
            "{url} answers {status}: its body says what the gateway waits for"
        )),
        Err(error) => Finding::Bad(format!(
            "{url} does not answer ({error}): does it listen on another address?"
        )),
    };
    report.add("address", finding);
}

async fn ready(url: &str) -> anyhow::Result<u16> {
    let egress = Egress::new(EgressConfig {
        connect_timeout: Duration::from_secs(2),
        allow_private: true,
        proxies: ProxyEnvironment::default(),
    })?;
    let answer = egress
        .client(true)
        .get(url)
        .timeout(Duration::from_secs(5))
        .send()
        .await?;
    Ok(answer.status().as_u16())
}

// === impl Report ===

impl Report {
    fn add(&mut self, name: &'static str, finding: Finding) {
        self.0.push((name, finding));
    }

    fn print(&self) -> anyhow::Result<bool> {
        let mut out = std::io::stdout().lock();
        for (name, finding) in &self.0 {
            let (mark, text) = match finding {
                Finding::Good(text) => ("ok", text),
                Finding::Notice(text) => ("--", text),
                Finding::Bad(text) => ("!!", text),
            };
            writeln!(out, "{mark}  {name:<16} {text}")?;
        }
        Ok(!self
            .0
            .iter()
            .any(|(_, finding)| matches!(finding, Finding::Bad(_))))
    }
}

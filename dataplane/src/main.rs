//! `omniroute-dataplane`: one data plane of a cluster.

use anyhow::Context;
use clap::{Parser, Subcommand};
use dataplane::app::{self, App, Deps};
use dataplane::config::{Config, FLAT};
use dataplane::control::{ControlPlanes, JoinToken};
use dataplane::http;
use figment::providers::Serialized;
use runtime::config::Sources;
use runtime::crypto::ClusterKeys;
use runtime::drain::Drain;
use runtime::exit::{self, Ending, Exit};
use runtime::metrics::Registry;
use runtime::readiness::Readiness;
use runtime::serve::{Grace, Limits};
use runtime::{admin, healthcheck, serve, shutdown, telemetry};
use serde::Serialize;
use state::RedisStore;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A request makes some hundred small allocations, which the C library's allocator is measurably slower at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As sysexits.h has it: the settings are wrong, and a restart will not make them right.
const BAD_SETTINGS: u8 = 64;

/// What the background may take to end: sending the last usage, saying goodbye to the control plane.
const BACKGROUND_GRACE: Duration = Duration::from_secs(10);

/// A shorter secret can be guessed.
const SECRET_CHARS: usize = 32;

/// OmniRoute data plane: serves /v1, needs Redis and a control plane.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// TOML file; the table `[dataplane]` is read.
    #[arg(long)]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Exits with 0 when the data plane on this machine is ready.
    Healthcheck,
}

#[derive(clap::Args, Serialize)]
struct Settings {
    /// Address to serve on.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<SocketAddr>,
}

fn main() -> ExitCode {
    let mut flags = Flags::parse();
    let command = flags.command.take();
    let config = match load(flags) {
        Ok(config) => config,
        Err(error) => return complain(&error, BAD_SETTINGS),
    };
    if command.is_none()
        && let Err(error) = check_secret(&config)
    {
        return complain(&error, BAD_SETTINGS);
    }
    let outcome = match command {
        None => run(&config),
        Some(Command::Healthcheck) => check(&config).map(|()| Ending::Stop),
    };
    match outcome {
        Ok(Ending::Stop) => ExitCode::SUCCESS,
        Ok(Ending::Restart) => {
            let error = anyhow::Error::new(exit::restart()).context("cannot start again");
            complain(&error, 1)
        }
        Err(error) => complain(&error, 1),
    }
}

fn load(flags: Flags) -> anyhow::Result<Config> {
    Ok(runtime::config::load(Sources {
        file: flags.config,
        prefix: "OMNIROUTE_DATAPLANE__",
        section: "dataplane",
        flat: FLAT,
        flags: Serialized::defaults(flags.settings),
    })?)
}

/// A health check runs beside the plane and need not know its secret.
fn check_secret(config: &Config) -> anyhow::Result<()> {
    let secret = config.cluster_secret.expose().chars().count();
    anyhow::ensure!(
        secret >= SECRET_CHARS,
        "CLUSTER_SECRET has {secret} characters: give every plane of the cluster the same {SECRET_CHARS} or more"
    );
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn check(config: &Config) -> anyhow::Result<()> {
    Ok(healthcheck::check(config.listen()).await?)
}

#[tokio::main]
async fn run(config: &Config) -> anyhow::Result<Ending> {
    let telemetry = telemetry::init(&config.log)?;
    let keys = ClusterKeys::derive(config.cluster_secret.expose());
    let store = RedisStore::connect(config.redis_url.expose(), &config.redis_prefix).await?;
    let store = store.with_deadline(config.redis_timeout());
    let control = ControlPlanes::at(
        &config.control_plane_url,
        JoinToken::new(keys.join_token.expose()),
    )?;
    let (registry, readiness, exit) = (Registry::new(), Readiness::new(), Exit::default());
    let app = app::build(
        config,
        Deps {
            store: Arc::new(store),
            control,
            keys,
            registry: registry.clone(),
            readiness: readiness.clone(),
            telemetry: Some(telemetry),
            exit: exit.clone(),
        },
    )?;
    let listener = TcpListener::bind(config.listen())
        .await
        .with_context(|| format!("cannot listen on {}", config.listen()))?;
    tracing::info!(address = %listener.local_addr()?, "data plane listens");
    let probes = admin::router(readiness.clone(), registry);
    serve_until_stopped(config, listener, app, probes, readiness, exit).await
}

/// Serves, and when asked to stop lets go in this order: unready, refusing, finishing what runs, reporting it.
async fn serve_until_stopped(
    config: &Config,
    listener: TcpListener,
    app: App,
    probes: axum::Router,
    readiness: Readiness,
    exit: Exit,
) -> anyhow::Result<Ending> {
    let accepting = readiness.latch("accepting requests");
    let gateway = app.gateway.clone();
    let router = app.router.clone().merge(probes).fallback(http::not_found);
    let drain = Drain::new();
    let flush = app.start(&drain);
    accepting.set(true);

    let (stop, grace) = (CancellationToken::new(), Grace::from(config.shutdown_timeout()));
    let limits = Limits {
        grace: grace.clone(),
        ..Limits::default()
    };
    let serving = tokio::spawn(serve::serve(listener, router, stop.clone(), limits));

    let wish = exit.wished().await;
    tracing::info!(?wish, inflight = gateway.metrics.inflight(), "stopping");
    if let Some(asked) = wish.grace {
        grace.set(asked);
    }
    accepting.set(false);
    tokio::select! {
        () = tokio::time::sleep(config.drain_notice()) => {}
        // a second signal is impatience
        _ = shutdown::signal() => {}
    }
    gateway.availability.draining.cancel();
    stop.cancel();
    let cut_at = Instant::now() + grace.get();
    if !serving.await.context("the accept loop failed")? {
        tracing::warn!(
            inflight = gateway.metrics.inflight(),
            "requests were cut off at the end of the grace period"
        );
    }
    gateway.departures.end(cut_at).await;
    gateway.tell_the_rest().await;
    flush.cancel();
    drain.begin();
    let late = drain.wait(BACKGROUND_GRACE).await;
    if !late.is_empty() {
        tracing::warn!(?late, "background tasks did not end in time");
    }
    Ok(wish.ending)
}

/// Before there is a subscriber, and for people who look at the terminal.
#[expect(clippy::print_stderr, reason = "the log may not be set up yet")]
fn complain(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("omniroute-dataplane: {error:#}");
    ExitCode::from(code)
}

//! `omniroute-controlplane`: the management API, the dashboard and the configuration stream of a cluster.

use std::{io::Write, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use clap::{Parser, Subcommand};
use controlplane::{
    app::{self, App, Deps},
    config::{self, Config},
    db::Db,
    rekey,
    vault::Vault,
};
use figment::providers::Serialized;
use runtime::{
    crypto::ClusterKeys,
    drain::Drain,
    exit::{self, Ending, Exit},
    healthcheck,
    secret::Secret,
    serve, telemetry,
};
use state::RedisStore;
use tokio::net::TcpListener;

#[derive(Parser)]
#[command(version, about = "The control plane of an OmniRoute cluster")]
struct Args {
    /// Settings file; its [controlplane] table is read.
    #[arg(long, env = "OMNIROUTE_CONFIG")]
    config: Option<PathBuf>,
    /// Where the management API and the dashboard listen.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Where data planes connect.
    #[arg(long)]
    grpc_listen: Option<SocketAddr>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Exits with 0 when the control plane on this machine is ready.
    Healthcheck,
    /// Prints the description of the management API, which the dashboard's types are generated from.
    Openapi,
    /// Seals every stored credential anew, under STORAGE_ENCRYPTION_KEY. No control plane may run meanwhile.
    RotateStorageKey {
        /// The key that was used until now.
        #[arg(long, env = "STORAGE_ENCRYPTION_KEY_OLD", hide_env_values = true)]
        old_key: String,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if matches!(args.command, Some(Command::Openapi)) {
        return print_document();
    }
    let config = Config::load(args.config.clone(), Serialized::defaults(flags(&args)))?;
    match args.command {
        Some(Command::Healthcheck) => Ok(healthcheck::check(config.listen).await?),
        Some(Command::RotateStorageKey { old_key }) => rotate_storage_key(&config, old_key).await,
        Some(Command::Openapi) | None => match run(config).await? {
            Ending::Stop => Ok(()),
            Ending::Restart => Err(exit::restart()).context("cannot start again"),
        },
    }
}

fn flags(args: &Args) -> figment::value::Dict {
    let given = [("listen", args.listen), ("grpc_listen", args.grpc_listen)];
    given
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?.to_string().into())))
        .collect()
}

async fn run(config: Config) -> anyhow::Result<Ending> {
    let telemetry = telemetry::init(&config.telemetry)?;
    config.api.check()?;
    let cluster_secret = required("CLUSTER_SECRET", config.cluster_secret.as_ref())?;
    config::check_secret("CLUSTER_SECRET", cluster_secret, 32)?;
    let redis_url = required("REDIS_URL", config.redis_url.as_ref())?;
    let database_url = required("DATABASE_URL", config.database_url.as_ref())?;

    let db = Db::connect(database_url.expose(), config.database_max_connections).await?;
    let store = RedisStore::connect(redis_url.expose(), &config.redis_prefix).await?;
    let http = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let grpc = TcpListener::bind(config.grpc_listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.grpc_listen))?;

    let (drain, exit) = (Drain::new(), Exit::default());
    let deps = Deps {
        db,
        store: Arc::new(store),
        cluster_keys: ClusterKeys::derive(cluster_secret.expose()),
        listen: http.local_addr()?,
        lines: telemetry.lines(),
        drain: drain.clone(),
        exit: exit.clone(),
        single_process: false,
    };
    let App {
        router,
        probes,
        grpc: routes,
        first_run_password,
    } = app::build(config.api, deps).await?;
    if let Some(password) = first_run_password {
        show(&password)?;
    }

    let grace = Duration::from_millis(config.shutdown_timeout_ms);
    let limits = serve::Limits {
        grace: grace.into(),
        ..serve::Limits::default()
    };
    tracing::info!(http = %http.local_addr()?, grpc = %grpc.local_addr()?, "control plane is up");
    let serving = tokio::spawn(serve::serve(http, router.merge(probes), drain.token(), limits));
    let stop = drain.token();
    let streaming = tokio::spawn(async move {
        tonic::transport::Server::builder()
            .add_routes(routes)
            .serve_with_incoming_shutdown(
                tonic::transport::server::TcpIncoming::from(grpc),
                stop.cancelled_owned(),
            )
            .await
    });

    let wish = exit.wished().await;
    tracing::info!(?wish, "draining");
    drain.begin();
    let stuck = drain.wait(grace).await;
    if !stuck.is_empty() {
        tracing::warn!(?stuck, "some tasks did not end in time");
    }
    serving.await?;
    match tokio::time::timeout(grace, streaming).await {
        Ok(ended) => ended??,
        Err(_) => tracing::warn!("some data planes did not close their stream in time"),
    }
    Ok(wish.ending)
}

async fn rotate_storage_key(config: &Config, old_key: String) -> anyhow::Result<()> {
    let new_key = &config.api.storage_encryption_key;
    config::check_secret("STORAGE_ENCRYPTION_KEY", new_key, 32)?;
    let database_url = required("DATABASE_URL", config.database_url.as_ref())?;
    let db = Db::connect(database_url.expose(), 1).await?;
    let (old, new) = (Vault::new(&Secret::new(old_key)), Vault::new(new_key));
    let count = rekey::rekey(&db, &old, &new).await?;
    db.close().await;
    writeln!(
        std::io::stdout(),
        "{count} credentials are sealed under the new key. Start every control plane with it."
    )?;
    Ok(())
}

fn required<'a>(name: &str, value: Option<&'a Secret<String>>) -> anyhow::Result<&'a Secret<String>> {
    value.with_context(|| format!("{name} is not set: a control plane of a cluster needs it; see README.md"))
}

/// Straight to the terminal: a log would keep it.
fn show(password: &Secret<String>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "The administrator's password is {} - it is not shown again.",
        password.expose()
    )?;
    out.flush()
}

fn print_document() -> anyhow::Result<()> {
    let mut document = controlplane::api::document()
        .to_pretty_json()
        .context("cannot write the document as JSON")?;
    document.push('\n');
    std::io::stdout().lock().write_all(document.as_bytes())?;
    Ok(())
}

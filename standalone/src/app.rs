//! Both planes, put together in one process by the functions their own binaries use.

use crate::data_dir::DataDir;
use crate::database::Database;
use crate::operator::Operator;
use crate::pipe::pipe;
use crate::secrets::Secrets;
use crate::settings::Settings;
use crate::welcome;
use anyhow::Context;
use axum::Router;
use controlplane::db::Db;
use controlplane::rekey;
use controlplane::vault::Vault;
use dataplane::control::{ControlPlanes, JoinToken};
use runtime::crypto::ClusterKeys;
use runtime::drain::Drain;
use runtime::exit::{Ending, Exit};
use runtime::metrics::Registry;
use runtime::readiness::Readiness;
use runtime::secret::Secret;
use runtime::serve::{self, Grace, Limits};
use runtime::telemetry;
use state::{MemoryStore, RedisStore, StateStore};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

/// What the background may take to end: sending the last usage, closing the configuration stream.
const BACKGROUND_GRACE: Duration = Duration::from_secs(10);

/// Runs until asked to stop.
#[tokio::main]
pub async fn run(mut settings: Settings) -> anyhow::Result<Ending> {
    let telemetry = telemetry::init(&settings.control_plane.telemetry)?;
    let dir = DataDir::open(&settings.data_dir)?;
    let secrets = Secrets::load(&dir.join("secrets.json"), |name| std::env::var(name).ok())?;
    apply(&secrets, &mut settings);
    let listener = TcpListener::bind(settings.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; choose another with --listen or PORT",
            settings.listen
        )
    })?;
    let listen = listener.local_addr()?;
    settings.data_plane.listen = listen;
    settings.data_plane.data_dir = dir.path().to_owned();
    let backups = &mut settings.control_plane.api.backup_dir;
    backups.get_or_insert_with(|| dir.join("db_backups"));

    let database = open_database(&settings, dir.path())?;
    let db = Db::connect(&database.url, database.max_connections).await?;
    let store = open_store(&settings).await?;
    let keys = ClusterKeys::derive(secrets.get("CLUSTER_SECRET"));
    let jwt_secret = settings.control_plane.api.jwt_secret.clone();

    // === control plane ===
    let (control_drain, exit) = (Drain::new(), Exit::default());
    let control = controlplane::app::build(
        settings.control_plane.api,
        controlplane::app::Deps {
            db: db.clone(),
            store: store.clone(),
            cluster_keys: keys.clone(),
            listen,
            lines: telemetry.lines(),
            drain: control_drain.clone(),
            exit: exit.clone(),
            single_process: true,
        },
    )
    .await?;
    let (channel, arriving) = pipe();
    let streaming = CancellationToken::new();
    let grpc = Server::builder()
        .add_routes(control.grpc)
        .serve_with_incoming_shutdown(arriving, streaming.clone().cancelled_owned());
    let grpc = tokio::spawn(grpc);

    // === data plane ===
    let drain = Drain::new();
    let (registry, readiness) = (Registry::new(), Readiness::new());
    // who asks before the demo provider has followed the port would find it where it was
    let started = readiness.latch("first start");
    let data = dataplane::app::build(
        &settings.data_plane,
        dataplane::app::Deps {
            store,
            control: ControlPlanes::new(vec![channel], JoinToken::new(keys.join_token.expose())),
            keys,
            registry: registry.clone(),
            readiness: readiness.clone(),
            telemetry: Some(telemetry),
            exit: exit.clone(),
        },
    );
    let data = match data {
        Ok(data) => data,
        Err(error) => {
            // the embedded database does not end while somebody holds a connection, and nobody would read the error
            control_drain.begin();
            control_drain.wait(BACKGROUND_GRACE).await;
            db.close().await;
            database.close()?;
            return Err(error);
        }
    };
    let gateway = data.gateway.clone();
    let router = Router::new()
        .merge(data.router.clone())
        .merge(control.router.clone())
        .merge(runtime::admin::router(readiness, registry))
        .nest(welcome::DEMO_PATH, demo::router(demo::Dialect::OpenAi));
    let flush = data.start(&drain);

    // === serve ===
    let stop = CancellationToken::new();
    let grace = Grace::from(settings.data_plane.shutdown_timeout());
    let limits = Limits {
        grace: grace.clone(),
        ..Limits::default()
    };
    let serving = tokio::spawn(serve::serve(listener, router, stop.clone(), limits));
    let operator = Operator::sign_in(control.router, &db, &jwt_secret).await?;
    let key = welcome::first_start(&dir, &operator, listen)
        .await
        .context("the first start did not finish")?;
    started.set(true);
    welcome::announce(listen, &dir, control.first_run_password.as_ref(), key.as_deref())?;

    let wish = exit.wished().await;
    if let Some(asked) = wish.grace {
        grace.set(asked);
    }
    tracing::info!(?wish, inflight = gateway.metrics.inflight(), "stopping");
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
    // usage of the last requests goes to the database before the control plane ends
    gateway.tell_the_rest().await;
    flush.cancel();
    drain.begin();
    let late = drain.wait(BACKGROUND_GRACE).await;
    control_drain.begin();
    streaming.cancel();
    let later = control_drain.wait(BACKGROUND_GRACE).await;
    if !late.is_empty() || !later.is_empty() {
        tracing::warn!(?late, ?later, "background tasks did not end in time");
    }
    grpc.await.context("the configuration stream failed")??;
    db.close().await;
    database.close()?;
    Ok(wish.ending)
}

/// Gives the administrator a new password and ends every session.
#[tokio::main]
pub async fn reset_password(settings: Settings) -> anyhow::Result<()> {
    let dir = DataDir::open(&settings.data_dir)?;
    let database = open_database(&settings, dir.path())?;
    let db = Db::connect(&database.url, database.max_connections).await?;
    let password = controlplane::app::reset_password(&db).await?;
    writeln!(
        std::io::stdout(),
        "The dashboard's password is now {}",
        password.expose()
    )?;
    db.close().await;
    database.close()
}

/// Draws another storage key and seals every credential under it. The new key is on disk before anything is sealed under
/// it, and instead of the old one only afterwards: a run that is cut off is repeated.
#[tokio::main]
pub async fn rotate_storage_key(settings: Settings) -> anyhow::Result<()> {
    anyhow::ensure!(
        std::env::var("STORAGE_ENCRYPTION_KEY").is_err(),
        "STORAGE_ENCRYPTION_KEY is set, so the key is not in the data directory: use \
         `omniroute-controlplane rotate-storage-key`"
    );
    let dir = DataDir::open(&settings.data_dir)?;
    let file = dir.join("secrets.json");
    let secrets = Secrets::load(&file, |name| std::env::var(name).ok())?;
    let renewed = Secrets::with_new_storage_key(&file)?;
    let vault =
        |secrets: &Secrets| Vault::new(&Secret::new(secrets.get("STORAGE_ENCRYPTION_KEY").to_owned()));
    let database = open_database(&settings, dir.path())?;
    let db = Db::connect(&database.url, database.max_connections).await?;
    let count = rekey::rekey(&db, &vault(&secrets), &vault(&renewed)).await?;
    Secrets::commit(&file)?;
    db.close().await;
    database.close()?;
    writeln!(
        std::io::stdout(),
        "{count} credentials are sealed under a new key. Older backups still need the old one."
    )?;
    Ok(())
}

/// What was found or made replaces what the planes' own settings left empty.
fn apply(secrets: &Secrets, settings: &mut Settings) {
    let api = &mut settings.control_plane.api;
    api.jwt_secret = Secret::new(secrets.get("JWT_SECRET").to_owned());
    api.api_key_secret = Secret::new(secrets.get("API_KEY_SECRET").to_owned());
    api.storage_encryption_key = Secret::new(secrets.get("STORAGE_ENCRYPTION_KEY").to_owned());
}

fn open_database(settings: &Settings, dir: &Path) -> anyhow::Result<Database> {
    match &settings.control_plane.database_url {
        Some(url) => Ok(Database::external(url.expose().clone())),
        None => Database::embedded(dir),
    }
}

async fn open_store(settings: &Settings) -> anyhow::Result<Arc<dyn StateStore>> {
    match &settings.control_plane.redis_url {
        Some(url) => {
            let store = RedisStore::connect(url.expose(), &settings.control_plane.redis_prefix).await?;
            Ok(Arc::new(store.with_deadline(settings.data_plane.redis_timeout())))
        }
        None => Ok(Arc::new(MemoryStore::new())),
    }
}

//! The control plane, put together. Reads top to bottom as the list of what it consists of.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use runtime::{
    crypto::{self, ClusterKeys},
    drain::Drain,
    egress::{Egress, EgressConfig},
    exit::Exit,
    secret::Secret,
    telemetry::Lines,
};
use state::{GuardedStore, StateStore};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use uuid::Uuid;

use crate::{
    account,
    api::{self, Ctx, auth::SlowLane},
    arrivals::Arrivals,
    backup::{self, Backups},
    bodies::Bodies,
    cloud::Cloud,
    config::ApiConfig,
    db::{Audit, Db, Origin},
    http::{Gate, Limiter},
    ingest::Ingest,
    oauth::{self, Renewals},
    operations::Operations,
    password::Passwords,
    publish::{ControlPlane, Fleet, Newest, Publisher, Secrets},
    retention::keep_short,
    rollup::keep_added_up,
    session::Sessions,
    spending::{keep_raised, keep_warning},
    ui,
    vault::Vault,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_PASSWORD_LENGTH: usize = 20;
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the control plane needs from the process it runs in.
pub struct Deps {
    pub db: Db,
    pub store: Arc<dyn StateStore>,
    /// Shared by all planes.
    pub cluster_keys: ClusterKeys,
    /// Where `router` will listen; decides whether login may be switched off.
    pub listen: SocketAddr,
    /// What this process logged last.
    pub lines: Lines,
    /// Background tasks run here; once it begins, the API refuses new requests.
    pub drain: Drain,
    /// Where an operator's wish that this process end is put.
    pub exit: Exit,
    /// A data plane is in this process, too.
    pub single_process: bool,
}

pub struct App {
    /// `/api` and `/dashboard`.
    pub router: Router,
    /// `/healthz` and `/readyz`; apart, because a process may be more than a control plane.
    pub probes: Router,
    /// What data planes talk to.
    pub grpc: Routes,
    /// Set when this start drew the administrator's first password. Show it once.
    pub first_run_password: Option<Secret<String>>,
}

/// Builds the control plane and starts its background tasks.
pub async fn build(config: ApiConfig, deps: Deps) -> anyhow::Result<App> {
    config.check()?;
    let Deps {
        db,
        store,
        cluster_keys,
        listen,
        lines,
        drain,
        exit,
        single_process,
    } = deps;
    let passwords = Passwords::default();
    let first_run_password = first_password(&db, &passwords, &config)
        .await
        .context("cannot set the first password")?;

    let store = GuardedStore::new(store);
    drain.spawn("state store watch", watch_store(store.clone(), drain.token()));
    let store: Arc<dyn StateStore> = Arc::new(store);
    let secrets = Secrets {
        vault: Vault::new(&config.storage_encryption_key),
        transport: cluster_keys.transport.clone(),
        pepper: config.api_key_secret.clone(),
    };
    let publisher = Publisher::new(&db, secrets);
    let (newest, wake) = (publisher.newest(), publisher.wake());
    let gate = Arc::new(Gate::default());
    drain.spawn(
        "address filter",
        follow(gate.clone(), newest.clone(), store.clone(), drain.token()),
    );
    let egress = EgressConfig {
        connect_timeout: CONNECT_TIMEOUT,
        allow_private: config.allow_private_provider_urls,
        proxies: config.proxies.clone(),
    };
    let egress = Arc::new(Egress::new(egress)?);
    let renewals = Renewals::new(oauth::Shared {
        db: db.clone(),
        vault: Vault::new(&config.storage_encryption_key),
        egress: Arc::clone(&egress),
        clients: config.oauth.clone(),
        wake: wake.clone(),
        drain: drain.clone(),
    });
    let arrivals = Arrivals::new(db.pool());
    drain.spawn("arrivals", arrivals.clone().follow(drain.token()));
    let bodies = Bodies::new(&db, &config.storage_encryption_key, cluster_keys.captures.clone());
    let replica = Uuid::now_v7();
    let fleet = Fleet::new(&db, replica, newest.clone());
    let control = ControlPlane::new(
        replica,
        cluster_keys.join_token.clone(),
        newest,
        fleet.clone(),
        Ingest::new(&db)
            .with_bodies(bodies.clone())
            .telling(arrivals.clone()),
        renewals.clone(),
        drain.clone(),
    );
    drain.spawn("publisher", publisher.run(drain.token()));
    drain.spawn(
        "spending",
        keep_raised(db.pool().clone(), Arc::clone(&store), drain.token()),
    );
    drain.spawn("tokens", renewals.clone().run(drain.token()));
    drain.spawn("budgets", keep_warning(db.pool().clone(), drain.token()));
    drain.spawn("retention", keep_short(db.clone(), drain.token()));
    drain.spawn("rollup", keep_added_up(db.pool().clone(), drain.token()));
    drain.spawn("fleet", fleet.clone().run(drain.token()));
    let cloud = Cloud::new(&db, Arc::clone(&egress), wake.clone(), &config);
    drain.spawn("cloud sync", cloud.clone().run(drain.token()));
    let backups = Backups::new(&db, &config, &cluster_keys.transport);
    drain.spawn("backups", backup::keep_daily(backups.clone(), drain.token()));

    let operations = Operations::new(db.pool(), &fleet, &drain, &exit);
    let ctx = Ctx {
        operations,
        single_process,
        store,
        backups,
        bodies,
        arrivals,
        cloud,
        fleet,
        wake,
        egress,
        renewals,
        vault: Arc::new(Vault::new(&config.storage_encryption_key)),
        sessions: Arc::new(Sessions::new(&config.jwt_secret, config.auth_cookie_secure)),
        passwords,
        limiter: Arc::new(Limiter::new(config.rate_limit_per_minute)),
        gate,
        slow_lane: SlowLane::default(),
        config: Arc::new(config),
        listen,
        lines,
        drain: drain.token(),
        db: db.clone(),
    };
    db.record(&Origin::system(), Audit::of("system.start"))
        .await
        .context("cannot write the audit trail")?;

    let router = Router::new().merge(api::router(ctx.clone())).merge(ui::router());
    Ok(App {
        router,
        probes: probes(ctx),
        grpc: Routes::new(control.into_service()),
        first_run_password,
    })
}

async fn watch_store(store: GuardedStore, stop: CancellationToken) {
    let tell = |away| match away {
        true => tracing::warn!("the state store does not answer: going on without it"),
        false => tracing::info!("the state store answers again"),
    };
    stop.run_until_cancelled(store.watch(tell)).await;
}

async fn follow(gate: Arc<Gate>, newest: Newest, store: Arc<dyn StateStore>, stop: CancellationToken) {
    stop.run_until_cancelled(gate.follow(newest, store)).await;
}

/// Draws the administrator's password of a new installation. Of several replicas that start at the same time, one
/// wins and has the password to show; with `INITIAL_PASSWORD` there is nothing to draw.
async fn first_password(
    db: &Db,
    passwords: &Passwords,
    config: &ApiConfig,
) -> anyhow::Result<Option<Secret<String>>> {
    let is_set = sqlx::query_scalar!(
        r#"select exists (select from account where password_hash is not null) as "is_set!""#
    )
    .fetch_one(db.pool())
    .await?;
    if is_set || config.initial_password.is_some() {
        return Ok(None);
    }
    let password = Secret::new(crypto::random_token(FIRST_PASSWORD_LENGTH));
    let hash = passwords.hash(&password).await?;
    let won = sqlx::query!(
        "update account set password_hash = $2, password_updated_at = now()
         where username = $1 and password_hash is null",
        account::FIRST,
        hash
    )
    .execute(db.pool())
    .await?;
    if won.rows_affected() == 0 {
        return Ok(None);
    }
    db.record(&Origin::system(), Audit::of("auth.password.generated"))
        .await?;
    Ok(Some(password))
}

/// Gives the first account a new password and ends its sessions. It is an owner again, and active: this is the way back
/// in for whoever runs the machine.
pub async fn reset_password(db: &Db) -> anyhow::Result<Secret<String>> {
    let password = Secret::new(crypto::random_token(FIRST_PASSWORD_LENGTH));
    let hash = Passwords::default().hash(&password).await?;
    sqlx::query!(
        "insert into account (id, username, role, password_hash, password_updated_at)
         values ($1, $2, 'owner', $3, now())
         on conflict (username) do update
         set password_hash = excluded.password_hash, password_updated_at = now(), role = 'owner', is_active = true,
             session_epoch = account.session_epoch + 1",
        Uuid::now_v7(),
        account::FIRST,
        hash
    )
    .execute(db.pool())
    .await?;
    db.record(&Origin::system(), Audit::of("auth.password.reset"))
        .await?;
    Ok(password)
}

/// For orchestrators: alive as long as it answers, ready while the database does and the process is not draining.
fn probes(ctx: Ctx) -> Router {
    async fn ready(State(ctx): State<Ctx>) -> StatusCode {
        if ctx.drain.is_cancelled() {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        match tokio::time::timeout(PROBE_TIMEOUT, ctx.db.ping()).await {
            Ok(Ok(())) => StatusCode::OK,
            Ok(Err(_)) | Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
    Router::new()
        .route("/healthz", get(|| async { StatusCode::OK }))
        .route("/readyz", get(ready))
        .with_state(ctx)
}

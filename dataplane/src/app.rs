//! The table of contents of a running data plane: everything is built here, top to bottom, and started here.

use crate::admission::Admissions;
use crate::answers::{self, Cache, Idempotency, Similar, Vault};
use crate::config::Config;
use crate::control::ControlPlanes;
use crate::http;
use crate::measure::Measuring;
use crate::metrics::Metrics;
use crate::pipeline::{
    Availability, Departures, Embeddings, Gateway, Hedges, Recall, Repetitions, explain, probe, question,
    try_proxy,
};
use crate::routing::{Routing, health};
use crate::sync::{self, Execute, Identity, Subscription, Vitals};
use crate::tally::Tally;
use crate::trace::Tracing;
use crate::usage::{self, Captures, Ended, Spool, SpoolConfig};
use anyhow::Context;
use axum::Router;
use chrono::{DateTime, Utc};
use futures::FutureExt;
use prost::Message;
use proto::v1::command::Op;
use proto::v1::command_result::Answer;
use proto::v1::log_lines::Line;
use proto::v1::{LogLines, ReadLog};
use runtime::crypto::ClusterKeys;
use runtime::drain::Drain;
use runtime::egress::{Egress, EgressConfig};
use runtime::exit::{Ending, Exit, Wish};
use runtime::metrics::Registry;
use runtime::readiness::{Latch, Readiness};
use runtime::telemetry::{Lines, Measures, TelemetryGuard, Traces, Wanted};
use state::{Banned, GuardedStore, Settlement, StateStore};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What a data plane needs from its process.
pub struct Deps {
    pub store: Arc<dyn StateStore>,
    pub control: ControlPlanes,
    pub keys: ClusterKeys,
    pub registry: Registry,
    pub readiness: Readiness,
    /// Lets operators change what is logged; a process without it refuses to.
    pub telemetry: Option<TelemetryGuard>,
    /// Where a control plane's wish that this process end is put.
    pub exit: Exit,
}

pub struct App {
    /// What clients call.
    pub router: Router,
    pub gateway: Arc<Gateway>,
    sync: Subscription,
    configured: Latch,
    /// Ends the reporting of usage, once no request can end any more.
    flush: CancellationToken,
}

/// Builds without starting anything: no task runs and no connection is made yet.
pub fn build(config: &Config, deps: Deps) -> anyhow::Result<App> {
    let (spool, recovered) = Spool::open(SpoolConfig::new(config.data_dir.join("spool")))?;
    if recovered.lost > 0 || recovered.damaged_bytes > 0 {
        tracing::warn!(
            ?recovered,
            "the last process did not end in order: its open requests are accounted as lost"
        );
    }
    let guarded = GuardedStore::new(deps.store);
    let store: Arc<dyn StateStore> = Arc::new(guarded.clone());
    let admissions = Arc::new(Admissions::new(store.clone()));
    admissions.settle_late(spool.take_ended().into_iter().map(settlement));
    let egress = Egress::new(EgressConfig {
        connect_timeout: config.upstream.connect(),
        allow_private: config.upstream.allow_private_addresses,
        proxies: config.upstream.proxies.clone(),
    });
    let identity = Identity::new(&config.data_plane_id, spool.id(), config.listen().to_string());
    let traces = Traces::new(&config.traces, "omniroute-dataplane", &identity.id)?;
    let measures = Measures::new(
        &config.metrics,
        &config.traces,
        "omniroute-dataplane",
        &identity.id,
    )?;
    let routing = Routing::default();
    let vault = Vault::new(deps.keys.answers.clone());
    let (max_entries, max_bytes) = (config.cache.max_entries, config.cache.max_bytes);
    let gateway = Arc::new(Gateway {
        routing: routing.clone(),
        egress: egress.context("the client for providers cannot be built")?,
        spool,
        metrics: Metrics::new(&deps.registry),
        tracing: Tracing::new(traces),
        measuring: Measuring::new(measures),
        edge: config.edge.clone(),
        upstream: config.upstream.clone(),
        media: config.media.clone(),
        guard: config.guard.guard(),
        recall: Recall::new(store.clone(), deps.keys.turns.clone()),
        availability: Availability::new(guarded),
        banned: Banned::default(),
        store: store.clone(),
        admissions,
        tally: Tally::default(),
        hedges: Hedges::default(),
        repetitions: Repetitions::default(),
        idempotency: Idempotency::new(store.clone(), vault.clone(), config.idempotency.window()),
        cache: Cache::new(store.clone(), vault.clone(), max_entries, max_bytes),
        cache_config: config.cache.clone(),
        similar: Similar::new(store.clone(), vault),
        embeddings: Embeddings::default(),
        departures: Departures::new(&config.upstream),
        captures: Arc::new(Captures::new(deps.keys.captures.clone())),
    });
    let execute = execute(gateway.clone(), identity.id.clone(), deps.telemetry, deps.exit);
    let sync = Subscription {
        identity,
        control: deps.control,
        routing: routing.clone(),
        store,
        keys: deps.keys,
        vitals: vitals(gateway.clone()),
        execute,
    };
    Ok(App {
        router: http::router(gateway.clone())?,
        gateway,
        sync,
        configured: deps.readiness.latch("configuration"),
        flush: CancellationToken::new(),
    })
}

// === impl App ===

impl App {
    /// Starts what runs beside requests. The returned token ends the reporting of usage; cancel it when the last
    /// request has ended.
    pub fn start(self, drain: &Drain) -> CancellationToken {
        let Self {
            gateway,
            sync,
            configured,
            flush,
            ..
        } = self;
        let (standing, watched) = watch::channel(sync::Standing::default());
        let (control, id, store) = (sync.control.clone(), sync.identity.id.clone(), sync.store.clone());
        let (spool, settled) = (gateway.spool.clone(), flush.clone());
        drain.spawn("usage spool", async move {
            settled.run_until_cancelled(spool.write_out()).await;
        });
        let captures = gateway.captures.clone();
        drain.spawn(
            "usage reporting",
            usage::report(gateway.spool.clone(), captures, control, id, flush.clone()),
        );
        let health = gateway.routing.health().clone();
        drain.spawn(
            "health exchange",
            health::exchange(health, store.clone(), sync.identity.id.clone(), drain.token()),
        );
        drain.spawn("readiness", watch_configuration(watched, configured));
        drain.spawn(
            "counts for operators",
            publish_counts(gateway.clone(), drain.token()),
        );
        drain.spawn(
            "cache report",
            report_cache(gateway.clone(), sync.identity.id.clone(), drain.token()),
        );
        let (admissions, settled) = (gateway.admissions.clone(), flush.clone());
        drain.spawn("admission", async move { admissions.run(settled).await });
        drain.spawn("bans", follow_bans(gateway.clone(), drain.token()));
        drain.spawn("state store watch", watch_store(gateway, drain.token()));
        drain.spawn("configuration sync", sync.run(standing, drain.token()));
        flush
    }
}

/// What ended before this process began, and may not be settled yet. Its tokens are forgotten: they are of minutes ago.
fn settlement(ended: Ended) -> Settlement {
    Settlement {
        key: ended.key_id.into(),
        request: ended.request_id.into(),
        cost_nano: ended.cost_nano,
        refunds: Vec::new(),
    }
}

/// What a control plane is told about this process.
fn vitals(gateway: Arc<Gateway>) -> Box<dyn Fn() -> Vitals + Send + Sync> {
    Box::new(move || {
        let spool = gateway.spool.vitals();
        Vitals {
            inflight: gateway.metrics.inflight(),
            spool_bytes: spool.pending_bytes,
            spool_dropped: spool.dropped,
            store_degraded: gateway.is_store_away(),
            draining: gateway.availability.draining.is_cancelled(),
        }
    })
}

/// What an operator may ask of a running data plane.
fn execute(
    gateway: Arc<Gateway>,
    data_plane_id: String,
    telemetry: Option<TelemetryGuard>,
    exit: Exit,
) -> Execute {
    let telemetry = telemetry.map(Arc::new);
    Box::new(move |op| {
        carry_out(
            gateway.clone(),
            data_plane_id.clone(),
            telemetry.clone(),
            exit.clone(),
            op,
        )
        .boxed()
    })
}

async fn carry_out(
    gateway: Arc<Gateway>,
    data_plane_id: String,
    telemetry: Option<Arc<TelemetryGuard>>,
    exit: Exit,
    op: Op,
) -> Result<Option<Answer>, String> {
    match op {
        Op::ClearCooldowns(clear) => {
            let connection = Some(clear.connection_id.as_str()).filter(|id| !id.is_empty());
            gateway.routing.health().clear(connection);
            Ok(None)
        }
        Op::SetLogFilter(set) => {
            let telemetry = telemetry.ok_or("this process does not take log filters")?;
            telemetry
                .set_filter(&set.filter)
                .map_err(|error| error.to_string())?;
            Ok(None)
        }
        Op::Leave(leave) => {
            let ending = if leave.restart {
                Ending::Restart
            } else {
                Ending::Stop
            };
            let grace = Some(Duration::from_millis(leave.drain_timeout_ms.into()));
            exit.wish(Wish { ending, grace });
            Ok(None)
        }
        Op::Resync(_) => Err("a resynchronisation is not carried out here".to_owned()),
        Op::TryProxy(asked) => Ok(Some(Answer::TriedProxy(try_proxy(&gateway, asked).await))),
        Op::ReadLog(asked) => {
            let telemetry = telemetry.ok_or("this process keeps no lines of its log")?;
            Ok(Some(Answer::LogLines(last_lines(&telemetry.lines(), asked))))
        }
        Op::Ask(asked) => Ok(Some(Answer::Asked(question(&gateway, asked).await))),
        Op::Probe(asked) => Ok(Some(Answer::Probed(probe(&gateway, asked).await))),
        Op::Explain(asked) => Ok(Some(Answer::Explained(explain(&gateway, &data_plane_id, &asked)))),
    }
}

/// As many of the newest as one answer has room for.
fn last_lines(lines: &Lines, asked: ReadLog) -> LogLines {
    const ROOM: usize = 1024 * 1024;
    let wanted = Wanted {
        level: asked.level,
        component: asked.component,
        limit: usize::try_from(asked.limit).unwrap_or(usize::MAX),
    };
    let mut room = ROOM;
    let mut found: Vec<Line> = Vec::new();
    for line in lines.newest(&wanted).into_iter().rev() {
        let line = Line {
            at_ms: DateTime::<Utc>::from(line.at).timestamp_millis(),
            level: line.level.as_str().to_lowercase(),
            component: line.target,
            message: line.message,
            fields: serde_json::Value::Object(line.fields).to_string(),
        };
        let Some(left) = room.checked_sub(line.encoded_len()) else {
            break;
        };
        room = left;
        found.push(line);
    }
    found.reverse();
    LogLines { lines: found }
}

async fn watch_configuration(mut standing: watch::Receiver<sync::Standing>, configured: Latch) {
    loop {
        configured.set(standing.borrow_and_update().applied.is_some());
        if standing.changed().await.is_err() {
            return;
        }
    }
}

async fn publish_counts(gateway: Arc<Gateway>, stop: CancellationToken) {
    gateway.tally.publish(&*gateway.store, stop).await;
}

/// Tells operators what the cache did.
pub async fn report_cache(gateway: Arc<Gateway>, data_plane_id: String, stop: CancellationToken) {
    let generation = || {
        let table = gateway.routing.load();
        table.map_or(0, |table| table.cache().generation)
    };
    let (cache, idempotency, store) = (&gateway.cache, &gateway.idempotency, &*gateway.store);
    answers::report(cache, idempotency, &data_plane_id, store, generation, stop).await;
}

async fn follow_bans(gateway: Arc<Gateway>, stop: CancellationToken) {
    stop.run_until_cancelled(gateway.banned.follow(&*gateway.store))
        .await;
}

async fn watch_store(gateway: Arc<Gateway>, stop: CancellationToken) {
    let tell = |away| {
        gateway.metrics.store_down(away);
        match away {
            true => tracing::warn!("the state store does not answer: going on without it"),
            false => tracing::info!("the state store answers again"),
        }
    };
    stop.run_until_cancelled(gateway.availability.store.watch(tell))
        .await;
}

//! The life of a request, on one page.
//!
//! Plain functions over typed values: what a stage needs is what the stage before it returned, so the order cannot
//! be got wrong. A request loads the configuration once and keeps it to the end.
//!
//! The state of a request is moved several times before it runs, and room for all that it might come to wait for is in
//! it. So what few requests wait for is boxed where it is waited for (`Box::pin`), here and in the stages.

mod address;
mod admit;
mod again;
mod arrival;
mod attempt;
mod authenticate;
mod choose;
mod count;
mod departure;
mod embed;
mod exchange;
mod explain;
mod findings;
mod form;
mod hedge;
mod lease;
mod media;
mod plan;
mod question;
mod recall;
mod record;
mod relay;
mod repetition;
mod resemble;
mod respond;
mod screen;
mod session;
mod tape;
mod ticks;
mod try_proxy;
mod vendor;

pub use address::{AddressError, configuration};
pub use admit::Denied;
pub use arrival::{Arrival, ArrivalError, Endpoint};
pub use attempt::MAX_ATTEMPTS;
pub use authenticate::{AuthError, Caller, caller};
pub use count::count;
pub use departure::Departures;
pub use embed::Embeddings;
pub use explain::{explain, probe};
pub use findings::Exhausted;
pub use hedge::Hedges;
pub use plan::PlanError;
pub use question::question;
pub use recall::Recall;
pub use repetition::Repetitions;
pub use respond::{failure, note_degraded};
pub use try_proxy::try_proxy;

use crate::admission::Admissions;
use crate::answers::{Cache, Idempotency, Similar};
use crate::config::{CacheConfig, EdgeConfig, MediaConfig, UpstreamConfig};
use crate::error::GatewayError;
use crate::measure::Measuring;
use crate::metrics::Metrics;
use crate::routing::{Routing, Table};
use crate::tally::Tally;
use crate::trace::Tracing;
use crate::usage::{Captures, Spool};
use again::{Again, Deposit, Found, Named, Sought};
use attempt::Served;
use axum::body::Body;
use axum::response::Response;
use choose::{Chosen, Rotation};
use departure::{Departure, Staying};
use exchange::Sent;
use form::Form;
use futures::FutureExt;
use http::StatusCode;
use llm::guard::Guard;
use record::Record;
use runtime::egress::Egress;
use session::Session;
use state::{Banned, Condition, GuardedStore, StateStore};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::join;
use tokio_util::sync::CancellationToken;

/// What requests share.
pub struct Gateway {
    pub routing: Routing,
    pub egress: Egress,
    pub spool: Spool,
    pub metrics: Metrics,
    pub tracing: Tracing,
    pub measuring: Measuring,
    pub edge: EdgeConfig,
    pub upstream: UpstreamConfig,
    pub media: MediaConfig,
    pub guard: Option<Guard>,
    pub recall: Recall,
    pub availability: Availability,
    pub banned: Banned,
    pub store: Arc<dyn StateStore>,
    pub admissions: Arc<Admissions>,
    pub tally: Tally,
    pub hedges: Hedges,
    pub repetitions: Repetitions,
    pub idempotency: Arc<Idempotency>,
    pub cache: Cache,
    pub cache_config: CacheConfig,
    pub similar: Similar,
    pub embeddings: Embeddings,
    pub departures: Departures,
    pub captures: Arc<Captures>,
}

/// What a client gets.
enum Answered {
    /// From a provider, just now.
    Fresh(Box<Served>, Deposit),
    /// What somebody got before.
    Again(Again),
}

/// How this data plane is doing, as far as it changes what clients get.
pub struct Availability {
    /// Knows whether the state store answers; without it requests go on, and say so.
    pub store: GuardedStore,
    /// No new request is taken.
    pub draining: CancellationToken,
}

/// Answers one request. Never fails, never panics, and leaves exactly one usage event behind.
///
/// Where an account is to be read to the end for clients that leave, the request is put where it can outlive its
/// client; elsewhere that would be paid for nothing.
pub async fn serve(gateway: &Arc<Gateway>, arrival: Arrival) -> Response {
    if gateway.routing.drains() {
        return Staying::new(gateway, arrival).await;
    }
    answer(gateway, arrival, None).await
}

async fn answer(gateway: &Arc<Gateway>, mut arrival: Arrival, departure: Option<Arc<Departure>>) -> Response {
    let mut record = Record::open(gateway, &arrival, departure);
    // a panic is a bug of ours: this client still gets an answer it can read, and nobody else notices
    let running = AssertUnwindSafe(run(gateway, &mut arrival, &mut record))
        .catch_unwind()
        .await;
    match running.unwrap_or(Err(GatewayError::Panicked)) {
        Ok(Answered::Fresh(served, deposit)) => respond::success(gateway, &arrival, *served, deposit, record),
        Ok(Answered::Again(again)) => respond::again(gateway, &arrival, again, record),
        Err(error) => {
            let refusal = respond::refusal(&arrival, &error);
            record.sent(refusal.body());
            let mut response = refusal.map(Body::from);
            respond::note_limits(gateway, &arrival, &mut record, response.headers_mut());
            note(&arrival, &error, response.status());
            record.refused(&error, response.status());
            response
        }
    }
}

async fn run(
    gateway: &Arc<Gateway>,
    arrival: &mut Arrival,
    record: &mut Record,
) -> Result<Answered, GatewayError> {
    let table = address::configuration(gateway, &arrival.parts)?;
    record.revision(table.version().revision);

    let caller = authenticate::caller(&table, &arrival.parts, gateway.asks_for_keys(&table))?;
    record.caller(&caller);
    let percent = table.capture_percent();
    if percent > 0 && caller.may_be_logged() {
        record.keeps(gateway.captures.begin(percent, arrival.id));
    }

    if let Some(provider) = &arrival.provider {
        table.provider(provider).map_err(PlanError::from)?;
    }

    let is_named = again::is_named(arrival)?;
    let kind = arrival.endpoint.kind;
    let form = match kind.file() {
        Some(_) => Box::pin(Form::read(arrival, &gateway.edge)).await?,
        None => Form::without_files(arrival.read_body(&gateway.edge).await?),
    };
    form.check(kind)?;
    let audio_ms = form.recording_ms(kind);
    let Form { fields: body, files } = form;
    // where personal data is taken out, what is left is kept
    let masks = gateway.guard.as_ref().is_some_and(Guard::masks_requests);
    if !masks {
        record.received(&body);
    }
    let named = is_named.then(|| Named::new(arrival, &body));
    let mut ask = arrival.ask(body)?.hearing(audio_ms);
    record.asked(&ask);
    ask = screen::screened(gateway, arrival, ask)?;
    // nothing was taken out of what is no conversation
    if masks && ask.is_chat() {
        record.received(ask.body());
    }
    ask = ask.rewritten(table.rewrite().cloned());

    let plan = plan::candidates(&table, caller, ask.model(), arrival.provider.as_deref())?;
    ask = ask.capped(plan.max_tokens());
    let sought = Sought::of(gateway, &table, &arrival.parts, named, &plan, &ask, record);
    // whatever the state store has to say is asked for at once; limits hold for requests that cost nothing, too
    let (known, admitted) = join!(
        sought.look(gateway),
        admit::admitted(gateway, &table, &plan, &ask, record)
    );
    admitted?;
    let headers = &arrival.parts.headers;
    let deposit = match known.find(gateway, &table, headers, &ask).await? {
        Found::Again(again) => return Ok(Answered::Again(again)),
        Found::Nothing(deposit) => deposit,
    };

    let session = Session::of(&table, &plan, headers, &ask);
    // a conversation keeps to its account only where it is asked to
    let sticky = session.as_ref().filter(|_| table.choice().session_affinity);
    let Chosen { decision, steps } = choose::choose(
        &plan,
        table.choice(),
        sticky.map_or(&[], Session::bytes),
        Rotation::Advance,
    );
    record.decided(decision);
    ask = recall::recalled(gateway, &plan, ask, record.key_id()).await;
    let sent = Sent {
        ask: &ask,
        headers,
        files: &files,
    };
    let mut served = attempt::first_success(gateway, &table, &plan, &steps, sent, record).await?;
    recall::kept(gateway, &mut served, record.key_id()).await;
    let deposit = again::kept(&mut served, deposit).await;
    if let Some(session) = &session {
        let (connection, route) = (&served.lease.connection, &served.lease.route);
        let seen = session.answered_by(&plan, &connection.id, &route.provider.id, &route.model);
        gateway.tally.talked(seen);
    }
    Ok(Answered::Fresh(Box::new(served), deposit))
}

/// The one place where a failed request is logged.
fn note(arrival: &Arrival, error: &GatewayError, status: StatusCode) {
    let (request_id, endpoint) = (arrival.request_id(), arrival.endpoint.route);
    if status.is_server_error() {
        // with what it comes from, which no client is told
        let error: &dyn std::error::Error = error;
        tracing::warn!(request_id, endpoint, %status, error, "request failed");
    } else {
        tracing::debug!(request_id, endpoint, %status, %error, "request refused");
    }
}

// === impl Gateway ===

impl Gateway {
    /// What works less well than it should, for the client to know; `None` when all is well.
    pub fn degraded(&self) -> Option<&'static str> {
        let failing = self.availability.store.condition() != Condition::Well;
        failing.then_some("state-store")
    }

    /// Whoever calls needs a key. What the configuration says comes before what this process was started with.
    pub fn asks_for_keys(&self, table: &Table) -> bool {
        table.require_api_key().unwrap_or(self.edge.require_api_key)
    }

    /// Tells a collector what it has not heard yet, when no request can end any more.
    pub async fn tell_the_rest(&self) {
        join!(self.tracing.end(), self.measuring.end());
    }

    /// The state store does not answer, and nobody need try.
    pub fn is_store_away(&self) -> bool {
        self.availability.store.condition() == Condition::Away
    }
}

// === impl Availability ===

impl Availability {
    pub fn new(store: GuardedStore) -> Self {
        Self {
            store,
            draining: CancellationToken::new(),
        }
    }
}

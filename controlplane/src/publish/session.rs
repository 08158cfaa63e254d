//! One data plane's stream: what it runs, what it is being sent, what it says.
//!
//! One update is on its way at a time. While it is, newer revisions are only remembered as being newer; the answer
//! is followed by one step to the newest. So a slow data plane gets fewer and larger updates, and no queue.

use std::{sync::Arc, time::Duration};

use futures::{
    future::BoxFuture,
    stream::{FuturesUnordered, StreamExt},
};
use proto::v1::{
    Command, ConfigResult, ConfigVersion, ControlMessage, DataPlaneMessage, Hello, Ping, RenewToken,
    TokenRenewal, Welcome, config_result::Verdict, config_update::Mode, control_message::Body,
    data_plane_message, resource_error::Code,
};
use tokio::{
    sync::mpsc,
    time::{Instant, interval, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};
use uuid::Uuid;

use super::{Fleet, Newest, Published, fleet::Membership};
use crate::oauth::{RenewalError, Renewals};

pub(super) const HEARTBEAT: Duration = Duration::from_secs(5);
const PING: Duration = Duration::from_secs(5);
/// Three heartbeats.
const SILENCE: Duration = Duration::from_secs(15);
/// For one message of at most 1 MiB to leave.
const SEND: Duration = Duration::from_secs(30);
/// From the last chunk of an update to its result.
const ANSWER: Duration = Duration::from_secs(60);
/// For a new access token; the data plane waits no longer.
const RENEWAL: Duration = Duration::from_secs(10);

type Renewing = FuturesUnordered<BoxFuture<'static, TokenRenewal>>;
pub(super) type Outgoing = mpsc::Sender<Result<ControlMessage, Status>>;

pub(super) struct Session {
    /// Dropped before the membership: who gets a command onto it is told when the stream ends.
    commands: mpsc::Receiver<Command>,
    membership: Membership,
    fleet: Fleet,
    newest: Newest,
    renewals: Renewals,
    outgoing: Outgoing,
    takes_deltas: bool,
    /// What the data plane said it runs.
    running: Option<ConfigVersion>,
    flight: Option<Flight>,
    /// It will not get better by being sent again.
    refused: Option<ConfigVersion>,
    /// A delta did not fit.
    needs_full: bool,
    nonce: u64,
}

struct Flight {
    nonce: u64,
    mode: Mode,
    target: ConfigVersion,
    answer_by: Instant,
}

// === impl Session ===

impl Session {
    pub(super) fn new(
        fleet: &Fleet,
        newest: Newest,
        renewals: Renewals,
        hello: Hello,
        incarnation: Uuid,
        outgoing: Outgoing,
    ) -> Self {
        let (membership, commands) = fleet.join(&hello, incarnation);
        Self {
            commands,
            membership,
            fleet: fleet.clone(),
            newest,
            renewals,
            outgoing,
            takes_deltas: hello.capabilities.iter().any(|capability| capability == "delta"),
            running: hello.last_applied,
            flight: None,
            refused: None,
            needs_full: false,
            nonce: 0,
        }
    }

    /// Runs until the data plane leaves, falls silent, or `stop`.
    pub(super) async fn run(
        mut self,
        control_plane: Uuid,
        mut incoming: Streaming<DataPlaneMessage>,
        stop: CancellationToken,
    ) {
        let talking = self.talk(control_plane, &mut incoming);
        let end = match stop.run_until_cancelled(talking).await {
            Some(Ok(())) => return,
            Some(Err(status)) => status,
            None => Status::unavailable("this control plane is stopping"),
        };
        tracing::info!(
            data_plane = self.membership.id(),
            reason = end.message(),
            "a data plane's stream ended"
        );
        // the receiver may be gone, which is why we are here
        let _ = self.outgoing.try_send(Err(end));
    }

    async fn talk(
        &mut self,
        control_plane: Uuid,
        incoming: &mut Streaming<DataPlaneMessage>,
    ) -> Result<(), Status> {
        let head = self
            .newest
            .borrow()
            .as_ref()
            .map(|published| published.version.clone());
        let heartbeat_ms = u32::try_from(HEARTBEAT.as_millis()).expect("a heartbeat is a few seconds");
        let welcome = Welcome {
            control_plane_id: control_plane.to_string(),
            heartbeat_ms,
            head,
        };
        self.send(Body::Welcome(welcome)).await?;

        let mut ping = interval(PING);
        ping.tick().await;
        let mut silent_at = Instant::now() + SILENCE;
        // tokens that the data plane waits for
        let mut renewing = Renewing::new();
        loop {
            self.push().await?;
            let give_up = self
                .flight
                .as_ref()
                .map_or(silent_at, |flight| flight.answer_by.min(silent_at));
            tokio::select! {
                message = incoming.message() => {
                    silent_at = Instant::now() + SILENCE;
                    let Some(message) = message? else { return Ok(()) };
                    if self.hear(message.body, &mut renewing) {
                        return Ok(());
                    }
                }
                changed = self.newest.changed() => {
                    changed.map_err(|_| Status::unavailable("this control plane is stopping"))?;
                }
                Some(command) = self.commands.recv() => self.send(Body::Command(command)).await?,
                Some(renewal) = renewing.next() => self.send(Body::TokenRenewal(renewal)).await?,
                _ = ping.tick() => {
                    let head = self.newest.borrow().as_ref().map(|published| published.version.clone());
                    let ready_data_planes = u32::try_from(self.fleet.ready()).unwrap_or(u32::MAX);
                    self.send(Body::Ping(Ping { head, ready_data_planes })).await?;
                }
                () = sleep_until(give_up) => return Err(Status::deadline_exceeded("no heartbeat or no answer in time")),
            }
        }
    }

    /// True when the data plane says goodbye.
    fn hear(&mut self, body: Option<data_plane_message::Body>, renewing: &mut Renewing) -> bool {
        match body {
            Some(data_plane_message::Body::Result(result)) => self.land(&result),
            Some(data_plane_message::Body::Heartbeat(heartbeat)) => self.membership.beat(&heartbeat),
            Some(data_plane_message::Body::CommandResult(result)) => self.membership.replied(result),
            Some(data_plane_message::Body::RenewToken(asked)) => {
                renewing.push(Box::pin(renew(self.renewals.clone(), asked)));
            }
            Some(data_plane_message::Body::Goodbye(_)) => {
                self.membership.goodbye();
                return true;
            }
            // a second hello, or something from the future
            Some(data_plane_message::Body::Hello(_)) | None => {}
        }
        false
    }

    /// The update on its way was answered.
    fn land(&mut self, result: &ConfigResult) {
        let Some(flight) = self.flight.take_if(|flight| flight.nonce == result.nonce) else {
            return;
        };
        let data_plane = self.membership.id();
        let (revision, errors) = (flight.target.revision, &result.errors);
        match result.verdict() {
            Verdict::Ack => tracing::debug!(data_plane, revision, "applied"),
            Verdict::AckPartial => {
                tracing::warn!(data_plane, revision, ?errors, "applied without some resources")
            }
            Verdict::Nack | Verdict::Unspecified => tracing::error!(data_plane, revision, ?errors, "refused"),
        }
        self.membership.answered(result, &flight.target);
        self.running.clone_from(&result.applied);
        self.needs_full = false;
        if result.verdict() != Verdict::Nack {
            return;
        }
        let misfit = result
            .errors
            .iter()
            .any(|error| error.code() == Code::DigestMismatch);
        if misfit && flight.mode == Mode::Delta {
            self.needs_full = true;
        } else {
            self.refused = Some(flight.target);
        }
    }

    /// Sends the newest configuration if the data plane should have it and is not busy with another one.
    async fn push(&mut self) -> Result<(), Status> {
        if self.flight.is_some() {
            return Ok(());
        }
        let Some(newest) = self.newest.borrow_and_update().clone() else {
            return Ok(());
        };
        if self.refused.as_ref() == Some(&newest.version) || !is_due(&newest, self.running.as_ref()) {
            return Ok(());
        }
        self.nonce += 1;
        let base = self
            .running
            .as_ref()
            .filter(|_| self.takes_deltas && !self.needs_full);
        let (mode, updates) = newest.updates(base, self.nonce);
        for update in updates {
            self.send(Body::Update(update)).await?;
        }
        let target = newest.version.clone();
        self.flight = Some(Flight {
            nonce: self.nonce,
            mode,
            target,
            answer_by: Instant::now() + ANSWER,
        });
        Ok(())
    }

    async fn send(&self, body: Body) -> Result<(), Status> {
        let sending = self.outgoing.send(Ok(ControlMessage { body: Some(body) }));
        match timeout(SEND, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Status::cancelled("the data plane closed its stream")),
            Err(_) => Err(Status::deadline_exceeded("the data plane does not read")),
        }
    }
}

async fn renew(renewals: Renewals, asked: RenewToken) -> TokenRenewal {
    let outcome = match Uuid::try_parse(&asked.connection_id) {
        Ok(id) => renewals.renew(id, asked.generation, RENEWAL).await,
        Err(_) => Err(RenewalError::Missing),
    };
    if let Err(error) = &outcome {
        tracing::warn!(connection = asked.connection_id, %error, "a data plane gets no newer token");
    }
    TokenRenewal {
        connection_id: asked.connection_id,
        generation: asked.generation,
        renewed: outcome.is_ok(),
        error: outcome.err().map(|error| error.to_string()).unwrap_or_default(),
    }
}

/// Inside an epoch nothing older is ever sent: a data plane that is ahead of this replica waits for it.
fn is_due(newest: &Arc<Published>, running: Option<&ConfigVersion>) -> bool {
    let newest = &newest.version;
    running.is_none_or(|running| {
        newest.epoch != running.epoch
            || newest.revision > running.revision
            || (newest.revision == running.revision && newest.digest != running.digest)
    })
}

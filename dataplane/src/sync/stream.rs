//! The conversation with a control plane: hello, updates and their results, heartbeats, commands.

mod assembly;

use self::assembly::{Assembly, Malformed};
use super::Subscription;
use super::apply::{Applied, Applier, Update};
use futures::future::{BoxFuture, FutureExt, ready};
use futures::stream::{FuturesUnordered, StreamExt};
use proto::v1::{
    Command, CommandResult, ConfigResult, ConfigVersion, DataPlaneMessage, Goodbye, Heartbeat, Hello,
    Welcome, command, config_result::Verdict, control_message, data_plane_message::Body,
};
use rand::RngExt;
use runtime::backoff::Backoff;
use std::collections::VecDeque;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

const CAPABILITIES: [&str; 3] = ["delta", "zstd", "partial-apply"];
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For a goodbye to arrive; it is a courtesy.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);
/// A control plane pings every 5 s.
const SILENCE: Duration = Duration::from_secs(15);
/// Give or take a fifth, so that a fleet does not beat in step.
const HEARTBEAT: Duration = Duration::from_secs(5);
const BACKOFF_MIN: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(15);
/// Commands may be delivered more than once.
const REMEMBERED_COMMANDS: usize = 1024;
/// Our messages are small, and a control plane always reads.
const OUTGOING: usize = 64;

#[derive(Debug, Error)]
enum StreamError {
    #[error("no control plane answers")]
    Connect,
    #[error("the control plane ended the stream: {}", .0.message())]
    Status(#[from] Status),
    #[error("the control plane closed the stream")]
    Closed,
    #[error("the control plane has been silent for {} s", SILENCE.as_secs())]
    Silent,
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Why a conversation ended in good order.
enum End {
    Stopped,
    /// An operator wants everything sent anew.
    Resync,
}

/// Talks to one control plane after another until `stop`.
pub(super) async fn run(subscription: &Subscription, applier: &Applier, stop: &CancellationToken) {
    let mut backoff = Backoff::full_jitter(BACKOFF_MIN, BACKOFF_MAX);
    let mut commands = VecDeque::new();
    let mut resync = false;
    let mut failing = false;
    while !stop.is_cancelled() {
        let mut conversation = Conversation {
            subscription,
            applier,
            commands: &mut commands,
            heard: false,
        };
        let end = conversation.hold(std::mem::take(&mut resync), stop).await;
        if conversation.heard {
            backoff.reset();
            failing = false;
        }
        applier.set_connected(false);
        match end {
            Ok(End::Stopped) => return,
            Ok(End::Resync) => {
                resync = true;
                continue;
            }
            // once per outage
            Err(error) if !failing => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "not connected to a control plane, retrying"
                );
                failing = true;
            }
            Err(_) => {}
        }
        tokio::select! {
            () = sleep(backoff.next_delay()) => {}
            () = stop.cancelled() => {}
        }
    }
}

struct Conversation<'a> {
    subscription: &'a Subscription,
    applier: &'a Applier,
    /// Ids of commands that were carried out.
    commands: &'a mut VecDeque<u64>,
    /// The control plane said something.
    heard: bool,
}

// === impl Conversation ===

impl Conversation<'_> {
    async fn hold(&mut self, resync: bool, stop: &CancellationToken) -> Result<End, StreamError> {
        let (outgoing, messages) = mpsc::channel(OUTGOING);
        send(&outgoing, Body::Hello(self.hello(resync))).await?;
        let mut client = self.subscription.control.client();
        let opening = client.subscribe(ReceiverStream::new(messages));
        let opened = tokio::select! {
            opened = timeout(CONNECT_TIMEOUT, opening) => opened,
            () = stop.cancelled() => return Ok(End::Stopped),
        };
        let mut incoming = opened.map_err(|_| StreamError::Connect)??.into_inner();

        let mut assembly = Assembly::default();
        let mut silent_at = Instant::now() + SILENCE;
        let mut beat_at = Instant::now();
        // some take their time, and the conversation goes on meanwhile
        let mut running = FuturesUnordered::new();
        loop {
            let message = tokio::select! {
                message = incoming.message() => message?.ok_or(StreamError::Closed)?,
                () = sleep_until(beat_at) => {
                    send(&outgoing, Body::Heartbeat(self.heartbeat())).await?;
                    beat_at = Instant::now() + HEARTBEAT.mul_f64(rand::rng().random_range(0.8..1.2));
                    continue;
                }
                asked = self.subscription.routing.renewals().next() => {
                    send(&outgoing, Body::RenewToken(asked)).await?;
                    continue;
                }
                Some(result) = running.next() => {
                    send(&outgoing, Body::CommandResult(result)).await?;
                    continue;
                }
                () = sleep_until(silent_at) => return Err(StreamError::Silent),
                () = stop.cancelled() => {
                    send(&outgoing, Body::Goodbye(Goodbye { reason: "stopping".to_owned() })).await?;
                    drop(outgoing);
                    // dropping our end of the stream would take the goodbye with it
                    let closing = async { while let Ok(Some(_)) = incoming.message().await {} };
                    if timeout(GOODBYE_TIMEOUT, closing).await.is_err() {
                        tracing::debug!("the control plane did not close the stream");
                    }
                    return Ok(End::Stopped);
                }
            };
            self.heard = true;
            silent_at = Instant::now() + SILENCE;
            let answer = match message.body {
                Some(control_message::Body::Update(chunk)) => {
                    let nonce = chunk.nonce;
                    match assembly.push(chunk)? {
                        Some(update) => {
                            // what we are may have changed with it
                            beat_at = Instant::now();
                            Some(Body::Result(self.apply(nonce, update).await))
                        }
                        None => None,
                    }
                }
                Some(control_message::Body::Command(Command {
                    op: Some(command::Op::Resync(_)),
                    command_id,
                })) if !self.commands.contains(&command_id) => {
                    self.remember(command_id);
                    return Ok(End::Resync);
                }
                Some(control_message::Body::Command(command)) => {
                    running.push(self.execute(command));
                    None
                }
                Some(control_message::Body::Welcome(welcome)) => {
                    self.welcomed(&welcome);
                    None
                }
                Some(control_message::Body::TokenRenewal(renewal)) => {
                    self.subscription.routing.renewals().heard(renewal);
                    None
                }
                Some(control_message::Body::Ping(ping)) => {
                    self.confirm(ping.head.as_ref());
                    let health = self.subscription.routing.health();
                    health.set_data_planes(ping.ready_data_planes);
                    None
                }
                None => None,
            };
            if let Some(answer) = answer {
                send(&outgoing, answer).await?;
            }
        }
    }

    fn hello(&self, resync: bool) -> Hello {
        let standing = self.applier.standing();
        let identity = &self.subscription.identity;
        Hello {
            data_plane_id: identity.id.clone(),
            incarnation: identity.incarnation.to_string(),
            build_version: env!("CARGO_PKG_VERSION").to_owned(),
            address: identity.address.clone(),
            last_applied: standing.applied.filter(|_| !resync),
            from_stored_snapshot: standing.from_store,
            capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
        }
    }

    fn heartbeat(&self) -> Heartbeat {
        let vitals = (self.subscription.vitals)();
        let standing = self.applier.standing();
        Heartbeat {
            state: vitals.state(&standing).into(),
            applied: standing.applied,
            inflight: vitals.inflight,
            spool_bytes: vitals.spool_bytes,
            spool_dropped: vitals.spool_dropped,
            store_degraded: vitals.store_degraded,
            pending: self.subscription.routing.health().pending(),
        }
    }

    async fn apply(&self, nonce: u64, update: Update) -> ConfigResult {
        let (mode, revision) = (update.mode, update.target.revision);
        let Applied {
            verdict,
            errors,
            took,
        } = self.applier.apply(update).await;
        let took_us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        match verdict {
            Verdict::Ack => tracing::info!(revision, ?mode, took_us, "configuration applied"),
            Verdict::AckPartial => {
                tracing::warn!(
                    revision,
                    ?mode,
                    took_us,
                    ?errors,
                    "configuration applied without some resources"
                );
            }
            Verdict::Nack | Verdict::Unspecified => {
                tracing::error!(
                    revision,
                    ?mode,
                    ?errors,
                    "configuration refused, the running one stays"
                );
            }
        }
        let applied = self.applier.standing().applied;
        ConfigResult {
            nonce,
            verdict: verdict.into(),
            applied,
            errors,
            compile_us: took_us,
        }
    }

    fn welcomed(&self, welcome: &Welcome) {
        self.applier.set_connected(true);
        self.confirm(welcome.head.as_ref());
        let control_plane = &welcome.control_plane_id;
        tracing::info!(control_plane, "connected to a control plane");
    }

    fn confirm(&self, head: Option<&ConfigVersion>) {
        if let Some(head) = head {
            self.applier.confirm(head);
        }
    }

    fn execute(&mut self, Command { command_id, op }: Command) -> BoxFuture<'static, CommandResult> {
        let carried_out = match op {
            _ if self.commands.contains(&command_id) => ready(Ok(None)).boxed(),
            Some(op) => (self.subscription.execute)(op),
            None => ready(Err("this build does not know the command".to_owned())).boxed(),
        };
        self.remember(command_id);
        let answered = carried_out.map(move |outcome| CommandResult {
            command_id,
            ok: outcome.is_ok(),
            message: outcome.as_ref().err().cloned().unwrap_or_default(),
            answer: outcome.ok().flatten(),
        });
        answered.boxed()
    }

    fn remember(&mut self, command_id: u64) {
        if self.commands.len() == REMEMBERED_COMMANDS {
            self.commands.pop_front();
        }
        self.commands.push_back(command_id);
    }
}

async fn send(outgoing: &mpsc::Sender<DataPlaneMessage>, body: Body) -> Result<(), StreamError> {
    outgoing
        .send(DataPlaneMessage { body: Some(body) })
        .await
        .map_err(|_| StreamError::Closed)
}

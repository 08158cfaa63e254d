//! The conversation as it looks on the wire, held by hand.

use bytes::Bytes;
use controlplane::publish::AskError;
use dataplane::control::{ControlPlanes, JoinToken};
use prost::Message;
use proto::{
    Resources,
    v1::{
        Command, CommandResult, ConfigResult, ConfigUpdate, ConfigVersion, ControlMessage, DataPlaneMessage,
        Explain, Hello, ResourceError, ResourceList, config_result::Verdict, config_update::Mode,
        control_message, data_plane_message::Body, resource_error::Code,
    },
};
use tokio::{
    sync::mpsc,
    time::{Duration, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use uuid::Uuid;

use crate::harness::{Control, Database, SOON, control_planes, wait_published};

struct Peer {
    outgoing: mpsc::Sender<DataPlaneMessage>,
    incoming: Streaming<ControlMessage>,
    running: Resources,
    version: Option<ConfigVersion>,
}

// === impl Peer ===

impl Peer {
    async fn connect(control: &Control, last_applied: Option<ConfigVersion>) -> Self {
        let (outgoing, messages) = mpsc::channel(8);
        let hello = Hello {
            data_plane_id: "peer".to_owned(),
            incarnation: Uuid::now_v7().to_string(),
            last_applied: last_applied.clone(),
            capabilities: vec!["delta".to_owned()],
            ..Hello::default()
        };
        outgoing
            .send(DataPlaneMessage {
                body: Some(Body::Hello(hello)),
            })
            .await
            .unwrap();
        let mut client = control_planes(control.address).client();
        let incoming = client
            .subscribe(ReceiverStream::new(messages))
            .await
            .unwrap()
            .into_inner();
        Self {
            outgoing,
            incoming,
            running: Resources::default(),
            version: last_applied,
        }
    }

    /// The next update that comes within `limit`.
    async fn update(&mut self, limit: Duration) -> Option<ConfigUpdate> {
        let waiting = async {
            loop {
                let message = self.incoming.message().await.unwrap().unwrap();
                if let Some(control_message::Body::Update(update)) = message.body {
                    return update;
                }
            }
        };
        timeout(limit, waiting).await.ok()
    }

    /// The next command that comes within `limit`.
    async fn command(&mut self, limit: Duration) -> Option<Command> {
        let waiting = async {
            loop {
                let message = self.incoming.message().await.unwrap().unwrap();
                if let Some(control_message::Body::Command(command)) = message.body {
                    return command;
                }
            }
        };
        timeout(limit, waiting).await.ok()
    }

    async fn answer(&mut self, nonce: u64, verdict: Verdict, errors: Vec<ResourceError>) {
        let result = ConfigResult {
            nonce,
            verdict: verdict.into(),
            applied: self.version.clone(),
            errors,
            compile_us: 1,
        };
        self.outgoing
            .send(DataPlaneMessage {
                body: Some(Body::Result(result)),
            })
            .await
            .unwrap();
    }

    /// Takes an update of one chunk as a data plane would.
    async fn apply(&mut self, update: &ConfigUpdate) {
        let list = zstd::stream::decode_all(update.payload.as_ref()).unwrap();
        let list = ResourceList::decode(Bytes::from(list)).unwrap();
        match update.mode() {
            Mode::Delta => {
                assert_eq!(update.base, self.version);
                self.running.merge(list);
            }
            _ => self.running = Resources::from(list),
        }
        let target = update.target.clone().unwrap();
        assert_eq!(self.running.digest(), target.digest[..]);
        self.version = Some(target);
        self.answer(update.nonce, Verdict::Ack, Vec::new()).await;
    }
}

const QUIET: Duration = Duration::from_millis(700);

#[tokio::test]
async fn everything_comes_first_and_then_only_what_changed() {
    let database = Database::new(5).await;
    for n in 0..50 {
        database.commit_key(&format!("sk-{n}")).await;
    }
    let control = Control::start(&database).await;
    let mut peer = Peer::connect(&control, None).await;
    let full = peer.update(SOON).await.unwrap();
    assert_eq!(full.mode(), Mode::Full);
    peer.apply(&full).await;

    database.commit_key("sk-one-more").await;
    let delta = peer.update(SOON).await.unwrap();
    assert_eq!(delta.mode(), Mode::Delta);
    assert!(
        delta.payload.len() * 5 < full.payload.len(),
        "{} bytes",
        delta.payload.len()
    );
    peer.apply(&delta).await;

    // a removal travels as well
    database.commit("delete from api_key where name = 'sk-7'").await;
    let before = peer.running.len();
    let delta = peer.update(SOON).await.unwrap();
    assert_eq!(delta.mode(), Mode::Delta);
    peer.apply(&delta).await;
    assert_eq!(peer.running.len(), before - 1);
}

#[tokio::test]
async fn one_update_is_on_its_way_and_the_newest_follows() {
    let database = Database::new(5).await;
    let control = Control::start(&database).await;
    let mut peer = Peer::connect(&control, None).await;
    let first = peer.update(SOON).await.unwrap();
    let mut revision = 0;
    for n in 0..5 {
        revision = database.commit_key(&format!("sk-{n}")).await;
        wait_published(&control, revision).await;
    }
    assert_eq!(
        peer.update(QUIET).await,
        None,
        "the first update is not answered yet"
    );
    peer.apply(&first).await;
    let second = peer.update(SOON).await.unwrap();
    assert_eq!(
        second.target.as_ref().unwrap().revision,
        revision,
        "what was missed is skipped"
    );
    peer.apply(&second).await;
    assert_eq!(peer.update(QUIET).await, None);
}

#[tokio::test]
async fn a_refused_revision_is_not_sent_again_and_the_next_one_is() {
    let database = Database::new(5).await;
    let control = Control::start(&database).await;
    let mut peer = Peer::connect(&control, None).await;
    let full = peer.update(SOON).await.unwrap();
    peer.apply(&full).await;

    let refused = database.commit_key("sk-1").await;
    let update = peer.update(SOON).await.unwrap();
    let invalid = ResourceError {
        code: Code::Invalid.into(),
        ..ResourceError::default()
    };
    peer.answer(update.nonce, Verdict::Nack, vec![invalid]).await;
    assert_eq!(peer.update(QUIET).await, None);
    assert_eq!(
        control.fleet.list().await.unwrap()[0].rejected_revision,
        Some(refused)
    );

    database.commit_key("sk-2").await;
    let next = peer.update(SOON).await.unwrap();
    assert_eq!(
        (next.mode(), &next.base),
        (Mode::Delta, &peer.version),
        "from what it still runs"
    );
    peer.apply(&next).await;
}

#[tokio::test]
async fn a_delta_that_does_not_fit_is_followed_by_everything() {
    let database = Database::new(5).await;
    let control = Control::start(&database).await;
    let mut peer = Peer::connect(&control, None).await;
    let full = peer.update(SOON).await.unwrap();
    peer.apply(&full).await;

    database.commit_key("sk-1").await;
    let delta = peer.update(SOON).await.unwrap();
    assert_eq!(delta.mode(), Mode::Delta);
    let mismatch = ResourceError {
        code: Code::DigestMismatch.into(),
        ..ResourceError::default()
    };
    peer.answer(delta.nonce, Verdict::Nack, vec![mismatch]).await;
    let everything = peer.update(SOON).await.unwrap();
    assert_eq!(
        (everything.mode(), everything.target.clone()),
        (Mode::Full, delta.target)
    );
    peer.apply(&everything).await;
}

#[tokio::test]
async fn who_comes_back_gets_what_is_missing_and_nothing_older() {
    let database = Database::new(5).await;
    let control = Control::start(&database).await;
    let mut peer = Peer::connect(&control, None).await;
    let full = peer.update(SOON).await.unwrap();
    peer.apply(&full).await;
    let (version, running) = (peer.version.clone().unwrap(), peer.running.clone());
    drop(peer);

    let revision = database.commit_key("sk-1").await;
    wait_published(&control, revision).await;
    let mut peer = Peer {
        running,
        ..Peer::connect(&control, Some(version.clone())).await
    };
    let delta = peer.update(SOON).await.unwrap();
    assert_eq!(delta.mode(), Mode::Delta);
    peer.apply(&delta).await;
    drop(peer);

    let ahead = ConfigVersion {
        revision: revision + 10,
        ..version.clone()
    };
    assert_eq!(
        Peer::connect(&control, Some(ahead)).await.update(QUIET).await,
        None,
        "it is ahead of this replica"
    );
    let restored = ConfigVersion {
        epoch: Uuid::now_v7().to_string(),
        ..version
    };
    let update = Peer::connect(&control, Some(restored))
        .await
        .update(SOON)
        .await
        .unwrap();
    assert_eq!(update.mode(), Mode::Full, "another lineage");
}

#[tokio::test]
async fn only_members_of_the_cluster_are_served() {
    let database = Database::new(5).await;
    let control = Control::start(&database).await;
    let stranger =
        ControlPlanes::at(&format!("http://{}", control.address), JoinToken::new("guessed")).unwrap();
    let subscribed = stranger
        .client()
        .subscribe(tokio_stream::pending())
        .await
        .unwrap_err();
    assert_eq!(subscribed.code(), tonic::Code::Unauthenticated);
    let reported = stranger
        .client()
        .report_usage(tokio_stream::pending())
        .await
        .unwrap_err();
    assert_eq!(reported.code(), tonic::Code::Unauthenticated);
}

#[tokio::test]
async fn a_question_ends_at_its_deadline_and_a_late_answer_is_nobodys() {
    let database = Database::new(5).await;
    let control = Control::start(&database).await;
    let explain = async || {
        let question = Explain {
            model: "m".to_owned(),
            ..Explain::default()
        };
        control.fleet.explain(question, Duration::from_millis(100)).await
    };
    assert_eq!(explain().await, Err(AskError::Nobody));
    let version = ConfigVersion {
        epoch: Uuid::now_v7().to_string(),
        ..ConfigVersion::default()
    };
    let mut peer = Peer::connect(&control, Some(version)).await;
    peer.update(SOON).await.unwrap();
    let slow = explain().await.unwrap_err();
    assert!(matches!(slow, AskError::Slow { .. }), "{slow}");

    let command_id = peer.command(SOON).await.unwrap().command_id;
    let late = CommandResult {
        command_id,
        ok: true,
        ..CommandResult::default()
    };
    peer.outgoing
        .send(DataPlaneMessage {
            body: Some(Body::CommandResult(late)),
        })
        .await
        .unwrap();
    assert!(
        matches!(explain().await, Err(AskError::Slow { .. })),
        "the stream goes on"
    );
}

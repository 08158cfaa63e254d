//! A data plane that answers commands as a test says, over the real stream.

use std::sync::Arc;

use dataplane::control::{ControlPlanes, JoinToken};
use proto::v1::{
    Command, CommandResult, ConfigVersion, ControlMessage, DataPlaneMessage, Heartbeat, Hello, Pending,
    command::Op, command_result::Answer, control_message, data_plane_message::Body,
};
use runtime::crypto::ClusterKeys;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::server::TcpIncoming};
use uuid::Uuid;

use crate::support::{Api, CLUSTER_SECRET};

/// What becomes of a command.
pub enum Reply {
    Done(Box<Answer>),
    /// It will be done.
    Acknowledged,
    Refused(&'static str),
    /// Nothing, for now.
    Silent,
    /// The connection is cut instead.
    Cut,
}

/// Leaves when dropped.
pub struct DataPlane(JoinHandle<()>);

// === impl Reply ===

impl Reply {
    pub fn done(answer: Answer) -> Self {
        Self::Done(Box::new(answer))
    }
}

// === impl DataPlane ===

impl DataPlane {
    /// Joins, running some configuration.
    pub async fn join(api: &Api, reply: impl Fn(Op) -> Reply + Send + Sync + 'static) -> Self {
        Self::join_running(api, 0, reply).await
    }

    /// Joins, running this revision.
    pub async fn join_running(
        api: &Api,
        revision: u64,
        reply: impl Fn(Op) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::join_as(api, "dp-1", revision, Vec::new(), reply).await
    }

    /// Joins under this id, and says that providers work on this for it.
    pub async fn join_busy(api: &Api, id: &str, pending: Vec<Pending>) -> Self {
        Self::join_as(api, id, 0, pending, |_| Reply::Silent).await
    }

    async fn join_as(
        api: &Api,
        id: &str,
        revision: u64,
        pending: Vec<Pending>,
        reply: impl Fn(Op) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let server = tonic::transport::Server::builder().add_routes(api.grpc.clone());
        let stop = api.drain.token().cancelled_owned();
        tokio::spawn(async move { server.serve_with_incoming_shutdown(incoming, stop).await });

        let token = JoinToken::new(ClusterKeys::derive(CLUSTER_SECRET).join_token.expose());
        let planes = ControlPlanes::at(&format!("http://{address}"), token).unwrap();
        let (outgoing, messages) = mpsc::channel(64);
        let hello = Hello {
            data_plane_id: id.to_owned(),
            incarnation: Uuid::now_v7().to_string(),
            last_applied: Some(ConfigVersion {
                epoch: Uuid::nil().to_string(),
                revision,
                ..ConfigVersion::default()
            }),
            ..Hello::default()
        };
        let hello = DataPlaneMessage {
            body: Some(Body::Hello(hello)),
        };
        outgoing.send(hello).await.unwrap();
        let subscribed = planes.client().subscribe(ReceiverStream::new(messages)).await;
        let mut incoming = subscribed.unwrap().into_inner();
        // whoever is welcomed is a member
        incoming.message().await.unwrap().unwrap();
        let heartbeat = Heartbeat {
            pending,
            ..Heartbeat::default()
        };
        if !heartbeat.pending.is_empty() {
            let heartbeat = DataPlaneMessage {
                body: Some(Body::Heartbeat(heartbeat)),
            };
            outgoing.send(heartbeat).await.unwrap();
        }
        Self(tokio::spawn(converse(incoming, outgoing, Arc::new(reply))))
    }
}

impl Drop for DataPlane {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn converse(
    mut incoming: Streaming<ControlMessage>,
    outgoing: mpsc::Sender<DataPlaneMessage>,
    reply: Arc<impl Fn(Op) -> Reply>,
) {
    while let Ok(Some(message)) = incoming.message().await {
        let Some(control_message::Body::Command(Command {
            command_id,
            op: Some(op),
        })) = message.body
        else {
            continue;
        };
        let (ok, answer, message) = match reply(op) {
            Reply::Done(answer) => (true, Some(*answer), String::new()),
            Reply::Acknowledged => (true, None, String::new()),
            Reply::Refused(why) => (false, None, why.to_owned()),
            Reply::Silent => continue,
            Reply::Cut => return,
        };
        let result = CommandResult {
            command_id,
            ok,
            message,
            answer,
        };
        let result = DataPlaneMessage {
            body: Some(Body::CommandResult(result)),
        };
        outgoing.send(result).await.unwrap();
    }
}

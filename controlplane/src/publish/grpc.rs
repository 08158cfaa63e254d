//! The gRPC service that data planes talk to.

use std::{pin::Pin, time::Duration};

use futures::Stream;
use proto::v1::{
    ControlMessage, DataPlaneMessage, Hello, UsageAck, UsageBatch,
    control_server::{Control, ControlServer},
    data_plane_message::Body,
};
use runtime::{drain::Drain, secret::Secret};
use subtle::ConstantTimeEq;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, metadata::MetadataMap};
use uuid::Uuid;

use super::{Fleet, Newest, session::Session};
use crate::{
    ingest::{self, Ingest},
    oauth::Renewals,
};

/// From opening a stream to its hello.
const HELLO: Duration = Duration::from_secs(10);
/// Chunks of 1 MiB that wait for a slow data plane; they are shared by all streams.
const OUTGOING: usize = 4;

/// The service. One per process.
pub struct ControlPlane {
    replica: Uuid,
    token: Secret<String>,
    newest: Newest,
    fleet: Fleet,
    ingest: Ingest,
    renewals: Renewals,
    drain: Drain,
}

// === impl ControlPlane ===

impl ControlPlane {
    /// `replica` is the same as the fleet's; `token` is `ClusterKeys::join_token`. Streams end with `drain`.
    pub fn new(
        replica: Uuid,
        token: Secret<String>,
        newest: Newest,
        fleet: Fleet,
        ingest: Ingest,
        renewals: Renewals,
        drain: Drain,
    ) -> Self {
        Self {
            replica,
            token,
            newest,
            fleet,
            ingest,
            renewals,
            drain,
        }
    }

    pub fn into_service(self) -> ControlServer<Self> {
        ControlServer::new(self)
    }

    fn admit(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let sent = metadata
            .get("authorization")
            .map(|value| value.as_bytes())
            .unwrap_or_default();
        let sent = sent.strip_prefix(b"Bearer ").unwrap_or_default();
        if sent.ct_eq(self.token.expose().as_bytes()).into() {
            return Ok(());
        }
        Err(Status::unauthenticated(
            "CLUSTER_SECRET of the data plane is not that of this control plane",
        ))
    }
}

#[tonic::async_trait]
impl Control for ControlPlane {
    type SubscribeStream = ReceiverStream<Result<ControlMessage, Status>>;
    type ReportUsageStream = Pin<Box<dyn Stream<Item = Result<UsageAck, Status>> + Send>>;

    async fn subscribe(
        &self,
        request: Request<Streaming<DataPlaneMessage>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        self.admit(request.metadata())?;
        let mut incoming = request.into_inner();
        let hello = timeout(HELLO, receive_hello(&mut incoming))
            .await
            .map_err(|_| Status::deadline_exceeded("no hello"))??;
        let incarnation = Uuid::try_parse(&hello.incarnation)
            .map_err(|_| Status::invalid_argument("the incarnation of a hello must be a UUID"))?;
        tracing::info!(
            data_plane = hello.data_plane_id,
            address = hello.address,
            build = hello.build_version,
            revision = hello.last_applied.as_ref().map_or(0, |version| version.revision),
            "a data plane connected"
        );

        let (outgoing, messages) = mpsc::channel(OUTGOING);
        let (newest, renewals) = (self.newest.clone(), self.renewals.clone());
        let session = Session::new(&self.fleet, newest, renewals, hello, incarnation, outgoing);
        let running = session.run(self.replica, incoming, self.drain.token());
        self.drain.spawn("data plane session", running);
        Ok(Response::new(ReceiverStream::new(messages)))
    }

    async fn report_usage(
        &self,
        request: Request<Streaming<UsageBatch>>,
    ) -> Result<Response<Self::ReportUsageStream>, Status> {
        self.admit(request.metadata())?;
        let acks = ingest::acknowledge(self.ingest.clone(), request.into_inner(), self.drain.token());
        Ok(Response::new(Box::pin(acks)))
    }
}

async fn receive_hello(incoming: &mut Streaming<DataPlaneMessage>) -> Result<Hello, Status> {
    match incoming.message().await?.and_then(|message| message.body) {
        Some(Body::Hello(hello)) if !hello.data_plane_id.is_empty() => Ok(hello),
        _ => Err(Status::invalid_argument(
            "the first message of a stream must be a hello with an id",
        )),
    }
}

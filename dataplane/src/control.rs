//! The way to the control planes: any replica serves everything, so whoever answers is right.

use proto::v1::control_client::ControlClient;
use rand::RngExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use thiserror::Error;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A peer that vanished without a word is noticed within the sum of both.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

pub type Client = ControlClient<InterceptedService<Channel, JoinToken>>;

#[derive(Debug, Error)]
pub enum ControlError {
    #[error(
        "CONTROL_PLANE_URL is empty: give the gRPC address of a control plane, or several separated by commas"
    )]
    NoAddress,
    #[error("`{0}` in CONTROL_PLANE_URL is not an address such as http://controlplane:20129")]
    Address(String),
}

/// Proves to a control plane that a data plane belongs to its cluster.
#[derive(Clone)]
pub struct JoinToken(MetadataValue<Ascii>);

/// The control planes of the cluster. Clones share the connections.
#[derive(Clone)]
pub struct ControlPlanes {
    channels: Arc<[Channel]>,
    turn: Arc<AtomicUsize>,
    token: JoinToken,
}

// === impl JoinToken ===

impl JoinToken {
    /// From `ClusterKeys`; letters and digits.
    pub fn new(token: &str) -> Self {
        let mut value: MetadataValue<Ascii> = format!("Bearer {token}")
            .parse()
            .expect("a join token has letters and digits only");
        value.set_sensitive(true);
        Self(value)
    }
}

impl Interceptor for JoinToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

// === impl ControlPlanes ===

impl ControlPlanes {
    /// `channels` must not be empty.
    pub fn new(channels: Vec<Channel>, token: JoinToken) -> Self {
        // data planes that start together spread over the replicas
        let start = rand::rng().random_range(0..channels.len().max(1));
        Self {
            channels: channels.into(),
            turn: Arc::new(AtomicUsize::new(start)),
            token,
        }
    }

    /// Connects when first used. `urls` are separated by commas.
    pub fn at(urls: &str, token: JoinToken) -> Result<Self, ControlError> {
        let urls = urls.split(',').map(str::trim).filter(|url| !url.is_empty());
        let channels = urls.map(channel).collect::<Result<Vec<_>, _>>()?;
        if channels.is_empty() {
            return Err(ControlError::NoAddress);
        }
        Ok(Self::new(channels, token))
    }

    /// The next one in turn.
    pub fn client(&self) -> Client {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let channel = self.channels[turn % self.channels.len()].clone();
        ControlClient::with_interceptor(channel, self.token.clone())
    }
}

fn channel(url: &str) -> Result<Channel, ControlError> {
    let endpoint =
        Endpoint::from_shared(url.to_owned()).map_err(|_| ControlError::Address(url.to_owned()))?;
    if endpoint.uri().authority().is_none() {
        return Err(ControlError::Address(url.to_owned()));
    }
    let endpoint = endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    Ok(endpoint.connect_lazy())
}

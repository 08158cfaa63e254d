//! What a client got of a stream, for those that ask again.

use super::again::{Deposit, Told};
use crate::answers::MAX_REPLAY_BYTES;
use crate::routing::Route;
use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::HeaderValue;
use llm::Progress;

/// Dropped before its end, it leaves nothing behind.
pub struct Tape {
    deposit: Deposit,
    route: Route,
    media_type: Option<HeaderValue>,
    chunks: Vec<Bytes>,
    bytes: usize,
}

// === impl Tape ===

impl Tape {
    pub fn new(deposit: Deposit, route: &Route, media_type: Option<&HeaderValue>) -> Self {
        Self {
            deposit,
            route: route.clone(),
            media_type: media_type.cloned(),
            chunks: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes a chunk on its way; `None` when the stream is too long to be kept.
    pub fn with(mut self, chunk: &Bytes) -> Option<Self> {
        self.bytes += chunk.len();
        self.chunks.push(chunk.clone());
        (self.bytes <= MAX_REPLAY_BYTES).then_some(self)
    }

    /// The stream is complete; what is to be done before the client has the end of it.
    pub fn end(self, progress: &Progress) -> BoxFuture<'static, ()> {
        let mut whole = BytesMut::with_capacity(self.bytes);
        self.chunks
            .iter()
            .for_each(|chunk| whole.extend_from_slice(chunk));
        let told = Told::of(&self.route, progress, self.media_type.as_ref());
        self.deposit.take(true, whole.freeze(), told).boxed()
    }
}

//! What is sent: mostly bytes that are there, and sometimes so many that they are read from a file on the way.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use http_body_util::combinators::UnsyncBoxBody;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

#[derive(Debug)]
pub enum Payload {
    Whole(Full<Bytes>),
    Pieces(UnsyncBoxBody<Bytes, io::Error>),
}

// === impl Payload ===

impl From<Full<Bytes>> for Payload {
    fn from(whole: Full<Bytes>) -> Self {
        Self::Whole(whole)
    }
}

impl From<Bytes> for Payload {
    fn from(whole: Bytes) -> Self {
        Self::Whole(Full::new(whole))
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole)
                .poll_frame(cx)
                .map_err(|never: Infallible| match never {}),
            Self::Pieces(pieces) => Pin::new(pieces).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Pieces(pieces) => pieces.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Pieces(pieces) => pieces.size_hint(),
        }
    }
}

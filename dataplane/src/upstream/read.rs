//! Reading whole bodies, bounded.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use llm::{ErrorKind, UpstreamError};
use std::time::Duration;

/// A provider's response body.
pub type Incoming = hyper::body::Incoming;

/// An error message longer than this explains nothing more.
const REFUSAL_BYTES: usize = 64 * 1024;

/// A provider that sent an error's head has the body at hand.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(5);

/// The whole body, without a copy when it came in one piece.
pub async fn read_whole(mut body: Incoming, limit: usize) -> Result<Bytes, UpstreamError> {
    let mut whole = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| broke())?.into_data() else {
            continue;
        };
        if whole.len() + joined.len() + data.len() > limit {
            let text = format!("the provider's answer is larger than {limit} bytes");
            return Err(UpstreamError::new(ErrorKind::MalformedUpstream, text));
        }
        if whole.is_empty() && joined.is_empty() {
            whole = data;
            continue;
        }
        joined.extend_from_slice(&std::mem::take(&mut whole));
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() { whole } else { joined.freeze() })
}

/// As much of an error's body as is worth reading; whatever goes wrong here, the status is known.
pub async fn read_refusal(mut body: Incoming) -> Bytes {
    let mut read = BytesMut::new();
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            read.extend_from_slice(&data[..data.len().min(REFUSAL_BYTES - read.len())]);
            if read.len() == REFUSAL_BYTES {
                return;
            }
        }
    };
    // a slow body is cut, not an error of its own
    drop(tokio::time::timeout(REFUSAL_PATIENCE, reading).await);
    read.freeze()
}

fn broke() -> UpstreamError {
    UpstreamError::new(
        ErrorKind::Upstream5xx,
        "the connection to the provider broke inside its answer",
    )
}

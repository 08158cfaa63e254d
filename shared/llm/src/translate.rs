//! One client request on its way to one upstream: passthrough when both speak the same dialect, else
//! decode → neutral model → encode. The only file that sees two dialects.

use crate::dialect::Dialect;
use crate::error::UpstreamError;
use crate::finish::Finish;
use crate::usage::Usage;

/// Where a request is being sent.
#[derive(Debug, Clone)]
pub struct Target {
    pub dialect: Dialect,
    /// The provider's own model id.
    pub model: String,
    pub caps: crate::caps::ModelCaps,
}

/// What has been seen of a reply so far; the accounting reads it whatever happens to the stream.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The first semantic event arrived: from here on no other upstream may be tried.
    pub started: bool,
    pub usage: Usage,
    pub finish: Option<Finish>,
    /// The upstream said it failed, or ended before its terminal event.
    pub error: Option<UpstreamError>,
    /// The terminal event was seen.
    pub ended: bool,
    /// Bytes of model output seen, for an estimate when no usage was reported.
    pub output_bytes: u64,
}

#[derive(Debug)]
pub struct Ask {}

#[derive(Debug)]
pub struct Call {}

#[derive(Debug)]
pub struct Pump {}

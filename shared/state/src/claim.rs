//! Requests that are carried out once, however often and wherever they are sent.

use bytes::Bytes;
use std::time::Duration;

/// Whose a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The caller's: it carries the request out, and says what became of it.
    Granted,
    /// Somebody else's, whose lease ends after this long unless it is renewed.
    Held { lease_left: Duration },
    /// Nobody's any more: this is the answer.
    Answered(Bytes),
}

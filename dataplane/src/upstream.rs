//! One request to one provider, or to a file that a request names, and the reading of what comes back. Knows
//! nothing of accounts, routes or clients.
//!
//! An error from here is already fit for a client: it never carries an address, a credential or a body that the
//! provider's dialect did not explain.

mod authorise;
mod fetch;
mod hint;
mod read;
mod send;

pub use authorise::{Path, bearer, signature};
pub use fetch::{Bounds, FetchError, fetch};
pub use hint::retry_hint;
pub use read::{Incoming, read_refusal, read_whole};
pub use send::{Outgoing, send};

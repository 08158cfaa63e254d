//! Wire formats of LLM APIs, translated through one neutral model.
//!
//! ```text
//! client bytes ──decode──▶ Request ──encode──▶ upstream bytes
//! client bytes ◀──encode── Events  ◀──decode── upstream bytes
//! ```
//!
//! The crate is pure: no I/O, no clock, no environment, no randomness. Ids and times that a reply needs are
//! handed in by the caller ([`ReplySeed`]). Everything that reads bytes is total on hostile input.
//!
//! * a **dialect** is a folder under `formats/` implementing [`Format`], or only [`Upstream`] where no client speaks
//!   it, plus one line in [`formats`];
//! * a **provider** is a file under `providers/`, plus one line in [`providers`];
//! * [`translate`] is the only place that sees two dialects at once. When client and upstream speak the same
//!   one, bytes pass through untouched and are only observed.

mod calendar;
pub mod caps;
mod conversation;
pub mod dialect;
pub mod envelope;
pub mod error;
pub mod estimate;
pub mod event;
pub mod event_stream;
pub mod finish;
pub mod format;
pub mod formats;
pub mod frame;
pub mod guard;
pub mod head;
pub mod kind;
pub mod names;
pub mod normalise;
pub mod note;
pub mod pricing;
pub mod provider;
pub mod providers;
pub mod recall;
pub mod relay;
pub mod remote;
pub mod reply;
pub mod request;
pub mod rewrite;
pub mod sequence;
pub mod sigv4;
pub mod think_tags;
pub mod tick;
pub mod translate;
pub mod usage;
pub mod vendor;
pub mod work;

pub use caps::ModelCaps;
pub use dialect::Dialect;
pub use error::{DecodeError, Detail, EncodeError, ErrorKind, PublicError, UpstreamError};
pub use event::{Event, EventKind, PartStart};
pub use finish::{Finish, FinishReason};
pub use format::{Format, Framing, Relay, ReplySeed, StreamDecoder, StreamEncoder, StreamWire, Upstream};
pub use kind::Kind;
pub use note::{Note, Notes, Severity};
pub use provider::ProviderSpec;
pub use reply::Reply;
pub use request::Request;
pub use rewrite::Rewrite;
pub use translate::{Address, Ask, Call, Chance, LastQuestion, Progress, Pump, Rendering, Target};
pub use usage::Usage;
pub use work::{Grounds, Picture, Units, Work};

//! The data plane: clients in, providers out.
//!
//! ```text
//! http ──▶ pipeline ──▶ { routing, upstream, usage } + state store
//!                          ▲
//!                        sync  (writes the routing table, nothing else)
//! ```
//!
//! `http` knows paths and dialects, `pipeline` is the life of one request on one page, `routing` is the compiled
//! configuration and the health of accounts, `upstream` sends to a provider, `usage` writes down what happened,
//! and `sync` keeps the configuration current. `app` puts them together.

pub mod admission;
pub mod answers;
pub mod app;
pub mod config;
pub mod control;
pub mod error;
pub mod http;
pub mod measure;
pub mod metrics;
pub mod pipeline;
pub mod routing;
mod span;
pub mod sync;
pub mod tally;
pub mod trace;
pub mod upstream;
pub mod usage;

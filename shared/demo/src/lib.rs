//! A provider without an account: it speaks the wire formats of real ones, costs nothing and answers the same
//! to the same question.
//!
//! A newcomer talks to it before adding a provider of their own. Tests use it as the provider they can script:
//! it refuses what the vendor refuses, fails in every way a network can when told to, and remembers what it
//! received and what it would have billed.
//!
//! ```text
//! request ──▶ check (as strict as the vendor) ──▶ answer (deterministic) ──▶ wire (with the scripted fault)
//! ```

mod answer;
mod anthropic;
mod assemblyai;
mod azure;
mod bedrock;
mod behaviour;
mod deepgram;
mod dialect;
mod form;
mod gemini;
mod google;
mod hyperbolic;
mod listen;
mod media;
mod nanobanana;
mod nvidia;
mod ollama;
mod openai;
mod received;
mod responses;
mod routes;
mod schema;
mod simulator;
mod wire;

pub use bedrock::{ACCESS_KEY, TEMPORARY_ACCESS_KEY};
pub use behaviour::Behaviour;
pub use dialect::Dialect;
pub use google::{other_service_account, service_account};
pub use received::{Billed, Received};
pub use routes::router;
pub use simulator::Simulator;

//! Both ends of the conversation between the planes, in one process, over real connections and a real database.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "planes/harness.rs"]
mod harness;

#[path = "planes/configuration.rs"]
mod configuration;
#[path = "planes/usage.rs"]
mod usage;
#[path = "planes/wire.rs"]
mod wire;

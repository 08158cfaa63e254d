//! What tests are made of: providers that can be scripted, processes that can be killed, connections that can be
//! broken, snapshots written as a sentence. Never part of a product.

pub mod client;
pub mod fault;
pub mod oauth;
pub mod process;
pub mod proxy;
pub mod service;
pub mod snapshot;
pub mod wait;

pub use client::Client;
pub use demo::{
    ACCESS_KEY, Behaviour, Billed, Dialect, Received, Simulator, TEMPORARY_ACCESS_KEY, other_service_account,
    service_account,
};
pub use fault::{Fault, FaultProxy};
pub use oauth::OAuthServer;
pub use process::Process;
pub use proxy::ForwardProxy;
pub use snapshot::Snapshot;
pub use wait::wait_until;

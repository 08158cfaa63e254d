//! What both planes need from a process, and nothing about language models: boot settings, secrets and
//! cryptography, telemetry, tasks that drain, readiness, the one HTTP client for provider calls, the accept loop,
//! and who a client is by its address.

pub mod admin;
pub mod backoff;
pub mod client_address;
pub mod config;
pub mod crypto;
pub mod drain;
pub mod egress;
pub mod exit;
pub mod healthcheck;
pub mod ip_filter;
pub mod metrics;
pub mod period;
pub mod readiness;
pub mod secret;
pub mod serve;
pub mod service_account;
pub mod shutdown;
pub mod telemetry;

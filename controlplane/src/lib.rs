//! The control plane: the management API, the dashboard, and the publisher of configuration.
//!
//! Postgres is the truth. Every write of configuration goes through [`db::ConfigTx`]; [`publish`] turns rows
//! into resources and sends them to the data planes; [`ingest`] writes what they did back into Postgres.
//! Modules under [`api`] are slices: one feature each, from its DTOs down to its SQL.

pub mod account;
pub mod api;
pub mod app;
pub mod arrivals;
pub mod backup;
pub mod bodies;
pub mod bundle;
pub mod cloud;
pub mod combo_config;
pub mod config;
pub mod db;
pub mod error;
mod gateway_key;
pub mod http;
pub mod ingest;
pub mod latency;
pub mod login;
pub mod oauth;
pub mod oidc;
pub mod operations;
pub mod password;
pub mod policy;
pub mod probe;
pub mod proxies;
pub mod publish;
pub mod rekey;
pub mod resilience;
pub mod retention;
pub mod rollup;
pub mod session;
pub mod spending;
pub mod ui;
pub mod vault;

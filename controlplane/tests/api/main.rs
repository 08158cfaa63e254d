//! The management API through its router, against a real Postgres, on a pool of one connection.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod access;
mod accounts;
mod aliases;
mod auth;
mod availability;
mod bodies;
mod budget;
mod cache;
mod cli_tools;
mod cloud;
mod clouds;
mod combo_defaults;
mod combo_test;
mod combos;
mod contract;
mod data_plane;
mod db_backups;
mod defects;
mod edge;
mod elsewhere;
mod evals;
mod explain;
mod fallback_chains;
mod figures;
mod ip_filter;
mod keys;
mod log_export;
mod log_stream;
mod metrics;
mod oauth;
mod observe;
mod operations;
mod policies;
mod price_periods;
mod pricing;
mod provider_models;
mod provider_nodes;
mod providers;
mod proxy;
mod proxy_logs;
mod rate_limits;
mod refusals;
mod rekey;
mod resilience;
mod retention;
mod revisions;
mod rewriting;
mod rollup;
mod routes;
mod secrets;
mod settings;
mod success;
mod support;
mod sync;
mod translator;
mod usage;

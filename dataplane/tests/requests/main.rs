//! Requests through a whole data plane: a real server, real providers in their own words, the configuration put
//! in directly. No control plane is needed.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod addresses;
mod azure;
mod bedrock;
mod cache;
mod captures;
mod choosing;
mod clients;
mod completions;
mod cuts;
mod departures;
mod dialects;
mod drain;
mod drained;
mod edge;
mod embedder;
mod failover;
mod faithful;
mod forms;
mod harness;
mod hedging;
mod idempotency;
mod limits;
mod measures;
mod media;
mod memory;
mod outage;
mod pieces;
mod prices;
mod proxies;
mod questions;
mod refusals;
mod replies;
mod rewriting;
mod roundtrips;
mod scripted;
mod services;
mod similar;
mod store_outage;
mod storm;
mod strategies;
mod streams;
mod thinking;
mod traces;
mod usage;
mod vendors;
mod vertex;
mod wire;

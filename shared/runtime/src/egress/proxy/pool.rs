//! One client per proxy, with the connections it keeps.

use super::Proxy;
use super::connect::ThroughProxy;
use crate::egress::{POOL_IDLE, POOL_IDLE_PER_HOST, Payload};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use rustls::ClientConfig;
use std::time::Duration;

/// Proxies that connections are kept through. One more closes those that were idle longest.
const PROXIES: u64 = 64;
/// A proxy that left the configuration keeps nothing for longer.
const IDLE: Duration = Duration::from_secs(300);

pub(in crate::egress) type ProxiedCaller = Client<ThroughProxy, Payload>;

#[derive(Debug, Clone)]
pub(in crate::egress) struct Pool {
    tls: ClientConfig,
    connect_timeout: Duration,
    /// By proxy, and by whether providers may be at private addresses.
    callers: Cache<(Proxy, bool), ProxiedCaller>,
}

// === impl Pool ===

impl Pool {
    pub(in crate::egress) fn new(tls: ClientConfig, connect_timeout: Duration) -> Self {
        let callers = Cache::builder()
            .max_capacity(PROXIES)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(IDLE)
            .build();
        Self {
            tls,
            connect_timeout,
            callers,
        }
    }

    pub(in crate::egress) fn caller(&self, proxy: &Proxy, allow_private: bool) -> ProxiedCaller {
        self.callers.get_with((proxy.clone(), allow_private), || {
            let connector = ThroughProxy::new(proxy, &self.tls, self.connect_timeout, allow_private);
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
                .pool_idle_timeout(POOL_IDLE)
                .build(connector)
        })
    }
}

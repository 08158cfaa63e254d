//! What answers held that their clients may not bring back, from one request of a conversation to the next.
//!
//! It is kept in the state store, sealed, for an hour after it was last asked for, and under the API key that asked:
//! whoever learns the id of a call gets nothing with another key. Nothing depends on it. When the store is away or
//! slower than its deadline, the conversation goes on without its earlier reasoning, as if this did not exist; at most
//! that deadline is added at the beginning of a request, and at the end of an answer, whose last bytes wait until the
//! next request can find it.

use super::Gateway;
use super::attempt::{self, Served};
use super::exchange::Reply;
use super::plan::Plan;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use llm::Ask;
use llm::recall::{Kept, Known, Turn};
use runtime::crypto::{self, SealKey, Sealed};
use state::StateStore;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

const LIFE: Duration = Duration::from_secs(60 * 60);

/// Whose turns those of callers without a key are. No key has this id.
const NOBODY: &str = "nobody";

/// Where turns are kept.
#[derive(Clone)]
pub struct Recall {
    store: Arc<dyn StateStore>,
    key: SealKey,
}

// === impl Recall ===

impl Recall {
    pub fn new(store: Arc<dyn StateStore>, key: SealKey) -> Self {
        Self { store, key }
    }

    async fn known(&self, tenant: &str, calls: Vec<String>) -> Known {
        let found = match self.store.recall_turns(tenant, &calls, LIFE).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "a conversation goes on without its earlier reasoning");
                return Known::default();
            }
        };
        let mut known = Known::default();
        for (call, sealed) in calls.into_iter().zip(found) {
            if let Some(turn) = sealed.and_then(|sealed| self.open(tenant, &call, &sealed)) {
                known.insert(call, turn);
            }
        }
        known
    }

    async fn keep(self, tenant: String, kept: Vec<Kept>) {
        let keep = |Kept { call_id, turn }: Kept| {
            let sealed = crypto::seal(&self.key, &place(&tenant, &call_id), &turn.to_bytes());
            let (store, tenant, sealed) = (&self.store, &tenant, Bytes::from(sealed.to_bytes()));
            async move { store.keep_turn(tenant, &call_id, sealed, LIFE).await }
        };
        for kept in join_all(kept.into_iter().map(keep)).await {
            if let Err(error) = kept {
                tracing::debug!(%error, "the reasoning of an answer is not kept");
            }
        }
    }

    fn open(&self, tenant: &str, call: &str, sealed: &[u8]) -> Option<Turn> {
        let Sealed { nonce, ciphertext } = Sealed::from_bytes(sealed).ok()?;
        let plain = crypto::open(&self.key, &place(tenant, call), &nonce, &ciphertext).ok()?;
        Turn::from_bytes(&plain)
    }
}

/// The request with what was kept of the answers in it, where one of its candidates would want that back.
pub async fn recalled(gateway: &Gateway, plan: &Plan, ask: Ask, key_id: &str) -> Ask {
    // looked at first: it rules out most requests, and what follows asks for every target's capabilities
    if !ask.names_calls() || gateway.is_store_away() {
        return ask;
    }
    let targets = plan.routes().flat_map(|(_, route)| {
        let connections = route.provider.connections.iter();
        connections.map(|connection| attempt::target(route, connection))
    });
    let calls = targets
        .map(|target| ask.unsigned_calls(&target))
        .find(|calls| !calls.is_empty());
    match calls {
        Some(calls) => ask.recalling(Box::pin(gateway.recall.known(tenant(key_id), calls)).await),
        None => ask,
    }
}

/// Keeps what a whole answer holds.
pub async fn kept(gateway: &Gateway, served: &mut Served, key_id: &str) {
    if let Reply::Whole { progress, .. } = &mut served.reply
        && let Some(keeping) = keeping(gateway, key_id, mem::take(&mut progress.kept))
    {
        keeping.await;
    }
}

/// What there is to do, if anything.
pub fn keeping(gateway: &Gateway, key_id: &str, kept: Vec<Kept>) -> Option<BoxFuture<'static, ()>> {
    if kept.is_empty() || gateway.is_store_away() {
        return None;
    }
    let recall = gateway.recall.clone();
    Some(recall.keep(tenant(key_id).to_owned(), kept).boxed())
}

fn tenant(key_id: &str) -> &str {
    if key_id.is_empty() { NOBODY } else { key_id }
}

fn place(tenant: &str, call: &str) -> Vec<u8> {
    format!("turn|{tenant}|{call}").into_bytes()
}

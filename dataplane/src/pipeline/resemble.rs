//! Whether a question was answered that says the same in other words: the second step of the cache, where an
//! administrator asked for it.
//!
//! Only for a request that could be answered from the cache at all, that ends with a short text of the user's, and in
//! which there are no tools. What it is compared with belongs to the same tenant and differs in nothing but that text.
//! Vector and what is new in the state store are fetched at the same time, and neither is waited for long. Whatever
//! fails here, the provider is asked.

use super::Gateway;
use super::embed::{Embedding, NoEmbedding};
use crate::answers::{Particulars, Placed, Similar};
use crate::metrics::Resemblance;
use crate::routing::Table;
use http::HeaderMap;
use llm::Ask;
use proto::v1::StoredAnswer;
use state::EntryKey;
use std::sync::Arc;
use std::time::Duration;
use tokio::join;

const THRESHOLD: &str = "x-omniroute-cache-threshold";

/// Embedding models cut off what is too long for them, some after 256 tokens, and would find two texts alike that begin
/// alike.
const MAX_TEXT: usize = 1_024;

const CONTEXT: &str = "omniroute 2026 questions that are asked in other words";

/// What came of looking.
pub enum Looked {
    /// An answer, and how alike its question is.
    Alike(Arc<StoredAnswer>, f64),
    /// None; the question may be compared with those that come after it.
    New(Likeness),
    /// It is not compared.
    Nothing,
}

/// What is to be known of a question once it is answered.
pub struct Likeness {
    similar: Similar,
    placed: Placed,
    embedding: Embedding,
}

/// Looks for an answer. `key` is what the question itself is cached under, `circumstances` everything beside the body
/// that the answer depends on.
pub async fn look(
    gateway: &Gateway,
    table: &Table,
    headers: &HeaderMap,
    ask: &Ask,
    key: &EntryKey,
    circumstances: &blake3::Hash,
) -> Looked {
    let Some(rule) = table.cache().similarity(ask.model()) else {
        return Looked::Nothing;
    };
    let Some(question) = ask.last_question() else {
        return Looked::Nothing;
    };
    let text = question.text.trim();
    if text.is_empty() || text.len() > MAX_TEXT || gateway.is_store_away() {
        return Looked::Nothing;
    }
    let placed = Placed {
        partition: partition(key, circumstances, &question.rest, &rule.embedding_model),
        entry: key.hash,
        particulars: Particulars::of(text),
    };
    let known_as = (placed.partition.clone(), placed.entry);
    let embedding = gateway
        .embeddings
        .of(gateway, table, &rule.embedding_model, known_as, text);
    let (embedding, refreshed) = join!(embedding, gateway.similar.refresh(&placed.partition));
    let embedding = match embedding {
        Ok(embedding) => embedding,
        Err(reason) => {
            gateway.metrics.resemblance(match reason {
                NoEmbedding::Resting => Resemblance::Resting,
                NoEmbedding::Nowhere | NoEmbedding::Failed => Resemblance::Failed,
            });
            return Looked::Nothing;
        }
    };
    let likeness = Likeness {
        similar: gateway.similar.clone(),
        placed,
        embedding,
    };
    if let Err(error) = refreshed {
        tracing::debug!(%error, "the state store is not asked for similar questions");
        gateway.metrics.resemblance(Resemblance::Failed);
        return Looked::New(likeness);
    }
    let threshold = raised(rule.threshold, headers);
    match likeness.answered(gateway, threshold).await {
        Some((answer, similarity)) => Looked::Alike(answer, similarity),
        None => Looked::New(likeness),
    }
}

// === impl Likeness ===

impl Likeness {
    /// An answer that is still there.
    async fn answered(&self, gateway: &Gateway, threshold: f64) -> Option<(Arc<StoredAnswer>, f64)> {
        let Embedding::There(vector) = &self.embedding else {
            gateway.metrics.resemblance(Resemblance::Late);
            return None;
        };
        let partition = &self.placed.partition;
        for alike in self.similar.alike(&self.placed, vector, threshold) {
            let key = EntryKey {
                hash: alike.entry,
                ..partition.clone()
            };
            if let Some(answer) = gateway.cache.find(&key).await {
                gateway.metrics.resemblance(Resemblance::Found);
                return Some((answer, alike.similarity));
            }
            self.similar.forget(partition, &alike.entry);
        }
        gateway.metrics.resemblance(Resemblance::None);
        None
    }

    /// Lets the question be found, for as long as its answer is kept.
    pub async fn keep(self, ttl: Duration) {
        if let Some(vector) = self.embedding.vector().await {
            self.similar.keep(&self.placed, &vector, ttl).await;
        }
    }
}

// === functions ===

/// Where a question lies: with those that differ in nothing but its text, of the same tenant, by the same model.
fn partition(key: &EntryKey, circumstances: &blake3::Hash, rest: &[u8], embedding_model: &str) -> EntryKey {
    let mut hash = blake3::Hasher::new_derive_key(CONTEXT);
    hash.update(circumstances.as_bytes())
        .update(&(embedding_model.len() as u64).to_le_bytes())
        .update(embedding_model.as_bytes())
        .update(rest);
    EntryKey {
        hash: hash.finalize().into(),
        ..key.clone()
    }
}

/// A request may ask for more than the rule does, and never for less.
fn raised(threshold: f64, headers: &HeaderMap) -> f64 {
    let asked = headers.get(THRESHOLD).and_then(|value| value.to_str().ok());
    let asked = asked.and_then(|value| value.trim().parse::<f64>().ok());
    let asked = asked.filter(|asked| (0.0..=1.0).contains(asked));
    asked.map_or(threshold, |asked| asked.max(threshold))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_raises_the_threshold_and_never_lowers_it() {
        for (asked, expected) in [
            (None, 0.95),
            (Some("0.97"), 0.97),
            (Some(" 1 "), 1.0),
            (Some("0.9"), 0.95),
            (Some("0"), 0.95),
            (Some("1.5"), 0.95),
            (Some("-1"), 0.95),
            (Some("NaN"), 0.95),
            (Some("inf"), 0.95),
            (Some("high"), 0.95),
            (Some(""), 0.95),
        ] {
            let headers = asked.map(|asked| (THRESHOLD.parse().unwrap(), asked.parse().unwrap()));
            let found = raised(0.95, &headers.into_iter().collect());
            assert!((found - expected).abs() < 1e-12, "{asked:?}: {found}");
        }
    }

    #[test]
    fn a_partition_is_one_tenants_and_one_embedding_models() {
        let key = |tenant: &str, generation| EntryKey {
            generation,
            tenant: tenant.to_owned(),
            hash: [1; 32],
        };
        let (here, there) = (blake3::hash(b"here"), blake3::hash(b"there"));
        let all = [
            partition(&key("a", 1), &here, b"rest", "e/1"),
            partition(&key("b", 1), &here, b"rest", "e/1"),
            partition(&key("a", 2), &here, b"rest", "e/1"),
            partition(&key("a", 1), &there, b"rest", "e/1"),
            partition(&key("a", 1), &here, b"other", "e/1"),
            partition(&key("a", 1), &here, b"rest", "e/2"),
            partition(&key("a", 1), &here, b"2rest", "e/"),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{at}");
        }
    }
}

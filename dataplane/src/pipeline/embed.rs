//! The vector of a question, from the embedding model that a rule names.
//!
//! A call goes out through the gateway's own egress, to an account of that provider which is not known to rest. The
//! request that wants it waits a moment and no longer; the call goes on beside it, because its connection is worth
//! having and its vector can still be kept with the answer. A model that fails or is late several times in a row is
//! left alone for a second.

use super::Gateway;
use crate::answers::Vector;
use crate::routing::{Connection, Outlet, Table};
use crate::upstream::{self, Outgoing};
use bytes::Bytes;
use http::Method;
use llm::Kind;
use llm::vendor::Words;
use moka::sync::Cache;
use parking_lot::Mutex;
use runtime::egress::Egress;
use serde::Deserialize;
use serde_json::json;
use state::EntryKey;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use url::Url;

/// How long a call may take that nobody waits for any more.
const LONGEST: Duration = Duration::from_secs(10);
/// So many calls at a time, over all models.
const PLACES: usize = 64;
/// So many failures in a row are enough, for so long.
const FAILURES: u32 = 3;
const REST: Duration = Duration::from_secs(1);
/// A vector has a few thousand numbers at most.
const MAX_BODY: usize = 1 << 20;
/// What was embedded lately is not embedded again.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
const MAX_REMEMBERED_BYTES: u64 = 16 << 20;

/// A text of one tenant's: its place among others, and its own hash.
type Text = (EntryKey, [u8; 32]);

pub struct Embeddings {
    remembered: Cache<Text, Vector>,
    places: Arc<Semaphore>,
    /// By embedding model. Bounded by what was ever configured.
    standings: Mutex<HashMap<Arc<str>, Standing>>,
}

/// How a model did lately.
#[derive(Debug, Default)]
struct Standing {
    failures: u32,
    rests_until: Option<Instant>,
}

/// A vector that is there, or under way.
pub enum Embedding {
    There(Vector),
    Late(JoinHandle<Option<Vector>>),
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEmbedding {
    /// It is not asked now.
    Resting,
    /// There is no account that could be asked.
    Nowhere,
    Failed,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Datum>,
}

#[derive(Deserialize)]
struct Datum {
    embedding: Vec<f32>,
}

// === impl Embeddings ===

impl Default for Embeddings {
    fn default() -> Self {
        Self {
            remembered: Cache::builder()
                .max_capacity(MAX_REMEMBERED_BYTES)
                .weigher(|(place, _): &Text, vector: &Vector| {
                    u32::try_from(place.tenant.len() + vector.size()).unwrap_or(u32::MAX)
                })
                .time_to_live(REMEMBERED)
                .build(),
            places: Arc::new(Semaphore::new(PLACES)),
            standings: Mutex::default(),
        }
    }
}

impl Embeddings {
    /// `known_as` is what the text is remembered under.
    pub async fn of(
        &self,
        gateway: &Gateway,
        table: &Table,
        model: &Arc<str>,
        known_as: Text,
        text: &str,
    ) -> Result<Embedding, NoEmbedding> {
        if let Some(vector) = self.remembered.get(&known_as) {
            return Ok(Embedding::There(vector));
        }
        if self.rests(model) {
            return Err(NoEmbedding::Resting);
        }
        let (connection, url, own_model) = account(table, model).ok_or(NoEmbedding::Nowhere)?;
        let place = self.places.clone().try_acquire_owned();
        let place = place.map_err(|_| NoEmbedding::Resting)?;
        let call = Call {
            connection,
            url,
            body: json!({"model": own_model, "input": text, "encoding_format": "float"})
                .to_string()
                .into(),
        };
        let (egress, remembered) = (gateway.egress.clone(), self.remembered.clone());
        let mut call = tokio::spawn(async move {
            let vector = timeout(LONGEST, call.make(&egress, place)).await.ok()??;
            remembered.insert(known_as, vector.clone());
            Some(vector)
        });
        let waited = timeout(gateway.cache_config.embedding(), &mut call).await;
        self.note(model, matches!(waited, Ok(Ok(Some(_)))));
        match waited {
            Err(_) => Ok(Embedding::Late(call)),
            Ok(Ok(Some(vector))) => Ok(Embedding::There(vector)),
            Ok(_) => Err(NoEmbedding::Failed),
        }
    }

    fn rests(&self, model: &str) -> bool {
        let standings = self.standings.lock();
        let until = standings.get(model).and_then(|standing| standing.rests_until);
        until.is_some_and(|until| until > Instant::now())
    }

    fn note(&self, model: &Arc<str>, is_well: bool) {
        let mut standings = self.standings.lock();
        if is_well {
            standings.remove(model);
            return;
        }
        let standing = standings.entry(model.clone()).or_default();
        standing.failures += 1;
        if standing.failures >= FAILURES {
            standing.rests_until = Some(Instant::now() + REST);
        }
    }
}

// === impl Embedding ===

impl Embedding {
    /// Waits for it, however late it is.
    pub async fn vector(self) -> Option<Vector> {
        match self {
            Self::There(vector) => Some(vector),
            Self::Late(call) => call.await.ok().flatten(),
        }
    }
}

/// One call.
struct Call {
    connection: Arc<Connection>,
    url: Url,
    body: Bytes,
}

// === impl Call ===

impl Call {
    async fn make(self, egress: &Egress, _place: OwnedSemaphorePermit) -> Option<Vector> {
        let vector = self.vector(egress).await;
        // who called is an account's business; the provider's own words are not repeated
        vector
            .inspect_err(|problem| {
                let connection = &*self.connection.id;
                tracing::debug!(connection, problem, "a question has no embedding");
            })
            .ok()
    }

    async fn vector(&self, egress: &Egress) -> Result<Vector, String> {
        let connection = &self.connection;
        let proxy = connection.outlet(&[]).map(Outlet::proxy);
        let allow_private = connection.allow_private_address;
        let bearer = match &connection.grant {
            Some(grant) => {
                let path = upstream::Path { allow_private, proxy };
                let bearer = upstream::bearer(egress, grant, path, None).await;
                Some(bearer.map_err(|error| error.message)?)
            }
            None => None,
        };
        let outgoing = Outgoing {
            method: Method::POST,
            url: &self.url,
            headers: &connection.headers,
            dialect_headers: vec![
                ("content-type", "application/json".to_owned()),
                ("accept", "application/json".to_owned()),
            ],
            bearer: bearer.as_ref(),
            body: self.body.clone().into(),
            allow_private,
            proxy,
        };
        let response = upstream::send(egress, outgoing).await;
        let response = response.map_err(|error| error.message)?;
        if !response.status().is_success() {
            return Err(format!("the provider answered with status {}", response.status()));
        }
        let body = upstream::read_whole(response.into_body(), MAX_BODY).await;
        let body = body.map_err(|error| error.message)?;
        let answer: Answer = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let first = answer.data.into_iter().next();
        let vector = first.and_then(|datum| Vector::new(datum.embedding));
        vector.ok_or_else(|| "the provider's answer has no vector".to_owned())
    }
}

// === functions ===

/// The first account of the provider that does not rest, where it is asked, and its own name for the model.
fn account<'a>(table: &Table, model: &'a str) -> Option<(Arc<Connection>, Url, &'a str)> {
    let (word, own_model) = model.split_once('/')?;
    let provider = table.provider(word).ok().filter(|provider| !provider.blocked)?;
    let mut connections = provider.connections.iter();
    let connection = connections.find(|connection| connection.account.cooling(own_model).is_none())?;
    // it is asked in OpenAI's words
    let service = connection.spec.service(Kind::Embedding);
    service.filter(|service| service.words == Words::OpenAi)?;
    Some((
        connection.clone(),
        connection.service_url(Kind::Embedding, own_model)?,
        own_model,
    ))
}

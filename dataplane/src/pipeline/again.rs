//! Whether a request was answered before, and what is kept of its answer for those that come after.
//!
//! A request that its client named, in `Idempotency-Key` or else `X-Request-Id`, is carried out once however often it
//! is sent. A request whose answer is not left to chance may be answered from the cache. Either is looked for only
//! once it is known that the caller may ask; both questions leave for the state store at the same time, each once.
//! Only after that, and only if the limits of its key let it in, a request waits for another that is the same. A
//! request that is neither pays nothing.
//!
//! A question that nobody asked before in these words may have been asked in others: see [`resemble`].

mod fields;

use self::fields::Fields;
use super::Gateway;
use super::arrival::Arrival;
use super::attempt::Served;
use super::exchange::Reply;
use super::plan::Plan;
use super::record::Record;
use super::resemble::{self, Likeness, Looked};
use super::tape::Tape;
use crate::answers::{Begun, Claim, Kept, Lookup, MAX_CACHED_BYTES, Source, Turn};
use crate::error::GatewayError;
use crate::routing::{Route, Table};
use bytes::Bytes;
use futures::future::OptionFuture;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use llm::{Ask, Dialect, FinishReason, Framing, Kind, Progress, Rendering, formats};
use proto::v1::StoredAnswer;
use runtime::client_address::TrustedProxies;
use state::EntryKey;
use std::sync::Arc;
use tokio::join;
use tokio::time::timeout;

/// What clients call a request by, so that they may send it again; the first one that is there counts.
const NAMES: [&str; 2] = ["idempotency-key", "x-request-id"];
const MAX_NAME: usize = 255;
const NO_CACHE: &str = "x-omniroute-no-cache";

const REQUEST_CONTEXT: &str = "omniroute 2026 requests that are sent again";
const QUESTION_CONTEXT: &str = "omniroute 2026 questions that are asked again";
const CIRCUMSTANCES_CONTEXT: &str = "omniroute 2026 what questions are asked under";

/// A request that its client gave a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named(blake3::Hash);

/// An answer that nobody had to give.
pub struct Again {
    pub answer: Arc<StoredAnswer>,
    /// As this client gets it.
    pub body: Bytes,
    pub source: Source,
    /// How it is framed, if it is a stream.
    pub framing: Option<Framing>,
    /// How alike the question is that it answers, if it is another.
    pub similarity: Option<f64>,
}

/// What is to be looked for.
pub struct Sought {
    request: Option<EntryKey>,
    question: Option<Question>,
}

/// What the state store says to it.
pub struct Known {
    begun: Option<Begun>,
    question: Option<Question>,
    answer: Option<Arc<StoredAnswer>>,
}

/// What came of looking.
pub enum Found {
    Again(Again),
    Nothing(Deposit),
}

/// Where the answer that is to come is kept.
#[derive(Default)]
pub struct Deposit(Option<Box<Places>>);

struct Places {
    claim: Option<Claim>,
    kept: Option<Keeping>,
}

/// How an answer is cached.
struct Keeping {
    kept: Kept,
    rendering: Rendering,
    likeness: Option<Likeness>,
}

/// What is told of an answer beside its bytes.
pub struct Told {
    provider: Arc<str>,
    model: Arc<str>,
    finish_reason: &'static str,
    tokens: u64,
    /// Empty: what the client's dialect says.
    media_type: String,
    /// It is complete, and no accident.
    is_final: bool,
}

/// A question to the cache.
struct Question {
    key: EntryKey,
    /// What of it is not in the body.
    circumstances: blake3::Hash,
    rendering: Rendering,
}

// === impl Named ===

impl Named {
    /// Everything that tells this request from others of the same caller.
    pub fn new(arrival: &Arrival, body: &Bytes) -> Self {
        let framing = arrival.address.as_ref().map(|address| address.framing);
        let mut hash = Fields::new(REQUEST_CONTEXT);
        hash.field(arrival.parts.method.as_str().as_bytes());
        hash.field(arrival.parts.uri.path().as_bytes());
        hash.field(&[u8::from(framing == Some(Framing::JsonArray))]);
        hash.field(name(&arrival.parts.headers).unwrap_or_default());
        hash.field(body);
        Self(hash.finish())
    }

    /// Callers without a key are told apart by their address; of one that has neither nothing is remembered, for it
    /// could be anybody's.
    fn key(&self, table: &Table, plan: &Plan, proxies: &TrustedProxies, parts: &Parts) -> Option<EntryKey> {
        let tenant = match plan.tenant() {
            "" => format!("@{}", proxies.client_of(&parts.extensions, &parts.headers)?),
            key => key.to_owned(),
        };
        Some(EntryKey {
            generation: table.cache().idempotency_generation,
            tenant,
            hash: self.0.into(),
        })
    }
}

/// Whether its client gave a request a name; what is too long for a name is refused. Of files nothing is remembered,
/// and a text to be gone on with would be remembered as the conversation that it may be asked for as.
pub fn is_named(arrival: &Arrival) -> Result<bool, GatewayError> {
    let kind = arrival.endpoint.kind;
    if kind == Kind::Completion || kind.file().is_some() {
        return Ok(false);
    }
    match name(&arrival.parts.headers) {
        Some(name) if name.len() > MAX_NAME => Err(GatewayError::NameTooLong { max: MAX_NAME }),
        name => Ok(name.is_some()),
    }
}

// === impl Sought ===

impl Sought {
    pub fn of(
        gateway: &Gateway,
        table: &Table,
        parts: &Parts,
        named: Option<Named>,
        plan: &Plan,
        ask: &Ask,
        record: &Record,
    ) -> Self {
        let proxies = &gateway.edge.trusted_proxies;
        Self {
            request: named.and_then(|named| named.key(table, plan, proxies, parts)),
            // an answer is kept as what a model said
            question: (ask.kind() == Kind::Chat)
                .then(|| Question::of(table, parts, plan, ask, record))
                .flatten(),
        }
    }

    /// Asks the state store for either, once.
    pub async fn look(self, gateway: &Gateway) -> Known {
        let Self { request, question } = self;
        let begun = request.map(|request| Box::pin(gateway.idempotency.begin(request)));
        let answer = question
            .as_ref()
            .map(|question| Box::pin(gateway.cache.find(&question.key)));
        let (begun, answer) = join!(OptionFuture::from(begun), OptionFuture::from(answer));
        Known {
            begun,
            question,
            answer: answer.flatten(),
        }
    }
}

// === impl Known ===

impl Known {
    /// Finds an answer, or a place for the one that is to come. Waits for whoever gives one to the same request right
    /// now.
    pub async fn find(
        self,
        gateway: &Gateway,
        table: &Table,
        headers: &HeaderMap,
        ask: &Ask,
    ) -> Result<Found, GatewayError> {
        if self.begun.is_none() && self.question.is_none() {
            return Ok(Found::Nothing(Deposit::default()));
        }
        Box::pin(self.found(gateway, table, headers, ask)).await
    }

    async fn found(
        self,
        gateway: &Gateway,
        table: &Table,
        headers: &HeaderMap,
        ask: &Ask,
    ) -> Result<Found, GatewayError> {
        let claim = match self.begun {
            Some(begun) => match turn(gateway, begun).await? {
                Turn::Replay(answer) => {
                    gateway.metrics.replayed();
                    return Ok(Found::Again(Again {
                        body: answer.body.clone(),
                        framing: ask.stream().then(|| ask.framing()),
                        source: Source::Replay,
                        similarity: None,
                        answer,
                    }));
                }
                Turn::Run(claim) => Some(claim),
            },
            None => None,
        };
        let Some(question) = self.question else {
            return Ok(Found::Nothing(Deposit::new(claim, None)));
        };
        let key = &question.key;
        let lookup = match self.answer {
            Some(answer) => Lookup::Hit(answer),
            None => {
                let lasts = table.cache().ttl.unwrap_or(gateway.cache_config.ttl());
                // whoever wants a stream does not wait for the end of another
                gateway.cache.join(key.clone(), lasts, !ask.stream()).await
            }
        };
        let (answer, similarity, kept) = match lookup {
            Lookup::Hit(answer) => (Some(answer), None, None),
            Lookup::Miss(kept) => {
                let circumstances = &question.circumstances;
                match resemble::look(gateway, table, headers, ask, key, circumstances).await {
                    Looked::Alike(answer, similarity) => (Some(answer), Some(similarity), Some((kept, None))),
                    Looked::New(likeness) => (None, None, Some((kept, Some(likeness)))),
                    Looked::Nothing => (None, None, Some((kept, None))),
                }
            }
        };
        let rendering = question.rendering;
        let body = answer
            .as_ref()
            .and_then(|answer| rendered(answer, ask, &rendering));
        if let Some((answer, body)) = answer.zip(body) {
            gateway.cache.hit(key.generation, &answer, similarity.is_some());
            gateway.metrics.cache_lookup(true);
            if let Some(claim) = claim {
                claim.answer(copy(&answer, body.clone(), ask.stream())).await;
            }
            return Ok(Found::Again(Again {
                answer,
                body,
                source: Source::Cache,
                framing: ask.stream().then(|| ask.framing()),
                similarity,
            }));
        }
        gateway.cache.missed(key.generation);
        gateway.metrics.cache_lookup(false);
        let keeping = kept.map(|(kept, likeness)| Keeping {
            kept,
            rendering,
            likeness,
        });
        Ok(Found::Nothing(Deposit::new(claim, keeping)))
    }
}

// === impl Question ===

impl Question {
    fn of(table: &Table, parts: &Parts, plan: &Plan, ask: &Ask, record: &Record) -> Option<Self> {
        let (key, circumstances) = question(table, parts, plan, ask)?;
        Some(Self {
            key,
            circumstances,
            rendering: ask.rendering(&record.seed(ask.model())),
        })
    }
}

// === impl Deposit ===

impl Deposit {
    fn new(claim: Option<Claim>, kept: Option<Keeping>) -> Self {
        let is_wanted = claim.is_some() || kept.is_some();
        Self(is_wanted.then(|| Box::new(Places { claim, kept })))
    }

    /// Takes a whole answer, or a stream that is complete. When this returns, whoever asks again finds it.
    pub async fn take(self, stream: bool, body: Bytes, told: Told) {
        let Some(places) = self.0 else { return };
        let answer = StoredAnswer {
            stream,
            body,
            provider: told.provider.to_string(),
            model: told.model.to_string(),
            finish_reason: told.finish_reason.to_owned(),
            tokens: told.tokens,
            media_type: told.media_type,
        };
        if let Some(keeping) = places.kept
            && told.is_final
            && let Some(whole) = whole(&answer, &keeping.rendering)
        {
            keeping.keep(copy(&answer, whole, false));
        }
        if let Some(claim) = places.claim {
            claim.answer(answer).await;
        }
    }

    /// Records a stream on its way to the client; nothing, if nobody wants it.
    pub fn tape(self, route: &Route, media_type: Option<&HeaderValue>) -> Option<Tape> {
        self.0.is_some().then(|| Tape::new(self, route, media_type))
    }

    /// For a stream that carries what the client alone asked for.
    pub fn without_cache(self) -> Self {
        Self::new(self.0.and_then(|places| places.claim), None)
    }
}

// === impl Keeping ===

impl Keeping {
    fn keep(self, answer: StoredAnswer) {
        let lasts = self.kept.lasts();
        // whoever did not ask for a call gets none
        let is_call = answer.finish_reason == FinishReason::ToolCalls.name();
        let likeness = self.likeness.filter(|_| !is_call);
        self.kept.keep(answer, async move {
            if let Some(likeness) = likeness {
                likeness.keep(lasts).await;
            }
        });
    }
}

// === impl Told ===

impl Told {
    pub fn of(route: &Route, progress: &Progress, media_type: Option<&HeaderValue>) -> Self {
        let media_type = media_type.and_then(|media_type| media_type.to_str().ok());
        let reason = progress.finish.as_ref().map(|finish| finish.reason);
        Self {
            provider: route.provider.id.clone(),
            model: route.model.clone(),
            finish_reason: reason.map_or("", FinishReason::name),
            tokens: progress.usage.total().unwrap_or(0),
            media_type: media_type.unwrap_or_default().to_owned(),
            is_final: matches!(
                reason,
                Some(FinishReason::Stop | FinishReason::StopSequence | FinishReason::ToolCalls)
            ),
        }
    }
}

/// Keeps a whole answer; of a stream, what has to be done when it is complete is left.
pub async fn kept(served: &mut Served, deposit: Deposit) -> Deposit {
    let Reply::Whole {
        body,
        progress,
        media_type,
    } = &served.reply
    else {
        return deposit;
    };
    if deposit.0.is_some() {
        let told = Told::of(&served.lease.route, progress, media_type.as_ref());
        Box::pin(deposit.take(served.stream, body.clone(), told)).await;
    }
    Deposit::default()
}

// === functions ===

/// Whose turn it is in the end. No request is waited for longer than it may take.
async fn turn(gateway: &Gateway, begun: Begun) -> Result<Turn, GatewayError> {
    match begun {
        Begun::Turn(turn) => Ok(turn),
        Begun::Wait(wait) => timeout(gateway.upstream.total(), wait.turn())
            .await
            .map_err(|_| GatewayError::StillRunning),
    }
}

/// What a question is cached under: everything that its answer depends on. Absent for a request that is not to be
/// answered from the cache. Apart from that, what of it is not in the body.
fn question(table: &Table, parts: &Parts, plan: &Plan, ask: &Ask) -> Option<(EntryKey, blake3::Hash)> {
    let rules = table.cache();
    if !rules.enabled {
        return None;
    }
    let chance = ask.chance();
    let is_certain = match chance.temperature {
        Some(temperature) => temperature == 0.0,
        None => rules.absent_temperature_is_zero,
    };
    let is_one = chance.choices.is_none_or(|choices| choices <= 1.0);
    if !is_certain || !is_one || is_unwanted(&parts.headers) {
        return None;
    }
    // a stream is told in events, and what a hosted tool did has none
    if ask.stream() && ask.hosts_tools() {
        return None;
    }
    let canonical = ask.canonical()?;
    let mut hash = Fields::new(CIRCUMSTANCES_CONTEXT);
    for (name, value) in dialect_headers(ask.dialect(), &parts.headers) {
        hash.field(name.as_bytes());
        hash.field(value.as_bytes());
    }
    let combo = plan.resolution.combo();
    hash.field(combo.map_or("", |combo| &combo.name).as_bytes());
    for (_, route) in plan.routes() {
        hash.field(route.provider.id.as_bytes());
        hash.field(route.model.as_bytes());
    }
    hash.field(&plan.max_tokens().unwrap_or(0).to_le_bytes());
    hash.field(&rules.context);
    let circumstances = hash.finish();
    let mut hash = Fields::new(QUESTION_CONTEXT);
    hash.field(circumstances.as_bytes());
    hash.field(&canonical);
    let key = EntryKey {
        generation: rules.generation,
        tenant: plan.tenant().to_owned(),
        hash: hash.finish().into(),
    };
    Some((key, circumstances))
}

fn name(headers: &HeaderMap) -> Option<&[u8]> {
    let values = NAMES.iter().filter_map(|name| headers.get(*name));
    let mut names = values.map(|value| value.as_bytes().trim_ascii());
    names.find(|name| !name.is_empty())
}

fn is_unwanted(headers: &HeaderMap) -> bool {
    let value = headers.get(NO_CACHE).map(|value| value.as_bytes().trim_ascii());
    value.is_some_and(|value| value.eq_ignore_ascii_case(b"true") || value == b"1")
}

/// What a provider of the client's own dialect would hear from it beside the body.
fn dialect_headers(dialect: Dialect, headers: &HeaderMap) -> Vec<(&'static str, String)> {
    let client = |name: &'static str| headers.get(name)?.to_str().ok().map(str::to_owned);
    formats::of(dialect).request_headers(&client)
}

fn rendered(answer: &StoredAnswer, ask: &Ask, rendering: &Rendering) -> Option<Bytes> {
    if !ask.stream() {
        return Some(answer.body.clone());
    }
    let stream = rendering.stream(&answer.body);
    stream
        .inspect_err(|error| tracing::warn!(%error, "a cached answer cannot be streamed"))
        .ok()
}

/// An answer as it is cached, unless it is too large.
fn whole(answer: &StoredAnswer, rendering: &Rendering) -> Option<Bytes> {
    let whole = match answer.stream {
        false => Ok(answer.body.clone()),
        true => rendering.whole(&answer.body),
    };
    let whole = whole.inspect_err(|error| tracing::warn!(%error, "a stream cannot be cached whole"));
    whole.ok().filter(|whole| whole.len() <= MAX_CACHED_BYTES)
}

fn copy(answer: &StoredAnswer, body: Bytes, stream: bool) -> StoredAnswer {
    StoredAnswer {
        body,
        stream,
        provider: answer.provider.clone(),
        model: answer.model.clone(),
        finish_reason: answer.finish_reason.clone(),
        tokens: answer.tokens,
        media_type: answer.media_type.clone(),
    }
}

#[cfg(test)]
mod tests;

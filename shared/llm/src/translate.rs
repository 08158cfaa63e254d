//! One client request on its way to one upstream: passthrough when both speak the same dialect, else
//! decode → neutral model → encode. The only module that sees two dialects.

mod again;
mod call;
mod client_view;
mod pump;
mod question;
mod stop_match;

pub use again::{Chance, Rendering};
pub use call::Call;
pub use pump::Pump;
pub use question::LastQuestion;

use crate::caps::ModelCaps;
use crate::dialect::Dialect;
use crate::error::{DecodeError, EncodeError, UpstreamError};
use crate::event::{Event, EventKind};
use crate::finish::Finish;
use crate::format::{Format, Framing};
use crate::formats;
use crate::formats::openai_completions::Legacy;
use crate::guard::{Personal, ReplyMode};
use crate::head::Head;
use crate::kind::Kind;
use crate::recall::{self, Kept, Known};
use crate::remote::{self, Fetched, Wanted};
use crate::request::Request;
use crate::rewrite::{Rewrite, cap};
use crate::think_tags::ThinkTags;
use crate::usage::Usage;
use crate::work::{Units, Work};
use bytes::Bytes;
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;
use thiserror::Error;

/// Bytes of text per token, roughly, over languages and code.
const BYTES_PER_TOKEN: u64 = 4;
/// A string this long without a space is taken for inline media.
const MEDIA_BYTES: usize = 2048;
/// What a request with calls in it contains, in one dialect or the other.
const CALLS: [&[u8]; 5] = [
    b"tool_calls",
    b"tool_use",
    b"function_call",
    b"functionCall",
    b"tool_call\"",
];
/// What each of those contains: two searches rule out most requests.
static HINTS: LazyLock<[memmem::Finder<'static>; 2]> =
    LazyLock::new(|| [memmem::Finder::new("tool_"), memmem::Finder::new("function")]);
/// What vendors charge for an image of common size.
const TOKENS_PER_MEDIA: u64 = 1500;

/// One client request, read as far as routing needs it.
#[derive(Debug)]
pub struct Ask {
    kind: Kind,
    dialect: Dialect,
    body: Bytes,
    model: String,
    stream: bool,
    framing: Framing,
    include_usage: bool,
    chance: Chance,
    /// What the configuration changes about it.
    rewrite: Option<Arc<Rewrite>>,
    /// The longest answer that is allowed, in tokens.
    cap: Option<u64>,
    /// What is done about personal data in the reply.
    mask: Option<ReplyMode>,
    /// What earlier answers held that the client did not bring back.
    known: Option<Known>,
    /// What it asks for that is not counted in tokens.
    work: Work,
    /// As the client wrote it, where that was no conversation.
    legacy: Option<Legacy>,
    /// Read in full only for an upstream of another dialect, and then once for all attempts.
    request: OnceLock<Result<Arc<Request>, DecodeError>>,
}

/// What a dialect says in the address of a request instead of its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub model: String,
    pub stream: bool,
    pub framing: Framing,
}

/// Where a request is being sent.
#[derive(Debug, Clone)]
pub struct Target {
    pub dialect: Dialect,
    /// The provider's own model id.
    pub model: String,
    pub caps: ModelCaps,
}

/// Why a request cannot be sent to a target.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CallError {
    /// The client's request cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It can, but this target cannot be asked for it.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// What has been seen of a reply so far; the accounting reads it whatever happens to the stream.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The first semantic event arrived: from here on no other upstream may be tried.
    pub started: bool,
    pub usage: Usage,
    /// What was used that is not counted in tokens, of what is no chat.
    pub work: Option<Work>,
    pub finish: Option<Finish>,
    /// The upstream said it failed, or ended before its terminal event.
    pub error: Option<UpstreamError>,
    /// The terminal event was seen.
    pub ended: bool,
    /// Bytes of model output seen, for an estimate when no usage was reported.
    pub output_bytes: u64,
    /// How long the reply has been under way, when the caller says so; some dialects report it.
    pub elapsed: Option<Duration>,
    /// What personal data was found in it, where it is looked for.
    pub personal: Vec<Personal>,
    /// What the client may not bring back of it.
    pub kept: Vec<Kept>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

// === impl Ask ===

impl Ask {
    /// Reads the model, the stream flag, and nothing else; but checks that the whole body is JSON.
    pub fn read(dialect: Dialect, body: Bytes) -> Result<Self, DecodeError> {
        Self::read_for(dialect, None, body)
    }

    /// Reads a request whose model and stream flag are in its address.
    pub fn read_at(dialect: Dialect, address: Address, body: Bytes) -> Result<Self, DecodeError> {
        Self::read_for(dialect, Some(address), body)
    }

    /// Reads a request for something else than chat: the model, and whether it has what it needs.
    pub fn read_as(kind: Kind, body: Bytes) -> Result<Self, DecodeError> {
        if kind == Kind::Completion {
            let (conversation, legacy) = Legacy::read(&body)?;
            let ask = Self::read(Dialect::OpenAiChat, conversation)?;
            return Ok(Self {
                kind,
                legacy: Some(legacy),
                // an answer is kept as the conversation's
                chance: Chance::default(),
                ..ask
            });
        }
        let head = Head::read(&body)?;
        let named = head.get("model").map(text).transpose()?.flatten();
        let model = named.or_else(|| kind.default_model().map(str::to_owned));
        let model = model
            .filter(|model| !model.is_empty())
            .ok_or_else(|| DecodeError::at("model", "Missing model"))?;
        kind.check(&head)?;
        let work = Work::asked(kind, &head);
        let address = Address {
            model,
            stream: kind.streams(&head),
            framing: Framing::Native,
        };
        let ask = Self::read_for(Dialect::OpenAiChat, Some(address), body)?;
        Ok(Self { kind, work, ..ask })
    }

    fn read_for(dialect: Dialect, address: Option<Address>, body: Bytes) -> Result<Self, DecodeError> {
        if !dialect.is_for_clients() {
            let message = format!("{dialect} is how providers are asked; ask the gateway in another dialect");
            return Err(DecodeError::new(message));
        }
        let head = Head::read(&body)?;
        let Address {
            model,
            stream,
            framing,
        } = match address {
            Some(address) => address,
            None => addressed_in(&head, dialect)?,
        };
        if model.is_empty() {
            return Err(DecodeError::at("model", "Missing model"));
        }
        // anything unreadable in there is the upstream's to refuse
        let options = head.get("stream_options").map(RawValue::get);
        let options = options.and_then(|json| serde_json::from_str::<StreamOptions>(json).ok());
        let include_usage = options.and_then(|options| options.include_usage).unwrap_or(false);
        Ok(Self {
            kind: Kind::Chat,
            dialect,
            model,
            stream,
            framing,
            include_usage,
            chance: Chance::read(&head, dialect),
            rewrite: None,
            cap: None,
            mask: None,
            known: None,
            work: Work::default(),
            legacy: None,
            request: OnceLock::new(),
            body,
        })
    }

    /// The same request, to be changed on its way to every target.
    pub fn rewritten(self, rewrite: Option<Arc<Rewrite>>) -> Self {
        Self { rewrite, ..self }
    }

    /// The same request, for an answer of at most so many tokens.
    pub fn capped(self, cap: Option<u64>) -> Self {
        Self { cap, ..self }
    }

    /// The same request, about a recording that may be so long.
    pub fn hearing(self, audio_ms: u64) -> Self {
        let units = Units {
            audio_ms,
            ..self.work.units
        };
        let work = Work { units, ..self.work };
        Self { work, ..self }
    }

    /// What it asks for that is not counted in tokens.
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// The same request, whose reply is to be searched for personal data.
    pub(crate) fn masked(self, mask: Option<ReplyMode>) -> Self {
        Self { mask, ..self }
    }

    /// The calls in it whose turns an upstream of this kind would want back and the client did not bring; none for
    /// one that gets the client's own bytes.
    pub fn unsigned_calls(&self, target: &Target) -> Vec<String> {
        if self.dialect == target.dialect && target.caps.think_tags == ThinkTags::Off {
            return Vec::new();
        }
        if !self.names_calls() {
            return Vec::new();
        }
        // a request that cannot be read is refused where it is sent
        self.request()
            .map(|request| recall::wanted(request, target.dialect, &target.caps))
            .unwrap_or_default()
    }

    /// Whether its history may hold calls; false is certain.
    pub fn names_calls(&self) -> bool {
        HINTS.iter().any(|hint| hint.find(&self.body).is_some())
            && CALLS.iter().any(|name| memmem::find(&self.body, name).is_some())
    }

    /// The same request, with what was kept of the answers in it.
    pub fn recalling(self, known: Known) -> Self {
        let known = (!known.is_empty()).then_some(known);
        Self { known, ..self }
    }

    /// The same request with another body that says the same to routing.
    pub(crate) fn with_body(self, body: Bytes) -> Self {
        Self {
            body,
            request: OnceLock::new(),
            // what was replaced is still in there
            legacy: self.legacy.map(Legacy::without_bytes),
            ..self
        }
    }

    /// As the client sent it, but for what was taken out of it since.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn is_chat(&self) -> bool {
        self.kind.converses()
    }

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub fn format(&self) -> &'static dyn Format {
        formats::of(self.dialect)
    }

    /// As the client wrote it; never empty.
    pub fn model(&self) -> &str {
        &self.model
    }

    pub fn stream(&self) -> bool {
        self.stream
    }

    pub fn framing(&self) -> Framing {
        self.framing
    }

    pub fn body_len(&self) -> usize {
        self.body.len()
    }

    /// A quick upper guess, for reservations: four bytes a token, inline media at a flat rate.
    pub fn estimate_input_tokens(&self) -> u64 {
        let (mut text_bytes, mut media, mut from) = (0, 0, 0);
        for quote in memchr::memchr_iter(b'"', &self.body) {
            let run = &self.body[from..quote];
            from = quote + 1;
            match is_media(run) {
                true => media += 1,
                false => text_bytes += run.len() as u64,
            }
        }
        text_bytes.div_ceil(BYTES_PER_TOKEN) + media * TOKENS_PER_MEDIA
    }

    /// The longest answer that the client asks for, in tokens, all of its choices together; or that it may get.
    /// Absent when nobody set an end to it.
    pub fn output_bound(&self) -> Option<u64> {
        if !self.is_chat() {
            return Some(0);
        }
        let (asked, choices) = cap::asked(self.dialect, &self.body);
        let each = match (asked, self.cap) {
            (Some(asked), Some(cap)) => Some(asked.min(cap)),
            (asked, cap) => asked.or(cap),
        };
        each.map(|each| each.saturating_mul(choices))
    }

    /// The client offers tools, so that an answer may set something in motion.
    pub fn uses_tools(&self) -> bool {
        let Ok(head) = Head::read(&self.body) else {
            return true;
        };
        ["tools", "functions", "toolConfig"]
            .iter()
            .any(|name| head.get(name).is_some())
    }

    /// What stays the same over the turns of a conversation: the model, the instructions, the first words of the user,
    /// the names of the tools. 16 hexadecimal digits; absent when the request cannot be read.
    pub fn conversation(&self) -> Option<String> {
        self.request().ok().map(crate::conversation::fingerprint)
    }

    /// The request in the neutral model.
    pub fn request(&self) -> Result<&Request, DecodeError> {
        self.shared_request().map(AsRef::as_ref)
    }

    fn shared_request(&self) -> Result<&Arc<Request>, DecodeError> {
        let request = self.request.get_or_init(|| {
            // a dialect whose address names the model does not repeat it in the body
            let request = self.format().decode_request(&self.body)?;
            let (model, stream) = (self.model.clone(), self.stream);
            Ok(Arc::new(Request {
                model,
                stream,
                ..request
            }))
        });
        request.as_ref().map_err(Clone::clone)
    }

    /// One attempt at one target.
    pub fn call(&self, target: &Target) -> Result<Call, CallError> {
        Call::new(self, target, &Fetched::default())
    }

    /// The same with the bytes of what the target does not fetch itself.
    pub fn call_with(&self, target: &Target, fetched: &Fetched) -> Result<Call, CallError> {
        Call::new(self, target, fetched)
    }

    /// What has to be fetched for this target. Nothing where the client's bytes are passed on: an upstream of its
    /// own dialect knows what its addresses mean.
    pub fn wanted(&self, target: &Target) -> Result<Vec<Wanted>, DecodeError> {
        if !self.is_chat() || Call::passes(self.dialect, target) {
            return Ok(Vec::new());
        }
        Ok(remote::wanted(self.request()?, target))
    }
}

// === impl Progress ===

impl Progress {
    /// Takes note of one event on its way to the client.
    pub(crate) fn observe(&mut self, event: &Event) {
        self.started |= event.is_semantic();
        match &event.kind {
            EventKind::Delta { text, .. } => self.output_bytes += text.len() as u64,
            EventKind::Usage(usage) => self.usage.merge(usage),
            EventKind::Finish(finish) => self.finish = Some(finish.clone()),
            EventKind::Error(error) => self.error = Some(error.clone()),
            EventKind::End => self.ended = true,
            _ => {}
        }
    }
}

// === functions ===

/// Most dialects name the model and ask for a stream in the body.
fn addressed_in(head: &Head<'_>, dialect: Dialect) -> Result<Address, DecodeError> {
    let model = head.get("model").map(text).transpose()?.flatten();
    let stream = match head.get("stream").map(RawValue::get) {
        None | Some("null") => dialect.streams_by_default(),
        Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(DecodeError::at("stream", "stream must be true or false")),
    };
    Ok(Address {
        model: model.unwrap_or_default(),
        stream,
        framing: Framing::Native,
    })
}

fn text(raw: &RawValue) -> Result<Option<String>, DecodeError> {
    serde_json::from_str(raw.get()).map_err(|_| DecodeError::at("model", "model must be a string"))
}

/// Base64, not prose: long, ASCII, and without a space.
fn is_media(run: &[u8]) -> bool {
    run.len() > MEDIA_BYTES && run[..MEDIA_BYTES].iter().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests;

//! One attempt: the body for the upstream, and how to read its answer.

mod service;

use self::service::Vendored;
use super::client_view::ClientView;
use super::stop_match::StopMatch;
use super::{Ask, CallError, Progress, Pump, Target};
use crate::dialect::Dialect;
use crate::error::{DecodeError, EncodeError, ErrorKind, UpstreamError};
use crate::event::{Event, EventKind};
use crate::format::{Format, Framing, ReplySeed, StreamEncoder, StreamWire, Upstream};
use crate::formats;
use crate::formats::openai_completions::{self, Legacy, TextEncoder, TextTap};
use crate::guard::Mask;
use crate::head::Head;
use crate::kind::Kind;
use crate::normalise::normalise;
use crate::note::Notes;
use crate::relay::FrameRelay;
use crate::remote::Fetched;
use crate::reply::{Fold, Reply};
use crate::request::Request;
use crate::rewrite::cap;
use crate::sequence::Sequencer;
use crate::think_tags::ThinkSplit;
use crate::work::Work;
use bytes::Bytes;
use std::sync::Arc;

#[derive(Debug, Clone)]
pub struct Call {
    kind: Kind,
    /// What is asked for that is not counted in tokens.
    work: Work,
    client: Dialect,
    upstream: Dialect,
    body: Bytes,
    notes: Notes,
    /// How the reply is turned into what the client expects.
    view: ClientView,
    /// Of a text that is to be gone on with: whether it is asked for as one.
    text: Option<Text>,
    /// Of a service that is asked for in the provider's own words.
    vendor: Option<Vendored>,
    /// Thinking that the upstream sends inside its text.
    thinking: ThinkSplit,
    /// Stop sequences the upstream was not told.
    stop: StopMatch,
    /// What is done about personal data.
    mask: Mask,
    /// What the client asked for, where it had to be read.
    request: Option<Arc<Request>>,
    stream: bool,
    include_usage: bool,
    framing: Framing,
}

/// The ways to ask for a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    /// In the client's own bytes, of a provider that offers it.
    Raw,
    /// As a conversation.
    Conversation,
}

// === impl Call ===

impl Call {
    pub(super) fn new(ask: &Ask, target: &Target, fetched: &Fetched) -> Result<Self, CallError> {
        let upstream = formats::upstream(target.dialect);
        let mut call = Self {
            kind: ask.kind,
            work: ask.work.clone(),
            client: ask.dialect,
            upstream: target.dialect,
            body: Bytes::new(),
            notes: Notes::default(),
            view: ClientView::default(),
            text: None,
            vendor: None,
            thinking: ThinkSplit::new(target.caps.think_tags),
            stop: StopMatch::default(),
            mask: Mask::new(ask.mask),
            request: None,
            stream: ask.stream,
            include_usage: ask.include_usage,
            framing: ask.framing,
        };
        if !ask.is_chat() {
            let model = serde_json::Value::from(target.model.as_str()).to_string();
            call.body = Head::read(&ask.body)?.with(&[("model", &model)]);
            return Ok(call);
        }
        if let Some(legacy) = &ask.legacy {
            if let Some(body) = Self::raw(ask, legacy, target)? {
                call.body = body;
                call.text = Some(Text::Raw);
                return Ok(call);
            }
            if let Some(DecodeError { message, param }) = legacy.obstacle().cloned() {
                return Err(EncodeError { message, param }.into());
            }
            call.text = Some(Text::Conversation);
        }
        if call.passthrough() {
            let mut body = ask.body.clone();
            if let Some(rewrite) = &ask.rewrite {
                body = rewrite.splice(&body, target, || ask.request())?;
            }
            if let Some(cap) = ask.cap {
                body = cap::spliced(cap, &body, target)?;
            }
            call.body = call.client().patch_request(&body, target)?;
            if call.mask.changes() {
                // a reply that is written anew may have to repeat some of it
                call.request = ask.shared_request().ok().cloned();
            }
            let body = std::mem::take(&mut call.body);
            call.body = call.client().mend_request(body, target, &mut call.notes);
            return Ok(call);
        }
        let own = ask.shared_request()?;
        let mut request = Request::clone(own);
        if let Some(rewrite) = &ask.rewrite {
            rewrite.apply(&mut request, target);
        }
        if let Some(cap) = ask.cap {
            cap::apply(cap, &mut request);
        }
        fetched.inline(&mut request, target, &mut call.notes);
        if let Some(known) = &ask.known {
            known.restore(&mut request, target, &mut call.notes);
        }
        let names = normalise(&mut request, target, &mut call.notes)?;
        call.view = ClientView::new(ask.dialect, own, names).keeping(target);
        call.request = Some(Arc::clone(own));
        if target.caps.max_stop == Some(0) && !request.stop.is_empty() {
            call.notes.info(
                "stop",
                "unknown to the upstream; the gateway ends the reply there itself",
            );
            call.stop = StopMatch::new(std::mem::take(&mut request.stop));
        }
        call.body = upstream.encode_request(&request, target, &mut call.notes)?.into();
        Ok(call)
    }

    /// The client's bytes, where the target offers to go on with texts and nothing that an operator wants done with
    /// conversations would be left out.
    fn raw(ask: &Ask, legacy: &Legacy, target: &Target) -> Result<Option<Bytes>, DecodeError> {
        let as_it_is = target.caps.completions && ask.rewrite.is_none() && ask.mask.is_none();
        let Some(body) = legacy.bytes().filter(|_| as_it_is) else {
            return Ok(None);
        };
        let body = match ask.cap {
            Some(cap) => openai_completions::capped(body, cap)?,
            None => body.clone(),
        };
        formats::of(Dialect::OpenAiChat)
            .patch_request(&body, target)
            .map(Some)
    }

    /// See [`Call::passthrough`].
    pub(super) fn passes(client: Dialect, target: &Target) -> bool {
        client == target.dialect && !ThinkSplit::new(target.caps.think_tags).is_on()
    }

    pub fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// The same request without the model's earlier reasoning, when that is what the upstream refused: it was
    /// encrypted for another account, or has expired. Or without a summary of the new, where the account may not have
    /// one. To be tried once.
    pub fn without_reasoning(&self, refusal: &UpstreamError) -> Option<Self> {
        if self.kind() != Kind::Chat {
            return None;
        }
        let upstream = self.upstream();
        let body = upstream
            .without_refused_reasoning(&self.body, refusal)
            .or_else(|| {
                // a client of the upstream's own dialect asked for it in so many words, and is told
                let translated = self.client != self.upstream;
                translated.then(|| upstream.without_refused_summary(&self.body, refusal))?
            })?;
        Some(Self { body, ..self.clone() })
    }

    /// What translating the request lost, changed or made up.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Whether client and upstream speak the same dialect and nothing is to be changed, so that bytes are forwarded
    /// and not translated.
    pub fn passthrough(&self) -> bool {
        self.client == self.upstream && !self.thinking.is_on()
    }

    /// Whether the reply's bytes are forwarded too.
    fn relays(&self) -> bool {
        self.passthrough() && !self.mask.changes() && self.text.is_none()
    }

    /// What is asked of the upstream. A text that is asked for in a conversation is chat.
    pub fn kind(&self) -> Kind {
        match self.text {
            Some(Text::Conversation) => Kind::Chat,
            _ => self.kind,
        }
    }

    /// How the upstream streams.
    pub fn wire(&self) -> StreamWire {
        match self.text {
            Some(Text::Raw) => StreamWire::Events,
            _ => self.upstream().streams_as(),
        }
    }

    /// The dialect's headers for the upstream, names in lower case; `client` looks up a header of the client's.
    pub fn headers(&self, client: &dyn Fn(&'static str) -> Option<String>) -> Vec<(&'static str, String)> {
        if !self.kind.converses() {
            let is_json = self.kind != Kind::Speech && self.kind.file().is_none() && !self.stream;
            let accept = if is_json { "application/json" } else { "*/*" };
            return vec![
                ("content-type", "application/json".to_owned()),
                ("accept", accept.to_owned()),
            ];
        }
        let accept = if self.stream {
            self.wire().media_type()
        } else {
            "application/json"
        };
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("accept", accept.to_owned()),
        ];
        let own = |name| {
            if self.client == self.upstream {
                client(name)
            } else {
                None
            }
        };
        if self.text != Some(Text::Raw) {
            headers.extend(self.upstream().request_headers(&own));
        }
        headers
    }

    /// The upstream streams, and so does the client.
    pub fn pump(&self, seed: &ReplySeed) -> Pump {
        let seed = self.seed(seed);
        if self.text == Some(Text::Raw) {
            let tap = TextTap::new(seed.injected_usage);
            return Pump::relay(Box::new(FrameRelay::new(tap)), seed);
        }
        if self.relays() {
            let pump = Pump::relay(self.client().relay(&seed), seed);
            return match self.mask.is_on() {
                true => pump.watched(self.upstream().stream_decoder(), self.mask.clone()),
                false => pump,
            };
        }
        Pump::translate(
            self.upstream().stream_decoder(),
            self.encoder(&seed),
            self.view.clone(),
            self.thinking.clone(),
            self.stop.clone(),
            self.mask.clone(),
            seed,
        )
    }

    /// Neither streams. Passthrough returns the same bytes, once they are known to be a reply.
    pub fn reply(
        &self,
        body: Bytes,
        seed: &ReplySeed,
        progress: &mut Progress,
    ) -> Result<Bytes, UpstreamError> {
        if self.text == Some(Text::Raw) {
            openai_completions::observe(&body, progress)?;
            return Ok(body);
        }
        if !self.kind.converses() {
            progress.usage = self.kind.usage(&body);
            progress.work = Some(self.work.done(self.kind, &body));
            progress.ended = true;
            return Ok(self.kind.named(body, &seed.model));
        }
        if self.relays() {
            self.client().observe_reply(&body, progress)?;
            if self.mask.is_on() {
                self.viewed(self.upstream().decode_reply(&body)?, progress);
            }
            return Ok(body);
        }
        let events = self.upstream().decode_reply(&body)?;
        let reply = self.folded(events, progress)?;
        Ok(self.encoded(&reply, seed))
    }

    /// The client streams, but the upstream answered with one JSON body: the whole client stream.
    pub fn replay(
        &self,
        body: Bytes,
        seed: &ReplySeed,
        progress: &mut Progress,
    ) -> Result<Bytes, UpstreamError> {
        if self.text == Some(Text::Raw) {
            openai_completions::observe(&body, progress)?;
            return Ok(openai_completions::replay(&body));
        }
        let events = self.upstream().decode_reply(&body)?;
        let (mut sequencer, mut sequenced) = (Sequencer::new(), Vec::new());
        self.viewed(events, progress)
            .into_iter()
            .for_each(|event| sequencer.push(event, &mut sequenced));
        let mut encoder = self.encoder(&self.seed(seed));
        encoder.tick(progress.elapsed.unwrap_or_default());
        let mut out = Vec::new();
        for event in sequenced {
            progress.observe(&event);
            if let EventKind::Error(error) = event.kind {
                return Err(error);
            }
            encoder.push(&event, &mut out);
        }
        Ok(out.into())
    }

    /// The client does not stream, but the upstream did: its whole stream as one reply.
    pub fn fold(
        &self,
        body: Bytes,
        seed: &ReplySeed,
        progress: &mut Progress,
    ) -> Result<Bytes, UpstreamError> {
        if self.text == Some(Text::Raw) {
            let message = "upstream sent a stream where a whole completion was asked for";
            return Err(UpstreamError::new(ErrorKind::MalformedUpstream, message));
        }
        let (mut decoder, mut events) = (self.upstream().stream_decoder(), Vec::new());
        decoder.push(&body, &mut events);
        decoder.finish(&mut events);
        let reply = self.folded(events, progress)?;
        Ok(self.encoded(&reply, seed))
    }

    fn encoded(&self, reply: &Reply, seed: &ReplySeed) -> Bytes {
        let seed = self.seed(seed);
        let encoded = match self.text {
            Some(_) => openai_completions::encode(reply, &seed),
            None => self.client().encode_reply(reply, &seed),
        };
        encoded.into()
    }

    fn encoder(&self, seed: &ReplySeed) -> Box<dyn StreamEncoder> {
        match self.text {
            Some(_) => Box::new(TextEncoder::new(seed)),
            None => self.client().stream_encoder(seed),
        }
    }

    fn folded(&self, events: Vec<Event>, progress: &mut Progress) -> Result<Reply, UpstreamError> {
        let mut fold = Fold::new();
        for event in self.viewed(events, progress) {
            progress.observe(&event);
            fold.push(event);
        }
        let mut reply = fold.finish()?;
        reply.elapsed = progress.elapsed;
        let resolved = reply.choices.first().and_then(|choice| choice.finish.clone());
        progress.finish = resolved.or(progress.finish.take());
        Ok(reply)
    }

    fn viewed(&self, events: Vec<Event>, progress: &mut Progress) -> Vec<Event> {
        let (mut thinking, mut stop, mut view, mut mask) = (
            self.thinking.clone(),
            self.stop.clone(),
            self.view.clone(),
            self.mask.clone(),
        );
        let (mut told, mut kept, mut viewed, mut masked) = (
            Vec::new(),
            Vec::new(),
            Vec::new(),
            Vec::with_capacity(events.len()),
        );
        for event in events {
            thinking.pass(event, &mut told);
            told.drain(..).for_each(|event| stop.pass(event, &mut kept));
            kept.drain(..).for_each(|event| view.pass(event, &mut viewed));
            viewed.drain(..).for_each(|event| mask.pass(event, &mut masked));
        }
        mask.report(&mut progress.personal);
        progress.kept.extend(view.take_kept());
        masked
    }

    /// What the client asked for is known here, whatever the caller put in.
    fn seed(&self, seed: &ReplySeed) -> ReplySeed {
        ReplySeed {
            include_usage: self.include_usage,
            injected_usage: self.stream && !self.include_usage,
            framing: self.framing,
            request: self.request.clone(),
            ..seed.clone()
        }
    }

    fn client(&self) -> &'static dyn Format {
        formats::of(self.client)
    }

    fn upstream(&self) -> &'static dyn Upstream {
        formats::upstream(self.upstream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caps::ModelCaps;

    fn call(client: Dialect, upstream: Dialect) -> Call {
        let body = Bytes::from_static(
            br#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}"#,
        );
        let target = Target {
            dialect: upstream,
            model: "n".to_owned(),
            caps: ModelCaps::of(upstream, "n"),
        };
        Ask::read(client, body).unwrap().call(&target).unwrap()
    }

    #[test]
    fn an_upstream_hears_a_clients_version_only_from_a_client_of_its_own_dialect() {
        let sent = |name: &'static str| (name == "anthropic-version").then(|| "2026-10-21".to_owned());
        let version = |call: Call| {
            let headers = call.headers(&sent);
            headers
                .into_iter()
                .find(|(name, _)| *name == "anthropic-version")
                .map(|(_, value)| value)
        };
        let (openai, anthropic) = (Dialect::OpenAiChat, Dialect::AnthropicMessages);
        assert_eq!(version(call(anthropic, anthropic)).as_deref(), Some("2026-10-21"));
        assert_eq!(version(call(openai, anthropic)).as_deref(), Some("2023-06-01"));
        assert_eq!(version(call(anthropic, openai)), None);
    }

    #[test]
    fn a_stream_is_asked_for_as_a_stream() {
        let headers = call(Dialect::AnthropicMessages, Dialect::AnthropicMessages).headers(&|_| None);
        assert!(headers.contains(&("accept", "text/event-stream".to_owned())));
        assert!(headers.contains(&("content-type", "application/json".to_owned())));
    }
}

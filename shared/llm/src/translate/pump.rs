//! One stream on its way from the upstream to the client.

use super::Progress;
use super::client_view::ClientView;
use super::stop_match::StopMatch;
use crate::error::{ErrorKind, PublicError, UpstreamError};
use crate::event::{Event, EventKind};
use crate::format::{Relay, ReplySeed, StreamDecoder, StreamEncoder};
use crate::guard::Mask;
use crate::recall::Kept;
use crate::sequence::Sequencer;
use crate::think_tags::ThinkSplit;
use bytes::Bytes;
use std::fmt;
use std::mem;
use std::time::Duration;

/// Bytes of an upstream stream in, bytes for the client out, and a tally of what went by.
///
/// However the upstream stream ends, what the client gets ends either with its dialect's terminal event or with
/// one well-formed error, never with both and never with neither.
pub struct Pump {
    way: Way,
    /// Reads along with a relay.
    watch: Option<Watch>,
    seed: ReplySeed,
    progress: Progress,
    /// The last word has been said, or the upstream has closed.
    closed: bool,
}

enum Way {
    Relay(Box<dyn Relay>),
    Translate(Box<Translation>),
}

/// Looks for personal data in a stream of which no byte is changed.
struct Watch {
    decoder: Box<dyn StreamDecoder>,
    mask: Mask,
    decoded: Vec<Event>,
    masked: Vec<Event>,
}

struct Translation {
    decoder: Box<dyn StreamDecoder>,
    sequencer: Sequencer,
    encoder: Box<dyn StreamEncoder>,
    view: ClientView,
    thinking: ThinkSplit,
    stop: StopMatch,
    mask: Mask,
    decoded: Vec<Event>,
    told: Vec<Event>,
    kept: Vec<Event>,
    viewed: Vec<Event>,
    masked: Vec<Event>,
    sequenced: Vec<Event>,
}

// === impl Pump ===

impl Pump {
    pub(super) fn relay(relay: Box<dyn Relay>, seed: ReplySeed) -> Self {
        Self::new(Way::Relay(relay), seed)
    }

    pub(super) fn translate(
        decoder: Box<dyn StreamDecoder>,
        encoder: Box<dyn StreamEncoder>,
        view: ClientView,
        thinking: ThinkSplit,
        stop: StopMatch,
        mask: Mask,
        seed: ReplySeed,
    ) -> Self {
        let translation = Translation {
            decoder,
            sequencer: Sequencer::new(),
            encoder,
            view,
            thinking,
            stop,
            mask,
            decoded: Vec::new(),
            told: Vec::new(),
            kept: Vec::new(),
            viewed: Vec::new(),
            masked: Vec::new(),
            sequenced: Vec::new(),
        };
        Self::new(Way::Translate(Box::new(translation)), seed)
    }

    fn new(way: Way, seed: ReplySeed) -> Self {
        Self {
            way,
            watch: None,
            seed,
            progress: Progress::default(),
            closed: false,
        }
    }

    /// The same, with a look at what goes by.
    pub(super) fn watched(mut self, decoder: Box<dyn StreamDecoder>, mask: Mask) -> Self {
        self.watch = Some(Watch {
            decoder,
            mask,
            decoded: Vec::new(),
            masked: Vec::new(),
        });
        self
    }

    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Whether the client can be told inside the stream what becomes of it; else it has to be broken off.
    pub fn has_words(&self) -> bool {
        match &self.way {
            Way::Relay(relay) => relay.has_words(),
            Way::Translate(_) => true,
        }
    }

    /// What is to be kept of the reply; something once, when it is complete.
    pub fn take_kept(&mut self) -> Vec<Kept> {
        mem::take(&mut self.progress.kept)
    }

    /// How long the reply has been under way, before what comes next; some dialects report it.
    pub fn tick(&mut self, elapsed: Duration) {
        self.progress.elapsed = Some(elapsed);
        if let Way::Translate(translation) = &mut self.way {
            translation.encoder.tick(elapsed);
        }
    }

    /// Takes what the upstream sent; appends what the client gets for it.
    pub fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) {
        if self.closed {
            return;
        }
        if let Some(watch) = &mut self.watch {
            watch.decoder.push(&chunk, &mut watch.decoded);
            watch.look(&mut self.progress);
        }
        match &mut self.way {
            Way::Relay(relay) => relay.push(chunk, out, &mut self.progress),
            Way::Translate(translation) => {
                translation.decoder.push(&chunk, &mut translation.decoded);
                self.encode(out);
            }
        }
    }

    /// The upstream closed the stream. Says the last word, which is an error in the client's dialect when the
    /// stream was not complete.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) {
        if self.closed {
            return;
        }
        let failed_before = self.progress.error.is_some();
        if let Some(watch) = &mut self.watch {
            watch.decoder.finish(&mut watch.decoded);
            watch.look(&mut self.progress);
        }
        match &mut self.way {
            Way::Relay(relay) => relay.finish(out, &mut self.progress),
            Way::Translate(translation) => {
                translation.decoder.finish(&mut translation.decoded);
                self.encode(out);
            }
        }
        if self.closed {
            return;
        }
        self.closed = true;
        if failed_before || self.progress.ended && self.progress.error.is_none() {
            return;
        }
        let error = self
            .progress
            .error
            .get_or_insert_with(incomplete)
            .public(&self.seed.id);
        self.say(&error, out);
    }

    /// Ends the stream with an error of the gateway's own, such as a timeout.
    pub fn fail(&mut self, error: &PublicError, out: &mut Vec<Bytes>) {
        if self.closed {
            return;
        }
        self.closed = true;
        let error_seen = UpstreamError::new(error.kind, error.message.clone());
        self.progress.error.get_or_insert(error_seen);
        if !self.progress.ended {
            self.say(error, out);
        }
    }

    fn say(&mut self, error: &PublicError, out: &mut Vec<Bytes>) {
        match &mut self.way {
            Way::Relay(relay) => relay.fail(error, out),
            Way::Translate(translation) => {
                let mut bytes = Vec::new();
                translation.encoder.fail(error, &mut bytes);
                out.push(bytes.into());
            }
        }
    }

    fn encode(&mut self, out: &mut Vec<Bytes>) {
        let Way::Translate(translation) = &mut self.way else {
            return;
        };
        let Translation {
            sequencer,
            encoder,
            view,
            thinking,
            stop,
            decoded,
            told,
            kept,
            viewed,
            mask,
            masked,
            sequenced,
            ..
        } = &mut **translation;
        decoded.drain(..).for_each(|event| thinking.pass(event, told));
        told.drain(..).for_each(|event| stop.pass(event, kept));
        kept.drain(..).for_each(|event| view.pass(event, viewed));
        self.progress.kept.extend(view.take_kept());
        viewed.drain(..).for_each(|event| mask.pass(event, masked));
        masked
            .drain(..)
            .for_each(|event| sequencer.push(event, sequenced));
        mask.report(&mut self.progress.personal);
        let mut bytes = Vec::new();
        for event in sequenced.drain(..) {
            self.progress.observe(&event);
            self.closed |= matches!(event.kind, EventKind::End | EventKind::Error(_));
            match &event.kind {
                EventKind::Error(error) => encoder.fail(&error.public(&self.seed.id), &mut bytes),
                _ => encoder.push(&event, &mut bytes),
            }
        }
        if !bytes.is_empty() {
            out.push(bytes.into());
        }
    }
}

// === impl Watch ===

impl Watch {
    fn look(&mut self, progress: &mut Progress) {
        let (mask, masked) = (&mut self.mask, &mut self.masked);
        self.decoded.drain(..).for_each(|event| mask.pass(event, masked));
        masked.clear();
        mask.report(&mut progress.personal);
    }
}

impl fmt::Debug for Pump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump")
            .field("progress", &self.progress)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

// === functions ===

fn incomplete() -> UpstreamError {
    UpstreamError::new(
        ErrorKind::StreamIncomplete,
        "upstream closed the stream before it was complete",
    )
}

//! A call for what is no chat, to a provider that is asked for it in its own words.

use super::Call;
use crate::error::{ErrorKind, UpstreamError};
use crate::format::ReplySeed;
use crate::provider::Service;
use crate::relay::{FrameRelay, ServiceTap, Sound};
use crate::translate::{CallError, Progress, Pump};
use crate::vendor::{Answer, Done, Fields, Next, Turn, Vendor};
use bytes::Bytes;
use std::sync::Arc;

/// What a client asks for, and in whose words.
#[derive(Debug, Clone)]
pub struct Vendored {
    vendor: &'static dyn Vendor,
    asked: Arc<Fields>,
    first: Turn,
}

// === impl Call ===

impl Call {
    /// The same call, for a service of the provider: in its own words, where it has some.
    pub fn at_service(self, service: &Service, path: &str, model: &str) -> Result<Self, CallError> {
        let Some(vendor) = service.words.vendor() else {
            return Ok(self);
        };
        let asked = Fields::read(model, &self.body)?;
        let first = vendor.begin(&asked, path)?;
        let vendor = Some(Vendored {
            vendor,
            asked: Arc::new(asked),
            first,
        });
        Ok(Self { vendor, ..self })
    }

    /// What is sent first to a provider that is asked in its own words.
    pub fn first_turn(&self) -> Option<Turn> {
        self.vendor.as_ref().map(|vendored| vendored.first.clone())
    }

    /// What comes after the answer to a turn.
    pub fn next_turn(&self, turn: &Turn, answer: &Answer<'_>) -> Result<Next, UpstreamError> {
        let Some(Vendored { vendor, asked, .. }) = &self.vendor else {
            let message = "the provider answers in words of its own";
            return Err(UpstreamError::new(ErrorKind::Internal, message));
        };
        vendor.next(asked, turn, answer)
    }

    /// The answer to a turn is a sound, and for the client as it is.
    pub fn passes_on(&self, turn: &Turn) -> bool {
        let vendored = self.vendor.as_ref();
        vendored.is_some_and(|vendored| vendored.vendor.passes_on(turn))
    }

    /// An answer on its way to the client, as it comes: events, or a sound.
    pub fn passage(&self, in_events: bool, seed: &ReplySeed) -> Pump {
        match in_events {
            true => {
                let tap = ServiceTap::new(self.kind, self.work.clone());
                Pump::relay(Box::new(FrameRelay::new(tap)), seed.clone())
            }
            false => Pump::relay(Box::new(Sound), seed.clone()),
        }
    }

    /// The answer that a provider gave in its own words, for the client.
    pub fn service_reply(&self, done: Done, seed: &ReplySeed, progress: &mut Progress) -> Bytes {
        progress.usage = done.usage;
        progress.work = done.work.or_else(|| Some(self.work.done(self.kind, &done.body)));
        progress.ended = true;
        let body = self.kind.dated(done.body, seed.created, &seed.id);
        self.kind.named(body, &seed.model)
    }
}

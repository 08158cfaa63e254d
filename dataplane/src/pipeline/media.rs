//! Images and documents that a client named by address, for providers that take only the bytes.
//!
//! An address is fetched once per request, before the first attempt that needs it: what was found, and what was
//! not, holds for every provider that is tried afterwards. Without the bytes a request is the client's to mend, so
//! the failure is said as one of the request, and another member of a combo may still take the address as it is.

use super::Gateway;
use crate::upstream::{self, Bounds};
use futures::StreamExt;
use llm::remote::{Fetched, Wanted};
use llm::translate::CallError;
use llm::{Ask, Call, EncodeError, Target};
use runtime::egress::Egress;
use std::sync::atomic::AtomicUsize;
use tokio::time::Instant;

/// Files of one request that are fetched at the same time.
const AT_ONCE: usize = 4;

/// Files of one request. Without a bound one small request would make a crowd of the gateway's.
const MOST: usize = 64;

/// What one request has had fetched so far.
#[derive(Debug, Default)]
pub struct Media {
    fetched: Fetched,
    refused: Vec<(Wanted, EncodeError)>,
}

// === impl Media ===

impl Media {
    /// The attempt at one target, once everything that the target needs is there.
    pub async fn call(
        &mut self,
        gateway: &Gateway,
        ask: &Ask,
        target: &Target,
        until: Instant,
    ) -> Result<Call, CallError> {
        if gateway.media.fetch {
            let wanted = ask.wanted(target)?;
            if !wanted.is_empty() {
                Box::pin(self.bring(gateway, &wanted, until)).await?;
            }
        }
        ask.call_with(target, &self.fetched)
    }

    async fn bring(
        &mut self,
        gateway: &Gateway,
        wanted: &[Wanted],
        until: Instant,
    ) -> Result<(), EncodeError> {
        if let Some(excess) = wanted.get(MOST) {
            return Err(excess.refused(format!("a request may name {MOST} files by their addresses")));
        }
        let missing = wanted
            .iter()
            .filter(|wanted| !self.fetched.has(wanted) && self.refusal(wanted).is_none())
            .collect::<Vec<_>>();
        if !missing.is_empty() {
            self.fetch(gateway, &missing, until).await;
        }
        match wanted.iter().find_map(|wanted| self.refusal(wanted)) {
            Some(refusal) => Err(refusal.clone()),
            None => Ok(()),
        }
    }

    async fn fetch(&mut self, gateway: &Gateway, missing: &[&Wanted], until: Instant) {
        let config = &gateway.media;
        let egress: Egress = gateway.egress.with_private(config.allow_private_addresses);
        let left = AtomicUsize::new(config.max_request_bytes);
        let bounds = Bounds {
            time: config
                .timeout()
                .min(until.saturating_duration_since(Instant::now())),
            bytes: config.max_bytes,
        };
        let fetch = |wanted: &Wanted| {
            let (wanted, egress, left) = (wanted.clone(), &egress, &left);
            async move {
                let found = upstream::fetch(egress, &wanted.url, wanted.kind, bounds, left).await;
                (wanted, found)
            }
        };
        let fetching: Vec<_> = missing.iter().map(|wanted| fetch(wanted)).collect();
        let mut found = futures::stream::iter(fetching).buffer_unordered(AT_ONCE);
        while let Some((wanted, found)) = found.next().await {
            match found {
                Ok(medium) => self.fetched.insert(&wanted, medium),
                Err(error) => {
                    let refusal = wanted.refused(&error);
                    self.refused.push((wanted, refusal));
                }
            }
        }
    }

    fn refusal(&self, wanted: &Wanted) -> Option<&EncodeError> {
        let same = |(known, _): &&(Wanted, EncodeError)| known.url == wanted.url && known.kind == wanted.kind;
        self.refused.iter().find(same).map(|(_, refusal)| refusal)
    }
}

//! Who is let in by address: the lists as they were published last, and the bans.
//!
//! Read from memory on every request. The machine itself is always let in, or a mistake in the lists could only be
//! mended in the database.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use runtime::ip_filter::IpFilter;
use state::{Banned, StateStore};

use crate::{
    error::ApiError,
    http::Client,
    publish::{Newest, Published},
};

#[derive(Debug, Default)]
pub struct Gate {
    /// Absent while it is switched off.
    filter: ArcSwapOption<IpFilter>,
    pub banned: Banned,
}

// === impl Gate ===

impl Gate {
    /// Lets a request in or says why not.
    pub fn admit(&self, client: Client) -> Result<(), ApiError> {
        let filter = self.filter.load();
        let (Some(filter), Some(ip), false) = (filter.as_ref(), client.ip, client.local) else {
            return Ok(());
        };
        if let Some(ban) = self.banned.find(ip) {
            return Err(ApiError::AddressRefused(format!(
                "Temporarily banned: {}",
                ban.reason
            )));
        }
        filter
            .check(ip)
            .map_err(|refusal| ApiError::AddressRefused(refusal.to_string()))
    }

    /// Keeps both current; never ends.
    pub async fn follow(&self, newest: Newest, store: Arc<dyn StateStore>) {
        tokio::join!(self.follow_lists(newest), self.banned.follow(&*store));
    }

    async fn follow_lists(&self, mut newest: Newest) {
        loop {
            let published = newest.borrow_and_update().clone();
            self.filter
                .store(published.as_deref().and_then(filter).map(Arc::new));
            if newest.changed().await.is_err() {
                return;
            }
        }
    }
}

/// What cannot be read was refused when it was written.
fn filter(published: &Published) -> Option<IpFilter> {
    let stored = published.ip_filter().filter(|stored| stored.enabled)?;
    Some(IpFilter::read(&stored.mode, &stored.blacklist, &stored.whitelist).0)
}

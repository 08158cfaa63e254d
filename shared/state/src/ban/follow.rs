//! A plane's own copy of the bans.

use super::Ban;
use crate::StateStore;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A ban holds everywhere within a second.
const POLL: Duration = Duration::from_millis(400);

/// Who is banned, as far as this plane knows. Clones share it.
///
/// While the store is away, what was known goes on to hold until it ends by itself.
#[derive(Debug, Clone, Default)]
pub struct Banned(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    version: u64,
    bans: HashMap<IpAddr, (Instant, Ban)>,
}

// === impl Banned ===

impl Banned {
    /// The ban of this address, if it has one.
    pub fn find(&self, ip: IpAddr) -> Option<Ban> {
        let known = self.0.read();
        let (until, ban) = known.bans.get(&ip.to_canonical())?;
        (*until > Instant::now()).then(|| ban.clone())
    }

    /// All of them, by address.
    pub fn all(&self) -> Vec<Ban> {
        let (known, now) = (self.0.read(), Instant::now());
        let alive = known.bans.values().filter(|(until, _)| *until > now);
        let mut bans: Vec<_> = alive
            .map(|(until, ban)| Ban {
                left: *until - now,
                ..ban.clone()
            })
            .collect();
        bans.sort_by_key(|ban| ban.ip);
        bans
    }

    /// Keeps the copy current; never ends.
    pub async fn follow(&self, store: &dyn StateStore) {
        loop {
            // a store that is away is told of by its guard, not here
            let _ = self.refresh(store).await;
            sleep(POLL).await;
        }
    }

    /// Looks at once: who has just banned somebody need not wait for its own poll.
    pub async fn refresh(&self, store: &dyn StateStore) -> Result<(), crate::StoreError> {
        let version = self.0.read().version;
        let changes = store.bans_since(version).await?;
        if let Some(bans) = changes.bans {
            let now = Instant::now();
            let ends = |ban: Ban| (ban.ip, (now + ban.left, ban));
            *self.0.write() = Known {
                version: changes.version,
                bans: bans.into_iter().map(ends).collect(),
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;
    use tokio::time::advance;

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));
    const MINUTE: Duration = Duration::from_secs(60);

    async fn followed(store: &Arc<MemoryStore>) -> Banned {
        let banned = Banned::default();
        let (follower, store) = (banned.clone(), store.clone());
        tokio::spawn(async move { follower.follow(&*store).await });
        banned
    }

    #[tokio::test(start_paused = true)]
    async fn a_ban_is_known_within_a_second_and_ends_by_itself() {
        let store = Arc::new(MemoryStore::new());
        let banned = followed(&store).await;
        sleep(POLL / 2).await;
        store.ban(IP, "manual", MINUTE).await.unwrap();
        assert_eq!(banned.find(IP), None);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(banned.find(IP).unwrap().reason, "manual");
        assert_eq!(banned.find("::ffff:203.0.113.9".parse().unwrap()).unwrap().ip, IP);
        assert_eq!(banned.all().len(), 1);
        advance(MINUTE).await;
        assert_eq!(banned.find(IP), None);
        assert_eq!(banned.all(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_ban_that_is_lifted_is_forgotten_within_a_second() {
        let store = Arc::new(MemoryStore::new());
        let banned = followed(&store).await;
        store.ban(IP, "manual", MINUTE).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        assert!(store.unban(IP).await.unwrap());
        sleep(Duration::from_secs(1)).await;
        assert_eq!(banned.find(IP), None);
    }
}

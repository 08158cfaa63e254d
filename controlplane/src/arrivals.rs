//! Which requests were stored just now, for whoever watches the log.
//!
//! ```text
//! ingest ──NOTIFY, in the transaction that stores them──▶ Arrivals of every control plane ──▶ those who watch
//! ```
//!
//! The database tells all control planes in the order of its commits, so a reader who lost the connection goes on at any
//! of them behind the last request it saw. The embedded database tells nobody; there is one control plane then, and
//! ingest tells it directly. What a control plane may not have heard, and what a reader takes too slowly, it is told to
//! have missed: the log itself has everything.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use sqlx::{PgConnection, PgPool};
use tokio::sync::broadcast::{Receiver, Sender};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::publish::listen;

const CHANNEL: &str = "usage_stored";
/// A notification has less than 8000 bytes, and an id 36.
const AT_ONCE: usize = 180;
/// Requests behind which a reader can go on.
const REMEMBERED: usize = 2_000;
/// Connections of a pool of which one more may do nothing but listen, beside two others.
const LISTENS_FROM: u32 = 5;
/// What one reader may have before itself.
const UNREAD: usize = 64;

/// Clones share it.
#[derive(Clone)]
pub struct Arrivals(Arc<Shared>);

struct Shared {
    pool: PgPool,
    sender: Sender<News>,
    recent: Mutex<VecDeque<Arc<Stored>>>,
}

#[derive(Clone, Debug)]
pub enum News {
    Stored(Arc<Stored>),
    /// There may have been some that nobody here knows of.
    Missed,
}

/// Requests that were stored together, in the order in which they ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// When the first of them began and the last, Unix time.
    pub from_ms: i64,
    pub to_ms: i64,
    pub ids: Vec<Uuid>,
}

/// What somebody sees who begins to watch.
pub struct Watch {
    pub news: Receiver<News>,
    /// What came behind the request that was asked for; none when that is not known any more.
    pub since: Option<Vec<Stored>>,
}

// === impl Arrivals ===

impl Arrivals {
    pub fn new(pool: &PgPool) -> Self {
        Self(Arc::new(Shared {
            pool: pool.clone(),
            sender: Sender::new(UNREAD),
            recent: Mutex::default(),
        }))
    }

    /// Follows what the database tells, until `stop`.
    pub async fn follow(self, stop: CancellationToken) {
        if !is_told(&self.0.pool) {
            return;
        }
        let heard = |told: Option<&str>| match told.and_then(Stored::parse) {
            Some(stored) => self.stored(stored),
            None => self.missed(),
        };
        stop.run_until_cancelled(listen(&self.0.pool, CHANNEL, heard))
            .await;
    }

    /// Begins with what comes next, or with what came behind a request.
    pub fn watch(&self, behind: Option<Uuid>) -> Watch {
        // under the lock: what is told meanwhile is in one of the two
        let recent = self.0.recent.lock();
        let since = match behind {
            Some(last) => behind_of(&recent, last),
            None => Some(Vec::new()),
        };
        Watch {
            news: self.0.sender.subscribe(),
            since,
        }
    }

    pub fn watchers(&self) -> usize {
        self.0.sender.receiver_count()
    }

    /// Ingest has committed these. Where the database tells of it, it did.
    pub fn committed(&self, stored: Vec<Stored>) {
        if !is_told(&self.0.pool) {
            stored.into_iter().for_each(|stored| self.stored(stored));
        }
    }

    fn stored(&self, stored: Stored) {
        let stored = Arc::new(stored);
        let mut recent = self.0.recent.lock();
        recent.push_back(Arc::clone(&stored));
        let mut held: usize = recent.iter().map(|stored| stored.ids.len()).sum();
        while held > REMEMBERED {
            held -= recent.pop_front().map_or(held, |oldest| oldest.ids.len());
        }
        // nobody watches
        let _ = self.0.sender.send(News::Stored(stored));
    }

    fn missed(&self) {
        let mut recent = self.0.recent.lock();
        recent.clear();
        let _ = self.0.sender.send(News::Missed);
    }
}

// === impl Stored ===

impl Stored {
    /// In as many parts as it takes to tell of them.
    pub fn all(mut requests: impl Iterator<Item = (Uuid, i64)>) -> Vec<Self> {
        let mut parts = Vec::new();
        loop {
            let mut part = Self {
                from_ms: i64::MAX,
                to_ms: i64::MIN,
                ids: Vec::new(),
            };
            for (id, started_at_ms) in requests.by_ref().take(AT_ONCE) {
                part.from_ms = part.from_ms.min(started_at_ms);
                part.to_ms = part.to_ms.max(started_at_ms);
                part.ids.push(id);
            }
            if part.ids.is_empty() {
                return parts;
            }
            parts.push(part);
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        Some(Self {
            from_ms: words.next()?.parse().ok()?,
            to_ms: words.next()?.parse().ok()?,
            ids: words
                .map(|word| Uuid::try_parse(word).ok())
                .collect::<Option<_>>()?,
        })
    }

    fn render(&self) -> String {
        let ids: Vec<String> = self.ids.iter().map(Uuid::to_string).collect();
        format!("{} {} {}", self.from_ms, self.to_ms, ids.join(" "))
    }
}

/// Tells every control plane, once the transaction commits.
pub async fn tell(conn: &mut PgConnection, stored: &[Stored]) -> Result<(), sqlx::Error> {
    let texts: Vec<String> = stored.iter().map(Stored::render).collect();
    sqlx::query!(
        "select pg_notify($1, told) from unnest($2::text[]) as told",
        CHANNEL,
        &texts
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// A small pool has no connection to listen on; then one knows of what one stored oneself.
fn is_told(pool: &PgPool) -> bool {
    pool.options().get_max_connections() >= LISTENS_FROM
}

fn behind_of(recent: &VecDeque<Arc<Stored>>, last: Uuid) -> Option<Vec<Stored>> {
    let place = |stored: &Stored| stored.ids.iter().position(|id| *id == last);
    let (number, at) = recent
        .iter()
        .enumerate()
        .find_map(|(number, stored)| Some((number, place(stored)?)))?;
    let rest = Stored {
        ids: recent[number].ids[at + 1..].to_vec(),
        ..*recent[number].as_ref()
    };
    let later = recent.iter().skip(number + 1).map(|stored| Stored::clone(stored));
    Some(std::iter::once(rest).chain(later).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<Uuid> {
        (0..count).map(|_| Uuid::now_v7()).collect()
    }

    #[test]
    fn what_is_told_fits_into_a_notification_and_reads_back() {
        let ids = ids(400);
        let parts = Stored::all(ids.iter().zip(1_000_i64..).map(|(id, ms)| (*id, ms)));
        let counts: Vec<_> = parts.iter().map(|part| part.ids.len()).collect();
        assert_eq!(counts, [180, 180, 40]);
        assert_eq!((parts[1].from_ms, parts[1].to_ms), (1_180, 1_359));
        for part in &parts {
            let text = part.render();
            assert!(text.len() < 8_000, "{}", text.len());
            assert_eq!(Stored::parse(&text).as_ref(), Some(part));
        }
        for strange in ["", "1", "1 2 x", "now then"] {
            assert_eq!(Stored::parse(strange), None, "{strange}");
        }
    }

    #[test]
    fn a_reader_goes_on_behind_what_it_saw_last_and_nowhere_when_that_is_forgotten() {
        let ids = ids(4);
        let recent: VecDeque<_> = [&ids[..3], &ids[3..]]
            .map(|ids| {
                Arc::new(Stored {
                    ids: ids.to_vec(),
                    ..Stored::default()
                })
            })
            .into();
        let behind = |last| {
            let found = behind_of(&recent, last)?;
            Some(
                found
                    .into_iter()
                    .flat_map(|stored| stored.ids)
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(behind(ids[0]), Some(vec![ids[1], ids[2], ids[3]]));
        assert_eq!(behind(ids[3]), Some(vec![]));
        assert_eq!(behind(Uuid::now_v7()), None);
    }
}

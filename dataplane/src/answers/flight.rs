//! Requests of this process that are the same: one of them leads, the others wait for what comes of it.

use parking_lot::Mutex;
use state::EntryKey;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;

/// What runs now.
#[derive(Debug)]
pub struct Flights<V>(Arc<Mutex<Running<V>>>);

type Running<V> = HashMap<EntryKey, watch::Receiver<Option<V>>>;

#[derive(Debug)]
pub enum Seat<V> {
    Lead(Lead<V>),
    Follow(Follow<V>),
}

/// The right to act for all that ask the same. Dropped without a landing, it goes to the next one that asks.
#[derive(Debug)]
pub struct Lead<V> {
    flights: Flights<V>,
    key: EntryKey,
    landing: watch::Sender<Option<V>>,
}

#[derive(Debug)]
pub struct Follow<V>(watch::Receiver<Option<V>>);

// === impl Flights ===

impl<V> Default for Flights<V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<V> Clone for Flights<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V> Flights<V> {
    pub fn enter(&self, key: &EntryKey) -> Seat<V> {
        let mut running = self.0.lock();
        if let Some(landing) = running.get(key) {
            return Seat::Follow(Follow(landing.clone()));
        }
        let (landing, landed) = watch::channel(None);
        running.insert(key.clone(), landed);
        Seat::Lead(Lead {
            flights: self.clone(),
            key: key.clone(),
            landing,
        })
    }

    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

// === impl Lead ===

impl<V> Lead<V> {
    /// Hands the outcome to all that wait.
    pub fn land(self, value: V) {
        self.landing.send_replace(Some(value));
    }
}

impl<V> Drop for Lead<V> {
    fn drop(&mut self) {
        self.flights.0.lock().remove(&self.key);
    }
}

// === impl Follow ===

impl<V: Clone> Follow<V> {
    /// What came of it; `None` when the leader gave up.
    pub async fn landing(mut self) -> Option<V> {
        let landed = self.0.wait_for(Option::is_some).await.ok()?;
        landed.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;

    fn key(byte: u8) -> EntryKey {
        EntryKey {
            generation: 1,
            tenant: "t".to_owned(),
            hash: [byte; 32],
        }
    }

    fn lead(seat: Seat<u32>) -> Lead<u32> {
        match seat {
            Seat::Lead(lead) => lead,
            Seat::Follow(_) => panic!("somebody leads already"),
        }
    }

    fn follow(seat: Seat<u32>) -> Follow<u32> {
        match seat {
            Seat::Follow(follow) => follow,
            Seat::Lead(_) => panic!("nobody leads"),
        }
    }

    #[tokio::test]
    async fn all_that_follow_get_what_the_leader_lands() {
        let flights = Flights::default();
        let first = lead(flights.enter(&key(1)));
        let other = lead(flights.enter(&key(2)));
        let followers: Vec<_> = (0..50).map(|_| follow(flights.enter(&key(1)))).collect();
        first.land(7);
        let landed = join_all(followers.into_iter().map(Follow::landing)).await;
        assert_eq!(landed, vec![Some(7); 50]);
        drop(other);
        assert!(flights.is_empty());
    }

    #[tokio::test]
    async fn when_a_leader_gives_up_exactly_one_of_the_others_leads() {
        let flights = Flights::default();
        let first = lead(flights.enter(&key(1)));
        let followers: Vec<_> = (0..50).map(|_| follow(flights.enter(&key(1)))).collect();
        drop(first);
        let mut leaders = Vec::new();
        for landed in join_all(followers.into_iter().map(Follow::landing)).await {
            assert_eq!(landed, None);
            leaders.extend(match flights.enter(&key(1)) {
                Seat::Lead(lead) => Some(lead),
                Seat::Follow(_) => None,
            });
        }
        assert_eq!(leaders.len(), 1);
    }
}

//! Delays between attempts to reconnect: exponential with full jitter, so that a fleet that lost its control
//! plane does not come back as one.

use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    ceiling: Duration,
}

// === impl Backoff ===

impl Backoff {
    /// Draws each delay between `min` and a ceiling that doubles from twice `min` up to `max`.
    ///
    /// The first delay is drawn too: it is the one that all who lost the same peer wait at the same time.
    pub fn full_jitter(min: Duration, max: Duration) -> Self {
        let max = max.max(min);
        Self {
            min,
            max,
            ceiling: first_ceiling(min, max),
        }
    }

    pub fn next_delay(&mut self) -> Duration {
        let delay = self.min + (self.ceiling - self.min).mul_f64(rand::random());
        self.ceiling = self.ceiling.saturating_mul(2).min(self.max);
        delay
    }

    /// Back to the start, after something worked.
    pub fn reset(&mut self) {
        self.ceiling = first_ceiling(self.min, self.max);
    }
}

fn first_ceiling(min: Duration, max: Duration) -> Duration {
    min.saturating_mul(2).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const MIN: Duration = Duration::from_millis(200);
    const MAX: Duration = Duration::from_secs(15);

    #[test]
    fn delays_grow_inside_their_bounds_and_start_over_after_success() {
        let mut backoff = Backoff::full_jitter(MIN, MAX);
        assert!((MIN..=2 * MIN).contains(&backoff.next_delay()));
        let delays: Vec<_> = (0..200).map(|_| backoff.next_delay()).collect();
        assert!(
            delays.iter().all(|delay| (MIN..=MAX).contains(delay)),
            "{delays:?}"
        );
        assert!(
            delays.iter().any(|delay| *delay > MAX / 2),
            "it never grew: {delays:?}"
        );
        backoff.reset();
        assert!((MIN..=2 * MIN).contains(&backoff.next_delay()));
    }

    #[test]
    fn a_fleet_does_not_come_back_as_one() {
        let first: HashSet<_> = (0..100)
            .map(|_| Backoff::full_jitter(MIN, MAX).next_delay())
            .collect();
        assert!(first.len() > 90, "{first:?}");
    }

    #[test]
    fn bounds_that_leave_no_room_give_one_delay() {
        let mut backoff = Backoff::full_jitter(MAX, MIN);
        assert_eq!((backoff.next_delay(), backoff.next_delay()), (MAX, MAX));
    }
}

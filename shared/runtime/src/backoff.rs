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
    /// Draws each delay between `min` and a ceiling that doubles from `min` to `max`.
    pub fn full_jitter(min: Duration, max: Duration) -> Self {
        Self {
            min,
            max,
            ceiling: min,
        }
    }

    pub fn next_delay(&mut self) -> Duration {
        let delay = self.min + self.ceiling.saturating_sub(self.min).mul_f64(rand::random());
        self.ceiling = (self.ceiling * 2).min(self.max);
        delay
    }

    /// Back to the start, after something worked.
    pub fn reset(&mut self) {
        self.ceiling = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_inside_their_bounds_and_start_over_after_success() {
        let (min, max) = (Duration::from_millis(200), Duration::from_secs(15));
        let mut backoff = Backoff::full_jitter(min, max);
        assert_eq!(backoff.next_delay(), min);
        for _ in 0..100 {
            let delay = backoff.next_delay();
            assert!((min..=max).contains(&delay), "{delay:?}");
        }
        backoff.reset();
        assert_eq!(backoff.next_delay(), min);
    }
}

//! Randomness that can be had again: SplitMix64 over the recorded seed.
//!
//! Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014. Its sequence is part of the
//! record format: a library may change its generator between versions, and an old decision must still replay.

use crate::DecideError;

pub(crate) struct Draw {
    state: Option<u64>,
}

// === impl Draw ===

impl Draw {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> Result<u64, DecideError> {
        let state = self.state.as_mut().ok_or(DecideError::Missing("seed"))?;
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(z ^ (z >> 31))
    }

    /// Uniform below `n`, which is not 0. The bias of the multiplication is under `n / 2^64`.
    pub(crate) fn below(&mut self, n: usize) -> Result<usize, DecideError> {
        let wide = u128::from(self.next()?) * n as u128;
        Ok(usize::try_from(wide >> 64).unwrap_or(0))
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn fraction(&mut self) -> Result<f64, DecideError> {
        // 53 bits are what an f64 can tell apart
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
        let numerator = (self.next()? >> 11) as f64;
        Ok(numerator / (1u64 << 53) as f64)
    }

    /// Fisher and Yates.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) -> Result<(), DecideError> {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1)?);
        }
        Ok(())
    }
}

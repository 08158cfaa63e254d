//! Token counts in one convention: totals include everything, absent is not zero.

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// All prompt tokens: uncached, cache reads and cache writes.
    pub input_total: Option<u64>,
    pub cache_read: Option<u64>,
    pub cache_write: Option<u64>,
    pub cache_write_5m: Option<u64>,
    pub cache_write_1h: Option<u64>,
    /// Visible output and reasoning together.
    pub output_total: Option<u64>,
    pub reasoning: Option<u64>,
    pub audio_input: Option<u64>,
    pub audio_output: Option<u64>,
}

/// The same tokens as disjoint classes, which is what prices apply to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenClasses {
    pub input_uncached: u64,
    pub input_cache_read: u64,
    pub input_cache_write: u64,
    /// Of those written, what the cache keeps for an hour. Its price is another, so it is counted beside its class.
    pub input_cache_write_1h: u64,
    pub output_visible: u64,
    pub output_reasoning: u64,
}

// === impl Usage ===

impl Usage {
    pub fn is_absent(&self) -> bool {
        *self == Self::default()
    }

    /// Takes every field that `later` knows. Snapshots are cumulative, so nothing is added up.
    pub fn merge(&mut self, later: &Self) {
        fn newer(slot: &mut Option<u64>, value: Option<u64>) {
            if value.is_some() {
                *slot = value;
            }
        }
        newer(&mut self.input_total, later.input_total);
        newer(&mut self.cache_read, later.cache_read);
        newer(&mut self.cache_write, later.cache_write);
        newer(&mut self.cache_write_5m, later.cache_write_5m);
        newer(&mut self.cache_write_1h, later.cache_write_1h);
        newer(&mut self.output_total, later.output_total);
        newer(&mut self.reasoning, later.reasoning);
        newer(&mut self.audio_input, later.audio_input);
        newer(&mut self.audio_output, later.audio_output);
    }

    /// Prompt tokens that were neither read from nor written to a cache.
    ///
    /// Saturating: when a compatible server reports a total that excludes its cache tokens, the total is taken
    /// as the uncached count.
    pub fn input_uncached(&self) -> Option<u64> {
        let total = self.input_total?;
        let cached = self
            .cache_read
            .unwrap_or(0)
            .saturating_add(self.cache_write.unwrap_or(0));
        Some(total.checked_sub(cached).unwrap_or(total))
    }

    pub fn total(&self) -> Option<u64> {
        match (self.input_total, self.output_total) {
            (None, None) => None,
            (input, output) => Some(input.unwrap_or(0).saturating_add(output.unwrap_or(0))),
        }
    }

    pub fn classes(&self) -> TokenClasses {
        let output = self.output_total.unwrap_or(0);
        let reasoning = self.reasoning.unwrap_or(0).min(output);
        TokenClasses {
            input_uncached: self.input_uncached().unwrap_or(0),
            input_cache_read: self.cache_read.unwrap_or(0),
            input_cache_write: self.cache_write.unwrap_or(0),
            input_cache_write_1h: self
                .cache_write_1h
                .unwrap_or(0)
                .min(self.cache_write.unwrap_or(0)),
            output_visible: output - reasoning,
            output_reasoning: reasoning,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_snapshot_replaces_and_never_adds() {
        let mut usage = Usage {
            input_total: Some(10),
            output_total: Some(1),
            ..Usage::default()
        };
        usage.merge(&Usage {
            output_total: Some(7),
            ..Usage::default()
        });
        assert_eq!(
            usage,
            Usage {
                input_total: Some(10),
                output_total: Some(7),
                ..Usage::default()
            }
        );
    }

    #[test]
    fn classes_are_disjoint_and_sum_to_the_totals() {
        let usage = Usage {
            input_total: Some(100),
            cache_read: Some(60),
            cache_write: Some(10),
            output_total: Some(20),
            reasoning: Some(5),
            ..Usage::default()
        };
        let c = usage.classes();
        assert_eq!(c.input_uncached + c.input_cache_read + c.input_cache_write, 100);
        assert_eq!(c.output_visible + c.output_reasoning, 20);
    }

    #[test]
    fn a_total_that_excludes_cache_tokens_is_not_driven_below_zero() {
        let usage = Usage {
            input_total: Some(5),
            cache_read: Some(60),
            ..Usage::default()
        };
        assert_eq!(usage.input_uncached(), Some(5));
    }
}

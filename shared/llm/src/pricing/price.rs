//! What a million tokens cost, by their class.

use super::MILLION;
use crate::usage::TokenClasses;

/// Nano-USD per million tokens of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    pub input: u64,
    pub output: u64,
    pub cached: u64,
    pub reasoning: u64,
    pub cache_creation: u64,
}

// === impl Price ===

impl Price {
    /// What tokens cost, in nano-USD, rounded to the nearest.
    pub fn cost_nano(&self, tokens: &TokenClasses) -> u64 {
        let classes = [
            (tokens.input_uncached, self.input),
            (tokens.input_cache_read, self.cached),
            (
                tokens
                    .input_cache_write
                    .saturating_sub(tokens.input_cache_write_1h),
                self.cache_creation,
            ),
            (tokens.input_cache_write_1h, self.cache_creation_1h()),
            (tokens.output_visible, self.output),
            (tokens.output_reasoning, self.reasoning),
        ];
        let millionths: u128 = classes
            .iter()
            .map(|(tokens, price)| u128::from(*tokens) * u128::from(*price))
            .sum();
        u64::try_from((millionths + MILLION / 2) / MILLION).unwrap_or(u64::MAX)
    }

    /// Of tokens that the provider's cache keeps for an hour: twice those that are not written there, as Anthropic
    /// charges, and never less than those kept for a shorter time.
    /// <https://docs.claude.com/en/docs/build-with-claude/prompt-caching#pricing>
    pub fn cache_creation_1h(&self) -> u64 {
        self.cache_creation.max(self.input.saturating_mul(2))
    }

    /// The most that so many tokens can cost, whatever class they turn out to be of.
    pub fn most_nano(&self, input: u64, output: u64) -> u64 {
        let input = u128::from(input) * u128::from(self.input.max(self.cached).max(self.cache_creation));
        let output = u128::from(output) * u128::from(self.output.max(self.reasoning));
        u64::try_from((input + output).div_ceil(MILLION)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_tokens_has_its_price_and_the_sum_is_rounded_once() {
        let price = Price {
            input: 3_000_000_000,
            output: 15_000_000_000,
            cached: 300_000_000,
            reasoning: 22_500_000_000,
            cache_creation: 3_750_000_000,
        };
        let tokens = TokenClasses {
            input_uncached: 1000,
            input_cache_read: 100,
            input_cache_write: 10,
            output_visible: 20,
            output_reasoning: 4,
            ..TokenClasses::default()
        };
        assert_eq!(
            price.cost_nano(&tokens),
            3_000_000 + 30_000 + 37_500 + 300_000 + 90_000
        );
        let cheap = |input| Price { input, ..price };
        let one = TokenClasses {
            input_uncached: 1,
            ..TokenClasses::default()
        };
        let rounded = [(499_999, 0), (500_000, 1), (1_499_999, 1)];
        for (input, nano) in rounded {
            assert_eq!(cheap(input).cost_nano(&one), nano);
        }
        assert!(price.most_nano(1110, 24) >= price.cost_nano(&tokens));
        assert_eq!(
            Price {
                input: u64::MAX,
                ..price
            }
            .most_nano(u64::MAX, 0),
            u64::MAX
        );
    }
}

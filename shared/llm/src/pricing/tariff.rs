//! All that is said about what a model costs, and what that makes of what was used.

use super::{Price, UnitPrice};
use crate::usage::TokenClasses;
use crate::work::Units;

/// What a model costs: by tokens, by what it makes, hears or reads out, or in either way. With neither, nobody knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tariff {
    pub tokens: Option<Price>,
    pub units: UnitPrice,
}

/// What an operator says about a price, in nano-USD per million tokens and per unit: a field that is set wins over the
/// list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PriceOverride {
    pub input: Option<u64>,
    pub output: Option<u64>,
    pub cached: Option<u64>,
    pub reasoning: Option<u64>,
    pub cache_creation: Option<u64>,
    pub units: UnitPrice,
}

// === impl Tariff ===

impl Tariff {
    /// Nobody says what it costs.
    pub fn is_unknown(&self) -> bool {
        self.tokens.is_none() && self.units.is_absent()
    }

    /// What was used costs, in nano-USD; `None` where nobody knows. A price by the unit is the whole price: tokens that
    /// are told beside it are another account of the same thing.
    pub fn cost_nano(&self, tokens: &TokenClasses, units: &Units) -> Option<u64> {
        if let Some(cost) = self.units.cost_nano(units) {
            return Some(cost);
        }
        let counts = *tokens != TokenClasses::default();
        match (counts, units.is_none()) {
            (false, true) => Some(0),
            (false, false) => None,
            (true, _) => Some(self.tokens?.cost_nano(tokens)),
        }
    }

    /// The most that a request can cost; `None` where nobody knows.
    pub fn most_nano(&self, input: u64, output: u64, units: &Units) -> Option<u64> {
        let by_unit = self.units.cost_nano(units);
        by_unit.or_else(|| Some(self.tokens?.most_nano(input, output)))
    }
}

// === impl PriceOverride ===

impl PriceOverride {
    /// What comes out over what the list says; unknown while nobody says what input and output cost, nor a unit.
    pub fn over(&self, listed: Option<&Tariff>) -> Tariff {
        let listed = listed.copied().unwrap_or_default();
        Tariff {
            tokens: self.tokens_over(listed.tokens.as_ref()),
            units: self.units.over(&listed.units),
        }
    }

    /// Whether something of what is said comes to nothing, because nobody says what input and output cost.
    pub fn is_incomplete(&self, listed: Option<&Tariff>) -> bool {
        let units_alone = Self {
            units: self.units,
            ..Self::default()
        };
        let says_tokens = *self != units_alone;
        says_tokens && self.over(listed).tokens.is_none()
    }

    /// Rates that nobody gave are those of the tokens they are a kind of.
    fn tokens_over(&self, listed: Option<&Price>) -> Option<Price> {
        let input = self.input.or(listed.map(|price| price.input))?;
        let output = self.output.or(listed.map(|price| price.output))?;
        let rate = |own: Option<u64>, listed: Option<u64>, kind: u64| own.or(listed).unwrap_or(kind);
        Some(Price {
            input,
            output,
            cached: rate(self.cached, listed.map(|price| price.cached), input),
            reasoning: rate(self.reasoning, listed.map(|price| price.reasoning), output),
            cache_creation: rate(
                self.cache_creation,
                listed.map(|price| price.cache_creation),
                input,
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: Price = Price {
        input: 10,
        output: 20,
        cached: 1,
        reasoning: 25,
        cache_creation: 12,
    };

    fn by_image(image: u64) -> UnitPrice {
        UnitPrice {
            image: Some(image),
            ..UnitPrice::default()
        }
    }

    #[test]
    fn what_an_operator_says_wins_field_by_field() {
        let listed = Tariff {
            tokens: Some(LISTED),
            units: by_image(4),
        };
        let says = PriceOverride {
            input: Some(7),
            cached: Some(0),
            ..PriceOverride::default()
        };
        let over = Price {
            input: 7,
            cached: 0,
            ..LISTED
        };
        assert_eq!(says.over(Some(&listed)).tokens, Some(over));
        assert_eq!(says.over(Some(&listed)).units, by_image(4));
        assert!(says.over(None).is_unknown(), "nobody says what output costs");
        assert!(says.is_incomplete(None) && !says.is_incomplete(Some(&listed)));
        let both = PriceOverride {
            output: Some(9),
            cached: None,
            ..says
        };
        let alone = Price {
            input: 7,
            output: 9,
            cached: 7,
            reasoning: 9,
            cache_creation: 7,
        };
        assert_eq!(both.over(None).tokens, Some(alone));
        let picture = PriceOverride {
            units: by_image(5),
            ..PriceOverride::default()
        };
        assert_eq!(picture.over(None).units, by_image(5));
        assert!(!picture.is_incomplete(None), "a unit needs no tokens");
    }

    #[test]
    fn a_price_by_the_unit_is_the_whole_price_and_without_any_nobody_knows() {
        let tokens = TokenClasses {
            input_uncached: 1_000_000,
            ..TokenClasses::default()
        };
        let none = TokenClasses::default();
        let images = Units {
            images: 2,
            ..Units::default()
        };
        let by = |tokens, units| Tariff { tokens, units };
        let nothing = UnitPrice::default();
        for (tariff, tokens, units, cost) in [
            (by(Some(LISTED), by_image(4)), tokens, images, Some(8)),
            (by(Some(LISTED), nothing), tokens, images, Some(10)),
            (by(Some(LISTED), nothing), none, images, None),
            (by(None, by_image(4)), none, images, Some(8)),
            (by(None, by_image(4)), tokens, Units::default(), None),
            (by(None, nothing), none, images, None),
            (by(None, nothing), none, Units::default(), Some(0)),
        ] {
            assert_eq!(tariff.cost_nano(&tokens, &units), cost, "{tariff:?} {units:?}");
        }
    }
}

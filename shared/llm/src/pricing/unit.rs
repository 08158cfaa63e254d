//! What providers charge for that is not counted in tokens.

use super::MILLION;
use crate::work::Units;

const MILLIS_OF_MINUTE: u128 = 60_000;

/// Nano-USD for one of each; absent where nobody charges for it so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnitPrice {
    /// One picture.
    pub image: Option<u64>,
    /// A minute of a recording that is listened to.
    pub audio_minute: Option<u64>,
    /// A million characters that are read out.
    pub characters: Option<u64>,
    /// One search of a reranker, as its vendor counts them.
    pub search: Option<u64>,
}

// === impl UnitPrice ===

impl UnitPrice {
    pub fn is_absent(&self) -> bool {
        *self == Self::default()
    }

    /// What these cost, in nano-USD, rounded once to the nearest. `None` where there is nothing of what has a price, or
    /// something of what has none.
    pub fn cost_nano(&self, units: &Units) -> Option<u64> {
        let kinds = [
            (units.images, self.image, 1),
            (units.audio_ms, self.audio_minute, MILLIS_OF_MINUTE),
            (units.characters, self.characters, MILLION),
            (units.searches, self.search, 1),
        ];
        let mut cost = None;
        for (count, price, per) in kinds.into_iter().filter(|(count, _, _)| *count > 0) {
            let exact = u128::from(count) * u128::from(price?);
            let rounded = u64::try_from((exact + per / 2) / per).unwrap_or(u64::MAX);
            cost = Some(cost.unwrap_or(0_u64).saturating_add(rounded));
        }
        cost
    }

    /// What is said here, and below that what is said there.
    pub fn over(&self, listed: &Self) -> Self {
        Self {
            image: self.image.or(listed.image),
            audio_minute: self.audio_minute.or(listed.audio_minute),
            characters: self.characters.or(listed.characters),
            search: self.search.or(listed.search),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_has_its_price_in_whole_nanos() {
        let price = UnitPrice {
            image: Some(40_000_000),
            audio_minute: Some(6_000_000),
            characters: Some(15_000_000_000),
            search: None,
        };
        let none = Units::default();
        for (units, cost) in [
            (Units { images: 3, ..none }, Some(120_000_000)),
            (
                Units {
                    audio_ms: 9_000,
                    ..none
                },
                Some(900_000),
            ),
            (Units { audio_ms: 1, ..none }, Some(100)),
            (
                Units {
                    characters: 13,
                    ..none
                },
                Some(195_000),
            ),
            (Units { searches: 1, ..none }, None),
            (none, None),
        ] {
            assert_eq!(price.cost_nano(&units), cost, "{units:?}");
        }
        let cheap = UnitPrice {
            audio_minute: Some(1),
            ..UnitPrice::default()
        };
        for (audio_ms, nano) in [(29_999, 0), (30_000, 1), (89_999, 1)] {
            assert_eq!(cheap.cost_nano(&Units { audio_ms, ..none }), Some(nano));
        }
    }
}

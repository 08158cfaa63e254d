//! Prices that an operator set.

use llm::pricing::dated::Period;
use llm::pricing::{PriceOverride, UnitPrice};
use proto::v1;

pub(super) fn read(price: &v1::PriceOverride) -> PriceOverride {
    PriceOverride {
        input: price.input,
        output: price.output,
        cached: price.cached,
        reasoning: price.reasoning,
        cache_creation: price.cache_creation,
        units: UnitPrice {
            image: price.image,
            audio_minute: price.audio_minute,
            characters: price.characters,
            search: price.search,
        },
    }
}

pub(super) fn read_period(period: &v1::PricePeriod) -> Period {
    Period {
        from_ms: period.from_ms,
        price: PriceOverride {
            input: period.input,
            output: period.output,
            cached: period.cached,
            reasoning: period.reasoning,
            cache_creation: period.cache_creation,
            ..PriceOverride::default()
        },
    }
}

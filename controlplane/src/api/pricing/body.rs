//! Prices as an operator writes them, in USD, and as they are kept, in nano-USD.

use std::collections::BTreeMap;

use llm::pricing::{PriceOverride, UnitPrice};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::http::{Body, Patch, Violations};

const MODEL_CHARS: usize = 300;
const MAX_USD: f64 = 100_000.0;
const NANO_PER_USD: u64 = 1_000_000_000;
pub(super) const FIELDS: [&str; 9] = [
    "input",
    "output",
    "cached",
    "reasoning",
    "cache_creation",
    "image",
    "audio_minute",
    "characters",
    "search",
];

/// Amounts by provider and model. Clients name a provider as they call its models, or by its id.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(transparent)]
pub(super) struct PricingBody(pub(super) BTreeMap<String, BTreeMap<String, PriceBody>>);

/// USD per million tokens, or as each field says; 0 to 100000. `null` goes back to the built-in amount. Pictures may
/// cost by what they are like: behind the model comes the quality, the size, or both, as in `dall-e-3#hd#1792x1024`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PriceBody {
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    input: Patch<f64>,
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    output: Patch<f64>,
    /// Tokens read from the provider's cache.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    cached: Patch<f64>,
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    reasoning: Patch<f64>,
    /// Tokens written to the provider's cache.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    cache_creation: Patch<f64>,
    /// For one picture. Of what has a price like this and those below, tokens are not charged beside it.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    image: Patch<f64>,
    /// For a minute of a recording that is transcribed or translated.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    audio_minute: Patch<f64>,
    /// For a million characters that are read out.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    characters: Patch<f64>,
    /// For one search of a reranker, as its provider counts them.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    search: Patch<f64>,
}

// === impl PricingBody ===

impl Body for PricingBody {
    fn check(&self, violations: &mut Violations) {
        if self.0.values().all(BTreeMap::is_empty) {
            violations.add("", "must name at least one model of a provider");
        }
        for (provider, models) in &self.0 {
            for (model, price) in models {
                let path = format!("{provider}.{model}");
                violations.length(&path, model, 1..=MODEL_CHARS);
                for (field, amount) in FIELDS.iter().zip(price.amounts()) {
                    if let Some(usd) = amount.set() {
                        violations.range(&format!("{path}.{field}"), *usd, 0.0..=MAX_USD);
                    }
                }
            }
        }
    }
}

// === impl PriceBody ===

impl PriceBody {
    /// In the order of [`FIELDS`].
    fn amounts(&self) -> [Patch<f64>; 9] {
        [
            self.input,
            self.output,
            self.cached,
            self.reasoning,
            self.cache_creation,
            self.image,
            self.audio_minute,
            self.characters,
            self.search,
        ]
    }

    pub(super) fn over(&self, before: PriceOverride) -> PriceOverride {
        let over = |amount: Patch<f64>, before: Option<u64>| match amount {
            Patch::Keep => before,
            Patch::Clear => None,
            Patch::Set(usd) => Some(nano(usd)),
        };
        PriceOverride {
            input: over(self.input, before.input),
            output: over(self.output, before.output),
            cached: over(self.cached, before.cached),
            reasoning: over(self.reasoning, before.reasoning),
            cache_creation: over(self.cache_creation, before.cache_creation),
            units: UnitPrice {
                image: over(self.image, before.units.image),
                audio_minute: over(self.audio_minute, before.units.audio_minute),
                characters: over(self.characters, before.units.characters),
                search: over(self.search, before.units.search),
            },
        }
    }
}

/// In the order of [`FIELDS`].
pub(super) fn fields(price: &PriceOverride) -> [Option<u64>; 9] {
    [
        price.input,
        price.output,
        price.cached,
        price.reasoning,
        price.cache_creation,
        price.units.image,
        price.units.audio_minute,
        price.units.characters,
        price.units.search,
    ]
}

/// To the nearest nano-USD; amounts are checked to be within bounds where that is exact.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 to 100,000 USD are at most 10^14 nano-USD"
)]
pub(super) fn nano(usd: f64) -> u64 {
    (usd * NANO_PER_USD as f64).round() as u64
}

/// Without a fraction where there is none.
pub(super) fn usd(nano: u64) -> Value {
    if nano.is_multiple_of(NANO_PER_USD) {
        return json!(nano / NANO_PER_USD);
    }
    json!(nano as f64 / NANO_PER_USD as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_survive_the_way_to_integers_and_back() {
        for text in ["0", "15", "0.15", "0.0375", "7.5", "100000", "0.000000001"] {
            let written: f64 = text.parse().unwrap();
            assert_eq!(
                usd(nano(written)).to_string().parse::<f64>().unwrap(),
                written,
                "{text}"
            );
        }
        assert_eq!(usd(15 * NANO_PER_USD).to_string(), "15");
    }
}

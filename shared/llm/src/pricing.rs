//! What models cost: the built-in price list, as data, and what an operator says instead.
//!
//! The numbers are defaults that nobody verified against the vendors' lists. Amounts are whole nano-USD per million
//! tokens, so that sums are exact.

pub mod dated;
#[cfg(test)]
mod invoices;

use crate::usage::TokenClasses;
use std::collections::HashMap;
use std::sync::LazyLock;

/// One line per model, in USD per million tokens; the first line names the columns.
const LIST: &str = include_str!("pricing.tsv");

const NANO_DIGITS: usize = 9;
const NANO: u64 = 1_000_000_000;
const MILLION: u128 = 1_000_000;

/// By provider, then by model.
static PRICES: LazyLock<HashMap<&str, HashMap<&str, Price>>> = LazyLock::new(|| {
    let mut prices: HashMap<&str, HashMap<&str, Price>> = HashMap::new();
    for ((provider, model), price) in LIST.lines().skip(1).filter_map(row) {
        prices.entry(provider).or_default().insert(model, price);
    }
    prices
});

/// Nano-USD per million tokens of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    pub input: u64,
    pub output: u64,
    pub cached: u64,
    pub reasoning: u64,
    pub cache_creation: u64,
}

/// What an operator says about a price, in nano-USD per million tokens: a field that is set wins over the list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PriceOverride {
    pub input: Option<u64>,
    pub output: Option<u64>,
    pub cached: Option<u64>,
    pub reasoning: Option<u64>,
    pub cache_creation: Option<u64>,
}

/// The overrides of one provider, by model.
pub type Overrides = HashMap<String, PriceOverride>;

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

// === impl PriceOverride ===

impl PriceOverride {
    /// The price that comes out over what the list says; `None` while nobody says what input and output cost. Other
    /// rates that nobody gave are those of the tokens they are a kind of.
    pub fn over(&self, listed: Option<&Price>) -> Option<Price> {
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

/// Every line of the built-in list: provider, model, price.
pub fn list() -> impl Iterator<Item = (&'static str, &'static str, &'static Price)> {
    PRICES
        .iter()
        .flat_map(|(provider, models)| models.iter().map(|(model, price)| (*provider, *model, price)))
}

/// As [`find`], under what an operator says about models of this provider.
pub fn find_under(overrides: &Overrides, id: &str, alias: &str, model: &str) -> Option<Price> {
    let listed = find(id, alias, model);
    match overrides.get(model).or_else(|| overrides.get(short(model))) {
        Some(own) => own.over(listed),
        None => listed.copied(),
    }
}

/// An amount as people read it: with so many digits after the point, and more where these would be zero.
pub fn usd(nano: u64, digits: usize) -> String {
    let (whole, fraction) = (nano / NANO, nano % NANO);
    let exact = format!("{fraction:0NANO_DIGITS$}");
    let shown = &exact[..digits.min(NANO_DIGITS)];
    let lost = whole == 0 && fraction > 0 && shown.bytes().all(|digit| digit == b'0');
    let shown = if lost { exact.trim_end_matches('0') } else { shown };
    format!("${whole}.{shown}")
}

/// The price of a model at a provider. Looked for under the provider's id, its alias, and its id without the ending of
/// a regional twin; under the model's id, and what comes after its last slash.
pub fn find(id: &str, alias: &str, model: &str) -> Option<&'static Price> {
    let providers = [id, alias, id.trim_end_matches("-cn")];
    let at = |model: &str| {
        providers
            .iter()
            .find_map(|provider| PRICES.get(*provider)?.get(model))
    };
    at(model).or_else(|| at(short(model)))
}

fn short(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}

fn row(line: &'static str) -> Option<((&'static str, &'static str), Price)> {
    let mut columns = line.split('\t');
    let key = (columns.next()?, columns.next()?);
    let mut next = || columns.next().and_then(nano);
    let price = Price {
        input: next()?,
        output: next()?,
        cached: next()?,
        reasoning: next()?,
        cache_creation: next()?,
    };
    Some((key, price))
}

/// An amount in USD, exactly.
fn nano(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    // nothing written is not nothing to pay
    if whole.is_empty() || fraction.len() > NANO_DIGITS {
        return None;
    }
    let digits = format!("{whole}{fraction:0<NANO_DIGITS$}");
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_read_and_none_twice() {
        let read: usize = PRICES.values().map(HashMap::len).sum();
        assert_eq!(read, LIST.lines().count() - 1);
        assert!(read > 100, "{read}");
        let columns = "provider\tmodel\tinput\toutput\tcached\treasoning\tcache_creation";
        assert_eq!(LIST.lines().next(), Some(columns));
        let sorted = LIST.lines().skip(1).is_sorted();
        assert!(sorted, "a list in order is easy to compare");
    }

    #[test]
    fn amounts_are_exact() {
        let table = [
            ("3", Some(3_000_000_000)),
            ("0.15", Some(150_000_000)),
            ("0.0375", Some(37_500_000)),
            ("0", Some(0)),
            ("0.0000000001", None),
            ("-1", None),
            ("", None),
            ("x", None),
        ];
        for (text, expected) in table {
            assert_eq!(nano(text), expected, "{text}");
        }
    }

    #[test]
    fn what_an_operator_says_wins_field_by_field() {
        let listed = Price {
            input: 10,
            output: 20,
            cached: 1,
            reasoning: 25,
            cache_creation: 12,
        };
        let says = PriceOverride {
            input: Some(7),
            cached: Some(0),
            ..PriceOverride::default()
        };
        let over = Price {
            input: 7,
            cached: 0,
            ..listed
        };
        assert_eq!(says.over(Some(&listed)), Some(over));
        assert_eq!(says.over(None), None, "nobody says what output costs");
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
        assert_eq!(both.over(None), Some(alone));
    }

    #[test]
    fn an_override_is_found_by_the_name_of_the_model_and_by_the_end_of_it() {
        let own = PriceOverride {
            input: Some(1),
            output: Some(2),
            ..PriceOverride::default()
        };
        let overrides = Overrides::from([("gpt-4o".to_owned(), own), ("mine".to_owned(), own)]);
        let input = |model| find_under(&overrides, "openai", "openai", model).map(|price| price.input);
        assert_eq!(input("gpt-4o"), Some(1));
        assert_eq!(input("somebody/mine"), Some(1));
        assert_eq!(input("unheard-of"), None);
        let listed = find("openai", "openai", "gpt-4o-mini").map(|price| price.input);
        assert_eq!(input("gpt-4o-mini"), listed);
        assert!(listed.is_some());
    }

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

    #[test]
    fn an_amount_is_written_with_as_many_digits_as_it_takes() {
        let table = [
            (1_234_500_000, 4, "$1.2345"),
            (1_234_599_999, 4, "$1.2345"),
            (1_000_000_000, 2, "$1.00"),
            (0, 2, "$0.00"),
            (1_000_000, 2, "$0.001"),
            (42, 4, "$0.000000042"),
            (10_000_000, 2, "$0.01"),
        ];
        for (nano, digits, text) in table {
            assert_eq!(usd(nano, digits), text);
        }
    }

    #[test]
    fn a_price_is_found_by_what_the_provider_and_the_model_are_also_called() {
        let input = |id, alias, model| find(id, alias, model).map(|price| price.input);
        let table = [
            (("openai", "openai", "gpt-4o"), Some(2_500_000_000)),
            (("node-1", "openai", "gpt-4o"), Some(2_500_000_000)),
            (
                ("minimax-cn", "minimax-cn", "MiniMax-M2.1"),
                input("minimax", "", "MiniMax-M2.1"),
            ),
            (
                ("groq", "groq", "somebody/gpt-oss-120b"),
                input("groq", "", "gpt-oss-120b"),
            ),
            (("openai", "openai", "unheard-of"), None),
            (("nowhere", "nowhere", "gpt-4o"), None),
        ];
        for ((id, alias, model), expected) in table {
            assert_eq!(input(id, alias, model), expected, "{id} {model}");
        }
        assert!(input("minimax-cn", "minimax-cn", "MiniMax-M2.1").is_some());
    }
}

//! What models cost: the built-in price list, as data, and what an operator says instead.
//!
//! The numbers are defaults that nobody verified against the vendors' lists. Amounts are whole nano-USD per million
//! tokens, or per picture, minute of a recording, million characters and search, so that sums are exact.
//!
//! Pictures may cost by what they are like. Such a price is that of a name with the quality, the size or both behind the
//! model: `dall-e-3#1792x1024`, `dall-e-3#hd`, `dall-e-3#hd#1792x1024`.

pub mod dated;
#[cfg(test)]
mod invoices;
mod price;
mod tariff;
mod unit;

pub use price::Price;
pub use tariff::{PriceOverride, Tariff};
pub use unit::UnitPrice;

use crate::work::Picture;
use std::collections::HashMap;
use std::sync::LazyLock;

/// One line per model, in USD; the first line names the columns. Those of tokens are all there or all empty, and what
/// comes after the last one that is there is left out.
const LIST: &str = include_str!("pricing.tsv");

const NANO_DIGITS: usize = 9;
const NANO: u64 = 1_000_000_000;
const MILLION: u128 = 1_000_000;

/// By provider, then by model.
static PRICES: LazyLock<HashMap<&str, HashMap<&str, Tariff>>> = LazyLock::new(|| {
    let mut prices: HashMap<&str, HashMap<&str, Tariff>> = HashMap::new();
    for ((provider, model), tariff) in LIST.lines().skip(1).filter_map(row) {
        prices.entry(provider).or_default().insert(model, tariff);
    }
    prices
});

/// The overrides of one provider, by model.
pub type Overrides = HashMap<String, PriceOverride>;

/// Every line of the built-in list: provider, model, price.
pub fn list() -> impl Iterator<Item = (&'static str, &'static str, &'static Tariff)> {
    PRICES
        .iter()
        .flat_map(|(provider, models)| models.iter().map(|(model, tariff)| (*provider, *model, tariff)))
}

/// As [`find`], under what an operator says about models of this provider.
pub fn find_under(overrides: &Overrides, id: &str, alias: &str, model: &str) -> Tariff {
    let listed = find(id, alias, model);
    match own(overrides, model) {
        Some(own) => own.over(listed),
        None => listed.copied().unwrap_or_default(),
    }
}

/// What such a picture costs, in nano-USD: by its quality and size, by either, or as any other of the model. Whatever an
/// operator says comes before the list.
pub fn find_picture(
    overrides: &Overrides,
    id: &str,
    alias: &str,
    model: &str,
    picture: &Picture,
) -> Option<u64> {
    let names = picture.names(model);
    let said = names.iter().find_map(|name| own(overrides, name)?.units.image);
    said.or_else(|| names.iter().find_map(|name| find(id, alias, name)?.units.image))
}

fn own<'a>(overrides: &'a Overrides, model: &str) -> Option<&'a PriceOverride> {
    overrides.get(model).or_else(|| overrides.get(short(model)))
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
pub fn find(id: &str, alias: &str, model: &str) -> Option<&'static Tariff> {
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

fn row(line: &'static str) -> Option<((&'static str, &'static str), Tariff)> {
    let mut columns = line.split('\t');
    let key = (columns.next()?, columns.next()?);
    let amounts = columns.map(|text| (!text.is_empty()).then(|| nano(text)));
    // what is written has to be an amount
    let amounts: Vec<Option<u64>> = amounts
        .map(|read| read.map_or(Some(None), |nano| nano.map(Some)))
        .collect::<Option<_>>()?;
    let at = |column: usize| amounts.get(column).copied().flatten();
    let tokens = || {
        Some(Price {
            input: at(0)?,
            output: at(1)?,
            cached: at(2)?,
            reasoning: at(3)?,
            cache_creation: at(4)?,
        })
    };
    let tariff = Tariff {
        tokens: tokens(),
        units: UnitPrice {
            image: at(5),
            audio_minute: at(6),
            characters: at(7),
            search: at(8),
        },
    };
    let is_whole = tariff.tokens.is_some() || (0..5).all(|column| at(column).is_none());
    (is_whole && !tariff.is_unknown()).then_some((key, tariff))
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
        let columns = "provider\tmodel\tinput\toutput\tcached\treasoning\tcache_creation\timage\taudio_minute\tcharacters\tsearch";
        assert_eq!(LIST.lines().next(), Some(columns));
        let sorted = LIST.lines().skip(1).is_sorted();
        assert!(sorted, "a list in order is easy to compare");
    }

    #[test]
    fn a_model_costs_at_vertex_what_its_maker_asks_for_it() {
        for (at_vertex, maker) in [
            (("vertex", "gemini-2.5-pro"), ("gemini", "gemini-2.5-pro")),
            (
                ("vertex-anthropic", "claude-sonnet-4@20250514"),
                ("anthropic", "claude-sonnet-4-20250514"),
            ),
            (
                ("vertex-anthropic", "claude-haiku-4-5@20251001"),
                ("claude", "claude-haiku-4-5-20251001"),
            ),
        ] {
            let price = |(provider, model): (&str, &str)| find(provider, provider, model);
            assert!(price(at_vertex).is_some(), "{at_vertex:?}");
            assert_eq!(price(at_vertex), price(maker), "{at_vertex:?}");
        }
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
    fn an_override_is_found_by_the_name_of_the_model_and_by_the_end_of_it() {
        let own = PriceOverride {
            input: Some(1),
            output: Some(2),
            ..PriceOverride::default()
        };
        let overrides = Overrides::from([("gpt-4o".to_owned(), own), ("mine".to_owned(), own)]);
        let input = |model| {
            let tariff = find_under(&overrides, "openai", "openai", model);
            tariff.tokens.map(|price| price.input)
        };
        assert_eq!(input("gpt-4o"), Some(1));
        assert_eq!(input("somebody/mine"), Some(1));
        assert_eq!(input("unheard-of"), None);
        let listed = find("openai", "openai", "gpt-4o-mini").and_then(|tariff| tariff.tokens);
        let listed = listed.map(|price| price.input);
        assert_eq!(input("gpt-4o-mini"), listed);
        assert!(listed.is_some());
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
        let input = |id, alias, model| Some(find(id, alias, model)?.tokens?.input);
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

    #[test]
    fn a_picture_costs_what_its_kind_costs_and_an_operators_word_comes_first() {
        let picture = |quality: &str, size: &str| {
            let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            Picture {
                quality: part(quality),
                size: part(size),
            }
        };
        let nobody = Overrides::new();
        let cost = |overrides: &Overrides, picture| {
            find_picture(overrides, "openai", "openai", "dall-e-3", &picture).map(|nano| nano / 1_000_000)
        };
        for (quality, size, cents) in [
            ("", "", 40),
            ("standard", "1024x1024", 40),
            ("", "1792x1024", 80),
            ("hd", "1024x1024", 80),
            ("hd", "1024x1792", 120),
        ] {
            assert_eq!(
                cost(&nobody, picture(quality, size)),
                Some(cents),
                "{quality} {size}"
            );
        }
        let says = |image: u64| PriceOverride {
            units: UnitPrice {
                image: Some(image * 1_000_000),
                ..UnitPrice::default()
            },
            ..PriceOverride::default()
        };
        let own = Overrides::from([
            ("dall-e-3".to_owned(), says(7)),
            ("dall-e-3#hd".to_owned(), says(9)),
        ]);
        assert_eq!(cost(&own, picture("standard", "1792x1024")), Some(7));
        assert_eq!(cost(&own, picture("hd", "1792x1024")), Some(9));
        assert_eq!(
            find_picture(&own, "openai", "openai", "unheard-of", &picture("", "")),
            None
        );
    }
}

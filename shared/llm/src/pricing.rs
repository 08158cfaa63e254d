//! What models cost unless somebody says otherwise: the built-in price list, as data.
//!
//! The numbers are defaults that nobody verified against the vendors' lists. Amounts are whole nano-USD per million
//! tokens, so that sums are exact.

use std::collections::HashMap;
use std::sync::LazyLock;

/// One line per model, in USD per million tokens; the first line names the columns.
const LIST: &str = include_str!("pricing.tsv");

const NANO_DIGITS: usize = 9;

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

/// The price of a model at a provider. Looked for under the provider's id, its alias, and its id without the ending of
/// a regional twin; under the model's id, and what comes after its last slash.
pub fn find(id: &str, alias: &str, model: &str) -> Option<&'static Price> {
    let short = model.rsplit('/').next().unwrap_or(model);
    let providers = [id, alias, id.trim_end_matches("-cn")];
    let at = |model: &str| {
        providers
            .iter()
            .find_map(|provider| PRICES.get(*provider)?.get(model))
    };
    at(model).or_else(|| at(short))
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

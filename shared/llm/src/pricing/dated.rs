//! What models cost at a moment: prices change, and what was used before a change costs what it cost then.
//!
//! An operator's price counts from a moment on, until the next one of the same model. What the built-in list says was
//! not always so either; what is known of that is in a second list.

use super::{Overrides, Price, PriceOverride, Tariff, find, nano, own, short};
use std::collections::HashMap;
use std::sync::LazyLock;

/// One line per price that ended: provider, model, the first day (UTC) of the price after it, and the columns of the
/// list.
const BEFORE: &str = include_str!("before.tsv");

/// In the order of their ends.
static ENDED: LazyLock<Vec<Ended>> = LazyLock::new(|| {
    let mut ended: Vec<_> = BEFORE.lines().skip(1).filter_map(row).collect();
    ended.sort_by_key(|ended| ended.until_ms);
    ended
});

/// What an operator says about a model from a moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Milliseconds since 1970.
    pub from_ms: i64,
    pub price: PriceOverride,
}

/// Of one provider, by model, each in the order of time.
pub type Periods = HashMap<String, Vec<Period>>;

struct Ended {
    provider: &'static str,
    model: &'static str,
    until_ms: i64,
    price: Price,
}

/// As [`super::find_under`], at a moment: the period that it is in comes before what an operator says for all times.
pub fn find_at(
    overrides: &Overrides,
    periods: &Periods,
    id: &str,
    alias: &str,
    model: &str,
    at_ms: i64,
) -> Tariff {
    let listed = listed_at(id, alias, model, at_ms);
    let own = own(overrides, model).copied();
    let period = of(periods, model).iter().rfind(|period| period.from_ms <= at_ms);
    // only what tokens cost changes from period to period
    let dated = period.map(|period| PriceOverride {
        units: own.unwrap_or_default().units,
        ..period.price
    });
    match dated.or(own) {
        Some(own) => own.over(listed.as_ref()),
        None => listed.unwrap_or_default(),
    }
}

/// When the price of a model changes, in milliseconds since 1970, in order.
pub fn changes(periods: &Periods, id: &str, alias: &str, model: &str) -> Vec<i64> {
    let own = of(periods, model).iter().map(|period| period.from_ms);
    let listed = ended(id, alias, model).map(|ended| ended.until_ms);
    let mut changes: Vec<i64> = own.chain(listed).collect();
    changes.sort_unstable();
    changes.dedup();
    changes
}

/// What the list said at a moment.
pub fn listed_at(id: &str, alias: &str, model: &str, at_ms: i64) -> Option<Tariff> {
    let listed = find(id, alias, model).copied();
    let before = ended(id, alias, model).find(|ended| at_ms < ended.until_ms);
    let Some(before) = before else { return listed };
    Some(Tariff {
        tokens: Some(before.price),
        ..listed.unwrap_or_default()
    })
}

/// Every price that ended: provider, model, the first moment of the next one in milliseconds since 1970, price.
pub fn former() -> impl Iterator<Item = (&'static str, &'static str, i64, &'static Price)> {
    ENDED
        .iter()
        .map(|ended| (ended.provider, ended.model, ended.until_ms, &ended.price))
}

fn of<'a>(periods: &'a Periods, model: &str) -> &'a [Period] {
    let periods = periods.get(model).or_else(|| periods.get(short(model)));
    periods.map_or(&[], Vec::as_slice)
}

fn ended<'a>(id: &'a str, alias: &'a str, model: &'a str) -> impl Iterator<Item = &'static Ended> + 'a {
    ENDED.iter().filter(move |ended| {
        [id, alias].contains(&ended.provider) && [model, short(model)].contains(&ended.model)
    })
}

fn row(line: &'static str) -> Option<Ended> {
    let mut columns = line.split('\t');
    let (provider, model, until) = (columns.next()?, columns.next()?, columns.next()?);
    let mut next = || columns.next().and_then(nano);
    let price = Price {
        input: next()?,
        output: next()?,
        cached: next()?,
        reasoning: next()?,
        cache_creation: next()?,
    };
    Some(Ended {
        provider,
        model,
        until_ms: midnight_ms(until)?,
        price,
    })
}

/// Of a day as `2024-10-02`. Days since 1970 by the calendar of Gregory, counted from March on so that the leap day is
/// the last of its year.
fn midnight_ms(day: &str) -> Option<i64> {
    let mut parts = day.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let from_march = (month + 9) % 12;
    let year = year - i64::from(month < 3);
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day - 719_469;
    Some(days * 24 * 3600 * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OCTOBER_2_2024: i64 = 1_727_827_200_000;

    fn period(from_ms: i64, input: u64) -> Period {
        let price = PriceOverride {
            input: Some(input),
            output: Some(9),
            ..PriceOverride::default()
        };
        Period { from_ms, price }
    }

    #[test]
    fn every_line_of_the_second_list_is_read_and_what_it_ends_with_is_in_the_first() {
        assert_eq!(ENDED.len(), BEFORE.lines().count() - 1);
        for ended in ENDED.iter() {
            assert!(find(ended.provider, "", ended.model).is_some(), "{}", ended.model);
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_greenwich() {
        let table = [
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400_000),
            ("2024-03-01", 1_709_251_200_000),
            ("2024-10-02", OCTOBER_2_2024),
        ];
        for (day, ms) in table {
            assert_eq!(midnight_ms(day), Some(ms), "{day}");
        }
        assert_eq!(midnight_ms("soon"), None);
    }

    #[test]
    fn the_list_says_what_a_model_cost_then() {
        let input = |at| {
            listed_at("openai", "openai", "gpt-4o", at)
                .and_then(|listed| listed.tokens)
                .map(|price| price.input)
        };
        assert_eq!(input(OCTOBER_2_2024 - 1), Some(5_000_000_000));
        assert_eq!(input(OCTOBER_2_2024), Some(2_500_000_000));
    }

    #[test]
    fn a_period_counts_from_its_first_moment_and_before_what_is_said_for_all_times() {
        let all_times = period(0, 7).price;
        let overrides = Overrides::from([("mine".to_owned(), all_times)]);
        let periods = Periods::from([("mine".to_owned(), vec![period(100, 1), period(200, 2)])]);
        let input = |model, at| {
            find_at(&overrides, &periods, "p", "p", model, at)
                .tokens
                .map(|price| price.input)
        };
        let table = [(99, 7), (100, 1), (199, 1), (200, 2), (i64::MAX, 2)];
        for (at, expected) in table {
            assert_eq!(input("mine", at), Some(expected), "at {at}");
            assert_eq!(input("somebody/mine", at), Some(expected), "at {at}");
        }
        assert_eq!(input("other", 100), None);
    }

    #[test]
    fn changes_are_those_of_the_operator_and_of_the_list() {
        let periods = Periods::from([(
            "gpt-4o".to_owned(),
            vec![period(5, 1), period(OCTOBER_2_2024 + 1, 2)],
        )]);
        let expected = [5, OCTOBER_2_2024, OCTOBER_2_2024 + 1];
        assert_eq!(changes(&periods, "openai", "openai", "gpt-4o"), expected);
        assert!(changes(&Periods::new(), "openai", "openai", "o1").is_empty());
    }
}

//! A time to wait, in the many ways in which providers write one.

use chrono::{DateTime, Utc};
use std::time::Duration;

/// No wait is longer. Instants have an end, and what others write must not lead past it.
const LONGEST: f64 = 366.0 * 86_400.0;

/// Numbers above this are Unix times, not spans.
const UNIX_TIMES: f64 = 1.7e9;

/// Numbers above this are Unix times in milliseconds.
const UNIX_MILLIS: f64 = 1.7e12;

/// A number of seconds, a Unix time, a date, or a span with units.
pub fn parse(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        let now = now.timestamp() as f64;
        return match number {
            _ if number > UNIX_MILLIS => seconds(number / 1e3 - now),
            _ if number > UNIX_TIMES => seconds(number - now),
            _ => seconds(number),
        };
    }
    let date = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text));
    match date {
        Ok(date) => seconds((date.to_utc() - now).as_seconds_f64()),
        Err(_) => units(text),
    }
}

/// `1h2m3.5s`, `350ms`, `20 seconds`, a bare number of seconds.
pub fn units(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    let mut any = false;
    while let Some((number, after)) = number(rest) {
        let trimmed = after.trim_start();
        let letters = trimmed
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(trimmed.len());
        let seconds = match &trimmed[..letters] {
            "ms" | "millisecond" | "milliseconds" => number / 1e3,
            "m" | "min" | "minute" | "minutes" => number * 60.0,
            "h" | "hour" | "hours" => number * 3600.0,
            "d" | "day" | "days" => number * 86_400.0,
            "" | "s" | "sec" | "second" | "seconds" => number,
            // a number with another word after it ends what came before
            _ => break,
        };
        total = total.saturating_add(self::seconds(seconds)?);
        any = true;
        rest = &trimmed[letters..];
    }
    any.then_some(total)
        .and_then(|total| seconds(total.as_secs_f64()))
}

fn number(text: &str) -> Option<(f64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number = text[..end].trim_end_matches('.');
    Some((number.parse().ok()?, &text[end..]))
}

pub fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds.min(LONGEST)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn nothing_leads_past_the_end_of_time(number in "[0-9]{1,400}", unit in "|s|h|d|ms| hours") {
            let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
            let year = Duration::from_secs(366 * 86_400);
            for text in [format!("{number}{unit}"), format!("{number}{unit}{number}{unit}"), format!("{number}-01-01T00:00:00Z")] {
                let wait = parse(&text, now).unwrap_or_default();
                proptest::prop_assert!(wait <= year, "{wait:?} for {text}");
            }
        }
    }
}

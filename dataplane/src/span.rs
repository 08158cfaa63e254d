//! A time to wait, in the many ways in which providers write one.

use chrono::{DateTime, Utc};
use std::time::Duration;

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
        Ok(date) => (date.to_utc() - now).to_std().ok(),
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
}

fn number(text: &str) -> Option<(f64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number = text[..end].trim_end_matches('.');
    Some((number.parse().ok()?, &text[end..]))
}

pub fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

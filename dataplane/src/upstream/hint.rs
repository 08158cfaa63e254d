//! When a provider says one may come back. There are many ways to say it; the longest one heard counts.

use crate::span;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use std::time::Duration;

/// Headers that hold a span, a number of seconds or a date.
const SPANS: &[&str] = &[
    "retry-after",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-output-tokens-reset",
];

/// Words before a span in the texts of several vendors: "try again in 20s", "retry after 5 seconds",
/// "quota will reset after 2h7m23s".
const PHRASES: &[&str] = &[
    "retry after ",
    "retry in ",
    "try again in ",
    "reset after ",
    "resets in ",
];

/// The longest wait that the headers or the message ask for.
pub fn retry_hint(headers: &HeaderMap, message: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let millis = text("retry-after-ms")
        .and_then(|ms| ms.trim().parse::<f64>().ok())
        .and_then(|ms| span::seconds(ms / 1e3));
    let spans = SPANS.iter().filter_map(|name| span::parse(text(name)?, now));
    spans.chain(millis).chain(in_words(message)).max()
}

fn in_words(message: &str) -> Option<Duration> {
    let message = message.to_ascii_lowercase();
    PHRASES
        .iter()
        .filter_map(|phrase| span::units(message.split_once(phrase)?.1))
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap()
    }

    fn hint(name: &'static str, value: &str) -> Option<f64> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        retry_hint(&headers, "", now()).map(|hint| hint.as_secs_f64())
    }

    #[test]
    fn every_header_form_is_read() {
        let date = |seconds| (now() + chrono::Duration::seconds(seconds)).to_rfc2822();
        let iso = (now() + chrono::Duration::seconds(90)).to_rfc3339();
        let table = [
            ("retry-after", "7", Some(7.0)),
            ("retry-after", &date(30), Some(30.0)),
            ("retry-after", &date(-30), None),
            ("retry-after", "soon", None),
            ("retry-after", "-1", None),
            ("retry-after-ms", "1500", Some(1.5)),
            ("x-ratelimit-reset-requests", "1h2m3s4ms", Some(3723.004)),
            ("x-ratelimit-reset-tokens", "350ms", Some(0.35)),
            ("x-ratelimit-reset-requests", "1790000060", Some(60.0)),
            ("anthropic-ratelimit-tokens-reset", &iso, Some(90.0)),
        ];
        for (name, value, expected) in table {
            assert_eq!(hint(name, value), expected, "{name}: {value}");
        }
    }

    #[test]
    fn a_hint_in_words_is_read() {
        let table = [
            ("Rate limit reached. Please try again in 20s.", Some(20.0)),
            ("Please retry in 33.5s.", Some(33.5)),
            ("retry after 5 seconds", Some(5.0)),
            ("Your quota will reset after 2h7m23s", Some(7643.0)),
            ("retry after lunch", None),
            ("the prompt has 5000 tokens", None),
            ("", None),
        ];
        for (message, expected) in table {
            let hint = retry_hint(&HeaderMap::new(), message, now()).map(|hint| hint.as_secs_f64());
            assert_eq!(hint, expected, "{message}");
        }
    }

    #[test]
    fn the_longest_hint_counts() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "3".parse().unwrap());
        headers.insert("x-ratelimit-reset-tokens", "8s".parse().unwrap());
        assert_eq!(
            retry_hint(&headers, "retry after 5 s", now()),
            Some(Duration::from_secs(8))
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_reading(text in "\\PC{0,60}") {
            let mut headers = HeaderMap::new();
            if let Ok(value) = text.parse() {
                headers.insert("retry-after", value);
            }
            retry_hint(&headers, &text, now());
        }
    }
}

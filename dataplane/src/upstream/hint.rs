//! When a provider says one may come back. There are many ways to say it; the longest one heard counts.
//!
//! Headers that tell when a limit resets come with every reply, so they count only where a limit is what failed, and
//! only those of a limit that is used up: an account with requests left for today need not wait for tomorrow because
//! it was too fast this minute.

use crate::span;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use llm::{ErrorKind, UpstreamError};
use std::time::Duration;

/// What a provider asks for beyond this is not believed.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Words before a span in the texts of several vendors: "try again in 20s", "retry after 5 seconds",
/// "quota will reset after 2h7m23s".
const PHRASES: &[&str] = &[
    "retry after ",
    "retry-after: ",
    "retry in ",
    "try again in ",
    "reset after ",
    "resets in ",
    "reset in ",
];

/// The longest wait that a refusal asks for, in its head, its body or its words.
pub fn retry_hint(headers: &HeaderMap, error: &UpstreamError, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let asked = text("retry-after").and_then(|value| span::parse(value, now));
    let millis = text("retry-after-ms")
        .and_then(|ms| ms.trim().parse::<f64>().ok())
        .and_then(|ms| span::seconds(ms / 1e3));
    let limited = matches!(
        error.kind,
        ErrorKind::RateLimit | ErrorKind::Quota | ErrorKind::Overloaded
    );
    let resets = headers.iter().filter(|_| limited).filter_map(|(name, value)| {
        let left = remaining(name.as_str())?;
        let is_left = text(&left).is_some_and(|count| count.trim().parse().is_ok_and(|count: u64| count > 0));
        if is_left {
            None
        } else {
            span::parse(value.to_str().ok()?, now)
        }
    });
    let heard = [asked, millis, error.retry_after, in_words(&error.message)];
    let longest = resets.chain(heard.into_iter().flatten()).max();
    longest.map(|wait| wait.min(LONGEST))
}

/// The header beside one that tells when a limit resets, which tells how much of it is left. `None` if the header is
/// not of that kind: `x-ratelimit-reset`, `x-ratelimit-reset-*` (OpenAI and its kind), `anthropic-ratelimit-*-reset`.
fn remaining(reset: &str) -> Option<String> {
    if let Some(limit) = reset.strip_prefix("x-ratelimit-reset") {
        return (limit.is_empty() || limit.starts_with('-')).then(|| format!("x-ratelimit-remaining{limit}"));
    }
    let limit = reset
        .strip_prefix("anthropic-ratelimit-")?
        .strip_suffix("-reset")?;
    Some(format!("anthropic-ratelimit-{limit}-remaining"))
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

    fn hint_of(kind: ErrorKind, message: &str, headers: &[(&'static str, &str)]) -> Option<f64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let error = UpstreamError::new(kind, message);
        retry_hint(&map, &error, now()).map(|hint| hint.as_secs_f64())
    }

    #[test]
    fn every_header_form_is_read() {
        let date = |seconds| (now() + chrono::Duration::seconds(seconds)).to_rfc2822();
        let iso = (now() + chrono::Duration::seconds(90)).to_rfc3339();
        let table = [
            ("retry-after", "7", Some(7.0)),
            ("retry-after", &date(30), Some(30.0)),
            ("retry-after", "Mon, 21 Sep 2026 14:13:30 GMT", Some(10.0)),
            ("retry-after", &date(-30), None),
            ("retry-after", "soon", None),
            ("retry-after", "-1", None),
            ("retry-after-ms", "1500", Some(1.5)),
            ("x-ratelimit-reset-requests", "1h2m3s4ms", Some(3723.004)),
            ("x-ratelimit-reset-tokens", "350ms", Some(0.35)),
            ("x-ratelimit-reset-requests", "1790000060", Some(60.0)),
            ("x-ratelimit-reset", "1790000060000", Some(60.0)),
            ("x-ratelimit-reset-project-tokens", "12s", Some(12.0)),
            ("x-ratelimit-resets", "12s", None),
            ("retry-after", "864000", Some(86_400.0)),
            ("anthropic-ratelimit-tokens-reset", &iso, Some(90.0)),
            ("anthropic-ratelimit-unified-5h-reset", "1790003600", Some(3600.0)),
            ("anthropic-ratelimit-tokens-limit", "40", None),
        ];
        for (name, value, expected) in table {
            let hint = hint_of(ErrorKind::RateLimit, "", &[(name, value)]);
            assert_eq!(hint, expected, "{name}: {value}");
        }
    }

    #[test]
    fn a_limit_that_has_something_left_is_not_waited_for() {
        let headers = [
            ("retry-after", "2"),
            ("x-ratelimit-remaining-requests", "14000"),
            ("x-ratelimit-reset-requests", "7h12m"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "7.66s"),
            ("anthropic-ratelimit-requests-remaining", "49"),
            ("anthropic-ratelimit-requests-reset", "2026-12-01T00:00:00Z"),
        ];
        assert_eq!(hint_of(ErrorKind::RateLimit, "", &headers), Some(7.66));
    }

    #[test]
    fn when_a_limit_resets_means_nothing_to_what_failed_otherwise() {
        let headers = [("x-ratelimit-reset-requests", "7h12m")];
        assert_eq!(hint_of(ErrorKind::Upstream5xx, "", &headers), None);
        assert_eq!(hint_of(ErrorKind::Overloaded, "", &headers), Some(25_920.0));
        let asked = [("x-ratelimit-reset-requests", "7h12m"), ("retry-after", "4")];
        assert_eq!(hint_of(ErrorKind::Upstream5xx, "", &asked), Some(4.0));
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
            assert_eq!(hint_of(ErrorKind::RateLimit, message, &[]), expected, "{message}");
        }
    }

    #[test]
    fn the_longest_hint_counts_wherever_it_is() {
        let headers = [("retry-after", "3"), ("x-ratelimit-reset-tokens", "8s")];
        assert_eq!(
            hint_of(ErrorKind::RateLimit, "retry after 5 s", &headers),
            Some(8.0)
        );
        let body =
            br#"{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED","details":[
            {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]}}"#;
        let error = llm::error::classify(429, body);
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "3".parse().unwrap());
        assert_eq!(
            retry_hint(&headers, &error, now()),
            Some(Duration::from_millis(34_500))
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_reading(text in "\\PC{0,60}") {
            let mut headers = HeaderMap::new();
            if let Ok(value) = text.parse::<http::HeaderValue>() {
                headers.insert("retry-after", value.clone());
                headers.insert("x-ratelimit-reset-requests", value);
            }
            retry_hint(&headers, &UpstreamError::new(ErrorKind::RateLimit, text), now());
        }
    }
}

//! What goes wrong, on purpose.
//!
//! A test queues behaviours for the next requests; an SDK or a load generator, which has no side channel, asks
//! for one by the name of the model: words joined by `-`, as in `sim-fail-429` or `sim-gap-10-cut-3`.

use std::time::Duration;

/// How one request is answered. The default is well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// Answer with this status and the vendor's own error envelope.
    pub fail: Option<u16>,
    /// `Retry-After` seconds of a failure.
    pub retry_after: Option<u64>,
    /// Body of a failure, sent as it is instead of the vendor's envelope.
    pub body: Option<String>,
    /// Answer with this status and an HTML page, as proxies in the middle do.
    pub html: Option<u16>,
    /// Never answer.
    pub hang: bool,
    /// Wait before the first byte of the answer.
    pub first_byte: Duration,
    /// Wait between stream frames.
    pub gap: Duration,
    /// Reset the connection after this many stream frames; here and below, of an answer that is no stream, after
    /// this many pieces of 16 bytes.
    pub cut_after: Option<usize>,
    /// End the stream cleanly, but early, after this many frames.
    pub end_after: Option<usize>,
    /// Send the vendor's in-stream error after this many frames, and end.
    pub error_after: Option<usize>,
    /// End lines with CR LF.
    pub crlf: bool,
    /// One byte per write, so that frames and characters arrive in pieces.
    pub split: bool,
    /// Send frames that are not JSON, or a body that is not.
    pub malformed: bool,
    /// Answer whole although a stream was asked for.
    pub whole: bool,
    /// Answer with a stream although none was asked for.
    pub streamed: bool,
    /// Report part of the prompt as read from a cache.
    pub cached: bool,
    /// Report no usage, as small servers do. The bill stays what it is.
    pub unmetered: bool,
}

// === impl Behaviour ===

impl Behaviour {
    /// Answers with a status, as the vendor words it.
    pub fn status(status: u16) -> Self {
        Self {
            fail: Some(status),
            ..Self::default()
        }
    }

    /// The answer itself is odd: it cannot be sent in one go.
    pub(crate) fn breaks_the_body(&self) -> bool {
        self.split || self.malformed || self.cut_after.is_some() || self.end_after.is_some()
    }

    /// What the name of a model asks for; words it does not know mean nothing.
    pub fn from_model(model: &str) -> Self {
        let mut behaviour = Self::default();
        let mut words = model.split('-').peekable();
        while let Some(word) = words.next() {
            let number = words.peek().and_then(|next| next.parse::<u64>().ok());
            behaviour.apply(word, number);
        }
        behaviour
    }

    fn apply(&mut self, word: &str, number: Option<u64>) {
        let count = number.and_then(|n| usize::try_from(n).ok());
        let status = number.and_then(|n| u16::try_from(n).ok());
        match word {
            "fail" => self.fail = status,
            "retry" => self.retry_after = number,
            "html" => self.html = status.or(Some(502)),
            "hang" => self.hang = true,
            "slow" => self.first_byte = Duration::from_millis(number.unwrap_or(1_000)),
            "gap" => self.gap = Duration::from_millis(number.unwrap_or(10)),
            "cut" => self.cut_after = count.or(Some(3)),
            "end" => self.end_after = count.or(Some(3)),
            "error" => self.error_after = count.or(Some(3)),
            "crlf" => self.crlf = true,
            "split" => self.split = true,
            "malformed" => self.malformed = true,
            "whole" => self.whole = true,
            "streamed" => self.streamed = true,
            "cached" => self.cached = true,
            "unmetered" => self.unmetered = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_steers() {
        let table = [
            ("demo", Behaviour::default()),
            (
                "sim-fail-429-retry-7",
                Behaviour {
                    fail: Some(429),
                    retry_after: Some(7),
                    ..Behaviour::default()
                },
            ),
            (
                "sim-gap-10-cut-3",
                Behaviour {
                    gap: Duration::from_millis(10),
                    cut_after: Some(3),
                    ..Behaviour::default()
                },
            ),
            (
                "sim-html",
                Behaviour {
                    html: Some(502),
                    ..Behaviour::default()
                },
            ),
            ("gpt-4", Behaviour::default()),
        ];
        for (model, expected) in table {
            assert_eq!(Behaviour::from_model(model), expected, "{model}");
        }
    }
}

//! Progress events inside a stream, for a client that asked for them: one every two seconds, and one before the end.

use super::Arrival;
use bytes::Bytes;
use llm::{Dialect, Progress, tick};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// The header by which a client asks, and by which it is told.
pub const PROGRESS: &str = "x-omniroute-progress";

const EVERY: Duration = Duration::from_secs(2);

pub struct Ticks {
    dialect: Dialect,
    started: Instant,
    next: Pin<Box<Sleep>>,
}

// === impl Ticks ===

impl Ticks {
    /// `None` when the client did not ask, or its answer has no room for such events.
    pub fn asked(arrival: &Arrival) -> Option<Self> {
        let converses = arrival.endpoint.kind.converses();
        let value = arrival.parts.headers.get(PROGRESS).filter(|_| converses)?;
        let wanted = value.as_bytes().eq_ignore_ascii_case(b"true");
        let dialect = arrival.endpoint.dialect;
        (wanted && tick::fits(dialect)).then(|| Self::new(dialect))
    }

    fn new(dialect: Dialect) -> Self {
        let started = Instant::now();
        Self {
            dialect,
            started,
            next: Box::pin(sleep_until(started + EVERY)),
        }
    }

    /// The next event, when it is time.
    pub fn poll(&mut self, progress: &Progress, cx: &mut Context<'_>) -> Poll<Bytes> {
        ready!(self.next.as_mut().poll(cx));
        Poll::Ready(self.take(progress))
    }

    /// The same without waiting: a stream that never pauses still has its events.
    pub fn due(&mut self, progress: &Progress) -> Option<Bytes> {
        (Instant::now() >= self.next.deadline()).then(|| self.take(progress))
    }

    /// Puts the last event before the frame that ends the stream, which is in `ready` if there is one.
    pub fn finish(self, progress: &Progress, ready: &mut Vec<Bytes>) {
        let event = Bytes::from(tick::event(progress, self.started.elapsed(), true));
        let found = ready.iter().enumerate().rev().find_map(|(index, frames)| {
            let at = tick::terminator(self.dialect, frames)?;
            Some((index, at))
        });
        let Some((index, at)) = found else {
            return ready.push(event);
        };
        let terminator = ready[index].split_off(at);
        ready.splice(index + 1..index + 1, [event, terminator]);
        // an empty chunk would end a body in some versions of HTTP
        ready.retain(|chunk| !chunk.is_empty());
    }

    fn take(&mut self, progress: &Progress) -> Bytes {
        let elapsed = self.started.elapsed();
        self.next.as_mut().reset(Instant::now() + EVERY);
        tick::event(progress, elapsed, false).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    fn text(bytes: &[Bytes]) -> String {
        String::from_utf8(bytes.concat()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_an_event_every_two_seconds_and_none_at_the_beginning() {
        let (mut ticks, progress) = (Ticks::new(Dialect::OpenAiChat), Progress::default());
        assert_eq!(ticks.due(&progress), None);
        let started = Instant::now();
        for n in 1..4_u32 {
            let event = poll_fn(|cx| ticks.poll(&progress, cx)).await;
            assert_eq!(started.elapsed().as_secs(), u64::from(n) * 2);
            assert!(text(&[event]).ends_with("000}\n\n"));
            assert_eq!(ticks.due(&progress), None);
        }
        tokio::time::advance(Duration::from_millis(2_500)).await;
        assert!(ticks.due(&progress).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_event_comes_before_the_end_of_the_stream() {
        let progress = Progress::default();
        let done = "event: progress\ndata: {\"tokens_generated\":0,\"elapsed_ms\":0,\"done\":true}\n\n";
        for (ready, expected) in [
            (
                vec!["data: {}\n\ndata: [DONE]\n\n"],
                format!("data: {{}}\n\n{done}data: [DONE]\n\n"),
            ),
            (
                vec!["data: {}\n\n", "data: [DONE]\n\n"],
                format!("data: {{}}\n\n{done}data: [DONE]\n\n"),
            ),
            (vec!["data: {}\n\n"], format!("data: {{}}\n\n{done}")),
        ] {
            let mut ready: Vec<Bytes> = ready
                .into_iter()
                .map(|frames: &'static str| Bytes::from(frames))
                .collect();
            Ticks::new(Dialect::OpenAiChat).finish(&progress, &mut ready);
            assert_eq!(text(&ready), expected);
            assert!(ready.iter().all(|chunk| !chunk.is_empty()));
        }
    }
}

//! What clients sent and what they got, for operators to read; off unless they ask for it.
//!
//! ```text
//! pipeline ──Capture──▶ Captures (memory) ──with the next batch of usage──▶ control plane
//! ```
//!
//! Invariant: bodies are never on this machine's disk, never in a log, and never delay a request or its accounting. So
//! they wait in memory, a bounded number of bytes of them, without the secrets that were found in them, and leave sealed.
//! What does not fit, or is on its way when a control plane goes away, is lost.

mod redact;

use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use proto::v1::{self, CapturedBody};
use runtime::crypto::{self, SealKey};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::spawn_blocking;
use uuid::Uuid;

/// Of each body so many characters are kept.
const KEPT_CHARS: usize = 8192;
/// As many bytes as these characters can have.
const KEPT_BYTES: usize = KEPT_CHARS * 4;
/// Requests whose bodies are gathered at the same time: with two bodies each 32 MiB at most.
const AT_ONCE: usize = 512;
/// All that waits for a batch. Batches leave four times a second, and a message between planes has 4 MiB at most.
const WAITING_BYTES: usize = 2 * 1024 * 1024;
const ZSTD_LEVEL: i32 = 1;

/// What is gathered and what waits, of the whole process.
pub struct Captures {
    key: SealKey,
    running: Arc<AtomicUsize>,
    waiting: Mutex<Waiting>,
}

/// The bodies of one request, while it runs.
pub struct Capture {
    request: Option<Gathered>,
    response: Option<Gathered>,
    _place: Place,
}

#[derive(Default)]
struct Waiting {
    captures: VecDeque<v1::Capture>,
    bytes: usize,
    lost: u64,
}

/// The beginning of a body, and how long it was.
#[derive(Default)]
struct Gathered {
    head: Vec<u8>,
    bytes: u64,
}

struct Place(Arc<AtomicUsize>);

// === impl Captures ===

impl Captures {
    /// `key` is `ClusterKeys::captures`.
    pub fn new(key: SealKey) -> Self {
        Self {
            key,
            running: Arc::default(),
            waiting: Mutex::default(),
        }
    }

    /// For one of so many requests in a hundred, as their ids fall.
    pub fn begin(&self, percent: u32, request: Uuid) -> Option<Box<Capture>> {
        // the last bits of a UUIDv7 are random
        if request.as_u128() % 100 >= u128::from(percent) {
            return None;
        }
        let place = Place(self.running.clone());
        if self.running.fetch_add(1, Ordering::Relaxed) >= AT_ONCE {
            return None;
        }
        Some(Box::new(Capture {
            request: None,
            response: None,
            _place: place,
        }))
    }

    /// The request ended. Put away before its event is: then it leaves with the event, or before it.
    pub fn end(&self, capture: &Capture, request_id: &str, key_id: &str) {
        let capture = v1::Capture {
            request_id: request_id.to_owned(),
            key_id: key_id.to_owned(),
            request: capture.request.as_ref().map(Gathered::kept),
            response: capture.response.as_ref().map(Gathered::kept),
        };
        if capture.request.is_none() && capture.response.is_none() {
            return;
        }
        let lost = self.waiting.lock().push(capture);
        // not once per request: a control plane that is away comes with many requests
        if lost.is_some_and(u64::is_power_of_two) {
            tracing::warn!(lost, "bodies of requests are lost: there is no room for more");
        }
    }

    /// Everything that waits, sealed for the control plane that takes this spool's events; empty when nothing does.
    pub fn take(&self, spool_id: Uuid) -> Bytes {
        let captures = {
            let mut waiting = self.waiting.lock();
            waiting.bytes = 0;
            std::mem::take(&mut waiting.captures)
        };
        if captures.is_empty() {
            return Bytes::new();
        }
        let captures = v1::Captures {
            captures: captures.into(),
        };
        let Ok(packed) = zstd::bulk::compress(&captures.encode_to_vec(), ZSTD_LEVEL) else {
            return Bytes::new();
        };
        let place = proto::captures_place(&spool_id.to_string());
        crypto::seal(&self.key, place.as_bytes(), &packed)
            .to_bytes()
            .into()
    }

    /// The same, off the threads that serve requests.
    pub(super) async fn take_aside(self: &Arc<Self>, spool_id: Uuid) -> Bytes {
        if self.waiting.lock().captures.is_empty() {
            return Bytes::new();
        }
        let captures = self.clone();
        let taking = spawn_blocking(move || captures.take(spool_id));
        taking.await.unwrap_or_default()
    }
}

// === impl Capture ===

impl Capture {
    /// What the client sent, as far as it may be kept.
    pub fn received(&mut self, body: &[u8]) {
        let mut gathered = Gathered::default();
        gathered.add(body);
        self.request = Some(gathered);
    }

    /// More of what the client gets.
    pub fn sent(&mut self, chunk: &[u8]) {
        self.response.get_or_insert_default().add(chunk);
    }
}

// === impl Waiting ===

impl Waiting {
    /// Returns how many were lost so far, if one is.
    fn push(&mut self, capture: v1::Capture) -> Option<u64> {
        let lost_before = self.lost;
        self.bytes += capture.encoded_len();
        self.captures.push_back(capture);
        // who looks for what went wrong looks for the newest
        while self.bytes > WAITING_BYTES {
            let Some(oldest) = self.captures.pop_front() else {
                break;
            };
            self.bytes -= oldest.encoded_len();
            self.lost += 1;
        }
        (self.lost > lost_before).then_some(self.lost)
    }
}

// === impl Gathered ===

impl Gathered {
    fn add(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        let room = KEPT_BYTES - self.head.len();
        self.head.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }

    /// Of what is no text nothing is kept but its length.
    fn kept(&self) -> CapturedBody {
        let is_cut = self.bytes > self.head.len() as u64;
        let text = match std::str::from_utf8(&self.head) {
            Ok(text) => text,
            // a character was cut in two
            Err(error) if is_cut && error.error_len().is_none() => {
                std::str::from_utf8(&self.head[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => "",
        };
        let (redacted, is_whole) = redact::redacted(text, KEPT_CHARS);
        CapturedBody {
            truncated: is_cut || !is_whole || text.is_empty() && self.bytes > 0,
            text: redacted,
            original_bytes: self.bytes,
        }
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::crypto::{Sealed, open};

    fn key() -> SealKey {
        SealKey::derive("test", "captures")
    }

    fn taken(captures: &Captures, spool: Uuid) -> Vec<v1::Capture> {
        let bytes = captures.take(spool);
        if bytes.is_empty() {
            return Vec::new();
        }
        let sealed = Sealed::from_bytes(&bytes).unwrap();
        let place = proto::captures_place(&spool.to_string());
        let packed = open(&key(), place.as_bytes(), &sealed.nonce, &sealed.ciphertext).unwrap();
        let plain = zstd::stream::decode_all(packed.as_slice()).unwrap();
        v1::Captures::decode(plain.as_slice()).unwrap().captures
    }

    fn begun(captures: &Captures) -> Box<Capture> {
        captures.begin(100, Uuid::now_v7()).unwrap()
    }

    #[test]
    fn so_many_in_a_hundred_are_chosen_by_their_ids() {
        let captures = Captures::new(key());
        let chosen = |percent| {
            let ids = (0..2_000).map(|_| Uuid::now_v7());
            ids.filter(|id| captures.begin(percent, *id).is_some()).count()
        };
        assert_eq!((chosen(0), chosen(100)), (0, 2_000));
        let half = chosen(50);
        assert!((800..1_200).contains(&half), "{half}");
    }

    #[test]
    fn a_long_body_is_cut_between_two_characters_and_says_how_long_it_was() {
        let captures = Captures::new(key());
        let mut capture = begun(&captures);
        let text = "ä".repeat(10_000);
        capture.received(text.as_bytes());
        // in the middle of a character
        text.as_bytes().chunks(777).for_each(|chunk| capture.sent(chunk));
        captures.end(&capture, "r", "k");
        let taken = taken(&captures, Uuid::nil());
        let expected = CapturedBody {
            text: "ä".repeat(KEPT_CHARS),
            original_bytes: 20_000,
            truncated: true,
        };
        assert_eq!(taken[0].request.as_ref(), Some(&expected));
        assert_eq!(taken[0].response.as_ref(), Some(&expected));
        assert_eq!(
            (taken[0].request_id.as_str(), taken[0].key_id.as_str()),
            ("r", "k")
        );
    }

    #[test]
    fn of_characters_of_four_bytes_as_many_are_kept_as_of_others() {
        let mut gathered = Gathered::default();
        gathered.add("🌙".repeat(KEPT_CHARS + 1).as_bytes());
        let kept = gathered.kept();
        assert_eq!((kept.text.chars().count(), kept.truncated), (KEPT_CHARS, true));
    }

    #[test]
    fn of_what_is_no_text_only_the_length_is_kept() {
        let mut gathered = Gathered::default();
        gathered.add(&[0xff, 0xd8, 0xff, 0xe0]);
        let expected = CapturedBody {
            text: String::new(),
            original_bytes: 4,
            truncated: true,
        };
        assert_eq!(gathered.kept(), expected);
    }

    #[test]
    fn what_waits_is_bounded_and_the_oldest_goes_first() {
        let captures = Captures::new(key());
        let body = "x".repeat(KEPT_CHARS);
        for number in 0..1_000 {
            let mut capture = begun(&captures);
            capture.sent(body.as_bytes());
            captures.end(&capture, &number.to_string(), "");
        }
        let waiting = captures.waiting.lock().bytes;
        assert!(
            (WAITING_BYTES - 2 * KEPT_CHARS..=WAITING_BYTES).contains(&waiting),
            "{waiting}"
        );
        let taken = taken(&captures, Uuid::nil());
        assert!(taken.len() > 200, "{}", taken.len());
        assert_eq!(taken.last().unwrap().request_id, "999");
        assert!(captures.take(Uuid::nil()).is_empty(), "what was taken is gone");
    }

    #[test]
    fn only_so_many_are_gathered_at_a_time_and_a_place_is_given_back() {
        let captures = Captures::new(key());
        let mut running: Vec<_> = (0..AT_ONCE).map(|_| begun(&captures)).collect();
        assert!(captures.begin(100, Uuid::now_v7()).is_none());
        running.pop();
        assert!(captures.begin(100, Uuid::now_v7()).is_some());
    }
}

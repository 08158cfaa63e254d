//! What a simulator remembers of the requests it got.

use parking_lot::Mutex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::iter::Sum;
use std::sync::Arc;
use std::time::SystemTime;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    pub at: SystemTime,
    pub method: String,
    pub path: String,
    /// As it was written, without the question mark.
    pub query: String,
    /// Lower-case names; of repeated headers the last.
    pub headers: BTreeMap<String, String>,
    /// `null` for a body that is not JSON.
    pub body: Value,
    /// The bytes of the body, for tests about passthrough.
    pub raw: bytes::Bytes,
    /// The peer went away before it was sent the whole answer.
    pub dropped: bool,
    /// The id of the answer, once it has begun.
    pub answer: Option<String>,
    /// What it would cost, once the answer has begun.
    pub billed: Option<Billed>,
}

/// Tokens in the vendor's sense: `input` includes `cached`, `output` includes `reasoning`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Billed {
    pub input: u64,
    pub cached: u64,
    pub output: u64,
    pub reasoning: u64,
}

#[derive(Debug, Default)]
pub struct Log {
    /// `None` for a demo, which forgets: its memory would grow for ever.
    kept: Option<Arc<Mutex<Vec<Received>>>>,
}

/// The record of a request that is being answered. Dropped before [`Exchange::finish`], it notes that the peer
/// went away.
#[derive(Debug)]
pub struct Exchange {
    kept: Option<Arc<Mutex<Vec<Received>>>>,
    index: usize,
    finished: bool,
}

// === impl Received ===

impl Received {
    /// See [`crate::Simulator::bill`].
    pub(crate) fn name(&self) -> String {
        let named = [&self.body["user"], &self.body["metadata"]["user_id"]]
            .into_iter()
            .find_map(Value::as_str);
        let header = self.headers.get("x-request-id").map(String::as_str);
        let name = header.or(named).or(self.answer.as_deref());
        name.unwrap_or_default().to_owned()
    }
}

// === impl Billed ===

impl Sum for Billed {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            input: sum.input + one.input,
            cached: sum.cached + one.cached,
            output: sum.output + one.output,
            reasoning: sum.reasoning + one.reasoning,
        })
    }
}

// === impl Log ===

impl Log {
    pub fn remembering() -> Self {
        Self {
            kept: Some(Arc::default()),
        }
    }

    pub fn open(&self, received: Received) -> Exchange {
        let mut index = 0;
        if let Some(kept) = &self.kept {
            let mut kept = kept.lock();
            index = kept.len();
            kept.push(received);
        }
        Exchange {
            kept: self.kept.clone(),
            index,
            finished: false,
        }
    }

    pub fn all(&self) -> Vec<Received> {
        self.kept
            .as_ref()
            .map_or_else(Vec::new, |kept| kept.lock().clone())
    }
}

// === impl Exchange ===

impl Exchange {
    /// An answer begins. All of `billed` counts but its output, which is billed as it is sent.
    pub fn begin(&self, id: &str, billed: Billed) {
        self.update(|received| {
            received.answer = Some(id.to_owned());
            received.billed = Some(Billed {
                output: 0,
                reasoning: 0,
                ..billed
            });
        });
    }

    /// `output` tokens of the answer are out, the first `reasoning` of them thoughts.
    pub fn sent(&self, output: u64, reasoning: u64) {
        self.update(|received| {
            let billed = received.billed.get_or_insert_default();
            billed.output = output;
            billed.reasoning = reasoning.min(output);
        });
    }

    /// Nothing more is owed to the peer.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    fn update(&self, change: impl FnOnce(&mut Received)) {
        if let Some(kept) = &self.kept
            && let Some(received) = kept.lock().get_mut(self.index)
        {
            change(received);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.finished {
            self.update(|received| received.dropped = true);
        }
    }
}

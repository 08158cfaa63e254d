//! A thousand streams whose clients leave somewhere in the middle: what the ledger says they cost, against what the
//! providers bill.

use crate::harness::{DataPlane, KEY, Setup, until};
use futures::StreamExt;
use futures::stream;
use proto::v1::UsageEvent;
use proto::v1::usage_event::Evidence;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use testkit::{Behaviour, Simulator};

const CUTS: usize = 1_000;
const AT_ONCE: usize = 48;
/// Between two frames of a provider.
const GAP: Duration = Duration::from_millis(2);
/// What a question repeats, so that answers are long and their words of different lengths.
const WORDS: usize = 30;
/// Deltas of text that a client waits for, at most. The answers have more than twice as many.
const MOST_DELTAS: usize = 24;
/// What the gateway counts where nobody told it.
const BYTES_PER_TOKEN: u64 = 4;

/// A client's dialect in front of a provider's: five of them pass bytes on, three translate.
struct Way {
    model: &'static str,
    path: &'static str,
    /// Where the text of a frame is.
    text: &'static str,
    /// The provider says what the input costs before it says anything else.
    tells_input_first: bool,
}

const WAYS: [Way; 8] = [
    way(
        "openai/demo",
        "/v1/chat/completions",
        "/choices/0/delta/content",
        false,
    ),
    way("anthropic/demo", "/v1/messages", "/delta/text", true),
    way("gemini/demo", GEMINI, "/candidates/0/content/parts/0/text", true),
    way("local/demo", "/api/chat", "/message/content", false),
    way("responses/demo", "/v1/responses", "/delta", false),
    way(
        "anthropic/demo",
        "/v1/chat/completions",
        "/choices/0/delta/content",
        true,
    ),
    way("gemini/demo", "/v1/messages", "/delta/text", true),
    way("openai/demo", "/v1/messages", "/delta/text", false),
];
const GEMINI: &str = "/v1beta/models/gemini/demo:streamGenerateContent?alt=sse";

/// What one client saw.
struct Seen {
    way: usize,
    /// Of its request.
    bytes: u64,
    /// Of text, before it left.
    text_bytes: u64,
}

struct World {
    data_plane: DataPlane,
    /// By the provider in the name of a model.
    simulators: HashMap<&'static str, Simulator>,
}

// === impl Way ===

const fn way(model: &'static str, path: &'static str, text: &'static str, tells_input_first: bool) -> Way {
    Way {
        model,
        path,
        text,
        tells_input_first,
    }
}

impl Way {
    fn provider(&self) -> &'static str {
        self.model.split_once('/').unwrap().0
    }

    fn body(&self, words: &str) -> Value {
        let messages = json!([{"role": "user", "content": words}]);
        match self.path {
            GEMINI => json!({"contents": [{"role": "user", "parts": [{"text": words}]}]}),
            "/v1/responses" => json!({"model": self.model, "stream": true, "input": words}),
            "/v1/messages" => {
                json!({"model": self.model, "stream": true, "max_tokens": 9_999, "messages": messages})
            }
            _ => json!({"model": self.model, "stream": true, "messages": messages}),
        }
    }
}

// === impl World ===

impl World {
    async fn start(on_disconnect: &str) -> Self {
        let simulators = HashMap::from([
            ("openai", Simulator::openai().await),
            ("anthropic", Simulator::anthropic().await),
            ("gemini", Simulator::gemini().await),
            ("local", Simulator::ollama().await),
            ("responses", Simulator::responses().await),
        ]);
        let slow = Behaviour {
            gap: GAP,
            ..Behaviour::default()
        };
        for simulator in simulators.values() {
            (0..CUTS).for_each(|_| simulator.script(slow.clone()));
        }
        let mut setup = Setup::new();
        for provider in ["openai", "anthropic", "gemini"] {
            let url = simulators[provider].url();
            setup = setup.account_with(provider, provider, &url, |account| {
                on_disconnect.clone_into(&mut account.on_disconnect);
            });
        }
        for (name, kind) in [
            ("local", ("ollama-compatible", "")),
            ("responses", ("openai-compatible", "responses")),
        ] {
            setup = setup.node_with(name, kind, &simulators[name], |account| {
                on_disconnect.clone_into(&mut account.on_disconnect);
            });
        }
        Self {
            data_plane: setup.start().await,
            simulators,
        }
    }

    /// Asks, waits for some deltas of text, and leaves.
    async fn cut(&self, number: usize) -> Seen {
        let way = &WAYS[number % WAYS.len()];
        let body = way.body(&words(number)).to_string();
        let request = self.data_plane.post(way.path).bearer_auth(KEY);
        let request = request.header("x-request-id", name(number)).body(body.clone());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{}", way.path);
        let (mut chunks, mut read) = (response.bytes_stream(), String::new());
        let (wanted, mut seen, mut text_bytes) = (1 + random(number) % MOST_DELTAS, 0, 0);
        while seen < wanted {
            let chunk = chunks.next().await.unwrap().unwrap();
            read.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some((line, rest)) = read.split_once('\n') {
                let said = text(line, way.text);
                text_bytes += said;
                seen += usize::from(said > 0);
                read = rest.to_owned();
            }
        }
        Seen {
            way: number % WAYS.len(),
            bytes: body.len() as u64,
            text_bytes,
        }
    }

    /// What every client saw, and what the ledger has of it, once all of it is there.
    async fn run(&self) -> Vec<(Seen, UsageEvent)> {
        let clients = stream::iter(0..CUTS).map(|number| self.cut(number));
        let seen: Vec<Seen> = clients.buffered(AT_ONCE).collect().await;
        let events = until("all usage events", || {
            Some(self.data_plane.events()).filter(|events| events.len() >= CUTS)
        })
        .await;
        assert_eq!(events.len(), CUTS);
        let mut events: HashMap<String, UsageEvent> = events
            .into_iter()
            .map(|event| (event.client_request_id.clone(), event))
            .collect();
        let seen = seen.into_iter().enumerate();
        seen.map(|(number, seen)| (seen, events.remove(&name(number)).unwrap()))
            .collect()
    }
}

fn name(number: usize) -> String {
    format!("cut-{number}")
}

/// Of a client's, different from one to the next and the same in every run.
fn random(number: usize) -> usize {
    let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from((mixed ^ (mixed >> 29)) >> 33).unwrap()
}

fn words(number: usize) -> String {
    let word = "w".repeat(1 + random(number) % 9);
    vec![word; WORDS].join(" ")
}

/// How much text a line of a stream holds.
fn text(line: &str, pointer: &str) -> u64 {
    let data = line.trim().strip_prefix("data: ").unwrap_or(line);
    let Ok(frame) = serde_json::from_str::<Value>(data) else {
        return 0;
    };
    let text = frame.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    text.len() as u64
}

fn output(event: &UsageEvent) -> u64 {
    event.output_visible + event.output_reasoning
}

fn input(event: &UsageEvent) -> u64 {
    event.input_uncached + event.input_cache_read + event.input_cache_write
}

/// How many bytes a provider wrote, escapes included, for the first so many tokens of its answer to these words: its
/// tokens are words.
fn written(question: &str, tokens: u64) -> u64 {
    let answer = format!(
        "Hello from OmniRoute's demo provider. You wrote: \\\"{question}\\\". \
         I am no model and cost nothing; add a provider in the dashboard to talk to a real one."
    );
    let tokens = usize::try_from(tokens).unwrap();
    let pieces: Vec<&str> = answer.split_inclusive(' ').collect();
    pieces.iter().take(tokens).map(|piece| piece.len() as u64).sum()
}

/// The words of a question, wherever its dialect has them.
fn question(raw: &[u8]) -> String {
    let raw = std::str::from_utf8(raw).unwrap();
    let is_question = |text: &&str| text.len() > WORDS && text.trim_matches(['w', ' ']).is_empty();
    raw.split('"').find(is_question).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drained_streams_cost_to_the_token_what_providers_bill() {
    let world = World::start("drain").await;
    let cuts = world.run().await;
    let left = cuts.iter().filter(|(_, event)| event.outcome == "client_gone");
    assert!(
        left.count() > CUTS * 9 / 10,
        "nearly all clients are gone before the end"
    );
    for (_, event) in &cuts {
        assert_eq!(event.evidence(), Evidence::ProviderReported, "{event:?}");
        let is_gone = event.outcome == "client_gone";
        assert_eq!(event.http_status, if is_gone { 499 } else { 200 }, "{event:?}");
        assert_eq!(event.attempts[0].outcome, "ok", "{event:?}");
    }
    for (provider, simulator) in &world.simulators {
        let requests = simulator.requests();
        assert!(requests.iter().all(|request| !request.dropped), "{provider}");
        let billed: testkit::Billed = requests.iter().map(|request| request.billed.unwrap()).sum();
        let of_provider = |(seen, _): &&(Seen, UsageEvent)| WAYS[seen.way].provider() == *provider;
        let events = || cuts.iter().filter(of_provider).map(|(_, event)| event);
        assert_eq!(events().count(), requests.len(), "{provider}");
        assert_eq!(events().map(input).sum::<u64>(), billed.input, "{provider}");
        assert_eq!(events().map(output).sum::<u64>(), billed.output, "{provider}");
    }
    assert_eq!(world.data_plane.gateway.metrics.drains_inflight(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_streams_cost_no_less_than_clients_got_and_no_more_than_providers_made() {
    let world = World::start("cancel").await;
    let cuts = world.run().await;
    let mut recorded: HashMap<&str, u64> = HashMap::new();
    let mut gone = 0;
    for (seen, event) in &cuts {
        let way = &WAYS[seen.way];
        *recorded.entry(way.provider()).or_default() += output(event);
        if event.outcome != "client_gone" {
            assert_eq!(event.evidence(), Evidence::ProviderReported, "{event:?}");
            continue;
        }
        gone += 1;
        assert_eq!(event.evidence(), Evidence::Estimated, "{event:?}");
        let least = seen.text_bytes.div_ceil(BYTES_PER_TOKEN);
        assert!(
            output(event) >= least,
            "{}: {} of {least}",
            way.path,
            output(event)
        );
        if !way.tells_input_first {
            assert_eq!(input(event), seen.bytes / BYTES_PER_TOKEN, "{}", way.path);
        }
    }
    assert!(gone > CUTS * 9 / 10, "nearly all clients are gone before the end");

    for (provider, simulator) in &world.simulators {
        let requests = until("the provider to notice", || {
            let requests = simulator.requests();
            let dropped = requests.iter().filter(|request| request.dropped).count();
            let ended = cuts.iter().filter(|(seen, event)| {
                WAYS[seen.way].provider() == *provider && event.outcome != "client_gone"
            });
            (dropped + ended.count() >= requests.len()).then_some(requests)
        })
        .await;
        let most = requests.iter().map(|request| {
            let billed = request.billed.unwrap().output;
            let made = written(&question(&request.raw), billed);
            billed.max(made.div_ceil(BYTES_PER_TOKEN))
        });
        let (recorded, most) = (recorded[provider], most.sum::<u64>());
        assert!(recorded <= most, "{provider}: {recorded} of {most}");
        if WAYS
            .iter()
            .any(|way| way.provider() == *provider && way.tells_input_first)
        {
            let billed: u64 = requests.iter().map(|request| request.billed.unwrap().input).sum();
            let told = cuts
                .iter()
                .filter(|(seen, _)| WAYS[seen.way].provider() == *provider);
            assert_eq!(
                told.map(|(_, event)| input(event)).sum::<u64>(),
                billed,
                "{provider}"
            );
        }
    }
}

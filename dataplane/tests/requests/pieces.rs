//! Answers beside chat that are passed on piece by piece: sounds, and the events of pictures, speech and transcripts.

use crate::harness::{DataPlane, KEY, Setup, header, json as body_of, until};
use crate::scripted::{Slow, Telling};
use proto::v1::{PriceOverride, UsageEvent, resource::Body, usage_event::Evidence};
use reqwest::Response;
use serde_json::{Value, json};
use testkit::{Behaviour, Dialect, Simulator};
use tokio::join;

const SPEECH: &str = "/v1/audio/speech";
const IMAGES: &str = "/v1/images/generations";
const TRANSCRIPTIONS: &str = "/v1/audio/transcriptions";
const EVENTS: &str = "text/event-stream; charset=utf-8";
const BOUNDARY: &str = "a-boundary-of-the-tests";

/// A request, and the two pieces of its answer.
struct Case {
    path: &'static str,
    model: &'static str,
    /// What it asks for beside the model.
    body: Value,
    media_type: &'static str,
    pieces: [String; 2],
    /// Nano-USD.
    cost: Option<i64>,
    evidence: Evidence,
}

fn cases() -> Vec<Case> {
    let event = |event: Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    let usage = json!({ "input_tokens": 3, "output_tokens": 40, "total_tokens": 43 });
    let by_tokens = Some(3 * 1_000 + 40 * 2_000);
    vec![
        Case {
            path: SPEECH,
            model: "openai/tts-1",
            body: json!({ "input": "Grüße", "voice": "alloy" }),
            media_type: "audio/mpeg",
            pieces: ["ID3 one".to_owned(), "two".to_owned()],
            cost: Some(75_000),
            evidence: Evidence::Counted,
        },
        Case {
            path: SPEECH,
            model: "deepgram/aura-asteria-en",
            body: json!({ "input": "Grüße" }),
            media_type: "audio/mpeg",
            pieces: ["ID3 one".to_owned(), "two".to_owned()],
            cost: Some(75_000),
            evidence: Evidence::Counted,
        },
        Case {
            path: SPEECH,
            model: "openai/by-tokens",
            body: json!({ "input": "Grüße", "voice": "alloy", "stream_format": "sse" }),
            media_type: EVENTS,
            pieces: [
                event(json!({ "type": "speech.audio.delta", "audio": "AAAA" })),
                event(json!({ "type": "speech.audio.done", "usage": usage })),
            ],
            cost: by_tokens,
            evidence: Evidence::ProviderReported,
        },
        Case {
            path: IMAGES,
            model: "openai/by-tokens",
            body: json!({ "prompt": "a lighthouse", "stream": true, "partial_images": 1 }),
            media_type: EVENTS,
            pieces: [
                event(json!({ "type": "image_generation.partial_image", "b64_json": "iVBOR" })),
                event(json!({ "type": "image_generation.completed", "b64_json": "iVBOR", "usage": usage })),
            ],
            cost: by_tokens,
            evidence: Evidence::ProviderReported,
        },
        Case {
            path: TRANSCRIPTIONS,
            model: "openai/by-tokens",
            body: json!({ "stream": "true" }),
            media_type: EVENTS,
            pieces: [
                event(json!({ "type": "transcript.text.delta", "delta": "a" })),
                event(json!({ "type": "transcript.text.done", "text": "a b", "usage": usage })),
            ],
            cost: by_tokens,
            evidence: Evidence::ProviderReported,
        },
    ]
}

impl Case {
    fn is_sound(&self) -> bool {
        self.media_type != EVENTS
    }

    async fn ask(&self, data_plane: &DataPlane) -> Response {
        let mut body = self.body.clone();
        body["model"] = json!(self.model);
        if self.path != TRANSCRIPTIONS {
            return data_plane.ask(self.path, &body).await;
        }
        let mut form = String::new();
        for (name, value) in body.as_object().unwrap() {
            let value = value.as_str().unwrap();
            form.push_str(&format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        let head = "Content-Disposition: form-data; name=\"file\"; filename=\"note.wav\"";
        form.push_str(&format!(
            "--{BOUNDARY}\r\n{head}\r\n\r\nRIFF\r\n--{BOUNDARY}--\r\n"
        ));
        let media_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = data_plane.request("POST", self.path).bearer_auth(KEY);
        let request = request.header("content-type", media_type).body(form);
        request.send().await.unwrap()
    }

    /// Asks, and answers with the first piece, which the client then has.
    async fn begun(&self, data_plane: &DataPlane, upstream: &mut Slow) -> (Response, Telling) {
        let telling = async {
            let telling = upstream.asked().await;
            telling.say(self.pieces[0].as_bytes()).await;
            telling
        };
        let (mut response, telling) = join!(self.ask(data_plane), telling);
        assert_eq!(response.status(), 200, "{}", self.path);
        assert_eq!(next(&mut response, self.pieces[0].len()).await, self.pieces[0]);
        (response, telling)
    }
}

/// As much of the body as that, which has to be there.
async fn next(response: &mut Response, length: usize) -> String {
    let mut read = Vec::new();
    while read.len() < length {
        read.extend_from_slice(&response.chunk().await.unwrap().unwrap());
    }
    String::from_utf8(read).unwrap()
}

/// Two accounts of each provider: one that is told what to say, and one that would answer at once.
async fn world(case: &Case, first: &str) -> (DataPlane, Simulator) {
    let spare = Simulator::openai().await;
    let provider = case.model.split_once('/').unwrap().0;
    let price = PriceOverride {
        provider: "openai".to_owned(),
        model: "by-tokens".to_owned(),
        input: Some(1_000_000_000),
        output: Some(2_000_000_000),
        ..PriceOverride::default()
    };
    let setup = Setup::new()
        .account_at("first", provider, first)
        .account("spare", provider, &spare)
        .resource("openai/by-tokens", Body::PriceOverride(price));
    (setup.start().await, spare)
}

fn only(data_plane: &DataPlane) -> UsageEvent {
    let mut events = data_plane.events();
    assert_eq!(events.len(), 1, "{events:#?}");
    events.remove(0)
}

#[tokio::test]
async fn a_piece_reaches_the_client_before_the_next_one_is_made() {
    for case in cases() {
        let mut upstream = Slow::start(case.media_type).await;
        let (data_plane, spare) = world(&case, upstream.url()).await;
        let (mut response, telling) = case.begun(&data_plane, &mut upstream).await;
        let name = format!("{} {}", case.path, case.model);
        assert_eq!(header(&response, "content-type"), Some(case.media_type), "{name}");
        assert_eq!(header(&response, "x-accel-buffering"), Some("no"), "{name}");
        assert_eq!(header(&response, "x-omniroute-attempts"), Some("1"), "{name}");
        assert_eq!(data_plane.events().len(), 0, "{name}: it is still running");
        let wish = String::from_utf8_lossy(&telling.body).contains("stream");
        assert_eq!(wish, !case.is_sound(), "{name}: what the provider is asked for");
        telling.say(case.pieces[1].as_bytes()).await;
        assert_eq!(next(&mut response, case.pieces[1].len()).await, case.pieces[1]);
        drop(telling);
        assert_eq!(response.chunk().await.unwrap(), None, "{name}");

        let event = data_plane.event().await;
        assert_eq!((event.outcome.as_str(), event.http_status), ("ok", 200), "{name}");
        assert_eq!(event.stream, !case.is_sound(), "{name}");
        assert!(event.ttft_ms > 0, "{name}");
        assert_eq!(event.evidence(), case.evidence, "{name}");
        assert_eq!(event.cost_nano, case.cost, "{name}");
        assert_eq!(spare.requests().len(), 0, "{name}");
    }
}

#[tokio::test]
async fn what_a_provider_cuts_off_looks_cut_off_and_nobody_else_is_asked() {
    for case in cases() {
        let mut upstream = Slow::start(case.media_type).await;
        let (data_plane, spare) = world(&case, upstream.url()).await;
        let (mut response, telling) = case.begun(&data_plane, &mut upstream).await;
        telling.cut().await;
        let name = format!("{} {}", case.path, case.model);
        match case.is_sound() {
            true => {
                response.chunk().await.unwrap_err();
            }
            false => {
                let rest = response.text().await.unwrap();
                let data = rest
                    .trim()
                    .strip_prefix("data: ")
                    .unwrap_or_else(|| panic!("{name}: {rest}"));
                let error: Value = serde_json::from_str(data).unwrap();
                assert!(error["error"]["message"].is_string(), "{name}: {error}");
            }
        }
        let event = data_plane.event().await;
        assert_eq!(
            (event.outcome.as_str(), event.error_code.as_str()),
            ("stream_error", "stream_incomplete"),
            "{name}"
        );
        // the text was sent, and is charged for whoever hears of it; nobody told of tokens
        assert_eq!(event.cost_nano, case.cost.filter(|_| case.is_sound()), "{name}");
        assert_eq!(event.attempts.len(), 1, "{name}");
        assert!(!upstream.was_asked() && spare.requests().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn events_that_end_before_the_last_of_them_are_an_error() {
    for case in cases().into_iter().filter(|case| !case.is_sound()) {
        let mut upstream = Slow::start(case.media_type).await;
        let (data_plane, _spare) = world(&case, upstream.url()).await;
        let (response, telling) = case.begun(&data_plane, &mut upstream).await;
        drop(telling);
        let rest = response.text().await.unwrap();
        assert!(rest.contains("before it was complete"), "{}: {rest}", case.path);
        assert_eq!(data_plane.event().await.outcome, "stream_error");
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_call_with_it_and_is_charged_for_what_it_asked() {
    for case in cases() {
        let mut upstream = Slow::start(case.media_type).await;
        let (data_plane, _spare) = world(&case, upstream.url()).await;
        let (response, telling) = case.begun(&data_plane, &mut upstream).await;
        drop(response);
        telling.until_nobody_listens(case.pieces[0].as_bytes()).await;
        let event = data_plane.event().await;
        let name = format!("{} {}", case.path, case.model);
        assert_eq!(
            (event.outcome.as_str(), event.http_status),
            ("client_gone", 499),
            "{name}"
        );
        assert_eq!(event.cost_nano, case.cost.filter(|_| case.is_sound()), "{name}");
        assert_eq!(data_plane.gateway.metrics.inflight(), 0, "{name}");
    }
}

#[tokio::test]
async fn a_provider_that_falls_silent_is_not_waited_for() {
    for case in cases() {
        let mut upstream = Slow::start(case.media_type).await;
        let setup = Setup::new().config(|config| config.upstream.idle_ms = 100);
        let provider = case.model.split_once('/').unwrap().0;
        let data_plane = setup.account_at("first", provider, upstream.url()).start().await;
        let (response, telling) = case.begun(&data_plane, &mut upstream).await;
        match (case.is_sound(), response.text().await) {
            (true, Err(_)) => {}
            (false, Ok(rest)) => assert!(rest.contains("fell silent"), "{rest}"),
            (_, other) => panic!("{} {}: {other:?}", case.path, case.model),
        }
        let event = data_plane.event().await;
        assert_eq!(
            (event.outcome.as_str(), event.error_code.as_str()),
            ("stream_error", "timeout")
        );
        telling.until_nobody_listens(b"still there?").await;
    }
}

#[tokio::test]
async fn until_the_first_piece_another_account_may_answer() {
    let cut = |after| Behaviour {
        cut_after: Some(after),
        ..Behaviour::default()
    };
    let page = Behaviour {
        html: Some(200),
        ..Behaviour::default()
    };
    let silent = Behaviour {
        end_after: Some(0),
        ..Behaviour::default()
    };
    let refused = Behaviour {
        error_after: Some(0),
        ..Behaviour::default()
    };
    for case in cases()
        .into_iter()
        .filter(|case| case.model.starts_with("openai/"))
    {
        let mut faults = vec![Behaviour::status(500), page.clone(), cut(0), silent.clone()];
        // an error is the first thing that is said
        faults.extend((!case.is_sound()).then(|| refused.clone()));
        for fault in faults {
            let first = Simulator::openai().await;
            let (data_plane, spare) = world(&case, &first.url()).await;
            first.script(fault.clone());
            let response = case.ask(&data_plane).await;
            let name = format!("{} {fault:?}", case.path);
            assert_eq!(response.status(), 200, "{name}");
            assert_eq!(header(&response, "x-omniroute-attempts"), Some("2"), "{name}");
            let whole = response.bytes().await.unwrap();
            match case.is_sound() {
                true => assert_eq!((&whole[..4], whole.len()), (&b"RIFF"[..], 44 + 400), "{name}"),
                false => assert!(whole.starts_with(b"data: {"), "{name}"),
            }
            assert_eq!((first.requests().len(), spare.requests().len()), (1, 1), "{name}");
            let event = only(&data_plane);
            assert_eq!(
                (event.outcome.as_str(), event.attempts.len()),
                ("ok", 2),
                "{name}"
            );
        }
    }
}

/// The client's connection asks for nothing after the last byte.
#[tokio::test]
async fn a_sound_of_known_length_is_over_with_its_last_byte() {
    let provider = Simulator::start(Dialect::Deepgram).await;
    let data_plane = Setup::new().account("main", "deepgram", &provider).start().await;
    // in one piece, and in many
    for input in ["one two".to_owned(), "word ".repeat(200_000)] {
        let asked = data_plane.events().len();
        let body = json!({ "model": "deepgram/aura-asteria-en", "input": input });
        let response = data_plane.ask(SPEECH, &body).await;
        let length = 3 + input.len();
        assert_eq!(
            header(&response, "content-length"),
            Some(length.to_string().as_str())
        );
        assert_eq!(response.bytes().await.unwrap().len(), length);
        let event = until("the usage event", || data_plane.events().get(asked).cloned()).await;
        assert_eq!(
            (event.outcome.as_str(), event.characters),
            ("ok", input.len() as u64)
        );
    }
}

#[tokio::test]
async fn a_model_that_takes_no_notice_of_the_wish_for_events_answers_whole() {
    let provider = Simulator::openai().await;
    let data_plane = Setup::new().account("main", "openai", &provider).start().await;
    let case = Case {
        model: "openai/whisper-1",
        ..cases().pop().unwrap()
    };
    let response = case.ask(&data_plane).await;
    assert_eq!(header(&response, "content-type"), Some("application/json"));
    let text = body_of(response).await["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("I heard"), "{text}");
    assert_eq!(provider.requests()[0].body["stream"], "true");
    assert_eq!(only(&data_plane).outcome, "ok");
}

#[tokio::test]
async fn a_provider_that_knows_no_events_refuses_the_wish_by_its_name() {
    let simulator = Simulator::openai().await;
    let setup = ["gemini", "hyperbolic", "nanobanana", "deepgram"]
        .into_iter()
        .fold(Setup::new(), |setup, id| setup.account(id, id, &simulator));
    let data_plane = setup.start().await;
    for (path, body, field) in [
        (
            IMAGES,
            json!({ "model": "gemini/gemini-2.5-flash-image", "prompt": "p", "stream": true }),
            "stream",
        ),
        (
            IMAGES,
            json!({ "model": "hyperbolic/FLUX.1-dev", "prompt": "p", "stream": true }),
            "stream",
        ),
        (
            IMAGES,
            json!({ "model": "nanobanana/nanobanana-flash", "prompt": "p", "stream": true }),
            "stream",
        ),
        (
            SPEECH,
            json!({ "model": "hyperbolic/melo-tts", "input": "a", "stream_format": "sse" }),
            "stream_format",
        ),
        (
            SPEECH,
            json!({ "model": "deepgram/aura-asteria-en", "input": "a", "stream_format": "sse" }),
            "stream_format",
        ),
    ] {
        let refused = data_plane.ask(path, &body).await;
        assert_eq!(refused.status(), 400, "{body}");
        assert_eq!(body_of(refused).await["error"]["param"], field, "{body}");
    }
    assert_eq!(simulator.requests().len(), 0);
}

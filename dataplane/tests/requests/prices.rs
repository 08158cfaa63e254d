//! What is not counted in tokens: how much was used, what it costs, and that a budget holds for it.

use crate::harness::{DataPlane, KEY, Setup};
use proto::v1::{self, Budget, PriceOverride, UsageEvent, resource::Body, usage_event::Evidence};
use serde_json::{Value, json};
use testkit::{Behaviour, Simulator};

const IMAGES: &str = "/v1/images/generations";
const SPEECH: &str = "/v1/audio/speech";
const RERANK: &str = "/v1/rerank";
const TRANSCRIPTIONS: &str = "/v1/audio/transcriptions";
/// Nano-USD.
const CENT: u64 = 10_000_000;

fn price(model: &str, says: PriceOverride) -> (String, Body) {
    let price = PriceOverride {
        provider: "openai".to_owned(),
        model: model.to_owned(),
        ..says
    };
    (format!("openai/{model}"), Body::PriceOverride(price))
}

async fn openai(provider: &Simulator, prices: Vec<(String, Body)>) -> DataPlane {
    let setup = Setup::new().account("main", "openai", provider);
    let setup = prices
        .into_iter()
        .fold(setup, |setup, (id, body)| setup.resource(&id, body));
    setup.start().await
}

async fn transcribe(
    data_plane: &DataPlane,
    model: &str,
    format: &str,
    recording: &[u8],
) -> reqwest::Response {
    const BOUNDARY: &str = "a-boundary-of-the-tests";
    let mut form = Vec::new();
    for (name, value) in [("model", model), ("response_format", format)] {
        let head =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        form.extend_from_slice(head.as_bytes());
    }
    let head = "Content-Disposition: form-data; name=\"file\"; filename=\"note.wav\"";
    form.extend_from_slice(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes());
    form.extend_from_slice(recording);
    form.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let media_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let request = data_plane.request("POST", TRANSCRIPTIONS).bearer_auth(KEY);
    let request = request.header("content-type", media_type).body(form);
    request.send().await.unwrap()
}

async fn asked(data_plane: &DataPlane, path: &str, body: Value) -> UsageEvent {
    let response = data_plane.ask(path, &body).await;
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    assert_eq!(status, 200, "{path}: {text}");
    data_plane.events().pop().unwrap()
}

/// A recording of so many seconds, as its head says: 8,000 bytes each.
fn wave(seconds: usize) -> Vec<u8> {
    let mut wave = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wave.extend_from_slice(&8_000_u32.to_le_bytes());
    wave.extend_from_slice(&8_000_u32.to_le_bytes());
    wave.resize(seconds * 8_000, 0);
    wave
}

#[tokio::test]
async fn pictures_cost_by_their_number_their_size_and_their_quality() {
    let provider = Simulator::openai().await;
    let data_plane = openai(&provider, Vec::new()).await;
    for (more, images, cost) in [
        (json!({}), 1, 4 * CENT),
        (json!({ "n": 3, "size": "1024x1024" }), 3, 12 * CENT),
        (json!({ "size": "1792x1024" }), 1, 8 * CENT),
        (
            json!({ "n": 2, "size": "1792x1024", "quality": "hd" }),
            2,
            24 * CENT,
        ),
    ] {
        let mut body = json!({ "model": "openai/dall-e-3", "prompt": "a lighthouse" });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let event = asked(&data_plane, IMAGES, body).await;
        assert_eq!(event.images, images, "{more}");
        assert_eq!(event.cost_nano, Some(cost.cast_signed()), "{more}");
    }
    // by tokens, which this provider tells: 2 of input, 272 of output
    let body = json!({ "model": "openai/gpt-image-1", "prompt": "a lighthouse" });
    let event = asked(&data_plane, IMAGES, body).await;
    assert_eq!(event.evidence(), Evidence::ProviderReported);
    assert_eq!(event.cost_nano, Some(2 * 5_000 + 272 * 40_000));
}

#[tokio::test]
async fn an_operator_prices_pictures_by_what_they_are_like() {
    let provider = Simulator::openai().await;
    let by_image = |image| PriceOverride {
        image: Some(image),
        ..PriceOverride::default()
    };
    let prices = vec![
        price("painter", by_image(CENT)),
        price("painter#high", by_image(3 * CENT)),
    ];
    let data_plane = openai(&provider, prices).await;
    for (quality, cost) in [("low", CENT), ("high", 3 * CENT)] {
        let body = json!({ "model": "openai/painter", "prompt": "a boat", "quality": quality });
        let event = asked(&data_plane, IMAGES, body).await;
        assert_eq!(event.cost_nano, Some(cost.cast_signed()), "{quality}");
    }
}

#[tokio::test]
async fn speech_costs_by_the_character_and_a_search_by_the_search() {
    let provider = Simulator::openai().await;
    let search = PriceOverride {
        provider: "node-own".to_owned(),
        model: "judge".to_owned(),
        search: Some(2_000_000),
        ..PriceOverride::default()
    };
    let data_plane = Setup::new()
        .account("main", "openai", &provider)
        .node("own", "openai-compatible", "chat", &provider)
        .resource("node-own/judge", Body::PriceOverride(search))
        .start()
        .await;
    let body = json!({ "model": "openai/tts-1", "input": "Grüße", "voice": "alloy" });
    let event = asked(&data_plane, SPEECH, body).await;
    assert_eq!((event.characters, event.cost_nano), (5, Some(75_000)));
    assert_eq!(event.evidence(), Evidence::Counted);
    let body = json!({ "model": "own/judge", "query": "q", "documents": ["a", "b"] });
    let event = asked(&data_plane, RERANK, body).await;
    assert_eq!((event.searches, event.cost_nano), (1, Some(2_000_000)));
    assert_eq!(event.evidence(), Evidence::ProviderReported);
}

#[tokio::test]
async fn a_recording_costs_by_its_length_in_whatever_format_it_is_answered() {
    let provider = Simulator::openai().await;
    let data_plane = openai(&provider, Vec::new()).await;
    // the provider says a second, and one more for each 16,000 bytes; its subtitles end there, too
    let told = 1 + 10 * 8_000 / 16_000;
    for (format, seconds, evidence) in [
        ("json", told, Evidence::ProviderReported),
        ("verbose_json", told, Evidence::ProviderReported),
        ("srt", told, Evidence::Estimated),
        ("vtt", told, Evidence::Estimated),
        // nothing says how long it was but the recording itself
        ("text", 10, Evidence::Estimated),
    ] {
        let response = transcribe(&data_plane, "openai/whisper-1", format, &wave(10)).await;
        assert_eq!(response.status(), 200, "{format}");
        response.text().await.unwrap();
        let event = data_plane.events().pop().unwrap();
        assert_eq!(event.audio_ms, seconds * 1_000, "{format}");
        assert_eq!(event.cost_nano, Some(seconds.cast_signed() * 100_000), "{format}");
        assert_eq!(event.evidence(), evidence, "{format}");
    }
}

#[tokio::test]
async fn what_nobody_has_a_price_for_is_unknown_and_what_failed_is_free() {
    let provider = Simulator::openai().await;
    let data_plane = openai(&provider, Vec::new()).await;
    for (path, body) in [
        (IMAGES, json!({ "model": "openai/painter", "prompt": "p" })),
        (
            SPEECH,
            json!({ "model": "openai/gpt-4o-mini-tts", "input": "one two" }),
        ),
    ] {
        let event = asked(&data_plane, path, body.clone()).await;
        assert_eq!(event.cost_nano, None, "{path}");
        provider.script(Behaviour::status(400));
        let refused = data_plane.ask(path, &body).await;
        assert_eq!(refused.status(), 400);
        let event = data_plane.events().pop().unwrap();
        assert_eq!(
            (event.cost_nano, event.images, event.characters),
            (Some(0), 0, 0),
            "{path}"
        );
    }
    let response = transcribe(&data_plane, "openai/ears", "json", &wave(1)).await;
    assert_eq!(response.status(), 200);
    response.text().await.unwrap();
    assert_eq!(data_plane.events().pop().unwrap().cost_nano, None);
}

#[tokio::test]
async fn a_budget_holds_for_what_is_asked_for_before_it_is_made() {
    let provider = Simulator::openai().await;
    let budget = |key: &mut v1::ApiKey| {
        key.budget = Some(Budget {
            daily_limit_nano: 10 * CENT,
            warning_permille: 800,
            ..Budget::default()
        });
    };
    let data_plane = Setup::new()
        .key("sk-limited", budget)
        .account("main", "openai", &provider)
        .start()
        .await;
    let ask = async |path: &str, body: Value| {
        let request = data_plane.post(path).bearer_auth("sk-limited");
        request.body(body.to_string()).send().await.unwrap()
    };
    let pictures = |n: u32| json!({ "model": "openai/dall-e-3", "prompt": "p", "n": n });
    let denied = ask(IMAGES, pictures(3)).await;
    assert_eq!(denied.status(), 429, "three cost more than there is");
    assert_eq!(provider.requests().len(), 0);
    assert_eq!(ask(IMAGES, pictures(2)).await.status(), 200);
    let denied = ask(IMAGES, pictures(1)).await;
    assert_eq!(denied.status(), 429, "what is left is too little for another");
    // a million characters cost 15 dollars: this takes a cent, and there are two
    let text = json!({ "model": "openai/tts-1", "input": "a".repeat(666), "voice": "alloy" });
    assert_eq!(ask(SPEECH, text).await.status(), 200);
    assert_eq!(provider.requests().len(), 2);
}

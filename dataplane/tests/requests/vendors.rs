//! Vendors that are asked in words of their own, by clients that speak OpenAI's, or Cohere's for rerank.

use crate::harness::{DataPlane, KEY, Setup, header, json as body_of};
use proto::v1::{PriceOverride, UsageEvent, resource::Body};
use serde_json::{Value, json};
use testkit::{Behaviour, Dialect, Simulator};

const TRANSCRIPTIONS: &str = "/v1/audio/transcriptions";
const BOUNDARY: &str = "a-boundary-of-the-tests";

/// Two accounts of a vendor, the first of which fails once.
async fn two(provider: &str, dialect: Dialect) -> (DataPlane, Simulator, Simulator) {
    let (first, second) = (Simulator::start(dialect).await, Simulator::start(dialect).await);
    let setup = Setup::new()
        .account("first", provider, &first)
        .account("second", provider, &second);
    let data_plane = setup.start().await;
    first.script(Behaviour::status(500));
    (data_plane, first, second)
}

async fn transcribe(data_plane: &DataPlane, fields: &[(&str, &str)], bytes: usize) -> reqwest::Response {
    let mut form = Vec::new();
    for (name, value) in fields {
        let part =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        form.extend_from_slice(part.as_bytes());
    }
    let head =
        "Content-Disposition: form-data; name=\"file\"; filename=\"note.mp3\"\r\nContent-Type: audio/mpeg";
    form.extend_from_slice(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes());
    form.resize(form.len() + bytes, 7);
    form.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let media_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let request = data_plane.request("POST", TRANSCRIPTIONS).bearer_auth(KEY);
    request
        .header("content-type", media_type)
        .body(form)
        .send()
        .await
        .unwrap()
}

fn last(data_plane: &DataPlane) -> UsageEvent {
    data_plane.events().pop().unwrap()
}

/// Whether every call came with the account's key, written so.
fn keys_are(simulator: &Simulator, written: &str) -> bool {
    let requests = simulator.requests();
    let starts = |key: &String| key.starts_with(written) && key.len() > written.len();
    !requests.is_empty()
        && requests
            .iter()
            .all(|request| request.headers.get("authorization").is_some_and(starts))
}

#[tokio::test]
async fn deepgram_gets_the_recording_itself_and_answers_in_every_format() {
    let (data_plane, first, second) = two("deepgram", Dialect::Deepgram).await;
    let response = transcribe(&data_plane, &[("model", "dg/nova-3")], 32_000).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-omniroute-attempts"), Some("2"));
    let answer = body_of(response).await;
    let expected = json!({ "text": "I heard it.", "task": "transcribe", "language": "en", "duration": 3.0 });
    assert_eq!(answer, expected);
    let asked = &second.requests()[0];
    assert_eq!(first.requests()[0].query, asked.query);
    assert_eq!(asked.query, "model=nova-3&smart_format=true&detect_language=true");
    assert_eq!((asked.path.as_str(), asked.raw.len()), ("/v1/listen", 32_000));
    assert_eq!(asked.headers["content-type"], "audio/mpeg");
    assert!(keys_are(&second, "Token "));
    let event = last(&data_plane);
    assert_eq!((event.provider.as_str(), event.audio_ms), ("deepgram", 3_000));
    // 3 seconds of 0.0043 USD a minute
    assert_eq!(event.cost_nano, Some(215_000));

    for (format, begins) in [
        ("text", "I heard it.\n"),
        ("srt", "1\n00:00:00,000 --> 00:00:03,000\nI heard it."),
        ("vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:03.000\nI heard it."),
    ] {
        let fields = [
            ("model", "deepgram/nova-3"),
            ("response_format", format),
            ("language", "de"),
        ];
        let response = transcribe(&data_plane, &fields, 32_000).await;
        assert!(
            header(&response, "content-type")
                .unwrap()
                .starts_with("text/plain")
        );
        let text = response.text().await.unwrap();
        assert!(text.starts_with(begins), "{format}: {text}");
    }
    let asked = second.requests().pop().unwrap();
    assert_eq!(asked.query, "model=nova-3&smart_format=true&language=de");
    let fields = [
        ("model", "deepgram/nova-3"),
        ("response_format", "verbose_json"),
        ("timestamp_granularities[]", "word"),
    ];
    let whole = body_of(transcribe(&data_plane, &fields, 32_000).await).await;
    assert_eq!(
        whole["words"][2],
        json!({ "word": "it.", "start": 2.0, "end": 3.0 })
    );
    assert_eq!(whole["segments"][0]["text"], "I heard it.");
}

#[tokio::test]
async fn deepgram_speaks() {
    let (data_plane, _first, second) = two("deepgram", Dialect::Deepgram).await;
    let body = json!({ "model": "deepgram/aura-asteria-en", "input": "one two", "voice": "alloy",
                       "response_format": "mp3" });
    let response = data_plane.ask("/v1/audio/speech", &body).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), Some("audio/mpeg"));
    assert_eq!(&response.bytes().await.unwrap()[..], b"ID3one two");
    let asked = &second.requests()[0];
    assert_eq!(
        (asked.path.as_str(), &asked.body),
        ("/v1/speak", &json!({ "text": "one two" }))
    );
    assert_eq!(asked.query, "model=aura-asteria-en&encoding=mp3");
    let event = last(&data_plane);
    assert_eq!((event.characters, event.cost_nano), (7, Some(105_000)));
}

#[tokio::test]
async fn assemblyai_is_brought_the_recording_and_asked_until_it_is_done() {
    let (data_plane, first, second) = two("assemblyai", Dialect::AssemblyAi).await;
    let response = transcribe(&data_plane, &[("model", "assemblyai/universal-2")], 32_000).await;
    let status = response.status();
    let answer = body_of(response).await;
    assert_eq!(status, 200, "{answer}");
    let expected = json!({ "text": "I heard it.", "task": "transcribe", "language": "en", "duration": 3.0 });
    assert_eq!(answer, expected);
    assert_eq!(first.requests().len(), 1);
    let asked = second.requests();
    let calls: Vec<_> = asked
        .iter()
        .map(|call| (call.method.as_str(), call.path.as_str()))
        .collect();
    assert_eq!(calls[..2], [("POST", "/v2/upload"), ("POST", "/v2/transcript")]);
    assert!(
        calls[2..]
            .iter()
            .all(|(method, path)| *method == "GET" && path.starts_with("/v2/transcript/"))
    );
    assert_eq!(calls.len(), 4, "it was not done at first");
    assert_eq!(asked[0].raw.len(), 32_000);
    let order = json!({ "audio_url": "https://cdn.assemblyai.com/upload/32000", "speech_models": ["universal-2"],
                        "language_detection": true });
    assert_eq!(asked[1].body, order);
    assert!(keys_are(&second, "") && !keys_are(&second, "Bearer "));
    let event = last(&data_plane);
    // 3 seconds of 0.0025 USD a minute
    assert_eq!((event.audio_ms, event.cost_nano), (3_000, Some(125_000)));
    assert_eq!(event.attempts.len(), 2);

    // what the vendor cannot make out is not the account's fault
    let failed = transcribe(&data_plane, &[("model", "assemblyai/universal-2")], 13).await;
    assert_eq!(failed.status(), 400);
    let message = body_of(failed).await["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(message.contains("Transcoding failed"), "{message}");
}

#[tokio::test]
async fn gemini_embeds_texts_as_numbers_and_packed() {
    let (data_plane, _first, second) = two("gemini", Dialect::Gemini).await;
    let body = json!({ "model": "gemini/gemini-embedding-001", "input": ["one", "three"], "dimensions": 2 });
    let response = data_plane.ask("/v1/embeddings", &body).await;
    assert_eq!(header(&response, "x-omniroute-attempts"), Some("2"));
    let answer = body_of(response).await;
    assert_eq!(answer["model"], "gemini/gemini-embedding-001");
    assert_eq!(
        answer["data"][1]["embedding"],
        json!([5.0 / 1024.0, 6.0 / 1024.0])
    );
    let asked = &second.requests()[0];
    assert_eq!(
        asked.path,
        "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    );
    let request = |text: &str| {
        json!({ "model": "models/gemini-embedding-001", "content": { "parts": [{ "text": text }] },
                "outputDimensionality": 2 })
    };
    assert_eq!(
        asked.body,
        json!({ "requests": [request("one"), request("three")] })
    );
    assert!(asked.headers.contains_key("x-goog-api-key"));

    let body = json!({ "model": "gemini/gemini-embedding-001", "input": "one", "encoding_format": "base64" });
    let packed = body_of(data_plane.ask("/v1/embeddings", &body).await).await;
    let packed = packed["data"][0]["embedding"].as_str().unwrap().len();
    assert_eq!(packed, 44, "eight numbers of four bytes");
    let tokens = json!({ "model": "gemini/gemini-embedding-001", "input": [1, 2] });
    let refused = data_plane.ask("/v1/embeddings", &tokens).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(body_of(refused).await["error"]["param"], "input");
}

#[tokio::test]
async fn gemini_draws() {
    let (data_plane, _first, second) = two("gemini", Dialect::Gemini).await;
    let body = json!({ "model": "gemini/gemini-2.5-flash-image", "prompt": "a lighthouse", "size": "1792x1024",
                       "n": 1 });
    let response = data_plane.ask("/v1/images/generations", &body).await;
    assert_eq!(header(&response, "x-omniroute-attempts"), Some("2"));
    let answer = body_of(response).await;
    assert!(
        answer["data"][0]["b64_json"]
            .as_str()
            .unwrap()
            .starts_with("iVBOR")
    );
    assert_eq!(answer["data"][0]["revised_prompt"], "Here it is.");
    assert!(answer["created"].is_u64());
    let asked = &second.requests()[0];
    assert_eq!(
        asked.path,
        "/v1beta/models/gemini-2.5-flash-image:generateContent"
    );
    assert_eq!(
        asked.body["generationConfig"],
        json!({ "responseModalities": ["TEXT", "IMAGE"] })
    );
    let event = last(&data_plane);
    let (input, output) = (event.input_uncached, event.output_visible);
    assert_eq!((event.images, output), (1, 1290));
    assert_eq!(
        event.cost_nano,
        Some((input * 300 + output * 30_000).cast_signed())
    );

    let square = json!({ "model": "gemini/gemini-2.5-flash-image", "prompt": "p", "size": "1024x1024",
                         "response_format": "url" });
    let answer = body_of(data_plane.ask("/v1/images/generations", &square).await).await;
    assert!(
        answer["data"][0]["url"]
            .as_str()
            .unwrap()
            .starts_with("data:image/png;base64,iVBOR")
    );
    let asked = second.requests().pop().unwrap();
    assert_eq!(
        asked.body["generationConfig"]["imageConfig"],
        json!({ "aspectRatio": "1:1" })
    );
    let several = json!({ "model": "gemini/gemini-2.5-flash-image", "prompt": "p", "n": 2 });
    let refused = data_plane.ask("/v1/images/generations", &several).await;
    assert_eq!(
        (
            refused.status().as_u16(),
            body_of(refused).await["error"]["param"].clone()
        ),
        (400, json!("n"))
    );
}

#[tokio::test]
async fn nvidia_ranks_and_the_answer_is_coheres() {
    let (data_plane, _first, second) = two("nvidia", Dialect::Nvidia).await;
    let body = json!({ "model": "nvidia/nvidia/nv-rerankqa-mistral-4b-v3", "query": "red apple",
                       "documents": ["sky", { "text": "a red apple" }, "red sea"], "top_n": 2 });
    let response = data_plane.ask("/v1/rerank", &body).await;
    let status = response.status();
    let answer = body_of(response).await;
    assert_eq!(status, 200, "{answer}");
    let results = json!([
        { "index": 1, "relevance_score": 0.5, "document": { "text": "a red apple" } },
        { "index": 2, "relevance_score": -0.5, "document": { "text": "red sea" } },
    ]);
    assert_eq!(answer["results"], results);
    assert!(answer["id"].is_string());
    assert_eq!(answer["meta"]["billed_units"]["search_units"], 1);
    let asked = &second.requests()[0];
    assert_eq!(asked.path, "/v1/ranking");
    let passages = json!([{ "text": "sky" }, { "text": "a red apple" }, { "text": "red sea" }]);
    let expected = json!({ "model": "nvidia/nv-rerankqa-mistral-4b-v3", "query": { "text": "red apple" },
                           "passages": passages });
    assert_eq!(asked.body, expected);
    assert!(keys_are(&second, "Bearer "));
    assert_eq!(last(&data_plane).searches, 1);

    let mut plain = body;
    plain["return_documents"] = json!(false);
    let answer = body_of(data_plane.ask("/v1/rerank", &plain).await).await;
    assert_eq!(
        answer["results"][0],
        json!({ "index": 1, "relevance_score": 0.5 })
    );
}

#[tokio::test]
async fn hyperbolic_draws_and_speaks() {
    let (data_plane, _first, second) = two("hyperbolic", Dialect::Hyperbolic).await;
    let body = json!({ "model": "hyp/FLUX.1-dev", "prompt": "a boat", "size": "512x768" });
    let response = data_plane.ask("/v1/images/generations", &body).await;
    assert_eq!(header(&response, "x-omniroute-attempts"), Some("2"));
    let answer = body_of(response).await;
    assert!(
        answer["data"][0]["b64_json"]
            .as_str()
            .unwrap()
            .starts_with("iVBOR")
    );
    let asked = &second.requests()[0];
    assert_eq!(asked.path, "/v1/image/generation");
    let expected = json!({ "model_name": "FLUX.1-dev", "prompt": "a boat", "height": 768, "width": 512, "backend": "auto" });
    assert_eq!(asked.body, expected);
    assert_eq!(last(&data_plane).images, 1);

    let body = json!({ "model": "hyperbolic/melo-tts", "input": "one two", "voice": "alloy" });
    let response = data_plane.ask("/v1/audio/speech", &body).await;
    assert_eq!(header(&response, "content-type"), Some("audio/mpeg"));
    assert_eq!(&response.bytes().await.unwrap()[..], b"ID3one two");
}

#[tokio::test]
async fn nanobanana_takes_an_order_and_is_asked_until_it_is_done() {
    let (first, second) = (
        Simulator::start(Dialect::NanoBanana).await,
        Simulator::start(Dialect::NanoBanana).await,
    );
    let price = PriceOverride {
        provider: "nanobanana".to_owned(),
        model: "nanobanana-flash".to_owned(),
        image: Some(20_000_000),
        ..PriceOverride::default()
    };
    let data_plane = Setup::new()
        .account("first", "nanobanana", &first)
        .account("second", "nanobanana", &second)
        .resource("nanobanana/nanobanana-flash", Body::PriceOverride(price))
        .start()
        .await;
    first.script(Behaviour::status(500));
    let body = json!({ "model": "nb/nanobanana-flash", "prompt": "a boat" });
    let response = data_plane.ask("/v1/images/generations", &body).await;
    let status = response.status();
    let answer = body_of(response).await;
    assert_eq!(status, 200, "{answer}");
    let url = answer["data"][0]["url"].as_str().unwrap();
    assert!(url.starts_with("https://img.test/"), "{url}");
    let asked = second.requests();
    assert_eq!(asked[0].path, "/api/v1/nanobanana/generate");
    assert_eq!(
        asked[0].body,
        json!({ "prompt": "a boat", "type": "TEXTTOIAMGE", "numImages": 1 })
    );
    assert_eq!((asked[1].method.as_str(), asked.len()), ("GET", 3));
    assert!(keys_are(&second, "Bearer "));
    let event = last(&data_plane);
    assert_eq!((event.images, event.cost_nano), (1, Some(20_000_000)));

    let pro = json!({ "model": "nanobanana/nanobanana-pro", "prompt": "a boat" });
    assert_eq!(data_plane.ask("/v1/images/generations", &pro).await.status(), 200);
    let asked = second.requests();
    assert_eq!(asked[3].path, "/api/v1/nanobanana/generate-pro");
    for (more, field) in [
        (json!({ "response_format": "b64_json" }), "response_format"),
        (json!({ "n": 5 }), "n"),
    ] {
        let mut body = body.clone();
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let refused = data_plane.ask("/v1/images/generations", &body).await;
        assert_eq!(refused.status(), 400);
        assert_eq!(body_of(refused).await["error"]["param"], field);
    }
}

#[tokio::test]
async fn who_only_listens_or_draws_does_not_converse_and_is_in_no_list_of_those_who_do() {
    let simulator = Simulator::start(Dialect::Deepgram).await;
    let data_plane = Setup::new().account("main", "deepgram", &simulator).start().await;
    let refused = data_plane.chat("deepgram/nova-3", false).await;
    assert_eq!(refused.status(), 400);
    let message = body_of(refused).await["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(message.contains("deepgram offers no chat"), "{message}");
    assert_eq!(simulator.requests().len(), 0);
    let list = body_of(data_plane.get("/v1/models").send().await.unwrap()).await;
    let all: Vec<&Value> = list["data"].as_array().unwrap().iter().collect();
    assert!(
        all.iter()
            .any(|row| row["id"] == "dg/nova-3" && row["subtype"] == "transcription"),
        "{list}"
    );
}

#[tokio::test]
async fn what_there_is_for_vectors_and_pictures_is_listed_whether_connected_or_not() {
    let simulator = Simulator::openai().await;
    let data_plane = Setup::new().account("main", "openai", &simulator).start().await;
    let list = |path: &'static str| {
        let request = data_plane.get(path);
        async move { body_of(request.send().await.unwrap()).await }
    };
    let row = |list: &Value, id: &str| {
        let rows = list["data"].as_array().unwrap();
        rows.iter()
            .find(|row| row["id"] == id)
            .cloned()
            .unwrap_or_else(|| panic!("{id}: {list}"))
    };
    let vectors = list("/v1/embeddings").await;
    let large = row(&vectors, "openai/text-embedding-3-large");
    assert_eq!(
        (
            &large["type"],
            &large["dimensions"],
            &large["object"],
            &large["owned_by"]
        ),
        (
            &json!("embedding"),
            &json!(3072),
            &json!("model"),
            &json!("openai")
        )
    );
    row(&vectors, "nebius/Qwen/Qwen3-Embedding-8B");
    let pictures = list("/v1/images/generations").await;
    let flux = row(&pictures, "hyperbolic/FLUX.1-dev");
    assert_eq!(flux["supported_sizes"], json!(["1024x1024", "512x512"]));
    assert!(flux.get("dimensions").is_none());
    let both = [&vectors, &pictures];
    assert!(
        both.iter()
            .all(|list| list["object"] == "list" && list["data"].as_array().unwrap().len() > 8)
    );
}

//! Requests that bring files: transcriptions, translations and edits of images.

use crate::harness::{DataPlane, KEY, Setup, header, json as body_of, until};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::TcpStream;
use testkit::{Behaviour, Simulator};

const TRANSCRIPTIONS: &str = "/v1/audio/transcriptions";
const BOUNDARY: &str = "a-boundary-of-the-tests";

/// A part of a form: a field, or a file with its name.
enum Part<'a> {
    Field(&'a str, &'a str),
    File(&'a str, &'a str, usize),
}

use Part::{Field, File};

fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut form = Vec::new();
    for part in parts {
        match part {
            Field(name, value) => write!(
                form,
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}"
            ),
            File(name, filename, bytes) => {
                write!(
                    form,
                    "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{filename}\"\r\n\
                     Content-Type: audio/mpeg\r\n\r\n"
                )
                .unwrap();
                // what a decoder of forms might take for the end of it
                let content = b"\r\n--a-boundary-of".iter().copied().cycle().take(*bytes);
                form.extend(content);
                Ok(())
            }
        }
        .unwrap();
        form.extend_from_slice(b"\r\n");
    }
    write!(form, "--{BOUNDARY}--\r\n").unwrap();
    form
}

async fn post(data_plane: &DataPlane, path: &str, parts: &[Part<'_>]) -> reqwest::Response {
    let request = data_plane.request("POST", path).bearer_auth(KEY).header(
        "content-type",
        format!("multipart/form-data; boundary={BOUNDARY}"),
    );
    request.body(form(parts)).send().await.unwrap()
}

async fn two_accounts() -> (DataPlane, Simulator, Simulator) {
    let (first, second) = (Simulator::openai().await, Simulator::openai().await);
    let setup = Setup::new()
        .alias("ears", "openai/whisper-1")
        .account("first", "openai", &first)
        .account("second", "openai", &second);
    (setup.start().await, first, second)
}

#[tokio::test]
async fn a_form_reaches_the_provider_as_it_is_but_for_the_models_name() {
    let (data_plane, provider, _second) = two_accounts().await;
    // some clients send the file before they say what it is for
    let parts = [
        File("file", "note.mp3", 5_000),
        Field("model", "ears"),
        Field("language", "de"),
        Field("timestamp_granularities[]", "word"),
        Field("timestamp_granularities[]", "segment"),
        Field("response_format", "verbose_json"),
    ];
    let response = post(&data_plane, TRANSCRIPTIONS, &parts).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), Some("application/json"));
    let answer = body_of(response).await;
    assert_eq!(answer["text"], "I heard 5 words in \"note.mp3\".");
    let received = &provider.requests()[0];
    assert_eq!(
        received.body,
        json!({
            "model": "whisper-1", "language": "de", "response_format": "verbose_json",
            "timestamp_granularities[]": ["word", "segment"],
            "file": { "filename": "note.mp3", "type": "audio/mpeg", "bytes": 5_000 },
        })
    );
    assert_eq!(
        received.headers["content-length"],
        received.raw.len().to_string(),
        "some providers take no form of unknown length"
    );
    let event = data_plane.event().await;
    assert_eq!(
        (
            event.endpoint.as_str(),
            event.outcome.as_str(),
            event.model_served.as_str()
        ),
        (TRANSCRIPTIONS, "ok", "whisper-1")
    );
}

#[tokio::test]
async fn an_answer_that_is_text_stays_text() {
    let (data_plane, _first, _second) = two_accounts().await;
    for (format, begins) in [("text", "I heard"), ("srt", "1\n00:00"), ("vtt", "WEBVTT")] {
        let parts = [
            Field("model", "openai/whisper-1"),
            Field("response_format", format),
            File("file", "note.mp3", 10),
        ];
        let response = post(&data_plane, TRANSCRIPTIONS, &parts).await;
        let media_type = header(&response, "content-type").unwrap().to_owned();
        let text = response.text().await.unwrap();
        assert!(
            media_type.starts_with("text/plain"),
            "{format}: {media_type} {text}"
        );
        assert!(text.starts_with(begins), "{format}: {text}");
    }
}

#[tokio::test]
async fn another_account_gets_the_same_file() {
    // in memory, and on disk
    for size in [1_000, 3 << 20] {
        let (data_plane, first, second) = two_accounts().await;
        first.script(Behaviour::status(500));
        let parts = [Field("model", "openai/whisper-1"), File("file", "talk.mp3", size)];
        let response = post(&data_plane, TRANSCRIPTIONS, &parts).await;
        assert_eq!(response.status(), 200, "{size}");
        assert_eq!(header(&response, "x-omniroute-attempts"), Some("2"));
        for provider in [&first, &second] {
            assert_eq!(provider.requests()[0].body["file"]["bytes"], size);
        }
    }
}

#[tokio::test]
async fn a_picture_is_edited() {
    let (data_plane, provider, _second) = two_accounts().await;
    let parts = [
        File("image[]", "one.png", 100),
        File("image[]", "two.png", 200),
        File("mask", "mask.png", 50),
        Field("prompt", "a lighthouse at night"),
        Field("model", "openai/gpt-image-1"),
    ];
    let response = post(&data_plane, "/v1/images/edits", &parts).await;
    assert_eq!(response.status(), 200);
    assert!(body_of(response).await["data"][0]["b64_json"].is_string());
    let received = &provider.requests()[0].body;
    assert_eq!(received["image[]"][1]["bytes"], 200);
    assert_eq!(received["mask"]["filename"], "mask.png");
    let event = data_plane.event().await;
    assert_eq!((event.input_uncached, event.output_visible), (4, 272));
}

#[tokio::test]
async fn a_form_that_is_none_is_refused_with_what_to_send() {
    let first = Simulator::openai().await;
    let data_plane = Setup::new()
        .config(|config| config.edge.max_upload_bytes = 10_000)
        .account("first", "openai", &first)
        .account("claude", "anthropic", &first)
        .start()
        .await;
    let json_body = data_plane
        .ask(TRANSCRIPTIONS, &json!({ "model": "openai/whisper-1" }))
        .await;
    let mut refusals = vec![(json_body, (400, "multipart/form-data"))];
    for (parts, expected) in [
        (
            vec![Field("model", "openai/whisper-1")],
            (400, "file is required"),
        ),
        (
            vec![Field("model", "openai/whisper-1"), Field("file", "text")],
            (400, "file is required"),
        ),
        (vec![File("file", "a", 10)], (400, "Missing model")),
        (
            // more than a socket holds: the client is still writing
            vec![Field("model", "openai/whisper-1"), File("file", "a", 20 << 20)],
            (413, "too large"),
        ),
        (
            vec![
                Field("model", "anthropic/claude-sonnet-4-5"),
                File("file", "a", 10),
            ],
            (400, "offers no transcriptions"),
        ),
    ] {
        refusals.push((post(&data_plane, TRANSCRIPTIONS, &parts).await, expected));
    }
    let cut = data_plane
        .request("POST", TRANSCRIPTIONS)
        .bearer_auth(KEY)
        .header(
            "content-type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        )
        .body(form(&[File("file", "a", 100)])[..90].to_vec());
    refusals.push((cut.send().await.unwrap(), (400, "the form cannot be read")));
    for (response, (status, says)) in refusals {
        assert_eq!(response.status(), status, "{says}");
        let body: Value = body_of(response).await;
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains(says), "{message}");
    }
    assert_eq!(first.requests().len(), 0);
}

/// Whatever was written down of it is gone with the request, and no provider hears of it.
#[tokio::test]
async fn a_client_that_leaves_halfway_costs_nothing() {
    let (first, dir) = (Simulator::openai().await, tempfile::tempdir().unwrap());
    let place = dir.path().to_owned();
    let data_plane = Setup::new()
        .config(|config| config.edge.upload_dir = Some(place))
        .account("first", "openai", &first)
        .start()
        .await;
    let whole = form(&[Field("model", "openai/whisper-1"), File("file", "a", 4 << 20)]);
    let mut connection = TcpStream::connect(data_plane.url.trim_start_matches("http://")).unwrap();
    write!(
        connection,
        "POST {TRANSCRIPTIONS} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\
         content-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {}\r\n\r\n",
        KEY,
        whole.len()
    )
    .unwrap();
    connection.write_all(&whole[..whole.len() / 2]).unwrap();
    drop(connection);
    let event = until("the request to be over", || data_plane.events().pop()).await;
    assert!(!event.reached_provider, "{event:?}");
    assert_eq!(event.cost_nano.unwrap_or_default(), 0);
    assert_eq!(first.requests().len(), 0);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

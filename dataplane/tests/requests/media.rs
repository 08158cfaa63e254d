//! Images that clients name by address, at providers that take only bytes.

use crate::harness::{DataPlane, Setup, header, json};
use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use dataplane::config::MediaConfig;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use testkit::{Behaviour, Simulator};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000";
const PNG_BASE64: &str = "iVBORw0KGgowMDAw";

/// A server of files on loopback; stops when dropped.
struct Files {
    url: String,
    shelf: Arc<Shelf>,
    serving: JoinHandle<()>,
}

/// How often it was asked, how many asked at once, and the leave to answer those who ask for `/held`.
struct Shelf {
    asked: AtomicUsize,
    waiting: AtomicUsize,
    crowd: AtomicUsize,
    leave: Semaphore,
}

// === impl Files ===

impl Files {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shelf = Arc::new(Shelf {
            asked: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            crowd: AtomicUsize::new(0),
            leave: Semaphore::new(0),
        });
        let router = Router::new().fallback(file).with_state(shelf.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shelf, serving }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn asked(&self) -> usize {
        self.shelf.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn file(State(shelf): State<Arc<Shelf>>, uri: Uri) -> Response {
    shelf.asked.fetch_add(1, Ordering::Relaxed);
    let image = |bytes: Vec<u8>| ([(CONTENT_TYPE, "image/jpeg")], bytes).into_response();
    match uri.path() {
        "/missing" => StatusCode::NOT_FOUND.into_response(),
        "/page" => ([(CONTENT_TYPE, "text/html")], "<html>").into_response(),
        "/not-an-image" => image(b"words".to_vec()),
        "/large" => image([PNG, &[0; 4096]].concat()),
        "/never" => std::future::pending().await,
        "/moved" => (StatusCode::FOUND, [(LOCATION, "http://10.0.0.5/a.png")]).into_response(),
        path if path.starts_with("/held") => {
            let crowd = shelf.waiting.fetch_add(1, Ordering::Relaxed) + 1;
            shelf.crowd.fetch_max(crowd, Ordering::Relaxed);
            let _leave = shelf.leave.acquire().await.unwrap();
            shelf.waiting.fetch_sub(1, Ordering::Relaxed);
            image(PNG.to_vec())
        }
        _ => image(PNG.to_vec()),
    }
}

// === what is asked ===

/// Two images and a word in each client's dialect; Ollama's has no addresses.
fn questions(model: &str, url: &str) -> [(String, Value); 4] {
    let chat = json!({"type": "image_url", "image_url": {"url": url}});
    [
        (
            "/v1/chat/completions".to_owned(),
            json!({"model": model, "messages": [{"role": "user", "content": [{"type": "text", "text": "see"}, chat]}]}),
        ),
        (
            "/v1/responses".to_owned(),
            json!({"model": model, "input": [{"role": "user", "content": [
                {"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": url}]}]}),
        ),
        (
            "/v1/messages".to_owned(),
            json!({"model": model, "max_tokens": 99, "messages": [{"role": "user", "content": [
                {"type": "text", "text": "see"}, {"type": "image", "source": {"type": "url", "url": url}}]}]}),
        ),
        (
            format!("/v1beta/models/{model}:generateContent"),
            json!({"contents": [{"role": "user", "parts": [
                {"text": "see"}, {"fileData": {"fileUri": url, "mimeType": "image/png"}}]}]}),
        ),
    ]
}

fn chat(model: &str, urls: &[String]) -> Value {
    let images = urls
        .iter()
        .map(|url| json!({"type": "image_url", "image_url": {"url": url}}));
    json!({"model": model, "messages": [{"role": "user", "content": images.collect::<Vec<_>>()}]})
}

/// Reads files of this machine, which only an operator can allow.
fn local(setup: Setup, change: impl FnOnce(&mut MediaConfig)) -> Setup {
    setup.config(|config| {
        config.media.allow_private_addresses = true;
        change(&mut config.media);
    })
}

/// The status and the words of a refusal, in whatever envelope.
async fn refusal(data_plane: &DataPlane, path: &str, body: &Value) -> (u16, String) {
    let response = data_plane.ask(path, body).await;
    let status = response.status().as_u16();
    let whole = json(response).await;
    let message = whole.pointer("/error/message").or_else(|| whole.get("error"));
    let message = message.and_then(Value::as_str);
    (status, message.unwrap_or_else(|| panic!("{whole}")).to_owned())
}

// === tests ===

#[tokio::test]
async fn an_image_by_address_reaches_providers_that_fetch_nothing() {
    let (gemini, ollama, files) = (
        Simulator::gemini().await,
        Simulator::ollama().await,
        Files::start().await,
    );
    let setup = Setup::new()
        .account("g", "gemini", &gemini)
        .node("l", "ollama-compatible", "", &ollama);
    let data_plane = local(setup, |_| {}).start().await;
    let inline = json!({"inlineData": {"mimeType": "image/png", "data": PNG_BASE64}});
    // the last of them speaks Gemini's own dialect, and is passed on
    for (path, body) in &questions("gemini/demo", &files.at("/a.png"))[..3] {
        let response = data_plane.ask(path, body).await;
        assert_eq!(response.status(), 200, "{path}");
        let sent = gemini.requests().pop().unwrap().body;
        assert_eq!(sent["contents"][0]["parts"][1], inline, "{path}");
    }
    for (path, body) in &questions("l/demo", &files.at("/a.png")) {
        let response = data_plane.ask(path, body).await;
        assert_eq!(response.status(), 200, "{path}");
        let sent = ollama.requests().pop().unwrap().body;
        assert_eq!(sent["messages"][0]["images"], json!([PNG_BASE64]), "{path}");
    }
    assert_eq!(files.asked(), 7);
}

#[tokio::test]
async fn an_address_is_fetched_once_however_many_providers_are_tried() {
    let (ollama, files) = (Simulator::ollama().await, Files::start().await);
    ollama.script(Behaviour::status(500));
    let setup = Setup::new()
        .node("a", "ollama-compatible", "", &ollama)
        .node("b", "ollama-compatible", "", &ollama)
        .combo("both", &["a/demo", "b/demo"]);
    let data_plane = local(setup, |_| {}).start().await;
    let twice = [files.at("/a.png"), files.at("/a.png")];
    let response = data_plane
        .ask("/v1/chat/completions", &chat("both", &twice))
        .await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-omniroute-attempts"), Some("2"));
    assert_eq!(
        ollama.requests()[1].body["messages"][0]["images"],
        json!([PNG_BASE64, PNG_BASE64])
    );
    assert_eq!(files.asked(), 1);
}

#[tokio::test]
async fn a_file_that_cannot_be_had_is_the_clients_to_mend_whatever_it_speaks() {
    let (ollama, files) = (Simulator::ollama().await, Files::start().await);
    let setup = Setup::new().node("l", "ollama-compatible", "", &ollama);
    let data_plane = local(setup, |media| {
        media.timeout_ms = 200;
        media.max_bytes = 1000;
    })
    .start()
    .await;
    for (path, reason) in [
        ("/missing", "its server answered with status 404"),
        ("/page", "it is not a PNG, JPEG, GIF or WebP image"),
        ("/not-an-image", "it is not a PNG, JPEG, GIF or WebP image"),
        ("/large", "it is larger than 1000 bytes"),
        ("/never", "it did not arrive in time"),
        ("/moved", "it redirects, which is not followed"),
    ] {
        for (endpoint, body) in &questions("l/demo", &files.at(&format!("{path}?signature=s3cret"))) {
            let (status, message) = refusal(&data_plane, endpoint, body).await;
            assert_eq!(status, 400, "{endpoint} {path}: {message}");
            let place = format!(
                "messages[0].content[1]: the image at {} cannot be fetched: ",
                files.at(path)
            );
            assert!(
                message.starts_with(&place) && message.contains(reason) && !message.contains("s3cret"),
                "{endpoint} {path}: {message}"
            );
        }
    }
    assert_eq!(ollama.requests().len(), 0);
    assert!(
        data_plane
            .events()
            .iter()
            .all(|event| event.outcome == "rejected")
    );
}

#[tokio::test]
async fn addresses_behind_the_gateway_are_never_called() {
    let (ollama, files) = (Simulator::ollama().await, Files::start().await);
    // this operator allows private addresses for providers, which allows clients nothing
    let setup = Setup::new().node("l", "ollama-compatible", "", &ollama);
    let data_plane = setup
        .config(|config| config.upstream.allow_private_addresses = true)
        .start()
        .await;
    let port = files.url.rsplit(':').next().unwrap();
    for url in [
        files.at("/a.png?token=s3cret"),
        format!("http://localhost:{port}/a.png"),
        format!("http://[::ffff:127.0.0.1]:{port}/x"),
        "http://169.254.169.254/latest/meta-data?token=s3cret".to_owned(),
        "http://2852039166/latest/meta-data".to_owned(),
        "http://10.0.0.5/a.png".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://user:s3cret@example.com/a.png".to_owned(),
        "http://".to_owned(),
    ] {
        let (status, message) = refusal(
            &data_plane,
            "/v1/chat/completions",
            &chat("l/demo", std::slice::from_ref(&url)),
        )
        .await;
        assert_eq!(status, 400, "{url}: {message}");
        assert!(
            message.contains("cannot be fetched") && !message.contains("s3cret"),
            "{message}"
        );
    }
    assert_eq!((files.asked(), ollama.requests().len()), (0, 0));
}

#[tokio::test]
async fn metadata_services_are_not_called_even_where_private_addresses_are() {
    let ollama = Simulator::ollama().await;
    let setup = Setup::new().node("l", "ollama-compatible", "", &ollama);
    let data_plane = local(setup, |_| {}).start().await;
    let url = "http://169.254.169.254/latest/meta-data".to_owned();
    let (status, message) = refusal(&data_plane, "/v1/chat/completions", &chat("l/demo", &[url])).await;
    assert_eq!(status, 400);
    assert!(message.ends_with("its host may not be called"), "{message}");
}

#[tokio::test]
async fn a_gateway_that_may_not_fetch_says_what_to_send_instead() {
    let (gemini, files) = (Simulator::gemini().await, Files::start().await);
    let setup = Setup::new().account("g", "gemini", &gemini);
    let data_plane = local(setup, |media| media.fetch = false).start().await;
    let body = chat("gemini/demo", &[files.at("/a.png")]);
    let (status, message) = refusal(&data_plane, "/v1/chat/completions", &body).await;
    assert_eq!(
        (status, message.as_str()),
        (400, "image_url must be a data: URL for this model")
    );
    assert_eq!((files.asked(), gemini.requests().len()), (0, 0));
}

#[tokio::test]
async fn a_provider_that_fetches_for_itself_can_step_in() {
    let (openai, ollama, files) = (
        Simulator::openai().await,
        Simulator::ollama().await,
        Files::start().await,
    );
    let setup = Setup::new()
        .node("l", "ollama-compatible", "", &ollama)
        .account("o", "openai", &openai)
        .combo("either", &["l/demo", "openai/demo"]);
    let data_plane = local(setup, |_| {}).start().await;
    let body = chat("either", &[files.at("/missing")]);
    assert_eq!(data_plane.ask("/v1/chat/completions", &body).await.status(), 200);
    assert_eq!(ollama.requests().len(), 0);
    let sent = &openai.requests()[0].body["messages"][0]["content"][0];
    assert_eq!(sent["image_url"]["url"], files.at("/missing"));
}

#[tokio::test]
async fn many_files_are_fetched_a_few_at_a_time_and_too_many_not_at_all() {
    let (ollama, files) = (Simulator::ollama().await, Files::start().await);
    let setup = Setup::new().node("l", "ollama-compatible", "", &ollama);
    let data_plane = local(setup, |media| media.max_request_bytes = 20 * PNG.len())
        .start()
        .await;
    let urls = |count: usize| {
        (0..count)
            .map(|n| files.at(&format!("/held/{n}")))
            .collect::<Vec<_>>()
    };
    let (twelve, many) = (urls(12), urls(65));
    let body = chat("l/demo", &twelve);
    let asking = data_plane.ask("/v1/chat/completions", &body);
    let leave = async {
        crate::harness::until("four who wait", || {
            (files.shelf.waiting.load(Ordering::Relaxed) == 4).then_some(())
        })
        .await;
        // whoever came as a fifth would be here by now
        tokio::time::timeout(Duration::from_millis(50), std::future::pending::<()>())
            .await
            .unwrap_err();
        files.shelf.leave.add_permits(100);
    };
    let (response, ()) = tokio::join!(asking, leave);
    assert_eq!(response.status(), 200);
    assert_eq!(
        (files.asked(), files.shelf.crowd.load(Ordering::Relaxed)),
        (12, 4)
    );

    let (status, message) = refusal(&data_plane, "/v1/chat/completions", &chat("l/demo", &many)).await;
    assert_eq!(status, 400);
    assert!(
        message.contains("a request may name 64 files by their addresses"),
        "{message}"
    );
    assert_eq!(files.asked(), 12);

    let (status, message) = refusal(&data_plane, "/v1/chat/completions", &chat("l/demo", &many[..21])).await;
    assert_eq!(status, 400);
    assert!(
        message.ends_with("the files of this request are too large together"),
        "{message}"
    );
}

use super::*;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

const CLOSING: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
const KEPT: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const SHORT: Duration = Duration::from_millis(50);
/// For what must happen; never waited for in full.
const LONG: Duration = Duration::from_secs(10);

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    done: tokio::task::JoinHandle<bool>,
}

/// A handler that never answers, says when it was entered and notices when it is dropped.
#[derive(Clone, Default)]
struct Stuck {
    entered: Arc<Notify>,
    dropped: Arc<AtomicBool>,
}

struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Stuck {
    fn router(&self) -> Router {
        let stuck = self.clone();
        let handler = async move || {
            let _guard = OnDrop(stuck.dropped.clone());
            stuck.entered.notify_one();
            std::future::pending::<&str>().await
        };
        Router::new().route("/", get(handler))
    }

    fn dropped(&self) -> bool {
        self.dropped.load(Ordering::SeqCst)
    }
}

async fn start(router: Router, limits: Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let done = tokio::spawn(serve(listener, router, stop.clone(), limits));
    Server { address, stop, done }
}

async fn connect(server: &Server, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(bytes.as_ref()).await.unwrap();
    socket
}

/// Everything until the server closes, however it closes.
async fn until_closed(mut socket: TcpStream) -> String {
    let mut received = Vec::new();
    let read = async { while let Ok(1..) = socket.read_buf(&mut received).await {} };
    tokio::time::timeout(LONG, read)
        .await
        .expect("the server did not close the connection");
    String::from_utf8_lossy(&received).into_owned()
}

/// One answer with a `content-length` of two.
async fn next_answer(socket: &mut TcpStream) -> String {
    let mut received = Vec::new();
    let read = async {
        while !received.ends_with(b"\r\n\r\nok") {
            assert_ne!(socket.read_buf(&mut received).await.unwrap(), 0, "closed");
        }
    };
    tokio::time::timeout(LONG, read).await.expect("no answer");
    String::from_utf8(received).unwrap()
}

#[tokio::test]
async fn handlers_know_their_peer() {
    let who = get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() });
    let server = start(Router::new().route("/", who), Limits::default()).await;
    let socket = connect(&server, CLOSING).await;
    let own = socket.local_addr().unwrap().to_string();
    let answer = until_closed(socket).await;
    assert!(answer.ends_with(&own), "{answer}");
}

#[tokio::test]
async fn a_client_that_never_finishes_its_first_request_is_cut_off() {
    let limits = Limits {
        header_read: SHORT,
        ..Limits::default()
    };
    let server = start(Router::new(), limits).await;
    let beginnings: [&[u8]; 4] = [
        b"",
        b"GET / HTTP/1.1\r\nhost:",
        b"PRI * HTTP/2.0\r\n",
        // the whole preface of HTTP/2 and an empty SETTINGS frame
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    ];
    for beginning in beginnings {
        let socket = connect(&server, beginning).await;
        until_closed(socket).await;
    }
}

#[tokio::test]
async fn a_connection_may_idle_longer_than_a_first_request_may_take() {
    let limits = Limits {
        header_read: SHORT,
        ..Limits::default()
    };
    let server = start(Router::new().route("/", get(async || "ok")), limits).await;
    let mut idle = connect(&server, KEPT).await;
    next_answer(&mut idle).await;
    // by the time a silent connection is cut off, the limit has passed for the idle one as well
    until_closed(connect(&server, "").await).await;
    idle.write_all(KEPT.as_bytes()).await.unwrap();
    next_answer(&mut idle).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_the_end() {
    let limits = Limits {
        idle: SHORT,
        ..Limits::default()
    };
    let server = start(Router::new().route("/", get(async || "ok")), limits).await;
    let mut idle = connect(&server, KEPT).await;
    next_answer(&mut idle).await;
    assert_eq!(until_closed(idle).await, "");
}

#[tokio::test]
async fn a_running_request_ends_before_the_server_does() {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (entered, release) = (entered.clone(), release.clone());
        get(move || async move {
            entered.notify_one();
            release.notified().await;
            "done"
        })
    };
    let server = start(Router::new().route("/", handler), Limits::default()).await;
    let busy = connect(&server, KEPT).await;
    entered.notified().await;
    server.stop.cancel();
    release.notify_one();
    assert!(until_closed(busy).await.ends_with("done"));
    assert!(server.done.await.unwrap());
    TcpStream::connect(server.address).await.unwrap_err();
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_stop() {
    let server = start(Router::new().route("/", get(async || "ok")), Limits::default()).await;
    let (mut idle, silent) = (connect(&server, KEPT).await, connect(&server, "").await);
    next_answer(&mut idle).await;
    server.stop.cancel();
    let stopped = tokio::time::timeout(LONG, server.done).await;
    assert!(stopped.expect("the stop waits for idle connections").unwrap());
    drop((idle, silent));
}

#[tokio::test]
async fn at_the_end_of_the_grace_a_request_is_cut_off_and_dropped() {
    let limits = Limits {
        grace: Grace::from(SHORT),
        ..Limits::default()
    };
    let stuck = Stuck::default();
    let server = start(stuck.router(), limits).await;
    let socket = connect(&server, KEPT).await;
    stuck.entered.notified().await;
    server.stop.cancel();
    assert!(!server.done.await.unwrap());
    assert!(stuck.dropped());
    assert_eq!(until_closed(socket).await, "");
}

#[tokio::test]
async fn at_the_end_of_the_grace_a_stream_is_cut_off_too() {
    let limits = Limits {
        grace: Grace::from(SHORT),
        ..Limits::default()
    };
    let endless = get(async || {
        let first = futures::stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"first"))]);
        Body::from_stream(first.chain(futures::stream::pending()))
    });
    let server = start(Router::new().route("/", endless), limits).await;
    let mut socket = connect(&server, KEPT).await;
    let mut received = Vec::new();
    while !received.ends_with(b"first\r\n") {
        assert_ne!(socket.read_buf(&mut received).await.unwrap(), 0, "closed");
    }
    server.stop.cancel();
    assert!(!server.done.await.unwrap());
    // without the last chunk: a client must not take what it has for the whole
    assert_eq!(until_closed(socket).await, "");
}

#[expect(clippy::disallowed_methods, reason = "a client of our own server")]
fn prior_knowledge_client() -> reqwest::Client {
    // reqwest wants a provider even for plain HTTP; another test may have installed it
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap()
}

#[tokio::test]
async fn http2_is_served_and_its_requests_are_cut_off_as_well() {
    let limits = Limits {
        grace: Grace::from(SHORT),
        ..Limits::default()
    };
    let stuck = Stuck::default();
    let server = start(stuck.router(), limits).await;
    let client = prior_knowledge_client();
    let request = tokio::spawn(client.get(format!("http://{}/", server.address)).send());
    stuck.entered.notified().await;
    server.stop.cancel();
    assert!(!server.done.await.unwrap());
    assert!(stuck.dropped());
    request.await.unwrap().unwrap_err();
}

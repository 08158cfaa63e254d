//! Real proxies in front of a real provider, with TLS where it belongs.

use super::*;
use crate::egress::{Egress, EgressConfig};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Of `localhost`, made as the one in `shared/state/tests/tls` was. Protects nothing.
const CERTIFICATE: &[u8] = include_bytes!("tests/certificate.pem");
const KEY: &[u8] = include_bytes!("tests/key.pem");

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// What servers of a test were asked, in order.
type Seen = Arc<Mutex<Vec<String>>>;

fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Trusts the certificate of the tests and nothing else.
fn trusting() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(CERTIFICATE).unwrap())
        .unwrap();
    ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Serves every connection with `serve`, behind TLS if asked for.
async fn listen<F>(tls: bool, serve: impl Fn(Box<dyn Wire>) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            if !tls {
                tokio::spawn(serve(Box::new(socket)));
            } else if let Ok(socket) = acceptor().accept(socket).await {
                tokio::spawn(serve(Box::new(socket)));
            }
        }
    });
    address
}

async fn head(wire: &mut Box<dyn Wire>) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(wire.read_u8().await.ok()?);
    }
    Some(String::from_utf8(bytes).unwrap())
}

/// Says hello to every request.
async fn provider(tls: bool, seen: &Seen) -> SocketAddr {
    let seen = seen.clone();
    listen(tls, move |mut wire| {
        let seen = seen.clone();
        async move {
            while let Some(head) = head(&mut wire).await {
                seen.lock().push(format!("provider: {}", first_line(&head)));
                let hello = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
                wire.write_all(hello).await.unwrap();
            }
        }
    })
    .await
}

/// Tunnels to `behind`, whatever it is asked for, and answers itself what is not to be tunnelled.
async fn http_proxy(tls: bool, seen: &Seen, behind: SocketAddr) -> SocketAddr {
    let seen = seen.clone();
    listen(tls, move |mut wire| {
        let seen = seen.clone();
        async move {
            while let Some(head) = head(&mut wire).await {
                let named = head
                    .to_lowercase()
                    .contains("proxy-authorization: basic bwu6c2vjcmv0");
                seen.lock().push(format!(
                    "proxy: {}{}",
                    first_line(&head),
                    if named { " (me)" } else { "" }
                ));
                if head.starts_with("CONNECT ") {
                    wire.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                    let mut target = TcpStream::connect(behind).await.unwrap();
                    let _ = copy_bidirectional(&mut wire, &mut target).await;
                    return;
                }
                let passed = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npassed";
                wire.write_all(passed).await.unwrap();
            }
        }
    })
    .await
}

fn first_line(head: &str) -> &str {
    head.lines().next().unwrap().trim_end_matches(" HTTP/1.1")
}

/// SOCKS 5 with a user name, as much of it as one client needs.
async fn socks_proxy(seen: &Seen, behind: SocketAddr) -> SocketAddr {
    let seen = seen.clone();
    listen(false, move |mut wire| {
        let seen = seen.clone();
        async move {
            let mut greeting = [0; 3];
            wire.read_exact(&mut greeting).await.unwrap();
            assert_eq!(greeting, [5, 1, 2], "one method: user name and password");
            wire.write_all(&[5, 2]).await.unwrap();
            let mut login = [0; 11];
            wire.read_exact(&mut login).await.unwrap();
            assert_eq!(&login, b"\x01\x02me\x06secret");
            wire.write_all(&[1, 0]).await.unwrap();
            let mut request = [0; 10];
            wire.read_exact(&mut request).await.unwrap();
            let [5, 1, 0, 1, a, b, c, d, high, low] = request else {
                panic!("not a connection to an IPv4 address: {request:?}");
            };
            let port = u16::from_be_bytes([high, low]);
            seen.lock().push(format!("socks: {a}.{b}.{c}.{d}:{port}"));
            wire.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 1]).await.unwrap();
            let mut target = TcpStream::connect(behind).await.unwrap();
            let _ = copy_bidirectional(&mut wire, &mut target).await;
        }
    })
    .await
}

fn egress() -> Egress {
    let config = EgressConfig {
        connect_timeout: Duration::from_secs(5),
        allow_private: false,
        proxies: ProxyEnvironment::default(),
    };
    let mut egress = Egress::new(config).unwrap();
    egress.proxied = Pool::new(trusting(), Duration::from_secs(5));
    egress
}

fn proxy(scheme: ProxyScheme, host: &str, at: SocketAddr) -> Proxy {
    Proxy::new(scheme, host, at.port(), "me", "secret").unwrap()
}

async fn get(egress: &Egress, url: &str, allow_private: bool, proxy: &Proxy) -> Result<String, String> {
    let request = Request::get(url).body(Full::new(Bytes::new())).unwrap();
    let answer = egress.call(request, allow_private, Some(proxy)).await;
    let answer = answer.map_err(|error| format!("{error:?}"))?;
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn providers_with_tls_are_tunnelled_to_and_those_without_are_named_to_the_proxy() {
    let (seen, egress) = (Seen::default(), egress());
    let provider = provider(true, &seen).await;
    for (scheme, tls, host) in [
        (ProxyScheme::Http, false, "127.0.0.1"),
        (ProxyScheme::Https, true, "localhost"),
    ] {
        let through = proxy(scheme, host, http_proxy(tls, &seen, provider).await);
        for _ in 0..2 {
            let answer = get(&egress, "https://localhost:9443/v1/models", true, &through).await;
            assert_eq!(answer.as_deref(), Ok("hello"), "{through}");
        }
        let expected = [
            "proxy: CONNECT localhost:9443 (me)",
            "provider: GET /v1/models",
            // on the same connection
            "provider: GET /v1/models",
        ];
        assert_eq!(seen.lock().split_off(0), expected, "{through}");

        let answer = get(&egress, "http://localhost:9080/v1/models?a=b", true, &through).await;
        assert_eq!(answer.as_deref(), Ok("passed"), "{through}");
        let expected = ["proxy: GET http://localhost:9080/v1/models?a=b (me)"];
        assert_eq!(seen.lock().split_off(0), expected, "{through}");
    }
}

#[tokio::test]
async fn a_socks_proxy_is_told_the_address_that_was_looked_up_and_looked_at() {
    let (seen, egress) = (Seen::default(), egress());
    for tls in [true, false] {
        let provider = provider(tls, &seen).await;
        let through = proxy(
            ProxyScheme::Socks5,
            "127.0.0.1",
            socks_proxy(&seen, provider).await,
        );
        let scheme = if tls { "https" } else { "http" };
        let answer = get(&egress, &format!("{scheme}://localhost:9443/v1"), true, &through).await;
        assert_eq!(answer.as_deref(), Ok("hello"));
        assert_eq!(
            seen.lock().split_off(0),
            ["socks: 127.0.0.1:9443", "provider: GET /v1"]
        );
    }
}

#[tokio::test]
async fn no_proxy_leads_to_where_a_call_may_not_go() {
    let (seen, egress) = (Seen::default(), egress());
    let provider = provider(false, &seen).await;
    let http = proxy(
        ProxyScheme::Http,
        "127.0.0.1",
        http_proxy(false, &seen, provider).await,
    );
    let socks = proxy(
        ProxyScheme::Socks5,
        "127.0.0.1",
        socks_proxy(&seen, provider).await,
    );
    for through in [&http, &socks] {
        for (url, allowed) in [
            ("http://localhost/", false),
            ("https://localhost/", false),
            ("http://10.1.2.3/", false),
            ("https://169.254.169.254/", true),
            ("http://[::ffff:169.254.169.254]/", true),
        ] {
            let error = get(&egress, url, allowed, through).await.unwrap_err();
            let refusal = if allowed { "Forbidden" } else { "Private" };
            assert!(error.contains(refusal), "{url} through {through}: {error}");
        }
    }
    assert_eq!(*seen.lock(), Vec::<String>::new());
}

#[tokio::test]
async fn a_proxy_that_refuses_or_is_not_there_is_what_failed() {
    let egress = egress();
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let refusing = listen(false, |mut wire| async move {
        let _ = head(&mut wire).await;
        let _ = wire
            .write_all(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n")
            .await;
    })
    .await;
    for (at, scheme) in [
        (closed, ProxyScheme::Http),
        (closed, ProxyScheme::Https),
        (closed, ProxyScheme::Socks5),
        (refusing, ProxyScheme::Http),
    ] {
        let through = proxy(scheme, "127.0.0.1", at);
        let error = get(&egress, "https://localhost:9443/", true, &through)
            .await
            .unwrap_err();
        assert!(error.contains("ProxyFailed"), "{through}: {error}");
    }
}

#[test]
fn a_proxy_is_an_address_of_the_operators_own_and_never_that_of_a_metadata_service() {
    let host = |text: &str| Proxy::new(ProxyScheme::Http, text, 8080, "", "").map(|proxy| proxy.host);
    for (text, expected) in [
        ("proxy.internal", Ok("proxy.internal")),
        (" PROXY.internal ", Ok("proxy.internal")),
        ("10.0.0.1", Ok("10.0.0.1")),
        ("127.0.0.1", Ok("127.0.0.1")),
        ("fd00::1", Ok("[fd00::1]")),
        ("[fd00::1]", Ok("[fd00::1]")),
        (
            "169.254.169.254",
            Err(ProxyError::Address(EgressError::Forbidden)),
        ),
        ("0xa9fea9fe", Err(ProxyError::Address(EgressError::Forbidden))),
        ("fe80::1", Err(ProxyError::Address(EgressError::Forbidden))),
        ("", Err(ProxyError::Host)),
        ("http://proxy", Err(ProxyError::Host)),
        ("proxy:8080", Err(ProxyError::Host)),
        ("user@proxy", Err(ProxyError::Host)),
        ("proxy/path", Err(ProxyError::Host)),
        ("a b", Err(ProxyError::Host)),
    ] {
        assert_eq!(host(text), expected.map(str::to_owned), "{text}");
    }
    let with = |user: &str, password: &str| Proxy::new(ProxyScheme::Http, "p", 1, user, password).map(drop);
    assert_eq!(with("me", "se:cret"), Ok(()));
    assert_eq!(with("m:e", ""), Err(ProxyError::Credentials));
    assert_eq!(with("me", "a\r\nb"), Err(ProxyError::Credentials));
    assert_eq!(with("me", &"x".repeat(256)), Err(ProxyError::Credentials));
}

#[test]
fn a_proxy_does_not_print_its_password() {
    let proxy = Proxy::new(ProxyScheme::Https, "proxy", 8443, "me", "secret").unwrap();
    assert_eq!(
        format!("{proxy} {proxy:?}"),
        "https://proxy:8443 https://proxy:8443"
    );
    assert!(proxy.authorization().unwrap().is_sensitive());
}

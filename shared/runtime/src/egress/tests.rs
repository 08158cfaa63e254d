//! Every way around the guard that gateways were caught with.

use super::*;
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server on loopback that answers every connection with the same bytes and counts them.
struct Server {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Server {
    async fn start(response: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            accepted: Arc::default(),
        };
        let (accepted, response) = (server.accepted.clone(), response.into());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::Relaxed);
                let _ = socket.read(&mut [0; 1024]).await;
                let _ = socket.write_all(response.as_bytes()).await;
            }
        });
        server
    }

    fn url(&self, host: &str) -> Url {
        format!("http://{host}:{}/", self.address.port()).parse().unwrap()
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";

fn egress(allow_private: bool) -> Egress {
    Egress::new(EgressConfig {
        connect_timeout: Duration::from_secs(2),
        allow_private,
        proxies: ProxyEnvironment::default(),
    })
    .unwrap()
}

/// Both steps that every caller takes.
async fn call(egress: &Egress, url: Url, allow_private: bool) -> Result<String, Box<dyn Error>> {
    egress.check(&url, allow_private)?;
    Ok(egress.client(allow_private).get(url).send().await?.text().await?)
}

/// The guard's word inside a chain of transport errors.
fn refusal<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a EgressError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<EgressError>() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

#[test]
fn every_spelling_of_a_forbidden_address_is_refused() {
    let table = [
        ("http://127.0.0.1/", EgressError::Private),
        ("http://127.0.0.1./", EgressError::Private),
        ("http://127.1/", EgressError::Private),
        ("http://2130706433/", EgressError::Private),
        ("http://0x7f000001/", EgressError::Private),
        ("http://0x7f.1/", EgressError::Private),
        ("http://0177.0.0.1/", EgressError::Private),
        ("http://017700000001/", EgressError::Private),
        ("http://①②⑦.⓪.⓪.①/", EgressError::Private),
        ("http://127。0。0。1/", EgressError::Private),
        ("http://%31%32%37.0.0.1/", EgressError::Private),
        ("http:\\\\127.0.0.1\\", EgressError::Private),
        ("http://[::1]/", EgressError::Private),
        ("http://[0:0:0:0:0:0:0:1]/", EgressError::Private),
        ("http://[::ffff:127.0.0.1]/", EgressError::Private),
        ("http://[::ffff:7f00:1]/", EgressError::Private),
        ("http://[::127.0.0.1]/", EgressError::Forbidden),
        ("http://[2002:7f00:1::]/", EgressError::Private),
        ("http://localhost/", EgressError::Private),
        ("http://LOCALHOST./", EgressError::Private),
        ("http://api.localhost/", EgressError::Private),
        ("http://10.1.2.3/", EgressError::Private),
        ("http://192.168.0.1/", EgressError::Private),
        ("http://172.16.0.1/", EgressError::Private),
        ("http://100.64.0.1/", EgressError::Private),
        ("http://[fd00::1]/", EgressError::Private),
        ("http://0.0.0.0/", EgressError::Forbidden),
        ("http://0/", EgressError::Forbidden),
        ("http://[::]/", EgressError::Forbidden),
        ("http://169.254.169.254/latest/meta-data", EgressError::Forbidden),
        ("http://2852039166/", EgressError::Forbidden),
        ("http://[::ffff:169.254.169.254]/", EgressError::Forbidden),
        ("http://[64:ff9b::169.254.169.254]/", EgressError::Forbidden),
        ("http://[fd00:ec2::254]/", EgressError::Forbidden),
        ("http://[fe80::1]/", EgressError::Forbidden),
        ("http://168.63.129.16/", EgressError::Forbidden),
        ("http://224.0.0.1/", EgressError::Forbidden),
        ("http://255.255.255.255/", EgressError::Forbidden),
        ("ftp://example.com/", EgressError::Scheme),
        ("file:///etc/passwd", EgressError::Scheme),
        ("gopher://example.com/", EgressError::Scheme),
        ("ws://example.com/", EgressError::Scheme),
        ("http://user:secret@example.com/", EgressError::UserInfo),
        ("http://example.com@127.0.0.1/", EgressError::UserInfo),
        ("http://127.0.0.1:80@example.com/", EgressError::UserInfo),
        ("http://:secret@example.com/", EgressError::UserInfo),
    ];
    let guard = egress(false);
    for (url, expected) in table {
        assert_eq!(guard.check(&url.parse().unwrap(), false), Err(expected), "{url}");
    }
}

#[test]
fn public_hosts_are_allowed() {
    let guard = egress(false);
    for url in [
        "https://api.openai.com/v1",
        "https://8.8.8.8/",
        "http://[2606:4700::1]/",
        "https://localhost.example.com/",
        "https://notlocalhost/",
    ] {
        assert_eq!(guard.check(&url.parse().unwrap(), false), Ok(()), "{url}");
    }
}

#[test]
fn a_connection_or_the_operator_may_allow_private_addresses_but_nobody_metadata() {
    for (by_operator, by_connection) in [(true, false), (false, true), (true, true)] {
        let guard = egress(by_operator);
        for url in [
            "http://127.0.0.1:11434/",
            "http://localhost:11434/",
            "http://10.0.0.1/",
        ] {
            assert_eq!(guard.check(&url.parse().unwrap(), by_connection), Ok(()), "{url}");
        }
        let metadata = guard.check(&"http://169.254.169.254/".parse().unwrap(), by_connection);
        assert_eq!(metadata, Err(EgressError::Forbidden));
    }
}

#[tokio::test]
async fn a_literal_loopback_address_is_called_only_where_allowed() {
    let server = Server::start(HELLO).await;
    let guard = egress(false);
    let error = call(&guard, server.url("127.0.0.1"), false).await.unwrap_err();
    assert_eq!(refusal(error.as_ref()), Some(&EgressError::Private));
    assert_eq!(server.accepted(), 0);
    assert_eq!(call(&guard, server.url("127.0.0.1"), true).await.unwrap(), "hi");
    assert_eq!(server.accepted(), 1);
}

/// Straight to the client, past `check`: what a name resolves to is judged when it is resolved for the
/// connection, so an answer that changed since somebody looked changes nothing.
#[tokio::test]
async fn a_name_that_resolves_to_loopback_is_not_connected_to() {
    let server = Server::start(HELLO).await;
    let guard = egress(false);
    let client = guard.client(false);
    let error = client.get(server.url("localhost")).send().await.unwrap_err();
    assert_eq!(refusal(&error), Some(&EgressError::Private), "{error:?}");
    assert_eq!(server.accepted(), 0);
    let answer = guard
        .client(true)
        .get(server.url("localhost"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.text().await.unwrap(), "hi");
}

#[test]
fn of_the_addresses_of_a_name_only_those_allowed_are_left() {
    let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
    let (public, private, metadata) = (at("8.8.8.8"), at("10.0.0.1"), at("169.254.169.254"));
    let table = [
        (vec![public], false, Ok(vec![public])),
        (vec![private, public, metadata], false, Ok(vec![public])),
        (vec![private, public, metadata], true, Ok(vec![private, public])),
        (vec![private], false, Err(EgressError::Private)),
        (vec![metadata], false, Err(EgressError::Forbidden)),
        (vec![metadata], true, Err(EgressError::Forbidden)),
        (vec![], false, Ok(vec![])),
    ];
    for (found, allow_private, expected) in table {
        let kept = permitted(found.iter().copied(), allow_private);
        assert_eq!(kept, expected, "{found:?} {allow_private}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let target = Server::start(HELLO).await;
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let server = Server::start(format!(
            "HTTP/1.1 {status}\r\nlocation: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            target.url("127.0.0.1")
        ))
        .await;
        let guard = egress(true);
        let answer = guard
            .client(true)
            .get(server.url("127.0.0.1"))
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_redirection(), "{}", answer.status());
    }
    assert_eq!(target.accepted(), 0);
}

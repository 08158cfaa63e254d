//! Redis behind TLS, with a certificate of the operator's own.

use state::{RedisStore, StateStore};
use std::time::Duration;
use testkit::process::free_address;
use testkit::service::RedisServer;
use testkit::wait_until;

/// Made by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500
/// -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE`. Protects nothing.
const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/certificate.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/key.pem");

#[tokio::test]
async fn a_store_speaks_tls_to_a_server_it_can_trust_and_to_no_other() {
    let port = free_address().port();
    let server = RedisServer::start_with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        CERTIFICATE,
        "--tls-key-file",
        KEY,
        "--tls-auth-clients",
        "no",
    ])
    .await;

    let store = |url: String| async move {
        let store = RedisStore::connect(&url, "test").await.unwrap();
        store.with_deadline(Duration::from_secs(2))
    };
    let trusting = store(format!("rediss://localhost:{port}?ssl_ca_certs={CERTIFICATE}")).await;
    wait_until("an answer over TLS", Duration::from_secs(10), async || {
        trusting.ping().await.ok()
    })
    .await;
    trusting
        .revoke_session("s1", Duration::from_secs(60))
        .await
        .unwrap();
    assert!(trusting.session_revoked("s1").await.unwrap());

    // not among those that this machine trusts, and not for this name
    for url in [
        format!("rediss://localhost:{port}"),
        format!("rediss://127.0.0.1:{port}?ssl_ca_certs={CERTIFICATE}"),
    ] {
        let answer = store(url.clone()).await.ping().await;
        assert!(answer.is_err(), "{url}: {answer:?}");
    }
    drop(server);
}

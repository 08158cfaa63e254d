use super::*;
use crate::egress::{Egress, EgressConfig, ProxyEnvironment};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

const KEY: &str = include_str!("tests/key.pem");
const PUBLIC: &[u8] = include_bytes!("tests/public.der");
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

fn file(token_uri: &str) -> Value {
    json!({
        "type": "service_account", "project_id": "p", "private_key_id": "k1", "private_key": KEY,
        "client_email": "me@p.iam.gserviceaccount.com", "token_uri": token_uri,
    })
}

fn account(token_uri: &str) -> ServiceAccount {
    ServiceAccount::read(&file(token_uri).to_string()).unwrap()
}

fn way(egress: &Egress) -> Way<'_> {
    Way {
        egress,
        allow_private: true,
        proxy: None,
    }
}

fn egress() -> Egress {
    Egress::new(EgressConfig {
        connect_timeout: Duration::from_secs(5),
        allow_private: false,
        proxies: ProxyEnvironment::default(),
    })
    .unwrap()
}

/// A token endpoint whose tokens are good for so many seconds, and how often it was asked. With 0 it refuses.
async fn endpoint(lifetime: u64) -> (String, Arc<AtomicU64>) {
    let asked = Arc::new(AtomicU64::new(0));
    let answer = move |State(asked): State<Arc<AtomicU64>>| async move {
        let number = asked.fetch_add(1, Ordering::SeqCst) + 1;
        // long enough for everybody to come and wait
        tokio::task::yield_now().await;
        match lifetime {
            0 => (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))),
            lifetime => {
                let token = json!({ "access_token": format!("t{number}"), "expires_in": lifetime });
                (StatusCode::OK, Json(token))
            }
        }
    };
    let router = Router::new()
        .route("/token", post(answer))
        .with_state(asked.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, asked)
}

#[test]
fn the_statement_says_who_asks_for_what_and_is_signed() {
    let statement = account("https://oauth2.example/token")
        .assertion(SCOPE, 1_764_437_000)
        .unwrap();
    let parts: Vec<&str> = statement.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        panic!("{statement}")
    };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let read = |part: &str| serde_json::from_slice::<Value>(&decode(part)).unwrap();
    assert_eq!(read(header), json!({ "alg": "RS256", "typ": "JWT", "kid": "k1" }));
    assert_eq!(
        read(claims),
        json!({
            "iss": "me@p.iam.gserviceaccount.com", "scope": SCOPE, "aud": "https://oauth2.example/token",
            "iat": 1_764_437_000, "exp": 1_764_440_600,
        })
    );
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, PUBLIC)
        .verify(format!("{header}.{claims}").as_bytes(), &decode(signature))
        .unwrap();
}

#[test]
fn what_is_no_key_of_a_service_account_is_refused_without_being_shown() {
    let with = |name: &str, value: Value| {
        let mut file = file("https://oauth2.example/token");
        file[name] = value;
        file.to_string()
    };
    for (credential, refusal) in [
        ("{".to_owned(), AccountError::Shape),
        (r#"{"type":"service_account"}"#.to_owned(), AccountError::Shape),
        (with("type", json!("authorized_user")), AccountError::Kind),
        (with("token_uri", json!("ftp://x")), AccountError::TokenUrl),
        (with("private_key", json!("secret")), AccountError::Key),
        (
            with("private_key", json!(format!("{PEM_BEGIN}\nc2VjcmV0\n{PEM_END}"))),
            AccountError::Key,
        ),
    ] {
        let error = ServiceAccount::read(&credential).unwrap_err();
        assert_eq!(error, refusal);
        assert!(!error.to_string().contains("c2VjcmV0"));
    }
    assert!(ServiceAccount::is_meant(" {\"type\":1}") && !ServiceAccount::is_meant("ya29.token"));
    assert!(!format!("{:?}", account("https://x.example")).contains("PRIVATE"));
}

#[tokio::test]
async fn however_many_wait_one_asks() {
    let (url, asked) = endpoint(3600).await;
    let (grant, egress) = (Grant::new(account(&url), SCOPE), egress());
    let all = (0..50).map(|_| grant.bearer(way(&egress)));
    for bearer in futures::future::join_all(all).await {
        assert_eq!(bearer.unwrap().header(), "Bearer t1");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(grant.bearer(way(&egress)).await.unwrap().header(), "Bearer t1");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_for_all_that_it_was_refused_for() {
    let (url, asked) = endpoint(3600).await;
    let (grant, egress) = (Grant::new(account(&url), SCOPE), egress());
    let first = grant.bearer(way(&egress)).await.unwrap();
    let all = (0..20).map(|_| grant.another(&first, way(&egress)));
    for bearer in futures::future::join_all(all).await {
        assert_eq!(bearer.unwrap().header(), "Bearer t2");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_that_is_about_to_end_is_not_begun_with() {
    let (url, asked) = endpoint(100).await;
    let (grant, egress) = (Grant::new(account(&url), SCOPE), egress());
    grant.bearer(way(&egress)).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(49)).await;
    assert_eq!(grant.bearer(way(&egress)).await.unwrap().header(), "Bearer t1");
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    assert_eq!(grant.bearer(way(&egress)).await.unwrap().header(), "Bearer t2");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn those_who_waited_for_a_refusal_share_it_and_the_next_one_asks_again() {
    let (url, asked) = endpoint(0).await;
    let (grant, egress) = (Grant::new(account(&url), SCOPE), egress());
    let all = (0..20).map(|_| grant.bearer(way(&egress)));
    for refused in futures::future::join_all(all).await {
        assert_eq!(
            refused.unwrap_err(),
            GrantError::Refused(" (invalid_grant)".to_owned())
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(grant.bearer(way(&egress)).await.is_err());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_endpoint_in_a_private_network_is_called_only_where_that_is_allowed() {
    let (url, asked) = endpoint(3600).await;
    let (grant, egress) = (Grant::new(account(&url), SCOPE), egress());
    let guarded = Way {
        allow_private: false,
        ..way(&egress)
    };
    assert!(matches!(grant.bearer(guarded).await, Err(GrantError::Blocked(_))));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_new_configuration_goes_on_with_the_tokens_of_the_same_credential() {
    let grants = Grants::default();
    let made = |credential: &str| {
        let make = || Ok(Grant::new(account("https://x.example"), SCOPE));
        grants.of("c1", credential, make).unwrap()
    };
    let first = made("a");
    assert!(Arc::ptr_eq(&first, &made("a")));
    assert!(!Arc::ptr_eq(&first, &made("b")));
}

//! Tokens that end, and what requests get instead.

use super::*;
use crate::routing::{Connection, NotRenewed};
use chrono::Utc;
use proto::v1::{RenewToken, TokenRenewal};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

const HOUR_MS: i64 = 3_600_000;

/// An account whose token, of this generation, lasts so long.
fn account(id: &str, generation: u64, lasts_ms: i64) -> Resource {
    let mut resource = connection(id, "openai", 1);
    if let Some(Body::Connection(connection)) = &mut resource.body {
        connection.auth_type = "oauth".to_owned();
        connection.credential = sealed(
            &format!("connection|{id}|credential"),
            &format!("token-{generation}"),
        );
        connection.access_token = Some(v1::AccessToken {
            generation,
            expires_at_ms: Utc::now().timestamp_millis() + lasts_ms,
            renewable: true,
        });
    }
    resource
}

fn routing(resources: &[Resource]) -> Routing {
    let routing = Routing::default();
    routing.store(recompiled(resources, &routing));
    routing
}

fn found(routing: &Routing, id: &str) -> Arc<Connection> {
    routing.load().unwrap().connection(id).unwrap().clone()
}

fn asked(id: &str, generation: u64) -> RenewToken {
    RenewToken {
        connection_id: id.to_owned(),
        generation,
    }
}

/// Whether a control plane has been asked anything more.
async fn is_quiet(routing: &Routing) -> bool {
    timeout(Duration::from_millis(1), routing.renewals().next())
        .await
        .is_err()
}

#[tokio::test(start_paused = true)]
async fn a_good_token_is_used_as_it_is_and_nobody_asked() {
    let routing = routing(&[account("a", 1, HOUR_MS)]);
    let given = found(&routing, "a");
    let used = routing.with_good_token(&given).await.unwrap();
    assert!(Arc::ptr_eq(&given, &used));
    assert!(is_quiet(&routing).await);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_soon_is_used_while_a_newer_one_is_asked_for() {
    let routing = routing(&[account("a", 1, 60_000)]);
    let given = found(&routing, "a");
    for _ in 0..3 {
        let used = routing.with_good_token(&given).await.unwrap();
        assert!(Arc::ptr_eq(&given, &used));
    }
    assert_eq!(routing.renewals().next().await, asked("a", 1));
    assert!(is_quiet(&routing).await, "asked more than once");
}

#[tokio::test(start_paused = true)]
async fn twenty_requests_ask_once_and_all_get_the_newer_token() {
    let routing = routing(&[account("a", 1, -1)]);
    let given = found(&routing, "a");
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let (routing, given) = (routing.clone(), given.clone());
            tokio::spawn(async move { routing.with_good_token(&given).await })
        })
        .collect();
    assert_eq!(routing.renewals().next().await, asked("a", 1));
    assert!(is_quiet(&routing).await, "asked more than once");
    routing.store(recompiled(&[account("a", 2, HOUR_MS)], &routing));
    for request in waiting {
        let used = request.await.unwrap().unwrap();
        assert_eq!(used.headers["authorization"], "Bearer token-2");
    }
    // who still has the older one needs no control plane
    let used = routing.renewed(&given).await.unwrap();
    assert_eq!(used.token.unwrap().generation, 2);
    assert!(is_quiet(&routing).await);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_at_once_and_silence_after_ten_seconds() {
    let routing = routing(&[account("a", 1, -1), account("b", 1, -1)]);
    let refused = tokio::spawn({
        let (routing, given) = (routing.clone(), found(&routing, "a"));
        async move { routing.with_good_token(&given).await.map(|_| ()) }
    });
    assert_eq!(routing.renewals().next().await, asked("a", 1));
    routing.renewals().heard(TokenRenewal {
        connection_id: "a".to_owned(),
        generation: 1,
        renewed: false,
        error: "sign in again".to_owned(),
    });
    let expected = NotRenewed::Refused("sign in again".to_owned());
    assert_eq!(refused.await.unwrap(), Err(expected));

    let started = Instant::now();
    let silence = routing.with_good_token(&found(&routing, "b")).await;
    assert_eq!(silence.map(|_| ()), Err(NotRenewed::Late));
    assert_eq!(started.elapsed(), Duration::from_secs(10));
    // by then nobody waits for an answer
    assert!(is_quiet(&routing).await);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_nobody_can_renew_is_not_asked_about() {
    let mut ended = account("a", 1, -1);
    if let Some(Body::Connection(connection)) = &mut ended.body {
        connection.access_token.as_mut().unwrap().renewable = false;
    }
    let routing = routing(&[ended]);
    let answer = routing.with_good_token(&found(&routing, "a")).await;
    assert_eq!(answer.map(|_| ()), Err(NotRenewed::SignInAgain));
    assert!(is_quiet(&routing).await);
}

#[tokio::test(start_paused = true)]
async fn a_newer_token_ends_the_rest_that_the_older_one_earned() {
    let routing = routing(&[account("a", 1, HOUR_MS)]);
    let given = found(&routing, "a");
    let refusal = llm::UpstreamError::new(llm::ErrorKind::UpstreamAuth, "the token has ended");
    let profile = routing.profile(true);
    given
        .account
        .punish("m", Penalty::of(&refusal, &profile), &refusal);
    assert!(given.account.cooling("m").is_some());
    routing.store(recompiled(&[account("a", 1, HOUR_MS)], &routing));
    assert!(
        given.account.cooling("m").is_some(),
        "another change is no newer token"
    );
    routing.store(recompiled(&[account("a", 2, HOUR_MS)], &routing));
    assert!(given.account.cooling("m").is_none());
}

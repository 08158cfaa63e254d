use super::*;
use crate::routing::penalty::blames_provider;
use ErrorKind as K;

const API_KEY: Profile = Profile::API_KEY;
const OAUTH: Profile = Profile::OAUTH;
const MODEL: bool = true;
const ACCOUNT: bool = false;

#[tokio::test(start_paused = true)]
async fn every_penalty_has_its_scope_and_ends_at_its_time() {
    let hinted = |seconds, error| UpstreamError {
        retry_after: Some(Duration::from_secs(seconds)),
        ..error
    };
    let table = [
        (bad_key(), API_KEY, ACCOUNT, 120),
        (
            error(K::Quota, Some(402), "credit balance"),
            API_KEY,
            ACCOUNT,
            120,
        ),
        (
            error(K::Permission, Some(403), "no access"),
            API_KEY,
            ACCOUNT,
            120,
        ),
        (
            error(K::UpstreamAuth, Some(403), "request not allowed"),
            API_KEY,
            ACCOUNT,
            5,
        ),
        (
            error(K::ModelNotFound, Some(404), "no such model"),
            API_KEY,
            MODEL,
            600,
        ),
        (rate_limit(), API_KEY, MODEL, 1),
        (rate_limit(), OAUTH, MODEL, 60),
        (hinted(33, rate_limit()), API_KEY, MODEL, 33),
        (hinted(90, rate_limit()), OAUTH, MODEL, 90),
        (hinted(33, rate_limit()), OAUTH, MODEL, 60),
        (hinted(0, rate_limit()), API_KEY, MODEL, 1),
        (hinted(9_999_999, rate_limit()), API_KEY, MODEL, 24 * 3600),
        (
            error(K::RateLimit, Some(429), "daily limit of your organization"),
            API_KEY,
            ACCOUNT,
            1,
        ),
        (error(K::Upstream5xx, Some(500), "oops"), API_KEY, ACCOUNT, 3),
        (error(K::Upstream5xx, Some(500), "oops"), OAUTH, ACCOUNT, 5),
        (
            hinted(40, error(K::Upstream5xx, Some(503), "oops")),
            API_KEY,
            ACCOUNT,
            40,
        ),
        (error(K::Overloaded, Some(529), "Overloaded"), API_KEY, ACCOUNT, 1),
        (error(K::Timeout, None, "no first event"), API_KEY, ACCOUNT, 3),
        (error(K::Upstream5xx, None, "connection reset"), OAUTH, ACCOUNT, 5),
        (error(K::StreamIncomplete, None, "cut"), API_KEY, ACCOUNT, 3),
        (error(K::InvalidRequest, Some(418), "teapot"), API_KEY, ACCOUNT, 5),
    ];
    for (error, profile, one_model, seconds) in table {
        let health = Health::default();
        let account = account(&health);
        punish(&account, &error, &profile);
        assert_eq!(account.cooling("other").is_none(), one_model, "{error:?}");
        let documented = Duration::from_secs(seconds);
        advance(documented.mul_f64(0.9) - Duration::from_millis(1)).await;
        assert!(account.cooling("m").is_some(), "{error:?} ended too early");
        advance(documented.mul_f64(0.2) + Duration::from_millis(2)).await;
        assert_eq!(account.cooling("m"), None, "{error:?} did not end");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_request_is_held_against_nobody() {
    let table = [
        (K::InvalidRequest, 400),
        (K::ContextLength, 400),
        (K::TooLarge, 413),
        (K::InvalidRequest, 422),
        (K::InvalidRequest, 409),
        (K::Cancelled, 499),
    ];
    for (kind, status) in table {
        let health = Health::default();
        let account = account(&health);
        let error = error(kind, Some(status), "overloaded capacity, rate limit");
        punish(&account, &error, &API_KEY);
        assert_eq!(account.cooling("m"), None, "{status}");
        assert_eq!(account.facts().failures, 0, "{status}");
        assert!(!blames_provider(&error), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rest_doubles_with_every_failure_in_a_row_up_to_its_longest() {
    let oops = error(K::Upstream5xx, Some(500), "oops");
    let table: [(UpstreamError, Profile, &[f64]); 3] = [
        (
            rate_limit(),
            API_KEY,
            &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 120.0, 120.0],
        ),
        (oops.clone(), API_KEY, &[3.0, 6.0, 12.0, 24.0, 48.0, 60.0, 60.0]),
        (oops, OAUTH, &[5.0, 10.0, 20.0, 40.0, 60.0, 60.0]),
    ];
    for (error, profile, documented) in table {
        let health = Health::default();
        let account = account(&health);
        for expected in documented {
            punish(&account, &error, &profile);
            let left = seconds_left(&account, "m").unwrap();
            let allowed = expected * 0.9 - 0.001..=expected * 1.1 + 0.001;
            assert!(allowed.contains(&left), "{left} instead of {expected}: {error:?}");
            advance(Duration::from_secs_f64(left + 0.01)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_profile_of_the_moment_decides() {
    let strict = Profile {
        transient: Duration::from_secs(200),
        rate_limit: Duration::from_secs(7),
        max_level: 0,
        ..API_KEY
    };
    let health = Health::default();
    let account = account(&health);
    for _ in 0..3 {
        punish(&account, &error(K::Timeout, None, ""), &strict);
        let left = seconds_left(&account, "m").unwrap();
        assert!((180.0..=220.0).contains(&left), "{left}");
        advance(Duration::from_secs(221)).await;
    }
    account.clear();
    punish(&account, &rate_limit(), &strict);
    let left = seconds_left(&account, "m").unwrap();
    assert!((6.3..=7.7).contains(&left), "{left}");
}

#[tokio::test(start_paused = true)]
async fn twenty_failures_at_once_raise_the_level_by_one() {
    let health = Health::default();
    let account = account(&health);
    for _ in 0..20 {
        punish(&account, &rate_limit(), &API_KEY);
    }
    advance(Duration::from_secs(2)).await;
    punish(&account, &rate_limit(), &API_KEY);
    let left = seconds_left(&account, "m").unwrap();
    assert!((1.8..=2.2).contains(&left), "{left}");
}

#[tokio::test(start_paused = true)]
async fn success_forgets_only_what_happened_before_it_began() {
    let health = Health::default();
    let account = account(&health);
    let before = Instant::now();
    advance(Duration::from_millis(1)).await;
    punish(&account, &bad_key(), &API_KEY);
    account.forgive("m", before);
    assert!(
        account.cooling("m").is_some(),
        "a slow success must not undo a later failure"
    );
    advance(Duration::from_millis(1)).await;
    account.forgive("m", Instant::now());
    assert_eq!(account.cooling("m"), None);
}

#[tokio::test(start_paused = true)]
async fn success_begins_the_levels_anew() {
    let health = Health::default();
    let account = account(&health);
    for _ in 0..3 {
        punish(&account, &rate_limit(), &API_KEY);
        advance(Duration::from_secs(10)).await;
    }
    account.forgive("m", Instant::now());
    punish(&account, &rate_limit(), &API_KEY);
    let left = seconds_left(&account, "m").unwrap();
    assert!((0.9..=1.1).contains(&left), "{left}");
}

#[tokio::test(start_paused = true)]
async fn an_operator_can_clear_one_or_all() {
    let health = Health::default();
    let (a, b) = (health.account("openai", "a"), health.account("openai", "b"));
    punish(&a, &bad_key(), &API_KEY);
    punish(&b, &rate_limit(), &API_KEY);
    health.clear(Some("a"));
    assert_eq!(a.cooling("m"), None);
    assert!(b.cooling("m").is_some());
    health.clear(None);
    assert_eq!(b.cooling("m"), None);
}

#[tokio::test(start_paused = true)]
async fn names_that_clients_make_up_do_not_pile_up() {
    let health = Health::default();
    let account = account(&health);
    let unknown = error(K::ModelNotFound, Some(404), "no such model");
    for n in 0..5000 {
        account.punish(&n.to_string(), Penalty::of(&unknown, &API_KEY), &unknown);
    }
    assert!(account.cooling("0").is_some());
    assert_eq!(account.cooling("4999"), None, "there is no room for it");
    advance(Duration::from_secs(661)).await;
    account.punish("4999", Penalty::of(&unknown, &API_KEY), &unknown);
    assert!(account.cooling("4999").is_some(), "those that are over made room");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_half_forgotten_after_ten_seconds() {
    let health = Health::default();
    let account = account(&health);
    punish(&account, &rate_limit(), &API_KEY);
    assert_eq!(account.facts().failures, 500);
    advance(Duration::from_secs(10)).await;
    assert_eq!(account.facts().failures, 250);
    for _ in 0..50 {
        punish(&account, &rate_limit(), &API_KEY);
    }
    assert_eq!(account.facts().failures, 1000);
    advance(Duration::from_secs(200)).await;
    assert_eq!(account.facts().failures, 0);
}

#[test]
fn a_call_is_in_flight_until_it_is_dropped() {
    let health = Health::default();
    let account = account(&health);
    assert_eq!((account.facts().in_flight, account.facts().last_used_ms), (0, 0));
    let calls = [account.begin(&"m".into()), account.begin(&"m".into())];
    assert_eq!(account.facts().in_flight, 2);
    assert!(account.facts().last_used_ms > 1_700_000_000_000);
    drop(calls);
    assert_eq!(account.facts().in_flight, 0);
}

#[test]
fn only_a_failing_server_is_held_against_the_provider() {
    let table = [
        (K::Upstream5xx, Some(500), true),
        (K::Upstream5xx, Some(503), true),
        (K::Overloaded, Some(529), true),
        (K::Timeout, Some(504), true),
        (K::Unsupported, Some(501), false),
        (K::RateLimit, Some(429), false),
        (K::UpstreamAuth, Some(401), false),
        (K::ModelNotFound, Some(404), false),
        (K::Timeout, None, true),
        (K::Upstream5xx, None, true),
        (K::StreamIncomplete, None, true),
        (K::MalformedUpstream, None, false),
        (K::Unavailable, None, false),
        (K::Cancelled, None, false),
    ];
    for (kind, status, blamed) in table {
        assert_eq!(
            blames_provider(&error(kind, status, "")),
            blamed,
            "{kind:?} {status:?}"
        );
    }
}

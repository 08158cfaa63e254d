//! A provider dies under the load of two data planes, and comes back.

use crate::harness::{DataPlane, Setup, until};
use dataplane::routing::health::Standing;
use proto::v1::{self, UsageEvent, resource::Body};
use state::{MemoryStore, StateStore};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use testkit::{Behaviour, Fault, FaultProxy, Simulator};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const RESET_MS: u32 = 3_000;
/// How long nobody may take to hear of it.
const HEARD_MS: i64 = 1_000;
const CLIENTS: usize = 4;

/// Failures are forgotten quickly, so that it is the breaker that keeps everybody away.
fn resilience() -> Body {
    let profile = v1::resilience::Profile {
        transient_cooldown_ms: 50,
        rate_limit_cooldown_ms: 0,
        max_backoff_level: 0,
        breaker_threshold: 5,
        breaker_reset_ms: RESET_MS,
    };
    Body::Resilience(v1::Resilience {
        oauth: Some(profile),
        apikey: Some(profile),
        defaults: Some(v1::resilience::RateDefaults {
            requests_per_minute: 100,
            min_gap_ms: 200,
            concurrent_requests: 10,
        }),
    })
}

async fn data_plane(
    id: &str,
    store: &Arc<dyn StateStore>,
    proxy: &FaultProxy,
    other: &Simulator,
) -> Arc<DataPlane> {
    let mut setup = Setup::new()
        .store(store.clone())
        .resource("resilience", resilience());
    let dying = format!("http://{}/v1", proxy.address());
    for number in 1..=3 {
        setup = setup
            .account_at(&format!("dying-{number}"), "openai", &dying)
            .account(&format!("other-{number}"), "anthropic", other);
    }
    let setup = setup.combo("smart", &["openai/demo", "anthropic/demo"]);
    let data_plane = setup.start().await;
    data_plane.share(id);
    Arc::new(data_plane)
}

/// Clients that ask until they are told to stop, and get an answer every time.
fn load(data_planes: &[Arc<DataPlane>], stop: &CancellationToken) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for data_plane in data_planes
        .iter()
        .flat_map(|one| std::iter::repeat_n(one, CLIENTS))
    {
        let (data_plane, stop) = (data_plane.clone(), stop.clone());
        clients.spawn(async move {
            while !stop.is_cancelled() {
                let response = data_plane.chat("smart", false).await;
                let status = response.status();
                let text = response.text().await.unwrap();
                assert_eq!(status, 200, "{text}");
            }
        });
    }
    clients
}

fn standing(data_plane: &DataPlane) -> Standing {
    data_plane.gateway.routing.health().breaker("openai").standing()
}

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// When calls to the provider that died left, by the clock.
fn calls(events: &[UsageEvent]) -> Vec<i64> {
    let of = |event: &UsageEvent| {
        let dying = event
            .attempts
            .iter()
            .filter(|attempt| attempt.provider == "openai");
        let at = event.started_at_ms;
        dying
            .map(|attempt| at + i64::from(attempt.started_after_ms))
            .collect::<Vec<_>>()
    };
    events.iter().flat_map(of).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_dies_is_left_alone_by_all_until_one_probe_finds_it_back() {
    let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
    let (dying, other) = (Simulator::openai().await, Simulator::anthropic().await);
    let proxy = FaultProxy::to(dying.address()).await;
    let data_planes = [
        data_plane("a", &store, &proxy, &other).await,
        data_plane("b", &store, &proxy, &other).await,
    ];
    let stop = CancellationToken::new();
    let clients = load(&data_planes, &stop);
    until("load", || (dying.requests().len() > 100).then_some(())).await;

    proxy.set(Fault::Refuse);
    let died = unix_ms();
    for data_plane in &data_planes {
        let open = || matches!(standing(data_plane), Standing::Open { .. }).then_some(());
        until("an open breaker", open).await;
    }
    let opened = unix_ms();
    assert!(opened - died < HEARD_MS, "{} ms", opened - died);

    // what was on its way when the provider died is gone; it is back before anybody asks, and slow to answer
    let before = dying.requests().len();
    dying.script(Behaviour {
        first_byte: Duration::from_millis(1_500),
        ..Behaviour::default()
    });
    proxy.set(Fault::None);
    until("the probe", || (dying.requests().len() > before).then_some(())).await;
    let probed = unix_ms();
    let answered = other.requests().len();
    until("more requests", || {
        assert_eq!(dying.requests().len(), before + 1, "one probe of all data planes");
        (other.requests().len() > answered + 50).then_some(())
    })
    .await;
    for data_plane in &data_planes {
        assert_eq!(standing(data_plane), Standing::HalfOpen);
    }

    for data_plane in &data_planes {
        let closed = || (standing(data_plane) == Standing::Closed).then_some(());
        until("a closed breaker", closed).await;
    }
    until("its share", || {
        (dying.requests().len() > before + 50).then_some(())
    })
    .await;
    stop.cancel();
    let statuses = clients.join_all().await;
    assert_eq!(statuses.len(), CLIENTS * data_planes.len());

    // the probe itself is one of them on a machine so slow that it is seen long after it left
    let known_dead = died + HEARD_MS..probed;
    let late = data_planes.iter().flat_map(|plane| calls(&plane.events()));
    let late = late.filter(|at| known_dead.contains(at)).count();
    assert!(late <= 1, "{late} calls to a provider that is known to be dead");
}

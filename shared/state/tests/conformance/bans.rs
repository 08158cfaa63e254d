//! Addresses that are kept out for a time.

use crate::{SHORT, Scenario, WINDOW, passed};
use futures::FutureExt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const SCENARIOS: &[Scenario] = &[
    ("nobody is banned at first", |store| {
        async move {
            let all = store.bans_since(0).await.unwrap();
            assert_eq!(all.bans, Some(Vec::new()));
            // so that a poll costs nothing from now on
            let since = store.bans_since(all.version).await.unwrap();
            assert_eq!((since.version, since.bans), (all.version, None));
        }
        .boxed()
    }),
    (
        "a ban is listed with its reason and its end, by address",
        |store| {
            async move {
                let before = unix_ms();
                for (address, reason) in [
                    ("2001:db8::1", "é\u{1f}\"x"),
                    ("203.0.113.9", ""),
                    ("10.0.0.1", "b"),
                ] {
                    store.ban(ip(address), reason, WINDOW).await.unwrap();
                }
                let bans = store.bans_since(0).await.unwrap().bans.unwrap();
                let listed: Vec<_> = bans.iter().map(|ban| (ban.ip, ban.reason.as_str())).collect();
                let expected = [
                    (ip("10.0.0.1"), "b"),
                    (ip("203.0.113.9"), ""),
                    (ip("2001:db8::1"), "é\u{1f}\"x"),
                ];
                assert_eq!(listed, expected);
                let window = i64::try_from(WINDOW.as_millis()).unwrap();
                for ban in bans {
                    assert!(ban.left <= WINDOW && ban.left > WINDOW / 2, "{:?}", ban.left);
                    // a service on another machine has another clock; the one of tests has not
                    assert!(
                        (ban.until_ms - before - window).abs() < 10_000,
                        "{}",
                        ban.until_ms
                    );
                }
            }
            .boxed()
        },
    ),
    ("every change has a version of its own", |store| {
        async move {
            let mut versions = vec![store.bans_since(0).await.unwrap().version];
            for change in 0..4 {
                match change {
                    3 => assert!(store.unban(ip("10.0.0.1")).await.unwrap()),
                    _ => store.ban(ip("10.0.0.1"), "again", WINDOW).await.unwrap(),
                }
                let since = store.bans_since(*versions.last().unwrap()).await.unwrap();
                assert_eq!(since.bans.unwrap().len(), usize::from(change != 3));
                versions.push(since.version);
            }
            assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        }
        .boxed()
    }),
    ("the last ban of an address counts, be it shorter", |store| {
        async move {
            store.ban(ip("10.0.0.1"), "long", WINDOW).await.unwrap();
            store.ban(ip("10.0.0.1"), "short", SHORT).await.unwrap();
            let bans = store.bans_since(0).await.unwrap().bans.unwrap();
            assert_eq!((bans.len(), bans[0].reason.as_str()), (1, "short"));
            assert!(bans[0].left <= SHORT);
        }
        .boxed()
    }),
    ("a ban ends by itself", |store| {
        async move {
            store.ban(ip("10.0.0.1"), "", SHORT).await.unwrap();
            store.ban(ip("10.0.0.2"), "", WINDOW).await.unwrap();
            passed(&store, 2 * SHORT).await;
            let bans = store.bans_since(0).await.unwrap().bans.unwrap();
            assert_eq!(
                bans.iter().map(|ban| ban.ip).collect::<Vec<_>>(),
                [ip("10.0.0.2")]
            );
            assert!(
                !store.unban(ip("10.0.0.1")).await.unwrap(),
                "it has ended already"
            );
        }
        .boxed()
    }),
    ("an address is let in again, and no other", |store| {
        async move {
            store.ban(ip("10.0.0.1"), "", WINDOW).await.unwrap();
            store.ban(ip("10.0.0.2"), "", WINDOW).await.unwrap();
            assert!(store.unban(ip("10.0.0.1")).await.unwrap());
            assert!(!store.unban(ip("10.0.0.1")).await.unwrap());
            assert!(!store.unban(ip("10.0.0.3")).await.unwrap());
            let bans = store.bans_since(0).await.unwrap().bans.unwrap();
            assert_eq!(
                bans.iter().map(|ban| ban.ip).collect::<Vec<_>>(),
                [ip("10.0.0.2")]
            );
        }
        .boxed()
    }),
    ("a ban for longer than any clock counts is a long ban", |store| {
        async move {
            store.ban(ip("10.0.0.1"), "", Duration::MAX).await.unwrap();
            let bans = store.bans_since(0).await.unwrap().bans.unwrap();
            assert!(bans[0].left > Duration::from_secs(300 * 24 * 60 * 60));
        }
        .boxed()
    }),
];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

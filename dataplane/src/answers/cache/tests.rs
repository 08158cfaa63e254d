use super::*;
use bytes::Bytes;
use runtime::crypto::SealKey;
use state::MemoryStore;
use std::future::ready;

const LASTS: Duration = Duration::from_secs(60);

fn cache(store: &Arc<dyn StateStore>, max_entries: u64, max_bytes: u64) -> Cache {
    let vault = Vault::new(SealKey::derive("tests", "a secret of these tests, long enough"));
    Cache::new(store.clone(), vault, max_entries, max_bytes)
}

fn store() -> Arc<dyn StateStore> {
    Arc::new(MemoryStore::new())
}

fn key(generation: u64, n: u32) -> EntryKey {
    let mut hash = [0; 32];
    hash[..4].copy_from_slice(&n.to_be_bytes());
    EntryKey {
        generation,
        tenant: "t".to_owned(),
        hash,
    }
}

fn answer(body: Bytes) -> StoredAnswer {
    StoredAnswer {
        body,
        tokens: 10,
        ..StoredAnswer::default()
    }
}

async fn miss(cache: &Cache, key: &EntryKey, may_wait: bool) -> Kept {
    assert!(cache.find(key).await.is_none());
    match cache.join(key.clone(), LASTS, may_wait).await {
        Lookup::Miss(kept) => kept,
        Lookup::Hit(answer) => panic!("there is an answer: {answer:?}"),
    }
}

/// What is written to the store beside a request.
async fn stored(store: &Arc<dyn StateStore>, key: &EntryKey) {
    while store.cached_answer(key).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_one_data_plane_answered_another_finds_for_as_long_as_it_lasts() {
    let store = store();
    let (one, other) = (cache(&store, 500, 1 << 20), cache(&store, 500, 1 << 20));
    miss(&one, &key(1, 1), true)
        .await
        .keep(answer(Bytes::from("a")), ready(()));
    let here = one.0.memory.get(&key(1, 1)).unwrap();
    assert_eq!(here.answer.body, "a");
    stored(&store, &key(1, 1)).await;
    assert_eq!(other.find(&key(1, 1)).await.unwrap().body, "a");
    // from memory from now on, and no longer than it would have lasted in the store
    let promoted = other.0.memory.get(&key(1, 1)).unwrap();
    assert!(promoted.lasts <= LASTS && promoted.lasts > LASTS - Duration::from_secs(10));
    assert!(other.find(&key(2, 1)).await.is_none());
}

#[tokio::test]
async fn an_answer_is_not_found_when_its_time_is_over() {
    let store = store();
    let cache = cache(&store, 500, 1 << 20);
    let Lookup::Miss(kept) = cache.join(key(1, 1), Duration::from_millis(30), true).await else {
        panic!("there is an answer");
    };
    kept.keep(answer(Bytes::from("a")), ready(()));
    let deadline = Instant::now() + Duration::from_secs(10);
    while cache.find(&key(1, 1)).await.is_some() {
        assert!(Instant::now() < deadline, "still there");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn memory_is_bounded_in_entries_and_in_bytes() {
    let store = store();
    let table = [(10, 1 << 20, 100), (1_000, 100_000, 10_000), (0, 1 << 20, 100)];
    for (max_entries, max_bytes, size) in table {
        let cache = cache(&store, max_entries, max_bytes);
        for n in 0..100 {
            let Lookup::Miss(kept) = cache.join(key(1, n), LASTS, false).await else {
                panic!("there is an answer");
            };
            kept.keep(answer(Bytes::from(vec![0; size])), ready(()));
        }
        let holdings = cache.take_report(1).holdings;
        let most = max_entries.min(max_bytes / size as u64);
        assert!(holdings.entries <= most, "{} of {most}", holdings.entries);
        assert!(most == 0 || holdings.entries > 0, "{max_entries} {max_bytes}");
    }
}

#[tokio::test]
async fn whoever_asks_meanwhile_waits_for_the_one_that_asked_first() {
    let cache = cache(&store(), 500, 1 << 20);
    let kept = miss(&cache, &key(1, 1), true).await;
    let waiting = tokio::spawn({
        let cache = cache.clone();
        async move {
            match cache.join(key(1, 1), LASTS, true).await {
                Lookup::Hit(answer) => answer.body.clone(),
                Lookup::Miss(_) => Bytes::new(),
            }
        }
    });
    tokio::task::yield_now().await;
    // a stream does not wait
    let _kept = miss(&cache, &key(1, 1), false).await;
    kept.keep(answer(Bytes::from("a")), ready(()));
    assert_eq!(waiting.await.unwrap(), "a");
}

#[tokio::test]
async fn when_there_is_no_answer_to_share_all_go_on_at_once() {
    let cache = cache(&store(), 500, 1 << 20);
    let kept = miss(&cache, &key(1, 1), true).await;
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { matches!(cache.join(key(1, 1), LASTS, true).await, Lookup::Miss(_)) })
        })
        .collect();
    tokio::task::yield_now().await;
    drop(kept);
    for waited in futures::future::join_all(waiting).await {
        assert!(waited.unwrap());
    }
}

#[tokio::test]
async fn counts_are_of_the_newest_generation_and_are_told_once() {
    let cache = cache(&store(), 500, 1 << 20);
    let found = answer(Bytes::from("a"));
    cache.hit(1, &found, true);
    cache.missed(1);
    cache.hit(2, &found, false);
    cache.missed(1);
    cache.hit(2, &found, true);
    let report = cache.take_report(2);
    assert_eq!(report.generation, 2);
    assert_eq!(
        report.counts,
        CacheCounts {
            hits: 2,
            similar_hits: 1,
            tokens_saved: 20,
            ..CacheCounts::default()
        }
    );
    assert!(cache.take_report(2).counts.is_empty());
    cache.put_back(&report);
    assert_eq!(cache.take_report(2).counts.hits, 2);
}

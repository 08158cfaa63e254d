use super::*;
use runtime::crypto::SealKey;
use state::MemoryStore;

const LASTS: Duration = Duration::from_secs(60);

fn store() -> Arc<dyn StateStore> {
    Arc::new(MemoryStore::new())
}

fn similar(store: &Arc<dyn StateStore>) -> Similar {
    let vault = Vault::new(SealKey::derive("tests", "a secret of these tests, long enough"));
    Similar::new(store.clone(), vault)
}

fn placed(tenant: &str, entry: u8, text: &str) -> Placed {
    Placed {
        partition: EntryKey {
            generation: 1,
            tenant: tenant.to_owned(),
            hash: [7; 32],
        },
        entry: [entry; 32],
        particulars: Particulars::of(text),
    }
}

/// So many degrees from the first axis.
fn at(degrees: f32) -> Vector {
    let (sin, cos) = degrees.to_radians().sin_cos();
    Vector::new(vec![cos, sin]).unwrap()
}

async fn keep(similar: &Similar, placed: &Placed, degrees: f32) {
    similar.keep(placed, &at(degrees), LASTS).await;
}

async fn found(similar: &Similar, placed: &Placed, degrees: f32, threshold: f64) -> Vec<u8> {
    similar.refresh(&placed.partition).await.unwrap();
    let alike = similar.alike(placed, &at(degrees), threshold);
    alike.iter().map(|alike| alike.entry[0]).collect()
}

#[tokio::test]
async fn the_most_alike_comes_first_and_nothing_below_the_threshold() {
    let similar = similar(&store());
    for (entry, degrees) in [(1, 10.0), (2, 5.0), (3, 40.0), (4, 12.0), (5, 14.0)] {
        keep(&similar, &placed("t", entry, "how far is it"), degrees).await;
    }
    let asked = placed("t", 9, "how far away is it");
    assert_eq!(
        found(&similar, &asked, 0.0, 0.95).await,
        [2, 1, 4],
        "three at most"
    );
    assert_eq!(found(&similar, &asked, 0.0, 0.99).await, [2]);
    assert!(found(&similar, &asked, 0.0, 0.999).await.is_empty());
    // the same direction is the same whatever sums of small numbers come to
    assert_eq!(found(&similar, &asked, 5.0, 1.0).await, [2]);
}

#[tokio::test]
async fn what_another_process_kept_is_found_and_what_another_tenant_kept_is_not() {
    let store = store();
    let (one, other) = (similar(&store), similar(&store));
    keep(&one, &placed("t", 1, "how far is it"), 0.0).await;
    let mine = placed("t", 9, "how far is it then");
    let theirs = placed("another", 9, "how far is it then");
    assert_eq!(found(&other, &mine, 0.0, 0.95).await, [1]);
    assert!(found(&other, &theirs, 0.0, 0.95).await.is_empty());
    keep(&one, &placed("t", 2, "how far is it"), 3.0).await;
    assert_eq!(
        found(&other, &mine, 2.0, 0.95).await,
        [2, 1],
        "only what is new is read"
    );
}

#[tokio::test]
async fn what_a_vector_does_not_see_is_not_alike() {
    let similar = similar(&store());
    keep(&similar, &placed("t", 1, "is it 5 miles away"), 0.0).await;
    let asked = |text| placed("t", 9, text);
    assert_eq!(
        found(&similar, &asked("is it 5 miles off, away"), 0.0, 0.95).await,
        [0; 0]
    );
    assert!(
        found(&similar, &asked("is it 6 miles away"), 0.0, 0.95)
            .await
            .is_empty()
    );
    assert_eq!(
        found(&similar, &asked("are they 5 miles away"), 0.0, 0.95).await,
        [1]
    );
}

#[tokio::test]
async fn vectors_of_another_model_are_not_compared() {
    let similar = similar(&store());
    keep(&similar, &placed("t", 1, "how far is it"), 0.0).await;
    let asked = placed("t", 9, "how far is it then");
    similar.refresh(&asked.partition).await.unwrap();
    let longer = Vector::new(vec![1.0, 0.0, 0.0]).unwrap();
    assert_eq!(similar.alike(&asked, &longer, 0.95), []);
}

#[tokio::test]
async fn an_answer_that_is_gone_is_forgotten_until_it_is_kept_again() {
    let similar = similar(&store());
    let asked = placed("t", 9, "how far is it then");
    let kept = placed("t", 1, "how far is it");
    keep(&similar, &kept, 0.0).await;
    assert_eq!(found(&similar, &asked, 0.0, 0.95).await, [1]);
    similar.forget(&asked.partition, &[1; 32]);
    assert!(found(&similar, &asked, 0.0, 0.95).await.is_empty());
    keep(&similar, &kept, 0.0).await;
    assert_eq!(found(&similar, &asked, 0.0, 0.95).await, [1]);
}

#[tokio::test]
async fn what_lies_in_the_store_has_no_words_and_opens_in_its_own_place_only() {
    let store = store();
    let similar = similar(&store);
    let kept = placed("t", 1, "how far is it");
    keep(&similar, &kept, 0.0).await;
    let changes = store
        .vectors_since(&kept.partition, VectorMark::default())
        .await
        .unwrap();
    let sealed = &changes.added[0].sealed;
    let number = 1.0_f32.to_le_bytes();
    assert!(!sealed.windows(4).any(|part| part == number));
    // put beside another answer, or into another's partition, it says nothing
    let there = placed("another", 2, "how far is it");
    for (partition, entry) in [(&kept.partition, [2; 32]), (&there.partition, [1; 32])] {
        let moved = sealed.clone();
        store.add_vector(partition, &entry, moved, LASTS).await.unwrap();
    }
    let asked = placed("t", 9, "how far is it then");
    assert_eq!(found(&similar, &asked, 0.0, 0.95).await, [1]);
    assert!(found(&similar, &there, 0.0, 0.95).await.is_empty());
}

#[tokio::test]
async fn a_partition_is_bounded_and_read_in_several_steps() {
    let store = store();
    let writer = similar(&store);
    let numbered = |n: usize| {
        let mut placed = placed("t", 0, "how far is it");
        placed.entry[..8].copy_from_slice(&n.to_le_bytes());
        placed
    };
    for n in 0..MAX_VECTORS + 10 {
        keep(&writer, &numbered(n), 0.0).await;
    }
    let reader = similar(&store);
    let partition = numbered(0).partition;
    let known = |similar: &Similar| {
        let known = similar.0.index.get(&partition);
        known.map_or(0, |known| known.lock().entries.len())
    };
    let mut steps = 0;
    while known(&reader) < MAX_VECTORS {
        reader.refresh(&partition).await.unwrap();
        steps += 1;
        assert!(steps <= 4, "{}", known(&reader));
    }
    assert_eq!(steps, 4);
    for n in 0..20 {
        keep(&writer, &numbered(MAX_VECTORS + 10 + n), 0.0).await;
    }
    reader.refresh(&partition).await.unwrap();
    assert_eq!(known(&reader), MAX_VECTORS);
}

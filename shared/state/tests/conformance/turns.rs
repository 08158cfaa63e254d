//! What answers held that their clients may not bring back.

use crate::{SHORT, Scenario, WINDOW, bytes, passed};
use ::bytes::Bytes;
use futures::FutureExt;

pub const SCENARIOS: &[Scenario] = &[
    ("a turn is recalled by its tenant and by no other", |store| {
        async move {
            let calls = ["c1".to_owned(), "c2".to_owned(), "c1".to_owned()];
            store.keep_turn("a", "c1", bytes("of a"), WINDOW).await.unwrap();
            store.keep_turn("b", "c2", bytes("of b"), WINDOW).await.unwrap();
            let of_a = store.recall_turns("a", &calls, WINDOW).await.unwrap();
            assert_eq!(of_a, [Some(bytes("of a")), None, Some(bytes("of a"))]);
            let of_b = store.recall_turns("b", &calls, WINDOW).await.unwrap();
            assert_eq!(of_b, [None, Some(bytes("of b")), None]);
            let nothing = store.recall_turns("a:c1", &[String::new()], WINDOW).await;
            assert_eq!(nothing.unwrap(), [None]);
            assert!(store.recall_turns("a", &[], WINDOW).await.unwrap().is_empty());
        }
        .boxed()
    }),
    ("a turn may be any bytes, and the last one kept counts", |store| {
        async move {
            let raw = Bytes::from((0..=255).cycle().take(1 << 18).collect::<Vec<u8>>());
            store.keep_turn("a", "c:}{1", bytes("old"), WINDOW).await.unwrap();
            store.keep_turn("a", "c:}{1", raw.clone(), WINDOW).await.unwrap();
            let found = store.recall_turns("a", &["c:}{1".to_owned()], WINDOW).await;
            assert_eq!(found.unwrap(), [Some(raw)]);
        }
        .boxed()
    }),
    ("a turn lives from when it was recalled last", |store| {
        async move {
            let call = ["c".to_owned()];
            store.keep_turn("a", "c", bytes("turn"), WINDOW).await.unwrap();
            store.recall_turns("a", &call, SHORT).await.unwrap();
            passed(&store, 2 * SHORT).await;
            assert_eq!(store.recall_turns("a", &call, WINDOW).await.unwrap(), [None]);
            store.keep_turn("a", "c", bytes("turn"), SHORT).await.unwrap();
            store.recall_turns("a", &call, WINDOW).await.unwrap();
            passed(&store, 2 * SHORT).await;
            let found = store.recall_turns("a", &call, WINDOW).await.unwrap();
            assert_eq!(found, [Some(bytes("turn"))]);
        }
        .boxed()
    }),
];

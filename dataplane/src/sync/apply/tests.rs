use super::*;
use proto::v1::{Resource, ResourceEntry};
use runtime::crypto::ClusterKeys;
use testkit::snapshot::{CLUSTER_SECRET, Snapshot};

fn applier() -> Applier {
    let transport = ClusterKeys::derive(CLUSTER_SECRET).transport;
    Applier::new(
        Routing::default(),
        transport,
        watch::Sender::new(Standing::default()),
    )
}

fn version(revision: u64, resources: &Resources) -> ConfigVersion {
    ConfigVersion {
        epoch: "one".to_owned(),
        revision,
        digest: resources.digest().to_vec(),
    }
}

fn set(resources: Vec<Resource>) -> Resources {
    resources.into_iter().collect()
}

fn update(mode: Mode, base: Option<ConfigVersion>, target: ConfigVersion, list: &ResourceList) -> Update {
    let payload = Bytes::from(zstd::bulk::compress(&list.encode_to_vec(), 1).unwrap());
    Update {
        mode,
        base,
        target,
        payload,
        from_store: false,
    }
}

fn full(revision: u64, resources: &Resources) -> Update {
    update(Mode::Full, None, version(revision, resources), &resources.full())
}

fn codes(applied: &Applied) -> Vec<Code> {
    applied.errors.iter().map(ResourceError::code).collect()
}

fn runs(applier: &Applier) -> Option<u64> {
    applier.routing.load().map(|table| table.version().revision)
}

fn knows(applier: &Applier, key: &str) -> bool {
    applier
        .routing
        .load()
        .is_some_and(|table| table.key(key).is_some())
}

#[tokio::test]
async fn a_delta_builds_on_what_runs() {
    let applier = applier();
    let one = set(Snapshot::new().key("sk-1").build());
    assert_eq!(applier.apply(full(1, &one)).await.verdict, Verdict::Ack);
    assert!(knows(&applier, "sk-1"));

    let two = set(Snapshot::new().key("sk-2").build());
    let delta = update(
        Mode::Delta,
        Some(version(1, &one)),
        version(2, &two),
        &two.since(&one),
    );
    assert_eq!(applier.apply(delta).await.verdict, Verdict::Ack);
    assert!(knows(&applier, "sk-2") && !knows(&applier, "sk-1"));
    assert_eq!(applier.standing().applied, Some(version(2, &two)));
}

#[tokio::test]
async fn whatever_cannot_be_applied_leaves_the_running_configuration() {
    let applier = applier();
    let running = set(Snapshot::new().key("sk-1").build());
    applier.apply(full(5, &running)).await;
    let next = set(Snapshot::new().key("sk-2").build());

    let other_base = Some(version(4, &next));
    let foreign_delta = update(Mode::Delta, other_base, version(6, &next), &next.since(&running));
    let wrong_digest = Update {
        target: version(6, &running),
        ..full(6, &next)
    };
    let garbage = Update {
        payload: Bytes::from_static(b"not zstd"),
        ..full(6, &next)
    };
    let no_list = Bytes::from(zstd::bulk::compress(b"\xff\xff\xff", 1).unwrap());
    let undecodable = Update {
        payload: no_list,
        ..full(6, &next)
    };
    let late = Update {
        from_store: true,
        ..full(6, &next)
    };
    let no_settings = full(6, &Resources::default());
    let cases = [
        ("older", full(4, &next), Code::RevisionRegression),
        ("foreign delta", foreign_delta, Code::DigestMismatch),
        ("wrong digest", wrong_digest, Code::DigestMismatch),
        ("garbage", garbage, Code::Decode),
        ("undecodable", undecodable, Code::Decode),
        ("late", late, Code::RevisionRegression),
        ("no settings", no_settings, Code::Invalid),
    ];
    for (name, update, code) in cases {
        let applied = applier.apply(update).await;
        assert_eq!(
            (applied.verdict, codes(&applied)),
            (Verdict::Nack, vec![code]),
            "{name}"
        );
        assert_eq!(runs(&applier), Some(5), "{name}");
        assert_eq!(applier.standing().applied, Some(version(5, &running)), "{name}");
        assert!(knows(&applier, "sk-1"), "{name}");
    }
}

#[tokio::test]
async fn another_epoch_replaces_a_higher_revision() {
    let applier = applier();
    let old = set(Snapshot::new().key("sk-1").build());
    applier.apply(full(50, &old)).await;
    let restored = set(Snapshot::new().key("sk-2").build());
    let target = ConfigVersion {
        epoch: "two".to_owned(),
        ..version(3, &restored)
    };
    let applied = applier
        .apply(Update {
            target,
            ..full(3, &restored)
        })
        .await;
    assert_eq!(applied.verdict, Verdict::Ack);
    assert_eq!(runs(&applier), Some(3));
}

#[tokio::test]
async fn an_unreadable_resource_is_quarantined_and_the_rest_applies() {
    let applier = applier();
    let mut resources = set(Snapshot::new().key("sk-1").build());
    let key = ResourceKey {
        kind: ResourceKind::Combo.into(),
        id: "broken".to_owned(),
    };
    let entry = ResourceEntry {
        key: Some(key.clone()),
        resource: Bytes::from_static(b"\xff"),
    };
    resources.merge(ResourceList {
        upsert: vec![entry],
        remove: Vec::new(),
    });

    let applied = applier.apply(full(1, &resources)).await;
    assert_eq!(
        (applied.verdict, codes(&applied)),
        (Verdict::AckPartial, vec![Code::Decode])
    );
    assert_eq!(applied.errors[0].resource, Some(key));
    assert!(knows(&applier, "sk-1"));
}

#[tokio::test]
async fn a_configuration_from_the_store_counts_as_stale_until_a_control_plane_confirms_it() {
    let applier = applier();
    let resources = set(Snapshot::new().key("sk-1").build());
    applier
        .apply(Update {
            from_store: true,
            ..full(1, &resources)
        })
        .await;
    assert!(applier.standing().from_store);
    applier.confirm(&version(2, &resources));
    assert!(applier.standing().from_store, "another head confirms nothing");
    applier.confirm(&version(1, &resources));
    assert!(!applier.standing().from_store);
}

#[test]
fn a_few_bytes_cannot_take_all_memory() {
    let bomb = zstd::stream::encode_all(std::io::repeat(0).take(MAX_DECOMPRESSED_BYTES + 1), 1).unwrap();
    assert!(bomb.len() < 1 << 20);
    assert!(matches!(decompress(&bomb), Err(Refusal::TooLarge)));
}

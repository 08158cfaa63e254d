//! Usage: from the end of a request to its row.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use controlplane::ingest::Ingest;
use dataplane::usage::{Captures, Spool, SpoolConfig, report};
use prost::Message;
use proto::v1::{
    Attempt, UsageBatch, UsageEvent, UsageEvents,
    usage_event::{Evidence, Phase},
};
use runtime::crypto::ClusterKeys;
use tempfile::TempDir;
use testkit::{FaultProxy, fault::Fault, snapshot::CLUSTER_SECRET, wait_until};
use tokio::{io::AsyncReadExt, net::TcpStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::harness::{Control, Database, SOON, control_planes};

fn event(seq: u64) -> UsageEvent {
    UsageEvent {
        seq,
        request_id: Uuid::now_v7().to_string(),
        phase: Phase::Final.into(),
        started_at_ms: 1_700_000_000_000,
        endpoint: "/v1/chat/completions".to_owned(),
        client_dialect: "openai".to_owned(),
        model_requested: "openai/gpt-4o".to_owned(),
        outcome: "ok".to_owned(),
        http_status: 200,
        input_uncached: 10,
        output_visible: 20,
        evidence: Evidence::ProviderReported.into(),
        reached_provider: true,
        attempts: vec![Attempt {
            provider: "openai".to_owned(),
            http_status: 200,
            ..Attempt::default()
        }],
        ..UsageEvent::default()
    }
}

fn batch(spool_id: Uuid, events: Vec<UsageEvent>) -> UsageBatch {
    let (first_seq, last_seq) = (events[0].seq, events.last().unwrap().seq);
    let zstd_events = Bytes::from(zstd::bulk::compress(&UsageEvents { events }.encode_to_vec(), 1).unwrap());
    UsageBatch {
        data_plane_id: "dp".to_owned(),
        spool_id: spool_id.to_string(),
        first_seq,
        last_seq,
        crc32c: crc32c::crc32c(&zstd_events),
        zstd_events,
        ..UsageBatch::default()
    }
}

fn run(seqs: impl IntoIterator<Item = u64>) -> Vec<UsageEvent> {
    seqs.into_iter().map(event).collect()
}

#[tokio::test]
async fn a_repeated_or_overlapping_batch_counts_every_event_once() {
    let database = Database::new(5).await;
    let (ingest, spool) = (Ingest::new(&database), Uuid::now_v7());
    let events = run(1..=10);
    let part = |from: usize, to: usize| batch(spool, events[from..to].to_vec());

    for (from, to, durable) in [(0, 4, 4), (0, 4, 4), (1, 3, 4), (2, 8, 8), (0, 10, 10)] {
        let ack = ingest.store(&part(from, to)).await.unwrap();
        assert_eq!(
            (ack.durable_seq, ack.reject.as_str()),
            (durable, ""),
            "{from}..{to}"
        );
    }
    assert_eq!(database.count("usage_event").await, 10);
    assert_eq!(
        database
            .number("select sum(output_visible)::bigint from usage_event")
            .await,
        200
    );
    assert_eq!(database.count("usage_gap").await, 0);
}

#[tokio::test]
async fn the_same_batch_at_two_replicas_counts_once() {
    let database = Database::new(10).await;
    let ingest = Ingest::new(&database);
    for _ in 0..20 {
        let batch = batch(Uuid::now_v7(), run(1..=50));
        let (a, b) = tokio::join!(ingest.store(&batch), ingest.store(&batch));
        assert_eq!((a.unwrap().durable_seq, b.unwrap().durable_seq), (50, 50));
    }
    assert_eq!(database.count("usage_event").await, 20 * 50);
}

#[tokio::test]
async fn a_spool_that_took_a_new_id_begins_without_a_gap() {
    let database = Database::new(5).await;
    let (ingest, spool) = (Ingest::new(&database), Uuid::now_v7());
    ingest.store(&batch(spool, run(7..=8))).await.unwrap();
    assert_eq!(database.count("usage_gap").await, 0);
    assert_eq!(database.count("usage_event").await, 2);
}

#[tokio::test]
async fn a_gap_is_written_down() {
    let database = Database::new(5).await;
    let (ingest, spool) = (Ingest::new(&database), Uuid::now_v7());
    ingest.store(&batch(spool, run(1..=3))).await.unwrap();
    let ack = ingest.store(&batch(spool, run(7..=8))).await.unwrap();
    assert_eq!(ack.durable_seq, 8);
    assert_eq!(database.number("select from_seq from usage_gap").await, 4);
    assert_eq!(database.number("select to_seq from usage_gap").await, 6);
    assert_eq!(database.count("usage_event").await, 5);
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_is_set_aside_and_blocks_nothing() {
    let database = Database::new(5).await;
    let (ingest, spool) = (Ingest::new(&database), Uuid::now_v7());
    let garbage = Bytes::from_static(b"this is not zstd");
    let unlike = |seq: u64, change: &dyn Fn(&mut UsageBatch)| {
        let mut batch = batch(spool, run([seq]));
        change(&mut batch);
        batch
    };
    let spoiled = |seq: u64, change: &dyn Fn(&mut UsageEvent)| {
        let mut event = event(seq);
        change(&mut event);
        batch(spool, vec![event])
    };
    let poison = [
        unlike(1, &|batch| batch.crc32c ^= 1),
        unlike(2, &|batch| {
            batch.crc32c = crc32c::crc32c(&garbage);
            batch.zstd_events = garbage.clone();
        }),
        unlike(3, &|batch| (batch.first_seq, batch.last_seq) = (3, 4)),
        spoiled(5, &|event| event.request_id = "not a uuid".to_owned()),
        spoiled(6, &|event| event.started_at_ms = i64::MAX),
    ];
    for batch in &poison {
        let ack = ingest.store(batch).await.unwrap();
        assert_eq!(ack.durable_seq, batch.last_seq);
        assert_ne!(ack.reject, "");
    }
    assert_eq!(ingest.store(&batch(spool, run([7]))).await.unwrap().reject, "");
    assert_eq!(database.count("usage_quarantine").await, 5);
    assert_eq!(database.count("usage_event").await, 1);
    assert_eq!(database.count("usage_gap").await, 0);
}

#[tokio::test]
async fn text_that_the_database_cannot_hold_does_not_stop_an_event() {
    let database = Database::new(5).await;
    let hostile = UsageEvent {
        model_requested: "a\0b".to_owned(),
        key_id: "not a uuid".to_owned(),
        ..event(1)
    };
    let ack = Ingest::new(&database)
        .store(&batch(Uuid::now_v7(), vec![hostile]))
        .await
        .unwrap();
    assert_eq!(ack.reject, "");
    assert_eq!(
        database
            .number("select length(model_requested)::bigint from usage_event")
            .await,
        3
    );
}

fn open(dir: &Path) -> Spool {
    Spool::open(SpoolConfig {
        segment_bytes: 32 * 1024,
        ..SpoolConfig::new(dir)
    })
    .unwrap()
    .0
}

fn nothing_captured() -> Arc<Captures> {
    Arc::new(Captures::new(ClusterKeys::derive(CLUSTER_SECRET).captures))
}

/// Until the proxy has noticed that it should refuse, and so has cut what was open.
async fn wait_until_refused(proxy: &FaultProxy) {
    let refused = async || {
        let Ok(mut socket) = TcpStream::connect(proxy.address()).await else {
            return Some(());
        };
        let read = tokio::time::timeout(Duration::from_millis(100), socket.read(&mut [0])).await;
        matches!(read, Ok(Ok(0) | Err(_))).then_some(())
    };
    wait_until("the proxy to refuse", SOON, refused).await;
}

fn serve(spool: &Spool, from: u64, to: u64) {
    for n in from..=to {
        let event = UsageEvent {
            client_request_id: n.to_string(),
            ..event(0)
        };
        spool.begin(&event);
        spool.end(event);
    }
}

#[tokio::test]
async fn every_request_becomes_one_row_whatever_happens_on_the_way() {
    let database = Database::new(5).await;
    let control = Control::start(&database).await;
    let proxy = FaultProxy::to(control.address).await;
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    let flush = CancellationToken::new();
    let reporting = tokio::spawn(report(
        spool.clone(),
        nothing_captured(),
        control_planes(proxy.address()),
        "dp".to_owned(),
        flush.clone(),
    ));

    serve(&spool, 1, 700);
    wait_until("the first rows", SOON, async || {
        (database.count("usage_event").await >= 512).then_some(())
    })
    .await;
    for round in 0..3 {
        proxy.set(Fault::Refuse);
        wait_until_refused(&proxy).await;
        serve(&spool, 701 + round * 100, 800 + round * 100);
        proxy.set(Fault::None);
        let rows = 800 + i64::try_from(round).unwrap() * 100;
        wait_until("all rows", SOON, async || {
            (database.count("usage_event").await == rows).then_some(())
        })
        .await;
    }
    assert_eq!(
        database
            .number("select count(distinct client_request_id) from usage_event")
            .await,
        1000
    );
    assert_eq!(
        database
            .number("select count(distinct seq) from usage_event")
            .await,
        1000
    );
    assert_eq!(
        database.count("usage_gap").await + database.count("usage_quarantine").await,
        0
    );

    // the end of a process sends what is left without waiting for more
    serve(&spool, 1001, 1003);
    flush.cancel();
    tokio::time::timeout(SOON, reporting).await.unwrap().unwrap();
    assert_eq!(database.count("usage_event").await, 1003);
    assert_eq!(spool.vitals().pending, 0);
}

#[tokio::test]
async fn a_request_that_died_with_its_data_plane_is_accounted_as_lost() {
    let database = Database::new(5).await;
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    serve(&spool, 1, 2);
    spool.begin(&UsageEvent {
        client_request_id: "unlucky".to_owned(),
        ..event(0)
    });
    drop(spool);

    let control = Control::start(&database).await;
    let spool = open(dir.path());
    let flush = CancellationToken::new();
    flush.cancel();
    let reporting = report(
        spool,
        nothing_captured(),
        control_planes(control.address),
        "dp".to_owned(),
        flush,
    );
    tokio::time::timeout(SOON, reporting).await.unwrap();
    assert_eq!(database.count("usage_event").await, 3);
    let lost = "select count(*) from usage_event
                where phase = 'lost' and client_request_id = 'unlucky' and reached_provider and evidence = 'estimated'";
    assert_eq!(database.number(lost).await, 1);
}

#[tokio::test]
async fn a_spool_older_than_what_was_reported_from_it_starts_over() {
    let database = Database::new(5).await;
    let control = Control::start(&database).await;
    let (dir, copy) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    drop(open(dir.path()));
    // a copy of the directory from before anything was reported
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    for (dir, requests) in [(&dir, 50), (&copy, 5)] {
        let spool = open(dir.path());
        let flush = CancellationToken::new();
        let control = control_planes(control.address);
        let reporting = tokio::spawn(report(
            spool.clone(),
            nothing_captured(),
            control,
            "dp".to_owned(),
            flush.clone(),
        ));
        serve(&spool, 1, requests);
        let done = async || (spool.vitals().pending == 0).then_some(());
        wait_until("everything to be acknowledged", Duration::from_secs(10), done).await;
        flush.cancel();
        reporting.await.unwrap();
    }
    assert_eq!(
        database.count("usage_event").await,
        55,
        "none was mistaken for one that was known"
    );
}

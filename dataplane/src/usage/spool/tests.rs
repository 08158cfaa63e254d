use super::super::bound::{ATTEMPTS, TEXT_BYTES};
use super::super::tail::Tail;
use super::identity::ID_FILE;
use super::*;
use proptest::prelude::*;
use proto::v1::UsageEvents;
use proto::v1::usage_event::{Evidence, Phase};
use std::collections::HashMap;
use std::path::Path;
use tempfile::TempDir;

/// Small segments, so that a test rotates them.
const SEGMENT_BYTES: u64 = 1024;

fn config(dir: &Path) -> SpoolConfig {
    SpoolConfig {
        dir: dir.to_owned(),
        quota_bytes: 1 << 20,
        segment_bytes: SEGMENT_BYTES,
    }
}

fn open(dir: &Path) -> (Spool, Recovered) {
    Spool::open(config(dir)).unwrap()
}

fn estimate(id: u32) -> UsageEvent {
    UsageEvent {
        request_id: format!("request-{id:05}"),
        started_at_ms: id.into(),
        input_uncached: 100,
        reached_provider: true,
        ..UsageEvent::default()
    }
}

fn ended(id: u32) -> UsageEvent {
    UsageEvent {
        phase: Phase::Final.into(),
        outcome: "ok".to_owned(),
        output_visible: 7,
        ..estimate(id)
    }
}

/// Everything that is not acknowledged, as a control plane would get it.
fn drain(spool: &Spool) -> Vec<UsageEvent> {
    let mut tail = Tail::new(spool.clone());
    let mut events = Vec::new();
    while let Some(batch) = tail.next().unwrap() {
        let message = batch.into_message("data-plane");
        let batch = UsageEvents::decode(&*zstd::decode_all(&*message.zstd_events).unwrap()).unwrap();
        assert!(
            batch
                .events
                .iter()
                .map(|event| event.seq)
                .eq(message.first_seq..=message.last_seq),
            "a batch has no holes"
        );
        events.extend(batch.events);
    }
    events
}

/// What a turn of the event loop ends with.
fn write(spool: &Spool) {
    spool.0.state.lock().flush();
}

fn written_bytes(spool: &Spool, file: &Path) -> u64 {
    write(spool);
    fs::metadata(file).unwrap().len()
}

/// The directory as it would be if the process died now.
fn as_left_behind(dir: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

fn acknowledge_all(spool: &Spool) {
    let mut tail = Tail::new(spool.clone());
    while let Some(batch) = tail.next().unwrap() {
        spool.acknowledge(batch.last, batch.end).unwrap();
    }
}

fn ids(events: &[UsageEvent]) -> Vec<&str> {
    events.iter().map(|event| event.request_id.as_str()).collect()
}

fn segment_files(dir: &Path) -> Vec<PathBuf> {
    Segment::list(dir)
        .unwrap()
        .into_iter()
        .map(|segment| segment.path)
        .collect()
}

#[test]
fn an_event_outlives_the_process() {
    let dir = TempDir::new().unwrap();
    let (spool, recovered) = open(dir.path());
    assert_eq!(recovered, Recovered::default());
    spool.begin(&estimate(1));
    spool.end(ended(1));
    drop(spool);

    let (spool, recovered) = open(dir.path());
    assert_eq!(
        recovered,
        Recovered {
            pending: 1,
            ..Recovered::default()
        }
    );
    assert_eq!(drain(&spool), [UsageEvent { seq: 1, ..ended(1) }]);
}

#[test]
fn a_request_that_never_ended_is_lost_exactly_once() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = open(dir.path());
    spool.begin(&estimate(1));
    spool.begin(&estimate(2));
    spool.end(ended(2));
    drop(spool);

    let (spool, recovered) = open(dir.path());
    assert_eq!((recovered.lost, recovered.pending), (1, 2));
    drop(spool);
    let (spool, recovered) = open(dir.path());
    assert_eq!((recovered.lost, recovered.pending), (0, 2));

    let events = drain(&spool);
    assert_eq!(ids(&events), ["request-00002", "request-00001"]);
    let lost = &events[1];
    assert_eq!(
        (lost.phase(), lost.evidence(), lost.seq),
        (Phase::Lost, Evidence::Estimated, 2)
    );
    assert_eq!((lost.reached_provider, lost.input_uncached), (true, 100));
}

#[test]
fn what_was_only_reserved_when_the_process_died_costs_nothing() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = open(dir.path());
    let of_a_key = |id, reached_provider| UsageEvent {
        key_id: "k".to_owned(),
        cost_nano: Some(50),
        reached_provider,
        ..estimate(id)
    };
    spool.begin(&of_a_key(1, false));
    spool.begin(&of_a_key(2, false));
    spool.begin(&of_a_key(2, true));
    drop(spool);

    let (spool, _) = open(dir.path());
    let lost: Vec<_> = drain(&spool)
        .iter()
        .map(|event| (event.evidence(), event.reached_provider, event.cost_nano))
        .collect();
    assert_eq!(
        lost,
        [
            (Evidence::None, false, Some(0)),
            (Evidence::Estimated, true, Some(50))
        ]
    );
    let settled: Vec<_> = spool.take_ended().iter().map(|ended| ended.cost_nano).collect();
    assert_eq!(settled, [0, 50]);
}

#[test]
fn a_spool_belongs_to_one_process() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = open(dir.path());
    assert!(matches!(
        Spool::open(config(dir.path())),
        Err(SpoolError::InUse(_))
    ));
    drop(spool);
    open(dir.path());
}

#[test]
fn the_id_stays_with_the_directory() {
    let dir = TempDir::new().unwrap();
    let id = open(dir.path()).0.outlook().id;
    assert_eq!(open(dir.path()).0.outlook().id, id);

    fs::write(dir.path().join(ID_FILE), "nonsense").unwrap();
    assert!(matches!(Spool::open(config(dir.path())), Err(SpoolError::Id(_))));
}

#[test]
fn a_spool_of_another_boot_is_sent_again_under_another_id() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = open(dir.path());
    (1..=3).for_each(|id| spool.end(ended(id)));
    acknowledge_all(&spool);
    let old = spool.outlook().id;
    drop(spool);
    // the machine lost its power, and with it the last event that a control plane has
    fs::write(dir.path().join(ID_FILE), format!("{old}\nanother boot\n")).unwrap();
    let file = segment_files(dir.path()).pop().unwrap();
    let length = fs::metadata(&file).unwrap().len();
    File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_len(length - 1)
        .unwrap();

    let (spool, _) = open(dir.path());
    assert_ne!(spool.outlook().id, old);
    spool.end(ended(4));
    let sent: Vec<String> = drain(&spool).into_iter().map(|event| event.request_id).collect();
    assert_eq!(sent, [1, 2, 4].map(|id| ended(id).request_id));
}

#[test]
fn an_id_of_no_known_boot_is_never_kept() {
    let dir = TempDir::new().unwrap();
    let id = identity::read(dir.path(), "").unwrap();
    assert_ne!(identity::read(dir.path(), "").unwrap(), id);
}

#[test]
fn acknowledged_segments_are_deleted_and_an_open_request_is_not_forgotten() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = open(dir.path());
    spool.begin(&estimate(0));
    for id in 1..=100 {
        spool.begin(&estimate(id));
        spool.end(ended(id));
        write(&spool);
    }
    assert!(segment_files(dir.path()).len() > 5);
    let events = drain(&spool);
    assert!(events.iter().map(|event| event.seq).eq(1..=100));

    acknowledge_all(&spool);
    assert_eq!(
        segment_files(dir.path()).len(),
        1,
        "only the written segment is left"
    );
    assert_eq!(spool.vitals(), Vitals::default());
    drop(spool);

    let (spool, recovered) = open(dir.path());
    assert_eq!(recovered.lost, 1);
    let events = drain(&spool);
    assert_eq!(events.last().unwrap().request_id, "request-00000");
    assert_eq!(events.last().unwrap().seq, 101, "a sequence is never given twice");
}

#[test]
fn a_reader_goes_on_behind_what_is_acknowledged() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = open(dir.path());
    (1..=600).for_each(|id| spool.end(ended(id)));
    let mut tail = Tail::new(spool.clone());
    let batch = tail.next().unwrap().unwrap();
    let (last, end) = (batch.last, batch.end);
    spool.acknowledge(last, end).unwrap();
    assert_eq!(spool.vitals().pending, 600 - last);
    assert!(drain(&spool).iter().map(|event| event.seq).eq(last + 1..=600));
}

#[test]
fn a_full_spool_drops_and_counts_and_recovers() {
    let dir = TempDir::new().unwrap();
    let small = SpoolConfig {
        quota_bytes: 4 * SEGMENT_BYTES,
        ..config(dir.path())
    };
    let (spool, _) = Spool::open(small).unwrap();
    for id in 1..=200 {
        spool.end(ended(id));
        write(&spool);
    }
    let Vitals { pending, dropped, .. } = spool.vitals();
    assert!(dropped > 0);
    assert_eq!(pending + dropped, 200);
    assert!(
        drain(&spool).iter().map(|event| event.seq).eq(1..=pending),
        "a drop leaves no hole"
    );

    acknowledge_all(&spool);
    spool.end(ended(201));
    assert_eq!((spool.vitals().pending, spool.vitals().dropped), (1, dropped));
}

#[test]
fn damage_inside_a_segment_costs_only_the_rest_of_it() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = open(dir.path());
    for id in 1..=120 {
        spool.end(ended(id));
        write(&spool);
    }
    drop(spool);
    let segments = Segment::list(dir.path()).unwrap();
    assert!(segments.len() > 3);
    let mut bytes = fs::read(&segments[1].path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segments[1].path, bytes).unwrap();

    let (spool, recovered) = open(dir.path());
    assert!(recovered.damaged_bytes > 0);
    let sequences: Vec<u64> = drain(&spool).iter().map(|event| event.seq).collect();
    let lost: Vec<u64> = (1..=120)
        .filter(|sequence| !sequences.contains(sequence))
        .collect();
    assert!(!lost.is_empty());
    assert!(
        lost.iter()
            .all(|sequence| (segments[1].first..segments[2].first).contains(sequence)),
        "{lost:?}"
    );
    assert!(sequences.is_sorted());
}

#[test]
fn a_renewed_spool_sends_everything_again_under_another_id() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = open(dir.path());
    (1..=3).for_each(|id| spool.end(ended(id)));
    acknowledge_all(&spool);
    let old = spool.outlook().id;
    spool.renew().unwrap();
    assert_ne!(spool.outlook().id, old);
    assert_eq!(drain(&spool).len(), 3);
    drop(spool);
    assert_ne!(open(dir.path()).0.outlook().id, old, "the new id is durable");
}

#[test]
fn text_of_strangers_is_cut_to_what_a_record_holds() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = open(dir.path());
    let long = "ä".repeat(100_000);
    let attempt = proto::v1::Attempt {
        model: long.clone(),
        ..Default::default()
    };
    spool.end(UsageEvent {
        model_requested: long,
        attempts: vec![attempt; 1000],
        ..ended(1)
    });
    let events = drain(&spool);
    assert_eq!(events[0].model_requested, "ä".repeat(TEXT_BYTES / 2));
    assert_eq!(events[0].attempts.len(), ATTEMPTS);
    assert_eq!(spool.vitals().dropped, 0);
}

#[tokio::test]
async fn requests_that_begin_together_share_a_write_and_outlive_the_process() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = open(dir.path());
    let file = segment_files(dir.path()).remove(0);
    let empty = fs::metadata(&file).unwrap().len();
    spool.begin(&estimate(1));
    spool.begin(&estimate(2));
    assert_eq!(fs::metadata(&file).unwrap().len(), empty, "nobody waits yet");

    spool.written().await;
    let copy = as_left_behind(dir.path());
    assert_eq!(open(copy.path()).1.lost, 2);
}

#[tokio::test]
async fn what_ended_is_written_without_anybody_waiting_for_it() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = open(dir.path());
    let file = segment_files(dir.path()).remove(0);
    let empty = fs::metadata(&file).unwrap().len();
    let writing = spool.write_out();
    tokio::pin!(writing);
    spool.end(ended(1));
    while fs::metadata(&file).unwrap().len() == empty {
        tokio::select! {
            biased;
            () = &mut writing => unreachable!("it goes on for ever"),
            () = tokio::task::yield_now() => {}
        }
    }
    let copy = as_left_behind(dir.path());
    assert_eq!(drain(&open(copy.path()).0), [UsageEvent { seq: 1, ..ended(1) }]);
}

#[test]
fn a_crash_at_any_byte_loses_nothing_before_the_tear() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = Spool::open(SpoolConfig {
        segment_bytes: 1 << 20,
        ..config(dir.path())
    })
    .unwrap();
    // how long the file was after each step, and what had happened by then
    let file = segment_files(dir.path()).remove(0);
    let mut steps = vec![(written_bytes(&spool, &file), Vec::new(), Vec::new())];
    let (mut begun, mut done): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
    for id in 1..=4 {
        spool.begin(&estimate(id));
        begun.push(id);
        steps.push((written_bytes(&spool, &file), begun.clone(), done.clone()));
        if id % 2 == 0 {
            spool.end(ended(id - 1));
            done.push(id - 1);
            steps.push((written_bytes(&spool, &file), begun.clone(), done.clone()));
        }
    }
    drop(spool);
    let whole = fs::read(&file).unwrap();
    for length in 0..=whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        let by_then = steps.iter().rfind(|(bytes, ..)| *bytes <= length as u64);
        let (begun, done) = by_then.map_or((&[][..], &[][..]), |(_, begun, done)| (begun, done));
        let expected: Vec<String> = done
            .iter()
            .chain(begun.iter().filter(|id| !done.contains(id)))
            .map(|id| estimate(*id).request_id)
            .collect();

        let (spool, recovered) = open(dir.path());
        let events = drain(&spool);
        assert_eq!(ids(&events), expected, "cut at {length}");
        assert_eq!(
            recovered.lost as usize,
            begun.len() - done.len(),
            "cut at {length}"
        );
        assert!(events.iter().map(|event| event.seq).eq(1..=events.len() as u64));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Begin,
    /// Ends one of the open requests.
    End(usize),
    /// What was gathered is written.
    Write,
    /// A control plane has everything up to now.
    Acknowledge,
    /// The process dies, and this many of the last bytes were never written.
    Crash(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Begin),
        4 => any::<usize>().prop_map(Step::End),
        2 => Just(Step::Write),
        1 => Just(Step::Acknowledge),
        1 => (0..20u64).prop_map(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever happens, every request that began gets exactly one event, unless the tear took its last record.
    #[test]
    fn every_request_gets_one_event(steps in proptest::collection::vec(any_step(), 1..120)) {
        let dir = TempDir::new().unwrap();
        let mut spool = open(dir.path()).0;
        let mut next = 0;
        let mut open_requests: Vec<u32> = Vec::new();
        // a control plane takes every sequence once
        let mut received: HashMap<u64, String> = HashMap::new();
        let mut torn: Vec<String> = Vec::new();
        let mut last_written: Option<String> = None;
        for step in steps {
            match step {
                Step::Begin => {
                    next += 1;
                    spool.begin(&estimate(next));
                    open_requests.push(next);
                    last_written = Some(estimate(next).request_id);
                }
                Step::End(choice) if !open_requests.is_empty() => {
                    let id = open_requests.swap_remove(choice % open_requests.len());
                    spool.end(ended(id));
                    last_written = Some(estimate(id).request_id);
                }
                Step::End(_) => {}
                Step::Write => write(&spool),
                Step::Acknowledge => {
                    for event in drain(&spool) {
                        let known = received.entry(event.seq).or_insert(event.request_id.clone());
                        prop_assert_eq!(known, &event.request_id, "one sequence, two events");
                    }
                    acknowledge_all(&spool);
                    // a crash of the process takes back nothing that was written before
                    last_written = None;
                }
                Step::Crash(bytes) => {
                    drop(spool);
                    let file = segment_files(dir.path()).pop().unwrap();
                    let length = fs::metadata(&file).unwrap().len();
                    if let Some(torn_request) = last_written.take() {
                        File::options().write(true).open(&file).unwrap().set_len(length - bytes.min(17)).unwrap();
                        torn.extend((bytes > 0).then_some(torn_request));
                    }
                    spool = open(dir.path()).0;
                    open_requests.clear();
                }
            }
        }
        drop(spool);
        let spool = open(dir.path()).0;
        for event in drain(&spool) {
            let known = received.entry(event.seq).or_insert(event.request_id.clone());
            prop_assert_eq!(known, &event.request_id, "one sequence, two events");
        }
        for id in 1..=next {
            let request = estimate(id).request_id;
            let count = received.values().filter(|received| **received == request).count();
            prop_assert!(count == 1 || (count == 0 && torn.contains(&request)), "{request}: {count} events");
        }
    }
}

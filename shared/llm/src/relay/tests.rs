use super::*;
use crate::error::ErrorKind;
use proptest::prelude::*;

/// Reads frames that contain `!`, drops those that contain `#`.
#[derive(Default)]
struct Bang {
    read: Vec<String>,
    done: usize,
}

impl Tap for Bang {
    fn glance(&mut self, raw: &[u8], _: &mut Progress) -> Glance {
        let matters = raw.iter().any(|b| matches!(b, b'!' | b'#' | b'['));
        if matters { Glance::Read } else { Glance::Pass }
    }

    fn read(&mut self, _: Option<&str>, data: &str, _: &mut Progress) -> Fate {
        self.read.push(data.to_owned());
        if data.contains('#') {
            Fate::Drop
        } else {
            Fate::Forward
        }
    }

    fn done(&mut self, progress: &mut Progress) {
        self.done += 1;
        progress.ended = true;
    }

    fn close(&mut self, progress: &mut Progress) {
        if !progress.ended {
            progress.error = Some(UpstreamError::new(ErrorKind::StreamIncomplete, "cut"));
        }
    }

    fn error_frame(&self, error: &PublicError) -> Vec<u8> {
        format!("data: {}\n\n", error.message).into_bytes()
    }
}

fn run(chunks: &[Bytes]) -> (Vec<Bytes>, FrameRelay<Bang>, Progress) {
    let mut relay = FrameRelay::new(Bang::default());
    let (mut out, mut progress) = (Vec::new(), Progress::default());
    chunks
        .iter()
        .for_each(|chunk| relay.push(chunk.clone(), &mut out, &mut progress));
    relay.finish(&mut out, &mut progress);
    (out, relay, progress)
}

#[test]
fn whole_frames_leave_as_the_memory_they_came_in() {
    let chunk = Bytes::from_static(b"data: a\n\ndata: b!\n\n: note\n\ndata: [DONE]\n\n");
    let (out, relay, progress) = run(std::slice::from_ref(&chunk));
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].as_ptr(), chunk.as_ptr());
    assert_eq!(out[0], chunk);
    assert_eq!(
        (relay.tap.read, relay.tap.done, progress.ended),
        (vec!["b!".to_owned()], 1, true)
    );
}

#[test]
fn a_dropped_frame_leaves_no_byte_behind() {
    let (out, _, _) = run(&[Bytes::from_static(b"data: a\n\ndata: #\n\ndata: b\n\n")]);
    assert_eq!(out.concat(), b"data: a\n\ndata: b\n\n");
}

#[test]
fn an_incomplete_frame_is_held_back_so_that_an_error_can_follow() {
    let mut relay = FrameRelay::new(Bang::default());
    let (mut out, mut progress) = (Vec::new(), Progress::default());
    relay.push(
        Bytes::from_static(b"data: a\n\ndata: hal"),
        &mut out,
        &mut progress,
    );
    let error = UpstreamError::new(ErrorKind::Timeout, "late").public("");
    relay.fail(&error, &mut out);
    assert_eq!(out.concat(), b"data: a\n\ndata: late\n\n");
}

#[test]
fn the_fragment_of_a_cut_stream_is_not_sent() {
    let (out, _, progress) = run(&[Bytes::from_static(b"data: a\n\ndata: hal")]);
    assert_eq!(out.concat(), b"data: a\n\n");
    assert!(progress.error.is_some());
}

#[test]
fn a_last_frame_without_its_blank_line_is_sent() {
    let (out, _, _) = run(&[Bytes::from_static(b"data: a\n\ndata: [DONE]")]);
    assert_eq!(out.concat(), b"data: a\n\ndata: [DONE]");
}

#[test]
fn a_frame_without_end_is_an_error_and_stops_the_relay() {
    let mut relay = FrameRelay::new(Bang::default());
    let (mut out, mut progress) = (Vec::new(), Progress::default());
    let chunk = Bytes::from(vec![b'x'; MAX_FRAME_BYTES]);
    relay.push(chunk.clone(), &mut out, &mut progress);
    assert!(out.is_empty());
    relay.push(chunk, &mut out, &mut progress);
    relay.push(Bytes::from_static(b"\n\ndata: a\n\n"), &mut out, &mut progress);
    assert_eq!(
        progress.error.map(|error| error.kind),
        Some(ErrorKind::MalformedUpstream)
    );
    assert_eq!(out.len(), 1);
}

proptest! {
    #[test]
    fn chunk_borders_change_no_byte(
        frames in prop::collection::vec("(data: |: |event: )?[a!\\[{é]{0,6}(\n|\r\n|\r)(\n|\r\n|\r)?", 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let bytes = Bytes::from(frames.concat() + "\n\ndata: [DONE]\n\n");
        let whole = run(std::slice::from_ref(&bytes));
        prop_assert_eq!(whole.0.concat(), bytes.to_vec());

        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let chunks: Vec<Bytes> = cuts.windows(2).map(|cut| bytes.slice(cut[0]..cut[1])).collect();
        let split = run(&chunks);
        prop_assert_eq!(split.0.concat(), bytes.to_vec());
        prop_assert_eq!(split.1.tap.read, whole.1.tap.read);
    }
}

use super::*;
use proptest::prelude::*;

fn frames<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Frame<'static>> {
    let (mut framer, mut frames) = (Framer::new(), Vec::new());
    for chunk in chunks {
        framer.push(chunk, |frame| frames.push(owned(frame))).unwrap();
    }
    framer.finish(|frame| frames.push(owned(frame)));
    frames
}

fn owned(frame: Frame<'_>) -> Frame<'static> {
    match frame {
        Frame::Data { event, data } => Frame::Data {
            event: event.map(|event| Cow::Owned(event.into_owned())),
            data: Cow::Owned(data.into_owned()),
        },
        Frame::Done => Frame::Done,
        Frame::KeepAlive => Frame::KeepAlive,
    }
}

fn data(event: Option<&'static str>, data: &'static str) -> Frame<'static> {
    Frame::Data {
        event: event.map(Cow::Borrowed),
        data: Cow::Borrowed(data),
    }
}

#[test]
fn the_grammar_of_event_streams_is_understood() {
    for (bytes, expected) in [
        ("data: a\n\n", vec![data(None, "a")]),
        ("data:a\r\n\r\n", vec![data(None, "a")]),
        ("data:  a\r\r", vec![data(None, " a")]),
        ("event: e\ndata: a\n\n", vec![data(Some("e"), "a")]),
        (
            "data: a\ndata: b\nid: 1\nretry: 2\nunknown\n\n",
            vec![data(None, "a\nb")],
        ),
        ("\u{feff}data: a\n\n", vec![data(None, "a")]),
        (": hi\n\ndata: a\n\n", vec![Frame::KeepAlive, data(None, "a")]),
        (": hi\ndata: a\n\n", vec![data(None, "a")]),
        ("data: [DONE] \n\n", vec![Frame::Done]),
        ("data: null\n\ndata:\n\n\n\nevent: x\n\n", vec![]),
        (
            "{\"a\":1}\n{\"b\":2}\n",
            vec![data(None, "{\"a\":1}"), data(None, "{\"b\":2}")],
        ),
        ("event: e\n{\"a\":1}\n\n", vec![data(Some("e"), "{\"a\":1}")]),
        ("{not json\n\n", vec![]),
        ("data: unterminated", vec![data(None, "unterminated")]),
        ("data: a\u{2028}b\n\n", vec![data(None, "a\u{2028}b")]),
    ] {
        assert_eq!(frames([bytes.as_bytes()]), expected, "{bytes:?}");
    }
}

#[test]
fn bytes_that_are_not_text_spoil_only_their_own_event() {
    let frames = frames([b"data: \xff\n\ndata: ok\n\n".as_slice()]);
    assert_eq!(frames, [data(None, "\u{fffd}"), data(None, "ok")]);
}

#[test]
fn a_complete_event_is_read_in_place() {
    let chunk = b"event: e\ndata: abc\n\n";
    let mut borrowed = false;
    let mut framer = Framer::new();
    framer
        .push(chunk, |frame| {
            borrowed = matches!(
                frame,
                Frame::Data {
                    data: Cow::Borrowed("abc"),
                    ..
                }
            )
        })
        .unwrap();
    assert!(borrowed);
}

#[test]
fn an_event_without_end_is_refused() {
    let chunk = vec![b'x'; MAX_FRAME_BYTES];
    let mut framer = Framer::new();
    assert_eq!(framer.push(&chunk, |_| {}), Ok(()));
    assert_eq!(framer.push(b"x", |_| {}), Err(FrameTooLong));
    let mut at_once = Framer::new();
    assert_eq!(
        at_once.push(&[chunk.as_slice(), b"x\n\n"].concat(), |_| {}),
        Err(FrameTooLong)
    );
}

#[test]
fn nothing_written_can_be_taken_for_a_line_end() {
    let text = "a\u{2028}b\u{2029}c\u{85}d\u{b}e\u{c}f\ng\r\"é\u{c2}";
    let raw = serde_json::value::RawValue::from_string("{\"x\":\"\u{2028}\"}".to_owned()).unwrap();
    let mut out = Vec::new();
    write_event(&mut out, Some("e"), &(text, raw));
    let written = String::from_utf8(out).unwrap();
    assert!(!written.contains(['\u{2028}', '\u{2029}', '\u{85}', '\u{b}', '\u{c}', '\r']));
    let json = written
        .strip_prefix("event: e\ndata: ")
        .unwrap()
        .strip_suffix("\n\n")
        .unwrap();
    assert!(!json.contains('\n'));
    let (back, raw): (String, serde_json::Value) = serde_json::from_str(json).unwrap();
    assert_eq!((back.as_str(), raw), (text, serde_json::json!({"x": "\u{2028}"})));
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_events(
        lines in prop::collection::vec("(data: ?|: |event: |\\{\"a\":)?[a\\[1}é\u{feff}]{0,4}(\n|\r\n|\r){1,2}", 0..10),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let bytes = lines.concat().into_bytes();
        let whole = frames([bytes.as_slice()]);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        prop_assert_eq!(&frames(cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]])), &whole);
        prop_assert_eq!(&frames(bytes.chunks(1)), &whole);
    }

    #[test]
    fn arbitrary_bytes_never_panic(chunks in prop::collection::vec(any::<Vec<u8>>(), 0..6)) {
        frames(chunks.iter().map(Vec::as_slice));
    }

    #[test]
    fn what_is_written_is_read_back(text in any::<String>()) {
        let mut out = Vec::new();
        write_event(&mut out, None, &[&text]);
        let frames = frames([out.as_slice()]);
        let Some(Frame::Data { data, .. }) = frames.first() else { return Err(TestCaseError::fail("no frame")) };
        prop_assert_eq!(serde_json::from_str::<[String; 1]>(data).unwrap(), [text]);
    }
}

use super::*;
use proptest::prelude::*;

/// What a reader made of some chunks: the messages, written down, and how it ended.
fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Result<bool, EventStreamError>) {
    let (mut reader, mut all) = (Messages::default(), Vec::new());
    for chunk in chunks {
        if let Err(error) = reader.push(chunk, |message| all.push(format!("{message:?}"))) {
            return (all, Err(error));
        }
    }
    (all, Ok(reader.is_between()))
}

fn any_value() -> impl Strategy<Value = Header> {
    prop_oneof![
        any::<bool>().prop_map(Header::Bool),
        any::<i8>().prop_map(Header::Byte),
        any::<i16>().prop_map(Header::Short),
        any::<i32>().prop_map(Header::Int),
        any::<i64>().prop_map(Header::Long),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Header::Bytes),
        ".{0,20}".prop_map(Header::Text),
        any::<i64>().prop_map(Header::Timestamp),
        any::<[u8; 16]>().prop_map(Header::Uuid),
    ]
}

/// A value that owns what it says.
#[derive(Debug, Clone)]
enum Header {
    Bool(bool),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Bytes(Vec<u8>),
    Text(String),
    Timestamp(i64),
    Uuid([u8; 16]),
}

impl Header {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Bool(b) => Value::Bool(*b),
            Self::Byte(n) => Value::Byte(*n),
            Self::Short(n) => Value::Short(*n),
            Self::Int(n) => Value::Int(*n),
            Self::Long(n) => Value::Long(*n),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::Text(text) => Value::Text(text),
            Self::Timestamp(n) => Value::Timestamp(*n),
            Self::Uuid(bytes) => Value::Uuid(*bytes),
        }
    }
}

type Owned = (Vec<(String, Header)>, Vec<u8>);

fn message((headers, payload): &Owned) -> Message<'_> {
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.value()));
    Message {
        headers: headers.collect(),
        payload,
    }
}

fn any_messages() -> impl Strategy<Value = Vec<Owned>> {
    let headers = prop::collection::vec(("[a-z:-]{0,12}", any_value()), 0..5);
    let payload = prop::collection::vec(any::<u8>(), 0..60);
    prop::collection::vec((headers, payload), 0..5)
}

proptest! {
    #[test]
    fn however_a_stream_is_cut_its_messages_are_the_same(
        messages in any_messages(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let written: Vec<u8> = messages.iter().flat_map(|owned| message(owned).write()).collect();
        let said: Vec<String> = messages.iter().map(|owned| format!("{:?}", message(owned))).collect();
        let whole = (said, Ok(true));
        prop_assert_eq!(&read([written.as_slice()]), &whole);
        prop_assert_eq!(&read(written.chunks(1)), &whole);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(written.len() + 1)).collect();
        cuts.extend([0, written.len()]);
        cuts.sort_unstable();
        prop_assert_eq!(&read(cuts.windows(2).map(|cut| &written[cut[0]..cut[1]])), &whole);
    }

    #[test]
    fn a_changed_byte_is_found_where_it_is_and_nothing_behind_it_is_believed(
        messages in any_messages(),
        at in any::<prop::sample::Index>(),
        flip in 1..=255u8,
        size in 1..40usize,
    ) {
        let frames: Vec<Vec<u8>> = messages.iter().map(|owned| message(owned).write()).collect();
        let mut written = frames.concat();
        prop_assume!(!written.is_empty());
        let at = at.index(written.len());
        written[at] ^= flip;
        let mut seen = 0;
        let sound = frames.iter().take_while(|frame| { seen += frame.len(); seen <= at }).count();
        let (said, end) = read(written.chunks(size));
        let expected: Vec<String> = messages[..sound].iter().map(|owned| format!("{:?}", message(owned))).collect();
        prop_assert_eq!(said, expected);
        prop_assert!(end.is_err(), "{:?}", end);
    }

    #[test]
    fn bytes_of_any_kind_are_refused_or_waited_for(bytes in prop::collection::vec(any::<u8>(), 0..200), size in 1..20usize) {
        prop_assert_eq!(read(bytes.chunks(size)), read([bytes.as_slice()]));
    }

    #[test]
    fn headers_of_any_kind_are_read_or_refused(headers in prop::collection::vec(any::<u8>(), 0..60)) {
        let frame = framed(&headers, b"{}");
        let (said, end) = read([frame.as_slice()]);
        match end {
            Ok(between) => prop_assert!(between && said.len() == 1),
            Err(error) => prop_assert_eq!(error, EventStreamError::Headers),
        }
    }
}

/// A message whose checksums are right, whatever its headers are.
fn framed(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = PRELUDE_BYTES + headers.len() + payload.len() + CHECKSUM_BYTES;
    let mut out = [length(total), length(headers.len())].concat();
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out
}

/// Written by hand, with the checksums of `zlib.crc32`, so that reading and writing cannot be wrong together.
#[test]
fn a_message_is_laid_out_as_the_specification_says() {
    let bytes = hex(
        "0000003d 00000020 07fd8396 0c 636f6e74656e742d74797065 07 0010 6170706c69636174696f6e2f6a736f6e \
         7b27666f6f273a27626172277d 8d9c08b1",
    );
    let expected = Message {
        headers: vec![("content-type", Value::Text("application/json"))],
        payload: b"{'foo':'bar'}",
    };
    assert_eq!(expected.write(), bytes);
    assert_eq!(
        read([bytes.as_slice()]),
        (vec![format!("{expected:?}")], Ok(true))
    );
    assert!(begins(&bytes) && !begins(&bytes[..11]) && !begins(b"{\"message\":\"no\"}"));
}

#[test]
fn what_claims_to_be_too_long_is_refused_before_it_is_waited_for() {
    for (total, headers, error) in [
        (MAX_MESSAGE_BYTES + 1, 0, EventStreamError::TooLong),
        (u32::MAX as usize, 0, EventStreamError::TooLong),
        (15, 0, EventStreamError::NoMessage),
        (100, 85, EventStreamError::NoMessage),
        (1 << 20, MAX_HEADER_BYTES + 1, EventStreamError::NoMessage),
    ] {
        let mut prelude = [length(total), length(headers)].concat();
        prelude.extend_from_slice(&crc32fast::hash(&prelude).to_be_bytes());
        assert_eq!(
            read([prelude.as_slice()]),
            (Vec::new(), Err(error)),
            "{total} {headers}"
        );
    }
}

#[test]
fn a_header_of_another_type_is_no_text() {
    let message = Message {
        headers: vec![("a", Value::Int(7)), ("b", Value::Text("x"))],
        payload: b"",
    };
    assert_eq!(
        (message.text("a"), message.text("b"), message.text("c")),
        (None, Some("x"), None)
    );
}

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

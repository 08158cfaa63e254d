//! One AWS event-stream message: lengths, headers of text, payload, and two checksums.

const TEXT: u8 = 7;

/// An event or, where its name says so, an exception.
pub fn write(name: &str, payload: &str) -> Vec<u8> {
    let (kind, named) = match name.ends_with("Exception") {
        true => ("exception", ":exception-type"),
        false => ("event", ":event-type"),
    };
    let mut headers = Vec::new();
    for (name, value) in [
        (named, name),
        (":content-type", "application/json"),
        (":message-type", kind),
    ] {
        headers.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        headers.extend_from_slice(name.as_bytes());
        headers.push(TEXT);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = 4 + 4 + 4 + headers.len() + payload.len() + 4;
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    let mut message = [length(total), length(headers.len())].concat();
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message.extend_from_slice(&headers);
    message.extend_from_slice(payload.as_bytes());
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a message of the same shape, with the checksums of another program's `zlib.crc32`.
    #[test]
    fn a_message_is_laid_out_as_the_service_lays_it_out() {
        let message = write("messageStart", r#"{"role":"assistant"}"#);
        assert_eq!(message.len(), 118);
        assert_eq!(message[..8], [0, 0, 0, 118, 0, 0, 0, 82]);
        assert_eq!(message[8..12], [0x96, 0xd5, 0xfa, 0xde]);
        assert_eq!(message[114..], [0x6f, 0xa8, 0xc5, 0x99]);
    }
}

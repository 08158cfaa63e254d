//! The headers of a message: a name and a value of one of ten types.

/// A header's value. Two of the ten types on the wire are the two values of [`Value::Bool`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    Bool(bool),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    /// Milliseconds since 1970.
    Timestamp(i64),
    Uuid([u8; 16]),
}

/// What is left of the headers while they are read.
struct Rest<'a>(&'a [u8]);

// === impl Rest ===

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn header(&mut self) -> Option<(&'a str, Value<'a>)> {
        let [length] = self.array()?;
        let name = std::str::from_utf8(self.take(length.into())?).ok()?;
        Some((name, self.value()?))
    }

    fn value(&mut self) -> Option<Value<'a>> {
        let [kind] = self.array()?;
        Some(match kind {
            0 => Value::Bool(true),
            1 => Value::Bool(false),
            2 => Value::Byte(i8::from_be_bytes(self.array()?)),
            3 => Value::Short(i16::from_be_bytes(self.array()?)),
            4 => Value::Int(i32::from_be_bytes(self.array()?)),
            5 => Value::Long(i64::from_be_bytes(self.array()?)),
            6 => Value::Bytes(self.sized()?),
            7 => Value::Text(std::str::from_utf8(self.sized()?).ok()?),
            8 => Value::Timestamp(i64::from_be_bytes(self.array()?)),
            9 => Value::Uuid(self.array()?),
            _ => return None,
        })
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(length.into())
    }
}

// === functions ===

/// `None` when they end in the middle of one, or are of a type that nobody defined: its length is not known, and so
/// nothing behind it.
pub fn read_all(bytes: &[u8]) -> Option<Vec<(&str, Value<'_>)>> {
    let (mut rest, mut headers) = (Rest(bytes), Vec::new());
    while !rest.0.is_empty() {
        headers.push(rest.header()?);
    }
    Some(headers)
}

pub fn write(name: &str, value: &Value<'_>, out: &mut Vec<u8>) {
    let name = &name.as_bytes()[..name.floor_char_boundary(usize::from(u8::MAX))];
    out.extend(u8::try_from(name.len()));
    out.extend_from_slice(name);
    match value {
        Value::Bool(true) => out.push(0),
        Value::Bool(false) => out.push(1),
        Value::Byte(n) => fixed(2, &n.to_be_bytes(), out),
        Value::Short(n) => fixed(3, &n.to_be_bytes(), out),
        Value::Int(n) => fixed(4, &n.to_be_bytes(), out),
        Value::Long(n) => fixed(5, &n.to_be_bytes(), out),
        Value::Bytes(bytes) => sized(6, bytes, bytes.len(), out),
        Value::Text(text) => sized(7, text.as_bytes(), text.floor_char_boundary(u16::MAX.into()), out),
        Value::Timestamp(n) => fixed(8, &n.to_be_bytes(), out),
        Value::Uuid(bytes) => fixed(9, bytes, out),
    }
}

fn fixed(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(bytes);
}

fn sized(kind: u8, bytes: &[u8], most: usize, out: &mut Vec<u8>) {
    let length = u16::try_from(most).unwrap_or(u16::MAX);
    out.push(kind);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&bytes[..length.into()]);
}

//! What a client asks for, by the names of OpenAI's API. Fields of forms are texts, so numbers may be.

use super::refused;
use crate::error::{DecodeError, EncodeError};
use serde_json::{Map, Value};

#[derive(Debug, Clone)]
pub struct Fields {
    /// The provider's own model id.
    pub model: String,
    fields: Map<String, Value>,
}

// === impl Fields ===

impl Fields {
    pub fn read(model: &str, body: &[u8]) -> Result<Self, DecodeError> {
        let fields = serde_json::from_slice(body)
            .map_err(|error| DecodeError::new(format!("Invalid JSON body: {error}")))?;
        Ok(Self {
            model: model.to_owned(),
            fields,
        })
    }

    /// `Null` for what is not there.
    pub fn get(&self, name: &str) -> &Value {
        self.fields.get(name).unwrap_or(&Value::Null)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).as_str().filter(|text| !text.is_empty())
    }

    pub fn count(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Value::String(text) => text.trim().parse().ok(),
            number => number.as_u64(),
        }
    }

    /// Refuses an answer in events, which a client asks for in this field.
    pub fn without_events(&self, field: &str) -> Result<(), EncodeError> {
        let asked = match self.get(field) {
            Value::String(text) => matches!(text.as_str(), "true" | "sse"),
            flag => *flag == true,
        };
        match asked {
            true => Err(refused(
                field,
                "this model does not answer in events: leave it out",
            )),
            false => Ok(()),
        }
    }

    /// A list, or one of them.
    pub fn list(&self, name: &str) -> &[Value] {
        match self.get(name) {
            Value::Null => &[],
            Value::Array(values) => values,
            one => std::slice::from_ref(one),
        }
    }

    /// Width and height of a picture, where it is said so.
    pub fn size(&self) -> Option<(u64, u64)> {
        let (width, height) = self.text("size")?.split_once('x')?;
        let (width, height) = (width.parse().ok()?, height.parse().ok()?);
        (width > 0 && height > 0).then_some((width, height))
    }
}

/// What may be part of a path or a query as it is, and the rest escaped: <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

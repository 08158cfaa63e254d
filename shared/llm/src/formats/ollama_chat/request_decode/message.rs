//! `messages`.

use super::super::super::openai_chat::data_url;
use super::super::super::openai_chat::object::Object;
use super::super::arguments::text_of;
use super::super::assembly::made_up_id;
use crate::error::DecodeError;
use crate::request::{
    MediaSource, Message, Part, PartKind, Request, Role, ToolArguments, ToolCall, ToolResult,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

/// Calls without a result so far: id and name.
#[derive(Debug, Default)]
struct OpenCalls(Vec<(String, String)>);

pub fn decode(root: &Object<'_>, request: &mut Request) -> Result<(), DecodeError> {
    let items = root.list("messages")?;
    if items.is_empty() {
        return Err(DecodeError::at(
            "messages",
            "messages must contain at least one item",
        ));
    }
    let mut open = OpenCalls::default();
    for (turn, (path, raw)) in items.into_iter().enumerate() {
        let wire = Object::read(raw, path)?;
        let role = wire.required_text("role")?;
        let message = match role.as_str() {
            "system" => Message::new(Role::System, text(&wire)?),
            "user" => Message::new(Role::User, spoken(&wire)?),
            "assistant" => Message::new(Role::Assistant, assistant(&wire, turn, &mut open)?),
            "tool" => Message::new(Role::Tool, vec![tool_result(&wire, turn, &mut open)?]),
            other => return Err(wire.fault("role", format!("unsupported role '{other}'"))),
        };
        if message.role == Role::System && request.messages.is_empty() {
            request.system.extend(message.parts);
        } else {
            request.messages.push(message);
        }
    }
    Ok(())
}

// === impl OpenCalls ===

impl OpenCalls {
    /// The call a result belongs to: by id, else the first open one of that name, else the first open one.
    fn answer(&mut self, id: Option<&str>, name: Option<&str>) -> Option<(String, String)> {
        let with_id = self.0.iter().position(|(open, _)| Some(open.as_str()) == id);
        let named = || self.0.iter().position(|(_, open)| Some(open.as_str()) == name);
        let first = || (name.is_none() && !self.0.is_empty()).then_some(0);
        let at = with_id.or_else(named).or_else(first)?;
        Some(self.0.remove(at))
    }
}

// === functions ===

fn text(wire: &Object<'_>) -> Result<Vec<Part>, DecodeError> {
    let content = wire.text("content")?.filter(|text| !text.is_empty());
    Ok(content.into_iter().map(Part::text).collect())
}

fn spoken(wire: &Object<'_>) -> Result<Vec<Part>, DecodeError> {
    let mut parts = text(wire)?;
    for (path, raw) in wire.list("images")? {
        parts.push(image(raw, &path)?);
    }
    Ok(parts)
}

/// Bare base64; a client that sends a data URL means what is in it.
fn image(raw: &RawValue, path: &str) -> Result<Part, DecodeError> {
    let data: String = super::value(raw, path)?;
    let (declared, data) = match data_url::parse(&data) {
        Some(url) => (url.mime, url.data),
        None => (None, data),
    };
    if data.is_empty() {
        return Err(DecodeError::at(path, "invalid image source"));
    }
    let mime = image_type(&data).map(str::to_owned).or(declared);
    Ok(Part::new(PartKind::Image {
        source: MediaSource::Base64(data),
        mime,
        detail: None,
    }))
}

/// The API has no word for the type of an image, so its first bytes have to say.
fn image_type(base64: &str) -> Option<&'static str> {
    let head = base64.get(..16).or_else(|| base64.get(..base64.len() / 4 * 4))?;
    let bytes = STANDARD.decode(head).ok()?;
    match bytes.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// The order in which a model produces: thinking, then text, then calls.
fn assistant(wire: &Object<'_>, turn: usize, open: &mut OpenCalls) -> Result<Vec<Part>, DecodeError> {
    let mut parts = Vec::new();
    if let Some(text) = wire.text("thinking")?.filter(|text| !text.is_empty()) {
        parts.push(Part::new(PartKind::Reasoning { text, opaque: None }));
    }
    parts.extend(spoken(wire)?);
    for (position, (path, raw)) in wire.list("tool_calls")?.into_iter().enumerate() {
        let call = tool_call(&Object::read(raw, path)?, turn, position)?;
        open.0.push((call.id.clone(), call.name.clone()));
        parts.push(Part::new(PartKind::ToolCall(call)));
    }
    Ok(parts)
}

fn tool_call(wire: &Object<'_>, turn: usize, position: usize) -> Result<ToolCall, DecodeError> {
    let function = wire
        .object("function")?
        .ok_or_else(|| wire.fault("function", "is required"))?;
    let name = function.required_text("name")?;
    let arguments = text_of(function.raw("arguments"));
    let id = match wire.text("id")?.filter(|id| !id.is_empty()) {
        Some(id) => id,
        None => made_up_id(&[&turn.to_string(), &position.to_string(), &name, &arguments]),
    };
    Ok(ToolCall {
        id,
        name,
        arguments: ToolArguments::Json(arguments),
        opaque: None,
    })
}

fn tool_result(wire: &Object<'_>, turn: usize, open: &mut OpenCalls) -> Result<Part, DecodeError> {
    let given = wire.text("tool_call_id")?.filter(|id| !id.is_empty());
    // `name` is what it was called before `tool_name`
    let name = match wire.text("tool_name")? {
        None => wire.text("name")?,
        name => name,
    };
    let name = name.filter(|name| !name.is_empty());
    let (call_id, name) = match open.answer(given.as_deref(), name.as_deref()) {
        Some((id, called)) => (id, Some(called)),
        None => {
            let about = [turn.to_string(), name.clone().unwrap_or_default()];
            let id = given.unwrap_or_else(|| made_up_id(&[&about[0], &about[1]]));
            (id, name)
        }
    };
    Ok(Part::new(PartKind::ToolResult(ToolResult {
        call_id,
        name,
        parts: spoken(wire)?,
        is_error: None,
    })))
}

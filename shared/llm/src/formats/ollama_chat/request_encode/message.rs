//! `messages`: one text and a list of images each. Messages of one role that follow each other become one, because
//! templates of models expect turns.

use super::super::arguments::object_of;
use crate::caps::EchoReasoning;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{File, MediaSource, Message, Part, PartKind, Request, Role, ToolCall, ToolResult};
use crate::translate::Target;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// This API cannot mark a result as an error, so its text says so.
const ERROR_MARK: &str = "[tool error] ";

#[derive(Debug, Default, Serialize)]
pub struct WireMessage<'a> {
    role: &'static str,
    content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct WireCall<'a> {
    id: &'a str,
    function: WireFunction<'a>,
}

#[derive(Debug, Serialize)]
struct WireFunction<'a> {
    index: usize,
    name: &'a str,
    arguments: Box<RawValue>,
}

/// What is written so far.
struct Writing<'a, 't> {
    out: Vec<WireMessage<'a>>,
    /// What calls are called, because a result must say it.
    names: BTreeMap<&'a str, &'a str>,
    /// Images of tool results, which nothing but a user message can carry.
    attached: WireMessage<'a>,
    target: &'t Target,
}

pub fn encode<'a>(
    request: &'a Request,
    target: &Target,
    notes: &mut Notes,
) -> Result<Vec<WireMessage<'a>>, EncodeError> {
    let mut writing = Writing {
        out: Vec::with_capacity(request.messages.len() + 1),
        names: BTreeMap::new(),
        attached: WireMessage::default(),
        target,
    };
    if !request.system.is_empty() {
        writing.say("system", &request.system, "system", notes)?;
    }
    for (i, message) in request.messages.iter().enumerate() {
        let path = format!("messages[{i}]");
        if message.role != Role::Tool {
            writing.attach();
        }
        match message.role {
            Role::System | Role::Developer => writing.say("system", &message.parts, &path, notes)?,
            Role::User => writing.say("user", &message.parts, &path, notes)?,
            Role::Assistant => writing.assistant(message, &path, notes)?,
            Role::Tool => {
                for part in &message.parts {
                    if let PartKind::ToolResult(result) = &part.kind {
                        writing.result(result, &path, notes)?;
                    }
                }
            }
        }
    }
    writing.attach();
    Ok(writing.out)
}

// === impl WireMessage ===

impl<'a> WireMessage<'a> {
    fn new(role: &'static str) -> Self {
        Self {
            role,
            ..Self::default()
        }
    }

    fn add_text(&mut self, text: &str) {
        if !self.content.is_empty() {
            self.content.push('\n');
        }
        self.content.push_str(text);
    }

    fn add(&mut self, part: &'a Part, path: &str, notes: &mut Notes) -> Result<(), EncodeError> {
        match &part.kind {
            PartKind::Text { text, .. } | PartKind::Refusal(text) => self.add_text(text),
            PartKind::Image { source, .. } => self.images.push(image(source, path)?),
            PartKind::File(file) => self.add_text(&document(file, path, notes)?),
            PartKind::Audio { .. } => {
                return Err(EncodeError::unsupported(
                    path,
                    "the model does not accept audio input",
                ));
            }
            PartKind::Native { dialect, .. } => {
                notes.loss(path, format!("a block only {dialect} understands"));
            }
            PartKind::ToolCall(_)
            | PartKind::ToolResult(_)
            | PartKind::Reasoning { .. }
            | PartKind::RedactedReasoning(_) => {}
        }
        Ok(())
    }

    /// Goes on in a message of the same role, as one turn. Calls end a turn.
    fn merge(&mut self, later: Self) {
        if !later.content.is_empty() {
            self.add_text(&later.content);
        }
        if let Some(thinking) = later.thinking {
            let earlier = self.thinking.take().map(|earlier| earlier + "\n\n");
            self.thinking = Some(earlier.unwrap_or_default() + &thinking);
        }
        self.images.extend(later.images);
        self.tool_calls.extend(later.tool_calls);
    }
}

// === impl Writing ===

impl<'a> Writing<'a, '_> {
    fn push(&mut self, message: WireMessage<'a>) {
        match self.out.last_mut() {
            Some(last)
                if last.role == message.role && message.role != "tool" && last.tool_calls.is_empty() =>
            {
                last.merge(message);
            }
            _ => self.out.push(message),
        }
    }

    fn say(
        &mut self,
        role: &'static str,
        parts: &'a [Part],
        path: &str,
        notes: &mut Notes,
    ) -> Result<(), EncodeError> {
        let mut message = WireMessage::new(role);
        for (i, part) in parts.iter().enumerate() {
            message.add(part, &format!("{path}.content[{i}]"), notes)?;
        }
        self.push(message);
        Ok(())
    }

    fn assistant(&mut self, message: &'a Message, path: &str, notes: &mut Notes) -> Result<(), EncodeError> {
        let mut wire = WireMessage::new("assistant");
        for (i, part) in message.parts.iter().enumerate() {
            match &part.kind {
                PartKind::ToolCall(call) => {
                    self.names.insert(&call.id, &call.name);
                    let index = wire.tool_calls.len();
                    wire.tool_calls.push(wire_call(call, index, path, notes));
                }
                _ => wire.add(part, &format!("{path}.content[{i}]"), notes)?,
            }
        }
        wire.thinking = self.echo(&message.parts, !wire.tool_calls.is_empty(), path, notes);
        self.push(wire);
        Ok(())
    }

    /// Earlier thinking, for models that want it back.
    fn echo(&self, parts: &[Part], calls: bool, path: &str, notes: &mut Notes) -> Option<String> {
        let thoughts: Vec<&str> = parts
            .iter()
            .filter_map(|part| match &part.kind {
                PartKind::Reasoning { text, .. } if !text.is_empty() => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let wanted = match self.target.caps.echo_reasoning {
            EchoReasoning::Never => false,
            EchoReasoning::ToolTurns => calls,
            EchoReasoning::Always => true,
        };
        if !wanted && !thoughts.is_empty() {
            notes.loss(path, "the model does not take earlier reasoning back");
        }
        (wanted && !thoughts.is_empty()).then(|| thoughts.join("\n\n"))
    }

    fn result(&mut self, result: &'a ToolResult, path: &str, notes: &mut Notes) -> Result<(), EncodeError> {
        let mut wire = WireMessage::new("tool");
        for (i, part) in result.parts.iter().enumerate() {
            wire.add(part, &format!("{path}.content[{i}]"), notes)?;
        }
        if result.is_error == Some(true) {
            wire.content.insert_str(0, ERROR_MARK);
        }
        let called = self.names.get(result.call_id.as_str()).copied();
        wire.tool_name = called.or(result.name.as_deref());
        wire.tool_call_id = Some(&result.call_id);
        let images = std::mem::take(&mut wire.images);
        if !images.is_empty() {
            notes.info(path, "media of a tool result moved into a user message");
            wire.content.push_str(&announcement(images.len()));
            let name = wire.tool_name.unwrap_or("call");
            let text = format!("Media returned by tool {name} ({}):", result.call_id);
            self.attached.add_text(&text);
            self.attached.images.extend(images);
        }
        self.push(wire);
        Ok(())
    }

    /// Nothing may stand between the results of one turn, so what they hold besides text follows them.
    fn attach(&mut self) {
        let attached = std::mem::take(&mut self.attached);
        if !attached.images.is_empty() {
            self.push(WireMessage {
                role: "user",
                ..attached
            });
        }
    }
}

// === functions ===

fn wire_call<'a>(call: &'a ToolCall, index: usize, path: &str, notes: &mut Notes) -> WireCall<'a> {
    let (arguments, repair) = object_of(&call.arguments);
    if let Some(repair) = repair {
        notes.info(
            path,
            format!("arguments were not an object: {repair:?}").to_lowercase(),
        );
    }
    WireCall {
        id: &call.id,
        function: WireFunction {
            index,
            name: &call.name,
            arguments,
        },
    }
}

/// The server fetches nothing: only the bytes themselves are an image.
fn image<'a>(source: &'a MediaSource, path: &str) -> Result<&'a str, EncodeError> {
    match source {
        MediaSource::Base64(data) => Ok(data),
        MediaSource::Url(_) => Err(EncodeError::unsupported(
            path,
            "image_url must be a data: URL for this model",
        )),
        MediaSource::FileId { .. } => Err(EncodeError::unsupported(
            path,
            "file references are provider-scoped; send file_data instead",
        )),
        MediaSource::Text(_) => Err(EncodeError::unsupported(path, "invalid image source")),
    }
}

/// A document that is text is sent as text; nothing else is read.
fn document<'a>(file: &'a File, path: &str, notes: &mut Notes) -> Result<Cow<'a, str>, EncodeError> {
    let is_text = file.mime.as_deref().is_some_and(|mime| mime.starts_with("text/"));
    let text = match &file.source {
        MediaSource::Text(text) => Some(Cow::Borrowed(text.as_str())),
        MediaSource::Base64(data) if is_text => STANDARD
            .decode(data)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .map(Cow::Owned),
        _ => None,
    };
    let Some(text) = text else {
        return Err(EncodeError::unsupported(path, "the model does not accept files"));
    };
    notes.info(path, "a text document became text");
    let title = file.title.as_deref().or(file.filename.as_deref());
    let above: Vec<&str> = [title, file.context.as_deref()].into_iter().flatten().collect();
    if above.is_empty() {
        return Ok(text);
    }
    Ok(Cow::Owned(format!("{}\n\n{text}", above.join("\n"))))
}

fn announcement(count: usize) -> String {
    match count {
        1 => "\n[1 image attached in the next user message]".to_owned(),
        n => format!("\n[{n} images attached in the next user message]"),
    }
}

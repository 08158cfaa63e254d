//! The operator's instructions, in front of the client's.

use super::splice::{Members, Splice, elements, object, text};
use crate::dialect::Dialect;
use crate::head::Head;
use crate::request::{Part, PartKind, Request, SystemRole};
use crate::translate::Target;
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Debug, Clone)]
pub struct Prompt {
    text: String,
    /// As it stands inside a JSON string.
    escaped: String,
}

// === impl Prompt ===

impl Prompt {
    pub fn new(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return None;
        }
        let quoted = Value::from(text).to_string();
        Some(Self {
            text: text.to_owned(),
            escaped: quoted[1..quoted.len() - 1].to_owned(),
        })
    }

    pub fn apply(&self, request: &mut Request) {
        match request.system.first_mut().map(|part| &mut part.kind) {
            Some(PartKind::Text { text, .. }) => text.insert_str(0, &format!("{}\n\n", self.text)),
            _ => request.system.insert(0, Part::text(&*self.text)),
        }
    }

    /// Wherever the dialect keeps its instructions; if a member is there twice, in both: which one counts is the
    /// upstream's to say.
    pub fn splice<'a>(
        &self,
        target: &Target,
        head: &Head<'a>,
        root: &mut Members<'_, 'a>,
        splice: &mut Splice<'a>,
    ) {
        let role = target.caps.system_role;
        match target.dialect {
            Dialect::OpenAiChat => self.prepend_message(role, true, head, splice),
            Dialect::OllamaChat => self.prepend_message(SystemRole::System, false, head, splice),
            Dialect::AnthropicMessages => self.prepend_member("system", head, root, splice),
            Dialect::OpenAiResponses => self.prepend_member("instructions", head, root, splice),
            Dialect::Gemini => self.prepend_part(head, root, splice),
            // no client's bytes are passed on to it
            Dialect::BedrockConverse => {}
        }
    }

    /// A leading message of instructions is taken up; without one there will be one.
    fn prepend_message(&self, role: SystemRole, lists: bool, head: &Head<'_>, splice: &mut Splice<'_>) {
        for messages in named(head, "messages").filter(|raw| raw.get().starts_with('[')) {
            let first = elements(messages).first().and_then(|first| object(first));
            let content = first
                .filter(is_instructions)
                .and_then(|first| first.get("content"));
            match content {
                Some(content) if content.get().starts_with('"') => self.begin(content, splice),
                Some(content) if lists && content.get().starts_with('[') => {
                    splice.unshift(content, self.block());
                }
                _ => {
                    let role = match role {
                        SystemRole::System => "system",
                        SystemRole::Developer => "developer",
                    };
                    let message = format!(r#"{{"role":"{role}","content":"{}"}}"#, self.escaped);
                    splice.unshift(messages, message);
                }
            }
        }
    }

    /// A top-level string, or a list of blocks.
    fn prepend_member(
        &self,
        name: &'static str,
        head: &Head<'_>,
        root: &mut Members<'_, '_>,
        splice: &mut Splice<'_>,
    ) {
        let mut found = false;
        for value in named(head, name).filter(|raw| raw.get() != "null") {
            found = true;
            match value.get().as_bytes().first() {
                Some(b'"') => self.begin(value, splice),
                Some(b'[') => splice.unshift(value, self.block()),
                // not of this dialect, and the upstream's to refuse
                _ => {}
            }
        }
        if !found {
            root.set(name, format!("\"{}\"", self.escaped));
        }
    }

    /// A Gemini content; its parts are a list, or a single one as in the vendor's own examples.
    fn prepend_part(&self, head: &Head<'_>, root: &mut Members<'_, '_>, splice: &mut Splice<'_>) {
        let part = format!(r#"{{"text":"{}"}}"#, self.escaped);
        let spelt = ["systemInstruction", "system_instruction"];
        let name = spelt.into_iter().find(|name| head.get(name).is_some());
        let values = name.into_iter().flat_map(|name| named(head, name));
        let mut found = false;
        for value in values {
            let Some(content) = object(value) else { continue };
            found = true;
            match content.get("parts") {
                Some(parts) if parts.get().starts_with('[') => splice.unshift(parts, part.clone()),
                Some(parts) if parts.get().starts_with('{') => splice.follow(parts, &part),
                _ => {
                    let mut members = Members::of(&content);
                    members.set("parts", format!("[{part}]"));
                    members.finish(splice);
                }
            }
        }
        if !found {
            root.set(
                name.unwrap_or("systemInstruction"),
                format!(r#"{{"parts":[{part}]}}"#),
            );
        }
    }

    fn begin(&self, string: &RawValue, splice: &mut Splice<'_>) {
        splice.begin_string(string, format!(r"{}\n\n", self.escaped));
    }

    fn block(&self) -> String {
        format!(r#"{{"type":"text","text":"{}"}}"#, self.escaped)
    }
}

// === functions ===

fn named<'a>(head: &Head<'a>, name: &str) -> impl Iterator<Item = &'a RawValue> {
    head.members()
        .filter(move |(key, _)| *key == name)
        .map(|(_, value)| value)
}

fn is_instructions(message: &Head<'_>) -> bool {
    let role = message.get("role").and_then(text);
    matches!(role.as_deref(), Some("system" | "developer"))
}

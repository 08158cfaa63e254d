//! Where a dialect keeps what a model reads: the contents of messages, the instructions beside them, what tools
//! answered; and the descriptions and arguments of tools, which are searched but never replaced, because programs
//! read them too.

use crate::dialect::Dialect;
use crate::head::Head;
use crate::rewrite::splice::{elements, object};
use serde_json::Value;
use serde_json::value::RawValue;

/// Members of a message or of a part that call a tool.
const CALLS: [&str; 5] = [
    "tool_calls",
    "function_call",
    "functionCall",
    "arguments",
    "input",
];

/// Texts as the JSON they stand in. A member that is there twice is looked at twice: which one counts is for the
/// upstream to say.
#[derive(Default)]
pub struct Texts<'a> {
    /// JSON strings that people, models and tools wrote.
    pub words: Vec<&'a RawValue>,
    /// JSON of any kind, whose strings are texts.
    pub tools: Vec<&'a RawValue>,
}

// === impl Texts ===

impl<'a> Texts<'a> {
    pub fn of(dialect: Dialect, head: &Head<'a>) -> Self {
        let mut texts = Self::default();
        each(head, &["tools", "functions"], |tools| texts.tools.push(tools));
        match dialect {
            Dialect::OpenAiChat | Dialect::OllamaChat => {
                each(head, &["messages"], |messages| {
                    texts.turns(messages, &["content"])
                });
            }
            Dialect::AnthropicMessages => {
                each(head, &["messages"], |messages| {
                    texts.turns(messages, &["content"])
                });
                each(head, &["system"], |system| texts.content(system, 1));
            }
            Dialect::OpenAiResponses => {
                each(head, &["instructions"], |instructions| texts.word(instructions));
                each(head, &["input"], |input| match string(input) {
                    true => texts.words.push(input),
                    false => texts.turns(input, &["content", "output"]),
                });
            }
            Dialect::Gemini => {
                each(head, &["contents"], |contents| texts.turns(contents, &["parts"]));
                each(head, &["systemInstruction", "system_instruction"], |system| {
                    texts.turn(system, &["parts"]);
                });
            }
        }
        texts
    }

    /// Everything, line by line.
    pub fn joined(&self) -> String {
        let mut joined = String::new();
        self.words.iter().for_each(|raw| add(raw, &mut joined));
        for raw in &self.tools {
            if let Ok(value) = serde_json::from_str(raw.get()) {
                add_strings(&value, &mut joined);
            }
        }
        joined
    }

    /// A list of messages, or a single one where a dialect allows it.
    fn turns(&mut self, messages: &'a RawValue, names: &[&str]) {
        if messages.get().starts_with('{') {
            return self.turn(messages, names);
        }
        for message in elements(messages) {
            self.turn(message, names);
        }
    }

    fn turn(&mut self, message: &'a RawValue, names: &[&str]) {
        let Some(message) = object(message) else { return };
        each(&message, names, |value| self.content(value, 1));
        each(&message, &CALLS, |call| self.tools.push(call));
    }

    /// A string, a part, or a list of parts; a part has a text, or what a tool answered, which is content again.
    fn content(&mut self, value: &'a RawValue, depth: u8) {
        match value.get().as_bytes().first() {
            Some(b'"') => self.words.push(value),
            Some(b'[') => elements(value)
                .into_iter()
                .for_each(|part| self.part(part, depth)),
            _ => self.part(value, depth),
        }
    }

    fn part(&mut self, part: &'a RawValue, depth: u8) {
        // a bare string inside a list is a text wherever it is accepted
        if string(part) {
            return self.words.push(part);
        }
        let Some(part) = object(part) else { return };
        each(&part, &["text"], |text| self.word(text));
        each(&part, &CALLS, |call| self.tools.push(call));
        if depth > 0 {
            each(&part, &["content"], |answer| self.content(answer, depth - 1));
        }
    }

    fn word(&mut self, value: &'a RawValue) {
        if string(value) {
            self.words.push(value);
        }
    }
}

// === functions ===

fn each<'a>(head: &Head<'a>, names: &[&str], visit: impl FnMut(&'a RawValue)) {
    let wanted = head.members().filter(|(name, _)| names.contains(name));
    wanted.map(|(_, value)| value).for_each(visit);
}

fn string(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

/// Most strings are written as they are read.
fn add(string: &RawValue, joined: &mut String) {
    let quoted = string.get();
    if quoted.contains('\\') {
        joined.push_str(&serde_json::from_str::<String>(quoted).unwrap_or_default());
    } else {
        joined.push_str(quoted.trim_matches('"'));
    }
    joined.push('\n');
}

fn add_strings(value: &Value, joined: &mut String) {
    match value {
        Value::String(text) => {
            joined.push_str(text);
            joined.push('\n');
        }
        Value::Array(values) => values.iter().for_each(|value| add_strings(value, joined)),
        Value::Object(members) => members.values().for_each(|value| add_strings(value, joined)),
        _ => {}
    }
}

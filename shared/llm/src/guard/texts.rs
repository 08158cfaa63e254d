//! Where a dialect keeps what people wrote: the contents of messages and the instructions beside them. Arguments and
//! descriptions of tools are left out; what a tool answered is not.

use crate::dialect::Dialect;
use crate::head::Head;
use crate::rewrite::splice::{elements, object};
use serde_json::value::RawValue;

/// Every text, as the JSON string it stands in. A member that is there twice is looked at twice: which one counts
/// is for the upstream to say.
pub fn of<'a>(dialect: Dialect, head: &Head<'a>) -> Vec<&'a RawValue> {
    let mut texts = Vec::new();
    match dialect {
        Dialect::OpenAiChat | Dialect::OllamaChat => each(head, &["messages"], |messages| {
            turns(messages, &["content"], &mut texts);
        }),
        Dialect::AnthropicMessages => {
            each(head, &["messages"], |messages| {
                turns(messages, &["content"], &mut texts)
            });
            each(head, &["system"], |system| content(system, 1, &mut texts));
        }
        Dialect::OpenAiResponses => each(head, &["input"], |input| match string(input) {
            true => texts.push(input),
            false => turns(input, &["content", "output"], &mut texts),
        }),
        Dialect::Gemini => {
            each(head, &["contents"], |contents| {
                turns(contents, &["parts"], &mut texts)
            });
            each(head, &["systemInstruction", "system_instruction"], |system| {
                turn(system, &["parts"], &mut texts);
            });
        }
    }
    texts
}

fn each<'a>(head: &Head<'a>, names: &[&str], mut visit: impl FnMut(&'a RawValue)) {
    let wanted = head.members().filter(|(name, _)| names.contains(name));
    wanted.for_each(|(_, value)| visit(value));
}

/// A list of messages, or a single one where a dialect allows it.
fn turns<'a>(messages: &'a RawValue, names: &[&str], texts: &mut Vec<&'a RawValue>) {
    if messages.get().starts_with('{') {
        return turn(messages, names, texts);
    }
    elements(messages)
        .into_iter()
        .for_each(|message| turn(message, names, texts));
}

fn turn<'a>(message: &'a RawValue, names: &[&str], texts: &mut Vec<&'a RawValue>) {
    if let Some(message) = object(message) {
        each(&message, names, |value| content(value, 1, texts));
    }
}

/// A string, a part, or a list of parts; a part has a text, or what a tool answered, which is content again.
fn content<'a>(value: &'a RawValue, depth: u8, texts: &mut Vec<&'a RawValue>) {
    match value.get().as_bytes().first() {
        Some(b'"') => texts.push(value),
        Some(b'[') => elements(value)
            .into_iter()
            .for_each(|part| part_of(part, depth, texts)),
        _ => part_of(value, depth, texts),
    }
}

fn part_of<'a>(part: &'a RawValue, depth: u8, texts: &mut Vec<&'a RawValue>) {
    // a bare string inside a list is a text wherever it is accepted
    if string(part) {
        return texts.push(part);
    }
    let Some(part) = object(part) else { return };
    each(&part, &["text"], |text| {
        if string(text) {
            texts.push(text);
        }
    });
    if depth > 0 {
        each(&part, &["content"], |answer| content(answer, depth - 1, texts));
    }
}

fn string(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

//! The items of a request: what may follow what, and which of them belong together.

use super::check::unsupported;
use super::reply::ENCRYPTED;
use crate::answer::Question;
use crate::openai::check::Refusal;
use serde_json::Value;

const ROLES: &[&str] = &["assistant", "system", "developer", "user"];
const SAID: &[&str] = &["output_text", "refusal"];
const TOLD: &[&str] = &["input_text", "input_image", "input_file"];
const MAX_CALL_ID: usize = 64;
/// Items of the vendor's own tools, which it made and takes back as they are.
const OWN: &[&str] = &[
    "additional_tools",
    "apply_patch_call",
    "apply_patch_call_output",
    "code_interpreter_call",
    "compaction",
    "compaction_trigger",
    "computer_call",
    "computer_call_output",
    "file_search_call",
    "image_generation_call",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "program",
    "program_output",
    "shell_call",
    "shell_call_output",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
];

#[derive(Default)]
struct Reading {
    /// Calls that still need their output.
    open: Vec<String>,
    /// A thought that needs what it led to.
    thought: Option<String>,
}

pub fn read_input(input: &Value, question: &mut Question) -> Result<(), Refusal> {
    let items = match input {
        Value::String(text) => {
            question.messages = 1;
            question.read(text);
            question.last_user.clone_from(text);
            return Ok(());
        }
        Value::Array(items) if items.is_empty() => {
            return Err(Refusal::new("input", "Invalid 'input': empty array."));
        }
        Value::Array(items) => items,
        Value::Null => return Err(Refusal::missing("input")),
        other => return Err(Refusal::kind("input", "a string or an array of objects", other)),
    };
    question.messages = items.len() as u64;
    let mut reading = Reading::default();
    for (n, item) in items.iter().enumerate() {
        reading.item(item, &format!("input[{n}]"), question)?;
    }
    reading.no_lonely_thought()?;
    if let Some(id) = reading.open.first() {
        return Err(about_input(format!(
            "No tool output found for function call {id}."
        )));
    }
    Ok(())
}

// === impl Reading ===

impl Reading {
    fn item(&mut self, item: &Value, place: &str, question: &mut Question) -> Result<(), Refusal> {
        let kind = match &item["type"] {
            Value::Null if item["role"].is_string() => "message",
            Value::Null if item["id"].is_string() => "item_reference",
            Value::String(kind) => kind.as_str(),
            Value::Null => return Err(Refusal::missing(&format!("{place}.type"))),
            other => return Err(Refusal::kind(&format!("{place}.type"), "a string", other)),
        };
        match kind {
            "message" => self.message(item, place, question),
            "function_call" | "custom_tool_call" => {
                let input = if kind == "function_call" {
                    "arguments"
                } else {
                    "input"
                };
                self.call(item, input, place, question)
            }
            "function_call_output" | "custom_tool_call_output" => self.output(item, place, question),
            "reasoning" => self.reasoning(item, place),
            "item_reference" => Err(not_found(&item["id"])),
            kind if OWN.contains(&kind) => {
                self.thought = None;
                Ok(())
            }
            other => Err(unsupported(
                &format!("{place}.type"),
                other,
                &["message", "function_call", "function_call_output", "reasoning"],
            )),
        }
    }

    fn message(&mut self, item: &Value, place: &str, question: &mut Question) -> Result<(), Refusal> {
        let role = match &item["role"] {
            Value::String(role) if ROLES.contains(&role.as_str()) => role.as_str(),
            Value::String(role) => return Err(unsupported(&format!("{place}.role"), role, ROLES)),
            _ => return Err(Refusal::missing(&format!("{place}.role"))),
        };
        check_id(item, "msg", place)?;
        let text = text_of(&item["content"], role, &format!("{place}.content"))?;
        question.read(&text);
        if role == "assistant" {
            self.thought = None;
            question.tool_results.clear();
            return Ok(());
        }
        self.no_lonely_thought()?;
        if role == "user" {
            question.tool_results.clear();
            question.last_user = text;
        }
        Ok(())
    }

    fn call(
        &mut self,
        item: &Value,
        input: &str,
        place: &str,
        question: &mut Question,
    ) -> Result<(), Refusal> {
        check_id(item, if input == "input" { "ctc" } else { "fc" }, place)?;
        for field in ["call_id", "name", input] {
            let param = format!("{place}.{field}");
            match &item[field] {
                Value::String(_) => {}
                Value::Null => return Err(Refusal::missing(&param)),
                other => return Err(Refusal::kind(&param, "a string", other)),
            }
        }
        let id = item["call_id"].as_str().unwrap_or_default();
        if id.is_empty() || id.len() > MAX_CALL_ID {
            let message = format!(
                "Invalid '{place}.call_id': string too long. Expected a string with maximum length {MAX_CALL_ID}, but \
                 got a string with length {} instead.",
                id.len()
            );
            return Err(Refusal::new(&format!("{place}.call_id"), message));
        }
        self.thought = None;
        self.open.push(id.to_owned());
        question.read(item[input].as_str().unwrap_or_default());
        question.tool_results.clear();
        Ok(())
    }

    fn output(&mut self, item: &Value, place: &str, question: &mut Question) -> Result<(), Refusal> {
        self.no_lonely_thought()?;
        let id = item["call_id"]
            .as_str()
            .ok_or_else(|| Refusal::missing(&format!("{place}.call_id")))?;
        let Some(at) = self.open.iter().position(|call| call == id) else {
            return Err(about_input(format!(
                "No tool call found for function call output with call_id {id}."
            )));
        };
        self.open.remove(at);
        let result = match &item["output"] {
            Value::Null => return Err(Refusal::missing(&format!("{place}.output"))),
            output => text_of(output, "tool", &format!("{place}.output"))?,
        };
        question.read(&result);
        question.tool_results.push(result);
        Ok(())
    }

    fn reasoning(&mut self, item: &Value, place: &str) -> Result<(), Refusal> {
        let id = item["id"]
            .as_str()
            .ok_or_else(|| Refusal::missing(&format!("{place}.id")))?;
        check_id(item, "rs", place)?;
        if !item["summary"].is_array() {
            return Err(Refusal::missing(&format!("{place}.summary")));
        }
        match &item["encrypted_content"] {
            Value::Null => return Err(not_found(&item["id"])),
            Value::String(text) if text.starts_with(ENCRYPTED) => {}
            _ => {
                let message = format!("The encrypted content for item {id} could not be verified.");
                return Err(Refusal {
                    code: Some("invalid_encrypted_content"),
                    ..about_input(message)
                });
            }
        }
        self.thought = Some(id.to_owned());
        Ok(())
    }

    fn no_lonely_thought(&self) -> Result<(), Refusal> {
        self.thought.as_ref().map_or(Ok(()), |id| {
            Err(about_input(format!(
                "Item '{id}' of type 'reasoning' was provided without its required following item."
            )))
        })
    }
}

fn about_input(message: String) -> Refusal {
    Refusal {
        code: None,
        ..Refusal::new("input", message)
    }
}

fn not_found(id: &Value) -> Refusal {
    about_input(format!(
        "Item with id '{}' not found. Items are not persisted when `store` is set to false. Try again with `store` \
         set to true, or remove this item from your input.",
        id.as_str().unwrap_or_default()
    ))
}

/// Ids say what they are of.
fn check_id(item: &Value, prefix: &str, place: &str) -> Result<(), Refusal> {
    match &item["id"] {
        Value::Null => Ok(()),
        Value::String(id) if id.starts_with(prefix) => Ok(()),
        other => {
            let message =
                format!("Invalid '{place}.id': {other}. Expected an ID that begins with '{prefix}'.");
            Err(Refusal::new(&format!("{place}.id"), message))
        }
    }
}

fn text_of(content: &Value, role: &str, place: &str) -> Result<String, Refusal> {
    let parts = match content {
        Value::String(text) => return Ok(text.clone()),
        Value::Array(parts) => parts,
        Value::Null => return Err(Refusal::missing(place)),
        other => return Err(Refusal::kind(place, "a string or an array of objects", other)),
    };
    let allowed = if role == "assistant" { SAID } else { TOLD };
    let mut text = String::new();
    for (n, part) in parts.iter().enumerate() {
        text.push_str(part_text(part, allowed, &format!("{place}[{n}]"))?);
    }
    Ok(text)
}

fn part_text<'a>(part: &'a Value, allowed: &[&str], place: &str) -> Result<&'a str, Refusal> {
    let kind = part["type"]
        .as_str()
        .ok_or_else(|| Refusal::missing(&format!("{place}.type")))?;
    if !allowed.contains(&kind) {
        return Err(unsupported(&format!("{place}.type"), kind, allowed));
    }
    let field = match kind {
        "input_image" => {
            let url = &part["image_url"];
            let given = url.is_string() || part["file_id"].is_string();
            let refusal = Refusal::kind(&format!("{place}.image_url"), "an image URL", url);
            return if given { Ok("[image]") } else { Err(refusal) };
        }
        "input_file" => {
            let given = ["file_data", "file_url", "file_id"]
                .iter()
                .any(|name| part[name].is_string());
            let refusal = Refusal::missing(&format!("{place}.file_data"));
            return if given { Ok("[file]") } else { Err(refusal) };
        }
        "refusal" => "refusal",
        _ => "text",
    };
    part[field]
        .as_str()
        .ok_or_else(|| Refusal::kind(&format!("{place}.{field}"), "a string", &part[field]))
}

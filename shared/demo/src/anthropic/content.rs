//! System prompt and messages of a request: whose turn it is, and where results of tools belong.

use super::check::is_name;
use crate::answer::Question;
use serde_json::{Value, json};

/// Starts every signature of a thought; the vendor refuses thoughts it did not sign.
pub const SIGNATURE: &str = "demo-signature-";

/// Messages of one role that follow each other, which the vendor reads as one.
struct Turn {
    role: &'static str,
    /// Of the first message.
    index: usize,
    blocks: Vec<Value>,
}

/// Ids of tool calls that still need their result, in the order they were made.
type Open = Vec<String>;

pub fn system(system: &Value) -> Result<String, String> {
    match system {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Array(blocks) => blocks
            .iter()
            .map(|block| block["text"].as_str().filter(|text| !text.is_empty()))
            .collect::<Option<Vec<_>>>()
            .map(|texts| texts.join(" "))
            .ok_or_else(|| "system: text content blocks must be non-empty".into()),
        _ => Err("system: Input should be a valid string or list".into()),
    }
}

/// Every tool_use is answered at the start of the next user turn. With `must_think`, a turn that is answered so
/// began with a thought.
pub fn read_messages(messages: &[Value], must_think: bool, question: &mut Question) -> Result<(), String> {
    let turns = turns(messages)?;
    if turns.first().is_some_and(|turn| turn.role != "user") {
        return Err("messages: first message must use the \"user\" role".into());
    }
    let mut open = Open::new();
    for (n, turn) in turns.iter().enumerate() {
        let last = n + 1 == turns.len();
        match turn.role {
            "user" => turn.read_user(&mut open, question)?,
            _ => turn.read_assistant(last, &mut open, question)?,
        }
    }
    if !open.is_empty() {
        return Err(unanswered(&format!("messages.{}", messages.len() - 1), &open));
    }
    let answered = turns.len().checked_sub(2).map(|before| &turns[before]);
    if let Some(turn) = answered.filter(|_| must_think && !question.tool_results.is_empty()) {
        turn.begins_with_a_thought()?;
    }
    Ok(())
}

fn turns(messages: &[Value]) -> Result<Vec<Turn>, String> {
    let mut turns = Vec::<Turn>::new();
    for (index, message) in messages.iter().enumerate() {
        let role = match message["role"].as_str() {
            Some("user") => "user",
            Some("assistant") => "assistant",
            _ => {
                return Err(format!(
                    "messages.{index}.role: Input should be 'user' or 'assistant'"
                ));
            }
        };
        let blocks = blocks(&message["content"], index)?;
        match turns.last_mut().filter(|turn| turn.role == role) {
            Some(turn) => turn.blocks.extend(blocks),
            None => turns.push(Turn { role, index, blocks }),
        }
    }
    Ok(turns)
}

fn blocks(content: &Value, index: usize) -> Result<Vec<Value>, String> {
    match content {
        Value::String(text) => Ok(vec![json!({"type": "text", "text": text})]),
        Value::Array(blocks) if !blocks.is_empty() => Ok(blocks.clone()),
        _ => Err(format!(
            "messages.{index}.content: Input should be a valid string or non-empty list"
        )),
    }
}

// === impl Turn ===

impl Turn {
    fn read_user(&self, open: &mut Open, question: &mut Question) -> Result<(), String> {
        question.tool_results.clear();
        let mut text = String::new();
        for (n, block) in self.blocks.iter().enumerate() {
            let place = self.place(n);
            let kind = block["type"].as_str().unwrap_or_default();
            if kind != "tool_result" && !open.is_empty() {
                return Err(unanswered(&place, open));
            }
            match kind {
                "tool_result" => {
                    answer_call(block, open, &place)?;
                    let result = result_text(&block["content"]);
                    question.read(&result);
                    question.tool_results.push(result);
                }
                "text" => text.push_str(non_empty(&block["text"], &place)?),
                "image" if block["source"]["type"].is_string() => text.push_str("[image]"),
                "document" if block["source"]["type"].is_string() => text.push_str("[document]"),
                "search_result" => text.push_str("[search result]"),
                other => return Err(format!("{place}.type: Input tag '{other}' is not expected here")),
            }
        }
        if !open.is_empty() {
            return Err(unanswered(&self.place(0), open));
        }
        question.read(&text);
        if !text.is_empty() {
            question.last_user = text;
        }
        Ok(())
    }

    fn read_assistant(&self, last: bool, open: &mut Open, question: &mut Question) -> Result<(), String> {
        question.tool_results.clear();
        for (n, block) in self.blocks.iter().enumerate() {
            let place = self.place(n);
            match block["type"].as_str().unwrap_or_default() {
                "text" => {
                    let text = non_empty(&block["text"], &place)?;
                    let ends = last && n + 1 == self.blocks.len();
                    if ends && text.ends_with(char::is_whitespace) {
                        return Err(
                            "messages: final assistant content cannot end with trailing whitespace".into(),
                        );
                    }
                    question.read(text);
                }
                "tool_use" => open.push(call_id(block, &place)?),
                "thinking" if !is_signed(block) => {
                    return Err(format!("{place}: Invalid `signature` in `thinking` block"));
                }
                "thinking" | "redacted_thinking" | "server_tool_use" | "mcp_tool_use" => {}
                kind if kind.ends_with("_tool_result") => {}
                other => return Err(format!("{place}.type: Input tag '{other}' is not expected here")),
            }
        }
        Ok(())
    }

    fn begins_with_a_thought(&self) -> Result<(), String> {
        let first = self
            .blocks
            .first()
            .and_then(|block| block["type"].as_str())
            .unwrap_or_default();
        if matches!(first, "thinking" | "redacted_thinking") {
            return Ok(());
        }
        Err(format!(
            "{}.type: Expected `thinking` or `redacted_thinking`, but found `{first}`. When `thinking` is enabled, a \
             final `assistant` message must start with a thinking block.",
            self.place(0)
        ))
    }

    fn place(&self, block: usize) -> String {
        format!("messages.{}.content.{block}", self.index)
    }
}

fn unanswered(place: &str, open: &Open) -> String {
    format!(
        "{place}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block \
         must have a corresponding `tool_result` block in the next message.",
        open.join(", ")
    )
}

fn answer_call(block: &Value, open: &mut Open, place: &str) -> Result<(), String> {
    let id = block["tool_use_id"]
        .as_str()
        .ok_or(format!("{place}.tool_use_id: Field required"))?;
    let at = open.iter().position(|call| call == id).ok_or(format!(
        "{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a \
         corresponding `tool_use` block in the previous message."
    ))?;
    open.remove(at);
    Ok(())
}

fn call_id(block: &Value, place: &str) -> Result<String, String> {
    let id = block["id"].as_str().filter(|id| is_name(id, 256));
    let id = id.ok_or(format!(
        "{place}.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
    ))?;
    if !block["name"].as_str().is_some_and(|name| is_name(name, 128)) {
        return Err(format!(
            "{place}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        ));
    }
    if !block["input"].is_object() {
        return Err(format!("{place}.input: Input should be a valid dictionary"));
    }
    Ok(id.to_owned())
}

fn is_signed(block: &Value) -> bool {
    block["signature"]
        .as_str()
        .is_some_and(|signature| signature.starts_with(SIGNATURE))
}

fn non_empty<'a>(text: &'a Value, place: &str) -> Result<&'a str, String> {
    text.as_str()
        .filter(|text| !text.trim().is_empty())
        .ok_or(format!("{place}: text content blocks must be non-empty"))
}

fn result_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect::<Vec<_>>()
            .join(" "),
        _ => String::new(),
    }
}

//! System prompt and messages of a request: whose turn it is, what stands in it, and where results of tools belong.

use super::check::{ensure, list, member, only, word};
use crate::answer::Question;
use serde_json::Value;
use std::collections::BTreeSet;

/// Starts every signature of a thought; the service refuses thoughts it did not sign.
pub const SIGNATURE: &str = "demo-signature-";

/// One message.
struct Turn<'a> {
    index: usize,
    is_users: bool,
    blocks: &'a [Value],
}

pub fn system(system: &Value) -> Result<String, String> {
    let mut texts = Vec::new();
    for (n, block) in list(system).iter().enumerate() {
        match member(block, &format!("system.{n}"))? {
            ("text", text) => texts.push(filled(text, &format!("system.{n}"))?),
            ("cachePoint" | "guardContent", _) => {}
            (other, _) => return Err(format!("system.{n}: {other}: Extra inputs are not permitted")),
        }
    }
    Ok(texts.join(" "))
}

pub fn read(messages: &[Value], declares_tools: bool, question: &mut Question) -> Result<(), String> {
    let mut turns = Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        only(message, &["role", "content"], &format!("messages.{index}"))?;
        let is_users = match message["role"].as_str() {
            Some("user") => true,
            Some("assistant") => false,
            _ => {
                return Err(format!(
                    "messages.{index}.role: Member must satisfy enum value set: [user, assistant]"
                ));
            }
        };
        let blocks = list(&message["content"]);
        ensure(!blocks.is_empty(), || {
            format!(
                "The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to the content field and try again."
            )
        })?;
        turns.push(Turn {
            index,
            is_users,
            blocks,
        });
    }
    ensure(turns.first().is_some_and(|turn| turn.is_users), || {
        "A conversation must start with a user message. Try again with a conversation that starts with a user message.".into()
    })?;
    ensure(
        turns.windows(2).all(|pair| pair[0].is_users != pair[1].is_users),
        || {
            "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.".into()
        },
    )?;
    let mut open = BTreeSet::new();
    for turn in &turns {
        let answered = turn.read(declares_tools, question)?;
        ensure(!turn.is_users || answered == open, || {
            format!(
                "Expected toolResult blocks at messages.{} for the following Ids: {open:?}",
                turn.index
            )
        })?;
        open = if turn.is_users { BTreeSet::new() } else { answered };
    }
    ensure(open.is_empty(), || {
        format!("Expected toolResult blocks for the following Ids: {open:?}")
    })
}

// === impl Turn ===

impl<'a> Turn<'a> {
    /// The calls it makes, or those it answers.
    fn read(&self, declares_tools: bool, question: &mut Question) -> Result<BTreeSet<&'a str>, String> {
        question.tool_results.clear();
        let (mut text, mut ids, mut names, mut captioned) =
            (String::new(), BTreeSet::new(), BTreeSet::new(), false);
        for (n, block) in self.blocks.iter().enumerate() {
            let place = format!("messages.{}.content.{n}", self.index);
            let (kind, value) = member(block, &place)?;
            match (kind, self.is_users) {
                ("text", _) => {
                    captioned = true;
                    text.push_str(filled(value, &place)?);
                }
                ("cachePoint", _) => ensure(n > 0, || {
                    format!("{place}: there is nothing before the cachePoint")
                })?,
                ("image", true) => {
                    image(value, &place)?;
                    text.push_str("[image]");
                }
                ("document", true) => {
                    ensure(names.insert(document(value, &place)?), || {
                        format!("{place}: document names must be unique")
                    })?;
                    text.push_str("[document]");
                }
                ("toolResult", true) => {
                    ids.insert(word(
                        &value["toolUseId"],
                        &format!("{place}.toolResult.toolUseId"),
                    )?);
                    let result = result(value, &place)?;
                    question.read(&result);
                    question.tool_results.push(result);
                }
                ("toolUse", false) => {
                    only(value, &["toolUseId", "name", "input"], &place)?;
                    word(&value["name"], &format!("{place}.toolUse.name"))?;
                    ensure(value["input"].is_object(), || {
                        format!(
                            "The format of the value at {place}.toolUse.input is invalid. Provide a json object for the field and try again."
                        )
                    })?;
                    ids.insert(word(&value["toolUseId"], &format!("{place}.toolUse.toolUseId"))?);
                }
                ("reasoningContent", false) => reasoning(value, &place)?,
                (other, _) => return Err(format!("{place}: {other} is not expected in this role")),
            }
        }
        ensure(names.is_empty() || captioned, || {
            format!(
                "The message at messages.{} has a document, and needs a text block, too.",
                self.index
            )
        })?;
        ensure(ids.is_empty() || declares_tools, || {
            "The toolConfig field must be defined when using toolUse and toolResult content blocks.".into()
        })?;
        question.read(&text);
        if self.is_users && !text.is_empty() {
            question.last_user = text;
        }
        Ok(ids)
    }
}

// === functions ===

fn filled<'a>(text: &'a Value, place: &str) -> Result<&'a str, String> {
    text.as_str().filter(|text| !text.trim().is_empty()).ok_or_else(|| {
        format!("The text field in the ContentBlock object at {place} is blank. Add text to the text field, and try again.")
    })
}

fn image(image: &Value, place: &str) -> Result<(), String> {
    only(image, &["format", "source"], place)?;
    let known = ["png", "jpeg", "gif", "webp"]
        .iter()
        .any(|format| image["format"] == *format);
    ensure(known && is_base64(&image["source"]["bytes"]), || {
        format!("{place}: The image is of no known format, or cannot be read.")
    })
}

/// Its name.
fn document<'a>(document: &'a Value, place: &str) -> Result<&'a str, String> {
    only(
        document,
        &["format", "name", "source", "context", "citations"],
        place,
    )?;
    let formats = ["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"];
    let known = formats.iter().any(|format| document["format"] == *format);
    ensure(known && is_base64(&document["source"]["bytes"]), || {
        format!("{place}: The document is of no known format, or cannot be read.")
    })?;
    let legal = |name: &&str| {
        let sound = |c: char| c.is_ascii_alphanumeric() || " -()[]".contains(c);
        (1..=200).contains(&name.len()) && name.chars().all(sound) && !name.contains("  ")
    };
    document["name"].as_str().filter(legal).ok_or_else(|| {
        format!("{place}: The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets. The name can't contain more than one consecutive whitespace character.")
    })
}

fn result(result: &Value, place: &str) -> Result<String, String> {
    only(result, &["toolUseId", "content", "status"], place)?;
    let status = &result["status"];
    ensure(
        status.is_null() || status == "success" || status == "error",
        || format!("{place}.toolResult.status: Member must satisfy enum value set: [success, error]"),
    )?;
    let mut texts = Vec::new();
    for (n, block) in list(&result["content"]).iter().enumerate() {
        let place = format!("{place}.toolResult.content.{n}");
        match member(block, &place)? {
            ("text", text) => texts.push(filled(text, &place)?.to_owned()),
            ("json", value) => texts.push(value.to_string()),
            ("image", value) => image(value, &place)?,
            ("document", value) => drop(document(value, &place)?),
            (other, _) => return Err(format!("{place}: {other}: Extra inputs are not permitted")),
        }
    }
    ensure(status != "error" || !list(&result["content"]).is_empty(), || {
        format!("The content field at {place}.toolResult cannot be empty when status value is error.")
    })?;
    Ok(texts.join(" "))
}

fn reasoning(reasoning: &Value, place: &str) -> Result<(), String> {
    match member(reasoning, place)? {
        ("reasoningText", said) => {
            let signed = said["signature"]
                .as_str()
                .is_some_and(|text| text.starts_with(SIGNATURE));
            ensure(signed, || {
                format!("{place}: Invalid `signature` in `thinking` block")
            })
        }
        ("redactedContent", data) => ensure(is_base64(data), || {
            format!("{place}: redactedContent is no base64")
        }),
        (other, _) => Err(format!("{place}: {other}: Extra inputs are not permitted")),
    }
}

fn is_base64(value: &Value) -> bool {
    use base64::Engine as _;
    let text = value.as_str().unwrap_or_default();
    !text.is_empty() && base64::engine::general_purpose::STANDARD.decode(text).is_ok()
}

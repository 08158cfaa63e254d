//! The contents of a request: whose turn it is, and where results of functions belong.

use super::reply::SIGNATURE;
use crate::answer::Question;
use serde_json::Value;

/// What stands in the place of a signature that the caller does not have, as the vendor's guide allows.
const DUMMIES: &[&str] = &[
    "skip_thought_signature_validator",
    "context_engineering_is_the_way_to_go",
];
/// What a part can hold.
const DATA: &[&str] = &[
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
];

/// What came before a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    User,
    Model,
    /// So many calls that wait for their results.
    Calls(usize),
    Results,
}

/// With `signed`, a turn of the model that calls functions has to bring the signature it was given.
pub fn read_contents(contents: &Value, signed: bool, question: &mut Question) -> Result<(), String> {
    let contents = contents.as_array().map_or(&[][..], Vec::as_slice);
    if contents.is_empty() {
        return Err("* GenerateContentRequest.contents: contents is not specified\n".into());
    }
    question.messages = contents.len() as u64;
    let mut before = Before::Nothing;
    for (n, content) in contents.iter().enumerate() {
        let place = format!("contents[{n}]");
        let parts = content["parts"].as_array().map_or(&[][..], Vec::as_slice);
        if parts.is_empty() {
            return Err(format!(
                "* GenerateContentRequest.{place}.parts: contents.parts must not be empty.\n"
            ));
        }
        for (p, part) in parts.iter().enumerate() {
            check_part(part, &format!("{place}.parts[{p}]"))?;
        }
        before = match content["role"].as_str() {
            Some("model") => read_model(parts, before, signed, question)?,
            Some("user" | "function") | None => read_user(parts, before, &place, question)?,
            Some(_) => return Err("Please use a valid role: user, model.".into()),
        };
    }
    if let Before::Calls(_) = before {
        return Err(unequal());
    }
    Ok(())
}

fn check_part(part: &Value, place: &str) -> Result<(), String> {
    let held = DATA.iter().filter(|name| part.get(**name).is_some()).count();
    if held == 0 {
        return Err(format!(
            "* GenerateContentRequest.{place}.data: required oneof field 'data' must have one initialized field\n"
        ));
    }
    if held > 1 {
        return Err(format!(
            "Invalid value at '{place}' (oneof), oneof field 'data' is already set. Cannot set another."
        ));
    }
    for field in ["inlineData", "fileData"] {
        if part[field].is_object() && !part[field]["mimeType"].is_string() {
            return Err(format!(
                "* GenerateContentRequest.{place}: the mime_type of {field} must be specified\n"
            ));
        }
    }
    if let Some(signature) = part["thoughtSignature"].as_str()
        && !signature
            .replace('-', "+")
            .replace('_', "/")
            .starts_with(SIGNATURE)
        && !DUMMIES.contains(&signature)
    {
        return Err("Corrupted thought signature.".into());
    }
    Ok(())
}

fn read_model(
    parts: &[Value],
    before: Before,
    signed: bool,
    question: &mut Question,
) -> Result<Before, String> {
    if let Before::Calls(_) = before {
        return Err(unequal());
    }
    question.tool_results.clear();
    for part in parts {
        question.read(part["text"].as_str().unwrap_or_default());
    }
    if parts.iter().any(|part| part["functionResponse"].is_object()) {
        return Err(misplaced_result());
    }
    let calls: Vec<_> = parts
        .iter()
        .filter(|part| part["functionCall"].is_object())
        .collect();
    let Some(first) = calls.first() else {
        return Ok(Before::Model);
    };
    if matches!(before, Before::Nothing | Before::Model) {
        return Err(
            "Please ensure that function call turn comes immediately after a user turn or after a function response \
             turn."
                .into(),
        );
    }
    if calls
        .iter()
        .any(|call| call["functionCall"]["name"].as_str().is_none_or(str::is_empty))
    {
        return Err(
            "* GenerateContentRequest.contents.parts.function_call.name: Name cannot be empty.\n".into(),
        );
    }
    if signed && first["thoughtSignature"].is_null() {
        return Err(format!(
            "Function call is missing a thought_signature in functionCall parts. This is required for tools to work \
             correctly, and missing thought_signature may lead to degraded model performance. Additional data, \
             function call `default_api:{}`.",
            first["functionCall"]["name"].as_str().unwrap_or_default()
        ));
    }
    Ok(Before::Calls(calls.len()))
}

fn read_user(
    parts: &[Value],
    before: Before,
    place: &str,
    question: &mut Question,
) -> Result<Before, String> {
    let mut results = Vec::new();
    let mut text = String::new();
    for (p, part) in parts.iter().enumerate() {
        if part["functionCall"].is_object() {
            return Err("Please ensure that function call turn has the role model.".into());
        }
        let result = &part["functionResponse"];
        if !result.is_object() {
            text.push_str(part["text"].as_str().unwrap_or_else(|| kind_of(part)));
            continue;
        }
        if result["name"].as_str().is_none_or(str::is_empty) {
            return Err(format!(
                "* GenerateContentRequest.{place}.parts[{p}].function_response.name: Name cannot be empty.\n"
            ));
        }
        let Some(response) = result["response"].as_object() else {
            return Err(format!(
                "* GenerateContentRequest.{place}.parts[{p}].function_response.response: missing field.\n"
            ));
        };
        results.push(result_text(response));
    }
    match before {
        Before::Calls(calls) if calls != results.len() => return Err(unequal()),
        Before::Calls(_) => {}
        _ if !results.is_empty() => return Err(misplaced_result()),
        _ => {}
    }
    question.read(&text);
    for result in &results {
        question.read(result);
    }
    let answered = !results.is_empty();
    if answered {
        question.tool_results = results;
    } else if before != Before::Results {
        question.tool_results.clear();
    }
    if !text.is_empty() && !answered {
        question.last_user = text;
        question.tool_results.clear();
    }
    Ok(if answered { Before::Results } else { Before::User })
}

fn kind_of(part: &Value) -> &'static str {
    let media = [&part["inlineData"], &part["fileData"]];
    let mime = media.iter().find_map(|media| media["mimeType"].as_str());
    match mime.is_some_and(|mime| mime.starts_with("image/")) {
        true => "[image]",
        false => "[media]",
    }
}

fn unequal() -> String {
    "Please ensure that the number of function response parts is equal to the number of function call parts of the \
     function call turn."
        .into()
}

fn misplaced_result() -> String {
    "Please ensure that function response turn comes immediately after a function call turn.".into()
}

/// A result that is one text is that text.
fn result_text(response: &serde_json::Map<String, Value>) -> String {
    let only = response.values().next().filter(|_| response.len() == 1);
    match only.and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => Value::Object(response.clone()).to_string(),
    }
}

//! A client's Responses request to the neutral one.
//!
//! Agents vary in what they leave out, so an item without a type but with a role is a message and a bare string is
//! one of the user. What refers to state kept at the vendor is an extension here: only the target decides whether
//! it can go on from it.

mod content;
mod input;
mod options;
mod tool;

use super::super::openai_chat::object::Object;
use crate::dialect::Dialect;
use crate::error::DecodeError;
use crate::request::Request;

/// Everything the neutral request has a place for, and what says nothing to another API.
const KNOWN: &[&str] = &[
    "model",
    "input",
    "instructions",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "temperature",
    "top_p",
    "top_logprobs",
    "max_output_tokens",
    "reasoning",
    "prompt_cache_key",
    "user",
    "safety_identifier",
    "metadata",
    "service_tier",
    "store",
    // encrypted reasoning and log probabilities are asked for by other means, a window never overflows silently
    "include",
    "truncation",
];

pub fn decode(body: &[u8]) -> Result<Request, DecodeError> {
    let root = Object::root(body)?;
    let mut request = Request {
        model: root.text("model")?.unwrap_or_default(),
        ..Request::default()
    };
    if request.model.is_empty() {
        return Err(DecodeError::at("model", "Missing model"));
    }
    let unknown = root.unknown(KNOWN)?;
    if !unknown.is_empty() {
        request.extensions.insert(Dialect::OpenAiResponses, unknown);
    }
    tool::decode(&root, &mut request)?;
    input::decode(&root, &mut request)?;
    options::decode(&root, &mut request)?;
    Ok(request)
}

#[cfg(test)]
mod tests;

//! A client's Chat Completions request to the neutral one.
//!
//! Compatible clients vary in everything that costs nothing to understand, so reading is lenient: `null` is
//! absent, retired spellings are accepted, and a field nobody knows is kept as an extension of this dialect.
//! What would change the answer if it were ignored is refused with the path of the field.

mod content;
mod message;
mod options;
mod tool;

use super::object::Object;
use crate::dialect::Dialect;
use crate::error::DecodeError;
use crate::request::Request;

/// Everything the neutral request has a place for; all else is an extension.
const KNOWN: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "parallel_tool_calls",
    "response_format",
    "verbosity",
    "temperature",
    "top_p",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "logit_bias",
    "n",
    "stop",
    "max_tokens",
    "max_completion_tokens",
    "logprobs",
    "top_logprobs",
    "reasoning_effort",
    "reasoning",
    "thinking",
    "prompt_cache_key",
    "user",
    "metadata",
    "service_tier",
    "store",
    "modalities",
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
    message::decode(&root, &mut request)?;
    tool::decode(&root, &mut request)?;
    options::decode(&root, &mut request)?;

    let mut unknown = root.unknown(KNOWN)?;
    // the successor of `user`
    if request.user.is_none() {
        let identifier = unknown.shift_remove("safety_identifier");
        request.user = identifier.and_then(|value| value.as_str().map(str::to_owned));
    }
    if !unknown.is_empty() {
        request.extensions.insert(Dialect::OpenAiChat, unknown);
    }
    Ok(request)
}

#[cfg(test)]
mod tests;

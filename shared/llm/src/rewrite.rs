//! What the configuration changes about every request before it leaves: the operator's own instructions in front of
//! the client's, and how much a model may think.
//!
//! A translated request is changed in the neutral model. One that passes through is changed where its dialect keeps
//! the same thing, as a splice of the client's bytes: every other byte stays. Both are made from the request as the
//! client sent it, so however many targets are tried, a change is made once.

pub(crate) mod cap;
mod prompt;
pub(crate) mod splice;
mod thinking;

pub use self::thinking::Thinking;

use self::prompt::Prompt;
use self::splice::{Members, Splice, object};
use crate::dialect::Dialect;
use crate::error::DecodeError;
use crate::head::Head;
use crate::request::Request;
use crate::translate::Target;
use bytes::Bytes;
use serde_json::Value;

/// Where Gemini's `countTokens` takes a whole request: instructions can be counted nowhere else.
/// https://ai.google.dev/api/tokens#method:-models.counttokens
const COUNTED: [&str; 2] = ["generateContentRequest", "generate_content_request"];

/// The changes of one configuration; there is none when there is nothing to change.
#[derive(Debug, Clone)]
pub struct Rewrite {
    prompt: Option<Prompt>,
    thinking: Thinking,
}

// === impl Rewrite ===

impl Rewrite {
    /// `None` when requests stay as they are. A prompt of white space is no prompt.
    pub fn new(prompt: &str, thinking: Thinking) -> Option<Self> {
        let prompt = Prompt::new(prompt);
        let idle = prompt.is_none() && thinking == Thinking::Passthrough;
        (!idle).then_some(Self { prompt, thinking })
    }

    /// Changes a request that is going to be translated.
    pub(crate) fn apply(&self, request: &mut Request, target: &Target) {
        if let Some(prompt) = &self.prompt {
            prompt.apply(request);
        }
        self.thinking.apply(request, &target.caps);
    }

    /// The body for an upstream of the client's own dialect. `request` is the same body in the neutral model; it is
    /// asked for only where a change depends on more than the place it is made in.
    pub(crate) fn splice<'a>(
        &self,
        body: &Bytes,
        target: &Target,
        request: impl FnOnce() -> Result<&'a Request, DecodeError>,
    ) -> Result<Bytes, DecodeError> {
        let head = Head::read(body)?;
        let mut splice = Splice::new(body);
        let mut root = Members::of(&head);
        if let Some(prompt) = &self.prompt {
            prompt.splice(target, &head, &mut root, &mut splice);
        }
        self.thinking
            .splice(target, request, &head, &mut root, &mut splice);
        root.finish(&mut splice);
        Ok(splice.into_bytes())
    }

    /// The body of a question how many tokens a request has, with the instructions that the request would get.
    pub fn counted(&self, body: &Bytes, target: &Target) -> Result<Bytes, DecodeError> {
        let Some(prompt) = &self.prompt else {
            return Ok(body.clone());
        };
        let head = Head::read(body)?;
        let gemini = target.dialect == Dialect::Gemini;
        let inner = COUNTED.iter().find_map(|name| head.get(name)).and_then(object);
        let inner = inner.filter(|_| gemini);
        let request = inner.as_ref().unwrap_or(&head);
        let (mut splice, mut root) = (Splice::new(body), Members::of(request));
        if gemini {
            let model = format!("models/{}", target.model);
            root.set("model", Value::from(model).to_string());
        }
        prompt.splice(target, request, &mut root, &mut splice);
        root.finish(&mut splice);
        let body = splice.into_bytes();
        if !gemini || inner.is_some() {
            return Ok(body);
        }
        let wrapped = [br#"{"generateContentRequest":"#, &body[..], b"}"].concat();
        Ok(wrapped.into())
    }
}

#[cfg(test)]
mod tests;

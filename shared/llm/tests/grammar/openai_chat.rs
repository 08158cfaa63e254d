//! Chat Completions chunks: one role, one header per call, one finish per choice, usage only when asked.

use super::{End, Verdict, ensure, is_object, list, named, number, sse, text};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Chunks,
    Usage,
    Done,
    Failed,
}

#[derive(Debug, Clone, Copy)]
enum Symbol {
    Chunk,
    Usage,
    Done,
    Error,
}

/// One of the choices as far as it has come.
#[derive(Default)]
struct Choice {
    role: bool,
    finish: Option<String>,
    /// Arguments per call, and whether they are JSON.
    calls: Vec<(String, bool)>,
}

#[derive(Default)]
struct Seen {
    head: Option<[Value; 4]>,
    choices: BTreeMap<u64, Choice>,
}

impl State {
    /// The transition table; what is not in it is no stream.
    fn next(self, symbol: Symbol, usage: bool) -> Option<Self> {
        match (self, symbol) {
            (Self::Chunks, Symbol::Chunk) => Some(Self::Chunks),
            (Self::Chunks, Symbol::Usage) if usage => Some(Self::Usage),
            (Self::Chunks, Symbol::Done) if !usage => Some(Self::Done),
            (Self::Usage, Symbol::Done) => Some(Self::Done),
            (Self::Chunks | Self::Usage, Symbol::Error) => Some(Self::Failed),
            _ => None,
        }
    }
}

pub fn stream(bytes: &[u8], usage: bool) -> Verdict {
    let (mut state, mut seen) = (State::Chunks, Seen::default());
    for frame in sse::frames(bytes, "\n\n")? {
        ensure(frame.event.is_none(), || "an event has a name".to_owned())?;
        let (symbol, chunk) = match frame.data {
            "[DONE]" => (Symbol::Done, Value::Null),
            _ => symbol(frame.json()?),
        };
        let next = state.next(symbol, usage);
        state = next.ok_or_else(|| format!("{symbol:?} after {state:?}"))?;
        match symbol {
            Symbol::Chunk | Symbol::Usage => seen.take(&chunk, usage, matches!(symbol, Symbol::Usage))?,
            Symbol::Error => error(&chunk)?,
            Symbol::Done => seen.complete()?,
        }
    }
    match state {
        State::Done => Ok(End::Complete),
        State::Failed => Ok(End::Failed),
        State::Chunks | State::Usage => Err(format!("it ends in {state:?}")),
    }
}

pub fn reply(reply: &Value) -> Result<(), String> {
    ensure(reply["object"] == "chat.completion", || "object".to_owned())?;
    named(reply, "id")?;
    number(reply, "created")?;
    text(reply, "model")?;
    check_usage(&reply["usage"])?;
    let choices = list(reply, "choices")?;
    ensure(!choices.is_empty(), || "no choices".to_owned())?;
    for (index, choice) in choices.iter().enumerate() {
        let (message, finish) = (&choice["message"], named(choice, "finish_reason")?);
        ensure(number(choice, "index")? == index as u64, || {
            "index of a choice".to_owned()
        })?;
        ensure(message["role"] == "assistant", || "role".to_owned())?;
        let content = &message["content"];
        ensure(content.is_string() || content.is_null(), || "content".to_owned())?;
        let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
        ensure(calls.is_empty() == message["tool_calls"].is_null(), || {
            "empty tool_calls".to_owned()
        })?;
        for call in &calls {
            named(call, "id")?;
            let (arguments, json) = header(call)?;
            ensure(!json || finish == "length" || is_object(&arguments), || {
                format!("arguments {arguments}")
            })?;
        }
        check_finish(finish, !calls.is_empty())?;
    }
    Ok(())
}

impl Seen {
    fn take(&mut self, chunk: &Value, asked: bool, last: bool) -> Result<(), String> {
        ensure(chunk["object"] == "chat.completion.chunk", || "object".to_owned())?;
        let head = ["id", "created", "model", "system_fingerprint"].map(|key| chunk[key].clone());
        ensure(
            !head[0].is_null() && head[1].is_u64() && head[2].is_string(),
            || "head".to_owned(),
        )?;
        let first = self.head.get_or_insert_with(|| head.clone());
        ensure(*first == head, || "id, created or model changed".to_owned())?;
        if last {
            return check_usage(&chunk["usage"]);
        }
        ensure(chunk["usage"].is_null(), || "usage before the end".to_owned())?;
        ensure(!asked || chunk.get("usage").is_some(), || {
            "usage is not null but missing".to_owned()
        })?;
        for choice in list(chunk, "choices")? {
            self.choices
                .entry(number(choice, "index")?)
                .or_default()
                .take(choice)?;
        }
        Ok(())
    }

    fn complete(&self) -> Result<(), String> {
        ensure(!self.choices.is_empty(), || "no choice".to_owned())?;
        for choice in self.choices.values() {
            let Some(finish) = &choice.finish else {
                return Err("a choice has no finish_reason".to_owned());
            };
            check_finish(finish, !choice.calls.is_empty())?;
            let broken = choice.calls.iter().find(|(text, json)| *json && !is_object(text));
            ensure(broken.is_none() || finish == "length", || {
                format!("arguments {broken:?}")
            })?;
        }
        Ok(())
    }
}

impl Choice {
    fn take(&mut self, choice: &Value) -> Result<(), String> {
        let delta = choice["delta"].as_object().ok_or("delta is no object")?;
        ensure(self.finish.is_none(), || {
            "a delta after the finish_reason".to_owned()
        })?;
        ensure(delta.contains_key("role") != self.role, || {
            "the role comes once, first".to_owned()
        })?;
        self.role = true;
        if let Some(finish) = choice["finish_reason"].as_str() {
            ensure(delta.is_empty(), || {
                "content and finish_reason in one chunk".to_owned()
            })?;
            self.finish = Some(finish.to_owned());
        }
        let calls = delta.get("tool_calls").and_then(Value::as_array);
        calls.into_iter().flatten().try_for_each(|call| self.call(call))
    }

    fn call(&mut self, call: &Value) -> Result<(), String> {
        let index = number(call, "index")? as usize;
        if let Some((arguments, json)) = self.calls.get_mut(index) {
            ensure(call.get("id").is_none() && call.get("type").is_none(), || {
                "a second header".to_owned()
            })?;
            let more = if *json {
                &call["function"]["arguments"]
            } else {
                &call["custom"]["input"]
            };
            ensure(call["function"].get("name").is_none(), || {
                "a second name".to_owned()
            })?;
            // a signature may come after the call it belongs to
            ensure(more.is_string() || call.get("extra_content").is_some(), || {
                "no arguments".to_owned()
            })?;
            arguments.push_str(more.as_str().unwrap_or_default());
            return Ok(());
        }
        ensure(index == self.calls.len(), || {
            format!("call {index} after {}", self.calls.len())
        })?;
        named(call, "id")?;
        self.calls.push(header(call)?);
        Ok(())
    }
}

/// The arguments so far, and whether they are JSON.
fn header(call: &Value) -> Result<(String, bool), String> {
    let json = match named(call, "type")? {
        "function" => true,
        "custom" => false,
        other => return Err(format!("type {other}")),
    };
    let body = if json { &call["function"] } else { &call["custom"] };
    named(body, "name")?;
    Ok((
        text(body, if json { "arguments" } else { "input" })?.to_owned(),
        json,
    ))
}

fn symbol(chunk: Value) -> (Symbol, Value) {
    let symbol = match () {
        () if chunk.get("error").is_some() => Symbol::Error,
        () if chunk["choices"].as_array().is_some_and(Vec::is_empty) => Symbol::Usage,
        () => Symbol::Chunk,
    };
    (symbol, chunk)
}

fn error(chunk: &Value) -> Result<(), String> {
    let error = &chunk["error"];
    named(error, "message")?;
    named(error, "type")?;
    ensure(
        error.get("param").is_some() && error.get("code").is_some(),
        || "param and code".to_owned(),
    )
}

fn check_finish(finish: &str, calls: bool) -> Result<(), String> {
    match finish {
        "tool_calls" => ensure(calls, || "tool_calls without a call".to_owned()),
        "stop" => ensure(!calls, || "stop after a call".to_owned()),
        "length" | "content_filter" => Ok(()),
        other => Err(format!("finish_reason {other}")),
    }
}

fn check_usage(usage: &Value) -> Result<(), String> {
    let (input, output) = (
        number(usage, "prompt_tokens")?,
        number(usage, "completion_tokens")?,
    );
    ensure(number(usage, "total_tokens")? == input + output, || {
        "total_tokens".to_owned()
    })?;
    let details = &usage["prompt_tokens_details"];
    let cached = details["cached_tokens"].as_u64().unwrap_or(0);
    ensure(cached <= input, || "more cached than input".to_owned())
}

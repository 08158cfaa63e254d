//! Ollama: a JSON document per line, the last one done or an error.

use super::{End, Verdict, ensure, named, number, text};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Done,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symbol {
    Line,
    Done,
    Error,
}

impl State {
    /// The transition table; what is not in it is no stream.
    fn next(self, symbol: Symbol) -> Option<Self> {
        match (self, symbol) {
            (Self::Open, Symbol::Line) => Some(Self::Open),
            (Self::Open, Symbol::Done) => Some(Self::Done),
            (Self::Open, Symbol::Error) => Some(Self::Failed),
            _ => None,
        }
    }
}

pub fn stream(bytes: &[u8]) -> Verdict {
    let stream = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    ensure(stream.ends_with('\n'), || {
        "the last line is not closed".to_owned()
    })?;
    let (mut state, mut model) = (State::Open, None);
    for line in stream.lines() {
        let line: Value = serde_json::from_str(line).map_err(|error| format!("{error} in {line:?}"))?;
        let symbol = symbol(&line);
        state = state
            .next(symbol)
            .ok_or_else(|| format!("{symbol:?} after {state:?}"))?;
        if symbol == Symbol::Error {
            error(&line)?;
            continue;
        }
        let own = named(&line, "model")?.to_owned();
        let first = model.get_or_insert_with(|| own.clone());
        ensure(*first == own, || "the model changed".to_owned())?;
        self::line(&line, symbol == Symbol::Done)?;
    }
    match state {
        State::Done => Ok(End::Complete),
        State::Failed => Ok(End::Failed),
        State::Open => Err("no line is done".to_owned()),
    }
}

pub fn reply(reply: &Value) -> Result<(), String> {
    named(reply, "model")?;
    line(reply, true)
}

fn symbol(line: &Value) -> Symbol {
    match () {
        () if line.get("error").is_some() => Symbol::Error,
        () if line["done"] == true => Symbol::Done,
        () => Symbol::Line,
    }
}

fn line(line: &Value, done: bool) -> Result<(), String> {
    ensure(line["done"] == done, || "done is a boolean".to_owned())?;
    ensure(line.get("done_reason").is_some() == done, || {
        "done_reason belongs to the last line".to_owned()
    })?;
    let created = named(line, "created_at")?;
    ensure(created.contains('T') && created.ends_with('Z'), || {
        format!("created_at {created}")
    })?;
    let message = &line["message"];
    ensure(message["role"] == "assistant", || "role".to_owned())?;
    text(message, "content")?;
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        named(&call["function"], "name")?;
        ensure(call["function"]["arguments"].is_object(), || {
            format!("arguments of {call}")
        })?;
    }
    if done {
        let reason = named(line, "done_reason")?;
        ensure(["stop", "length"].contains(&reason), || {
            format!("done_reason {reason}")
        })?;
        number(line, "total_duration")?;
        // counts that nobody knows are left out
        let known = line.get("eval_count").is_none_or(Value::is_u64);
        ensure(known, || "eval_count".to_owned())?;
    }
    Ok(())
}

fn error(line: &Value) -> Result<(), String> {
    named(line, "error")?;
    ensure(line.as_object().is_some_and(|line| line.len() == 1), || {
        "an error is alone".to_owned()
    })
}

//! Gemini: response objects until every candidate has its finish reason; as events or as one JSON array.

use super::{End, Verdict, ensure, list, named, number, sse, text};
use llm::Framing;
use serde_json::Value;
use std::collections::BTreeMap;

const FINISH_REASONS: [&str; 6] = [
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "MALFORMED_FUNCTION_CALL",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Finished,
    Blocked,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symbol {
    Content,
    Finish,
    Usage,
    Block,
    Error,
}

impl State {
    /// The transition table of the whole stream; what is not in it is no stream.
    fn next(self, symbol: Symbol) -> Option<Self> {
        match (self, symbol) {
            (Self::Open, Symbol::Content | Symbol::Usage) => Some(Self::Open),
            // other candidates may go on
            (Self::Open | Self::Finished, Symbol::Finish) => Some(Self::Finished),
            (Self::Finished, Symbol::Content | Symbol::Usage) => Some(Self::Finished),
            (Self::Open, Symbol::Block) => Some(Self::Blocked),
            (Self::Blocked, Symbol::Usage) => Some(Self::Blocked),
            (Self::Open | Self::Finished, Symbol::Error) => Some(Self::Failed),
            _ => None,
        }
    }
}

pub fn stream(bytes: &[u8], framing: Framing) -> Verdict {
    let chunks = match framing {
        Framing::Native => events(bytes)?,
        Framing::JsonArray => {
            serde_json::from_slice(bytes).map_err(|error| format!("no JSON array: {error}"))?
        }
    };
    let (mut state, mut head, mut finished) = (State::Open, None, BTreeMap::new());
    for chunk in &chunks {
        let symbol = symbol(chunk);
        state = state
            .next(symbol)
            .ok_or_else(|| format!("{symbol:?} after {state:?}"))?;
        if symbol == Symbol::Error {
            error(&chunk["error"])?;
            continue;
        }
        let own = [
            named(chunk, "modelVersion")?.to_owned(),
            named(chunk, "responseId")?.to_owned(),
        ];
        let first = head.get_or_insert_with(|| own.clone());
        ensure(*first == own, || "modelVersion or responseId changed".to_owned())?;
        usage(&chunk["usageMetadata"], true)?;
        for candidate in chunk["candidates"].as_array().into_iter().flatten() {
            let done = finished.entry(number(candidate, "index")?).or_insert(false);
            ensure(!*done, || "a candidate goes on after its finishReason".to_owned())?;
            *done = self::candidate(candidate)?;
        }
    }
    let all = !finished.is_empty() && finished.values().all(|done| *done);
    match state {
        State::Failed => Ok(End::Failed),
        State::Blocked => Ok(End::Complete),
        State::Finished if all => Ok(End::Complete),
        state => Err(format!("it ends in {state:?}")),
    }
}

pub fn reply(reply: &Value) -> Result<(), String> {
    named(reply, "modelVersion")?;
    named(reply, "responseId")?;
    usage(&reply["usageMetadata"], false)?;
    if named(&reply["promptFeedback"], "blockReason").is_ok() {
        return Ok(());
    }
    let candidates = list(reply, "candidates")?;
    ensure(!candidates.is_empty(), || "no candidates".to_owned())?;
    for (index, candidate) in candidates.iter().enumerate() {
        ensure(candidate["index"].as_u64().unwrap_or(0) == index as u64, || {
            "index".to_owned()
        })?;
        ensure(self::candidate(candidate)?, || "no finishReason".to_owned())?;
    }
    Ok(())
}

fn events(bytes: &[u8]) -> Result<Vec<Value>, String> {
    // an empty line says that the stream is alive
    let stream = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let stream = stream
        .trim_start_matches("\r\n")
        .replace("\r\n\r\n\r\n", "\r\n\r\n");
    let frames = sse::frames(stream.as_bytes(), "\r\n\r\n")?;
    let named = frames.iter().find_map(|frame| frame.event);
    ensure(named.is_none(), || format!("an event has a name: {named:?}"))?;
    frames.iter().map(sse::Frame::json).collect()
}

fn symbol(chunk: &Value) -> Symbol {
    let candidates = chunk["candidates"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    match () {
        () if chunk.get("error").is_some() => Symbol::Error,
        () if candidates.iter().any(|one| one["finishReason"].is_string()) => Symbol::Finish,
        () if !candidates.is_empty() => Symbol::Content,
        () if chunk["promptFeedback"]["blockReason"].is_string() => Symbol::Block,
        () => Symbol::Usage,
    }
}

/// Whether the candidate is finished.
fn candidate(candidate: &Value) -> Result<bool, String> {
    let content = &candidate["content"];
    let finish = candidate["finishReason"].as_str();
    ensure(
        content["role"] == "model" || finish.is_some() && content.is_null(),
        || "role".to_owned(),
    )?;
    let parts = content["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
    ensure(!parts.is_empty() || finish.is_some(), || "no parts".to_owned())?;
    parts.iter().try_for_each(part)?;
    if let Some(finish) = finish {
        ensure(FINISH_REASONS.contains(&finish), || {
            format!("finishReason {finish}")
        })?;
    }
    Ok(finish.is_some())
}

fn part(part: &Value) -> Result<(), String> {
    let thought = part.get("thought");
    ensure(thought.is_none_or(|thought| *thought == true), || {
        "thought is true or absent".to_owned()
    })?;
    let kinds = [
        "text",
        "functionCall",
        "inlineData",
        "executableCode",
        "codeExecutionResult",
    ];
    let kinds: Vec<&str> = kinds
        .into_iter()
        .filter(|kind| part.get(kind).is_some())
        .collect();
    match kinds.as_slice() {
        ["text"] => text(part, "text").map(drop),
        ["functionCall"] => {
            let call = &part["functionCall"];
            named(call, "name")?;
            ensure(call["args"].is_object(), || format!("args of {call}"))
        }
        [_] => Ok(()),
        _ => Err(format!("a part is one thing: {part}")),
    }
}

/// Totals add up; a chunk in the middle may know less.
fn usage(usage: &Value, partial: bool) -> Result<(), String> {
    if usage.is_null() && partial {
        return Ok(());
    }
    let count = |key: &str| usage[key].as_u64().unwrap_or(0);
    let input = count("promptTokenCount") + count("toolUsePromptTokenCount");
    let output = count("candidatesTokenCount") + count("thoughtsTokenCount");
    ensure(count("totalTokenCount") == input + output, || {
        format!("totalTokenCount in {usage}")
    })?;
    ensure(count("cachedContentTokenCount") <= input, || {
        "more cached than input".to_owned()
    })
}

fn error(error: &Value) -> Result<(), String> {
    let code = number(error, "code")?;
    ensure((400..600).contains(&code), || format!("code {code}"))?;
    named(error, "message")?;
    let status = named(error, "status")?;
    ensure(status.chars().all(|c| c.is_ascii_uppercase() || c == '_'), || {
        format!("status {status}")
    })
}

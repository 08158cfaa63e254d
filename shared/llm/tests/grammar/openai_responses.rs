//! Responses: numbered events; items announced, filled and closed one after the other; a last word that repeats
//! them all.

use super::{End, Verdict, ensure, is_object, list, named, number, sse, text};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Created,
    Between,
    /// An item is announced, no part of it open.
    Item(Kind),
    Part(Kind),
    /// The content of the part is complete.
    Filled(Kind),
    Complete,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Reasoning,
    Message,
    Refusal,
    Call,
    Custom,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symbol {
    Created,
    InProgress,
    Added(Kind),
    PartAdded(Kind),
    Delta(Kind),
    Annotation,
    Filled(Kind),
    PartDone(Kind),
    ItemDone(Kind),
    Terminal,
    ResponseFailed,
    Error,
}

/// The open item, and every item that is closed.
#[derive(Default)]
struct Seen {
    id: String,
    item: String,
    parts: u64,
    content: String,
    items: Vec<Value>,
}

impl State {
    /// The transition table; what is not in it is no stream.
    fn next(self, symbol: Symbol) -> Option<Self> {
        use {Kind as K, State as S, Symbol as Y};
        match (self, symbol) {
            (S::Start, Y::Created) => Some(S::Created),
            (S::Created, Y::InProgress) => Some(S::Between),
            (S::Between, Y::Added(kind)) => Some(S::Item(kind)),
            // calls have no parts
            (S::Item(K::Call | K::Custom), Y::Delta(kind)) if self == S::Item(kind) => Some(self),
            (S::Item(K::Call | K::Custom), Y::Filled(kind)) if self == S::Item(kind) => Some(S::Filled(kind)),
            (S::Item(K::Message), Y::PartAdded(kind @ (K::Message | K::Refusal))) => Some(S::Part(kind)),
            (S::Item(K::Reasoning), Y::PartAdded(K::Reasoning)) => Some(S::Part(K::Reasoning)),
            (S::Part(open), Y::Delta(kind)) if open == kind => Some(self),
            (S::Part(K::Message), Y::Annotation) => Some(self),
            (S::Part(open), Y::Filled(kind)) if open == kind => Some(S::Filled(kind)),
            (S::Filled(K::Message | K::Refusal), Y::PartDone(K::Message | K::Refusal)) => {
                Some(S::Item(K::Message))
            }
            (S::Filled(K::Reasoning), Y::PartDone(K::Reasoning)) => Some(S::Item(K::Reasoning)),
            (S::Item(open @ (K::Message | K::Reasoning)), Y::ItemDone(kind)) if open == kind => {
                Some(S::Between)
            }
            (S::Filled(open @ (K::Call | K::Custom)), Y::ItemDone(kind)) if open == kind => Some(S::Between),
            (S::Between, Y::Terminal) => Some(S::Complete),
            (S::Complete | S::Failed, _) => None,
            (S::Start, Y::ResponseFailed) => None,
            (_, Y::ResponseFailed | Y::Error) => Some(S::Failed),
            _ => None,
        }
    }
}

pub fn stream(bytes: &[u8]) -> Verdict {
    let (mut state, mut seen) = (State::Start, Seen::default());
    for (number, frame) in sse::frames(bytes, "\n\n")?.iter().enumerate() {
        let event = frame.json()?;
        ensure(frame.event == event["type"].as_str(), || {
            "the event's name is not its type".to_owned()
        })?;
        let own = event["sequence_number"].as_u64();
        ensure(own == Some(number as u64), || {
            format!("sequence_number {own:?} where {number} is due")
        })?;
        let symbol = symbol(&event)?;
        state = state
            .next(symbol)
            .ok_or_else(|| format!("{symbol:?} after {state:?}"))?;
        seen.take(symbol, &event)?;
    }
    match state {
        State::Complete => Ok(End::Complete),
        State::Failed => Ok(End::Failed),
        state => Err(format!("it ends in {state:?}")),
    }
}

pub fn reply(reply: &Value) -> Result<(), String> {
    response(reply)?;
    let status = named(reply, "status")?;
    ensure(["completed", "incomplete"].contains(&status), || {
        format!("status {status}")
    })?;
    let reason = &reply["incomplete_details"]["reason"];
    ensure(reason.is_string() == (status == "incomplete"), || {
        "incomplete_details".to_owned()
    })?;
    usage(&reply["usage"])?;
    list(reply, "output")?
        .iter()
        .try_for_each(|item| complete(item, status))
}

impl Seen {
    fn take(&mut self, symbol: Symbol, event: &Value) -> Result<(), String> {
        match symbol {
            Symbol::Created | Symbol::InProgress => self.opened(symbol, &event["response"]),
            Symbol::Added(kind) => self.added(kind, event),
            Symbol::PartAdded(kind) => {
                self.addressed(event)?;
                ensure(part_index(kind, event)? == self.parts, || {
                    "index of a part".to_owned()
                })?;
                self.content.clear();
                self.parts += 1;
                Ok(())
            }
            Symbol::Delta(_) => {
                self.addressed(event)?;
                self.content.push_str(named(event, "delta")?);
                Ok(())
            }
            Symbol::Annotation => self.addressed(event),
            Symbol::Filled(kind) => {
                self.addressed(event)?;
                let whole = text(event, key(kind))?;
                ensure(whole == self.content, || {
                    format!("{whole:?} was streamed as {:?}", self.content)
                })
            }
            Symbol::PartDone(_) => {
                self.addressed(event)?;
                let part = &event["part"];
                let whole = part["text"].as_str().or(part["refusal"].as_str());
                ensure(whole == Some(&self.content), || format!("part {part}"))
            }
            Symbol::ItemDone(kind) => self.closed(kind, event),
            Symbol::Terminal => self.terminal(event),
            Symbol::ResponseFailed => {
                ensure(event["response"]["status"] == "failed", || "status".to_owned())?;
                named(&event["response"]["error"], "code")?;
                named(&event["response"]["error"], "message").map(drop)
            }
            Symbol::Error => named(event, "message").map(drop),
        }
    }

    fn opened(&mut self, symbol: Symbol, response: &Value) -> Result<(), String> {
        self::response(response)?;
        ensure(response["status"] == "in_progress", || "status".to_owned())?;
        ensure(list(response, "output")?.is_empty(), || {
            "output before it was made".to_owned()
        })?;
        let id = named(response, "id")?;
        ensure(symbol == Symbol::Created || id == self.id, || {
            "the id changed".to_owned()
        })?;
        self.id = id.to_owned();
        Ok(())
    }

    fn added(&mut self, kind: Kind, event: &Value) -> Result<(), String> {
        let item = &event["item"];
        self.item = named(item, "id")?.to_owned();
        let known = self.items.iter().any(|item| item["id"] == self.item.as_str());
        ensure(!known, || format!("the id {} is taken", self.item))?;
        (self.parts, self.content) = (0, String::new());
        let empty = match kind {
            Kind::Reasoning => list(item, "summary")?.is_empty(),
            Kind::Message | Kind::Refusal => item["role"] == "assistant" && list(item, "content")?.is_empty(),
            Kind::Call | Kind::Custom => {
                named(item, "name")?;
                ensure(named(item, "call_id")?.len() <= 64, || {
                    "call_id is too long".to_owned()
                })?;
                item[key(kind)] == ""
            }
        };
        ensure(empty, || format!("an item does not start like this: {item}"))?;
        self.indexed(event)
    }

    fn closed(&mut self, kind: Kind, event: &Value) -> Result<(), String> {
        let item = &event["item"];
        ensure(item["id"] == self.item.as_str(), || {
            "another item is open".to_owned()
        })?;
        self.indexed(event)?;
        let parts = match kind {
            Kind::Reasoning => list(item, "summary")?.len() as u64,
            Kind::Message | Kind::Refusal => list(item, "content")?.len() as u64,
            Kind::Call | Kind::Custom => {
                ensure(item[key(kind)] == self.content.as_str(), || {
                    format!("{item} was streamed otherwise")
                })?;
                0
            }
        };
        ensure(parts == self.parts, || {
            format!("{} parts were streamed: {item}", self.parts)
        })?;
        self.items.push(item.clone());
        Ok(())
    }

    fn terminal(&self, event: &Value) -> Result<(), String> {
        let response = &event["response"];
        reply(response)?;
        let status = named(response, "status")?;
        ensure(event["type"] == format!("response.{status}"), || {
            format!("status {status}")
        })?;
        ensure(response["id"] == self.id.as_str(), || "the id changed".to_owned())?;
        ensure(response["output"] == Value::Array(self.items.clone()), || {
            "output is not what was streamed".to_owned()
        })
    }

    fn addressed(&self, event: &Value) -> Result<(), String> {
        ensure(event["item_id"] == self.item.as_str(), || {
            format!("{} is open", self.item)
        })?;
        self.indexed(event)
    }

    fn indexed(&self, event: &Value) -> Result<(), String> {
        let (index, due) = (number(event, "output_index")?, self.items.len() as u64);
        ensure(index == due, || {
            format!("output_index {index} where {due} is due")
        })
    }
}

fn symbol(event: &Value) -> Result<Symbol, String> {
    use {Kind as K, Symbol as Y};
    Ok(match text(event, "type")? {
        "response.created" => Y::Created,
        "response.in_progress" => Y::InProgress,
        "response.output_item.added" => Y::Added(kind(&event["item"])?),
        "response.output_item.done" => Y::ItemDone(kind(&event["item"])?),
        "response.content_part.added" => Y::PartAdded(part_kind(&event["part"])?),
        "response.content_part.done" => Y::PartDone(part_kind(&event["part"])?),
        "response.reasoning_summary_part.added" => Y::PartAdded(K::Reasoning),
        "response.reasoning_summary_part.done" => Y::PartDone(K::Reasoning),
        "response.reasoning_summary_text.delta" => Y::Delta(K::Reasoning),
        "response.reasoning_summary_text.done" => Y::Filled(K::Reasoning),
        "response.output_text.delta" => Y::Delta(K::Message),
        "response.output_text.done" => Y::Filled(K::Message),
        "response.output_text.annotation.added" => Y::Annotation,
        "response.refusal.delta" => Y::Delta(K::Refusal),
        "response.refusal.done" => Y::Filled(K::Refusal),
        "response.function_call_arguments.delta" => Y::Delta(K::Call),
        "response.function_call_arguments.done" => Y::Filled(K::Call),
        "response.custom_tool_call_input.delta" => Y::Delta(K::Custom),
        "response.custom_tool_call_input.done" => Y::Filled(K::Custom),
        "response.completed" | "response.incomplete" => Y::Terminal,
        "response.failed" => Y::ResponseFailed,
        "error" => Y::Error,
        other => return Err(format!("event {other}")),
    })
}

fn kind(item: &Value) -> Result<Kind, String> {
    Ok(match text(item, "type")? {
        "reasoning" => Kind::Reasoning,
        "message" => Kind::Message,
        "function_call" => Kind::Call,
        "custom_tool_call" => Kind::Custom,
        other => return Err(format!("item {other}")),
    })
}

fn part_kind(part: &Value) -> Result<Kind, String> {
    Ok(match text(part, "type")? {
        "output_text" => Kind::Message,
        "refusal" => Kind::Refusal,
        other => return Err(format!("part {other}")),
    })
}

fn part_index(kind: Kind, event: &Value) -> Result<u64, String> {
    number(
        event,
        if kind == Kind::Reasoning {
            "summary_index"
        } else {
            "content_index"
        },
    )
}

/// Where a kind keeps its content.
fn key(kind: Kind) -> &'static str {
    match kind {
        Kind::Reasoning | Kind::Message => "text",
        Kind::Refusal => "refusal",
        Kind::Call => "arguments",
        Kind::Custom => "input",
    }
}

fn response(response: &Value) -> Result<(), String> {
    ensure(response["object"] == "response", || "object".to_owned())?;
    named(response, "id")?;
    text(response, "model")?;
    number(response, "created_at")?;
    // official clients refuse an object without these
    for key in [
        "error",
        "incomplete_details",
        "instructions",
        "metadata",
        "parallel_tool_calls",
        "temperature",
        "tool_choice",
        "tools",
        "top_p",
    ] {
        ensure(response.get(key).is_some(), || format!("{key} is missing"))?;
    }
    Ok(())
}

fn complete(item: &Value, status: &str) -> Result<(), String> {
    named(item, "id")?;
    match kind(item)? {
        Kind::Reasoning => list(item, "summary")?.iter().try_for_each(|part| {
            ensure(part["type"] == "summary_text" && part["text"].is_string(), || {
                format!("part {part}")
            })
        }),
        Kind::Message | Kind::Refusal => list(item, "content")?
            .iter()
            .try_for_each(|part| part_kind(part).map(drop)),
        Kind::Call => {
            named(item, "call_id")?;
            named(item, "name")?;
            let arguments = text(item, "arguments")?;
            ensure(status == "incomplete" || is_object(arguments), || {
                format!("arguments {arguments}")
            })
        }
        Kind::Custom => {
            named(item, "call_id")?;
            text(item, "input").map(drop)
        }
    }
}

fn usage(usage: &Value) -> Result<(), String> {
    let (input, output) = (number(usage, "input_tokens")?, number(usage, "output_tokens")?);
    ensure(number(usage, "total_tokens")? == input + output, || {
        "total_tokens".to_owned()
    })?;
    let cached = number(&usage["input_tokens_details"], "cached_tokens")?;
    ensure(cached <= input, || "more cached than input".to_owned())?;
    number(&usage["output_tokens_details"], "reasoning_tokens").map(drop)
}

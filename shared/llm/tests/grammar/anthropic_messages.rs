//! Messages: one block open at a time, numbered from 0, each delta of its block's kind.

use super::{End, Verdict, ensure, is_object, list, named, number, sse, text};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Between,
    Inside(Block),
    Closing,
    Stopped,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Text,
    Thinking,
    Redacted,
    Tool,
    /// A block of a server tool, which only its own vendor sends.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symbol {
    MessageStart,
    BlockStart(Block),
    TextDelta,
    CitationsDelta,
    ThinkingDelta,
    SignatureDelta,
    InputDelta,
    BlockStop,
    MessageDelta,
    MessageStop,
    Ping,
    Error,
}

#[derive(Default)]
struct Open {
    index: u64,
    deltas: usize,
    signed: bool,
    input: String,
}

impl State {
    /// The transition table; what is not in it is no stream.
    fn next(self, symbol: Symbol) -> Option<Self> {
        use {Block as B, State as S, Symbol as Y};
        match (self, symbol) {
            (S::Start, Y::MessageStart) => Some(S::Between),
            (S::Between, Y::BlockStart(block)) => Some(S::Inside(block)),
            (S::Inside(B::Text), Y::TextDelta | Y::CitationsDelta) => Some(self),
            (S::Inside(B::Thinking), Y::ThinkingDelta | Y::SignatureDelta) => Some(self),
            (S::Inside(B::Tool | B::Other), Y::InputDelta) => Some(self),
            (S::Inside(_), Y::BlockStop) => Some(S::Between),
            (S::Between, Y::MessageDelta) => Some(S::Closing),
            (S::Closing, Y::MessageStop) => Some(S::Stopped),
            (S::Between | S::Inside(_) | S::Closing, Y::Ping) => Some(self),
            (S::Start | S::Between | S::Inside(_) | S::Closing, Y::Error) => Some(S::Failed),
            _ => None,
        }
    }
}

pub fn stream(bytes: &[u8]) -> Verdict {
    let (mut state, mut next_index, mut open) = (State::Start, 0, Open::default());
    let (mut broken, mut tools) = (None, false);
    for frame in sse::frames(bytes, "\n\n")? {
        let event = frame.json()?;
        ensure(frame.event == event["type"].as_str(), || {
            "the event's name is not its type".to_owned()
        })?;
        let symbol = symbol(&event)?;
        let before = state;
        state = state
            .next(symbol)
            .ok_or_else(|| format!("{symbol:?} after {state:?}"))?;
        match symbol {
            Symbol::MessageStart => start(&event["message"])?,
            Symbol::BlockStart(block) => {
                open = Open {
                    index: number(&event, "index")?,
                    ..Open::default()
                };
                ensure(open.index == next_index, || {
                    format!("block {} where {next_index} is due", open.index)
                })?;
                next_index += 1;
                tools |= block == Block::Tool;
                empty_block(block, &event["content_block"])?;
            }
            Symbol::BlockStop => {
                ensure(number(&event, "index")? == open.index, || {
                    "another block is open".to_owned()
                })?;
                closed(before, &open, &mut broken)?;
            }
            Symbol::MessageDelta => delta(&event, tools, broken.as_deref())?,
            Symbol::Error => error(&event)?,
            Symbol::MessageStop | Symbol::Ping => {}
            _ => open.take(symbol, &event)?,
        }
    }
    match state {
        State::Stopped => Ok(End::Complete),
        State::Failed => Ok(End::Failed),
        state => Err(format!("it ends in {state:?}")),
    }
}

pub fn reply(reply: &Value) -> Result<(), String> {
    ensure(reply["type"] == "message" && reply["role"] == "assistant", || {
        "type or role".to_owned()
    })?;
    named(reply, "id")?;
    text(reply, "model")?;
    usage(&reply["usage"], true)?;
    let content = list(reply, "content")?;
    for block in content {
        let complete = match block_kind(block)? {
            Block::Text => !text(block, "text")?.is_empty(),
            Block::Thinking => block["thinking"].is_string() && block["signature"].is_string(),
            Block::Tool => {
                !named(block, "id")?.is_empty()
                    && !named(block, "name")?.is_empty()
                    && block["input"].is_object()
            }
            Block::Redacted => !named(block, "data")?.is_empty(),
            Block::Other => true,
        };
        ensure(complete, || format!("block {block}"))?;
    }
    let tools = content.iter().any(|block| block["type"] == "tool_use");
    stop_reason(reply, tools)
}

impl Open {
    fn take(&mut self, symbol: Symbol, event: &Value) -> Result<(), String> {
        let delta = &event["delta"];
        ensure(number(event, "index")? == self.index, || {
            "a delta of another block".to_owned()
        })?;
        self.deltas += 1;
        match symbol {
            Symbol::TextDelta => named(delta, "text").map(drop),
            Symbol::ThinkingDelta => {
                ensure(!self.signed, || "thinking after its signature".to_owned())?;
                named(delta, "thinking").map(drop)
            }
            Symbol::SignatureDelta => {
                ensure(!self.signed, || "a second signature".to_owned())?;
                self.signed = true;
                named(delta, "signature").map(drop)
            }
            Symbol::CitationsDelta => ensure(delta["citation"].is_object(), || {
                "one citation per delta".to_owned()
            }),
            _ => {
                self.input.push_str(text(delta, "partial_json")?);
                Ok(())
            }
        }
    }
}

fn closed(before: State, open: &Open, broken: &mut Option<String>) -> Result<(), String> {
    let State::Inside(block) = before else {
        return Ok(());
    };
    let hollow = matches!(block, Block::Text | Block::Thinking) && open.deltas == 0;
    ensure(!hollow, || format!("an empty {block:?} block"))?;
    if block == Block::Tool && !open.input.is_empty() && !is_object(&open.input) {
        *broken = Some(open.input.clone());
    }
    Ok(())
}

fn symbol(event: &Value) -> Result<Symbol, String> {
    Ok(match text(event, "type")? {
        "message_start" => Symbol::MessageStart,
        "content_block_start" => Symbol::BlockStart(block_kind(&event["content_block"])?),
        "content_block_delta" => match text(&event["delta"], "type")? {
            "text_delta" => Symbol::TextDelta,
            "citations_delta" => Symbol::CitationsDelta,
            "thinking_delta" => Symbol::ThinkingDelta,
            "signature_delta" => Symbol::SignatureDelta,
            "input_json_delta" => Symbol::InputDelta,
            other => return Err(format!("delta {other}")),
        },
        "content_block_stop" => Symbol::BlockStop,
        "message_delta" => Symbol::MessageDelta,
        "message_stop" => Symbol::MessageStop,
        "ping" => Symbol::Ping,
        "error" => Symbol::Error,
        other => return Err(format!("event {other}")),
    })
}

fn block_kind(block: &Value) -> Result<Block, String> {
    Ok(match named(block, "type")? {
        "text" => Block::Text,
        "thinking" => Block::Thinking,
        "redacted_thinking" => Block::Redacted,
        "tool_use" => Block::Tool,
        _ => Block::Other,
    })
}

fn empty_block(block: Block, value: &Value) -> Result<(), String> {
    let empty = match block {
        Block::Text => value["text"] == "",
        Block::Thinking => value["thinking"] == "" && value["signature"] == "",
        Block::Tool => {
            let id = named(value, "id")?;
            let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            ensure(id.chars().all(sound) && id.len() <= 64, || format!("id {id}"))?;
            !named(value, "name")?.is_empty()
                && value["input"].as_object().is_some_and(|input| input.is_empty())
        }
        Block::Redacted => value["data"].is_string(),
        Block::Other => true,
    };
    ensure(empty, || format!("a block does not start like this: {value}"))
}

fn start(message: &Value) -> Result<(), String> {
    named(message, "id")?;
    text(message, "model")?;
    ensure(
        message["type"] == "message" && message["role"] == "assistant",
        || "type or role".to_owned(),
    )?;
    ensure(list(message, "content")?.is_empty(), || {
        "content in message_start".to_owned()
    })?;
    ensure(message["stop_reason"].is_null(), || {
        "stop_reason in message_start".to_owned()
    })?;
    usage(&message["usage"], true)
}

fn delta(event: &Value, tools: bool, broken: Option<&str>) -> Result<(), String> {
    usage(&event["usage"], false)?;
    stop_reason(&event["delta"], tools)?;
    let cut = event["delta"]["stop_reason"] == "max_tokens";
    ensure(cut || broken.is_none(), || format!("input {broken:?}"))
}

fn stop_reason(holder: &Value, tools: bool) -> Result<(), String> {
    ensure(holder.get("stop_sequence").is_some(), || {
        "no stop_sequence".to_owned()
    })?;
    match named(holder, "stop_reason")? {
        "tool_use" => ensure(tools, || "tool_use without a tool".to_owned()),
        "end_turn" => ensure(!tools, || "end_turn after a tool".to_owned()),
        "stop_sequence" => named(holder, "stop_sequence").map(drop),
        "max_tokens" | "refusal" | "pause_turn" | "model_context_window_exceeded" => Ok(()),
        other => Err(format!("stop_reason {other}")),
    }
}

fn usage(usage: &Value, input: bool) -> Result<(), String> {
    number(usage, "output_tokens")?;
    if input {
        number(usage, "input_tokens")?;
    }
    Ok(())
}

fn error(event: &Value) -> Result<(), String> {
    named(&event["error"], "type")?;
    named(&event["error"], "message").map(drop)
}

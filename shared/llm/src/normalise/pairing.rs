//! Every tool call is answered once, right behind its message and in call order.
//!
//! Clients reorder, lose and repeat results; upstreams refuse the whole request for it. What can be put in place is
//! moved, what is missing is made up as an error result, and what belongs to no call is kept as text, because an
//! agent that loses a result asks for it again, forever.

use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{Message, Part, PartKind, Role, ToolCall, ToolResult};
use std::collections::{HashMap, HashSet, VecDeque};

const MISSING: &str = "No result was recorded for this tool call.";

/// Where a result is: message and part.
type Place = (usize, usize);

/// The results of each call id that no call has taken yet, in order.
#[derive(Debug, Default)]
struct Results {
    places: HashMap<String, VecDeque<Place>>,
    taken: HashSet<Place>,
}

pub fn pair(mut messages: Vec<Message>, notes: &mut Notes) -> Result<Vec<Message>, EncodeError> {
    refuse_open_turn(&messages)?;
    tell_duplicate_calls_apart(&mut messages, notes);
    let folded = fold_commentary(&mut messages);
    let callers = callers(&messages);
    let mut results = Results::find(&messages);
    let answers: Vec<Option<Message>> = (0..messages.len())
        .map(|index| answer(index, &messages, &callers, &mut results, notes))
        .collect();

    let mut paired = Vec::with_capacity(messages.len());
    for (index, (message, answer)) in messages.into_iter().zip(answers).enumerate() {
        match message.role {
            _ if folded.contains(&index) => {}
            Role::Tool => paired.extend(orphans(message, index, &results, notes)),
            _ => paired.push(message),
        }
        paired.extend(answer);
    }
    Ok(paired)
}

// === impl Results ===

impl Results {
    fn find(messages: &[Message]) -> Self {
        let mut results = Self::default();
        for (index, message) in messages
            .iter()
            .enumerate()
            .filter(|(_, message)| message.role == Role::Tool)
        {
            for (part, result) in message.parts.iter().enumerate() {
                if let PartKind::ToolResult(result) = &result.kind {
                    results
                        .places
                        .entry(result.call_id.clone())
                        .or_default()
                        .push_back((index, part));
                }
            }
        }
        results
    }

    /// The first result of `id` behind message `after` and before message `before`.
    fn take(&mut self, id: &str, after: usize, before: usize, messages: &[Message]) -> Option<Part> {
        let places = self.places.get_mut(id)?;
        while places.front().is_some_and(|(index, _)| *index <= after) {
            places.pop_front();
        }
        let place = places.front().copied().filter(|(index, _)| *index < before)?;
        places.pop_front();
        self.taken.insert(place);
        Some(messages[place.0].parts[place.1].clone())
    }
}

// === functions ===

/// A conversation that ends with unanswered calls has nothing for a model to go on with.
fn refuse_open_turn(messages: &[Message]) -> Result<(), EncodeError> {
    let Some(last) = messages.last().filter(|last| last.role == Role::Assistant) else {
        return Ok(());
    };
    let ids: Vec<&str> = calls(last).map(|call| call.id.as_str()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let message = format!(
        "assistant message with tool calls must be followed by tool results for: {}",
        ids.join(", ")
    );
    Err(EncodeError::unsupported("messages", message))
}

/// The second call of one id in a message becomes `id_2`, and so does the second result that follows.
fn tell_duplicate_calls_apart(messages: &mut [Message], notes: &mut Notes) {
    for index in 0..messages.len() {
        let (before, after) = messages.split_at_mut(index + 1);
        let mut counts: HashMap<String, usize> = HashMap::new();
        for part in &mut before[index].parts {
            let PartKind::ToolCall(call) = &mut part.kind else {
                continue;
            };
            let count = counts
                .entry(call.id.clone())
                .and_modify(|count| *count += 1)
                .or_insert(1);
            if *count > 1 {
                notes.info(
                    format!("messages[{index}]"),
                    format!("several tool calls had the id '{}'", call.id),
                );
                call.id = numbered(&call.id, *count);
            }
        }
        counts.retain(|_, count| *count > 1);
        if !counts.is_empty() {
            number_results(after, &counts);
        }
    }
}

fn number_results(messages: &mut [Message], counts: &HashMap<String, usize>) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for message in messages {
        if calls(message).next().is_some() {
            return;
        }
        for part in &mut message.parts {
            let PartKind::ToolResult(result) = &mut part.kind else {
                continue;
            };
            let Some(calls) = counts.get(&result.call_id) else {
                continue;
            };
            let count = seen
                .entry(result.call_id.clone())
                .and_modify(|count| *count += 1)
                .or_insert(1);
            if (2..=*calls).contains(count) {
                result.call_id = numbered(&result.call_id, *count);
            }
        }
    }
}

fn numbered(id: &str, count: usize) -> String {
    format!("{id}_{count}")
}

/// Assistant text between a call and its result belongs in front of the call. Returns the messages that moved.
fn fold_commentary(messages: &mut [Message]) -> HashSet<usize> {
    let mut folded = HashSet::new();
    let mut open: Option<(usize, HashSet<String>)> = None;
    let mut between: Vec<usize> = Vec::new();
    for index in 0..messages.len() {
        let message = &messages[index];
        if calls(message).next().is_some() {
            open = Some((index, calls(message).map(|call| call.id.clone()).collect()));
            between.clear();
            continue;
        }
        let Some((caller, ids)) = &open else { continue };
        match message.role {
            Role::Assistant => between.push(index),
            Role::Tool if results(message).any(|result| ids.contains(&result.call_id)) => {
                for moved in between.drain(..) {
                    let parts = std::mem::take(&mut messages[moved].parts);
                    let at = messages[*caller]
                        .parts
                        .iter()
                        .position(|part| matches!(part.kind, PartKind::ToolCall(_)));
                    messages[*caller]
                        .parts
                        .splice(at.unwrap_or(0)..at.unwrap_or(0), parts);
                    folded.insert(moved);
                }
            }
            _ => {}
        }
    }
    folded
}

/// For each call id, the messages that make such a call, ascending.
fn callers(messages: &[Message]) -> HashMap<String, Vec<usize>> {
    let mut callers: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, message) in messages.iter().enumerate() {
        calls(message).for_each(|call| callers.entry(call.id.clone()).or_default().push(index));
    }
    callers
}

/// The tool message that answers all calls of message `index`.
fn answer(
    index: usize,
    messages: &[Message],
    callers: &HashMap<String, Vec<usize>>,
    results: &mut Results,
    notes: &mut Notes,
) -> Option<Message> {
    let mut parts = Vec::new();
    for call in calls(&messages[index]) {
        let same_id = callers.get(&call.id).map_or(&[][..], Vec::as_slice);
        let next = same_id.partition_point(|caller| *caller <= index);
        let before = same_id.get(next).copied().unwrap_or(messages.len());
        let mut part = results
            .take(&call.id, index, before, messages)
            .unwrap_or_else(|| missing(call, index, notes));
        if let PartKind::ToolResult(result) = &mut part.kind {
            result.name.get_or_insert_with(|| call.name.clone());
        }
        parts.push(part);
    }
    (!parts.is_empty()).then(|| Message::new(Role::Tool, parts))
}

fn missing(call: &ToolCall, index: usize, notes: &mut Notes) -> Part {
    notes.synth(
        format!("messages[{index}]"),
        format!("no result for tool call '{}'; an error result stands in", call.id),
    );
    Part::new(PartKind::ToolResult(ToolResult {
        call_id: call.id.clone(),
        name: Some(call.name.clone()),
        parts: vec![Part::text(MISSING)],
        is_error: Some(true),
    }))
}

/// What is left of a tool message once calls have taken theirs: text of the user.
fn orphans(message: Message, index: usize, results: &Results, notes: &mut Notes) -> Option<Message> {
    let mut parts = Vec::new();
    for (at, part) in message.parts.into_iter().enumerate() {
        if results.taken.contains(&(index, at)) {
            continue;
        }
        let PartKind::ToolResult(result) = part.kind else {
            parts.push(part);
            continue;
        };
        notes.info(
            format!("messages[{index}]"),
            format!(
                "no tool call has the id '{}'; its result is sent as text",
                result.call_id
            ),
        );
        parts.extend(as_text(result));
    }
    (!parts.is_empty()).then(|| Message::new(Role::User, parts))
}

fn as_text(result: ToolResult) -> Vec<Part> {
    let label = result.name.unwrap_or(result.call_id);
    let (texts, media): (Vec<Part>, Vec<Part>) = result
        .parts
        .into_iter()
        .partition(|part| matches!(part.kind, PartKind::Text { .. }));
    let mut text = format!("[tool result {label}]");
    for part in &texts {
        if let PartKind::Text { text: said, .. } = &part.kind {
            text.push('\n');
            text.push_str(said);
        }
    }
    std::iter::once(Part::text(text)).chain(media).collect()
}

fn calls(message: &Message) -> impl Iterator<Item = &ToolCall> {
    let parts = if message.role == Role::Assistant {
        message.parts.as_slice()
    } else {
        &[]
    };
    parts.iter().filter_map(|part| match &part.kind {
        PartKind::ToolCall(call) => Some(call),
        _ => None,
    })
}

fn results(message: &Message) -> impl Iterator<Item = &ToolResult> {
    message.parts.iter().filter_map(|part| match &part.kind {
        PartKind::ToolResult(result) => Some(result),
        _ => None,
    })
}

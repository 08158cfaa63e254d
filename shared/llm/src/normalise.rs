//! One pass over the neutral request before any encoder sees it.
//!
//! Afterwards: no part is empty; every tool call is answered, directly after its message and in call order; ids and
//! names fit the target; nothing refers to what the target cannot have. The pass is a pure function, so a history
//! that is sent again encodes to the same bytes. Merging messages of one role is left to encoders: only some
//! dialects want it.

mod check;
mod custom_tools;
mod pairing;

use crate::caps::WireName;
use crate::error::EncodeError;
use crate::names::{ToolNames, fit_id};
use crate::note::Notes;
use crate::request::{Message, Part, PartKind, Request, Role, ToolChoice, ToolKind};
use crate::translate::Target;
use std::mem;

/// Returns the tool names that had to change, so that the reply can be given back in the client's own.
pub fn normalise(
    request: &mut Request,
    target: &Target,
    notes: &mut Notes,
) -> Result<ToolNames, EncodeError> {
    check::check(request, target)?;
    let messages = mem::take(&mut request.messages);
    let mut messages: Vec<Message> = messages.into_iter().flat_map(split_results).collect();
    messages.iter_mut().for_each(drop_empty_parts);
    request.messages = pairing::pair(messages, notes)?;
    if !target.caps.custom_tools {
        custom_tools::lower(request, notes);
    }
    Ok(fit_to_target(request, target))
}

/// Tool results inside a user message become a tool message in front of it.
fn split_results(message: Message) -> impl Iterator<Item = Message> {
    let Message { role, parts, name } = message;
    let (results, others): (Vec<Part>, Vec<Part>) = match role {
        Role::User => parts
            .into_iter()
            .partition(|part| matches!(part.kind, PartKind::ToolResult(_))),
        _ => (Vec::new(), parts),
    };
    let had_only_results = others.is_empty() && !results.is_empty();
    let tool = (!results.is_empty()).then(|| Message::new(Role::Tool, results));
    let rest = (!had_only_results).then_some(Message {
        role,
        parts: others,
        name,
    });
    tool.into_iter().chain(rest)
}

/// White space counts as content only where it is all there is.
fn drop_empty_parts(message: &mut Message) {
    message.parts.retain(|part| !is_empty(part));
    let is_blank = |part: &Part| matches!(&part.kind, PartKind::Text { text, .. } if text.trim().is_empty());
    if message.parts.iter().any(|part| !is_blank(part)) {
        message
            .parts
            .retain(|part| !is_blank(part) || part.cache.is_some());
    }
}

fn is_empty(part: &Part) -> bool {
    match &part.kind {
        PartKind::Text { text, .. } => text.is_empty() && part.cache.is_none(),
        PartKind::Reasoning { text, opaque } => text.is_empty() && opaque.is_none(),
        PartKind::Refusal(text) => text.is_empty(),
        _ => false,
    }
}

fn fit_to_target(request: &mut Request, target: &Target) -> ToolNames {
    let (name_rule, id_rule) = (target.caps.tool_name, target.caps.tool_id);
    let mut names = ToolNames::default();
    for tool in &mut request.tools {
        if !matches!(tool.kind, ToolKind::Hosted { .. }) {
            tool.name = names.fit(&tool.name, name_rule);
        }
    }
    match &mut request.tool_choice {
        ToolChoice::Named(name) => *name = names.fit(name, name_rule),
        ToolChoice::Allowed { names: allowed, .. } => {
            allowed
                .iter_mut()
                .for_each(|name| *name = names.fit(name, name_rule));
        }
        ToolChoice::Unset | ToolChoice::Auto | ToolChoice::None | ToolChoice::Required => {}
    }
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        match &mut part.kind {
            PartKind::ToolCall(call) => {
                call.name = names.fit(&call.name, name_rule);
                refit_id(&mut call.id, id_rule);
            }
            PartKind::ToolResult(result) => {
                result.name = result.name.as_deref().map(|name| names.fit(name, name_rule));
                refit_id(&mut result.call_id, id_rule);
            }
            _ => {}
        }
    }
    names
}

fn refit_id(id: &mut String, rule: WireName) {
    *id = fit_id(id, rule).into_owned();
}

#[cfg(test)]
mod tests;

//! At most four cache marks, which is the API's limit.

use super::block::{Block, CacheControl};
use super::tool::WireTool;
use super::turn::Turn;
use crate::note::Notes;

pub const MAX_MARKS: usize = 4;
/// What the conversation may use of them, from its end, when there are too many.
const MAX_MESSAGE_MARKS: usize = 2;

/// Drops surplus marks: first all but the last two of the conversation, then the earliest of tools and system.
pub fn limit<'a>(
    tools: &mut [WireTool<'a>],
    system: &mut [Block<'a>],
    turns: &mut [Turn<'a>],
    notes: &mut Notes,
) {
    let mut head: Vec<_> = tools
        .iter_mut()
        .filter_map(WireTool::mark)
        .chain(system.iter_mut().filter_map(Block::mark))
        .filter(|mark| mark.is_some())
        .collect();
    let mut tail: Vec<_> = turns
        .iter_mut()
        .flat_map(|turn| turn.content.iter_mut())
        .filter_map(Block::mark)
        .filter(|mark| mark.is_some())
        .collect();
    let total = head.len() + tail.len();
    if total <= MAX_MARKS {
        return;
    }
    let (head_room, tail_room) = room(head.len(), tail.len());
    clear_all_but_last(&mut tail, tail_room);
    clear_all_but_last(&mut head, head_room);
    notes.loss(
        "cache_control",
        format!("{total} marks, of which the upstream's API accepts {MAX_MARKS}"),
    );
}

/// How many marks before the conversation may stay, and how many in it.
pub fn room(head: usize, tail: usize) -> (usize, usize) {
    let tail_room = MAX_MESSAGE_MARKS.max(MAX_MARKS.saturating_sub(head)).min(tail);
    (MAX_MARKS - tail_room, tail_room)
}

// === functions ===

fn clear_all_but_last(marks: &mut [&mut Option<CacheControl<'_>>], keep: usize) {
    let surplus = marks.len().saturating_sub(keep);
    for mark in &mut marks[..surplus] {
        **mark = None;
    }
}

//! At most four cache points, which is the limit of every model that has any.

use super::block::Block;
use super::tool::WireTool;
use super::turn::Turn;
use crate::formats::anthropic_messages::request_encode::cache::{MAX_MARKS, room};
use crate::note::Notes;

/// Drops surplus points: first all but the last two of the conversation, then the earliest of tools and system.
pub fn limit(
    tools: Option<&mut Vec<WireTool<'_>>>,
    system: &mut Vec<Block<'_>>,
    turns: &mut [Turn<'_>],
    notes: &mut Notes,
) {
    let of_tools = tools.as_deref().map_or(0, |tools| {
        tools.iter().filter(|tool| tool.is_cache_point()).count()
    });
    let head = of_tools + points(system);
    let tail: usize = turns.iter().map(|turn| points(&turn.content)).sum();
    if head + tail <= MAX_MARKS {
        return;
    }
    let (head_room, tail_room) = room(head, tail);
    let mut surplus = head.saturating_sub(head_room);
    if let Some(tools) = tools {
        tools.retain(|tool| !(tool.is_cache_point() && spend(&mut surplus)));
    }
    system.retain(|block| !(block.is_cache_point() && spend(&mut surplus)));
    let mut surplus = tail.saturating_sub(tail_room);
    for turn in turns {
        turn.content
            .retain(|block| !(block.is_cache_point() && spend(&mut surplus)));
    }
    notes.loss(
        "cache_control",
        format!(
            "{} marks, of which the upstream's API accepts {MAX_MARKS}",
            head + tail
        ),
    );
}

fn points(blocks: &[Block<'_>]) -> usize {
    blocks.iter().filter(|block| block.is_cache_point()).count()
}

/// Whether one more of them has to go.
fn spend(surplus: &mut usize) -> bool {
    let goes = *surplus > 0;
    *surplus = surplus.saturating_sub(1);
    goes
}

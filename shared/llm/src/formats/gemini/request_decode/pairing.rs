//! Ids of calls and results that come without: a function of the conversation alone, so that a history that is
//! sent again gets the same ones.

use crate::request::{Part, PartKind};
use sha2::{Digest, Sha256};

/// Calls that no result has answered yet.
#[derive(Debug, Default)]
pub struct Calls {
    open: Vec<(String, String)>,
    last_turn: Option<usize>,
}

// === impl Calls ===

impl Calls {
    /// Gives every call of the model's turn an id. Only the nearest turn with calls can be answered.
    pub fn name(&mut self, turn: usize, parts: &mut [Part]) {
        let follows = self.last_turn.is_some_and(|last| last + 1 == turn);
        let mut kept = follows;
        for (at, part) in parts.iter_mut().enumerate() {
            let PartKind::ToolCall(call) = &mut part.kind else {
                continue;
            };
            if !kept {
                self.open.clear();
                kept = true;
            }
            if call.id.is_empty() {
                call.id = made_up(turn, at, &call.name, call.arguments.as_str());
            }
            self.open.push((call.id.clone(), call.name.clone()));
        }
        self.last_turn = Some(turn);
    }

    /// Gives every result the id of the call it answers: by its own id, else the first open call of its name, else
    /// the first open call.
    pub fn answer(&mut self, turn: usize, parts: &mut [Part]) {
        for (at, part) in parts.iter_mut().enumerate() {
            let PartKind::ToolResult(result) = &mut part.kind else {
                continue;
            };
            let name = result.name.as_deref().unwrap_or_default();
            let found = if result.call_id.is_empty() {
                let named = self.open.iter().position(|(_, open)| open == name);
                named.or_else(|| (!self.open.is_empty()).then_some(0))
            } else {
                self.open.iter().position(|(id, _)| *id == result.call_id)
            };
            match found.map(|at| self.open.remove(at)) {
                Some((id, _)) => result.call_id = id,
                None if result.call_id.is_empty() => result.call_id = made_up(turn, at, name, "result"),
                None => {}
            }
        }
    }
}

// === functions ===

fn made_up(turn: usize, at: usize, name: &str, arguments: &str) -> String {
    let digest = Sha256::digest(format!("{turn}\0{at}\0{name}\0{arguments}").as_bytes());
    let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("call_{hex}")
}

//! Reads along with an answer and keeps what belongs into a [`Turn`].

use super::{Kept, Piece, State, Turn};
use crate::caps::{EchoReasoning, WireName};
use crate::dialect::Dialect;
use crate::event::{Event, EventKind, PartStart};
use crate::names::fit_id;
use crate::request::Opaque;
use crate::translate::Target;
use std::collections::BTreeMap;
use std::mem;

/// An answer with more than this is not kept: it would crowd out the others.
const MAX_BYTES: usize = 256 << 10;

/// One per reply; keeps nothing until it is told for whom.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keeper {
    upstream: Option<Dialect>,
    /// Reasoning is wanted back even unsigned.
    echoes: bool,
    choices: BTreeMap<u32, Answer>,
    kept: Vec<Kept>,
}

#[derive(Debug, Clone, Default)]
struct Answer {
    /// With the decoder's part ids, in the order in which parts began.
    pieces: Vec<(u32, Piece)>,
    bytes: usize,
}

// === impl Keeper ===

impl Keeper {
    pub fn of(target: &Target) -> Self {
        Self {
            upstream: Some(target.dialect),
            echoes: target.caps.echo_reasoning != EchoReasoning::Never,
            ..Self::default()
        }
    }

    /// Takes note of one event as the upstream sent it. `rule` is what ids have to look like for the client.
    pub fn observe(&mut self, event: &Event, rule: WireName) {
        let Some(upstream) = self.upstream else { return };
        match &event.kind {
            EventKind::PartStart { part, kind } => {
                let answer = self.choices.entry(event.choice).or_default();
                answer.start(*part, kind, rule);
            }
            EventKind::Delta { part, text } => {
                if let Some(Piece::Reasoning { text: so_far, .. }) =
                    self.piece(event.choice, *part, text.len())
                {
                    so_far.push_str(text);
                }
            }
            EventKind::Opaque { part, opaque } => {
                let piece = self.piece(event.choice, *part, opaque.payload.len());
                if let Some(Piece::Reasoning { state, .. } | Piece::Call { state, .. }) = piece {
                    *state = Some(State::of(opaque));
                }
            }
            EventKind::End => {
                let answers = mem::take(&mut self.choices).into_values();
                let echoes = self.echoes;
                self.kept
                    .extend(answers.filter_map(|answer| answer.kept(upstream, echoes)));
            }
            _ => {}
        }
    }

    /// What is to be kept; something only once the answer is complete.
    pub fn take(&mut self) -> Vec<Kept> {
        mem::take(&mut self.kept)
    }

    /// The piece that is about to grow.
    fn piece(&mut self, choice: u32, part: u32, bytes: usize) -> Option<&mut Piece> {
        let answer = self.choices.get_mut(&choice)?;
        let (_, piece) = answer.pieces.iter_mut().rfind(|(source, _)| *source == part)?;
        if matches!(piece, Piece::Text) {
            return None;
        }
        answer.bytes += bytes;
        (answer.bytes <= MAX_BYTES).then_some(piece)
    }
}

// === impl Answer ===

impl Answer {
    fn start(&mut self, part: u32, kind: &PartStart, rule: WireName) {
        let piece = match kind {
            PartStart::Reasoning => Piece::Reasoning {
                text: String::new(),
                state: None,
            },
            PartStart::RedactedReasoning(Opaque { payload, issuer }) => {
                self.bytes += payload.len();
                Piece::Redacted(State {
                    issuer: issuer.name().to_owned(),
                    payload: payload.clone(),
                })
            }
            PartStart::ToolCall { id, .. } => Piece::Call {
                id: fit_id(id, rule).into_owned(),
                state: None,
            },
            _ => Piece::Text,
        };
        self.pieces.push((part, piece));
    }

    fn kept(self, upstream: Dialect, echoes: bool) -> Option<Kept> {
        let parts: Vec<Piece> = self.pieces.into_iter().map(|(_, piece)| piece).collect();
        let call_id = parts.iter().find_map(|piece| match piece {
            Piece::Call { id, .. } => Some(id.clone()),
            _ => None,
        })?;
        let worth = |piece: &Piece| match piece {
            Piece::Reasoning { state, .. } => state.is_some() || echoes,
            Piece::Call { state, .. } => state.is_some(),
            Piece::Redacted(_) => true,
            Piece::Text => false,
        };
        let turn = Turn {
            upstream: upstream.name().to_owned(),
            parts,
        };
        (self.bytes <= MAX_BYTES && turn.parts.iter().any(worth)).then_some(Kept { call_id, turn })
    }
}

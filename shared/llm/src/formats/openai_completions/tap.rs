//! What the gateway looks for in a stream of texts that it passes on. All but the text itself is as in a conversation's.

use crate::error::PublicError;
use crate::formats::openai_chat::relay::ChunkTap;
use crate::relay::{Fate, Glance, Tap};
use crate::translate::Progress;
use serde::Deserialize;

#[derive(Debug)]
pub struct TextTap {
    rest: ChunkTap,
}

#[derive(Deserialize)]
struct Piece {
    #[serde(default)]
    choices: Vec<PieceChoice>,
}

#[derive(Deserialize)]
struct PieceChoice {
    #[serde(default)]
    text: Option<String>,
}

// === impl TextTap ===

impl TextTap {
    pub fn new(injected_usage: bool) -> Self {
        Self {
            rest: ChunkTap::new(injected_usage),
        }
    }
}

impl Tap for TextTap {
    fn glance(&mut self, _: &[u8], _: &mut Progress) -> Glance {
        Glance::Read
    }

    fn read(&mut self, event: Option<&str>, data: &str, progress: &mut Progress) -> Fate {
        let piece: Option<Piece> = serde_json::from_str(data).ok();
        let choices = piece.map(|piece| piece.choices).unwrap_or_default();
        let said: usize = choices
            .iter()
            .filter_map(|choice| choice.text.as_ref())
            .map(|text| text.len())
            .sum();
        progress.started |= said > 0;
        progress.output_bytes += said as u64;
        self.rest.read(event, data, progress)
    }

    fn done(&mut self, progress: &mut Progress) {
        self.rest.done(progress);
    }

    fn close(&mut self, progress: &mut Progress) {
        self.rest.close(progress);
    }

    fn error_frame(&self, error: &PublicError) -> Vec<u8> {
        self.rest.error_frame(error)
    }
}

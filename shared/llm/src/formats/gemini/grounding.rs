//! Citations as `groundingMetadata`. Offsets count bytes of the candidate's whole text.

use crate::reply::{Choice, ReplyPart};
use serde_json::{Value, json};

/// `None` when no page is cited.
pub fn of(choice: &Choice) -> Option<Value> {
    let mut grounding = Citations::default();
    for part in &choice.parts {
        if let ReplyPart::Text { text, citations } = part {
            grounding.add(text.len(), citations);
        }
    }
    grounding.write()
}

/// Citations of one candidate, text by text.
#[derive(Debug, Default)]
pub struct Citations {
    bytes: usize,
    chunks: Vec<Value>,
    supports: Vec<Value>,
}

// === impl Citations ===

impl Citations {
    pub fn add(&mut self, length: usize, citations: &[Value]) {
        let (start, end) = (self.bytes, self.bytes + length);
        self.bytes = end;
        let indices: Vec<usize> = citations
            .iter()
            .filter_map(page)
            .map(|page| self.index(page))
            .collect();
        if !indices.is_empty() {
            self.supports.push(json!({
                "segment": {"startIndex": start, "endIndex": end},
                "groundingChunkIndices": indices,
            }));
        }
    }

    pub fn write(self) -> Option<Value> {
        let Self { chunks, supports, .. } = self;
        (!chunks.is_empty()).then(|| json!({"groundingChunks": chunks, "groundingSupports": supports}))
    }

    fn index(&mut self, page: Value) -> usize {
        if let Some(known) = self.chunks.iter().position(|known| *known == page) {
            return known;
        }
        self.chunks.push(page);
        self.chunks.len() - 1
    }
}

// === functions ===

/// Only pages of the web; what cites a document is left out.
fn page(citation: &Value) -> Option<Value> {
    let page = citation.get("url_citation").unwrap_or(citation);
    let url = page.get("url").and_then(Value::as_str)?;
    let title = page.get("title").and_then(Value::as_str).unwrap_or_default();
    Some(json!({"web": {"uri": url, "title": title}}))
}

//! A reply or one chunk of it, as upstreams of this dialect send them.

use super::usage::WireUsage;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Chunk<'a> {
    #[serde(borrow)]
    pub candidates: Option<Vec<Candidate<'a>>>,
    #[serde(alias = "prompt_feedback")]
    pub prompt_feedback: Option<PromptFeedback>,
    #[serde(alias = "usage_metadata")]
    pub usage_metadata: Option<WireUsage>,
    #[serde(alias = "model_version")]
    pub model_version: Option<String>,
    #[serde(alias = "response_id")]
    pub response_id: Option<String>,
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Candidate<'a> {
    pub index: Option<u32>,
    #[serde(borrow)]
    pub content: Option<Content<'a>>,
    #[serde(alias = "finish_reason")]
    pub finish_reason: Option<String>,
    #[serde(alias = "finish_message")]
    pub finish_message: Option<String>,
    #[serde(alias = "logprobs_result")]
    pub logprobs_result: Option<Value>,
    #[serde(alias = "grounding_metadata")]
    pub grounding_metadata: Option<Grounding>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Content<'a> {
    #[serde(borrow)]
    pub parts: Option<Vec<&'a RawValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PromptFeedback {
    #[serde(alias = "block_reason")]
    pub block_reason: Option<String>,
}

/// Read on its own, so that a part nobody knows does not spoil the rest.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Part<'a> {
    #[serde(borrow)]
    pub text: Option<Cow<'a, str>>,
    pub thought: Option<bool>,
    #[serde(alias = "thought_signature")]
    pub thought_signature: Option<String>,
    #[serde(borrow, alias = "function_call")]
    pub function_call: Option<FunctionCall<'a>>,
    #[serde(borrow, alias = "inline_data")]
    pub inline_data: Option<Blob<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Blob<'a> {
    #[serde(borrow, alias = "mime_type")]
    pub mime_type: Cow<'a, str>,
    #[serde(borrow)]
    pub data: Cow<'a, str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FunctionCall<'a> {
    pub id: Option<String>,
    pub name: Option<String>,
    #[serde(borrow)]
    pub args: Option<&'a RawValue>,
}

/// What the vendor found on the web, and which text it supports.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Grounding {
    #[serde(alias = "grounding_chunks")]
    pub grounding_chunks: Option<Vec<GroundingChunk>>,
    #[serde(alias = "grounding_supports")]
    pub grounding_supports: Option<Vec<GroundingSupport>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct GroundingChunk {
    pub web: Option<Page>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Page {
    pub uri: Option<String>,
    pub title: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroundingSupport {
    pub segment: Option<Segment>,
    #[serde(alias = "grounding_chunk_indices")]
    pub grounding_chunk_indices: Option<Vec<usize>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Segment {
    pub text: Option<String>,
}

// === impl Grounding ===

impl Grounding {
    /// One citation for each page that supports a text.
    pub fn citations(&self) -> Vec<Value> {
        let chunks = self.grounding_chunks.as_deref().unwrap_or_default();
        let page = |at: &usize| chunks.get(*at).and_then(|chunk| chunk.web.as_ref());
        let supports = self.grounding_supports.iter().flatten();
        let cite = |support: &GroundingSupport| {
            let cited = support.segment.as_ref().and_then(|segment| segment.text.clone());
            let pages = support.grounding_chunk_indices.iter().flatten().filter_map(page);
            pages
                .map(|page| page.citation(cited.as_deref()))
                .collect::<Vec<_>>()
        };
        supports.flat_map(cite).collect()
    }
}

// === impl Page ===

impl Page {
    fn citation(&self, cited: Option<&str>) -> Value {
        serde_json::json!({
            "type": "web_search_result_location",
            "url": self.uri.as_deref().unwrap_or_default(),
            "title": self.title.as_deref().unwrap_or_default(),
            "cited_text": cited.unwrap_or_default(),
        })
    }
}

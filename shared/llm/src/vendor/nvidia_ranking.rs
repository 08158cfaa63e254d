//! NVIDIA's rerankers. They rank all passages and give each a logit, which is passed on as its score.
//!
//! <https://docs.nvidia.com/nim/nemo-retriever/text-reranking/latest/using-reranking.html>

use super::{Answer, Done, Fields, Next, Turn, Vendor, malformed, read, refused};
use crate::error::{EncodeError, UpstreamError};
use crate::usage::Usage;
use serde_json::{Value, json};

#[derive(Debug)]
pub struct NvidiaRanking;

// === impl NvidiaRanking ===

impl Vendor for NvidiaRanking {
    fn begin(&self, asked: &Fields, path: &str) -> Result<Turn, EncodeError> {
        let passages = asked
            .list("documents")
            .iter()
            .map(text)
            .collect::<Option<Vec<_>>>();
        let passages = passages.ok_or_else(|| refused("documents", "every document must be a text"))?;
        let passages = passages.iter().map(|text| json!({ "text": text }));
        let body = json!({
            "model": asked.model, "query": { "text": asked.get("query") },
            "passages": passages.collect::<Vec<_>>(),
        });
        Ok(Turn::json(path, &body))
    }

    fn next(&self, asked: &Fields, _: &Turn, answer: &Answer<'_>) -> Result<Next, UpstreamError> {
        let told = read(answer)?;
        let rankings = told["rankings"].as_array();
        let rankings = rankings.ok_or_else(|| malformed("the provider sent no ranking"))?;
        let documents = asked.list("documents");
        let mut scored = Vec::new();
        for ranking in rankings {
            let score = ranking["logit"].as_f64().or(ranking["score"].as_f64());
            let index = ranking["index"]
                .as_u64()
                .and_then(|index| usize::try_from(index).ok());
            let document = index.and_then(|index| documents.get(index));
            let (Some(index), Some(score), Some(document)) = (index, score, document) else {
                return Err(malformed("the provider ranked what nobody sent"));
            };
            scored.push((index, score, document));
        }
        scored.sort_by(|(_, one, _), (_, other, _)| other.total_cmp(one));
        let most = asked.count("top_n").and_then(|most| usize::try_from(most).ok());
        // Cohere's older default, which its SDK relies on where it says nothing
        let with_documents = asked.get("return_documents") != &json!(false);
        let results = scored
            .iter()
            .take(most.unwrap_or(usize::MAX))
            .map(|(index, score, document)| {
                let mut result = json!({ "index": index, "relevance_score": score });
                if with_documents {
                    result["document"] = json!({ "text": text(document) });
                }
                result
            });
        let body = json!({
            "results": results.collect::<Vec<_>>(),
            "meta": { "billed_units": { "search_units": 1 } },
        });
        Ok(Next::Done(Done::json(&body, Usage::default(), None)))
    }
}

fn text(document: &Value) -> Option<&str> {
    document.as_str().or(document["text"].as_str())
}

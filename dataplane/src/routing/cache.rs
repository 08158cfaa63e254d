//! What may be answered from the cache, as an administrator set it.

use super::access::Globs;
use prost::Message;
use proto::v1;
use proto::validate::MIN_SIMILARITY;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct CacheRules {
    pub enabled: bool,
    /// How long an answer may be given again; absent leaves it to this data plane's own setting.
    pub ttl: Option<Duration>,
    /// A request that names no temperature is taken to ask for none.
    pub absent_temperature_is_zero: bool,
    /// Answers of another one are not found.
    pub generation: u64,
    /// The same of requests that are sent again.
    pub idempotency_generation: u64,
    /// Of what the configuration adds to every request: with other instructions it is another question.
    pub context: [u8; 32],
    /// Who may get the answer to a question in other words.
    similarity: Vec<SimilarityRule>,
}

/// How questions are compared that have the same answer in other words.
#[derive(Debug, Clone, PartialEq)]
pub struct SimilarityRule {
    /// Models as clients write them.
    models: Globs,
    /// Provider or prefix, a slash, and the provider's own id.
    pub embedding_model: Arc<str>,
    /// The cosine of the angle between two vectors that are alike.
    pub threshold: f64,
}

// === impl CacheRules ===

impl CacheRules {
    pub fn new(
        settings: Option<&v1::Settings>,
        prompt: Option<&v1::SystemPrompt>,
        thinking: Option<&v1::ThinkingBudget>,
    ) -> Self {
        // without readable settings nobody gets anything, from the cache as from elsewhere
        let Some(settings) = settings else {
            return Self::default();
        };
        let mut context = blake3::Hasher::new();
        for message in [
            prompt.map(Message::encode_to_vec),
            thinking.map(Message::encode_to_vec),
        ] {
            let message = message.unwrap_or_default();
            context
                .update(&(message.len() as u64).to_le_bytes())
                .update(&message);
        }
        let given = settings.cache.as_ref();
        let ttl = given.and_then(|cache| cache.ttl_ms);
        Self {
            enabled: given.is_none_or(|cache| cache.enabled),
            ttl: ttl.map(|ttl| Duration::from_millis(ttl.into())),
            absent_temperature_is_zero: given.is_some_and(|cache| cache.absent_temperature_is_zero),
            generation: given.map_or(0, |cache| cache.generation),
            idempotency_generation: given.map_or(0, |cache| cache.idempotency_generation),
            context: context.finalize().into(),
            similarity: given
                .map(|cache| cache.similarity.iter().map(SimilarityRule::new).collect())
                .unwrap_or_default(),
        }
    }

    /// The first rule that is about a model.
    pub fn similarity(&self, model: &str) -> Option<&SimilarityRule> {
        self.similarity.iter().find(|rule| rule.models.matches(model))
    }
}

// === impl SimilarityRule ===

impl SimilarityRule {
    /// Whatever arrives, the floor holds.
    fn new(rule: &v1::SimilarityRule) -> Self {
        let threshold = Some(rule.threshold).filter(|threshold| !threshold.is_nan());
        Self {
            models: Globs::new(vec![rule.model.clone()]),
            embedding_model: rule.embedding_model.as_str().into(),
            threshold: threshold.map_or(1.0, |threshold| threshold.clamp(MIN_SIMILARITY, 1.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_counts_and_none_is_below_the_floor() {
        let rule = |model: &str, threshold| v1::SimilarityRule {
            model: model.to_owned(),
            embedding_model: format!("e/{threshold}"),
            threshold,
        };
        let settings = v1::Settings {
            cache: Some(v1::Cache {
                similarity: vec![
                    rule("openai/gpt-4o", 0.97),
                    rule("openai/*", 0.1),
                    rule("nan", f64::NAN),
                ],
                ..v1::Cache::default()
            }),
            ..v1::Settings::default()
        };
        let rules = CacheRules::new(Some(&settings), None, None);
        for (model, threshold) in [
            ("openai/gpt-4o", Some(0.97)),
            ("openai/gpt-4o-mini", Some(MIN_SIMILARITY)),
            ("nan", Some(1.0)),
            ("openai", None),
        ] {
            let found = rules.similarity(model).map(|rule| rule.threshold);
            assert_eq!(found, threshold, "{model}");
        }
    }
}

//! What may be answered from the cache, as an administrator set it.

use prost::Message;
use proto::v1;
use std::time::Duration;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
        }
    }
}

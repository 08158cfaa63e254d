//! The registry of providers: one file and one line each.
//!
//! Every lookup by name goes through here; nothing else in the project compares provider ids.

mod anthropic;
mod assemblyai;
mod bedrock;
mod cerebras;
mod claude;
mod cline;
mod cohere;
mod compatible;
mod deepgram;
mod deepseek;
mod fireworks;
mod gemini;
mod github;
mod glm;
mod groq;
mod hyperbolic;
mod iflow;
mod kilocode;
mod kimi;
mod kimi_coding;
mod minimax;
mod minimax_cn;
mod mistral;
mod nanobanana;
mod nebius;
mod nvidia;
mod openai;
mod openrouter;
mod perplexity;
mod qwen;
mod siliconflow;
mod together;
mod vertex;
mod vertex_anthropic;
mod xai;

pub use compatible::compatible;

use crate::provider::ProviderSpec;

/// Every built-in provider, in the order clients see them.
pub static ALL: &[&ProviderSpec] = &[
    &openai::OPENAI,
    &anthropic::ANTHROPIC,
    &bedrock::BEDROCK,
    &gemini::GEMINI,
    &vertex::VERTEX,
    &vertex_anthropic::VERTEX_ANTHROPIC,
    &openrouter::OPENROUTER,
    &deepseek::DEEPSEEK,
    &cerebras::CEREBRAS,
    &cline::CLINE,
    &cohere::COHERE,
    &fireworks::FIREWORKS,
    &glm::GLM,
    &groq::GROQ,
    &hyperbolic::HYPERBOLIC,
    &iflow::IFLOW,
    &kilocode::KILOCODE,
    &kimi::KIMI,
    &minimax::MINIMAX,
    &minimax_cn::MINIMAX_CN,
    &mistral::MISTRAL,
    &nebius::NEBIUS,
    &nvidia::NVIDIA,
    &perplexity::PERPLEXITY,
    &siliconflow::SILICONFLOW,
    &together::TOGETHER,
    &xai::XAI,
    &assemblyai::ASSEMBLYAI,
    &deepgram::DEEPGRAM,
    &nanobanana::NANOBANANA,
    &claude::CLAUDE,
    &github::GITHUB,
    &kimi_coding::KIMI_CODING,
    &qwen::QWEN,
];

/// A built-in provider by its id or by its short alias.
pub fn find(id_or_alias: &str) -> Option<&'static ProviderSpec> {
    ALL.iter()
        .copied()
        .find(|spec| spec.id == id_or_alias || spec.alias == id_or_alias)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_provider_is_found_by_id_and_by_alias() {
        assert_eq!(find("deepseek").map(|spec| spec.id), Some("deepseek"));
        assert_eq!(find("ds").map(|spec| spec.id), Some("deepseek"));
        assert!(find("nobody").is_none());
    }

    #[test]
    fn ids_and_aliases_name_one_provider_each() {
        let mut names = HashSet::new();
        for spec in ALL {
            assert!(names.insert(spec.id), "{} is taken", spec.id);
            assert!(
                spec.alias == spec.id || names.insert(spec.alias),
                "{} is taken",
                spec.alias
            );
        }
    }

    #[test]
    fn addresses_join_to_https_urls() {
        for spec in ALL.iter().copied() {
            assert!(
                spec.base_url.starts_with("https://") && !spec.base_url.ends_with('/'),
                "{}",
                spec.id
            );
            assert!(
                spec.chat_path.is_empty() || spec.chat_path.starts_with('/'),
                "{}",
                spec.id
            );
            assert!(spec.converses() || !spec.services.is_empty(), "{}", spec.id);
            let paths = spec.services.iter().map(|service| service.path);
            assert!(paths.into_iter().all(|path| path.starts_with('/')), "{}", spec.id);
            assert!(!spec.name.is_empty(), "{}", spec.id);
        }
    }

    #[test]
    fn models_are_listed_once() {
        for spec in ALL {
            let ids: HashSet<&str> = spec.models.iter().map(|model| model.id).collect();
            assert_eq!(ids.len(), spec.models.len(), "{}", spec.id);
        }
    }
}

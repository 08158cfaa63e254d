//! Rules about questions that are answered from the cache although they are asked in other words.

use std::collections::HashMap;

use llm::{Kind, providers};
use proto::validate::{MIN_SIMILARITY, SIMILARITY, SIMILARITY_RULES};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::MODEL_CHARS;
use crate::{api::names, error::ApiError, http::Violations};

/// Requests for a model that fits the pattern are compared by the vectors of the embedding model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SemanticCacheRule {
    /// The model as clients write it; `*` is any text.
    pub model: String,
    /// `provider/model` or `prefix/model`, of a provider with an endpoint for embeddings.
    pub embedding_model: String,
    /// 0.85 to 1: how alike two questions must be, as the cosine of the angle between their vectors.
    #[serde(default = "usual")]
    pub threshold: f64,
}

fn usual() -> f64 {
    SIMILARITY
}

pub fn check(violations: &mut Violations, rules: &[SemanticCacheRule]) {
    if rules.len() > SIMILARITY_RULES {
        violations.add(
            "semanticCacheRules",
            format!("must have at most {SIMILARITY_RULES} entries"),
        );
    }
    for (index, rule) in rules.iter().enumerate() {
        let field = |name: &str| format!("semanticCacheRules.{index}.{name}");
        violations.length(&field("model"), &rule.model, 1..=MODEL_CHARS);
        violations.length(&field("embeddingModel"), &rule.embedding_model, 1..=MODEL_CHARS);
        if !(MIN_SIMILARITY..=1.0).contains(&rule.threshold) {
            violations.add(
                field("threshold"),
                format!(
                    "must be {MIN_SIMILARITY} to 1: below that, questions are taken for the same that are not"
                ),
            );
        }
    }
}

/// A provider may disappear later, so rules that were there before are not asked again.
pub async fn can_embed(
    conn: &mut PgConnection,
    before: &[SemanticCacheRule],
    after: &[SemanticCacheRule],
) -> Result<(), ApiError> {
    let is_new = |rule: &&SemanticCacheRule| {
        !before
            .iter()
            .any(|old| old.embedding_model == rule.embedding_model)
    };
    if !after.iter().any(|rule| is_new(&rule)) {
        return Ok(());
    }
    let nodes = sqlx::query!("select prefix, type, api_type from provider_node")
        .fetch_all(conn)
        .await?;
    let nodes: HashMap<_, _> = nodes
        .into_iter()
        .map(|node| {
            let api_type = node.api_type.unwrap_or_default();
            (node.prefix, providers::compatible(&node.r#type, &api_type))
        })
        .collect();
    let mut violations = Violations::default();
    for (index, rule) in after.iter().enumerate().filter(|(_, rule)| is_new(rule)) {
        let prefix = names::split(&rule.embedding_model).map(|(prefix, _)| prefix);
        let named = prefix.map(|prefix| {
            nodes
                .get(prefix)
                .copied()
                .unwrap_or_else(|| providers::find(prefix))
        });
        let problem = match named {
            None => format!("`{}` is no provider/model", rule.embedding_model),
            Some(None) => format!(
                "no provider and no node is called as in `{}`",
                rule.embedding_model
            ),
            Some(Some(spec)) if spec.service(Kind::Embedding).is_none() => {
                format!("{} has no endpoint for embeddings", spec.name)
            }
            Some(Some(_)) => continue,
        };
        violations.add(format!("semanticCacheRules.{index}.embeddingModel"), problem);
    }
    violations.into_result()
}

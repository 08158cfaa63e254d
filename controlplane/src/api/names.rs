//! Facts about names that span slices: what a model string may begin with, and which names are taken.
//!
//! Read inside the transaction that relies on them.

pub mod alias;

use std::collections::{HashMap, HashSet};

use llm::providers;
use proto::Pattern;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use utoipa::ToSchema;

/// Every name that a model string can resolve through.
#[derive(Debug, Default)]
pub struct Names {
    /// Prefix to id, of provider nodes.
    pub nodes: HashMap<String, String>,
    pub combos: HashSet<String>,
    /// Alias to target.
    pub aliases: HashMap<String, String>,
    pub wildcards: Vec<WildcardAlias>,
    /// Ids of models that operators added to some provider.
    pub custom_models: HashSet<String>,
}

/// `*` is any text, `?` one character, case does not matter; the most specific pattern wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WildcardAlias {
    pub pattern: String,
    pub target: String,
}

// === impl Names ===

impl Names {
    pub async fn load(conn: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let nodes = sqlx::query!("select prefix, id from provider_node")
            .fetch_all(&mut *conn)
            .await?;
        let combos = sqlx::query_scalar!("select name from combo")
            .fetch_all(&mut *conn)
            .await?;
        let aliases = sqlx::query!("select alias, target from model_alias")
            .fetch_all(&mut *conn)
            .await?;
        let wildcards = sqlx::query_scalar!("select value from setting where key = 'wildcardAliases'")
            .fetch_optional(&mut *conn)
            .await?;
        let custom_models = sqlx::query_scalar!("select distinct model from custom_model")
            .fetch_all(&mut *conn)
            .await?;
        Ok(Self {
            nodes: nodes.into_iter().map(|row| (row.prefix, row.id)).collect(),
            combos: combos.into_iter().collect(),
            aliases: aliases.into_iter().map(|row| (row.alias, row.target)).collect(),
            wildcards: WildcardAlias::from_stored(wildcards.as_ref()),
            custom_models: custom_models.into_iter().collect(),
        })
    }

    /// `prefix/model` with a prefix that some provider answers to.
    pub fn is_provider_model(&self, model: &str) -> bool {
        split(model)
            .is_some_and(|(prefix, _)| self.nodes.contains_key(prefix) || providers::find(prefix).is_some())
    }

    /// Something answers to it, as far as can be told without asking a provider.
    pub fn is_known(&self, model: &str) -> bool {
        self.is_exact(model) || self.wildcards.iter().any(|alias| alias.covers(model))
    }

    /// As [`Names::is_known`], without the help of a wildcard: what a wildcard may lead to, for it is followed once.
    pub fn is_exact(&self, model: &str) -> bool {
        self.is_provider_model(model)
            || self.combos.contains(model)
            || self.aliases.contains_key(model)
            || self.custom_models.contains(model)
            || is_any_catalogued_id(model)
    }

    /// The id of a provider that is named by id or alias, or of a provider node that is named by id or prefix.
    pub fn provider_id(&self, name: &str) -> Option<String> {
        let node = || self.nodes.values().find(|id| *id == name).cloned();
        providers::find(name)
            .map(|spec| spec.id.to_owned())
            .or_else(|| self.nodes.get(name).cloned())
            .or_else(node)
    }
}

// === impl WildcardAlias ===

impl WildcardAlias {
    pub fn from_stored(stored: Option<&Value>) -> Vec<Self> {
        stored
            .and_then(|stored| Deserialize::deserialize(stored).ok())
            .unwrap_or_default()
    }

    fn covers(&self, name: &str) -> bool {
        Pattern::new(&self.pattern).matches(name)
    }
}

/// `prefix/model`, split at the first slash; neither part is empty.
pub fn split(model: &str) -> Option<(&str, &str)> {
    model
        .split_once('/')
        .filter(|(prefix, rest)| !prefix.is_empty() && !rest.is_empty())
}

/// A model that a built-in provider's catalogue lists under exactly this name.
pub fn is_catalogued(model: &str) -> bool {
    split(model).is_some_and(|(prefix, id)| {
        providers::find(prefix).is_some_and(|spec| spec.models.iter().any(|model| model.id == id))
    })
}

/// A bare model id that some built-in provider lists.
pub fn is_any_catalogued_id(id: &str) -> bool {
    providers::ALL
        .iter()
        .any(|spec| spec.models.iter().any(|model| model.id == id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_known_by_any_of_its_names() {
        let names = Names {
            nodes: [("vllm".to_owned(), "openai-compatible-1".to_owned())].into(),
            ..Names::default()
        };
        for (name, id) in [
            ("ds", Some("deepseek")),
            ("deepseek", Some("deepseek")),
            ("vllm", Some("openai-compatible-1")),
            ("openai-compatible-1", Some("openai-compatible-1")),
            ("nobody", None),
        ] {
            assert_eq!(names.provider_id(name).as_deref(), id, "{name}");
        }
    }
}

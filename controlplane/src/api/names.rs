//! Facts about names that span slices: what a model string may begin with, and which names are taken.
//!
//! Read inside the transaction that relies on them.

use std::collections::{HashMap, HashSet};

use llm::providers;
use sqlx::PgConnection;

/// Every name that a model string can resolve through.
#[derive(Debug, Default)]
pub struct Names {
    pub node_prefixes: HashSet<String>,
    pub combos: HashSet<String>,
    /// Alias to target.
    pub aliases: HashMap<String, String>,
}

// === impl Names ===

impl Names {
    pub async fn load(conn: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let prefixes = sqlx::query_scalar!("select prefix from provider_node")
            .fetch_all(&mut *conn)
            .await?;
        let combos = sqlx::query_scalar!("select name from combo")
            .fetch_all(&mut *conn)
            .await?;
        let aliases = sqlx::query!("select alias, target from model_alias")
            .fetch_all(&mut *conn)
            .await?;
        Ok(Self {
            node_prefixes: prefixes.into_iter().collect(),
            combos: combos.into_iter().collect(),
            aliases: aliases.into_iter().map(|row| (row.alias, row.target)).collect(),
        })
    }

    /// `prefix/model` with a prefix that some provider answers to.
    pub fn is_provider_model(&self, model: &str) -> bool {
        split(model).is_some_and(|(prefix, _)| {
            self.node_prefixes.contains(prefix) || providers::find(prefix).is_some()
        })
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

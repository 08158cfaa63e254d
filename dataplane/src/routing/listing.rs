//! What `GET /v1/models` shows, computed once per configuration.

use super::table::{ApiKey, Provider, Table};
use std::collections::HashSet;
use std::sync::Arc;

/// One row of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedModel {
    pub id: String,
    /// Provider id, or `combo`.
    pub owned_by: Arc<str>,
    /// The provider's own id, or the name of the combo.
    pub root: String,
    /// The row this one is another spelling of.
    pub parent: Option<String>,
}

/// Combos first, then the models of every active provider under its prefix and, where that differs, under its
/// id as well.
pub(super) fn build<'a>(
    combos: impl Iterator<Item = &'a str>,
    providers: impl Iterator<Item = &'a Arc<Provider>>,
) -> Vec<ListedModel> {
    let owner: Arc<str> = Arc::from("combo");
    let mut rows: Vec<ListedModel> = combos
        .map(|name| row(name.to_owned(), &owner, name, None))
        .collect();
    rows.sort_by(|a, b| a.id.cmp(&b.id));

    let mut providers: Vec<_> = providers.filter(|provider| provider.is_active()).collect();
    providers.sort_by(|a, b| a.id.cmp(&b.id));
    for provider in providers {
        for model in models(provider) {
            let id = format!("{}/{model}", provider.prefix);
            rows.push(row(id.clone(), &provider.id, model, None));
            if !provider.is_node && provider.prefix != provider.id {
                rows.push(row(
                    format!("{}/{model}", provider.id),
                    &provider.id,
                    model,
                    Some(id),
                ));
            }
        }
    }
    let mut seen = HashSet::new();
    rows.retain(|row| seen.insert(row.id.clone()));
    rows
}

/// The registry's models of a provider and the default models of its connections.
pub(super) fn models(provider: &Provider) -> impl Iterator<Item = &str> {
    let own = provider
        .connections
        .iter()
        .filter_map(|connection| connection.default_model.as_deref());
    provider.spec.models.iter().map(|model| model.id).chain(own)
}

// === impl Table ===

impl Table {
    /// The rows this caller may see; `None` is a caller without restrictions.
    pub fn visible<'a>(&'a self, key: Option<&'a ApiKey>) -> impl Iterator<Item = &'a ListedModel> {
        self.listing
            .iter()
            .filter(move |row| key.is_none_or(|key| self.is_visible(row, key)))
    }

    pub fn is_visible(&self, row: &ListedModel, key: &ApiKey) -> bool {
        key.models.matches(&row.id)
            || row
                .parent
                .as_deref()
                .is_some_and(|parent| key.models.matches(parent))
            || key.models.matches_qualified(&row.owned_by, &row.root)
    }
}

fn row(id: String, owned_by: &Arc<str>, root: &str, parent: Option<String>) -> ListedModel {
    ListedModel {
        id,
        owned_by: owned_by.clone(),
        root: root.to_owned(),
        parent,
    }
}

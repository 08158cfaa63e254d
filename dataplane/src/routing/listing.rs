//! What `GET /v1/models` shows, computed once per configuration.

use super::custom_model::CustomModel;
use super::table::{ApiKey, Provider, Table};
use llm::Kind;
use std::borrow::Cow;
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
    /// What it is for, as listings say it: `chat`, `embedding`, `audio-speech`, …
    pub kind: Cow<'static, str>,
    /// An operator added it.
    pub custom: Option<Arc<CustomModel>>,
}

/// Combos first, then the models of every active provider under its prefix and, where that differs, under its
/// id as well, and in the end those that operators added, in the same way.
pub(super) fn build<'a>(
    combos: impl Iterator<Item = &'a str>,
    providers: impl Iterator<Item = &'a Arc<Provider>>,
) -> Vec<ListedModel> {
    let owner: Arc<str> = Arc::from("combo");
    let mut rows: Vec<ListedModel> = combos
        .map(|name| {
            row(
                name.to_owned(),
                &owner,
                name,
                None,
                Kind::Chat.name().into(),
                None,
            )
        })
        .collect();
    rows.sort_by(|a, b| a.id.cmp(&b.id));

    let mut providers: Vec<_> = providers.filter(|provider| provider.is_active()).collect();
    providers.sort_by(|a, b| a.id.cmp(&b.id));
    for provider in &providers {
        let known = |model: &str| provider.spec.knows(model);
        let added = |model: &str| provider.custom.iter().any(|custom| &*custom.id == model);
        for model in models(provider).filter(|model| known(model) || !added(model)) {
            rows.extend(spellings(provider, model, kind_of(provider, model), None));
        }
    }
    for provider in providers {
        for custom in &provider.custom {
            let kind = Cow::Owned(custom.kind.to_string());
            rows.extend(spellings(provider, &custom.id, kind, Some(custom)));
        }
    }
    let mut seen = HashSet::new();
    rows.retain(|row| seen.insert(row.id.clone()));
    rows
}

/// The registry's models of a provider, those that an operator added, and the default models of its connections.
pub(super) fn models(provider: &Provider) -> impl Iterator<Item = &str> {
    let own = provider
        .connections
        .iter()
        .filter_map(|connection| connection.default_model.as_deref());
    let custom = provider.custom.iter().map(|custom| &*custom.id);
    let registry = provider.spec.models.iter().map(|model| model.id);
    let services = provider.spec.services.iter();
    let beside = services.flat_map(|service| service.models.iter().copied());
    registry.chain(beside).chain(custom).chain(own)
}

fn kind_of(provider: &Provider, model: &str) -> Cow<'static, str> {
    let mut services = provider.spec.services.iter();
    let service = services.find(|service| service.models.contains(&model));
    service.map_or(Kind::Chat, |service| service.kind).name().into()
}

// === impl ListedModel ===

impl ListedModel {
    /// For people.
    pub fn name(&self) -> &str {
        self.custom.as_ref().map_or(&self.root, |custom| &custom.name)
    }

    /// It converses, as far as is known.
    pub fn is_chat(&self) -> bool {
        self.kind == Kind::Chat.name()
    }
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

/// A model under the provider's prefix, and under its id where clients may write that as well.
fn spellings(
    provider: &Provider,
    model: &str,
    kind: Cow<'static, str>,
    custom: Option<&Arc<CustomModel>>,
) -> impl Iterator<Item = ListedModel> {
    let id = format!("{}/{model}", provider.prefix);
    let twin = (!provider.is_node && provider.prefix != provider.id)
        .then(|| format!("{}/{model}", provider.id))
        .map(|twin| row(twin, &provider.id, model, Some(id.clone()), kind.clone(), custom));
    std::iter::once(row(id, &provider.id, model, None, kind, custom)).chain(twin)
}

fn row(
    id: String,
    owned_by: &Arc<str>,
    root: &str,
    parent: Option<String>,
    kind: Cow<'static, str>,
    custom: Option<&Arc<CustomModel>>,
) -> ListedModel {
    ListedModel {
        id,
        owned_by: owned_by.clone(),
        root: root.to_owned(),
        parent,
        kind,
        custom: custom.cloned(),
    }
}

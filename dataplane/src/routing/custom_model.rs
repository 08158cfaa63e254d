//! Models that an operator says a provider has, beyond those that the registry knows.
//!
//! They change what is listed, what a bare name may mean, and what belongs to a provider that an address names. A
//! provider is asked for any other model as well, if it is named together with it.

use super::compile::{Fault, report};
use proto::v1::{self, ResourceError, ResourceKind, resource_error::Code};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// One model of one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomModel {
    /// The provider's own id.
    pub id: Box<str>,
    /// For people.
    pub name: Box<str>,
    /// One of [`proto::validate::MODEL_TYPES`].
    pub kind: Box<str>,
    /// Tokens, if the operator said how many.
    pub context_window: Option<u64>,
}

/// By provider id, in the order of their own ids.
pub(super) fn compile(
    models: &BTreeMap<&str, &v1::CustomModel>,
    is_node: impl Fn(&str) -> bool,
    errors: &mut Vec<ResourceError>,
) -> HashMap<String, Vec<Arc<CustomModel>>> {
    let mut by_provider: HashMap<String, Vec<Arc<CustomModel>>> = HashMap::new();
    for (id, model) in models {
        let built_in = || llm::providers::find(&model.provider).map(|spec| spec.id);
        let provider = match is_node(&model.provider) {
            true => Some(model.provider.as_str()),
            false => built_in(),
        };
        match provider {
            Some(provider) => by_provider
                .entry(provider.to_owned())
                .or_default()
                .push(Arc::new(CustomModel::from(*model))),
            None => {
                let text = format!(
                    "provider `{}` is neither built in nor a usable node",
                    model.provider
                );
                let fault = Fault::new(Code::DanglingReference, text);
                report(errors, ResourceKind::CustomModel, id, fault);
            }
        }
    }
    by_provider
}

// === impl CustomModel ===

impl From<&v1::CustomModel> for CustomModel {
    fn from(model: &v1::CustomModel) -> Self {
        let name = match model.name.is_empty() {
            true => &model.model,
            false => &model.name,
        };
        Self {
            id: model.model.as_str().into(),
            name: name.as_str().into(),
            kind: model.r#type.as_str().into(),
            context_window: (model.context_window > 0).then_some(model.context_window.into()),
        }
    }
}

//! Whose connection it is: a provider of the registry, or a node.

use llm::{
    provider::{AuthScheme, AuthType, ProviderSpec},
    providers,
};
use proto::validate::NODE_TYPES;
use runtime::{secret::Secret, service_account::ServiceAccount};
use serde_json::{Map, Value};
use sqlx::PgConnection;

use crate::error::{ApiError, Violation};

/// What decides a new connection's provider: a registry entry, or a node with what it contributes.
pub(super) struct Provider {
    pub(super) id: String,
    /// Absent for a node of a type that cannot be called.
    pub(super) spec: Option<&'static ProviderSpec>,
    pub(super) node: Option<Node>,
}

pub(super) struct Node {
    pub(super) data: Map<String, Value>,
    pub(super) allow_private_address: bool,
}

// === impl Provider ===

impl Provider {
    pub(super) async fn find(conn: &mut PgConnection, id: &str) -> Result<Self, ApiError> {
        if let Some(spec) = providers::find(id) {
            return match spec.auth_type {
                AuthType::ApiKey => Ok(Self {
                    id: spec.id.to_owned(),
                    spec: Some(spec),
                    node: None,
                }),
                AuthType::OAuth => Err(ApiError::UnknownProvider(id.to_owned())),
            };
        }
        let node = sqlx::query!(
            "select id, name, prefix, type, api_type, base_url, api_version, allow_private_address
             from provider_node where id = $1",
            id,
        )
        .fetch_optional(conn)
        .await?;
        let Some(node) = node else {
            let is_node_id = NODE_TYPES
                .iter()
                .any(|family| id.strip_prefix(family).is_some_and(|rest| rest.starts_with('-')));
            return Err(if is_node_id {
                ApiError::not_found("provider node", id)
            } else {
                ApiError::UnknownProvider(id.to_owned())
            });
        };
        let spec = providers::compatible(&node.r#type, node.api_type.as_deref().unwrap_or_default());
        let mut data = Map::new();
        data.insert("prefix".to_owned(), node.prefix.into());
        if let Some(api_type) = node.api_type {
            data.insert("apiType".to_owned(), api_type.into());
        }
        data.insert("baseUrl".to_owned(), node.base_url.into());
        if let Some(version) = node.api_version {
            data.insert("apiVersion".to_owned(), version.into());
        }
        data.insert("nodeName".to_owned(), node.name.into());
        let node = Node {
            data,
            allow_private_address: node.allow_private_address,
        };
        Ok(Self {
            id: id.to_owned(),
            spec,
            node: Some(node),
        })
    }

    /// The key, if there is one and if it takes one.
    pub(super) fn check_key(&self, key: Option<Secret<String>>) -> Result<Option<Secret<String>>, ApiError> {
        let keyless = self.spec.is_some_and(|spec| spec.keyless);
        match key {
            None if !keyless => Err(ApiError::Invalid(vec![Violation::missing("apiKey")])),
            Some(key) if !key.expose().trim().is_empty() => {
                check_form(self.spec, &key)?;
                Ok(Some(key))
            }
            Some(_) if !keyless => Err(ApiError::invalid("apiKey", "must have 1 to 10000 characters")),
            _ => Ok(None),
        }
    }
}

/// A key that its provider takes in one form only is refused where it is typed in, rather than where it is used.
pub(super) fn check_form(spec: Option<&ProviderSpec>, key: &Secret<String>) -> Result<(), ApiError> {
    let is_google = spec.is_some_and(|spec| matches!(spec.auth, AuthScheme::Google { .. }));
    if !is_google || !ServiceAccount::is_meant(key.expose()) {
        return Ok(());
    }
    match ServiceAccount::read(key.expose()) {
        Ok(_) => Ok(()),
        Err(error) => Err(ApiError::invalid("apiKey", error.to_string())),
    }
}

//! The models a provider lists, in one shape.

use reqwest::Method;
use runtime::egress::Egress;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Target;
use crate::error::ApiError;

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owned_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// What the provider sent, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub raw: Option<Value>,
}

// === impl Model ===

impl Model {
    fn read(raw: &Value, keep_raw: bool) -> Option<Self> {
        let text = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| raw.get(name)?.as_str())
                .map(str::to_owned)
        };
        // Gemini lists a resource name, of which requests want the last part
        let id = text(&["id", "name", "slug"])?;
        let id = id.strip_prefix("models/").unwrap_or(&id).to_owned();
        let window = [
            "context_window",
            "context_length",
            "max_context_length",
            "max_model_len",
            "inputTokenLimit",
        ];
        Some(Self {
            name: text(&["display_name", "displayName", "name"]).map_or_else(
                || id.clone(),
                |name| name.trim_start_matches("models/").to_owned(),
            ),
            owned_by: text(&["owned_by", "ownedBy"]),
            context_window: window.iter().find_map(|name| raw.get(name)?.as_u64()),
            r#type: text(&["type"]),
            raw: keep_raw.then(|| raw.clone()),
            id,
        })
    }
}

/// Asks the provider for its models.
pub async fn list_models(egress: &Egress, target: &Target, keep_raw: bool) -> Result<Vec<Model>, ApiError> {
    let Some(path) = target.spec.models_path else {
        return Err(ApiError::NoModelListing(format!(
            "{} has no list of models to ask for",
            target.spec.name
        )));
    };
    let answer = target.send(egress, Method::GET, path, None).await?;
    let status = answer.status.as_u16();
    if !answer.status.is_success() {
        let message = format!("the provider answered {status} when asked for its models");
        return Err(ApiError::Upstream {
            status: Some(status),
            message,
        });
    }
    let unreadable = || ApiError::Upstream {
        status: Some(status),
        message: "the provider's list of models is not readable".to_owned(),
    };
    let body: Value = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
    let list = ["data", "models"]
        .iter()
        .find_map(|key| body.get(key)?.as_array())
        .or_else(|| body.as_array());
    let list = list.ok_or_else(unreadable)?;
    Ok(list.iter().filter_map(|raw| Model::read(raw, keep_raw)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn models_of_different_providers_read_the_same() {
        let openai = Model::read(
            &json!({ "id": "m", "object": "model", "owned_by": "acme" }),
            false,
        )
        .unwrap();
        assert_eq!(
            (
                openai.id.as_str(),
                openai.name.as_str(),
                openai.owned_by.as_deref()
            ),
            ("m", "m", Some("acme"))
        );
        let anthropic =
            Model::read(&json!({ "id": "c", "type": "model", "display_name": "C" }), true).unwrap();
        assert_eq!((anthropic.name.as_str(), anthropic.raw.is_some()), ("C", true));
        let gemini = json!({ "name": "models/g", "displayName": "G", "inputTokenLimit": 9 });
        let gemini = Model::read(&gemini, false).unwrap();
        assert_eq!(
            (gemini.id.as_str(), gemini.name.as_str(), gemini.context_window),
            ("g", "G", Some(9))
        );
        let ollama = Model::read(
            &json!({ "name": "llama3.2:latest", "model": "llama3.2:latest" }),
            false,
        )
        .unwrap();
        assert_eq!(
            (ollama.id.as_str(), ollama.name.as_str()),
            ("llama3.2:latest", "llama3.2:latest")
        );
        assert_eq!(Model::read(&json!({ "context_length": 1 }), false), None);
    }
}

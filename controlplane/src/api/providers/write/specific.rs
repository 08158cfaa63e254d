//! `providerSpecificData`: only what [`FIELDS`] names is an operator's to set; what a node contributes may be sent back
//! unchanged.

use llm::provider::{Endpoint, ProviderSpec, Whereabouts};
use serde_json::{Map, Value};

use crate::error::ApiError;

/// What an operator sets.
const FIELDS: [&str; 5] = ["baseUrl", "region", "project", "thinkTags", "onDisconnect"];
/// What a compatible endpoint contributes to its connections; an operator changes it at the node.
const FROM_NODE: [&str; 5] = ["baseUrl", "prefix", "apiType", "apiVersion", "nodeName"];
/// A server whose prompt ends with the opening tag, so that its text has only the closing one.
const THINKING_OPENED_BY_PROMPT: &str = "implicit";

/// Applies a patch key by key; `null` removes a key.
pub(super) fn merge(
    data: &mut Map<String, Value>,
    spec: Option<&ProviderSpec>,
    patch: Map<String, Value>,
) -> Result<(), ApiError> {
    let is_node = data.contains_key("prefix");
    for (key, value) in patch {
        if data.get(&key) == Some(&value) {
            continue;
        }
        let kept = if is_node && FROM_NODE.contains(&key.as_str()) {
            Err("comes from the provider node: change it there".to_owned())
        } else {
            read(spec, &key, value)
        };
        match kept {
            Ok(Some(value)) => data.insert(key, value),
            Ok(None) => data.remove(&key),
            Err(problem) => return Err(ApiError::invalid(format!("providerSpecificData.{key}"), problem)),
        };
    }
    Ok(())
}

/// What is kept of a value, or what is wrong with it.
fn read(spec: Option<&ProviderSpec>, key: &str, value: Value) -> Result<Option<Value>, String> {
    if !FIELDS.contains(&key) {
        return Err("is not known: baseUrl, region, project, thinkTags and onDisconnect are".to_owned());
    }
    if value.is_null() {
        return Ok(None);
    }
    match key {
        "baseUrl" => base_url(&value),
        "thinkTags" => think_tags(value),
        "onDisconnect" => on_disconnect(value),
        _ => whereabouts(spec, key, &value),
    }
}

fn base_url(value: &Value) -> Result<Option<Value>, String> {
    let url = value.as_str().ok_or("must be a string or null")?;
    Ok(Some(url.trim().trim_end_matches('/').into()))
}

/// A region or a project, where the provider has such and its addresses can hold it.
fn whereabouts(spec: Option<&ProviderSpec>, key: &str, value: &Value) -> Result<Option<Value>, String> {
    let is_region = key == "region";
    if is_region && !spec.is_some_and(ProviderSpec::takes_region) {
        return Err("is for providers that have regions".to_owned());
    }
    if !is_region && !spec.is_some_and(ProviderSpec::takes_project) {
        return Err("is for providers that have projects".to_owned());
    }
    let name = value.as_str().ok_or("must be a string or null")?.trim();
    let (region, project) = if is_region { (name, "p") } else { ("", name) };
    let whereabouts = Whereabouts {
        region,
        project,
        ..Whereabouts::default()
    };
    if let Some(Err(error)) = spec.map(|spec| Endpoint::of(spec, whereabouts)) {
        return Err(error.to_string());
    }
    Ok(Some(name).filter(|name| !name.is_empty()).map(Value::from))
}

fn think_tags(value: Value) -> Result<Option<Value>, String> {
    if value.is_boolean() || value == THINKING_OPENED_BY_PROMPT {
        return Ok(Some(value));
    }
    Err(
        "must be true (the server sends <think>…</think> inside its text), false (it does not), \
         `implicit` (it sends only the closing tag), or null (as the provider is known)"
            .to_owned(),
    )
}

fn on_disconnect(value: Value) -> Result<Option<Value>, String> {
    if value == "cancel" || value == "drain" {
        return Ok(Some(value));
    }
    Err(
        "must be `cancel` (a call whose client has left is ended), `drain` (its answer is read to the \
         end, so that what it costs is known), or null (as `cancel`)"
            .to_owned(),
    )
}

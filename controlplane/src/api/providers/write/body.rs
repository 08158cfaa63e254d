//! What may be written of a connection.

use runtime::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::row::Row;
use crate::{
    error::ApiError,
    http::{Body, Patch, Violations},
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ConnectionCreate)]
pub struct CreateBody {
    /// A provider's id or alias, or the id of a provider node.
    pub(super) provider: String,
    /// May be missing or empty for a node whose servers ask for no credential.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) api_key: Option<Secret<String>>,
    pub(super) name: String,
    /// Appended after the others when absent.
    pub(super) priority: Option<i32>,
    pub(super) global_priority: Option<i32>,
    pub(super) default_model: Option<String>,
    pub(super) is_active: Option<bool>,
    pub(super) rate_limit_protection: Option<bool>,
    pub(super) allow_private_address: Option<bool>,
    #[schema(value_type = Option<Object>)]
    pub(super) provider_specific_data: Option<Map<String, Value>>,
    /// Accepted and not believed: a test decides.
    pub(super) test_status: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ConnectionUpdate)]
pub struct UpdateBody {
    pub(super) name: Option<String>,
    pub(super) priority: Option<i32>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub(super) global_priority: Patch<i32>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) default_model: Patch<String>,
    pub(super) is_active: Option<bool>,
    #[schema(value_type = Option<String>)]
    pub(super) api_key: Option<Secret<String>>,
    /// Minutes; 0 = never.
    pub(super) health_check_interval: Option<i32>,
    pub(super) rate_limit_protection: Option<bool>,
    pub(super) allow_private_address: Option<bool>,
    /// Merged key by key; `null` removes a key.
    #[schema(value_type = Option<Object>)]
    pub(super) provider_specific_data: Option<Map<String, Value>>,
    /// `unknown` forgets what tests found out; so does `null` in one of the fields below.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) test_status: Patch<Value>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) last_tested: Patch<Value>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) last_error: Patch<Value>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) last_error_at: Patch<Value>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) last_error_type: Patch<Value>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) last_error_source: Patch<Value>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) error_code: Patch<Value>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConnectionDeleted)]
pub struct Deleted {
    pub(super) message: &'static str,
    pub(super) id: Uuid,
}

// === impl CreateBody ===

impl Body for CreateBody {
    const READ_ONLY: &'static [&'static str] = &[
        "id",
        "authType",
        "email",
        "displayName",
        "lastTested",
        "lastError",
        "lastErrorAt",
        "lastErrorType",
        "lastErrorSource",
        "errorCode",
        "healthCheckInterval",
        "hasApiKey",
        "maskedApiKey",
        "hasAccessToken",
        "hasRefreshToken",
        "tokenType",
        "scope",
        "expiresAt",
        "lastHealthCheckAt",
        "createdAt",
        "updatedAt",
    ];
    const REQUIRED: &'static [&'static str] = &["provider", "name"];

    fn check(&self, violations: &mut Violations) {
        violations.length("provider", &self.provider, 1..=100);
        if let Some(key) = &self.api_key {
            violations.length("apiKey", key.expose(), 0..=10_000);
        }
        violations.length("name", self.name.trim(), 1..=200);
        check_ranks(violations, self.priority, self.global_priority);
        if let Some(model) = &self.default_model {
            violations.length("defaultModel", model, 0..=200);
        }
        if let Some(status) = &self.test_status {
            violations.length("testStatus", status, 0..=50);
        }
    }
}

// === impl UpdateBody ===

impl Body for UpdateBody {
    const READ_ONLY: &'static [&'static str] = &[
        "id",
        "provider",
        "authType",
        "email",
        "displayName",
        "hasApiKey",
        "maskedApiKey",
        "hasAccessToken",
        "hasRefreshToken",
        "tokenType",
        "scope",
        "expiresAt",
        "lastHealthCheckAt",
        "createdAt",
        "updatedAt",
    ];

    fn check(&self, violations: &mut Violations) {
        if let Some(name) = &self.name {
            violations.length("name", name.trim(), 1..=200);
        }
        if let Some(key) = &self.api_key {
            violations.length("apiKey", key.expose(), 1..=10_000);
        }
        check_ranks(violations, self.priority, self.global_priority.set().copied());
        if let Some(model) = self.default_model.set() {
            violations.length("defaultModel", model, 0..=200);
        }
        if let Some(minutes) = self.health_check_interval {
            violations.range("healthCheckInterval", minutes, 0..=10_080);
        }
    }
}

impl UpdateBody {
    fn health_fields(&self) -> [(&'static str, &Patch<Value>); 7] {
        [
            ("testStatus", &self.test_status),
            ("lastTested", &self.last_tested),
            ("lastError", &self.last_error),
            ("lastErrorAt", &self.last_error_at),
            ("lastErrorType", &self.last_error_type),
            ("lastErrorSource", &self.last_error_source),
            ("errorCode", &self.error_code),
        ]
    }

    /// Whether the caller asks to forget the health. A value may only be the one it already has: tests write these.
    pub(super) fn clears_health(&self, before: &Row) -> Result<bool, ApiError> {
        let shown = serde_json::to_value(before.clone().view()).map_err(ApiError::internal)?;
        let mut clears = false;
        for (field, patch) in self.health_fields() {
            match patch {
                Patch::Keep => {}
                Patch::Set(value) if shown.get(field) == Some(value) => {}
                Patch::Set(value) if field == "testStatus" && value == "unknown" => clears = true,
                Patch::Set(_) => {
                    return Err(ApiError::invalid(
                        field,
                        "is found out by testing: only null may be sent",
                    ));
                }
                Patch::Clear => clears |= shown.get(field).is_some_and(|value| value != "unknown"),
            }
        }
        Ok(clears)
    }
}

fn check_ranks(violations: &mut Violations, priority: Option<i32>, global: Option<i32>) {
    if let Some(priority) = priority {
        violations.range("priority", priority, 1..=100);
    }
    if let Some(priority) = global {
        violations.range("globalPriority", priority, 1..=100);
    }
}

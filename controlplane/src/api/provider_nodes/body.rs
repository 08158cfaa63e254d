//! What may be written of a node.

use proto::validate::{NODE_TYPES as TYPES, api_types};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Row, address::normalise, callable};
use crate::{
    error::{ApiError, Violation},
    http::{Body, Violations},
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = NodeCreate)]
pub(super) struct CreateBody {
    pub(super) name: String,
    /// `^[a-z0-9][a-z0-9._-]{0,63}$`
    pub(super) prefix: String,
    /// `openai-compatible` when absent; `anthropic-compatible`, `gemini-compatible`, `ollama-compatible`,
    /// `azure-compatible` or `bedrock-compatible`.
    pub(super) r#type: Option<String>,
    /// `chat` or `responses`; required for `openai-compatible` and `azure-compatible`. For the latter also
    /// `deployments`: the API with a dated version, which has the deployment in its path.
    pub(super) api_type: Option<String>,
    pub(super) base_url: Option<String>,
    /// Of `azure-compatible`, such as `2024-10-21`.
    pub(super) api_version: Option<String>,
    pub(super) allow_private_address: Option<bool>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = NodeUpdate)]
pub(super) struct UpdateBody {
    pub(super) name: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) r#type: Option<String>,
    pub(super) api_type: Option<String>,
    pub(super) base_url: Option<String>,
    /// Empty: as the API type has it.
    pub(super) api_version: Option<String>,
    pub(super) allow_private_address: Option<bool>,
}

// === impl CreateBody ===

impl Body for CreateBody {
    const READ_ONLY: &'static [&'static str] = &["id", "createdAt", "updatedAt"];
    const REQUIRED: &'static [&'static str] = &["name", "prefix"];

    fn check(&self, violations: &mut Violations) {
        violations.length("name", self.name.trim(), 1..=200);
        check_prefix(violations, &self.prefix);
        let r#type = self.r#type.as_deref().unwrap_or(TYPES[0]);
        violations.one_of("type", r#type, &TYPES);
        check_api_type(violations, r#type, self.api_type.as_deref());
        check_api_version(violations, r#type, self.api_version.as_deref());
    }
}

// === impl UpdateBody ===

impl Body for UpdateBody {
    const READ_ONLY: &'static [&'static str] = &["id", "createdAt", "updatedAt"];

    fn check(&self, violations: &mut Violations) {
        if let Some(name) = &self.name {
            violations.length("name", name.trim(), 1..=200);
        }
        if let Some(prefix) = &self.prefix {
            check_prefix(violations, prefix);
        }
    }
}

impl UpdateBody {
    pub(super) fn is_complete(&self) -> Result<(), ApiError> {
        let fields = [
            ("name", &self.name),
            ("prefix", &self.prefix),
            ("baseUrl", &self.base_url),
        ];
        let missing = fields.iter().filter(|(_, value)| value.is_none());
        let missing: Vec<_> = missing.map(|(field, _)| Violation::missing(*field)).collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Invalid(missing))
        }
    }

    pub(super) fn over(self, mut row: Row) -> Result<Row, ApiError> {
        if self.r#type.is_some_and(|given| given != row.r#type) {
            return Err(ApiError::invalid("type", "cannot change: add another node"));
        }
        if let Some(api_type) = self.api_type {
            let mut violations = Violations::default();
            check_api_type(&mut violations, &row.r#type, Some(&api_type));
            violations.into_result()?;
            callable(&row.r#type, Some(&api_type))?;
            row.api_type = Some(api_type);
        }
        if let Some(version) = self.api_version {
            let mut violations = Violations::default();
            check_api_version(&mut violations, &row.r#type, Some(&version));
            violations.into_result()?;
            row.api_version = Some(version).filter(|version| !version.is_empty());
        }
        row.name = self.name.map_or(row.name, |name| name.trim().to_owned());
        row.prefix = self.prefix.map_or(row.prefix, |prefix| prefix.trim().to_owned());
        let spec = callable(&row.r#type, row.api_type.as_deref())?;
        row.base_url = self.base_url.map_or(row.base_url, |url| normalise(spec, &url));
        row.allow_private_address = self.allow_private_address.unwrap_or(row.allow_private_address);
        Ok(row)
    }
}

fn check_prefix(violations: &mut Violations, prefix: &str) {
    let prefix = prefix.trim();
    let starts_well = prefix.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    if !starts_well || prefix.len() > 64 || !prefix.chars().all(legal) {
        violations.add("prefix", "must match ^[a-z0-9][a-z0-9._-]{0,63}$");
    }
}

pub(super) fn check_api_type(violations: &mut Violations, r#type: &str, api_type: Option<&str>) {
    match (api_types(r#type), api_type) {
        ([], Some(_)) => violations.add("apiType", "is for openai-compatible and azure-compatible only"),
        ([], None) => {}
        (known, Some(api_type)) => violations.one_of("apiType", api_type, known),
        (known, None) => violations.add(
            "apiType",
            format!("is required for {type}: {}", known.join(" or ")),
        ),
    }
}

pub(super) fn check_api_version(violations: &mut Violations, r#type: &str, version: Option<&str>) {
    let Some(version) = version.filter(|version| !version.is_empty()) else {
        return;
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if r#type != "azure-compatible" {
        violations.add("apiVersion", "is for azure-compatible only");
    } else if version.len() > 100 || !version.chars().all(legal) || version.starts_with(['.', '-']) {
        violations.add("apiVersion", "must be a version such as 2024-10-21 or preview");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_lower_case_word() {
        for (prefix, legal) in [
            ("vllm", true),
            ("my.vllm_2-x", true),
            ("-x", false),
            ("a/b", false),
            ("VLLM", false),
            ("", false),
        ] {
            let mut violations = Violations::default();
            check_prefix(&mut violations, prefix);
            assert_eq!(violations.into_result().is_ok(), legal, "{prefix}");
        }
    }
}

//! Where a node is: as somebody pasted it, and whether it may be called.

use llm::{provider::ProviderSpec, providers};
use url::Url;

use crate::{
    api::{Ctx, guard},
    error::ApiError,
    http::Operator,
};

/// An operation's path that people paste along with the address.
const OPERATIONS: [&str; 7] = [
    "/chat/completions",
    "/completions",
    "/responses",
    "/messages",
    "/api/chat",
    "/api/tags",
    "/models",
];

/// The vendor's own address, where a type has one.
pub(super) fn default_address(spec: &ProviderSpec) -> Option<String> {
    let original = providers::ALL
        .iter()
        .find(|one| one.dialect == spec.dialect && is_namesake(one.id, spec.id))?;
    Some(original.base_url.to_owned())
}

fn is_namesake(provider: &str, template: &str) -> bool {
    template
        .strip_prefix(provider)
        .is_some_and(|rest| rest.starts_with("-compatible"))
}

/// Without trailing slashes and without the path of an operation, nor what every path of a template begins with.
pub(super) fn normalise(spec: &ProviderSpec, url: &str) -> String {
    let mut url = url.trim().trim_end_matches('/');
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url[host..].find('/').map_or(url.len(), |at| host + at);
    if let Some(at) = url[path..]
        .find(spec.paths_begin)
        .filter(|_| !spec.paths_begin.is_empty())
    {
        url = &url[..path + at];
    }
    if let Some(base) = OPERATIONS
        .iter()
        .find_map(|operation| url.strip_suffix(operation))
    {
        url = base.trim_end_matches('/');
    }
    url.to_owned()
}

pub(super) async fn check_address(
    ctx: &Ctx,
    operator: &Operator,
    url: &str,
    allow_private: bool,
) -> Result<(), ApiError> {
    match refuse_address(ctx, operator, url, allow_private, false) {
        Ok(()) => Ok(()),
        Err(error) => Err(guard::recorded(ctx, &operator.origin, error).await),
    }
}

pub(super) fn refuse_address(
    ctx: &Ctx,
    operator: &Operator,
    url: &str,
    allow_private: bool,
    was_allowed: bool,
) -> Result<(), ApiError> {
    if allow_private && !was_allowed && !operator.is_admin {
        return Err(ApiError::Forbidden(
            "log in to allow a private address: a key may not do this".into(),
        ));
    }
    let url =
        Url::parse(url).map_err(|_| ApiError::invalid("baseUrl", "must be an http or https address"))?;
    let allow_private = allow_private || ctx.config.allow_private_provider_urls;
    ctx.egress
        .check(&url, allow_private)
        .map_err(|error| ApiError::UrlBlocked(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::{super::callable, *};

    #[test]
    fn an_address_loses_trailing_slashes_and_operations() {
        let cases = [
            ("https://host/v1", "https://host/v1"),
            (" https://host/v1// ", "https://host/v1"),
            ("https://host/v1/chat/completions", "https://host/v1"),
            ("https://host/v1/chat/completions/", "https://host/v1"),
            ("https://host/v1/responses", "https://host/v1"),
            ("https://host/v1/messages", "https://host/v1"),
            ("https://host/v1beta/models", "https://host/v1beta"),
            ("http://host:11434/api/chat", "http://host:11434"),
        ];
        for (given, expected) in cases {
            let spec = callable("openai-compatible", Some("chat")).unwrap();
            assert_eq!(normalise(spec, given), expected);
        }
        for given in [
            "https://openai-r.openai.azure.com/",
            "https://openai-r.openai.azure.com/openai/v1/",
            "https://openai-r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
        ] {
            let spec = callable("azure-compatible", Some("deployments")).unwrap();
            assert_eq!(normalise(spec, given), "https://openai-r.openai.azure.com");
        }
    }
}

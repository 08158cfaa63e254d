//! Cross-site request forgery: a browser attaches the cookie to requests that other sites make.
//!
//! The check reads headers only a browser sets and no page can forge, so it covers requests without a body too.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Uri, header, request::Parts},
};
use url::Url;

use crate::{
    api::Ctx,
    db::{Audit, Outcome},
    error::ApiError,
    http::caller,
};

/// For the GET endpoints that do something: refuses a request that a browser made for another site.
#[derive(Clone, Copy, Debug)]
pub struct SameSite;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site {
    Same,
    Other,
    /// No browser says anything about the origin.
    Unknown,
}

impl FromRequestParts<Ctx> for SameSite {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        if parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(Self);
        }
        let strict = parts.headers.contains_key(header::COOKIE);
        check(parts, ctx, strict).await?;
        Ok(Self)
    }
}

/// Refuses and audits a request from another site; with `strict` also one that does not prove to be from ours.
pub(super) async fn check(parts: &Parts, ctx: &Ctx, strict: bool) -> Result<(), ApiError> {
    let site = site_of(&parts.headers, &parts.uri, &ctx.config.dashboard_origins);
    if site == Site::Same || (site == Site::Unknown && !strict) {
        return Ok(());
    }
    let audit = Audit::of("security.csrf_blocked")
        .outcome(Outcome::Denied)
        .target("path", parts.uri.path());
    if let Err(error) = ctx.db.record(&caller::anonymous_origin(parts), audit).await {
        tracing::warn!(%error, "cannot record a refused cross-site request");
    }
    Err(ApiError::CrossSite)
}

fn site_of(headers: &HeaderMap, uri: &Uri, allowed: &[String]) -> Site {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let claimed = text("origin").or_else(|| text("referer"));
    if claimed.is_some_and(|claimed| {
        is_ours(
            claimed,
            text("host").or_else(|| uri.authority().map(|a| a.as_str())),
            allowed,
        )
    }) {
        return Site::Same;
    }
    match text("sec-fetch-site") {
        Some("same-origin" | "none") => Site::Same,
        Some(_) => Site::Other,
        None if claimed.is_some() => Site::Other,
        None => Site::Unknown,
    }
}

fn is_ours(claimed: &str, host: Option<&str>, allowed: &[String]) -> bool {
    let Ok(url) = Url::parse(claimed) else {
        return false;
    };
    let Some(name) = url.host_str() else { return false };
    let authority = url
        .port()
        .map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
    let origin = url.origin().ascii_serialization();
    host.is_some_and(|host| host.eq_ignore_ascii_case(&authority))
        || allowed
            .iter()
            .any(|one| one.trim_end_matches('/').eq_ignore_ascii_case(&origin))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn the_site_is_read_from_fetch_metadata_origin_and_referer() {
        let cases: &[(&[(&str, &str)], Site)] = &[
            (&[], Site::Unknown),
            (&[("sec-fetch-site", "same-origin")], Site::Same),
            (&[("sec-fetch-site", "none")], Site::Same),
            (&[("sec-fetch-site", "cross-site")], Site::Other),
            (&[("sec-fetch-site", "same-site")], Site::Other),
            (&[("origin", "http://gateway.test:20128")], Site::Same),
            (&[("origin", "http://gateway.test")], Site::Other),
            (&[("origin", "https://evil.test")], Site::Other),
            (&[("origin", "null")], Site::Other),
            (
                &[("referer", "http://gateway.test:20128/dashboard/keys")],
                Site::Same,
            ),
            (
                &[("referer", "https://evil.test/gateway.test:20128")],
                Site::Other,
            ),
            (&[("origin", "https://dash.test")], Site::Same),
            (
                &[("origin", "https://dash.test"), ("sec-fetch-site", "cross-site")],
                Site::Same,
            ),
            (&[("origin", "https://gateway.test:20128@evil.test")], Site::Other),
        ];
        let allowed = ["https://dash.test/".to_owned()];
        for (given, expected) in cases {
            let mut headers =
                HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("gateway.test:20128"))]);
            for (name, value) in *given {
                headers.insert(
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    HeaderValue::from_str(value).unwrap(),
                );
            }
            assert_eq!(
                site_of(&headers, &Uri::from_static("/api/keys"), &allowed),
                *expected,
                "{given:?}"
            );
        }
    }
}

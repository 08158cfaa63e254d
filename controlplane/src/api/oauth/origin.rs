//! Where a provider may send people back to: this control plane's own page, or their own machine, from whose address
//! bar they copy what arrived.

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use url::{Host, Url};

use crate::{api::Ctx, error::ApiError, http::Client, oauth::Provider};

/// The page that `crate::ui` serves for it.
pub const CALLBACK: &str = "/callback";

/// Under which address the caller reaches this control plane.
#[derive(Clone, Debug)]
pub struct OwnOrigin {
    authority: String,
    https: bool,
    /// `DASHBOARD_ORIGINS`
    others: Vec<String>,
}

// === impl OwnOrigin ===

impl FromRequestParts<Ctx> for OwnOrigin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let host = parts
            .headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let authority = host.or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
        Ok(Self {
            authority: authority.unwrap_or_default().to_owned(),
            https: parts
                .extensions
                .get::<Client>()
                .is_some_and(|client| client.https),
            others: ctx.config.dashboard_origins.clone(),
        })
    }
}

impl OwnOrigin {
    /// Where people are sent back to, and whether that is our own page.
    pub fn redirect(&self, provider: &Provider, asked: Option<&str>) -> Result<(Url, bool), ApiError> {
        if let Some(fixed) = &provider.redirect_uri
            && asked.is_none_or(|asked| asked == fixed.as_str())
        {
            return Ok((fixed.clone(), self.is_ours(fixed)));
        }
        let scheme = if self.https { "https" } else { "http" };
        let own = format!("{scheme}://{}{CALLBACK}", self.authority);
        let url = Url::parse(asked.unwrap_or(&own)).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.fragment().is_none());
        let refused = || {
            let text = format!(
                "must be {CALLBACK} of this control plane, or an address of the caller's own machine"
            );
            ApiError::invalid("redirect_uri", text)
        };
        let url = url.ok_or_else(refused)?;
        match self.is_ours(&url) {
            true => Ok((url, true)),
            false if is_loopback(&url) => Ok((url, false)),
            false => Err(refused()),
        }
    }

    fn is_ours(&self, url: &Url) -> bool {
        let Some(name) = url.host_str() else { return false };
        let authority = url
            .port()
            .map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
        let origin = url.origin().ascii_serialization();
        let ours = self.authority.eq_ignore_ascii_case(&authority)
            || self
                .others
                .iter()
                .any(|other| other.trim_end_matches('/').eq_ignore_ascii_case(&origin));
        ours && url.path() == CALLBACK && url.query().is_none() && url.username().is_empty()
    }
}

/// RFC 8252 section 7.3.
fn is_loopback(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

//! Optimistic concurrency: the ETag of a resource is its `updatedAt` in milliseconds.

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, header, request::Parts},
};
use chrono::{DateTime, Utc};

use crate::{api::Ctx, error::ApiError};

/// The `If-Match` of a write, if the client sent one.
#[derive(Clone, Debug, Default)]
pub struct IfMatch(Option<String>);

// === impl IfMatch ===

impl IfMatch {
    /// Refuses a write to a resource that has changed since the client read it.
    pub fn check(&self, updated_at: DateTime<Utc>) -> Result<(), ApiError> {
        let Some(given) = &self.0 else { return Ok(()) };
        let current = tag(updated_at);
        let matches = given
            .split(',')
            .map(str::trim)
            .any(|one| one == "*" || one == current);
        if matches { Ok(()) } else { Err(ApiError::Stale) }
    }
}

impl FromRequestParts<Ctx> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Ctx) -> Result<Self, ApiError> {
        let given = parts
            .headers
            .get(header::IF_MATCH)
            .map(|value| value.to_str().unwrap_or_default().to_owned());
        Ok(Self(given))
    }
}

/// The header of a single resource's answer.
pub fn etag(updated_at: DateTime<Utc>) -> [(HeaderName, HeaderValue); 1] {
    let value = HeaderValue::from_str(&tag(updated_at)).expect("digits and quotes are a header value");
    [(header::ETAG, value)]
}

fn tag(updated_at: DateTime<Utc>) -> String {
    format!("\"{}\"", updated_at.timestamp_millis())
}

//! The answer to a write of configuration: which revision it made, and whether the fleet runs it yet.

use std::time::Duration;

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::{api::Ctx, db::Committed, error::ApiError, http::Query};

pub const X_CONFIG_REVISION: HeaderName = HeaderName::from_static("x-config-revision");
/// `acked/total` data planes, when the client asked to wait.
pub const X_CONFIG_APPLIED: HeaderName = HeaderName::from_static("x-config-applied");

const DEFAULT_WAIT_MS: u64 = 3000;

/// Whether the answer should wait until the data planes run the new revision. Never fails a write: when the time is
/// up, the answer tells how many do.
#[derive(Debug)]
pub struct Wait {
    ctx: Ctx,
    timeout: Option<Duration>,
}

/// Query parameters of every write of configuration.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct WaitQuery {
    /// `applied`: answer when every connected data plane runs the new revision.
    wait: Option<String>,
    /// How long to wait at most, 100 to 10000 milliseconds.
    wait_ms: Option<u64>,
}

// === impl Wait ===

impl FromRequestParts<Ctx> for Wait {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let Query(query) = Query::<WaitQuery>::from_request_parts(parts, ctx).await?;
        let millis = query.wait_ms.unwrap_or(DEFAULT_WAIT_MS);
        if !(100..=10_000).contains(&millis) {
            return Err(ApiError::invalid("waitMs", "must be 100 to 10000"));
        }
        let timeout = match query.wait.as_deref() {
            None => None,
            Some("applied") => Some(Duration::from_millis(millis)),
            Some(_) => return Err(ApiError::invalid("wait", "must be `applied`")),
        };
        Ok(Self {
            ctx: ctx.clone(),
            timeout,
        })
    }
}

impl Wait {
    /// Waits also when the client did not ask for it.
    pub fn always(mut self) -> Self {
        self.timeout.get_or_insert(Duration::from_millis(DEFAULT_WAIT_MS));
        self
    }

    /// The answer to a committed write.
    pub async fn answer<T: Serialize>(self, status: StatusCode, committed: Committed<T>) -> Response {
        self.ctx.wake.wake();
        let mut response = (status, Json(committed.value)).into_response();
        response
            .headers_mut()
            .insert(X_CONFIG_REVISION, HeaderValue::from(committed.revision));
        if let Some(timeout) = self.timeout {
            let applied = self.ctx.fleet.wait_applied(committed.revision, timeout).await;
            let text = format!("{}/{}", applied.acked, applied.total);
            let value = HeaderValue::from_str(&text).expect("digits and a slash are a header value");
            response.headers_mut().insert(X_CONFIG_APPLIED, value);
        }
        response
    }
}

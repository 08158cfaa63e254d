//! Every way a request can fail, and the three questions the edge asks about it: what kind it is, what the client
//! may read, and when to come back.

use crate::pipeline::{AddressError, ArrivalError, AuthError, Denied, Exhausted, PlanError};
use llm::guard::Blocked;
use llm::{DecodeError, EncodeError, ErrorKind, PublicError, UpstreamError};
use std::time::Duration;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum GatewayError {
    #[error("this gateway has no configuration yet: it is waiting for its control plane")]
    Unconfigured,
    #[error("Server is shutting down")]
    Draining,
    #[error("no such endpoint: {method} {path}")]
    NotFound { method: String, path: String },
    #[error("Response with id '{id}' not found: this gateway keeps no responses")]
    NotKept { id: String },
    #[error("method {method} is not allowed for {path}")]
    MethodNotAllowed { method: String, path: String },
    #[error("the gateway failed; the request id leads to its log")]
    Panicked,
    #[error("Idempotency-Key and X-Request-Id may have {max} characters at most")]
    NameTooLong { max: usize },
    #[error("the same request is still being answered; send it again later")]
    StillRunning,
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Arrival(#[from] ArrivalError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The guard does not let it through.
    #[error(transparent)]
    Blocked(#[from] Blocked),
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// It does not fit into the limits of its key.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Nothing that the model stands for can express the request.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The last attempt's failure.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
}

// === impl GatewayError ===

impl GatewayError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unconfigured | Self::Draining => ErrorKind::Unavailable,
            Self::NotFound { .. } | Self::NotKept { .. } => ErrorKind::NotFound,
            Self::MethodNotAllowed { .. } => ErrorKind::MethodNotAllowed,
            Self::Panicked => ErrorKind::Internal,
            Self::Address(error) => error.kind(),
            Self::Auth(error) => error.kind(),
            Self::Arrival(error) => error.kind(),
            Self::StillRunning => ErrorKind::Timeout,
            Self::NameTooLong { .. } | Self::Decode(_) | Self::Blocked(_) => ErrorKind::InvalidRequest,
            Self::Plan(error) => error.kind(),
            Self::Denied(denied) => denied.kind,
            Self::Encode(_) => ErrorKind::Unsupported,
            Self::Upstream(error) => error.kind,
            Self::Exhausted(error) => error.kind,
        }
    }

    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Denied(denied) => denied.retry_after,
            Self::Upstream(error) => error.retry_after,
            Self::Exhausted(error) => error.retry_after,
            _ => None,
        }
    }

    /// Whether a provider, and not the gateway or the client, is the cause.
    pub fn is_upstream(&self) -> bool {
        matches!(self, Self::Upstream(_) | Self::Exhausted(_))
    }

    /// What the client reads, in whatever dialect it speaks.
    pub fn public(&self, request_id: &str) -> PublicError {
        let mut public = PublicError {
            upstream_status: None,
            kind: self.kind(),
            message: self.to_string(),
            code: None,
            param: None,
            detections: None,
            details: Vec::new(),
            request_id: request_id.to_owned(),
        };
        match self {
            Self::Upstream(error) => return upstream(error, request_id),
            Self::Address(_) => public.code = Some(AddressError::CODE.to_owned()),
            Self::Draining => public.code = Some("SERVICE_UNAVAILABLE".to_owned()),
            Self::Exhausted(exhausted) => {
                public.code = Some("all_accounts_unavailable".to_owned());
                public.details.clone_from(&exhausted.details);
            }
            Self::Denied(denied) => public.code = denied.code.map(str::to_owned),
            Self::Blocked(blocked) => {
                public.code = blocked.code().map(str::to_owned);
                public.detections = blocked.detections();
            }
            Self::Decode(error) => public.param.clone_from(&error.param),
            Self::Encode(error) => public.param.clone_from(&error.param),
            Self::Plan(_) => public.param = Some("model".to_owned()),
            _ => {}
        }
        public
    }
}

fn upstream(error: &UpstreamError, request_id: &str) -> PublicError {
    let mut public = error.public(request_id);
    match error.status {
        // SDKs look for the first words of this one
        _ if error.kind == ErrorKind::ContextLength => {}
        Some(status @ 400..) => public.message = format!("[{status}]: {}", error.message),
        _ => {}
    }
    public
}

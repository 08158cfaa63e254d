//! The one error of the management API: what went wrong, what the client may read, how it is logged.
//!
//! A handler returns an [`ApiError`]; the edge ([`crate::http::edge`]) gives it the request id, renders the
//! envelope and logs it, once. Driver texts, SQL and paths never reach the client: they are sources, and sources
//! are only logged.

use std::{borrow::Cow, net::IpAddr, sync::Arc, time::Duration};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use state::StoreError;
use thiserror::Error;
use utoipa::ToSchema;

use crate::{
    bodies::BodiesError, oauth::OAuthError, password::PasswordError, probe::ProbeError, publish::AskError,
    vault::VaultError,
};

/// One rule that a value of the request breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Violation {
    /// Dotted path inside the body or the query, such as `models.0.weight`.
    pub field: String,
    pub message: String,
    /// The field is absent rather than wrong.
    #[serde(skip)]
    pub missing: bool,
}

#[derive(Debug, Error)]
pub enum ApiError {
    #[error("{}", summary(.0))]
    Invalid(Vec<Violation>),
    #[error("send the body as Content-Type: application/json")]
    MediaType,
    #[error("send the file as Content-Type: multipart/form-data")]
    NotMultipart,
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge { limit: usize },

    #[error(
        "log in, or send an API key with the scope `manage` or a management token as Authorization: Bearer"
    )]
    NoCredential,
    #[error("the password or the username is wrong")]
    WrongPassword,
    #[error("the session has ended: log in again")]
    SessionEnded,
    /// Something outside decides about processes.
    #[error("{0}")]
    ManagedElsewhere(&'static str),
    #[error("{0}")]
    Forbidden(Cow<'static, str>),
    /// Why requests from the client's address are not let in.
    #[error("{0}")]
    AddressRefused(String),
    #[error("too many failed logins: try again later")]
    LoginLocked { retry_after: Duration },
    #[error("no password is set yet: set one with POST /api/settings/require-login from the machine itself")]
    SetupNeeded,
    #[error("the request comes from another site: send it from the dashboard, or with an API key")]
    CrossSite,
    #[error("too many requests: slow down")]
    RateLimited { retry_after: Duration },

    #[error("there is no {what} `{id}`")]
    NotFound { what: &'static str, id: String },
    #[error("{0}")]
    Gone(&'static str),
    #[error("there is nothing at this path")]
    UnknownPath,
    #[error("this path does not know the method: see the Allow header")]
    Method,
    #[error("{message}")]
    Conflict {
        message: String,
        details: Vec<Violation>,
    },
    #[error(
        "this would refuse your own address {ip} ({why}): list it first, or send `force: true` to do it all the same"
    )]
    SelfLockout { ip: IpAddr, why: String },
    #[error("the resource was changed in the meantime: read it again")]
    Stale,

    #[error("no provider, combo or alias answers to `{0}`: GET /api/models/catalog lists what does")]
    UnknownModel(String),
    #[error("there is no provider `{0}` that takes an API key")]
    UnknownProvider(String),
    #[error("{0}")]
    NoModelListing(String),
    #[error("{0}")]
    NoUsableCredential(String),
    #[error("{0}")]
    ComboCycle(String),
    #[error("{0}")]
    ComboDepth(String),
    #[error("the address is refused: {0}")]
    UrlBlocked(String),
    #[error("{message}")]
    Upstream { status: Option<u16>, message: String },
    #[error("the provider did not answer in time")]
    UpstreamTimeout,

    #[error("the backup cannot be restored: {0}")]
    BackupCorrupt(String),
    #[error("{0}")]
    OperationInProgress(String),
    /// Something outside that this needs is not there.
    #[error("{0}")]
    Unavailable(String),
    #[error(transparent)]
    OAuth(#[from] OAuthError),
    #[error("{0}")]
    SwitchedOff(&'static str),
    /// What this would need was not set when the process started.
    #[error("{0}")]
    NotConfigured(String),

    #[error("this control plane is shutting down: try again")]
    Draining,
    #[error("the database does not answer: try again")]
    Database(#[source] sqlx::Error),
    #[error("the state store does not answer: try again")]
    Store(#[from] StoreError),
    #[error(transparent)]
    NoAnswer(#[from] AskError),
    #[error("something went wrong inside: the log has it under the correlation id")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How the client sees an error, in the words of the error code registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    pub status: StatusCode,
    pub code: &'static str,
    pub r#type: &'static str,
}

// === impl Violation ===

impl Violation {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
            missing: false,
        }
    }

    pub fn missing(field: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: "is required".to_owned(),
            missing: true,
        }
    }
}

// === impl ApiError ===

impl ApiError {
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation::new(field, message)])
    }

    pub fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound {
            what,
            id: id.to_string(),
        }
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict {
            message: message.into(),
            details: Vec::new(),
        }
    }

    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }

    pub fn kind(&self) -> Kind {
        let kind = |status, code, r#type| Kind { status, code, r#type };
        match self {
            Self::Invalid(violations) if !violations.is_empty() && violations.iter().all(|v| v.missing) => {
                kind(StatusCode::BAD_REQUEST, "VALIDATION_002", "invalid_request")
            }
            Self::Invalid(_) => kind(StatusCode::BAD_REQUEST, "VALIDATION_001", "invalid_request"),
            Self::MediaType | Self::NotMultipart => kind(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "VALIDATION_003",
                "invalid_request",
            ),
            Self::BodyTooLarge { .. } => kind(StatusCode::PAYLOAD_TOO_LARGE, "LIMIT_001", "invalid_request"),
            Self::NoCredential => kind(StatusCode::UNAUTHORIZED, "AUTH_001", "authentication_error"),
            Self::ManagedElsewhere(_) => kind(
                StatusCode::FORBIDDEN,
                "MANAGED_BY_ORCHESTRATOR",
                "permission_error",
            ),
            Self::WrongPassword => kind(StatusCode::UNAUTHORIZED, "AUTH_002", "authentication_error"),
            Self::SessionEnded => kind(StatusCode::UNAUTHORIZED, "AUTH_003", "authentication_error"),
            Self::Forbidden(_) => kind(StatusCode::FORBIDDEN, "AUTH_004", "permission_error"),
            Self::AddressRefused(_) => kind(StatusCode::FORBIDDEN, "IP_001", "permission_error"),
            Self::LoginLocked { .. } => kind(StatusCode::TOO_MANY_REQUESTS, "AUTH_005", "rate_limited"),
            Self::SetupNeeded => kind(StatusCode::FORBIDDEN, "SETUP_001", "permission_error"),
            Self::CrossSite => kind(StatusCode::FORBIDDEN, "CSRF_001", "permission_error"),
            Self::RateLimited { .. } => kind(StatusCode::TOO_MANY_REQUESTS, "LIMIT_002", "rate_limited"),
            Self::NotFound { .. } | Self::UnknownPath => {
                kind(StatusCode::NOT_FOUND, "RESOURCE_001", "not_found")
            }
            Self::Gone(_) => kind(StatusCode::GONE, "RESOURCE_001", "not_found"),
            Self::Method => kind(StatusCode::METHOD_NOT_ALLOWED, "METHOD_001", "invalid_request"),
            Self::Conflict { .. } => kind(StatusCode::CONFLICT, "RESOURCE_002", "conflict"),
            Self::SelfLockout { .. } => kind(StatusCode::CONFLICT, "SELF_LOCKOUT", "conflict"),
            Self::Stale => kind(StatusCode::PRECONDITION_FAILED, "PRECONDITION_001", "conflict"),
            Self::UnknownModel(_) => kind(StatusCode::NOT_FOUND, "MODEL_001", "not_found"),
            Self::UnknownProvider(_) => kind(StatusCode::BAD_REQUEST, "PROVIDER_003", "invalid_request"),
            Self::NoModelListing(_) => kind(StatusCode::BAD_REQUEST, "PROVIDER_004", "invalid_request"),
            Self::NoUsableCredential(_) => kind(StatusCode::CONFLICT, "PROVIDER_005", "conflict"),
            Self::ComboCycle(_) => kind(StatusCode::BAD_REQUEST, "COMBO_CYCLE", "invalid_request"),
            Self::ComboDepth(_) => kind(StatusCode::BAD_REQUEST, "COMBO_DEPTH", "invalid_request"),
            Self::UrlBlocked(_) => kind(
                StatusCode::UNPROCESSABLE_ENTITY,
                "URL_GUARD_BLOCKED",
                "invalid_request",
            ),
            Self::Upstream { .. } => kind(StatusCode::BAD_GATEWAY, "UPSTREAM_001", "upstream_error"),
            Self::UpstreamTimeout => kind(StatusCode::GATEWAY_TIMEOUT, "UPSTREAM_002", "upstream_error"),
            Self::OAuth(OAuthError::UnknownProvider(_)) => {
                kind(StatusCode::NOT_FOUND, "RESOURCE_001", "not_found")
            }
            Self::SwitchedOff(_) => kind(StatusCode::NOT_FOUND, "FEATURE_DISABLED", "not_found"),
            Self::NotConfigured(_) => kind(StatusCode::NOT_IMPLEMENTED, "FEATURE_DISABLED", "server_error"),
            Self::OAuth(OAuthError::NotOffered { .. }) => {
                kind(StatusCode::CONFLICT, "OAUTH_NOT_OFFERED", "conflict")
            }
            Self::OAuth(OAuthError::ClientMissing { .. }) => {
                kind(StatusCode::CONFLICT, "OAUTH_CLIENT_MISSING", "conflict")
            }
            Self::OAuth(OAuthError::State) => kind(StatusCode::BAD_REQUEST, "OAUTH_STATE", "invalid_request"),
            Self::OAuth(OAuthError::Over) => kind(StatusCode::GONE, "OAUTH_EXPIRED", "invalid_request"),
            Self::OAuth(OAuthError::Refused { .. }) => {
                kind(StatusCode::BAD_GATEWAY, "OAUTH_EXCHANGE", "upstream_error")
            }
            Self::NoAnswer(AskError::Nobody) => {
                kind(StatusCode::SERVICE_UNAVAILABLE, "NO_DATAPLANE", "server_error")
            }
            Self::BackupCorrupt(_) => kind(
                StatusCode::UNPROCESSABLE_ENTITY,
                "BACKUP_CORRUPT",
                "invalid_request",
            ),
            Self::OperationInProgress(_) => kind(StatusCode::CONFLICT, "OPERATION_IN_PROGRESS", "conflict"),
            Self::Unavailable(_) => kind(StatusCode::SERVICE_UNAVAILABLE, "SERVER_002", "server_error"),
            Self::Draining | Self::Store(_) | Self::NoAnswer(_) => {
                kind(StatusCode::SERVICE_UNAVAILABLE, "SERVER_002", "server_error")
            }
            Self::Database(source) if is_outage(source) => {
                kind(StatusCode::SERVICE_UNAVAILABLE, "SERVER_002", "server_error")
            }
            Self::Database(_) | Self::Internal(_) => {
                kind(StatusCode::INTERNAL_SERVER_ERROR, "SERVER_001", "server_error")
            }
        }
    }

    /// The sentence for the client.
    pub fn message(&self) -> String {
        match self {
            Self::Database(source) if !is_outage(source) => {
                "something went wrong inside: the log has it under the correlation id".to_owned()
            }
            other => other.to_string(),
        }
    }

    pub fn details(&self) -> &[Violation] {
        match self {
            Self::Invalid(details) | Self::Conflict { details, .. } => details,
            _ => &[],
        }
    }

    /// When it makes sense to come back.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::LoginLocked { retry_after } | Self::RateLimited { retry_after } => Some(*retry_after),
            Self::Draining => Some(Duration::from_secs(5)),
            Self::Store(_) | Self::NoAnswer(_) => Some(Duration::from_secs(1)),
            Self::Database(source) if is_outage(source) => Some(Duration::from_secs(1)),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(source: sqlx::Error) -> Self {
        Self::Database(source)
    }
}

impl From<VaultError> for ApiError {
    fn from(source: VaultError) -> Self {
        Self::internal(source)
    }
}

impl From<BodiesError> for ApiError {
    fn from(source: BodiesError) -> Self {
        match source {
            BodiesError::Database(error) => Self::Database(error),
            other => Self::internal(other),
        }
    }
}

impl From<PasswordError> for ApiError {
    fn from(source: PasswordError) -> Self {
        Self::internal(source)
    }
}

impl From<ProbeError> for ApiError {
    fn from(error: ProbeError) -> Self {
        match error {
            ProbeError::Blocked(why) => Self::UrlBlocked(why),
            ProbeError::Address(_) => Self::NoModelListing(error.to_string()),
            ProbeError::Timeout => Self::UpstreamTimeout,
            ProbeError::Credential | ProbeError::Account(_) => Self::NoUsableCredential(error.to_string()),
            ProbeError::Network(_) | ProbeError::Proxy(_) | ProbeError::TooLarge | ProbeError::Grant(_) => {
                Self::Upstream {
                    status: None,
                    message: error.to_string(),
                }
            }
        }
    }
}

impl IntoResponse for ApiError {
    /// An answer without a body: the edge fills it in, for only it knows the request id.
    fn into_response(self) -> Response {
        let mut response = self.kind().status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// The database is gone or busy, as opposed to having been asked something wrong.
fn is_outage(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
    )
}

fn summary(violations: &[Violation]) -> String {
    match violations {
        [] => "the request is not valid".to_owned(),
        [one] if one.field.is_empty() => one.message.clone(),
        [one] => format!("`{}` {}", one.field, one.message),
        many => format!("{} values of the request are not valid", many.len()),
    }
}

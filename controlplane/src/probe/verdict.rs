//! What a probe found out, and how the API words it.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::ProbeError;

#[derive(Debug)]
pub struct Check {
    pub finding: Finding,
    pub status: Option<u16>,
    pub latency: Duration,
}

#[derive(Debug)]
pub enum Finding {
    Accepted,
    /// Accepted, but there is no quota at the moment.
    RateLimited,
    Refused,
    /// There is nothing at the address that could be asked.
    Unverifiable,
    Unavailable,
    /// The address guard refused the address.
    Blocked(String),
    Unreachable(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Diagnosis {
    /// `ok`, `upstream_auth_error`, `upstream_rate_limited`, `upstream_unavailable`, `network_error`,
    /// `upstream_error`, `auth_missing`.
    pub r#type: &'static str,
    /// `local`, `upstream` or `validation`.
    pub source: &'static str,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

// === impl Finding ===

impl Finding {
    pub(super) fn of_chat(status: StatusCode) -> Self {
        match status.as_u16() {
            401 | 403 => Self::Refused,
            404 | 405 => Self::Unverifiable,
            429 => Self::RateLimited,
            500.. => Self::Unavailable,
            // Other 4xx object to the request: the credential got that far.
            _ => Self::Accepted,
        }
    }

    pub fn is_valid(&self) -> bool {
        matches!(self, Self::Accepted | Self::RateLimited)
    }

    /// Why the credential is not usable.
    pub fn error(&self) -> Option<String> {
        match self {
            Self::Accepted | Self::RateLimited => None,
            Self::Refused => Some("the provider refuses the credential".to_owned()),
            Self::Unverifiable => {
                Some("cannot validate: the address knows no model list and no chat".to_owned())
            }
            Self::Unavailable => Some("the provider is unavailable: try again later".to_owned()),
            Self::Blocked(why) => Some(format!("the address is refused: {why}")),
            Self::Unreachable(why) => Some(why.clone()),
        }
    }
}

impl From<ProbeError> for Finding {
    fn from(error: ProbeError) -> Self {
        match error {
            ProbeError::Blocked(why) => Self::Blocked(why),
            // whoever gives out tokens for the provider speaks for it
            ProbeError::Grant(error) if error.blames_account() => Self::Refused,
            other => Self::Unreachable(other.to_string()),
        }
    }
}

// === impl Check ===

impl Check {
    pub fn diagnosis(&self) -> Diagnosis {
        let (r#type, source) = match &self.finding {
            Finding::Accepted => ("ok", "upstream"),
            Finding::RateLimited => ("upstream_rate_limited", "upstream"),
            Finding::Refused => ("upstream_auth_error", "upstream"),
            Finding::Unverifiable => ("upstream_error", "upstream"),
            Finding::Unavailable => ("upstream_unavailable", "upstream"),
            Finding::Blocked(_) => ("network_error", "validation"),
            Finding::Unreachable(_) => ("network_error", "local"),
        };
        Diagnosis {
            r#type,
            source,
            message: self
                .finding
                .error()
                .unwrap_or_else(|| "the provider accepts the credential".to_owned()),
            code: self.status.map(|status| status.to_string()),
        }
    }

    pub fn latency_ms(&self) -> u64 {
        u64::try_from(self.latency.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_status_says_whether_the_credential_passed() {
        let cases = [
            (200, true),
            (400, true),
            (422, true),
            (429, true),
            (401, false),
            (403, false),
            (404, false),
            (405, false),
            (500, false),
            (503, false),
        ];
        for (status, valid) in cases {
            assert_eq!(
                Finding::of_chat(StatusCode::from_u16(status).unwrap()).is_valid(),
                valid,
                "{status}"
            );
        }
    }
}

//! What is wrong with one resource: the same finding in a refused API call and in a data plane's report.

use std::fmt;

use crate::v1::{ResourceError, ResourceKey, resource_error};

/// As long as a message between planes may be, in bytes.
const MESSAGE_BYTES: usize = 512;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    pub resource: ResourceKey,
    /// Where in the resource, in the words of its `.proto`: `members.0.weight`. Empty for the whole of it.
    pub field: String,
    pub rule: Rule,
    /// Lowercase, names the expectation, never a secret: `must be at most 100`.
    pub message: String,
}

/// The kind of rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The value alone is wrong.
    Value,
    /// Names lead round in circles.
    Cycle,
    /// Names are nested too deeply.
    Depth,
}

// === impl Issue ===

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => f.write_str(&self.message),
            field => write!(f, "{field} {}", self.message),
        }
    }
}

impl From<Issue> for ResourceError {
    fn from(issue: Issue) -> Self {
        let mut message = issue.to_string();
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
        Self {
            code: resource_error::Code::Invalid.into(),
            resource: Some(issue.resource),
            message,
            quarantined: true,
        }
    }
}

//! When a policy applies and what it does, as it lies in the database and as the API shows it: one shape for both.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::Violations;

const MODEL_CHARS: usize = 300;
const LIST_ITEMS: usize = 1_000;
const MINUTES_PER_DAY: u32 = 24 * 60;

/// A request that fails one of these is none of the policy's business. What is absent or empty applies to all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Conditions {
    /// `*` is any text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_pattern: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub api_key_ids: Vec<Uuid>,
    /// Ids or aliases of providers, ids or prefixes of provider nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub providers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
}

/// What the policy does; the field of its type and no other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Actions {
    /// `routing`: tried before the others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub prefer_provider: Vec<String>,
    /// `access`: models that are refused; `*` is any text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub block_model: Vec<String>,
    /// `budget`: an answer has no more tokens than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
}

/// A part of the day. `until` before `from` is over midnight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    #[schema(value_type = String, example = "22:00")]
    pub from: Minute,
    /// Exclusive; `24:00` is the end of the day.
    #[schema(value_type = String, example = "06:00")]
    pub until: Minute,
    /// 1 is Monday; none is all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub days: Vec<u32>,
    /// `UTC`.
    #[serde(default = "utc")]
    pub tz: String,
}

/// A minute of the day, written `HH:MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Minute(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a time of the day such as 09:30")]
pub struct NoTime;

// === impl Conditions ===

impl Conditions {
    pub fn check(&self, violations: &mut Violations) {
        if let Some(pattern) = &self.model_pattern {
            violations.length("conditions.model_pattern", pattern, 1..=MODEL_CHARS);
        }
        check_list(violations, "conditions.providers", &self.providers);
        check_count(violations, "conditions.api_key_ids", self.api_key_ids.len());
        if let Some(hours) = &self.hours {
            hours.check(violations);
        }
    }
}

// === impl Actions ===

impl Actions {
    /// What is wrong with them on their own; that they are those of the type is [`Actions::belong_to`].
    pub fn check(&self, violations: &mut Violations) {
        check_list(violations, "actions.prefer_provider", &self.prefer_provider);
        check_list(violations, "actions.block_model", &self.block_model);
        if self.max_tokens == Some(0) {
            violations.add("actions.max_tokens", "must be at least 1");
        }
    }

    pub fn belong_to(&self, r#type: &str, violations: &mut Violations) {
        let given = [
            (
                "routing",
                "actions.prefer_provider",
                !self.prefer_provider.is_empty(),
            ),
            ("access", "actions.block_model", !self.block_model.is_empty()),
            ("budget", "actions.max_tokens", self.max_tokens.is_some()),
        ];
        for (owner, field, is_given) in given {
            match (owner == r#type, is_given) {
                (true, false) => violations.add(field, format!("is what a policy of type `{owner}` needs")),
                (false, true) => violations.add(field, format!("belongs to policies of type `{owner}`")),
                _ => {}
            }
        }
    }
}

// === impl Hours ===

impl Hours {
    fn check(&self, violations: &mut Violations) {
        if self.from.get() == MINUTES_PER_DAY {
            violations.add("conditions.hours.from", "must be before 24:00");
        }
        if self.from == self.until {
            violations.add("conditions.hours.until", "must differ from `from`");
        }
        if self.days.len() > 7 || self.days.iter().any(|day| !(1..=7).contains(day)) {
            violations.add("conditions.hours.days", "must be 1 for Monday to 7 for Sunday");
        }
        if !proto::validate::is_utc(&self.tz) {
            violations.add("conditions.hours.tz", "must be UTC: write the hours in UTC");
        }
    }
}

// === impl Minute ===

impl Minute {
    pub fn get(self) -> u32 {
        self.0
    }
}

impl FromStr for Minute {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        let two_digits = |part: &str| {
            let plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u32>().ok().filter(|_| plain)
        };
        let (hour, minute) = text.split_once(':').ok_or(NoTime)?;
        let (hour, minute) = two_digits(hour).zip(two_digits(minute)).ok_or(NoTime)?;
        let of_day = hour * 60 + minute;
        if minute < 60 && of_day <= MINUTES_PER_DAY {
            Ok(Self(of_day))
        } else {
            Err(NoTime)
        }
    }
}

impl TryFrom<String> for Minute {
    type Error = NoTime;

    fn try_from(text: String) -> Result<Self, NoTime> {
        text.parse()
    }
}

impl From<Minute> for String {
    fn from(minute: Minute) -> Self {
        minute.to_string()
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

fn utc() -> String {
    "UTC".to_owned()
}

fn check_list(violations: &mut Violations, field: &str, items: &[String]) {
    check_count(violations, field, items.len());
    for (position, item) in items.iter().enumerate() {
        violations.length(&format!("{field}.{position}"), item, 1..=MODEL_CHARS);
    }
}

fn check_count(violations: &mut Violations, field: &str, count: usize) {
    if count > LIST_ITEMS {
        violations.add(field, format!("must have at most {LIST_ITEMS} entries"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_written_as_it_was_read() {
        for text in ["00:00", "09:30", "23:59", "24:00"] {
            let minute: Minute = text.parse().unwrap();
            assert_eq!(minute.to_string(), text);
        }
        assert_eq!("09:30".parse::<Minute>().unwrap().get(), 570);
        for text in ["", "9:30", "09:3", "24:01", "12:60", "+1:00", "0930", "09:30:00"] {
            assert_eq!(text.parse::<Minute>(), Err(NoTime), "{text}");
        }
    }
}

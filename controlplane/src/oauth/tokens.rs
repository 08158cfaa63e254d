//! What a token endpoint gives, RFC 6749 section 5.1.

use runtime::secret::Secret;
use serde::Deserialize;

/// Longer lifetimes are as good as none: the clock that compares them ends somewhere.
const LONGEST_S: i64 = 10 * 365 * 24 * 3600;

#[derive(Debug, Deserialize)]
pub struct Tokens {
    pub access_token: Secret<String>,
    pub refresh_token: Option<Secret<String>>,
    /// Came straight from the provider over TLS, so what it says about the account is believed unverified, OpenID
    /// Connect Core section 3.1.3.7.
    pub id_token: Option<Secret<String>>,
    pub token_type: Option<String>,
    pub scope: Option<String>,
    expires_in: Option<Seconds>,
}

/// A number, which some write as a text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

// === impl Tokens ===

impl Tokens {
    /// Any other kind of token could not be sent as a bearer's.
    pub fn is_usable(&self) -> bool {
        let bearer = self.token_type.as_deref().unwrap_or("bearer");
        let access = self.access_token.expose();
        bearer.eq_ignore_ascii_case("bearer")
            && !access.is_empty()
            && access.bytes().all(|b| b.is_ascii_graphic())
    }

    pub fn expires_in_s(&self) -> Option<i64> {
        let seconds = match self.expires_in.as_ref()? {
            Seconds::Number(seconds) => *seconds,
            Seconds::Text(text) => text.trim().parse().ok()?,
        };
        (seconds > 0.0).then(|| (seconds as i64).min(LONGEST_S))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tokens(answer: serde_json::Value) -> Tokens {
        serde_json::from_value(answer).unwrap()
    }

    #[test]
    fn only_a_bearer_token_that_a_header_can_carry_is_usable() {
        assert!(tokens(json!({ "access_token": "a" })).is_usable());
        assert!(tokens(json!({ "access_token": "a", "token_type": "Bearer" })).is_usable());
        for odd in [
            json!({ "access_token": "" }),
            json!({ "access_token": "a\nb" }),
            json!({ "access_token": "a", "token_type": "DPoP" }),
        ] {
            assert!(!tokens(odd.clone()).is_usable(), "{odd}");
        }
    }

    #[test]
    fn a_lifetime_is_whole_seconds_that_a_clock_can_add() {
        let lifetime = |value: serde_json::Value| {
            tokens(json!({ "access_token": "a", "expires_in": value })).expires_in_s()
        };
        assert_eq!(lifetime(json!(3600)), Some(3600));
        assert_eq!(lifetime(json!(3599.9)), Some(3599));
        assert_eq!(lifetime(json!("3600")), Some(3600));
        assert_eq!(lifetime(json!("soon")), None);
        assert_eq!(lifetime(json!(0)), None);
        assert_eq!(lifetime(json!(-1)), None);
        assert_eq!(lifetime(json!(1e300)), Some(LONGEST_S));
        assert_eq!(lifetime(json!(null)), None);
    }
}

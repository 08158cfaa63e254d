//! Sessions of the dashboard: a signed token in a cookie.
//!
//! A token ends in three ways: it expires, its `jti` is revoked (logout), or the account's session epoch moves past
//! its `ver` (password change, log out everywhere). Every replica must know the same `JWT_SECRET`.

use axum::http::{HeaderMap, HeaderValue, header};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use runtime::secret::Secret;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::account::Account;

pub const COOKIE: &str = "auth_token";
pub const LIFETIME_SECONDS: i64 = 30 * 24 * 60 * 60;
/// A session with less left is renewed by its next request.
const RENEW_BELOW_SECONDS: i64 = 7 * 24 * 60 * 60;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The username.
    pub sub: String,
    /// The account's id: usernames may be given again.
    pub account: Uuid,
    pub authenticated: bool,
    /// Names the token for revocation.
    pub jti: String,
    /// Unix seconds.
    pub iat: i64,
    /// Unix seconds.
    pub exp: i64,
    /// The account's session epoch when it was made.
    pub ver: i32,
}

/// Signs and reads sessions.
pub struct Sessions {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    always_secure: bool,
}

// === impl Session ===

impl Session {
    pub fn start(account: &Account, epoch: i32, now: i64) -> Self {
        Self {
            sub: account.username.to_string(),
            account: account.id,
            authenticated: true,
            jti: Uuid::now_v7().to_string(),
            iat: now,
            exp: now + LIFETIME_SECONDS,
            ver: epoch,
        }
    }

    pub fn wants_renewal(&self, now: i64) -> bool {
        self.exp - now < RENEW_BELOW_SECONDS
    }
}

// === impl Sessions ===

impl Sessions {
    /// `always_secure` marks the cookie `Secure` even when the request arrived over plain HTTP.
    pub fn new(jwt_secret: &Secret<String>, always_secure: bool) -> Self {
        let secret = jwt_secret.expose().as_bytes();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.set_required_spec_claims(&["exp", "sub"]);
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
            always_secure,
        }
    }

    /// The `Set-Cookie` that carries `session`.
    pub fn cookie(&self, session: &Session, https: bool) -> Result<HeaderValue, jsonwebtoken::errors::Error> {
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), session, &self.encoding)?;
        let age = session.exp - session.iat;
        Ok(set_cookie(COOKIE, &token, "/", age, https || self.always_secure))
    }

    /// The `Set-Cookie` that makes the browser forget its session.
    pub fn clear_cookie(&self, https: bool) -> HeaderValue {
        set_cookie(COOKIE, "", "/", 0, https || self.always_secure)
    }

    /// The session of a request, if it carries one that is signed by us and has not expired. Whether it was ended
    /// early is for the caller to ask.
    pub fn read(&self, headers: &HeaderMap) -> Option<Session> {
        let token = token(headers)?;
        jsonwebtoken::decode::<Session>(token, &self.decoding, &self.validation)
            .ok()
            .map(|data| data.claims)
    }
}

/// A `Set-Cookie` for the browser alone; `value` is base64url and dots. `max_age` in seconds; 0 takes it back.
pub fn set_cookie(name: &str, value: &str, path: &str, max_age: i64, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; HttpOnly; SameSite=Lax; Path={path}; Max-Age={max_age}{secure}");
    HeaderValue::from_str(&text).expect("base64url and dots are a header value")
}

/// The raw value of the session cookie, if there is one.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    cookie_value(headers, COOKIE)
}

/// The value of a cookie, if it is not empty.
pub fn cookie_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|line| line.split(';'));
    let value = pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(one, _)| *one == name)?
        .1;
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Role;

    fn somebody() -> Account {
        Account {
            id: Uuid::now_v7(),
            username: "admin".into(),
            role: Role::Owner,
        }
    }

    fn sessions(secret: &str) -> Sessions {
        Sessions::new(&Secret::new(secret.to_owned()), false)
    }

    fn returned(cookie: &HeaderValue) -> HeaderMap {
        let pair = cookie.to_str().unwrap().split(';').next().unwrap();
        HeaderMap::from_iter([(
            header::COOKIE,
            HeaderValue::from_str(&format!("theme=dark; {pair}")).unwrap(),
        )])
    }

    #[test]
    fn a_cookie_reads_back_under_its_own_secret_only() {
        let now = chrono::Utc::now().timestamp();
        let session = Session::start(&somebody(), 3, now);
        let ours = sessions("0123456789abcdef0123456789abcdef");
        let cookie = ours.cookie(&session, true).unwrap();

        let text = cookie.to_str().unwrap();
        assert!(
            text.ends_with("; HttpOnly; SameSite=Lax; Path=/; Max-Age=2592000; Secure"),
            "{text}"
        );
        assert_eq!(ours.read(&returned(&cookie)), Some(session));
        assert_eq!(
            sessions("another secret of thirty-two chars").read(&returned(&cookie)),
            None
        );
    }

    #[test]
    fn an_expired_session_is_none() {
        let now = chrono::Utc::now().timestamp();
        let ours = sessions("0123456789abcdef0123456789abcdef");
        let cookie = ours
            .cookie(&Session::start(&somebody(), 1, now - LIFETIME_SECONDS - 1), false)
            .unwrap();
        assert_eq!(ours.read(&returned(&cookie)), None);
    }

    #[test]
    fn a_token_signed_with_no_algorithm_is_none() {
        // {"alg":"none"} . {"sub":"admin","authenticated":true,"jti":"x","iat":0,"exp":9999999999,"ver":1} . nothing
        let forged = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsImF1dGhlbnRpY2F0ZWQiOnRydWUsImp0aSI6IngiLCJpYXQiOjAsImV4cCI6OTk5OTk5OTk5OSwidmVyIjoxfQ.";
        let headers = HeaderMap::from_iter([(
            header::COOKIE,
            HeaderValue::from_str(&format!("{COOKIE}={forged}")).unwrap(),
        )]);
        assert_eq!(sessions("0123456789abcdef0123456789abcdef").read(&headers), None);
    }

    #[test]
    fn renewal_is_due_in_the_last_week() {
        let session = Session::start(&somebody(), 1, 0);
        assert!(!session.wants_renewal(LIFETIME_SECONDS - RENEW_BELOW_SECONDS));
        assert!(session.wants_renewal(LIFETIME_SECONDS - RENEW_BELOW_SECONDS + 1));
    }
}

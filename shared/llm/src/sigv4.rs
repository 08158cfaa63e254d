//! AWS Signature Version 4: what a request to AWS carries instead of its secret.
//!
//! Pure: the caller says what it sends, and what time it is. What is signed must be what is sent, so a request is
//! signed last, over the address and the headers as they go out. Source: the IAM user guide, "Create a signed AWS API
//! request", and AWS's test suite of signatures.

mod canonical;
mod signer;

use crate::calendar::Moment;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt;

pub use signer::{Outgoing, Signer};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// An access key, as IAM or STS issued it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    /// Only temporary credentials have one.
    session_token: Option<String>,
}

/// Where a signature is good.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// `us-east-1`
    pub region: &'a str,
    /// The service's signing name, which need not be in its address: `bedrock`.
    pub service: &'a str,
}

/// A request as it will be sent.
#[derive(Debug, Clone, Copy)]
pub struct Signable<'a> {
    pub method: &'a str,
    /// As in the request line, so percent-encoded already; it is encoded once more in what is signed.
    pub path: &'a str,
    /// Without the question mark; may be empty.
    pub query: &'a str,
    /// The headers to be signed. `host` must be among them; whatever a proxy may change must not.
    pub headers: &'a [(&'a str, &'a str)],
    pub payload: &'a [u8],
}

// === impl Credentials ===

impl Credentials {
    /// `accessKeyId:secretAccessKey`, or `accessKeyId:secretAccessKey:sessionToken`. `None` for anything else, such as
    /// a key that is sent as it is: those have no colon.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.trim().split(':').collect();
        let sound = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic());
        if !parts.iter().all(sound) {
            return None;
        }
        let (id, secret, token) = match parts.as_slice() {
            [id, secret] => (id, secret, None),
            [id, secret, token] => (id, secret, Some((*token).to_owned())),
            _ => return None,
        };
        Some(Self {
            access_key_id: (*id).to_owned(),
            secret_access_key: (*secret).to_owned(),
            session_token: token,
        })
    }

    /// The public half.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

// === functions ===

/// The headers to be sent beside those that were signed, names in lower case. A signature is good for some minutes
/// around `unix_seconds`.
pub fn sign(
    request: &Signable<'_>,
    credentials: &Credentials,
    scope: Scope<'_>,
    unix_seconds: u64,
) -> Vec<(&'static str, String)> {
    let Moment {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = Moment::of(unix_seconds);
    let date = format!("{year:04}{month:02}{day:02}");
    let time = format!("{date}T{hour:02}{minute:02}{second:02}Z");
    let mut added = vec![("x-amz-date", time.clone())];
    let token = credentials.session_token.clone();
    added.extend(token.map(|token| ("x-amz-security-token", token)));

    let own = added.iter().map(|(name, value)| (*name, value.as_str()));
    let headers: Vec<(&str, &str)> = request.headers.iter().copied().chain(own).collect();
    let signed_headers = canonical::names(&headers);
    let scope_text = format!("{date}/{}/{}/aws4_request", scope.region, scope.service);
    let canonical = canonical::request(request, &headers);
    let to_sign = format!(
        "{ALGORITHM}\n{time}\n{scope_text}\n{}",
        hex(&Sha256::digest(canonical))
    );

    let secret = format!("AWS4{}", credentials.secret_access_key);
    let steps = [date.as_str(), scope.region, scope.service, "aws4_request"];
    let key = steps
        .iter()
        .fold(secret.into_bytes(), |key, step| hmac(&key, step));
    let signature = hex(&hmac(&key, &to_sign));
    let id = &credentials.access_key_id;
    let authorization = format!(
        "{ALGORITHM} Credential={id}/{scope_text}, SignedHeaders={signed_headers}, Signature={signature}"
    );
    added.push(("authorization", authorization));
    added
}

/// The region in the name of one of AWS's hosts: `bedrock-runtime.us-east-1.amazonaws.com`.
pub fn region_of(host: &str) -> Option<&str> {
    let of_aws = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];
    if !of_aws.iter().any(|end| host.ends_with(end)) {
        return None;
    }
    host.split('.').find(|label| is_region(label))
}

/// `us-east-1`, `us-gov-west-1`: words and a number.
fn is_region(label: &str) -> bool {
    let words: Vec<&str> = label.split('-').collect();
    let [area, directions @ .., number] = words.as_slice() else {
        return false;
    };
    let letters = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    (2..=4).contains(&area.len())
        && letters(area)
        && !directions.is_empty()
        && directions.iter().all(letters)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;

//! The signature of a request, made once more from what arrived. It shares no code with who signs.

use axum::http::HeaderMap;
use axum::http::request::Parts;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The access key that is known here: `accessKeyId:secretAccessKey`.
pub const ACCESS_KEY: &str = "AKIADEMO:demo/secret+access/key";
/// One whose requests must bring its token, too: `accessKeyId:secretAccessKey:sessionToken`.
pub const TEMPORARY_ACCESS_KEY: &str = "ASIADEMO:demo/other+secret/key:demo//session+token==";

const SERVICE: &str = "bedrock";
/// How far a request's clock may be off.
const SKEW_SECONDS: u64 = 300;

/// Why a request is turned away.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub name: &'static str,
    pub message: &'static str,
}

/// What `Authorization` says.
struct Claim<'a> {
    access_key_id: &'a str,
    date: &'a str,
    region: &'a str,
    signed: Vec<&'a str>,
    signature: &'a str,
}

/// A request with a bearer is not looked at.
pub fn verify(parts: &Parts, body: &[u8]) -> Result<(), Refusal> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    verify_at(parts, body, now.as_secs())
}

fn verify_at(parts: &Parts, body: &[u8], now: u64) -> Result<(), Refusal> {
    let header = |name: &str| text(&parts.headers, name);
    let authorization = header("authorization").unwrap_or_default();
    let Some(fields) = authorization.strip_prefix(ALGORITHM) else {
        return Ok(());
    };
    let claim = Claim::read(fields).ok_or(INCOMPLETE)?;
    let time = header("x-amz-date").ok_or(INCOMPLETE)?;
    let sent = seconds(time).ok_or(INCOMPLETE)?;
    if !time.starts_with(claim.date) {
        return Err(INCOMPLETE);
    }
    if now.abs_diff(sent) > SKEW_SECONDS {
        return Err(EXPIRED);
    }
    let (secret, token) = known(claim.access_key_id).ok_or(UNKNOWN)?;
    if header("x-amz-security-token") != token {
        return Err(UNKNOWN);
    }
    let must_be_signed = |name: &str| name == "host" || name.starts_with("x-amz-");
    let names = parts.headers.keys().map(|name| name.as_str());
    if names
        .filter(|name| must_be_signed(name))
        .any(|name| !claim.signed.contains(&name))
    {
        return Err(INCOMPLETE);
    }
    let canonical = canonical(parts, &claim.signed, body).ok_or(INCOMPLETE)?;
    let scope = format!("{}/{}/{SERVICE}/aws4_request", claim.date, claim.region);
    let to_sign = format!(
        "{ALGORITHM}\n{time}\n{scope}\n{}",
        hex(&Sha256::digest(canonical))
    );
    let mut key = format!("AWS4{secret}").into_bytes();
    for step in [claim.date, claim.region, SERVICE, "aws4_request", &to_sign] {
        key = hmac(&key, step);
    }
    match hex(&key) == claim.signature {
        true => Ok(()),
        false => Err(WRONG),
    }
}

const INCOMPLETE: Refusal = Refusal {
    status: 403,
    name: "IncompleteSignatureException",
    message: "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header, and of all its parts.",
};
const EXPIRED: Refusal = Refusal {
    status: 403,
    name: "InvalidSignatureException",
    message: "Signature expired or not yet current",
};
const UNKNOWN: Refusal = Refusal {
    status: 403,
    name: "UnrecognizedClientException",
    message: "The security token included in the request is invalid.",
};
const WRONG: Refusal = Refusal {
    status: 403,
    name: "InvalidSignatureException",
    message: "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
              Access Key and signing method.",
};

// === impl Claim ===

impl<'a> Claim<'a> {
    fn read(fields: &'a str) -> Option<Self> {
        let field = |name: &str| {
            let mut all = fields.split(',').map(str::trim);
            all.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        let scope: Vec<&str> = field("Credential")?.split('/').collect();
        let [access_key_id, date, region, SERVICE, "aws4_request"] = scope[..] else {
            return None;
        };
        Some(Self {
            access_key_id,
            date,
            region,
            signed: field("SignedHeaders")?.split(';').collect(),
            signature: field("Signature")?,
        })
    }
}

// === functions ===

/// Secret and token of an access key.
fn known(access_key_id: &str) -> Option<(&'static str, Option<&'static str>)> {
    [ACCESS_KEY, TEMPORARY_ACCESS_KEY].into_iter().find_map(|key| {
        let (id, rest) = key.split_once(':')?;
        let (secret, token) = match rest.split_once(':') {
            Some((secret, token)) => (secret, Some(token)),
            None => (rest, None),
        };
        (id == access_key_id).then_some((secret, token))
    })
}

/// `None` when a header is said to be signed that did not come.
fn canonical(parts: &Parts, signed: &[&str], body: &[u8]) -> Option<String> {
    let mut path = String::new();
    for byte in parts.uri.path().bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => path.push(char::from(byte)),
            _ => write!(path, "%{byte:02X}").ok()?,
        }
    }
    let mut query: Vec<&str> = parts.uri.query().unwrap_or_default().split('&').collect();
    query.sort_unstable();
    let mut headers = String::new();
    for name in signed {
        let value = text(&parts.headers, name)?;
        let words: Vec<&str> = value.split_whitespace().collect();
        writeln!(headers, "{name}:{}", words.join(" ")).ok()?;
    }
    Some(format!(
        "{}\n{path}\n{}\n{headers}\n{}\n{}",
        parts.method,
        query.join("&"),
        signed.join(";"),
        hex(&Sha256::digest(body))
    ))
}

/// `20150830T123600Z` as Unix time.
fn seconds(time: &str) -> Option<u64> {
    let (date, clock) = time.strip_suffix('Z')?.split_once('T')?;
    if date.len() != 8 || clock.len() != 6 {
        return None;
    }
    let number = |text: &str, from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(date, 0, 4)?, number(date, 4, 6)?, number(date, 6, 8)?);
    let (hour, minute, second) = (number(clock, 0, 2)?, number(clock, 2, 4)?, number(clock, 4, 6)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // whole years and months before this one, in a year that begins in March so that its odd day comes last
    let (years, months) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days_of_years = years * 365 + years / 4 - years / 100 + years / 400;
    let days = days_of_years + (153 * months + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests;

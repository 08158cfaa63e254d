//! Whether a proxy leads anywhere: a service that says who calls it is called through it.

use super::{CallError, ConnectTimeout, Egress, EgressError, Proxy, ProxyFailed};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use serde_json::Value;
use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;
use url::Url;

/// An address needs less.
const ANSWER_BYTES: usize = 4096;

// === impl Egress ===

impl Egress {
    /// The address that the world sees calls through `proxy` come from, as the service at `url` says it. Why there is
    /// none, in words for an operator, who may read what a proxy of theirs says.
    pub async fn echo(&self, url: &str, proxy: &Proxy, limit: Duration) -> Result<IpAddr, String> {
        match tokio::time::timeout(limit, self.ask_echo(url, proxy)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no answer within {} s", limit.as_secs())),
        }
    }

    async fn ask_echo(&self, text: &str, proxy: &Proxy) -> Result<IpAddr, String> {
        let odd = || "the echo service is at no http or https address".to_owned();
        let url = Url::parse(text).map_err(|_| odd())?;
        self.check(&url, false).map_err(|error| error.to_string())?;
        let request = Request::get(text).body(Full::new(Bytes::new()));
        let answer = self.call(request.map_err(|_| odd())?, false, Some(proxy)).await;
        let answer = answer.map_err(|error| explain(&error))?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                return Err("the proxy asks for other credentials".to_owned());
            }
            status => {
                return Err(format!(
                    "the echo service answered with status {}",
                    status.as_u16()
                ));
            }
        }
        let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
        let body = body.map_err(|_| "the answer of the echo service broke off".to_owned())?;
        address_in(&body.to_bytes()).ok_or_else(|| "the echo service does not say an address".to_owned())
    }
}

/// `{"ip":"…"}`, or the address alone.
fn address_in(body: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(body).ok()?;
    let value: Option<Value> = serde_json::from_str(text).ok();
    let named = value.as_ref().and_then(|value| value["ip"].as_str());
    named.unwrap_or(text).trim().parse().ok()
}

fn explain(error: &CallError) -> String {
    for cause in causes(error) {
        if cause.is::<EgressError>() || cause.is::<ConnectTimeout>() {
            return cause.to_string();
        }
        if cause.is::<ProxyFailed>()
            && let Some(last) = causes(cause).last()
        {
            return format!("{cause}: {last}");
        }
    }
    error.to_string()
}

/// The error itself first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_says_an_address_in_json_or_plainly() {
        for (body, expected) in [
            (r#"{"ip":"203.0.113.9"}"#, Some("203.0.113.9")),
            ("203.0.113.9\n", Some("203.0.113.9")),
            ("2606:4700::1", Some("2606:4700::1")),
            ("<html>hello</html>", None),
            (r#"{"address":"203.0.113.9"}"#, None),
        ] {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(address_in(body.as_bytes()), expected, "{body}");
        }
    }
}

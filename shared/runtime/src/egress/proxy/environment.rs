//! The proxies that a process is told by its environment, as other programs are told too.

use super::{Proxy, ProxyError, ProxyScheme};
use crate::egress::is_localhost;
use crate::secret::Secret;
use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use std::net::IpAddr;
use std::sync::Arc;
use url::Url;

/// `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`. They may carry passwords.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyEnvironment {
    /// For providers at http addresses.
    pub http: Secret<String>,
    /// For providers at https addresses.
    pub https: Secret<String>,
    /// For whatever has none of its own.
    pub all: Secret<String>,
    /// Hosts that are called directly: names with everything below them, addresses and networks, or `*`.
    pub no: String,
}

#[derive(Debug, Clone, Default)]
pub(in crate::egress) struct Environment {
    http: Option<Proxy>,
    https: Option<Proxy>,
    /// Matches what is not excepted; absent when nothing is.
    covers: Option<Arc<Matcher>>,
}

// === impl Environment ===

impl Environment {
    pub(in crate::egress) fn read(given: &ProxyEnvironment) -> Result<Self, ProxyError> {
        let all = parse(given.all.expose())?;
        let covers = || Matcher::builder().all("http://any").no(&given.no).build();
        Ok(Self {
            http: parse(given.http.expose())?.or_else(|| all.clone()),
            https: parse(given.https.expose())?.or(all),
            covers: (!given.no.is_empty()).then(|| Arc::new(covers())),
        })
    }

    /// The machine itself is never looked for behind a proxy.
    pub(in crate::egress) fn proxy_for(&self, target: &Uri) -> Option<&Proxy> {
        let proxy = match target.scheme_str()? {
            "https" => self.https.as_ref()?,
            _ => self.http.as_ref()?,
        };
        let is_here = is_loopback(target.host()?);
        let is_covered = |covers: &Arc<Matcher>| covers.intercept(target).is_some();
        (!is_here && self.covers.as_ref().is_none_or(is_covered)).then_some(proxy)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    address.map_or_else(|_| is_localhost(host), |address: IpAddr| address.is_loopback())
}

/// `http://user:password@host:port`; the scheme may be left out.
fn parse(text: &str) -> Result<Option<Proxy>, ProxyError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = Url::parse(&with_scheme).map_err(|_| ProxyError::Host)?;
    let scheme = match url.scheme() {
        // who resolves a name is decided by the guard
        "socks5h" => ProxyScheme::Socks5,
        name => ProxyScheme::named(name).ok_or(ProxyError::Scheme)?,
    };
    let default = match scheme {
        ProxyScheme::Http => 80,
        other => other.default_port(),
    };
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let host = url.host_str().ok_or(ProxyError::Host)?;
    let password = Secret::new(plain(url.password().unwrap_or_default()));
    let port = url.port().unwrap_or(default);
    Proxy::new(scheme, host, port, &plain(url.username()), password.expose()).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(http: &str, https: &str, all: &str, no: &str) -> Environment {
        let given = ProxyEnvironment {
            http: Secret::new(http.to_owned()),
            https: Secret::new(https.to_owned()),
            all: Secret::new(all.to_owned()),
            no: no.to_owned(),
        };
        Environment::read(&given).unwrap()
    }

    #[test]
    fn a_target_has_the_proxy_of_its_scheme_unless_it_is_excepted() {
        let both = environment("http://a:1", "http://b:2", "", "");
        let all = environment("", "https://b:2", "socks5://c", "");
        let no = environment("", "", "c:3", "example.com,10.0.0.0/8,.internal");
        let nothing = environment("", "", "c:3", "*");
        let table = [
            (&both, "http://api.test/v1", Some("http://a:1")),
            (&both, "https://api.test/v1", Some("http://b:2")),
            (&all, "http://api.test/v1", Some("socks5://c:1080")),
            (&all, "https://api.test/v1", Some("https://b:2")),
            (&no, "https://api.test/", Some("http://c:3")),
            (&no, "https://example.com/", None),
            (&no, "https://api.example.com/", None),
            (&no, "https://notexample.com/", Some("http://c:3")),
            (&no, "http://10.1.2.3:8000/", None),
            (&no, "http://11.1.2.3:8000/", Some("http://c:3")),
            (&no, "http://vllm.internal/", None),
            (&nothing, "https://api.test/", None),
            // the machine itself
            (&both, "http://127.0.0.1:11434/", None),
            (&both, "http://[::1]:11434/", None),
            (&both, "http://localhost/", None),
            (&environment("", "", "", ""), "https://api.test/", None),
        ];
        for (environment, target, expected) in table {
            let found = environment.proxy_for(&target.parse().unwrap());
            assert_eq!(found.map(ToString::to_string).as_deref(), expected, "{target}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_said_so_and_credentials_are_decoded() {
        for (text, expected) in [
            ("ftp://host:1", ProxyError::Scheme),
            ("http://", ProxyError::Host),
            (
                "http://169.254.169.254:80",
                ProxyError::Address(super::super::EgressError::Forbidden),
            ),
        ] {
            assert_eq!(parse(text), Err(expected), "{text}");
        }
        let proxy = parse("http://me:p%40ss%3Aword@host").unwrap().unwrap();
        assert_eq!(
            proxy,
            Proxy::new(ProxyScheme::Http, "host", 80, "me", "p@ss:word").unwrap()
        );
    }
}

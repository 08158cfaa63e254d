//! Where a request comes from.

use std::net::IpAddr;

use axum::http::{Extensions, HeaderMap};
use runtime::client_address::{self, TrustedProxies};

/// The client's address, in the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Unknown only when the listener does not say.
    pub ip: Option<IpAddr>,
    /// The request was made on this machine itself, and no proxy stands between.
    pub local: bool,
    /// The client spoke TLS with a trusted proxy.
    pub https: bool,
}

// === impl Client ===

impl Client {
    /// `X-Forwarded-*` is believed only when the peer is one of `trusted`.
    pub fn of(extensions: &Extensions, headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        let peer = client_address::peer(extensions);
        if !peer.is_some_and(|peer| trusted.trust(peer)) {
            let forwarded = headers.contains_key("x-forwarded-for") || headers.contains_key("forwarded");
            return Self {
                ip: peer,
                local: peer.is_some_and(|ip| ip.is_loopback()) && !forwarded,
                https: false,
            };
        }
        let proto = headers
            .get("x-forwarded-proto")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        Self {
            ip: trusted.client_of(extensions, headers),
            local: false,
            https: proto
                .split(',')
                .next()
                .is_some_and(|first| first.trim().eq_ignore_ascii_case("https")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::{extract::ConnectInfo, http::HeaderValue};

    use super::*;

    fn client(peer: &str, forwarded: Option<&'static str>) -> Client {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4000)));
        let mut headers = HeaderMap::new();
        if let Some(forwarded) = forwarded {
            headers.insert("x-forwarded-for", HeaderValue::from_static(forwarded));
        }
        let trusted = serde_json::from_value("10.0.0.0/8".into()).unwrap();
        Client::of(&extensions, &headers, &trusted)
    }

    #[test]
    fn a_proxy_on_the_same_machine_does_not_make_its_clients_local() {
        assert!(client("127.0.0.1", None).local);
        assert!(!client("127.0.0.1", Some("198.51.100.1")).local);
        assert!(!client("203.0.113.9", None).local);
    }
}

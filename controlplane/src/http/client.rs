//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{Extensions, HeaderMap},
};
use ipnet::IpNet;

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
    /// `X-Forwarded-*` is believed only when the peer is one of `trusted`; of its addresses the right-most that is
    /// not itself a trusted proxy counts, for anything left of it is the client's own claim.
    pub fn of(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let peer = extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip().to_canonical());
        let is_trusted = |ip: IpAddr| trusted.iter().any(|net| net.contains(&ip));
        let forwarded = headers.contains_key("x-forwarded-for") || headers.contains_key("forwarded");

        if !peer.is_some_and(is_trusted) {
            return Self {
                ip: peer,
                local: peer.is_some_and(|ip| ip.is_loopback()) && !forwarded,
                https: false,
            };
        }
        let hops = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = hops.flat_map(|line| line.split(',')).map(str::trim).collect();
        let client = hops
            .iter()
            .rev()
            .map_while(|hop| hop.parse::<IpAddr>().ok())
            .find(|ip| !is_trusted(*ip));
        let proto = headers
            .get("x-forwarded-proto")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        Self {
            ip: client.or(peer),
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
    use axum::http::HeaderValue;

    use super::*;

    fn client(peer: &str, forwarded: Option<&'static str>) -> Client {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4000)));
        let mut headers = HeaderMap::new();
        if let Some(forwarded) = forwarded {
            headers.insert("x-forwarded-for", HeaderValue::from_static(forwarded));
        }
        Client::of(&extensions, &headers, &["10.0.0.0/8".parse().unwrap()])
    }

    #[test]
    fn only_a_trusted_peer_may_say_who_the_client_is() {
        let cases = [
            // (peer, X-Forwarded-For, client)
            ("203.0.113.9", None, "203.0.113.9"),
            ("203.0.113.9", Some("198.51.100.1"), "203.0.113.9"),
            ("10.0.0.1", Some("198.51.100.1"), "198.51.100.1"),
            (
                "10.0.0.1",
                Some("1.1.1.1, 198.51.100.1, 10.0.0.2"),
                "198.51.100.1",
            ),
            ("10.0.0.1", Some("rubbish"), "10.0.0.1"),
            ("10.0.0.1", None, "10.0.0.1"),
            ("::ffff:203.0.113.9", None, "203.0.113.9"),
        ];
        for (peer, forwarded, expected) in cases {
            let ip = client(peer, forwarded).ip.unwrap();
            assert_eq!(ip, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn a_proxy_on_the_same_machine_does_not_make_its_clients_local() {
        assert!(client("127.0.0.1", None).local);
        assert!(!client("127.0.0.1", Some("198.51.100.1")).local);
        assert!(!client("203.0.113.9", None).local);
    }
}

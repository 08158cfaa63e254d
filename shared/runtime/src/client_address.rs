//! Where a request comes from, when proxies stand between.

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::net::{IpAddr, SocketAddr};

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Peers whose `X-Forwarded-*` is believed. In settings a list, or a text with commas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "a list of networks, or networks separated by commas")]
enum Written {
    List(Vec<String>),
    Text(String),
}

// === impl TrustedProxies ===

impl TrustedProxies {
    pub fn trust(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&ip))
    }

    /// The client of a request: the peer, unless the peer is trusted to say who it speaks for. Of the addresses a
    /// trusted proxy names the right-most counts that is not itself a trusted proxy: anything left of it is the
    /// client's own claim. Unknown only when the listener does not tell.
    pub fn client_of(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer(extensions)?;
        if !self.trust(peer) {
            return Some(peer);
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut hops = lines
            .map_while(|line| line.to_str().ok())
            .flat_map(|line| line.rsplit(','))
            .map_while(|hop| address(hop.trim()));
        Some(hops.find(|ip| !self.trust(*ip)).unwrap_or(peer))
    }
}

impl FromIterator<IpNet> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = IpNet>>(nets: I) -> Self {
        Self(nets.into_iter().collect())
    }
}

impl<'de> Deserialize<'de> for TrustedProxies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = match Written::deserialize(deserializer)? {
            Written::List(list) => list,
            Written::Text(text) => text.split(',').map(str::to_owned).collect(),
        };
        let nets = written.iter().map(|net| net.trim()).filter(|net| !net.is_empty());
        let read = |net: &str| {
            let alone = net.parse::<IpAddr>().map(IpNet::from);
            net.parse()
                .or(alone)
                .map_err(|_| D::Error::custom(format!("`{net}` is no network such as 10.0.0.0/8")))
        };
        nets.map(read).collect()
    }
}

/// Who opened the connection. IPv4 addresses are never told as IPv6.
pub fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let info = extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(info.0.ip().to_canonical())
}

/// Some proxies add the port.
fn address(hop: &str) -> Option<IpAddr> {
    let with_port = || hop.parse::<SocketAddr>().map(|hop| hop.ip());
    let ip = hop.parse::<IpAddr>().or_else(|_| with_port()).ok()?;
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn trusted(text: &str) -> TrustedProxies {
        serde_json::from_value(text.into()).unwrap()
    }

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let mut extensions = Extensions::new();
        let peer = SocketAddr::new(peer.parse().unwrap(), 50000);
        extensions.insert(ConnectInfo(peer));
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        let client = trusted("10.0.0.0/8, fd00::/8").client_of(&extensions, &headers);
        client.unwrap().to_string()
    }

    #[test]
    fn only_a_trusted_peer_may_say_who_the_client_is() {
        let table: &[(&str, &[&str], &str)] = &[
            ("203.0.113.9", &[], "203.0.113.9"),
            ("203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("fd00::1", &["2001:db8::1"], "2001:db8::1"),
            // the client's own claims are to the left
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1, rubbish, 10.0.0.2"], "10.0.0.1"),
            ("10.0.0.1", &["rubbish"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("::ffff:10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            ("::ffff:203.0.113.9", &[], "203.0.113.9"),
        ];
        for (peer, forwarded, expected) in table {
            assert_eq!(client(peer, forwarded), *expected, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn proxies_are_networks_in_a_list_or_in_a_text() {
        let text = trusted("10.0.0.0/8,192.0.2.1, fd00::/8,");
        let list = serde_json::json!(["10.0.0.0/8", "192.0.2.1", "fd00::/8"]);
        assert_eq!(serde_json::from_value::<TrustedProxies>(list).unwrap(), text);
        assert_eq!(trusted(""), TrustedProxies::default());
        let error = serde_json::from_value::<TrustedProxies>("10.0.0.0/99".into()).unwrap_err();
        assert!(error.to_string().contains("10.0.0.0/99"), "{error}");
    }
}

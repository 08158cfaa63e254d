//! An account whose requests are signed one by one, instead of bringing its secret.

use super::{Credentials, Scope, Signable, region_of, sign};
use crate::provider::AuthScheme;

/// Where the host does not say: a proxy, an endpoint in a private network.
const DEFAULT_REGION: &str = "us-east-1";

#[derive(Debug, Clone)]
pub struct Signer {
    credentials: Credentials,
    service: &'static str,
    /// As somebody said it; else the host says it.
    region: Option<String>,
}

/// What is signed of a request, which says the rest by what it is.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    pub method: &'a str,
    /// As in the header, so with a port that is not the scheme's own.
    pub host: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub body: &'a [u8],
}

// === impl Outgoing ===

impl<'a> Outgoing<'a> {
    /// To an address as it is written in full. A fragment is no part of what is sent.
    pub fn to(method: &'a str, address: &'a str, body: &'a [u8]) -> Self {
        let address = address.split('#').next().unwrap_or_default();
        let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let end = place.find('/').unwrap_or(place.len());
        let (authority, path) = place.split_at(end);
        Self {
            method,
            host: authority.rsplit_once('@').map_or(authority, |(_, host)| host),
            path: if path.is_empty() { "/" } else { path },
            query,
            body,
        }
    }
}

// === impl Signer ===

impl Signer {
    /// None where credentials are sent as they are.
    pub fn of(auth: AuthScheme, credential: &str, region: Option<&str>) -> Option<Self> {
        match auth {
            AuthScheme::Aws { service } => Some(Self {
                credentials: Credentials::parse(credential)?,
                service,
                region: region.map(str::to_owned),
            }),
            AuthScheme::Bearer | AuthScheme::Header(_) | AuthScheme::Word(_) | AuthScheme::Google { .. } => {
                None
            }
        }
    }

    /// The headers to send beside those there are, names in lower case.
    pub fn headers(&self, outgoing: Outgoing<'_>, unix_seconds: u64) -> Vec<(&'static str, String)> {
        let host = outgoing.host;
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let request = Signable {
            method: outgoing.method,
            path: outgoing.path,
            query: outgoing.query,
            headers: &[("host", host)],
            payload: outgoing.body,
        };
        let scope = Scope {
            region: self
                .region
                .as_deref()
                .or(region_of(name))
                .unwrap_or(DEFAULT_REGION),
            service: self.service,
        };
        sign(&request, &self.credentials, scope, unix_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_access_key_of_aws_signs() {
        let aws = AuthScheme::Aws { service: "bedrock" };
        assert!(Signer::of(aws, "AKIA:secret", None).is_some());
        assert!(Signer::of(aws, "bedrock-api-key-abc", None).is_none());
        assert!(Signer::of(AuthScheme::Bearer, "AKIA:secret", None).is_none());
    }

    #[test]
    fn an_address_is_taken_apart_as_it_is_sent() {
        for (address, host, path, query) in [
            (
                "https://h.example/a%3A0/b?x=1&y",
                "h.example",
                "/a%3A0/b",
                "x=1&y",
            ),
            ("http://127.0.0.1:8080/a", "127.0.0.1:8080", "/a", ""),
            ("https://[::1]:1", "[::1]:1", "/", ""),
            ("https://h?x=/", "h", "/", "x=/"),
            ("https://u:p@h/a#b", "h", "/a", ""),
        ] {
            let outgoing = Outgoing::to("POST", address, b"");
            assert_eq!(
                (outgoing.host, outgoing.path, outgoing.query),
                (host, path, query),
                "{address}"
            );
        }
    }

    #[test]
    fn the_region_is_the_one_that_was_said_or_that_of_the_host() {
        let aws = AuthScheme::Aws { service: "bedrock" };
        for (region, host, scope) in [
            (
                None,
                "bedrock-runtime.eu-central-1.amazonaws.com",
                "/eu-central-1/bedrock/",
            ),
            (None, "127.0.0.1:8080", "/us-east-1/bedrock/"),
            (Some("ap-south-2"), "127.0.0.1:8080", "/ap-south-2/bedrock/"),
            (
                Some("us-west-2"),
                "bedrock-runtime.eu-central-1.amazonaws.com",
                "/us-west-2/bedrock/",
            ),
        ] {
            let signer = Signer::of(aws, "AKIA:secret", region).unwrap();
            let address = format!("https://{host}/model/m/converse");
            let outgoing = Outgoing::to("POST", &address, b"{}");
            let headers = signer.headers(outgoing, 1_764_437_000);
            let (_, authorization) = headers.iter().find(|(name, _)| *name == "authorization").unwrap();
            assert!(authorization.contains(scope), "{authorization}");
        }
    }
}

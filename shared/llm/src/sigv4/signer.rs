//! An account whose requests are signed one by one, instead of bringing its secret.

use super::{Credentials, Scope, Signable, region_of, sign};
use crate::provider::AuthScheme;

/// Where the host does not say: a proxy, an endpoint in a private network.
const DEFAULT_REGION: &str = "us-east-1";

#[derive(Debug, Clone)]
pub struct Signer {
    credentials: Credentials,
    service: &'static str,
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

// === impl Signer ===

impl Signer {
    /// None where credentials are sent as they are.
    pub fn of(auth: AuthScheme, credential: &str) -> Option<Self> {
        match auth {
            AuthScheme::Aws { service } => Some(Self {
                credentials: Credentials::parse(credential)?,
                service,
            }),
            AuthScheme::Bearer | AuthScheme::Header(_) | AuthScheme::Word(_) => None,
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
            region: region_of(name).unwrap_or(DEFAULT_REGION),
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
        assert!(Signer::of(aws, "AKIA:secret").is_some());
        assert!(Signer::of(aws, "bedrock-api-key-abc").is_none());
        assert!(Signer::of(AuthScheme::Bearer, "AKIA:secret").is_none());
    }

    #[test]
    fn the_region_is_that_of_the_host() {
        let signer = Signer::of(AuthScheme::Aws { service: "bedrock" }, "AKIA:secret").unwrap();
        for (host, scope) in [
            (
                "bedrock-runtime.eu-central-1.amazonaws.com",
                "/eu-central-1/bedrock/",
            ),
            ("127.0.0.1:8080", "/us-east-1/bedrock/"),
        ] {
            let outgoing = Outgoing {
                method: "POST",
                host,
                path: "/model/m/converse",
                query: "",
                body: b"{}",
            };
            let headers = signer.headers(outgoing, 1_764_437_000);
            let (_, authorization) = headers.iter().find(|(name, _)| *name == "authorization").unwrap();
            assert!(authorization.contains(scope), "{authorization}");
        }
    }
}

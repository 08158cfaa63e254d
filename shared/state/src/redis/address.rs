//! `REDIS_URL`: where Redis is, one server or a cluster.
//!
//! Operators write clusters in two ways, and both are read: a scheme that says so
//! (`redis+cluster://host:6379`), for which one node is enough, and several nodes separated by commas, as hosts of
//! one address or as whole addresses. User, password, and what follows the host may be given once, for all.

use redis::{ConnectionInfo, IntoConnectionInfo, RedisError, TlsCertificates};
use std::path::PathBuf;

/// Names a file of certificates to trust instead of the system's, as redis-py calls it.
const CERTIFICATES: &str = "ssl_ca_certs";

#[derive(Debug, Clone)]
pub(super) struct Address {
    /// Of a cluster the nodes to ask first; else one server.
    pub nodes: Vec<ConnectionInfo>,
    pub cluster: bool,
    pub certificates: Option<TlsCertificates>,
}

/// The parts of one address that others in the list may leave out.
#[derive(Clone, Copy)]
struct Node<'a> {
    login: &'a str,
    hosts: &'a str,
    tail: &'a str,
}

// === impl Address ===

impl Address {
    /// The error never repeats the address, which may carry a password.
    pub fn read(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("it has no scheme")?;
        let (base, told) = match scheme.strip_suffix("+cluster") {
            Some(base) => (base, true),
            None => (scheme, false),
        };
        let mut certificates = None;
        let mut nodes = Vec::new();
        let mut first = None;
        for part in rest.split(&format!(",{scheme}://")) {
            let node = Node::read(part).completed(first);
            let (tail, file) = without_certificates(node.tail);
            certificates = certificates.or(file);
            for host in node.hosts.split(',') {
                let url = format!("{base}://{}{host}{tail}", node.login);
                nodes.push(url.as_str().into_connection_info().map_err(reason)?);
            }
            first = first.or(Some(node));
        }
        let cluster = told || nodes.len() > 1;
        if cluster && nodes.iter().any(|node| node.redis_settings().db() != 0) {
            return Err("a cluster has database 0 only".to_owned());
        }
        Ok(Self {
            nodes,
            cluster,
            certificates: certificates.map(read_certificates).transpose()?,
        })
    }
}

// === impl Node ===

impl<'a> Node<'a> {
    fn read(text: &'a str) -> Self {
        let (authority, tail) = text.split_at(text.find(['/', '?', '#']).unwrap_or(text.len()));
        // a password may hold a comma, or an `@` that nobody escaped
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Self { login, hosts, tail }
    }

    fn completed(self, first: Option<Self>) -> Self {
        let Some(first) = first else { return self };
        let or = |own: &'a str, first: &'a str| if own.is_empty() { first } else { own };
        Self {
            login: or(self.login, first.login),
            tail: or(self.tail, first.tail),
            ..self
        }
    }
}

/// The rest of an address without the parameter the library does not know, and what it says.
fn without_certificates(tail: &str) -> (String, Option<PathBuf>) {
    let Some((path, query)) = tail.split_once('?') else {
        return (tail.to_owned(), None);
    };
    let mut file = None;
    let left: Vec<_> = query
        .split('&')
        .filter(|parameter| match parameter.split_once('=') {
            Some((CERTIFICATES, value)) => {
                file = Some(PathBuf::from(value));
                false
            }
            _ => true,
        })
        .collect();
    (format!("{path}?{}", left.join("&")), file)
}

fn read_certificates(file: PathBuf) -> Result<TlsCertificates, String> {
    let read = std::fs::read(&file);
    let root_cert =
        read.map_err(|error| format!("{CERTIFICATES} {} cannot be read: {error}", file.display()))?;
    Ok(TlsCertificates {
        client_tls: None,
        root_cert: Some(root_cert),
    })
}

/// What the library adds to its own words may be part of the address.
fn reason(error: RedisError) -> String {
    match error.detail() {
        Some(_) => error.category().to_owned(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> (Vec<String>, bool) {
        let address = Address::read(url).unwrap();
        let node = |node: &ConnectionInfo| {
            let settings = node.redis_settings();
            let login = [settings.username(), settings.password()].map(|part| part.unwrap_or("-"));
            format!("{} {}", login.join(":"), node.addr())
        };
        (address.nodes.iter().map(node).collect(), address.cluster)
    }

    #[test]
    fn one_address_is_a_server_and_several_are_a_cluster() {
        let both: &[&str] = &["-:- a:1", "-:- b:6379"];
        let table: &[(&str, &[&str], bool)] = &[
            ("redis://a:1", &["-:- a:1"], false),
            ("redis://u:p@a:1/3?protocol=3", &["u:p a:1"], false),
            ("redis://:p,q@a:1", &["-:p,q a:1"], false),
            ("rediss://a:1", &["-:- a:1"], false),
            ("redis+cluster://a:1", &["-:- a:1"], true),
            ("rediss+cluster://u:p@a:1", &["u:p a:1"], true),
            ("redis://a:1,b", both, true),
            ("redis+cluster://a:1,b", both, true),
            ("redis://a:1,redis://b", both, true),
            ("redis+cluster://a:1,redis+cluster://b", both, true),
            ("redis://u:p@a:1,b", &["u:p a:1", "u:p b:6379"], true),
            ("redis://u:p@a:1/0,redis://b", &["u:p a:1", "u:p b:6379"], true),
            ("redis://[::1]:1,[::2]:2", &["-:- ::1:1", "-:- ::2:2"], true),
        ];
        for (url, nodes, cluster) in table {
            let expected = (nodes.iter().map(|node| (*node).to_owned()).collect(), *cluster);
            assert_eq!(read(url), expected, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_a_reason_and_without_the_password() {
        let table = [
            ("u:hunter2@a", "scheme"),
            ("mysql://u:hunter2@a", "did not parse"),
            ("redis+cluster://u:hunter2@a/2", "database 0"),
            ("redis://u:hunter2@a,/0", "did not parse"),
            (
                "rediss://u:hunter2@a?ssl_ca_certs=/nowhere/ca.pem",
                "/nowhere/ca.pem",
            ),
        ];
        for (url, why) in table {
            let error = Address::read(url).unwrap_err();
            assert!(
                error.contains(why) && !error.contains("hunter2"),
                "{url}: {error}"
            );
        }
    }

    #[test]
    fn the_file_of_certificates_is_no_business_of_the_library() {
        let (tail, file) = without_certificates("/0?protocol=3&ssl_ca_certs=/etc/ca.pem&x=1");
        assert_eq!(tail, "/0?protocol=3&x=1");
        assert_eq!(file, Some(PathBuf::from("/etc/ca.pem")));
        assert_eq!(without_certificates("/0"), ("/0".to_owned(), None));
    }
}

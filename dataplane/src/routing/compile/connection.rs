//! The accounts that can be called. One that cannot be opened or read is not.

use super::provider::Node;
use super::{Fault, Sorted, open, report};
use crate::routing::Routing;
use crate::routing::outlet::Outlets;
use crate::routing::table::{AccessToken, Connection};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use llm::ProviderSpec;
use llm::provider::{AuthScheme, AuthType, Endpoint, Whereabouts};
use llm::sigv4::Signer;
use llm::think_tags::ThinkTags;
use proto::v1::{self, ResourceError, ResourceKind, resource_error::Code};
use runtime::crypto::SealKey;
use runtime::service_account::{Grant, ServiceAccount};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use url::Url;
use zeroize::Zeroizing;

/// Usable connections by provider id, in the order they are tried.
pub(super) fn compile(
    sorted: &Sorted<'_>,
    nodes: &BTreeMap<&str, Node<'_>>,
    transport: &SealKey,
    kept: &Routing,
    outlets: &Outlets,
    errors: &mut Vec<ResourceError>,
) -> HashMap<String, Vec<Arc<Connection>>> {
    let mut by_provider: HashMap<String, Vec<Arc<Connection>>> = HashMap::new();
    for (id, connection) in sorted
        .connections
        .iter()
        .filter(|(_, connection)| connection.enabled)
    {
        let (provider, spec, node) = match nodes.get(connection.provider.as_str()) {
            Some(node) => (connection.provider.as_str(), node.spec, Some(node.node)),
            None => match llm::providers::find(&connection.provider) {
                Some(spec) => (spec.id, spec, None),
                None => {
                    let text = format!(
                        "provider `{}` is neither built in nor a usable node",
                        connection.provider
                    );
                    report(
                        errors,
                        ResourceKind::Connection,
                        id,
                        Fault::new(Code::DanglingReference, text),
                    );
                    continue;
                }
            },
        };
        match compile_one((provider, id), connection, spec, node, transport, kept) {
            Ok(mut compiled) => {
                compiled.own_outlet = outlets.of_connection(id);
                compiled.shared_outlet = outlets.of_provider(provider);
                let accounts = by_provider.entry(provider.to_owned()).or_default();
                accounts.push(Arc::new(compiled));
            }
            Err(fault) => report(errors, ResourceKind::Connection, id, fault),
        }
    }
    for connections in by_provider.values_mut() {
        connections.sort_by(|a, b| (a.priority, &a.id).cmp(&(b.priority, &b.id)));
    }
    by_provider
}

fn compile_one(
    (provider, id): (&str, &str),
    connection: &v1::Connection,
    spec: &'static ProviderSpec,
    node: Option<&v1::ProviderNode>,
    transport: &SealKey,
    kept: &Routing,
) -> Result<Connection, Fault> {
    let oauth = connection.auth_type == "oauth";
    let credential = open(
        connection.credential.as_ref(),
        transport,
        &format!("connection|{id}|credential"),
    )?;
    let text = credential
        .as_deref()
        .and_then(|secret| std::str::from_utf8(secret).ok());
    let grant = read_grant(id, spec.auth, text, kept)?;
    let endpoint = endpoint(connection, spec, node, grant.as_deref())?;
    let url = Url::parse(&endpoint.url(&spec.path_for("model", false)))
        .ok()
        .filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| {
            let base_url = endpoint.base();
            Fault::new(
                Code::Invalid,
                format!("`{base_url}` is not an http or https address"),
            )
        })?;
    let signer = text.and_then(|secret| Signer::of(spec.auth, secret, endpoint.region()));
    let is_sent = signer.is_none() && grant.is_none();
    Ok(Connection {
        id: id.into(),
        account: kept.health().account(provider, id),
        priority: connection.priority,
        oauth,
        token: connection.access_token.map(|token| AccessToken {
            generation: token.generation,
            expires_at_ms: Some(token.expires_at_ms).filter(|at| *at != 0),
            renewable: token.renewable,
        }),
        dialect: spec.dialect,
        spec,
        endpoint,
        fixed_url: spec.has_one_path().then_some(url),
        headers: headers(spec, oauth, credential.filter(|_| is_sent))?,
        signer,
        grant,
        allow_private_address: connection.allow_private_address,
        rate_limit_protection: connection.rate_limit_protection,
        default_model: Some(connection.default_model.clone()).filter(|model| !model.is_empty()),
        think_tags: ThinkTags::named(&connection.think_tags),
        drains: connection.on_disconnect == "drain",
        own_outlet: None,
        shared_outlet: None,
    })
}

/// Of a credential that is a key for tokens and no token itself.
fn read_grant(
    id: &str,
    auth: AuthScheme,
    credential: Option<&str>,
    kept: &Routing,
) -> Result<Option<Arc<Grant>>, Fault> {
    let (AuthScheme::Google { scope }, Some(credential)) = (auth, credential) else {
        return Ok(None);
    };
    if !ServiceAccount::is_meant(credential) {
        return Ok(None);
    }
    let make = || ServiceAccount::read(credential).map(|account| Grant::new(account, scope));
    let grant = kept.grants().of(id, credential, make);
    grant
        .map(Some)
        .map_err(|error| Fault::new(Code::Secret, error.to_string()))
}

fn endpoint(
    connection: &v1::Connection,
    spec: &ProviderSpec,
    node: Option<&v1::ProviderNode>,
    grant: Option<&Grant>,
) -> Result<Endpoint, Fault> {
    let own = Some(connection.base_url.as_str()).filter(|url| !url.is_empty());
    let project = Some(connection.project.as_str()).filter(|project| !project.is_empty());
    let whereabouts = Whereabouts {
        base_url: own
            .or(node.map(|node| node.base_url.as_str()))
            .unwrap_or_default(),
        region: &connection.region,
        project: project.or_else(|| grant?.account().project()).unwrap_or_default(),
        api_version: node.map_or("", |node| &node.api_version),
    };
    Endpoint::of(spec, whereabouts).map_err(|error| Fault::new(Code::Invalid, error.to_string()))
}

fn headers(
    spec: &ProviderSpec,
    oauth: bool,
    credential: Option<Zeroizing<Vec<u8>>>,
) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::new();
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("omniroute/", env!("CARGO_PKG_VERSION"))),
    );
    for (name, value) in spec.headers {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // a local server may need no credential at all
    let Some(credential) = credential.filter(|credential| !credential.is_empty()) else {
        return Ok(headers);
    };
    let (name, text) = match spec.auth {
        AuthScheme::Header(name) if !oauth || spec.auth_type == AuthType::OAuth => {
            (HeaderName::from_static(name), credential)
        }
        AuthScheme::Word(word) => (
            AUTHORIZATION,
            Zeroizing::new([word.as_bytes(), b" ", credential.as_slice()].concat()),
        ),
        _ => (
            AUTHORIZATION,
            Zeroizing::new([b"Bearer ", credential.as_slice()].concat()),
        ),
    };
    let mut value = HeaderValue::from_bytes(&text).map_err(|_| {
        Fault::new(
            Code::Secret,
            "the credential has characters that no header can carry",
        )
    })?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(headers)
}

//! Which proxy calls go through. One that cannot be used still is the one: nothing goes out beside it.

use super::compile::{Fault, open, report};
use proto::v1::{self, ProxyHop, ResourceError, ResourceKind, resource_error::Code};
use runtime::crypto::SealKey;
use runtime::egress::{Proxy, ProxyScheme};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A way out that somebody chose.
#[derive(Debug, Clone)]
pub struct Outlet(Arc<Choice>);

#[derive(Debug)]
struct Choice {
    level: String,
    target: String,
    /// None if it cannot be used.
    proxy: Option<Proxy>,
}

/// By level and target.
#[derive(Debug, Default)]
pub(super) struct Outlets {
    global: Option<Outlet>,
    providers: HashMap<String, Outlet>,
    combos: HashMap<String, Outlet>,
    connections: HashMap<String, Outlet>,
}

// === impl Outlet ===

impl Outlet {
    /// `None` if it cannot be used.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.0.proxy.as_ref()
    }

    /// For the log of a call to `upstream` that goes through it.
    pub fn hop(&self, upstream: &str) -> ProxyHop {
        ProxyHop {
            level: self.0.level.clone(),
            target: self.0.target.clone(),
            url: self.proxy().map(Proxy::to_string).unwrap_or_default(),
            upstream: upstream.to_owned(),
        }
    }
}

// === impl Outlets ===

impl Outlets {
    /// With each resource: whether it passed its checks.
    pub(super) fn compile(
        resources: &BTreeMap<&str, (&v1::OutboundProxy, bool)>,
        transport: &SealKey,
        errors: &mut Vec<ResourceError>,
    ) -> Self {
        let mut outlets = Self::default();
        for (id, (resource, passed)) in resources {
            let usable = passed.then(|| read(id, resource, transport));
            let proxy = match usable {
                Some(Ok(proxy)) => Some(proxy),
                Some(Err(fault)) => {
                    report(errors, ResourceKind::OutboundProxy, id, fault);
                    None
                }
                // reported where it was checked
                None => None,
            };
            let target = resource.target.clone();
            let outlet = Outlet(Arc::new(Choice {
                level: resource.level.clone(),
                target: target.clone(),
                proxy,
            }));
            match resource.level.as_str() {
                "provider" => drop(outlets.providers.insert(target, outlet)),
                "combo" => drop(outlets.combos.insert(target, outlet)),
                "connection" => drop(outlets.connections.insert(target, outlet)),
                "global" => outlets.global = Some(outlet),
                // from the future, and reported
                _ => {}
            }
        }
        outlets
    }

    /// By `level/target`, or `global`.
    pub(super) fn find(&self, id: &str) -> Option<&Outlet> {
        match id.split_once('/') {
            None => self.global.as_ref(),
            Some(("provider", target)) => self.providers.get(target),
            Some(("combo", target)) => self.combos.get(target),
            Some((_, target)) => self.connections.get(target),
        }
    }

    pub(super) fn of_connection(&self, id: &str) -> Option<Outlet> {
        self.connections.get(id).cloned()
    }

    pub(super) fn of_combo(&self, id: &str) -> Option<Outlet> {
        self.combos.get(id).cloned()
    }

    /// The provider's own, or that of everybody.
    pub(super) fn of_provider(&self, id: &str) -> Option<Outlet> {
        self.providers.get(id).or(self.global.as_ref()).cloned()
    }
}

fn read(id: &str, resource: &v1::OutboundProxy, transport: &SealKey) -> Result<Proxy, Fault> {
    let invalid = |text: String| Fault::new(Code::Invalid, text);
    let password = open(
        resource.password.as_ref(),
        transport,
        &format!("outbound_proxy|{id}|password"),
    )?;
    let password = password.unwrap_or_default();
    let password = Zeroizing::new(String::from_utf8_lossy(&password).into_owned());
    let scheme = ProxyScheme::named(&resource.r#type)
        .ok_or_else(|| invalid(format!("`{}` is no type of proxy", resource.r#type)))?;
    let port = u16::try_from(resource.port).unwrap_or_default();
    Proxy::new(scheme, &resource.host, port, &resource.username, &password)
        .map_err(|error| invalid(error.to_string()))
}

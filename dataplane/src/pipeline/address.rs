//! The configuration a request runs under, and whether its sender's address is let in. Looked at before anything the
//! client says about itself.

use super::Gateway;
use crate::error::GatewayError;
use crate::routing::Table;
use http::request::Parts;
use llm::ErrorKind;
use runtime::ip_filter::Refusal;
use std::sync::Arc;
use thiserror::Error;

/// Why an address is not let in, in the words its users know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    #[error("Temporarily banned: {reason}")]
    Banned { reason: String },
    #[error(transparent)]
    Refused(#[from] Refusal),
}

// === impl AddressError ===

impl AddressError {
    pub const CODE: &'static str = "IP_001";

    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Permission
    }
}

/// The configuration of this request from here to its end.
pub fn configuration(gateway: &Gateway, parts: &Parts) -> Result<Arc<Table>, GatewayError> {
    if gateway.availability.draining.is_cancelled() {
        return Err(GatewayError::Draining);
    }
    let table = gateway.routing.load().ok_or(GatewayError::Unconfigured)?;
    let_in(gateway, &table, parts)?;
    Ok(table)
}

/// A filter that is on lets in nobody whose address it does not know.
fn let_in(gateway: &Gateway, table: &Table, parts: &Parts) -> Result<(), AddressError> {
    let Some(filter) = table.ip_filter() else {
        return Ok(());
    };
    let proxies = &gateway.edge.trusted_proxies;
    let Some(ip) = proxies.client_of(&parts.extensions, &parts.headers) else {
        return Err(Refusal::NotWhitelisted.into());
    };
    if let Some(ban) = gateway.banned.find(ip) {
        return Err(AddressError::Banned { reason: ban.reason });
    }
    Ok(filter.check(ip)?)
}

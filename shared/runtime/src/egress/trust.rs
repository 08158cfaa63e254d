//! Whom TLS trusts: what this machine trusts, read once.
//!
//! A machine's certificates are some hundred and fifty files, and a process has several clients, which would each read
//! them and keep them.

use rustls::{ClientConfig, Error};
use rustls_platform_verifier::ConfigVerifierExt;
use std::sync::OnceLock;

static TRUSTING: OnceLock<ClientConfig> = OnceLock::new();

/// What a client begins with; it names no application protocol.
pub(super) fn config() -> Result<ClientConfig, Error> {
    if let Some(config) = TRUSTING.get() {
        return Ok(config.clone());
    }
    // a failure is not remembered: somebody may put the certificates there
    let config = ClientConfig::with_platform_verifier()?;
    Ok(TRUSTING.get_or_init(|| config).clone())
}

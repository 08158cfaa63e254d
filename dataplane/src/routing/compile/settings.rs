//! The settings of the gateway. Without a pepper no API key can be accepted.

use super::{Fault, open, report};
use crate::routing::origins::Origins;
use chrono_tz::Tz;
use proto::v1::{self, ResourceError, ResourceKind, resource_error::Code};
use runtime::crypto::SealKey;
use runtime::period::zone;
use std::collections::HashSet;
use zeroize::Zeroizing;

/// What a settings resource turns into.
pub(super) struct Settings {
    pub(super) require_auth_for_models: bool,
    pub(super) require_api_key: Option<bool>,
    pub(super) origins: Option<Origins>,
    pub(super) blocked: HashSet<String>,
    pub(super) pepper: Option<Zeroizing<Vec<u8>>>,
    pub(super) budget_zone: Tz,
    pub(super) capture_percent: u32,
}

pub(super) fn compile(
    settings: Option<&v1::Settings>,
    transport: &SealKey,
    errors: &mut Vec<ResourceError>,
) -> Settings {
    let closed = Settings {
        require_auth_for_models: true,
        require_api_key: Some(true),
        origins: None,
        blocked: HashSet::new(),
        pepper: None,
        budget_zone: Tz::UTC,
        capture_percent: 0,
    };
    let Some(settings) = settings else {
        let fault = Fault::new(Code::Invalid, "there are no settings: no API key can be accepted");
        report(errors, ResourceKind::Settings, "settings", fault);
        return closed;
    };
    let pepper = match open(
        settings.api_key_pepper.as_ref(),
        transport,
        "settings|settings|api_key_pepper",
    ) {
        Ok(Some(pepper)) if !pepper.is_empty() => Some(pepper),
        Ok(_) => {
            let fault = Fault::new(
                Code::Invalid,
                "there is no key pepper: no API key can be accepted",
            );
            report(errors, ResourceKind::Settings, "settings", fault);
            None
        }
        Err(fault) => {
            report(errors, ResourceKind::Settings, "settings", fault);
            None
        }
    };
    Settings {
        require_auth_for_models: settings.require_auth_for_models,
        require_api_key: settings.require_api_key,
        origins: Origins::configured(&settings.cors_origins),
        blocked: settings.blocked_providers.iter().cloned().collect(),
        pepper,
        capture_percent: settings.capture_percent,
        // counting days elsewhere is better than accepting no key
        budget_zone: zone(&settings.budget_timezone).unwrap_or_else(|| {
            let text = format!(
                "`{}` is no time zone: budgets are counted in UTC",
                settings.budget_timezone
            );
            report(
                errors,
                ResourceKind::Settings,
                "settings",
                Fault::new(Code::Invalid, text),
            );
            Tz::UTC
        }),
    }
}

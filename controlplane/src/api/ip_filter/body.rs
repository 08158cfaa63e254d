//! What may be changed, and how it is written.

use std::{net::IpAddr, time::Duration};

use proto::validate::{IP_FILTER_ENTRIES, IP_FILTER_MODES};
use runtime::ip_filter::{BadPattern, Pattern};
use serde::Deserialize;
use utoipa::ToSchema;

use super::sql::Lists;
use crate::{
    error::ApiError,
    http::{Body, Violations},
};

const DEFAULT_BAN_MS: u64 = 3_600_000;
/// 30 days.
const LONGEST_BAN_MS: u64 = 2_592_000_000;
const SHORTEST_BAN_MS: u64 = 1_000;
const REASON_CHARS: usize = 200;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct IpFilterBody {
    /// Off lets everybody in, whoever is banned.
    enabled: Option<bool>,
    /// `blacklist`: who is listed stays out. `whitelist`: who is not listed stays out. `whitelist-priority`: who is
    /// on the blacklist and not on the whitelist stays out.
    mode: Option<String>,
    /// Replaces the list. Entries are addresses, networks, or IPv4 patterns such as `10.0.*.*`.
    #[schema(value_type = Option<Vec<String>>)]
    blacklist: Option<Vec<Entry>>,
    #[schema(value_type = Option<Vec<String>>)]
    whitelist: Option<Vec<Entry>>,
    #[schema(value_type = Option<String>)]
    add_blacklist: Option<Entry>,
    #[schema(value_type = Option<String>)]
    remove_blacklist: Option<Entry>,
    #[schema(value_type = Option<String>)]
    add_whitelist: Option<Entry>,
    #[schema(value_type = Option<String>)]
    remove_whitelist: Option<Entry>,
    pub temp_ban: Option<TempBan>,
    /// The address to let in again.
    #[schema(value_type = Option<String>)]
    pub remove_ban: Option<Address>,
    /// Do it although the caller's own address would be refused.
    #[serde(default)]
    pub force: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TempBan {
    #[schema(value_type = String)]
    pub ip: Address,
    /// 1000 to 2592000000; an hour unless told otherwise.
    duration_ms: Option<u64>,
    /// At most 200 characters; those who are refused read it.
    reason: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Entry(Pattern);

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Address(pub IpAddr);

// === impl IpFilterBody ===

impl Body for IpFilterBody {
    const READ_ONLY: &'static [&'static str] = &["tempBans"];

    fn check(&self, violations: &mut Violations) {
        if !self.changes_lists() && self.temp_ban.is_none() && self.remove_ban.is_none() {
            violations.add(
                "",
                "there is nothing to change: send enabled, mode, a list, or a ban",
            );
        }
        if let Some(mode) = &self.mode {
            violations.one_of("mode", mode, &IP_FILTER_MODES);
        }
        if let Some(ban) = &self.temp_ban {
            violations.range(
                "tempBan.durationMs",
                ban.duration_ms(),
                SHORTEST_BAN_MS..=LONGEST_BAN_MS,
            );
            violations.length("tempBan.reason", ban.reason(), 0..=REASON_CHARS);
        }
    }
}

impl IpFilterBody {
    pub fn changes_lists(&self) -> bool {
        let lists = [&self.blacklist, &self.whitelist];
        let entries = [
            &self.add_blacklist,
            &self.remove_blacklist,
            &self.add_whitelist,
            &self.remove_whitelist,
        ];
        self.enabled.is_some()
            || self.mode.is_some()
            || lists.iter().any(|list| list.is_some())
            || entries.iter().any(|entry| entry.is_some())
    }

    /// Who is banned by this.
    pub fn bans(&self) -> Option<IpAddr> {
        Some(self.temp_ban.as_ref()?.ip.0)
    }

    pub fn lets_in(&self) -> Option<IpAddr> {
        Some(self.remove_ban?.0)
    }

    /// What is configured after this.
    pub fn over(&self, before: Lists) -> Result<Lists, ApiError> {
        Ok(Lists {
            enabled: self.enabled.unwrap_or(before.enabled),
            mode: self.mode.clone().unwrap_or(before.mode),
            blacklist: changed(
                "blacklist",
                before.blacklist,
                &self.blacklist,
                self.add_blacklist,
                self.remove_blacklist,
            )?,
            whitelist: changed(
                "whitelist",
                before.whitelist,
                &self.whitelist,
                self.add_whitelist,
                self.remove_whitelist,
            )?,
        })
    }
}

// === impl TempBan ===

impl TempBan {
    pub fn duration_ms(&self) -> u64 {
        self.duration_ms.unwrap_or(DEFAULT_BAN_MS)
    }

    pub fn lasts(&self) -> Duration {
        Duration::from_millis(self.duration_ms())
    }

    pub fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or("manual")
    }
}

// === impl Entry ===

impl TryFrom<String> for Entry {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Self, BadPattern> {
        text.parse().map(Self)
    }
}

// === impl Address ===

impl TryFrom<String> for Address {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let ip: Result<IpAddr, _> = text.trim().parse();
        ip.map(|ip| Self(ip.to_canonical()))
            .map_err(|_| "must be an IPv4 or IPv6 address")
    }
}

/// A list in order, every entry once.
fn changed(
    name: &str,
    before: Vec<String>,
    replaced: &Option<Vec<Entry>>,
    added: Option<Entry>,
    removed: Option<Entry>,
) -> Result<Vec<String>, ApiError> {
    let text = |Entry(pattern): &Entry| pattern.to_string();
    let mut list = match replaced {
        Some(entries) => entries.iter().map(text).collect(),
        None => before,
    };
    list.extend(added.as_ref().map(text));
    let removed = removed.as_ref().map(text);
    list.retain(|entry| Some(entry) != removed.as_ref());
    list.sort_unstable();
    list.dedup();
    match list.len() > IP_FILTER_ENTRIES {
        true => Err(ApiError::invalid(name, "must have at most 10000 entries")),
        false => Ok(list),
    }
}

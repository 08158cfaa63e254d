//! Which clients are let in, by their address: two lists of patterns, and what they mean together.

use ipnet::IpNet;
use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use thiserror::Error;

/// What the lists mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Who is on the blacklist stays out.
    Blacklist,
    /// Who is not on the whitelist stays out.
    Whitelist,
    /// Who is on the blacklist stays out, unless he is on the whitelist.
    WhitelistPriority,
}

/// One entry of a list. Prints as it is stored: IPv4 never as IPv6, networks without host bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pattern {
    Address(IpAddr),
    Net(IpNet),
    /// Bytes that are `*` count for nothing.
    Wildcard([Option<u8>; 4]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be an address, a network such as 10.0.0.0/8 or 2001:db8::/32, or a pattern such as 10.0.*.*")]
pub struct BadPattern;

/// Why somebody stays out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("IP blacklisted")]
    Blacklisted,
    #[error("IP not in whitelist")]
    NotWhitelisted,
}

/// Both lists, prepared. Asking costs as much for ten thousand entries as for ten.
#[derive(Debug, Clone)]
pub struct IpFilter {
    mode: Mode,
    black: List,
    white: List,
}

#[derive(Debug, Clone, Default)]
struct List {
    v4: Family,
    v6: Family,
}

/// Entries of one kind of address, grouped by which bits they look at; there are few such groups.
#[derive(Debug, Clone, Default)]
struct Family {
    masks: Vec<u128>,
    entries: HashSet<(u128, u128)>,
}

// === impl Mode ===

impl Mode {
    /// A name that nobody knows is the strictest mode there is.
    pub fn named(name: &str) -> Self {
        match name {
            "blacklist" => Self::Blacklist,
            "whitelist-priority" => Self::WhitelistPriority,
            _ => Self::Whitelist,
        }
    }
}

// === impl Pattern ===

impl FromStr for Pattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let text = text.trim();
        if text.contains('*') {
            return wildcard(text).map(Self::Wildcard).ok_or(BadPattern);
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Address(ip.to_canonical()));
        }
        let net = canonical(text.parse::<IpNet>().map_err(|_| BadPattern)?);
        Ok(match net.prefix_len() == net.max_prefix_len() {
            true => Self::Address(net.addr()),
            false => Self::Net(net),
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(ip) => ip.fmt(f),
            Self::Net(net) => net.fmt(f),
            Self::Wildcard(bytes) => {
                let byte = |byte: &Option<u8>| byte.map_or_else(|| "*".to_owned(), |byte| byte.to_string());
                f.write_str(&bytes.each_ref().map(byte).join("."))
            }
        }
    }
}

// === impl IpFilter ===

impl IpFilter {
    pub fn new(
        mode: Mode,
        blacklist: impl IntoIterator<Item = Pattern>,
        whitelist: impl IntoIterator<Item = Pattern>,
    ) -> Self {
        Self {
            mode,
            black: blacklist.into_iter().collect(),
            white: whitelist.into_iter().collect(),
        }
    }

    /// As it is configured, and beside it the entries that cannot be read: they are left out.
    pub fn read(mode: &str, blacklist: &[String], whitelist: &[String]) -> (Self, Vec<String>) {
        let mut unreadable = Vec::new();
        let mut patterns = |list: &[String]| {
            let read = |entry: &String| entry.parse().map_err(|_| unreadable.push(entry.clone())).ok();
            list.iter().filter_map(read).collect::<Vec<Pattern>>()
        };
        let (black, white) = (patterns(blacklist), patterns(whitelist));
        (Self::new(Mode::named(mode), black, white), unreadable)
    }

    pub fn check(&self, ip: IpAddr) -> Result<(), Refusal> {
        let ip = ip.to_canonical();
        match self.mode {
            Mode::Whitelist if !self.white.has(ip) => Err(Refusal::NotWhitelisted),
            Mode::Blacklist if self.black.has(ip) => Err(Refusal::Blacklisted),
            Mode::WhitelistPriority if !self.white.has(ip) && self.black.has(ip) => Err(Refusal::Blacklisted),
            _ => Ok(()),
        }
    }
}

// === impl List ===

impl List {
    fn has(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => self.v4.has(ip.to_bits().into()),
            IpAddr::V6(ip) => self.v6.has(ip.to_bits()),
        }
    }
}

impl FromIterator<Pattern> for List {
    fn from_iter<I: IntoIterator<Item = Pattern>>(patterns: I) -> Self {
        let mut list = Self::default();
        for pattern in patterns {
            match pattern {
                Pattern::Address(IpAddr::V4(ip)) => list.v4.insert(u32::MAX.into(), ip.to_bits().into()),
                Pattern::Address(IpAddr::V6(ip)) => list.v6.insert(u128::MAX, ip.to_bits()),
                Pattern::Net(IpNet::V4(net)) => {
                    let mask = net.netmask().to_bits();
                    list.v4.insert(mask.into(), net.addr().to_bits().into());
                }
                Pattern::Net(IpNet::V6(net)) => list.v6.insert(net.netmask().to_bits(), net.addr().to_bits()),
                Pattern::Wildcard(bytes) => {
                    let mask = Ipv4Addr::from(bytes.map(|byte| byte.map_or(0, |_| u8::MAX)));
                    let value = Ipv4Addr::from(bytes.map(Option::unwrap_or_default));
                    list.v4.insert(mask.to_bits().into(), value.to_bits().into());
                }
            }
        }
        list
    }
}

// === impl Family ===

impl Family {
    fn insert(&mut self, mask: u128, value: u128) {
        if !self.masks.contains(&mask) {
            self.masks.push(mask);
        }
        self.entries.insert((mask, value & mask));
    }

    fn has(&self, ip: u128) -> bool {
        self.masks
            .iter()
            .any(|mask| self.entries.contains(&(*mask, ip & mask)))
    }
}

fn wildcard(text: &str) -> Option<[Option<u8>; 4]> {
    let bytes: Vec<_> = text
        .split('.')
        .map(|byte| match byte {
            "*" => Some(None),
            byte => byte.parse::<u8>().ok().map(Some),
        })
        .collect::<Option<_>>()?;
    bytes.try_into().ok()
}

/// Without host bits, and what is IPv4 as IPv4.
fn canonical(net: IpNet) -> IpNet {
    let net = net.trunc();
    let IpNet::V6(v6) = net else { return net };
    let mapped = v6.addr().to_ipv4_mapped();
    let narrowed = mapped.zip(v6.prefix_len().checked_sub(96));
    narrowed
        .and_then(|(ip, length)| IpNet::new(ip.into(), length).ok())
        .unwrap_or(net)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address, and what becomes of it.
    type Case = (&'static str, Result<(), Refusal>);

    fn patterns(list: &[&str]) -> Vec<Pattern> {
        list.iter().map(|entry| entry.parse().unwrap()).collect()
    }

    #[test]
    fn entries_are_stored_in_one_form() {
        let table = [
            ("203.0.113.9", "203.0.113.9"),
            (" 203.0.113.9 ", "203.0.113.9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("203.0.113.9/32", "203.0.113.9"),
            ("203.0.113.9/24", "203.0.113.0/24"),
            ("::ffff:203.0.113.9/120", "203.0.113.0/24"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("10.0.*.*", "10.0.*.*"),
            ("10.*.0.*", "10.*.0.*"),
        ];
        for (written, stored) in table {
            assert_eq!(
                written.parse::<Pattern>().unwrap().to_string(),
                stored,
                "{written}"
            );
        }
        for bad in [
            "",
            "x",
            "10.0.0",
            "10.0.0.256",
            "10.0.0.0/33",
            "10.0.*",
            "10.0.*.*.*",
            "1*.0.0.0",
            "2001:*",
        ] {
            assert_eq!(bad.parse::<Pattern>(), Err(BadPattern), "{bad}");
        }
    }

    #[test]
    fn the_mode_says_what_the_lists_mean() {
        let black = ["203.0.113.0/24", "2001:db8::/32", "10.*.0.7"];
        let white = ["203.0.113.9", "192.0.2.0/24", "2001:db8::1"];
        use {Mode::*, Refusal::*};
        let table: &[(Mode, &[Case])] = &[
            (
                Blacklist,
                &[
                    ("203.0.113.9", Err(Blacklisted)),
                    ("::ffff:203.0.113.9", Err(Blacklisted)),
                    ("203.0.114.9", Ok(())),
                    ("10.1.0.7", Err(Blacklisted)),
                    ("10.1.1.7", Ok(())),
                    ("2001:db8:1::1", Err(Blacklisted)),
                    ("2001:db9::1", Ok(())),
                ],
            ),
            (
                Whitelist,
                &[
                    ("203.0.113.9", Ok(())),
                    ("::ffff:192.0.2.200", Ok(())),
                    ("203.0.113.8", Err(NotWhitelisted)),
                    ("8.8.8.8", Err(NotWhitelisted)),
                    ("2001:db8::1", Ok(())),
                    ("2001:db8::2", Err(NotWhitelisted)),
                ],
            ),
            (
                WhitelistPriority,
                &[
                    ("203.0.113.9", Ok(())),
                    ("203.0.113.8", Err(Blacklisted)),
                    ("8.8.8.8", Ok(())),
                    ("2001:db8::1", Ok(())),
                    ("2001:db8::2", Err(Blacklisted)),
                ],
            ),
        ];
        for (mode, cases) in table {
            let filter = IpFilter::new(*mode, patterns(&black), patterns(&white));
            for (ip, expected) in *cases {
                assert_eq!(filter.check(ip.parse().unwrap()), *expected, "{mode:?} {ip}");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_lets_nobody_in() {
        let list = |entries: &[&str]| {
            entries
                .iter()
                .map(|entry| (*entry).to_owned())
                .collect::<Vec<_>>()
        };
        let (filter, unreadable) = IpFilter::read("tomorrow", &list(&["x"]), &list(&["y", "10.0.0.1"]));
        assert_eq!(unreadable, ["x", "y"]);
        assert!(filter.check("10.0.0.1".parse().unwrap()).is_ok());
        assert!(filter.check("10.0.0.2".parse().unwrap()).is_err());
    }

    #[test]
    fn all_of_one_kind_of_address_is_nothing_of_the_other() {
        let filter = IpFilter::new(Mode::Whitelist, [], patterns(&["::/0"]));
        assert!(filter.check("2001:db8::1".parse().unwrap()).is_ok());
        assert!(filter.check("203.0.113.9".parse().unwrap()).is_err());
        let filter = IpFilter::new(Mode::Whitelist, [], patterns(&["0.0.0.0/0"]));
        assert!(filter.check("2001:db8::1".parse().unwrap()).is_err());
        assert!(filter.check("203.0.113.9".parse().unwrap()).is_ok());
    }
}

//! Which kind of network an address belongs to.
//!
//! IPv6 forms that carry an IPv4 address (mapped, NAT64, 6to4) are judged by what they carry.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressClass {
    Public,
    /// Loopback, RFC 1918, carrier-grade NAT, unique local: allowed where an administrator says so.
    Private,
    /// Unspecified, link-local with the cloud metadata services, multicast, broadcast, reserved.
    Forbidden,
}

/// Amazon's metadata service over IPv6; inside the unique local range, so it needs a rule of its own.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
/// Alibaba's metadata service; inside the carrier-grade NAT range.
const METADATA_ALIBABA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);

pub fn classify(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

fn classify_v4(address: Ipv4Addr) -> AddressClass {
    let [a, b, c, _] = address.octets();
    let forbidden = a == 0
        || a >= 224
        || address == METADATA_ALIBABA
        || address.is_link_local()
        || (a, b, c) == (192, 0, 0)
        || (a == 198 && (b == 18 || b == 19))
        || address.is_documentation();
    if forbidden {
        return AddressClass::Forbidden;
    }
    let carrier_grade_nat = a == 100 && (64..128).contains(&b);
    if address.is_loopback() || address.is_private() || carrier_grade_nat {
        return AddressClass::Private;
    }
    AddressClass::Public
}

fn classify_v6(address: Ipv6Addr) -> AddressClass {
    if let Some(inner) = carried_v4(address) {
        return classify_v4(inner);
    }
    let first = address.segments()[0];
    let link_local = first & 0xffc0 == 0xfe80;
    let site_local = first & 0xffc0 == 0xfec0;
    let unique_local = first & 0xfe00 == 0xfc00;
    let documentation = first == 0x2001 && address.segments()[1] == 0x0db8;
    if address.is_unspecified()
        || address.is_multicast()
        || link_local
        || documentation
        || address == METADATA_V6
    {
        return AddressClass::Forbidden;
    }
    if address.is_loopback() || unique_local || site_local {
        return AddressClass::Private;
    }
    AddressClass::Public
}

fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let from = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    if let Some(mapped) = address.to_ipv4_mapped() {
        return Some(mapped);
    }
    // RFC 6052 well-known NAT64 prefix, and the local-use one of RFC 8215
    if (s[0], s[1]) == (0x64, 0xff9b) {
        return Some(from(s[6], s[7]));
    }
    // 6to4, RFC 3056
    (s[0] == 0x2002).then(|| from(s[1], s[2]))
}

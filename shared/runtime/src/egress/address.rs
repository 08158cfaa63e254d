//! Which kind of network an address belongs to.
//!
//! IPv6 is an allow-list: only what is global unicast counts as public, so a range that IANA assigns tomorrow is
//! refused until somebody looks at it. Forms that carry an IPv4 address are judged by what they carry.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressClass {
    Public,
    /// Loopback, RFC 1918, carrier-grade NAT, unique local: allowed where an administrator says so.
    Private,
    /// Unspecified, link-local with the cloud metadata services, multicast, broadcast, reserved.
    Forbidden,
}

/// Metadata services outside the link-local range, which would count as private or public otherwise.
const METADATA_V4: [Ipv4Addr; 2] = [
    // Alibaba Cloud; inside the carrier-grade NAT range
    Ipv4Addr::new(100, 100, 100, 200),
    // Azure's platform channel (WireServer); a public address
    Ipv4Addr::new(168, 63, 129, 16),
];
/// The same inside the unique local range; Amazon's is a whole prefix, see [`classify_v6`].
const METADATA_V6: [Ipv6Addr; 3] = [
    // Google Cloud
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    // Oracle Cloud
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    // Scaleway
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

pub fn classify(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

/// By the IANA special-purpose registry.
fn classify_v4(address: Ipv4Addr) -> AddressClass {
    let [a, b, c, _] = address.octets();
    let forbidden = a == 0
        || a >= 224
        || METADATA_V4.contains(&address)
        || address.is_link_local()
        || (a, b, c) == (192, 0, 0)
        // 6to4 relays, RFC 7526
        || (a, b, c) == (192, 88, 99)
        // benchmarking, RFC 2544
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
    let [first, second, third, ..] = address.segments();
    // Amazon's services on an instance: metadata, time, DNS, pod identity
    if METADATA_V6.contains(&address) || (first, second) == (0xfd00, 0xec2) {
        return AddressClass::Forbidden;
    }
    let unique_local = first & 0xfe00 == 0xfc00;
    let site_local = first & 0xffc0 == 0xfec0;
    // translators of the operator's own network, RFC 8215
    let local_nat64 = (first, second, third) == (0x64, 0xff9b, 1);
    if address.is_loopback() || unique_local || site_local || local_nat64 {
        return AddressClass::Private;
    }
    let global_unicast = first & 0xe000 == 0x2000;
    // Teredo, ORCHID, benchmarking: IETF protocol assignments, RFC 2928
    let protocol_assignment = first == 0x2001 && second < 0x200;
    let documentation = (first, second) == (0x2001, 0xdb8) || (first == 0x3fff && second < 0x1000);
    if global_unicast && !protocol_assignment && !documentation {
        return AddressClass::Public;
    }
    AddressClass::Forbidden
}

fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = address.segments();
    let (first_two, last_two) = (
        u32::from(s1) << 16 | u32::from(s2),
        u32::from(s6) << 16 | u32::from(s7),
    );
    match [s0, s1, s2, s3, s4, s5] {
        // mapped, RFC 4291
        [0, 0, 0, 0, 0, 0xffff] => Some(last_two.into()),
        // translated, RFC 2765
        [0, 0, 0, 0, 0xffff, 0] => Some(last_two.into()),
        // the well-known NAT64 prefix, RFC 6052
        [0x64, 0xff9b, 0, 0, 0, 0] => Some(last_two.into()),
        // 6to4, RFC 3056
        [0x2002, ..] => Some(first_two.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_special_range_has_its_class() {
        use AddressClass::{Forbidden, Private, Public};
        let table = [
            // both ends of each range, and the neighbours outside
            ("0.0.0.0", Forbidden),
            ("0.255.255.255", Forbidden),
            ("1.0.0.0", Public),
            ("9.255.255.255", Public),
            ("10.0.0.0", Private),
            ("10.255.255.255", Private),
            ("11.0.0.0", Public),
            ("100.63.255.255", Public),
            ("100.64.0.0", Private),
            ("100.100.100.200", Forbidden),
            ("100.127.255.255", Private),
            ("100.128.0.0", Public),
            ("127.0.0.1", Private),
            ("127.255.255.255", Private),
            ("128.0.0.0", Public),
            ("168.63.129.16", Forbidden),
            ("168.63.129.17", Public),
            ("169.253.255.255", Public),
            ("169.254.0.0", Forbidden),
            ("169.254.169.254", Forbidden),
            ("169.254.170.2", Forbidden),
            ("169.254.255.255", Forbidden),
            ("169.255.0.0", Public),
            ("172.15.255.255", Public),
            ("172.16.0.0", Private),
            ("172.31.255.255", Private),
            ("172.32.0.0", Public),
            ("192.0.0.192", Forbidden),
            ("192.0.2.1", Forbidden),
            ("192.88.99.1", Forbidden),
            ("192.168.255.255", Private),
            ("198.18.0.0", Forbidden),
            ("198.19.255.255", Forbidden),
            ("198.51.100.1", Forbidden),
            ("203.0.113.1", Forbidden),
            ("223.255.255.255", Public),
            ("224.0.0.1", Forbidden),
            ("240.0.0.1", Forbidden),
            ("255.255.255.255", Forbidden),
            ("::", Forbidden),
            ("::1", Private),
            ("::2", Forbidden),
            // IPv4-compatible: deprecated, and some stacks still route it
            ("::127.0.0.1", Forbidden),
            ("::8.8.8.8", Forbidden),
            ("::ffff:127.0.0.1", Private),
            ("::ffff:169.254.169.254", Forbidden),
            ("::ffff:8.8.8.8", Public),
            ("::ffff:0:127.0.0.1", Private),
            ("::ffff:0:169.254.169.254", Forbidden),
            ("64:ff9b::10.0.0.1", Private),
            ("64:ff9b::169.254.169.254", Forbidden),
            ("64:ff9b::8.8.8.8", Public),
            ("64:ff9b:1::8.8.8.8", Private),
            ("64:ff9b:2::8.8.8.8", Forbidden),
            ("100::1", Forbidden),
            ("2001::1", Forbidden),
            ("2001:1ff:ffff::1", Forbidden),
            ("2001:200::1", Public),
            ("2001:db8::1", Forbidden),
            ("2002:7f00:1::", Private),
            ("2002:a9fe:a9fe::", Forbidden),
            ("2002:808:808::", Public),
            ("2606:4700::6812:1", Public),
            ("3fff:fff::1", Forbidden),
            ("3fff:1000::1", Public),
            ("4000::1", Forbidden),
            ("5f00::1", Forbidden),
            ("fc00::1", Private),
            ("fd00::1", Private),
            ("fd00:42::42", Forbidden),
            ("fd00:c1::a9fe:a9fe", Forbidden),
            ("fd00:ec2::254", Forbidden),
            ("fd00:ec2::23", Forbidden),
            ("fd20:ce::254", Forbidden),
            ("fe80::1", Forbidden),
            ("febf::1", Forbidden),
            ("fec0::1", Private),
            ("ff02::1", Forbidden),
        ];
        for (address, expected) in table {
            assert_eq!(classify(address.parse().unwrap()), expected, "{address}");
        }
    }

    proptest! {
        #[test]
        fn wrapping_an_address_in_ipv6_changes_nothing(bits: u32) {
            let address = Ipv4Addr::from(bits);
            let class = classify(address.into());
            let low = u128::from(bits);
            for prefix in [0xffff_u128 << 32, 0xffff_u128 << 48, 0x64_ff9b_u128 << 96] {
                prop_assert_eq!(classify(Ipv6Addr::from(prefix | low).into()), class);
            }
            prop_assert_eq!(classify(Ipv6Addr::from(0x2002_u128 << 112 | low << 80).into()), class);
        }
    }
}

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn here() -> NeverGranted {
    let here = Here {
        gateways: ["172.17.0.1", "fe80::1", "::ffff:10.0.0.1", "2001:db8:1::1"].map(ip).to_vec(),
        own: ["127.0.0.1", "::1", "172.18.0.1", "198.51.100.7", "2001:db8:1::7"].map(ip).to_vec(),
    };
    let proxies = ["198.51.100.80", "10.9.0.0/16"].map(|text| match text.parse() {
        Ok(net) => net,
        Err(_) => IpNet::from(ip(text)),
    });
    NeverGranted::of(Loopback::Refused, &here).with_listed([ip("192.0.2.99")]).with_proxies(proxies)
}

#[test]
fn t19_addresses_that_are_nobodys() {
    let rule = here();
    let cases = [
        ("0.0.0.0", Some(Never::Unspecified)),
        ("::", Some(Never::Unspecified)),
        ("::ffff:0.0.0.0", Some(Never::Unspecified)),
        ("0.0.0.32", Some(Never::ThisNetwork)),
        ("0.255.255.255", Some(Never::ThisNetwork)),
        ("255.255.255.255", Some(Never::Broadcast)),
        ("::ffff:255.255.255.255", Some(Never::Broadcast)),
        ("240.0.0.1", Some(Never::Reserved)),
        ("255.255.255.254", Some(Never::Reserved)),
        ("224.0.0.1", Some(Never::Multicast)),
        ("239.255.255.255", Some(Never::Multicast)),
        ("::ffff:224.0.0.1", Some(Never::Multicast)),
        ("ff02::1", Some(Never::Multicast)),
        ("127.0.0.1", Some(Never::Loopback)),
        ("127.9.9.9", Some(Never::Loopback)),
        ("::1", Some(Never::Loopback)),
        ("::ffff:127.0.0.1", Some(Never::Loopback)),
        ("fe80::2", Some(Never::LinkLocal)),
        ("febf::2", Some(Never::LinkLocal)),
        ("169.254.1.1", Some(Never::LinkLocal)),
        ("192.0.2.99", Some(Never::Listed)),
        ("172.17.0.2", None),
        ("192.0.2.1", None),
        ("2001:db8::1", None),
        ("fec0::1", None),
        ("1.0.0.1", None),
    ];
    for (address, expected) in cases {
        assert_eq!(rule.why(ip(address)), expected, "{address}");
    }
}

#[test]
fn t01_gateways_and_the_machine_itself_prove_nobody() {
    let rule = here();
    let cases = [
        ("172.17.0.1", Some(Never::Gateway)),
        ("::ffff:172.17.0.1", Some(Never::Gateway)),
        ("10.0.0.1", Some(Never::Gateway)),
        ("fe80::1", Some(Never::Gateway)),
        ("2001:db8:1::1", Some(Never::Gateway)),
        ("172.18.0.1", Some(Never::Own)),
        ("2001:db8:1::7", Some(Never::Own)),
        ("198.51.100.80", Some(Never::Proxy)),
        ("10.9.3.4", Some(Never::Proxy)),
        ("172.18.0.2", None),
        ("10.10.0.1", None),
    ];
    for (address, expected) in cases {
        assert_eq!(rule.why(ip(address)), expected, "{address}");
        let remedy = expected.map(|never| never.remedy().is_some());
        assert_ne!(remedy, Some(false), "{address}: the alarm says what to do");
    }
    assert_eq!(
        rule.why_named(ip("10.9.3.4"), Named::ByProxy),
        None,
        "a client within the proxies' network, named by one"
    );
    assert_eq!(rule.why_named(ip("198.51.100.80"), Named::ByProxy), Some(Never::Proxy), "the proxy itself");
    assert_eq!(rule.why_named(ip("172.17.0.1"), Named::ByProxy), Some(Never::Gateway));
}

#[test]
fn an_address_that_carries_an_ipv4_address_is_judged_as_that() {
    let rule = here();
    // Teredo keeps the client's address with its bits turned round (RFC 4380 §4).
    let carriers = [
        |v4: &str| format!("64:ff9b::{v4}"),
        |v4: &str| format!("::{v4}"),
        |v4: &str| format!("::ffff:0:{v4}"),
        |v4: &str| ipv6_with(v4, 0x2002 << 112, 80),
        |v4: &str| ipv6_with_turned(v4),
    ];
    let cases = [
        ("0.0.0.32", Some(Never::ThisNetwork)),
        ("127.0.0.1", Some(Never::Loopback)),
        ("224.0.0.1", Some(Never::Multicast)),
        ("240.0.0.1", Some(Never::Reserved)),
        ("255.255.255.255", Some(Never::Broadcast)),
        ("169.254.1.1", Some(Never::LinkLocal)),
        ("172.17.0.1", Some(Never::Gateway)),
        ("172.18.0.1", Some(Never::Own)),
        ("198.51.100.80", Some(Never::Proxy)),
        ("192.0.2.99", Some(Never::Listed)),
        ("192.0.2.7", None),
    ];
    for (v4, expected) in cases {
        for carrier in carriers {
            let address = carrier(v4);
            assert_eq!(rule.why(ip(&address)), expected, "{address} for {v4}");
        }
    }
}

fn bits(v4: &str) -> u128 {
    u128::from(u32::from(v4.parse::<std::net::Ipv4Addr>().unwrap()))
}

fn ipv6_with(v4: &str, prefix: u128, shift: u32) -> String {
    std::net::Ipv6Addr::from(prefix | bits(v4) << shift | 5).to_string()
}

fn ipv6_with_turned(v4: &str) -> String {
    std::net::Ipv6Addr::from(0x2001 << 112 | 0x4136_e378 << 64 | (bits(v4) ^ 0xffff_ffff)).to_string()
}

#[test]
fn loopback_is_granted_where_it_was_asked_for() {
    let rule = NeverGranted::new(Loopback::Granted, []);
    for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(rule.why(ip(address)), None, "{address}");
    }
    assert_eq!(rule.why(ip("255.255.255.255")), Some(Never::Broadcast));
}

#[test]
fn networks_that_name_nobody() {
    let rule = here();
    let cases = [
        ("172.17.0.1/32", Some(Never::Gateway)),
        ("172.17.0.0/16", None),
        ("64:ff9b::ac11:1/128", Some(Never::Gateway)),
        ("fe80::/64", Some(Never::LinkLocal)),
        ("169.254.3.0/24", Some(Never::LinkLocal)),
        ("0.0.0.0/8", Some(Never::ThisNetwork)),
        ("240.0.0.0/24", Some(Never::Reserved)),
        ("64:ff9b::f000:0/120", Some(Never::Reserved)),
        ("2002:e000:1::/48", Some(Never::Multicast)),
        ("::e000:0/120", Some(Never::Multicast)),
        ("127.0.0.0/8", None),
        ("198.51.100.80/32", None),
        ("172.18.0.1/32", None),
        ("192.0.2.0/24", None),
        ("2002:c000:201::/48", None),
    ];
    for (network, expected) in cases {
        let why = rule.why_network(network.parse().unwrap());
        // The first and last of a range may have names of their own.
        assert_eq!(why.is_some(), expected.is_some(), "{network}: {why:?}");
        if expected == Some(Never::Gateway) {
            assert_eq!(why, expected, "{network}");
        }
    }
}

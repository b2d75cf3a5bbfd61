//! Lines as the original reads them, lines that were added, and lines that would open the relay.

use super::*;
use proptest::prelude::*;

fn load(text: &str) -> Loaded {
    Allow::parse("dracd.allow", text.as_bytes()).unwrap()
}

fn allows(text: &str, client: &str) -> bool {
    load(text).allow.allows(client.parse().unwrap())
}

/// Line, a client that it permits, a client that it does not.
#[test]
fn lines_permit_what_the_original_permits() {
    let cases = [
        ("255.255.255.255 192.0.2.5", "192.0.2.5", "192.0.2.6"),
        ("255.255.255.0 192.168.1.0", "192.168.1.77", "192.168.2.1"),
        ("255.255.255.0\t192.168.1.0", "192.168.1.77", "192.168.2.1"),
        ("255.255.255.0 \t  192.168.1.0", "192.168.1.77", "192.168.2.1"),
        ("255.255.255.0 192.168.1.0\r", "192.168.1.77", "192.168.2.1"),
        ("255.255.255.0 192.168.1.0 # the POP servers", "192.168.1.77", "192.168.2.1"),
        ("255.255.255.0 192.168.1.0,255.255.0.0", "192.168.1.77", "192.168.2.1"),
        ("255.255.255.0 192.168.1.0pop", "192.168.1.77", "192.168.2.1"),
        ("255.0.0.0 10.0.0.0", "10.1.2.3", "11.0.0.1"),
        ("255.255.255.255 10", "0.0.0.10", "10.0.0.0"),
        ("255.255.255.255 010.0.0.1", "8.0.0.1", "10.0.0.1"),
        ("255 0.0.0.7", "9.9.9.7", "9.9.9.8"),
        ("255.0.255.0 10.0.1.0", "10.200.1.3", "10.200.2.3"),
        ("255.255.255.256 192.0.2.5", "192.0.2.5", "192.0.2.6"),
        ("255.255.255.0 192.168.1.0", "::ffff:192.168.1.77", "::192.168.1.77"),
    ];
    for (line, permitted, denied) in cases {
        assert!(allows(line, permitted), "{line:?} permits {permitted}");
        assert!(!allows(line, denied), "{line:?} does not permit {denied}");
        assert!(!allows(line, "127.0.0.1"), "{line:?}: with a list loopback has no right of its own");
    }
}

#[test]
fn networks_are_read_too() {
    let cases = [
        ("192.0.2.0/24", "192.0.2.9", "192.0.3.9"),
        ("10.0.0.0/8", "10.9.9.9", "11.0.0.1"),
        ("192.0.2.7/32 # pop1", "192.0.2.7", "192.0.2.8"),
        ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
        ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
        ("2001:db8::1/128\r", "2001:db8::1", "2001:db8::2"),
        ("::1", "::1", "::2"),
        ("::ffff:192.0.2.0/120", "192.0.2.9", "192.0.3.9"),
        ("::ffff:192.0.2.9", "192.0.2.9", "192.0.3.9"),
    ];
    for (line, permitted, denied) in cases {
        assert!(allows(line, permitted), "{line:?} permits {permitted}");
        assert!(!allows(line, denied), "{line:?} does not permit {denied}");
        assert!(load(line).warnings.is_empty(), "{line:?}");
    }
}

/// A line, the column of the warning, and what the warning says to do. None of them permits anybody.
#[test]
fn void_lines_are_told() {
    let cases = [
        (" 255.255.255.255 192.0.2.5", 2, "take the blanks away"),
        ("\t# comment", 2, "a comment must begin in the first column"),
        ("192.0.2.5", 10, "write `255.255.255.255 192.0.2.5`"),
        ("192.0.2.5 # pop1", 11, "write `255.255.255.255 192.0.2.5`"),
        ("255.255.255.0,192.168.1.0", 14, "after NETMASK stands a blank"),
        ("255.255.255.0, 192.168.1.0", 14, "after NETMASK stands a blank"),
        ("255.255.255.255 pop.example.test", 17, "NETADDR is missing"),
        ("pop.example.test", 1, "names are not read"),
        ("deny 10.0.0.1", 1, "names are not read"),
        ("0xffffff00 10.0.0.0", 2, "after NETMASK stands a blank"),
        ("255.255.255.0 192.168.1.5", 15, "write `255.255.255.0 192.168.1.0`"),
        ("192.168.1.5 255.255.255.0", 13, "NETMASK comes first: write `255.255.255.0 192.168.1.0`"),
        ("255.255.255.0 192.168.1.256", 15, "NETADDR is no address"),
        ("0.0.0.0 1.2.3.4.5", 9, "NETADDR is no address"),
        ("255.255.255.0 00000000000000000000000000000000.1", 15, "at most 31 octets"),
        ("192.0.2.7/24", 1, "write `192.0.2.0/24`"),
        ("2001:db8::7/64", 1, "write `2001:db8::/64`"),
        ("192.0.2.0/33", 1, "this is no network"),
        ("192.0.2.0/024", 1, "this is no network"),
        ("192.0.2.0/+24", 1, "this is no network"),
        ("192.0.2.0/", 1, "this is no network"),
        ("192.0.2.0/255.255.255.0", 1, "this is no network"),
        ("fe80::1%eth0", 1, "this is no network"),
        ("::ffff:0.0.0.0/90", 1, "write the IPv4 network itself"),
        ("10.0.0.0/8 10.0.0.1", 12, "only a comment may stand"),
        ("255.255.255.0/24 192.168.1.0", 18, "only a comment may stand"),
        ("\u{feff}255.255.255.255 192.0.2.5", 1, "names are not read"),
    ];
    for (line, column, advice) in cases {
        let Loaded { allow, warnings } = load(&format!("# first\n{line}\n"));
        assert!(allow.is_empty(), "{line:?}");
        let place = Position { file: "dracd.allow".to_owned(), line: 2, column };
        assert_eq!(warnings.len(), 2, "{line:?}: {warnings:?}");
        assert_eq!(warnings[0].place, place, "{line:?}: {warnings:?}");
        assert!(warnings[0].message.contains(advice), "{line:?}: {warnings:?}");
        assert!(warnings[1].message.contains("every add will be denied"), "{warnings:?}");
    }
}

#[test]
fn lines_that_mean_something_else_are_told() {
    let cases = [
        (
            "255.255.255.255 010.0.0.1",
            "dracd.allow:1:17: `010.0.0.1` means 8.0.0.1, since numbers with a leading 0 are octal",
        ),
        ("255.255.255.255 10", "dracd.allow:1:17: `10` means 0.0.0.10, since it has not four numbers"),
        ("255.255.255.256 192.0.2.5", "dracd.allow:1:1: NETMASK is no address and counts as 255.255.255.255"),
    ];
    for (line, expected) in cases {
        let warnings = load(line).warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].to_string().starts_with(expected), "{warnings:?}");
    }
}

#[test]
fn what_is_in_order_is_silent() {
    let text =
        "# servers\n#255.255.255.255 192.0.2.99\n\n255.255.255.255 192.0.2.5\r\n\r\n255.255.255.0\t198.51.100.0 two\n";
    let loaded = load(text);
    assert_eq!(loaded.warnings, []);
    assert!(loaded.allow.allows("198.51.100.3".parse().unwrap()));
    assert!(!loaded.allow.allows("192.0.2.99".parse().unwrap()));
}

#[test]
fn t18_a_list_that_lets_everybody_add_is_refused() {
    let everybody = ["0.0.0.0 0.0.0.0", "0 0", "0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96", "00.0 0,"];
    for line in everybody {
        let error = Allow::parse("dracd.allow", format!("255.255.255.255 192.0.2.5\n{line}\n").as_bytes()).unwrap_err();
        assert!(matches!(&error, AllowError::Everybody { place } if place.line == 2), "{line:?}: {error}");
        assert!(error.to_string().starts_with("dracd.allow:2:1: this lets everybody add"), "{error}");
    }
    for line in
        ["128.0.0.0 0.0.0.0", "128.0.0.0 128.0.0.0", "0.0.0.1 0.0.0.1", "254.0.0.0 10.0.0.0", "10.0.0.0/7", "2000::/3"]
    {
        let error = Allow::parse("dracd.allow", line.as_bytes()).unwrap_err();
        assert!(matches!(error, AllowError::TooWide { .. }), "{line:?}: {error}");
    }
}

#[test]
fn t18_without_a_list_only_loopback_may_add() {
    let allow = Allow::loopback_only();
    for (client, may) in
        [("127.0.0.1", true), ("::1", true), ("::ffff:127.0.0.1", true), ("127.0.0.2", false), ("10.0.0.1", false)]
    {
        assert_eq!(allow.allows(client.parse().unwrap()), may, "{client}");
    }
    assert!(!allow.reaches_beyond_loopback());
    assert!(!load("255.0.0.0 127.0.0.0\n::1").allow.reaches_beyond_loopback());
    for line in [
        "255.255.255.255 192.0.2.5",
        "::2",
        "127.0.0.0/8
2001:db8::/32",
        "255.0.0.0 126.0.0.0",
    ] {
        assert!(load(line).allow.reaches_beyond_loopback(), "{line}");
    }
}

#[test]
fn a_list_has_an_end() {
    let text = "255.255.255.255 192.0.2.5\n".repeat(ENTRIES_MAX + 1);
    let error = Allow::parse("dracd.allow", text.as_bytes()).unwrap_err();
    assert!(matches!(error, AllowError::TooMany { place } if place.line == ENTRIES_MAX + 1));
}

proptest! {
    /// Whatever the file holds, nobody gets in whom no line names, and nothing panics.
    #[test]
    fn any_octets_are_read(text: Vec<u8>, client: IpAddr) {
        if let Ok(loaded) = Allow::parse("f", &text) {
            prop_assert!(!loaded.allow.is_empty() || !loaded.allow.allows(client));
        }
    }

    /// A line of old and the network that means the same agree about every client.
    #[test]
    fn both_ways_to_write_agree(address: u32, bits in 8_u32..=32, client: u32, near in any::<bool>()) {
        let mask = u32::MAX << (32 - bits);
        let (network, mask) = (Ipv4Addr::from_bits(address & mask), Ipv4Addr::from_bits(mask));
        let client = if near { client & !mask.to_bits() | network.to_bits() } else { client };
        let client = Ipv4Addr::from_bits(client).into();
        let old = load(&format!("{mask} {network}")).allow.allows(client);
        prop_assert_eq!(old, load(&format!("{network}/{bits}")).allow.allows(client));
        prop_assert!(old || !near);
    }
}

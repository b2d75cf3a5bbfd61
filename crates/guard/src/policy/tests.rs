use proptest::prelude::*;

use super::pattern::{parse_names, parse_network};
use super::*;

fn entry(text: &str, line: u32) -> Entry {
    Entry { text: text.to_owned(), line: ConfigLine::new("sekisho.toml", line) }
}

fn networks(texts: &[&str]) -> Result<RelayPolicy, Vec<Danger>> {
    let networks = (1..).zip(texts).map(|(line, text)| entry(text, line)).collect();
    RelayPolicy::new(RelayPolicySpec { networks, ..RelayPolicySpec::default() })
}

/// The trap: a trust list that trusts strangers is a load error that names its line.
#[test]
fn t03_trust_list_of_strangers_does_not_load() {
    let cases: &[(&str, &str)] = &[
        ("0.0.0.0/0", "is everybody"),
        ("::/0", "is everybody"),
        ("::ffff:0:0/96", "is everybody"),
        ("0.0.0.0/1", "holds strangers"),
        ("128.0.0.0/1", "holds strangers"),
        ("172.0.0.0/8", "far beyond the private network 172.16.0.0/12"),
        ("172.16.0.0/8", "far beyond the private network 172.16.0.0/12"),
        ("192.0.0.0/8", "far beyond the private network 192.168.0.0/16"),
        ("10.0.0.0/7", "far beyond the private network 10.0.0.0/8"),
        ("203.0.113.0/23", "holds strangers"),
        ("100.64.0.0/10", "holds strangers"),
        ("126.0.0.0/7", "holds strangers"),
        ("::ffff:203.0.112.0/118", "holds strangers"),
        ("2001:db8::/47", "wider than /48"),
        ("2000::/3", "holds strangers"),
        ("fe80::/10", "holds strangers"),
        ("fc00::/7", "holds strangers"),
        ("::/1", "holds strangers"),
        ("::/64", "covers loopback"),
        ("::/127", "covers loopback"),
        ("64:ff9b::/96", "translator"),
        ("64:ff9b::c000:200/119", "translator"),
        ("::ffff:0:0/95", "translator"),
        ("192.0.2.1/24", "write 192.0.2.0/24 for the network or 192.0.2.1 for one client"),
        ("10.1.2.3/8", "has bits right of its prefix"),
        ("2001:db8::1/64", "has bits right of its prefix"),
        ("0.0.0.0", "no client's address"),
        ("224.0.0.1", "no client's address"),
        ("255.255.255.255", "no client's address"),
        ("::", "no client's address"),
        ("ff02::1", "no client's address"),
        ("fe80::1", "another machine has on each link"),
        ("fe80::/64", "another machine has on each link"),
        ("169.254.1.0/24", "another machine has on each link"),
        ("64:ff9b::e000:1", "multicast"),
        ("64:ff9b:1::/64", "translator"),
        ("2001:0:4136:e378::/64", "translator"),
        ("2002:f000:1::/48", "reserved"),
        ("192.0.2.0/33", "neither an address nor a network"),
        ("192.0.2", "neither an address nor a network"),
        ("192.0.2.0/24 ", "neither an address nor a network"),
        ("", "neither an address nor a network"),
        ("example.com", "neither an address nor a network"),
        ("0300.0.2.1", "neither an address nor a network"),
    ];
    for (text, why) in cases {
        let dangers = networks(&[text]).expect_err(text);
        let shown = dangers[0].to_string();
        assert!(shown.starts_with(&format!("sekisho.toml:1: relay.networks: {text:?} ")), "{shown}");
        assert!(shown.contains(why), "{text}: {shown}");
    }
}

/// Behind a gateway's address is whoever comes through it; the network around it is a site's own.
#[test]
fn t01_a_gateway_by_itself_does_not_load() {
    let load = |text: &str| {
        let gateways = ["172.17.0.1", "2001:db8:1::1"].map(|ip| ip.parse().unwrap());
        let never = NeverGranted::new(crate::never_granted::Loopback::Refused, gateways);
        let one = || vec![entry(text, 4)];
        let spec =
            |networks, client_map| RelayPolicySpec { networks, client_map, never: never.clone(), ..Default::default() };
        [spec(one(), Vec::new()), spec(Vec::new(), one())].map(|spec| RelayPolicy::new(spec).map(|_| ()))
    };
    for text in ["172.17.0.1", "172.17.0.1/32", "::ffff:172.17.0.1", "2001:db8:1::1", "64:ff9b::ac11:1"] {
        for loaded in load(text) {
            let shown = loaded.expect_err(text)[0].to_string();
            assert!(shown.contains("is a gateway") && shown.contains("PROXY protocol"), "{shown}");
        }
    }
    for text in ["172.17.0.0/16", "172.17.0.2", "2001:db8:1::/64"] {
        for loaded in load(text) {
            loaded.unwrap_or_else(|dangers| panic!("{text}: {}", dangers[0]));
        }
    }
}

#[test]
fn all_dangers_are_named_at_once() {
    let dangers = networks(&["192.0.2.0/24", "0.0.0.0/0", "10.0.0.0/8", "::/0"]).unwrap_err();
    let lines: Vec<_> = dangers.iter().map(|danger| danger.line.line).collect();
    assert_eq!(lines, [2, 4]);
}

#[test]
fn a_site_s_networks_load() {
    let fine = [
        "192.0.2.7",
        "203.0.113.0/24",
        "203.0.113.128/25",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "172.20.0.0/16",
        "127.0.0.1",
        "127.0.0.0/8",
        "::1",
        "2001:db8::/48",
        "2001:db8:1:2::/64",
        "fd00:1:2::/48",
        "::ffff:192.0.2.0/120",
        "64:ff9b::c000:201",
    ];
    for text in fine {
        networks(&[text]).unwrap_or_else(|dangers| panic!("{text}: {}", dangers[0]));
    }
}

#[test]
fn the_longest_match_names_the_line() {
    let policy = networks(&["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/48", "10.1.0.0/16"]).unwrap();
    let line = |ip: &str| policy.networks.find(ip.parse().unwrap()).map(|line| line.line);
    assert_eq!(line("10.2.0.1"), Some(1));
    assert_eq!(line("10.1.0.1"), Some(2), "the first of two equal lines");
    assert_eq!(line("::ffff:10.1.0.1"), Some(2));
    assert_eq!(line("2001:db8::1"), Some(3));
    assert_eq!(line("11.0.0.1"), None);
    assert_eq!(line("::10.0.0.1"), None);
    assert_eq!(policy.relaying_networks().count(), 3);
}

#[test]
fn broad_names_do_not_load() {
    let map = |text: &str| {
        let client_map = vec![entry(text, 9)];
        RelayPolicy::new(RelayPolicySpec { client_map, ..RelayPolicySpec::default() }).map(|_| ())
    };
    for text in ["localhost", "com", ".com", ".jp", ".co.jp", "co.jp", ".or.jp", "0.0.0.0/0", "a..b", ".", "", "*"] {
        let dangers = map(text).expect_err(text);
        assert!(dangers[0].to_string().starts_with("sekisho.toml:9: relay.client_map: "), "{}", dangers[0]);
    }
    for text in
        ["mail.example.com", ".example.com", ".example.co.jp", "192.0.2.7", "2001:db8::/64", "MAIL.Example.COM."]
    {
        map(text).unwrap_or_else(|dangers| panic!("{text}: {}", dangers[0]));
    }
}

#[test]
fn relay_domains_below_a_registry_do_not_load() {
    let domains = |text: &str| {
        let relay_domains = vec![entry(text, 3)];
        RelayPolicy::new(RelayPolicySpec { relay_domains, ..RelayPolicySpec::default() }).map(|_| ())
    };
    assert!(domains(".com").is_err());
    assert!(domains(".co.jp").is_err());
    assert!(domains("192.0.2.1").is_err());
    assert!(domains("example.com").is_ok());
    assert!(domains(".example.com").is_ok());
}

#[test]
fn names_match_by_label() {
    let client_map = vec![entry("mail.example.com", 1), entry(".dyn.example.com", 2)];
    let policy = RelayPolicy::new(RelayPolicySpec { client_map, ..RelayPolicySpec::default() }).unwrap();
    let line = |name: &str| policy.client_names.find(&Domain::parse(name).unwrap()).map(|line| line.line);
    assert_eq!(line("mail.example.com"), Some(1));
    assert_eq!(line("a.mail.example.com"), None);
    assert_eq!(line("h1.dyn.example.com"), Some(2));
    assert_eq!(line("a.b.dyn.example.com"), Some(2));
    assert_eq!(line("dyn.example.com"), None, "the name itself is not below itself");
    assert_eq!(line("notdyn.example.com"), None);
    assert_eq!(line("mail.example.com.evil.example"), None);
}

#[test]
fn a_pop_prefix_is_between_64_and_128() {
    for (bits, fine) in [(0, false), (48, false), (63, false), (64, true), (128, true), (129, false)] {
        let pop =
            Some(PopSpec { ipv6_prefix_bits: bits, drac_senders: DracSenders::Any, line: ConfigLine::new("c", 1) });
        assert_eq!(RelayPolicy::new(RelayPolicySpec { pop, ..RelayPolicySpec::default() }).is_ok(), fine, "{bits}");
    }
}

/// How many strangers one line could let in at most.
const PRIVATE_TEST: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8"];

proptest! {
    /// Whatever loads holds at most 256 public IPv4 addresses, or at most a /48 of IPv6.
    #[test]
    fn nothing_wide_loads(address: IpAddr, bits in 0u8..=128) {
        if let Ok(network) = parse_network(&format!("{address}/{bits}")) {
            match network {
                IpNet::V4(net) => {
                    let inside = PRIVATE_TEST.iter().any(|text| text.parse::<ipnet::Ipv4Net>().unwrap().contains(&net));
                    prop_assert!(inside || net.prefix_len() >= 24);
                }
                IpNet::V6(net) => prop_assert!(net.prefix_len() >= 48),
            }
        }
    }

    /// Reading never fails badly, and a network that loads prints as one that loads equally.
    #[test]
    fn reading_is_total(text in "\\PC{0,40}|[0-9a-f:./]{0,40}") {
        if let Ok(network) = parse_network(&text) {
            prop_assert_eq!(parse_network(&network.to_string()), Ok(network));
        }
        let _ = parse_names(&text);
        let _ = pattern::looks_like_name(&text);
    }
}

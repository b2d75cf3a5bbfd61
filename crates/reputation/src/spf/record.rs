//! A domain's record (RFC 7208 §4.5, §4.6, §5, §12), read whole before anything of it is asked for: with a mistake anywhere nothing
//! of it counts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use guard::SpfResult;

use super::macros::{DomainSpec, Malformed, check};

/// What every record begins with.
pub(super) const VERSION: &[u8] = b"v=spf1";
/// Longest record that is read, in octets. It bounds its terms, too. DNS carries longer ones; the standard wants them to fit into
/// a datagram (§3.4), and lists of networks made by programs have a few thousand.
const RECORD_OCTETS_MAX: usize = 8_192;
const IPV4_BITS: u8 = 32;
const IPV6_BITS: u8 = 128;
/// What a mechanism that matches comes to (§4.6.2).
const QUALIFIERS: [(char, SpfResult); 4] =
    [('+', SpfResult::Pass), ('-', SpfResult::Fail), ('~', SpfResult::SoftFail), ('?', SpfResult::Neutral)];

/// A record without a mistake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// In their order.
    pub(super) directives: Vec<Directive>,
    pub(super) redirect: Option<DomainSpec>,
    /// Where the explanation is. It changes no result, and nobody is told it.
    explanation: Option<DomainSpec>,
}

/// The result, if the mechanism matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) result: SpfResult,
    pub(super) mechanism: Mechanism,
}

/// What matches a client (§5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mechanism {
    All,
    Include(DomainSpec),
    A(Hosts),
    Mx(Hosts),
    /// Names below this domain; `None`: the record's own.
    Ptr(Option<DomainSpec>),
    /// `ip4` and `ip6`.
    Ip(Network),
    Exists(DomainSpec),
}

/// Networks around the addresses of hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hosts {
    /// `None`: the record's own domain.
    pub(super) of: Option<DomainSpec>,
    ipv4_bits: u8,
    ipv6_bits: u8,
}

/// The addresses that have so many bits in common with this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    bits: u8,
}

/// Whether a text is a record (§4.5).
pub fn is_record(text: &[u8]) -> bool {
    let Some((version, rest)) = text.split_at_checked(VERSION.len()) else { return false };
    version.eq_ignore_ascii_case(VERSION) && matches!(rest.first(), None | Some(b' '))
}

impl Record {
    /// Reads what [`is_record`].
    pub(super) fn parse(text: &[u8]) -> Result<Self, Malformed> {
        if !is_record(text) || text.len() > RECORD_OCTETS_MAX {
            return Err(Malformed);
        }
        let terms = str::from_utf8(&text[VERSION.len()..]).map_err(|_| Malformed)?;
        if !terms.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
            return Err(Malformed);
        }
        let mut record = Self::default();
        for term in terms.split(' ').filter(|term| !term.is_empty()) {
            record.add(term)?;
        }
        Ok(record)
    }

    /// The first term that alone makes a mistake of the record.
    pub(super) fn mistake(text: &str) -> Option<&str> {
        let mut terms = text.get(VERSION.len()..)?.split(' ').filter(|term| !term.is_empty());
        terms.find(|term| Self::default().add(term).is_err())
    }

    fn add(&mut self, term: &str) -> Result<(), Malformed> {
        let (head, rest) = term.split_at(term.find([':', '/', '=']).unwrap_or(term.len()));
        if let Some(value) = rest.strip_prefix('=') {
            return self.modify(head, value);
        }
        let qualified = QUALIFIERS.iter().find_map(|(sign, result)| Some((*result, head.strip_prefix(*sign)?)));
        let (result, name) = qualified.unwrap_or((SpfResult::Pass, head));
        self.directives.push(Directive { result, mechanism: Mechanism::parse(name, rest)? });
        Ok(())
    }

    /// Takes a modifier (§6). Those of the standard stand once; others are passed over.
    fn modify(&mut self, name: &str, value: &str) -> Result<(), Malformed> {
        let place = match name.to_ascii_lowercase().as_str() {
            "redirect" => &mut self.redirect,
            "exp" => &mut self.explanation,
            name if is_modifier(name) => return check(value),
            _ => return Err(Malformed),
        };
        match place.replace(DomainSpec::parse(value)?) {
            None => Ok(()),
            Some(_) => Err(Malformed),
        }
    }
}

fn is_modifier(name: &str) -> bool {
    let sound = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.bytes().all(sound)
}

impl Mechanism {
    /// `rest` begins with the sign behind the name.
    fn parse(name: &str, rest: &str) -> Result<Self, Malformed> {
        let argument = || rest.strip_prefix(':').ok_or(Malformed);
        match name.to_ascii_lowercase().as_str() {
            "all" if rest.is_empty() => Ok(Self::All),
            "include" => Ok(Self::Include(DomainSpec::parse(argument()?)?)),
            "a" => Ok(Self::A(Hosts::parse(rest)?)),
            "mx" => Ok(Self::Mx(Hosts::parse(rest)?)),
            "ptr" => Ok(Self::Ptr(domain_of(rest)?)),
            "ip4" => Ok(Self::Ip(Network::ipv4(argument()?)?)),
            "ip6" => Ok(Self::Ip(Network::ipv6(argument()?)?)),
            "exists" => Ok(Self::Exists(DomainSpec::parse(argument()?)?)),
            _ => Err(Malformed),
        }
    }
}

/// The domain behind a colon, if there is one.
fn domain_of(rest: &str) -> Result<Option<DomainSpec>, Malformed> {
    match rest.strip_prefix(':') {
        Some(domain) => DomainSpec::parse(domain).map(Some),
        None if rest.is_empty() => Ok(None),
        None => Err(Malformed),
    }
}

impl Hosts {
    fn parse(rest: &str) -> Result<Self, Malformed> {
        let ipv6 = Prefixed::split(rest, "//", IPV6_BITS)?;
        let ipv4 = Prefixed::split(ipv6.before, "/", IPV4_BITS)?;
        Ok(Self { of: domain_of(ipv4.before)?, ipv4_bits: ipv4.bits, ipv6_bits: ipv6.bits })
    }

    /// The network around the address of one of them.
    pub(super) fn network(&self, address: IpAddr) -> Network {
        let bits = if address.is_ipv4() { self.ipv4_bits } else { self.ipv6_bits };
        Network { address, bits }
    }
}

impl Network {
    fn ipv4(text: &str) -> Result<Self, Malformed> {
        let Prefixed { before, bits } = Prefixed::split(text, "/", IPV4_BITS)?;
        let address: Ipv4Addr = before.parse().map_err(|_| Malformed)?;
        Ok(Self { address: address.into(), bits })
    }

    fn ipv6(text: &str) -> Result<Self, Malformed> {
        let Prefixed { before, bits } = Prefixed::split(text, "/", IPV6_BITS)?;
        let address: Ipv6Addr = before.parse().map_err(|_| Malformed)?;
        Ok(Self { address: address.into(), bits })
    }

    /// Whether a client is in it; never one of the other family, however short the prefix (§5.6). Clients are not IPv4-mapped.
    pub(super) fn has(&self, client: IpAddr) -> bool {
        let common = match (self.address, client) {
            (IpAddr::V4(ours), IpAddr::V4(client)) => (ours.to_bits() ^ client.to_bits()).leading_zeros(),
            (IpAddr::V6(ours), IpAddr::V6(client)) => (ours.to_bits() ^ client.to_bits()).leading_zeros(),
            _ => return false,
        };
        common >= u32::from(self.bits)
    }
}

/// A text, and the length of a prefix that stood at its end.
struct Prefixed<'t> {
    before: &'t str,
    /// All of them, where none stood there.
    bits: u8,
}

impl<'t> Prefixed<'t> {
    /// A slash without a number behind it belongs to what is before, which may be a domain.
    fn split(text: &'t str, sign: &str, bits_max: u8) -> Result<Self, Malformed> {
        let number = |(_, end): &(&str, &str)| !end.is_empty() && end.bytes().all(|octet| octet.is_ascii_digit());
        let Some((before, length)) = text.rsplit_once(sign).filter(number) else {
            return Ok(Self { before: text, bits: bits_max });
        };
        let padded = length.len() > 1 && length.starts_with('0');
        match length.parse() {
            Ok(bits) if bits <= bits_max && !padded => Ok(Self { before, bits }),
            _ => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_record_is() {
        for (text, expected) in [
            ("v=spf1", true),
            ("V=SPF1 -all", true),
            ("v=spf10", false),
            ("v=spf1-all", false),
            ("v=spf", false),
            ("spf2.0/pra -all", false),
            ("", false),
        ] {
            assert_eq!(is_record(text.as_bytes()), expected, "{text}");
        }
    }

    /// What the published suite does not have; it has the rest.
    #[test]
    fn a_mistake_anywhere_is_one_of_the_whole() {
        for sound in [
            "v=spf1",
            "V=SPF1 +A -MX ~Ptr ?ALL",
            "v=spf1  a/0//0  mx:d.example//128 a:%{d}/24 ",
            "v=spf1 ip4:192.0.2.0/24 ip6:2001:DB8::/32 ip6:::ffff:192.0.2.1",
            "v=spf1 a=%{t} ip4=x redirect=d.example EXP=%{d}",
            "v=spf1 exists:%{l}=x/y:z.example",
        ] {
            assert!(Record::parse(sound.as_bytes()).is_ok(), "{sound}");
        }
        for wrong in [
            "a",
            "v=spf1 ++a",
            "v=spf1 +redirect=d.example",
            "v=spf1 a/",
            "v=spf1 a//",
            "v=spf1 a///8",
            "v=spf1 a//8/8",
            "v=spf1 a:d.example/24/24",
            "v=spf1 a/00",
            "v=spf1 a//1000",
            "v=spf1 a/+1",
            "v=spf1 ip4:192.0.2.01",
            "v=spf1 ip4:192.0.2.1/",
            "v=spf1 ip6:192.0.2.1",
            "v=spf1 ip6:fe80::1%eth0",
            "v=spf1 ip4:2001:db8::1",
            "v=spf1\ta",
            "v=spf1 a\t",
            "v=spf1 all:",
            "v=spf1 include",
            "v=spf1 é=x",
            "v=spf1 -all x",
            "v=spf1 redirect=d.example REDIRECT=d.example",
        ] {
            assert_eq!(Record::parse(wrong.as_bytes()), Err(Malformed), "{wrong}");
        }
        let long = |octets: usize| format!("v=spf1 x={}", "x".repeat(octets - 9)).into_bytes();
        assert!(Record::parse(&long(RECORD_OCTETS_MAX)).is_ok());
        assert_eq!(Record::parse(&long(RECORD_OCTETS_MAX + 1)), Err(Malformed));
    }

    #[test]
    fn a_network_has_clients_of_its_family_alone() {
        for (network, client, expected) in [
            ("ip4:192.0.2.1/31", "192.0.2.0", true),
            ("ip4:192.0.2.1/32", "192.0.2.0", false),
            ("ip4:0.0.0.0/0", "2001:db8::1", false),
            ("ip6:::/0", "192.0.2.1", false),
            ("ip6:2001:db8::/127", "2001:db8::1", true),
            ("ip6:2001:db8::", "2001:db8::1", false),
        ] {
            let record = Record::parse(format!("v=spf1 {network}").as_bytes()).unwrap();
            let Mechanism::Ip(network) = &record.directives[0].mechanism else { panic!("{record:?}") };
            assert_eq!(network.has(client.parse().unwrap()), expected, "{network:?} {client}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_octets_make_it_panic(octets: Vec<u8>) {
            let _ = Record::parse(&octets);
            let _ = Record::parse(&[b"v=spf1 ", &octets[..]].concat());
        }

        #[test]
        fn no_terms_make_it_panic(
            text in "v=spf1( [+~?-]?(a|mx|ptr|ip4|ip6|all|exists|include|redirect|exp|x)([:/=]|//|[0-9]{1,3}|%\\{?|[a-zé.%{}]{1,4}){0,5}){0,6}",
        ) {
            if let Ok(record) = Record::parse(text.as_bytes()) {
                proptest::prop_assert!(record.directives.len() <= text.split(' ').count());
            }
        }
    }
}

//! The entries of a file that let somebody relay, one by one with their lines, for the relay policy to check and take.
//!
//! What a file means as a whole must not grow on the way: where sendmail's more exact entry takes back what a wider one
//! gives, the network is given without it, and a domain is not given at all. What cannot be said as an entry is left
//! out, with a warning.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::kind::Kind;
use super::mistake::{Notes, shown};
use super::sendmail::keys::{domain_name, split_tag};
use super::store::Store;
use super::subject::Tag;
use super::table::Form;

/// A network without its holes is at most so many networks.
const PIECES_MAX: usize = 4096;

/// Which clients an entry means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientPattern {
    /// Those of a network, or one address.
    Net(IpNet),
    /// The one of this name, or with a dot before it those below; believed only if DNS confirms it both ways.
    Name(String),
}

impl fmt::Display for ClientPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) if net.prefix_len() == net.max_prefix_len() => net.addr().fmt(f),
            Self::Net(net) => net.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Who may relay, or where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayWhat {
    /// These clients, to wherever they like.
    Client(ClientPattern),
    /// Everybody, to this domain, or with a dot before it to those below.
    Domain(String),
}

/// One entry, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayEntry {
    /// Who, or where to.
    pub what: RelayWhat,
    /// From 1; 0 where there are no lines.
    pub line: u32,
}

/// All of a file.
pub(super) fn entries(kind: Kind, form: &Form, notes: &mut Notes) -> Vec<RelayEntry> {
    match (kind, form) {
        (Kind::SendmailAccess, Form::Store(store)) => Access::read(store, notes).entries(notes),
        (Kind::IpAllow | Kind::NameAllow | Kind::RelayAllow | Kind::RelayDomains, Form::Store(store)) => {
            store.iter().flat_map(|(word, _, line)| word_entries(kind, (word, line), notes)).collect()
        }
        (Kind::HostsAllow, Form::Hosts(hosts)) => hosts.relay_entries(notes),
        _ => Vec::new(),
    }
}

/// Of a list of words.
fn word_entries(kind: Kind, (word, line): (&str, u32), notes: &mut Notes) -> Vec<RelayEntry> {
    if let Some(net) = network(word) {
        if kind == Kind::RelayAllow {
            notes.warn(line, || format!("{word}: mail for an address instead of a domain is not passed on; left out"));
            return Vec::new();
        }
        return vec![RelayEntry { what: RelayWhat::Client(ClientPattern::Net(net)), line }];
    }
    let mut what = Vec::new();
    if kind != Kind::NameAllow {
        what.extend(with_subdomains(word).map(RelayWhat::Domain));
    }
    if kind != Kind::RelayAllow {
        what.extend(with_subdomains(word).map(|name| RelayWhat::Client(ClientPattern::Name(name))));
    }
    what.into_iter().map(|what| RelayEntry { what, line }).collect()
}

/// A name, and all below it; of one label only itself, since all below `jp` is not what a list of hosts means.
fn with_subdomains(name: &str) -> impl Iterator<Item = String> + use<> {
    let below = name.starts_with('.') || name.contains('.');
    let own = (!name.starts_with('.')).then(|| name.to_owned());
    own.into_iter().chain(below.then(|| format!(".{}", name.trim_start_matches('.'))))
}

/// An address, the first octets of IPv4, or `NET/BITS` without host bits. sendmail's `ipv6:` before it is taken off, and
/// then the first 16-bit parts do too.
pub(super) fn network(text: &str) -> Option<IpNet> {
    if let Some(text) = text.strip_prefix("ipv6:") {
        return ipv6_parts(text).map(IpNet::V6);
    }
    if let Ok(addr) = text.parse::<IpAddr>() {
        return Some(IpNet::from(addr));
    }
    if text.contains('/') {
        return text.parse::<IpNet>().ok().filter(|net| net.addr() == net.network());
    }
    let mut octets = [0; 4];
    let mut count = 0_u8;
    for part in text.split('.') {
        let octet: u8 = part.parse().ok()?;
        if octet.to_string() != part {
            return None;
        }
        *octets.get_mut(usize::from(count))? = octet;
        count += 1;
    }
    Ipv4Net::new(Ipv4Addr::from(octets), count * 8).ok().map(IpNet::V4)
}

fn ipv6_parts(text: &str) -> Option<Ipv6Net> {
    let mut segments = [0; 8];
    let mut count = 0_u8;
    for part in text.split(':') {
        let segment = u16::from_str_radix(part, 16).ok()?;
        // As sendmail writes it: nothing else is ever looked up.
        if format!("{segment:x}") != part {
            return None;
        }
        *segments.get_mut(usize::from(count))? = segment;
        count += 1;
    }
    Ipv6Net::new(Ipv6Addr::from(segments), count * 16).ok()
}

/// What an access database says about relaying, of one side: by key, whether it says `RELAY`, and where.
#[derive(Debug, Default)]
struct Access<'a> {
    nets: BTreeMap<IpNet, (bool, u32)>,
    clients: BTreeMap<&'a str, (bool, u32)>,
    domains: BTreeMap<&'a str, (bool, u32)>,
}

impl<'a> Access<'a> {
    fn read(store: &'a Store, notes: &mut Notes) -> Self {
        let mut access = Self::default();
        let relays = |value: &str| value.eq_ignore_ascii_case("RELAY");
        // Most files have no such entry, and then nothing is to be taken back either.
        if !store.iter().any(|(_, value, _)| relays(value)) {
            return access;
        }
        // The first of a key counts, and one with a tag before one without.
        for tagged in [true, false] {
            for (key, value, line) in store.iter() {
                let (tag, rest) = split_tag(key);
                if tag.is_some() == tagged {
                    access.entry((tag, rest), (relays(value), line), notes);
                }
            }
        }
        access
    }

    fn entry(&mut self, (tag, key): (Option<Tag>, &'a str), (relay, line): (bool, u32), notes: &mut Notes) {
        let unusable = |notes: &mut Notes, why: &str| {
            if relay {
                notes.warn(line, || format!("{} RELAY: {why}; left out", shown(key)));
            }
        };
        match tag {
            Some(Tag::Connect | Tag::To) | None => {}
            Some(Tag::From) => return unusable(notes, "a sender's address proves nothing"),
            Some(_) => return unusable(notes, "its tag is about something else"),
        }
        let brackets = key.strip_prefix('[').and_then(|key| key.strip_suffix(']'));
        let client = !matches!(tag, Some(Tag::To));
        if let Some(net) = network(brackets.unwrap_or(key)) {
            if client {
                self.nets.entry(net).or_insert((relay, line));
            } else {
                unusable(notes, "mail for an address instead of a domain is not passed on");
            }
        } else if key.contains('@') {
            unusable(notes, "only whole domains are passed on to");
        } else if domain_name(key).is_err() {
            unusable(notes, "it is no domain");
        } else {
            if client {
                self.clients.entry(key).or_insert((relay, line));
            }
            if !matches!(tag, Some(Tag::Connect)) {
                self.domains.entry(key).or_insert((relay, line));
            }
        }
    }

    fn entries(self, notes: &mut Notes) -> Vec<RelayEntry> {
        let mut entries = Vec::new();
        for (net, (_, line)) in self.nets.iter().filter(|(_, (relay, _))| *relay) {
            // In the order of the map, what is within a network follows it.
            let within = self.nets.range(*net..=IpNet::from(net.broadcast()));
            let holes = within.filter(|(_, (relay, _))| !relay).map(|(hole, _)| *hole).take(PIECES_MAX);
            match without(*net, holes.collect()) {
                Some(nets) => entries.extend(nets.into_iter().map(|net| {
                    let what = RelayWhat::Client(ClientPattern::Net(net));
                    RelayEntry { what, line: *line }
                })),
                None => notes.warn(*line, || format!("{net} RELAY: too many exceptions within; left out")),
            }
        }
        let client = |name| RelayWhat::Client(ClientPattern::Name(name));
        entries.extend(names(&self.clients, client, notes));
        entries.extend(names(&self.domains, RelayWhat::Domain, notes));
        entries
    }
}

/// Names and what is below them, unless something below them is taken back.
fn names(map: &BTreeMap<&str, (bool, u32)>, make: impl Fn(String) -> RelayWhat, notes: &mut Notes) -> Vec<RelayEntry> {
    let reversed = |name: &str| name.chars().rev().collect::<String>();
    let taken_back: BTreeSet<String> =
        map.iter().filter(|(_, (relay, _))| !relay).map(|(name, _)| reversed(name)).collect();
    let mut entries = Vec::new();
    for (name, (_, line)) in map.iter().filter(|(_, (relay, _))| *relay) {
        for pattern in with_subdomains(name) {
            let start = reversed(&pattern);
            let hole = taken_back.range(start.clone()..).next().filter(|hole| hole.starts_with(&start));
            match hole.filter(|_| pattern.starts_with('.')) {
                Some(hole) => notes
                    .warn(*line, || format!("{pattern} RELAY: {} within is not let relay; left out", reversed(hole))),
                None => entries.push(RelayEntry { what: make(pattern), line: *line }),
            }
        }
    }
    entries
}

/// A network without others within it; `None` if the pieces get too many.
fn without(net: IpNet, holes: Vec<IpNet>) -> Option<Vec<IpNet>> {
    let mut pieces = Vec::new();
    if holes.len() >= PIECES_MAX {
        return None;
    }
    let mut left = vec![(net, holes)];
    while let Some((net, holes)) = left.pop() {
        if holes.is_empty() {
            pieces.push(net);
        } else if !holes.contains(&net) {
            let halves: Vec<IpNet> = net.subnets(net.prefix_len() + 1).ok()?.collect();
            for half in halves.into_iter().rev() {
                let within = holes.iter().copied().filter(|hole| half.contains(hole)).collect();
                left.push((half, within));
            }
        }
        if pieces.len() + left.len() > PIECES_MAX {
            return None;
        }
    }
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use super::super::table::Table;
    use super::*;

    fn read(kind: Kind, text: &str) -> (Vec<String>, usize) {
        let table = Table::parse(kind, "t", text).unwrap();
        let entries = table.relay_entries().map(|entry| match &entry.what {
            RelayWhat::Client(pattern) => format!("{}: from {pattern}", entry.line),
            RelayWhat::Domain(domain) => format!("{}: to {domain}", entry.line),
        });
        (entries.collect(), table.warnings().len())
    }

    #[test]
    fn sendmails_relay_becomes_entries() {
        let (entries, warnings) = read(
            Kind::SendmailAccess,
            "Connect:192.0.2\tRELAY\nConnect:198.51.100.7\tRELAY\nTo:example.org\tRELAY\n\
             example.com\tRELAY\nConnect:IPv6:2001:db8:1\tRELAY\nFrom:friend@example.net\tRELAY\n203.0.113\tREJECT\n",
        );
        assert_eq!(
            entries,
            [
                "1: from 192.0.2.0/24",
                "2: from 198.51.100.7",
                "5: from 2001:db8:1::/48",
                "4: from example.com",
                "4: from .example.com",
                "4: to example.com",
                "4: to .example.com",
                "3: to example.org",
                "3: to .example.org",
            ]
        );
        assert_eq!(warnings, 1);
    }

    #[test]
    fn an_exception_is_no_right() {
        let (entries, warnings) = read(
            Kind::SendmailAccess,
            "Connect:192.0.2\tRELAY\n192.0.2.128\tOK\nConnect:192.0.2.128\tREJECT\nexample.com\tRELAY\n\
             bad.example.com\tREJECT\nConnect:10\tOK\n10\tRELAY\n",
        );
        let networks = entries.iter().filter(|entry| entry.contains('/') || entry.ends_with("129")).count();
        assert_eq!((networks, warnings), (8, 2), "{entries:?}");
        assert!(!entries.iter().any(|e| e.ends_with("from 192.0.2.128") || e.contains(" .example")), "{entries:?}");
        let covered: u32 = entries
            .iter()
            .filter_map(|e| e.split_once("from ").unwrap_or(("", "")).1.parse::<Ipv4Net>().ok())
            .map(|net| 1 << (32 - net.prefix_len()))
            .sum();
        assert_eq!(covered + 1, 255, "all but one, which stands as a bare address: {entries:?}");
    }

    #[test]
    fn the_older_lists() {
        assert_eq!(
            read(Kind::IpAllow, "192.168.1.10 # pc\n192.168.1\n10.0.0.0/8\n").0,
            ["1: from 192.168.1.10", "2: from 192.168.1.0/24", "3: from 10.0.0.0/8"]
        );
        assert_eq!(
            read(Kind::NameAllow, "pc\nmail.example.com\n").0,
            ["1: from pc", "2: from mail.example.com", "2: from .mail.example.com"]
        );
        assert_eq!(
            read(Kind::RelayAllow, "server2\nexample.org 192.168.1.3\n"),
            (vec!["1: to server2".to_owned(), "2: to example.org".into(), "2: to .example.org".into()], 1)
        );
        assert_eq!(
            read(Kind::RelayDomains, "Example.Org.\n192.168.1\n").0,
            [
                "1: to example.org",
                "1: to .example.org",
                "1: from example.org",
                "1: from .example.org",
                "2: from 192.168.1.0/24"
            ]
        );
    }

    #[test]
    fn t03_what_would_open_the_world_comes_out_as_it_stands() {
        assert_eq!(read(Kind::IpAllow, "0.0.0.0/0\n").0, ["1: from 0.0.0.0/0"]);
        for bad in ["192.168.1.", "192.168.1.1/24", "1.2.3.4.5", "256", "01.2", "pc"] {
            assert!(Table::parse(Kind::IpAllow, "t", bad).is_err(), "{bad}");
        }
    }
}

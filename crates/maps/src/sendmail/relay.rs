//! The entries of an access database that let somebody relay.
//!
//! What a file means as a whole must not grow on the way: where a more exact entry takes back what a wider one gives, the
//! network is given without it, and a domain is not given at all.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::domains::domain_name;
use super::tag::{Tag, TaggedKey};
use crate::mistake::{Notes, shown};
use crate::relay::{ClientPattern, RelayEntry, RelayWhat, network, with_subdomains};
use crate::store::Store;

/// A network without its holes is at most so many networks.
const PIECES_MAX: usize = 4096;

/// Whether an entry says `RELAY`, and where.
#[derive(Debug, Clone, Copy)]
struct Word {
    relay: bool,
    line: u32,
}

/// What an access database says about relaying, of one side, by key.
#[derive(Debug, Default)]
struct Access<'a> {
    nets: BTreeMap<IpNet, Word>,
    clients: BTreeMap<&'a str, Word>,
    domains: BTreeMap<&'a str, Word>,
}

/// The entries of an access database that let somebody relay.
pub(crate) fn entries(store: &Store, notes: &mut Notes) -> Vec<RelayEntry> {
    Access::read(store, notes).entries(notes)
}

impl<'a> Access<'a> {
    fn read(store: &'a Store, notes: &mut Notes) -> Self {
        let mut access = Self::default();
        let relays = |value: &str| value.eq_ignore_ascii_case("RELAY");
        // Most files have no such entry, and then nothing is to be taken back either.
        if !store.iter().any(|entry| relays(entry.value)) {
            return access;
        }
        // The first of a key counts, and one with a tag before one without.
        for tagged in [true, false] {
            for entry in store.iter() {
                let key = TaggedKey::split(entry.key);
                if key.tag.is_some() == tagged {
                    access.entry(key, Word { relay: relays(entry.value), line: entry.line }, notes);
                }
            }
        }
        access
    }

    fn entry(&mut self, key: TaggedKey<'a>, word: Word, notes: &mut Notes) {
        let TaggedKey { tag, rest: key } = key;
        let unusable = |notes: &mut Notes, why: &str| {
            if word.relay {
                notes.warn(word.line, || format!("{} RELAY: {why}; left out", shown(key)));
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
                self.nets.entry(net).or_insert(word);
            } else {
                unusable(notes, "mail for an address instead of a domain is not passed on");
            }
        } else if key.contains('@') {
            unusable(notes, "only whole domains are passed on to");
        } else if domain_name(key).is_err() {
            unusable(notes, "it is no domain");
        } else {
            if client {
                self.clients.entry(key).or_insert(word);
            }
            if !matches!(tag, Some(Tag::Connect)) {
                self.domains.entry(key).or_insert(word);
            }
        }
    }

    fn entries(self, notes: &mut Notes) -> Vec<RelayEntry> {
        let mut entries = Vec::new();
        for (net, Word { line, .. }) in self.nets.iter().filter(|(_, word)| word.relay) {
            // In the order of the map, what is within a network follows it.
            let within = self.nets.range(*net..=IpNet::from(net.broadcast()));
            let holes = within.filter(|(_, word)| !word.relay).map(|(hole, _)| *hole).take(PIECES_MAX);
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
fn names(map: &BTreeMap<&str, Word>, make: impl Fn(String) -> RelayWhat, notes: &mut Notes) -> Vec<RelayEntry> {
    let reversed = |name: &str| name.chars().rev().collect::<String>();
    let taken_back: BTreeSet<String> =
        map.iter().filter(|(_, word)| !word.relay).map(|(name, _)| reversed(name)).collect();
    let mut entries = Vec::new();
    for (name, Word { line, .. }) in map.iter().filter(|(_, word)| word.relay) {
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
    use ipnet::Ipv4Net;

    use super::*;
    use crate::{Kind, Table};

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
}

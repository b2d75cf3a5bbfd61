//! Lists of words: what sendmail reads into a class. Names of hosts and domains, addresses and their first octets.

use std::net::IpAddr;

use super::domains::domain_name;
use crate::key::fold;
use crate::kind::Kind;
use crate::lines::is_space;
use crate::mistake::{Notes, Position, Wrong, shown};
use crate::relay::{ClientPattern, RelayEntry, RelayWhat, network, with_subdomains};
use crate::source::Entries;
use crate::store::{Entry, Store};

/// All of a file. `#` begins a comment anywhere.
pub(crate) fn read(kind: Kind, text: &str, notes: &mut Notes) -> Store {
    let mut entries = Entries::of_text(text, notes);
    for (number, raw) in (1..).zip(text.split('\n')) {
        let line = raw.split('#').next().unwrap_or("");
        for word in line.split(|c: char| c.is_ascii() && is_space(c as u8)).filter(|word| !word.is_empty()) {
            let start = word.as_ptr() as usize - raw.as_ptr() as usize;
            let key = fold(word);
            if let Err(Wrong { what, hint }) = check(kind, &key) {
                entries.notes.mistake(Position::behind(number, &raw[..start]), what, hint);
                continue;
            }
            let value = if kind == Kind::LocalHostNames { "OK" } else { "RELAY" };
            if entries.take(Entry { key: key.trim_end_matches('.'), value, line: number }).is_none() {
                return entries.finish();
            }
        }
    }
    entries.finish()
}

/// Whether a word can stand in its list.
fn check(kind: Kind, word: &str) -> Result<(), Wrong> {
    let wrong = |is: &str, hint: &str| Err(Wrong::new(format!("{} {is}", shown(word)), hint));
    let network = network(word);
    let looks_like_address = word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'/'));
    match (kind, network) {
        (Kind::IpAllow, None) => wrong("is no address and no octets of one", "write as in 192.168.1.10 or 192.168.1"),
        (_, None) if looks_like_address => {
            wrong("is neither an address nor a domain", "write as in 192.168.1 or example.com")
        }
        (Kind::NameAllow | Kind::LocalHostNames, Some(_)) if word.parse::<IpAddr>().is_ok() || looks_like_address => {
            wrong("is an address", "this list has names only")
        }
        (_, Some(_)) => Ok(()),
        // A class of sendmail has domain literals too: [192.0.2.1].
        (Kind::LocalHostNames, _) if word.starts_with('[') && word.ends_with(']') => Ok(()),
        (_, None) => domain_name(word).map_err(|what| Wrong::new(what, "write a domain, as in example.com")),
    }
}

/// What the words of a list let relay.
pub(crate) fn relay_entries(kind: Kind, store: &Store, notes: &mut Notes) -> Vec<RelayEntry> {
    store.iter().flat_map(|entry| of_word(kind, entry, notes)).collect()
}

fn of_word(kind: Kind, entry: Entry<'_>, notes: &mut Notes) -> Vec<RelayEntry> {
    let Entry { key: word, line, .. } = entry;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;

    fn read(kind: Kind, text: &str) -> (Vec<String>, usize) {
        let table = Table::parse(kind, "t", text).unwrap();
        let entries = table.relay_entries().map(|entry| match &entry.what {
            RelayWhat::Client(pattern) => format!("{}: from {pattern}", entry.line),
            RelayWhat::Domain(domain) => format!("{}: to {domain}", entry.line),
        });
        (entries.collect(), table.warnings().len())
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

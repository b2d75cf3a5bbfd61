//! TCP wrapper's `hosts.allow`: hosts_access(5), and those of its options (hosts_options(5)) that say who may and who may
//! not.
//!
//! The file runs nothing here: a rule with `spawn`, `twist` or a command refuses it, since what it does would silently be
//! left undone. Clients are known by their addresses only, so that a name in a rule matches nobody.

pub(crate) mod clients;
mod rule;

use std::net::IpAddr;

use crate::found::Found;
use crate::mistake::Notes;
use crate::relay::{ClientPattern, RelayEntry, RelayWhat};
use rule::Rule;

/// A file that was taken.
#[derive(Debug)]
pub(crate) struct HostsFile {
    rules: Vec<Rule>,
}

/// Who asks for what.
#[derive(Debug, Clone, Copy)]
struct Request<'a> {
    daemon: &'a str,
    addr: IpAddr,
}

impl HostsFile {
    pub(crate) fn read(text: &str, notes: &mut Notes) -> Self {
        Self { rules: rule::read(text, notes) }
    }

    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    /// `DAEMON ADDRESS`: `allow` or `deny` by the first rule that matches, and its line.
    pub(crate) fn query(&self, key: &str) -> Option<Found<'static>> {
        let (daemon, addr) = key.split_once([' ', '\t', ':'])?;
        let request = Request { daemon, addr: addr.trim().parse().ok()? };
        let rule = self.rules.iter().find(|rule| rule.matches(request))?;
        Some(Found::borrowed(if rule.permits { "allow" } else { "deny" }, rule.line))
    }

    /// Rules that set `RELAYCLIENT`, as qmail's tcp-env has them, say who may relay. Being let in is no right to relay.
    pub(crate) fn relay_entries(&self, notes: &mut Notes) -> Vec<RelayEntry> {
        let mut entries = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.relays && rule.permits) {
            match rule.patterns() {
                Some(patterns) => entries.extend(
                    patterns
                        .into_iter()
                        .map(|pattern: ClientPattern| RelayEntry { what: RelayWhat::Client(pattern), line: rule.line }),
                ),
                None => notes.warn(rule.line, || {
                    "RELAYCLIENT for more than plain addresses, networks and names; left out".to_owned()
                }),
            }
        }
        entries
    }
}

#[cfg(test)]
mod tests;

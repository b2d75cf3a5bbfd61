//! `hosts.allow` and `hosts.deny`: TCP wrapper's hosts_access(5), and those of its options (hosts_options(5)) that say
//! who may and who may not.
//!
//! The files run nothing here: a rule with `spawn`, `twist` or a command refuses its file, since what it does would
//! silently be left undone.

mod rule;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::mistake::{Mistake, Notes, Warning};
use super::relay::{ClientPattern, RelayEntry, RelayWhat};
use rule::Rule;

/// Which of the two files it is; it decides what a rule without an option means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `hosts.allow`.
    Allow,
    /// `hosts.deny`.
    Deny,
}

/// What DNS says about a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostName<'a> {
    /// A name that leads back to the address.
    Known(&'a str),
    /// None, or nobody could say.
    Unknown,
    /// One that does not lead back: `PARANOID`.
    Forged,
}

impl<'a> HostName<'a> {
    /// As patterns see it.
    fn text(self) -> &'a str {
        match self {
            Self::Known(name) => name,
            Self::Unknown => "unknown",
            Self::Forged => "paranoid",
        }
    }
}

/// Who asks for what.
#[derive(Debug, Clone, Copy)]
struct Request<'a> {
    daemon: &'a str,
    addr: IpAddr,
    name: HostName<'a>,
}

/// What the files say, and by which rule. Without a rule everybody may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// May connect.
    Permit(Option<Place>),
    /// May not.
    Deny(Place),
}

impl Decision {
    /// Whether the client may connect.
    pub fn permits(&self) -> bool {
        matches!(self, Self::Permit(_))
    }
}

/// Where a rule stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As the caller named it.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One of the files.
#[derive(Debug, Clone)]
pub struct HostsFile {
    file: Arc<str>,
    rules: Vec<Rule>,
    warnings: Vec<Warning>,
}

impl HostsFile {
    /// A file that is not there: it has no rules.
    pub fn absent() -> Self {
        Self { file: "".into(), rules: Vec::new(), warnings: Vec::new() }
    }

    /// Reads a file's text. `file_name` is for messages.
    ///
    /// # Errors
    /// All mistakes at once; never an empty list.
    pub fn parse(role: Role, file_name: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        let mut notes = Notes::new(file_name);
        let mut read = Self::read(role, text, &mut notes);
        read.warnings = notes.end()?;
        Ok(read)
    }

    pub(super) fn read(role: Role, text: &str, notes: &mut Notes) -> Self {
        let rules = rule::read(role, text, notes);
        Self { file: Arc::clone(&notes.file), rules, warnings: Vec::new() }
    }

    /// Options that have no effect here.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    fn decide(&self, request: Request<'_>) -> Option<Decision> {
        let rule = self.rules.iter().find(|rule| rule.matches(request))?;
        let place = Place { file: Arc::clone(&self.file), line: rule.line };
        Some(if rule.permits { Decision::Permit(Some(place)) } else { Decision::Deny(place) })
    }

    /// `DAEMON ADDRESS`: `allow` or `deny`, and the line.
    pub(super) fn query(&self, key: &str) -> Option<(&'static str, u32)> {
        let (daemon, addr) = key.split_once([' ', '\t', ':'])?;
        let addr = addr.trim().parse().ok()?;
        let rule = self.rules.iter().find(|r| r.matches(Request { daemon, addr, name: HostName::Unknown }))?;
        Some((if rule.permits { "allow" } else { "deny" }, rule.line))
    }

    /// Rules that set `RELAYCLIENT`, as qmail's tcp-env has them, say who may relay. Being let in is no right to relay.
    pub(super) fn relay_entries(&self, notes: &mut Notes) -> Vec<RelayEntry> {
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

/// Both files.
#[derive(Debug, Clone)]
pub struct HostsAccess {
    allow: HostsFile,
    deny: HostsFile,
}

impl HostsAccess {
    /// From both; one that does not exist is [`HostsFile::absent`].
    pub fn new(allow: HostsFile, deny: HostsFile) -> Self {
        Self { allow, deny }
    }

    /// Whether a client may talk to a service: the first rule that matches, of `hosts.allow` first.
    pub fn permits(&self, daemon: &str, addr: IpAddr, name: HostName<'_>) -> Decision {
        let request = Request { daemon, addr: addr.to_canonical(), name };
        let ruled = self.allow.decide(request).or_else(|| self.deny.decide(request));
        ruled.unwrap_or(Decision::Permit(None))
    }
}

#[cfg(test)]
mod tests;

//! The client map: single clients that may relay, by address or by forward-confirmed name.

use std::collections::HashMap;

use smtp::address::Domain;

use super::{Answer, RelayGrant, Right};
use crate::fact::{Fact, RcptFacts};
use crate::policy::pattern::Names;
use crate::policy::{ConfigLine, RelayPolicy};
use crate::trace::{Asked, Found, Trace};
use crate::verdict::Need;

/// A client's name whose address records hold the client's address. A bare PTR record is anybody's to write.
/// ```compile_fail,E0423
/// fn forge(domain: smtp::address::Domain) -> guard::ConfirmedName {
///     guard::ConfirmedName(domain)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmedName(Domain);

impl ConfirmedName {
    /// The caller vouches that the PTR name of the client resolves to the client's address.
    pub fn attest_forward_confirmed(name: Domain) -> Self {
        Self(name)
    }

    /// The name.
    pub fn domain(&self) -> &Domain {
        &self.0
    }
}

/// Names with the line of each; also the table of relay domains.
#[derive(Debug, Default)]
pub(crate) struct NameTable {
    exact: HashMap<Box<str>, ConfigLine>,
    below: HashMap<Box<str>, ConfigLine>,
}

impl NameTable {
    /// Only names that passed the check of the policy come here; a second line for the same one is ignored.
    pub(crate) fn insert(&mut self, names: &Names, line: ConfigLine) {
        let table = if names.below { &mut self.below } else { &mut self.exact };
        table.entry(names.domain.as_str().into()).or_insert(line);
    }

    /// Label by label, so that `notexample.com` is not below `example.com`.
    pub(crate) fn find(&self, name: &Domain) -> Option<&ConfigLine> {
        if let Some(line) = self.exact.get(name.as_str()) {
            return Some(line);
        }
        if self.below.is_empty() {
            return None;
        }
        let mut rest = name.as_str();
        while let Some((_, parent)) = rest.split_once('.') {
            if let Some(line) = self.below.get(parent) {
                return Some(line);
            }
            rest = parent;
        }
        None
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.below.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (String, &ConfigLine)> {
        let exact = self.exact.iter().map(|(name, line)| (name.to_string(), line));
        exact.chain(self.below.iter().map(|(name, line)| (format!(".{name}"), line)))
    }
}

pub(super) fn ask_address(policy: &RelayPolicy, facts: &RcptFacts<'_>, trace: &mut Trace) -> Answer {
    let line = policy.client_networks.find(facts.client_ip);
    trace.note_line(Asked::ClientAddress, line);
    line.map_or(Answer::Nothing, grant)
}

/// Asks for the name only if the map has names: a server without them never waits for DNS here.
pub(super) fn ask_name(policy: &RelayPolicy, facts: &RcptFacts<'_>, trace: &mut Trace) -> Answer {
    if policy.client_names.is_empty() {
        trace.note(Asked::ClientName, Found::Skipped);
        return Answer::Nothing;
    }
    match &facts.client_name {
        None => {
            trace.note(Asked::ClientName, Found::Needed);
            Answer::Need(Need::ClientName)
        }
        Some(Fact::Unknown(fault)) => {
            trace.note(Asked::ClientName, Found::Unknown(*fault));
            Answer::Fault(*fault)
        }
        Some(Fact::Known(name)) => {
            let line = name.as_ref().and_then(|name| policy.client_names.find(name.domain()));
            trace.note_line(Asked::ClientName, line);
            line.map_or(Answer::Nothing, grant)
        }
    }
}

fn grant(line: &ConfigLine) -> Answer {
    Answer::Grant(RelayGrant { right: Right::ClientMap(line.clone()) })
}
